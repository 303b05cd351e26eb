"""Small data set folders for tests, written by other code than the program's own."""

import csv
from pathlib import Path

import numpy as np
import tifffile
import tomlkit
from PIL import Image


def save(path: Path, array: np.ndarray) -> None:
    """Write (H, W), or (C, H, W), by the suffix: PNG by Pillow, TIFF (planar) by tifffile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".png":
        if array.ndim == 3:
            array = array[0] if len(array) == 1 else array.transpose(1, 2, 0)
        Image.fromarray(np.ascontiguousarray(array)).save(path)
    else:
        planar = "separate" if array.ndim == 3 and len(array) > 1 else None
        tifffile.imwrite(path, array, photometric="minisblack", planarconfig=planar)


def noise(seed: int, shape=(3, 20, 24), dtype=np.uint8) -> np.ndarray:
    """Random pixels; each seed gives another content."""
    return np.random.default_rng(seed).integers(0, 250, shape).astype(dtype)


def half(height=20, width=24, value=1) -> np.ndarray:
    """A mask whose upper half is ``value``."""
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[: height // 2] = value
    return mask


def write_splits(folder: Path, rows, columns=("name", "split", "group")) -> None:
    with (folder / "splits.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def write_toml(folder: Path, **table) -> None:
    (folder / "dataset.toml").write_text(tomlkit.dumps({"format": 1} | table), encoding="utf-8")


def make(folder: Path, names="abcdef", *, splits=True, value=1, **toml) -> Path:
    """Write a sound data set: one group a subject, the last third for testing."""
    for number, name in enumerate(names):
        save(folder / f"images/{name}.png", noise(number))
        save(folder / f"masks/{name}.png", half(value=value))
    if splits:
        trained = len(names) - len(names) // 3
        write_splits(
            folder,
            [(n, "train" if i < trained else "test", f"g{n}") for i, n in enumerate(names)],
        )
    if toml:
        write_toml(folder, **toml)
    return folder
