"""How much context a window needs: the same scene by two grids, half a window apart.

Where the halo is too thin, a pixel's answer depends on where the windows happen to lie. A scene is
laid out of real images, touching each other; its map is drawn from its first pixel on, and again
from half a window further; compared is what the two masks share.

    python docs/results/scenes/halo.py MODEL DATASET --out halo.csv
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from crosspatch.dataset import Dataset
from crosspatch.models.runtime import keep_freed_memory
from crosspatch.models.storage import Model
from crosspatch.prediction.scene import lay_out, predict_probability

NEAR = 16  # pixels to each side of a seam


def mosaic(data: Path, columns: int, rows: int) -> np.ndarray:
    """Lay images of one size side by side, (C, H, W)."""
    dataset = Dataset.open(data)
    subjects = (*dataset.labelled, *dataset.unlabelled)[: columns * rows]
    tiles = [dataset.read_image(subject).pixels for subject in subjects]
    bands = [np.concatenate(tiles[r * columns : (r + 1) * columns], axis=2) for r in range(rows)]
    return np.concatenate(bands, axis=1)


def near_seams(model: Model, shape: tuple[int, int], halo: int, window: int) -> np.ndarray:
    """Pixels near an inner border of cells, (H, W) bool."""
    layout = lay_out(model.facts, *shape, window=window, halo=halo, multiple=64)
    near = np.zeros(shape, bool)
    for axis, side in ((0, layout.rows), (1, layout.cols)):
        overlap = side.shared // 2
        for index in range(1, len(side)):
            seam = side.cell(index)[0] + overlap  # the middle of what two windows share
            span = slice(max(0, seam - NEAR), seam + NEAR)
            near[(span, slice(None)) if axis == 0 else (slice(None), span)] = True
    return near


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--rows", type=int, default=6)
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--halos", type=int, nargs="+", default=[0, 16, 32, 48, 64, 96])
    wishes = parser.parse_args()
    keep_freed_memory()
    model = Model.open(wishes.model)
    network = model.load_generator()
    pixels = mosaic(wishes.data, wishes.columns, wishes.rows)
    scale = pixels.shape[1] / model.facts.resize.shape(*pixels.shape[1:])[0]
    shift = round(wishes.window * scale) // 2
    rows = []
    for halo in wishes.halos:
        settings = {"window": wishes.window, "halo": halo}
        whole = predict_probability(model, network, pixels, **settings)[shift:, shift:]
        moved = predict_probability(model, network, pixels[:, shift:, shift:], **settings)
        near = near_seams(model, pixels.shape[1:], halo, wishes.window)[shift:, shift:]
        near |= near_seams(model, moved.shape, halo, wishes.window)
        # The moved scene's own outer border is no seam: what lies beyond it is unknown to it.
        inner = (slice(shift, None), slice(shift, None))
        changed = ((whole >= model.facts.threshold) != (moved >= model.facts.threshold))[inner]
        rows.append(
            {
                "halo": halo,
                "changed %": round(100 * changed.mean(), 4),
                "changed within 16 pixels of a seam %": round(100 * changed[near[inner]].mean(), 4),
                "largest difference of probability": round(
                    float(np.abs(whole - moved)[inner].max()), 3
                ),
            }
        )
        print(rows[-1], flush=True)
    with wishes.out.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
