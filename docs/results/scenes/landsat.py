"""A scene of Landsat's size, made of real tiles: from end to end, with its memory.

    python docs/results/scenes/landsat.py --model MODEL --data DATASET --work DIR

7,300 x 8,300 pixels of 4 bands: tiles of a data set in random order, turned and mirrored, inside
the slanting frame that Landsat's scenes have. (Most of them are training tiles: nothing is scored
here.) ``crosspatch predict`` runs in a process of its own, whose memory is read ten times a second
from /proc; so this needs Linux. A second scene of a quarter of the pixels shows whether memory
grows with the scene. Writes landsat.csv, landsat-memory.csv, landsat-memory.svg and landsat.png
beside this file.
"""

import argparse
import csv
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio

from crosspatch.dataset import Dataset
from crosspatch.files import write_bytes, write_text
from crosspatch.images.pictures import shrink, to_png_bytes
from crosspatch.reports.figures import open_axes, to_svg

HERE = Path(__file__).parent
RUNS = ((3650, 4150, True), (7300, 8300, False), (7300, 8300, True))  # with polygons?
SLANT = 0.12  # share of a side that the frame leans
MAIN = "from crosspatch.cli import main; raise SystemExit(main())"


def main() -> None:
    """Make the scenes, map them, check and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    wishes = parser.parse_args()
    shutil.rmtree(wishes.work, ignore_errors=True)
    wishes.work.mkdir(parents=True)
    rows, curves = [], {}
    for height, width, polygons in RUNS:
        scene, out = wishes.work / f"{height}.tif", wishes.work / f"maps-{height}-{polygons:d}"
        frame = write_scene(scene, wishes.data, height, width)
        more = ["--polygons", "--smallest-area", "9000"] if polygons else []
        seconds, curve = watched(["predict", wishes.model, scene, "--out", out, *more])
        curves[f"{height} x {width}" + ", polygons" * polygons] = curve
        rows.append(
            {
                "pixels": f"{height} x {width}",
                "polygons": "yes" if polygons else "no",
                "seconds": round(seconds, 1),
                "Mpx/s": round(height * width / 1e6 / seconds, 2),
                "peak memory MB": round(max(memory for _, memory in curve)),
                **check(scene, out / f"masks/{height}.tif", frame),
                "mask MB": size(out / f"masks/{height}.tif"),
                "polygons MB": size(out / f"polygons/{height}.geojson") if polygons else "",
            }
        )
    write_csv(HERE / "landsat.csv", [list(rows[0]), *(list(row.values()) for row in rows)])
    points = [[name, *point] for name, curve in curves.items() for point in thinned(curve)]
    write_csv(HERE / "landsat-memory.csv", [["run", "seconds", "MB"], *points])
    write_text(HERE / "landsat-memory.svg", draw(curves))
    with rasterio.open(out / f"overlays/{height}.png") as file:
        picture = np.moveaxis(file.read(), 0, -1)
    write_bytes(HERE / "landsat.png", to_png_bytes(shrink(picture, 1000), colours=128))


def write_scene(path: Path, data: Path, height: int, width: int) -> np.ndarray:
    """Write the scene strip by strip; give back where it holds data."""
    dataset, chance = Dataset.open(data), np.random.default_rng(0)
    images = [dataset.read_image(one).pixels for one in dataset.labelled]
    bands, side, _ = images[0].shape
    frame = np.zeros((height, width), bool)
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=bands, dtype="uint8",
        crs="EPSG:32643", transform=rasterio.Affine(30, 0, 300_000, 0, -30, 2_200_000), nodata=0,
        tiled=True, blockxsize=256, blockysize=256, compress="deflate", photometric="minisblack",
    ) as file:  # fmt: skip
        file.descriptions = dataset.channel_names
        for row in range(0, height, side):
            tiles = [
                np.rot90(images[chance.integers(len(images))], chance.integers(4), (1, 2))
                for _ in range(0, width, side)
            ]
            strip = np.concatenate(tiles, axis=2)[:, : height - row, :width].clip(1)
            rows = np.arange(row, row + strip.shape[1])
            inside = framed(rows[:, None] / height, np.arange(width)[None, :] / width)
            frame[rows] = inside
            file.write(strip * inside, window=((row, row + len(rows)), (0, width)))
    return frame


def framed(down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Inside of a frame that leans, sides from 0 to 1."""
    left, top = SLANT * (1 - down), SLANT * across
    return (across >= left) & (across < left + 1 - SLANT) & (down >= top) & (down < top + 1 - SLANT)


def watched(words: Sequence[object]) -> tuple[float, list[tuple[float, float]]]:
    """Run a command; seconds, and its memory over time in MB."""
    start, curve = time.perf_counter(), []
    process = subprocess.Popen([sys.executable, "-c", MAIN, *map(str, words), "--quiet"])
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        except OSError:
            break  # it has ended meanwhile
        used = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
        if used:
            curve.append((time.perf_counter() - start, int(used[0]) / 1024))
        time.sleep(0.1)
    if process.wait():
        raise SystemExit(f"predict ended with {process.returncode}")
    return time.perf_counter() - start, curve


def check(scene: Path, mask: Path, frame: np.ndarray) -> dict[str, object]:
    """Look the map up by rasterio."""
    with rasterio.open(scene) as given, rasterio.open(mask) as drawn:
        values = drawn.read(1)
        return {
            "in the same place": (given.crs, given.transform) == (drawn.crs, drawn.transform),
            "no data as in the scene": bool(np.array_equal(values == 255, ~frame)),
            "foreground": round(float((values[frame] == 1).mean()), 4),
            "overviews": " ".join(map(str, drawn.overviews(1))),
        }


def size(path: Path) -> float:
    """Megabytes of a file."""
    return round(path.stat().st_size / 1e6, 1)


def thinned(curve: list[tuple[float, float]]) -> list[list[float]]:
    """About 150 points of a curve, with its peak."""
    step = max(1, len(curve) // 150)
    peak = max(range(len(curve)), key=lambda index: curve[index][1])
    kept = sorted({*range(0, len(curve), step), peak})
    return [[round(curve[one][0], 1), round(curve[one][1])] for one in kept]


def draw(curves: dict[str, list[tuple[float, float]]]) -> str:
    """Draw memory over time."""
    figure, axes = open_axes(6.4, 3.2)
    for name, curve in curves.items():
        axes.plot(*zip(*curve, strict=True), label=name, linewidth=1)
    axes.set_xlabel("seconds")
    axes.set_ylabel("memory, MB")
    axes.set_ylim(0)
    axes.legend(frameon=False)
    return to_svg(figure)


def write_csv(path: Path, rows: Sequence[Sequence[object]]) -> None:
    """Write a table and print it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    print("\n".join(path.read_text(encoding="utf-8").splitlines()[:5]))


if __name__ == "__main__":
    main()
