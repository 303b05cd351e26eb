"""What a push is made of, small: a predictions folder, its images, and a queue."""

import csv

import numpy as np

from crosspatch import images
from crosspatch.files import write_bytes, write_toml
from crosspatch.images import pictures
from crosspatch.prediction.folder import Predicted, write_tables


def make_predictions(folder, names, size=(24, 32)):
    """Predictions of images that stand beside the folder; a square in each, at another place."""
    rows = []
    (folder.parent / "images").mkdir(parents=True)
    for number, name in enumerate(names):
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 255, (4, *size)).astype(np.uint8)  # four bands: no browser's
        path = folder.parent / "images" / f"{name}.tif"
        images.write_image(path, pixels)
        mask = np.zeros(size, np.uint8)
        mask[4:14, 3 + number % 8 : 15 + number % 8] = 1
        images.write_mask(folder / f"masks/{name}.png", mask)
        overlay = pictures.overlay(pictures.to_rgb(pixels), mask)
        write_bytes(folder / f"overlays/{name}.png", pictures.to_png_bytes(overlay))
        rows.append(Predicted(name, str(path), *size, 1, 0.2, 0.2, 0.0, f"masks/{name}.png"))
    write_tables(folder, rows, [])
    write_toml(folder / "predictions.toml", {"model": "m", "images": len(names)}, says="Masks.")
    return folder


def make_queue(path, decisions):
    """A queue of (name, decision), in the order given."""
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("name", "rank", "priority", "decision", "reason"))
        for rank, (name, decision) in enumerate(decisions, 1):
            table.writerow((name, rank, rank * 10, decision, "the model is unsure"))
    return path
