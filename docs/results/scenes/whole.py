"""Whole images of held-out groups: their scores, and what it changes to draw tiles in one scene.

    python docs/results/scenes/whole.py --work DIR --water MODEL DATASET --mito MODEL DATASET \
        --buildings MODEL DATASET

Each model was trained on the training groups of its data set; `evaluate` refuses others. The tiles
of a water scene, and touching aerial tiles, are put together again where they lie, and what is
missing between them is no data. Writes whole.csv, places.csv and pictures beside this file.
"""

import argparse
import json
import re
import shutil
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import rasterio
from rasterio import features

import crosspatch as cp
from crosspatch.dataset import Dataset, Subject
from crosspatch.files import write_bytes, write_text
from crosspatch.images import read_image, read_mask
from crosspatch.images.pictures import agreement, overlay, shrink, to_png_bytes, to_rgb
from crosspatch.metrics import confusion

HERE = Path(__file__).parent
CORNER = re.compile(r"(s\d+)_y(\d+)_x(\d+)")


def main() -> None:
    """Score the three data sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    for name in ("water", "mito", "buildings"):
        parser.add_argument(f"--{name}", type=Path, nargs=2, metavar=("MODEL", "DATASET"))
    wishes = parser.parse_args()
    warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
    rows = []
    if wishes.water:
        rows += water(*wishes.water, wishes.work / "water")
    if wishes.buildings:
        rows += buildings(*wishes.buildings, wishes.work / "buildings")
    if wishes.mito:
        rows += mito(*wishes.mito)
    write_rows(HERE / "whole.csv", rows)


def water(model: Path, data: Path, work: Path) -> Iterator[dict[str, object]]:
    """Put the test tiles of each water scene together."""
    dataset = Dataset.open(data)
    scenes = defaultdict(list)
    for subject in dataset.in_split("test"):
        scene, row, col = CORNER.fullmatch(subject.name).groups()
        scenes[scene].append((subject, int(row), int(col)))
    yield from together(model, dataset, scenes, work, place=None)


def buildings(model: Path, data: Path, work: Path) -> Iterator[dict[str, object]]:
    """Put touching aerial tiles together, where their georeference says, and check the place."""
    dataset = Dataset.open(data, foreground="building")
    groups = defaultdict(list)
    for subject in dataset.in_split("test"):
        groups[subject.group].append(subject)
    group, subjects = max(groups.items(), key=lambda item: len(item[1]))
    places = {one.name: read_image(one.image).georeference for one in subjects}
    a, _, _, _, e, _ = next(iter(places.values())).transform
    west = min(place.transform[2] for place in places.values())
    north = max(place.transform[5] for place in places.values())
    tiles = [
        (one, round((places[one.name].transform[5] - north) / e),
         round((places[one.name].transform[2] - west) / a))
        for one in subjects
    ]  # fmt: skip
    crs = next(iter(places.values())).crs
    place = {"crs": crs, "transform": rasterio.Affine(a, 0, west, 0, e, north)}
    yield from together(model, dataset, {group: tiles}, work, place=place)
    write_rows(HERE / "places.csv", check_places(work, group, tiles))


Tile = tuple[Subject, int, int]


def together(
    model: Path,
    dataset: Dataset,
    scenes: dict[str, list[Tile]],
    work: Path,
    *,
    place: dict[str, object] | None,
) -> Iterator[dict[str, object]]:
    """Draw scenes in one piece and tile by tile; compare both with the masks."""
    cp.evaluate(model, dataset, split="test")  # refuses a model that has seen one of them
    shutil.rmtree(work, ignore_errors=True)
    (work / "scenes").mkdir(parents=True)
    masks = {name: assemble(dataset, name, tiles, work, place) for name, tiles in scenes.items()}
    whole = cp.predict(model, work / "scenes", out=work / "whole", polygons=True)
    files = [subject.image for tiles in scenes.values() for subject, *_ in tiles]
    alone = cp.predict(model, files, out=work / "alone")
    for name, tiles in sorted(scenes.items()):
        drawn = read_mask(whole.mask_path(name))
        single = np.full_like(drawn, 255)
        for subject, row, col in tiles:
            part = read_mask(alone.mask_path(subject.name))
            single[row : row + part.shape[0], col : col + part.shape[1]] = part
        assert np.array_equal(drawn == 255, single == 255)
        known = drawn != 255
        yield {
            "images": f"{work.name} {name}",
            "height": drawn.shape[0],
            "width": drawn.shape[1],
            "tiles": len(tiles),
            "foreground": share((masks[name] == 1)[known]),
            "IoU in one scene": iou(drawn, masks[name]),
            "IoU tile by tile": iou(single, masks[name]),
            "mask changed": share((drawn != single)[known]),
        }
    most = max(scenes, key=lambda name: len(scenes[name]))
    picture(work, most, read_mask(whole.mask_path(most)), masks[most])


def assemble(
    dataset: Dataset, name: str, tiles: list[Tile], work: Path, place: dict[str, object] | None
) -> np.ndarray:
    """Write a scene as a tiled GeoTIFF with a mask of its own; give back its truth."""
    images = [dataset.read_image(subject).pixels for subject, *_ in tiles]
    side = images[0].shape[1]
    height, width = (max(tile[i] for tile in tiles) + side for i in (1, 2))
    truth = np.full((height, width), 255, np.uint8)
    known = np.zeros((height, width), bool)
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            work / f"scenes/{name}.tif", "w", driver="GTiff", height=height, width=width,
            count=len(images[0]), dtype="uint8", tiled=True, blockxsize=256, blockysize=256,
            compress="deflate", photometric="minisblack", **(place or {}),
        ) as file,
    ):  # fmt: skip
        file.descriptions = dataset.channel_names
        for (subject, row, col), pixels in zip(tiles, images, strict=True):
            spot = (slice(row, row + side), slice(col, col + side))
            file.write(pixels, window=((row, row + side), (col, col + side)))
            truth[spot], known[spot] = dataset.read_mask(subject), True
        file.write_mask(known)
    return truth


def check_places(work: Path, name: str, tiles: Sequence[Tile]) -> Iterator[dict[str, object]]:
    """Look up tiles' own places in the map of the mosaic, by rasterio."""
    with rasterio.open(work / f"whole/masks/{name}.tif") as mosaic:
        drawn = mosaic.read(1)
        outlines = json.loads((work / f"whole/polygons/{name}.geojson").read_text("utf-8"))
        shapes = [one["geometry"] for one in outlines["features"]]
        for subject, row, col in tiles:
            with rasterio.open(subject.image) as tile:
                x, y = tile.xy(0, 0)
                at = mosaic.index(x, y)
                burnt = (
                    features.rasterize(shapes, tile.shape, transform=tile.transform)
                    if shapes
                    else np.zeros(tile.shape, np.uint8)
                )
                part = drawn[row : row + tile.height, col : col + tile.width]
                yield {
                    "tile": subject.name,
                    "easting of its first pixel": round(x, 2),
                    "northing": round(y, 2),
                    "row and column in the mosaic": f"{row} {col}",
                    "looked up in the mask": f"{at[0]} {at[1]}",
                    "same reference system": mosaic.crs == tile.crs,
                    "foreground pixels": int((part == 1).sum()),
                    "pixels where polygons and mask differ": int((burnt != (part == 1)).sum()),
                }


def mito(model: Path, data: Path) -> Iterator[dict[str, object]]:
    """Score whole slices of the volume that is kept for testing."""
    dataset = Dataset.open(data)
    scores = cp.evaluate(model, dataset, split="test")
    for row in scores.rows:
        subject = next(one for one in dataset.subjects if one.name == row.subject)
        height, width = dataset.read_mask(subject).shape
        yield {
            "images": f"mitochondria {row.subject}",
            "height": height,
            "width": width,
            "tiles": 1,
            "foreground": share(dataset.read_mask(subject) == 1),
            "IoU in one scene": round(row.iou, 3),
        }


def iou(drawn: np.ndarray, truth: np.ndarray) -> float | str:
    """IoU over a whole scene; nothing where there is no foreground."""
    counts = confusion(drawn == 1, np.where(drawn == 255, 255, truth))
    return round(counts.iou, 3) if (truth == 1).any() else ""


def share(inside: np.ndarray) -> float:
    """Share of what is set, 5 digits."""
    return round(float(inside.mean()), 5)


def picture(work: Path, name: str, drawn: np.ndarray, truth: np.ndarray) -> None:
    """Show a scene: the map, and where it agrees with the mask."""
    image = read_image(work / f"scenes/{name}.tif")
    rgb = to_rgb(image.pixels, image.channel_names)
    both = [overlay(rgb, drawn), agreement(rgb, drawn, np.where(drawn == 255, 255, truth))]
    joined = np.concatenate([shrink(one, 900) for one in both], axis=1)
    write_bytes(HERE / f"{work.name}.png", to_png_bytes(joined, colours=128))


def write_rows(path: Path, rows: Iterable[dict[str, object]]) -> None:
    """Write a CSV."""
    rows = list(rows)
    lines = [list(rows[0]), *([row.get(key, "") for key in rows[0]] for row in rows)]
    write_text(path, "".join(",".join(map(str, line)) + "\n" for line in lines))
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
