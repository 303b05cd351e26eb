"""Seams at 400%: where two windows meet and the map changes most, without a halo and with it.

    python docs/results/scenes/seams.py MODEL DATASET --out NAME.png

The scene is that of halo.py. Each row is a place on a seam: the image with the outline of the map
(halo 32), the probability without a halo, and with it. Seams run where the orange ticks point; the
first places lie on seams of the map without a halo, the others on those of the map with it.
"""

import argparse
from pathlib import Path

import numpy as np
from halo import mosaic
from scipy import ndimage

from crosspatch.dataset import Dataset
from crosspatch.files import write_bytes
from crosspatch.images.pictures import contact_sheet, outline, to_png_bytes, to_rgb
from crosspatch.models.runtime import keep_freed_memory
from crosspatch.models.storage import Model
from crosspatch.prediction.scene import HALO, lay_out, predict_probability

SIDE = 96  # pixels of the scene that a picture shows
ZOOM = 4


def main() -> None:
    """Draw the scene twice, choose places, write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--rows", type=int, default=6)
    parser.add_argument("--places", type=int, default=3, help="on the seams of each map")
    wishes = parser.parse_args()
    keep_freed_memory()
    model = Model.open(wishes.model)
    network = model.load_generator()
    pixels = mosaic(wishes.data, wishes.columns, wishes.rows)
    picture = to_rgb(pixels, Dataset.open(wishes.data).channel_names)
    maps = {halo: predict_probability(model, network, pixels, halo=halo) for halo in (0, HALO)}
    seams = {halo: middle(model, pixels.shape[1:], halo) for halo in maps}
    tiles, captions = [], []
    places = [one for halo in maps for one in busiest(maps[halo], seams[halo], wishes.places)]
    for row, col in places:
        spot = (slice(row, row + SIDE), slice(col, col + SIDE))
        drawn = outline(large(picture[spot]), large(maps[HALO][spot] >= model.facts.threshold))
        tiles += [drawn, *(shown(maps[halo][spot], seams[halo][spot]) for halo in maps)]
        captions += [f"row {row}, column {col}", "without a halo", f"halo of {HALO} pixels"]
    sheet = contact_sheet(tiles, captions, columns=3, cell=SIDE * ZOOM)
    write_bytes(wishes.out, to_png_bytes(sheet, colours=128))


def middle(model: Model, shape: tuple[int, int], halo: int) -> np.ndarray:
    """Seams as lines of two pixels, (H, W) bool: where the weights of two windows are equal."""
    layout = lay_out(model.facts, *shape, halo=halo, multiple=64)
    lines = np.zeros(shape, bool)
    for index in range(1, len(layout.rows)):
        at = layout.rows.cell(index)[0] + layout.rows.shared // 2
        lines[at - 1 : at + 1] = True
    for index in range(1, len(layout.cols)):
        at = layout.cols.cell(index)[0] + layout.cols.shared // 2
        lines[:, at - 1 : at + 1] = True
    return lines


def busiest(probability: np.ndarray, seam: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Corners of pictures around pixels of a seam where the map jumps most across it."""
    steps = sum(np.abs(np.gradient(probability, axis=axis)) for axis in (0, 1))
    busy = ndimage.uniform_filter(np.where(ndimage.binary_dilation(seam), steps, 0), 48)
    busy[~seam] = 0
    edge = SIDE // 2
    busy[:edge] = busy[-edge:] = busy[:, :edge] = busy[:, -edge:] = 0
    places = []
    for _ in range(count):
        row, col = np.unravel_index(busy.argmax(), busy.shape)
        places.append((int(row) - edge, int(col) - edge))
        busy[max(row - SIDE, 0) : row + SIDE, max(col - SIDE, 0) : col + SIDE] = 0
    return places


def large(picture: np.ndarray) -> np.ndarray:
    """Magnify by a whole factor."""
    return picture.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)


def shown(probability: np.ndarray, seam: np.ndarray) -> np.ndarray:
    """Probability as grey, magnified, with ticks at the border where a seam meets it."""
    grey = large(np.rint(probability * 255).astype(np.uint8))[..., np.newaxis].repeat(3, axis=2)
    ticks = large(seam)
    inner = np.zeros_like(ticks)
    inner[5 * ZOOM : -5 * ZOOM, 5 * ZOOM : -5 * ZOOM] = True
    grey[ticks & ~inner] = (230, 159, 0)
    return grey


if __name__ == "__main__":
    main()
