"""The files of a crops folder, written front to back: no crop is held once it is on the disk."""

import csv
import hashlib
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from crosspatch.crops.packed import CROP_COLUMNS, SUBJECT_COLUMNS, Skipped
from crosspatch.crops.planning import Plan
from crosspatch.crops.recipes import Recipe
from crosspatch.dataset import IGNORED, Dataset
from crosspatch.files import write_bytes, write_toml
from crosspatch.splits import SPLITS, Listed

SAYS = "Crops packed by crosspatch prepare."
"""The first line of crops.toml."""


@dataclass(frozen=True)
class Cut:
    """A subject decoded and resized, ready to be cut.

    Attributes
    ----------
    pixels, mask : (C, H, W) in the dtype of the pack, (H, W) uint8 of 0, 1, 255
    valid : (H, W) bool, where the source holds data; statistics count nothing else
    shape : (height, width) of the source
    content : fingerprint of the source's decoded pixels
    """

    pixels: NDArray[Any]
    mask: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    shape: tuple[int, int]
    content: str


class ArrayFile:
    """An .npy file that grows along its first axis and learns its length at the end."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._shape, self._dtype, self._count = shape, dtype, 0
        self._file = path.open("wb")
        self._write_header()
        self._start = self._file.tell()

    def append(self, array: NDArray[Any]) -> None:
        """Write one array of the shape and dtype that the file was made for."""
        self._file.write(np.ascontiguousarray(array, dtype=self._dtype).data)
        self._count += 1

    def close(self) -> None:
        """Write the length into the header (numpy leaves room there) and sync."""
        self._file.seek(0)
        self._write_header()
        assert self._file.tell() == self._start
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Close without finishing."""
        self._file.close()

    def _write_header(self) -> None:
        header = {
            "descr": npy.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._count, *self._shape),
        }
        npy.write_array_header_1_0(self._file, header)


class Moments:
    """Mean and standard deviation of each channel, merged subject by subject in float64.

    Chan, Golub, LeVeque 1979: exact in any order but for rounding, and no large sums of squares.
    """

    def __init__(self, channels: int) -> None:
        self._count = 0
        self._mean = np.zeros(channels)
        self._squares = np.zeros(channels)  # sums of squared differences from the mean

    def add(self, pixels: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> None:
        """Add all pixels of (C, H, W), or those where ``valid``, (H, W), holds."""
        if valid is not None and valid.all():
            valid = None
        count = pixels[0].size if valid is None else int(np.count_nonzero(valid))
        if count == 0:
            return
        for channel, plane in enumerate(pixels):  # one plane at a time: float64 takes room
            values = (plane if valid is None else plane[valid]).astype(np.float64)
            mean = values.mean()
            values -= mean
            squares = np.square(values, out=values).sum()
            apart = mean - self._mean[channel]
            total = self._count + count
            self._mean[channel] += apart * count / total
            self._squares[channel] += squares + apart**2 * self._count * count / total
        self._count += count

    def result(self) -> tuple[list[float], list[float]]:
        """Return mean and standard deviation of each channel; 1 where a channel is constant."""
        deviation = np.sqrt(self._squares / max(1, self._count))
        constant = deviation <= 1e-12 * np.maximum(1.0, np.abs(self._mean))
        return self._mean.tolist(), np.where(constant, 1.0, deviation).tolist()


class PackWriter:
    """Writes images.npy, masks.npy, then the tables and crops.toml."""

    def __init__(self, folder: Path, recipe: Recipe, kind: tuple[int, np.dtype[Any]]) -> None:
        channels, dtype = kind
        self._folder, self._recipe, self._dtype = folder, recipe, dtype
        side = (recipe.size, recipe.size)
        self._images = ArrayFile(folder / "images.npy", (channels, *side), dtype)
        self._masks = ArrayFile(folder / "masks.npy", side, np.dtype(np.uint8))
        self._moments = Moments(channels)
        self._crops: list[tuple[object, ...]] = []
        self._subjects: list[tuple[Any, ...]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._images.abandon()
        self._masks.abandon()

    def add(self, name: str, group: str, split: str, cut: Cut) -> None:
        """Cut a subject into crops and write them."""
        if split == "train":
            self._moments.add(cut.pixels, cut.valid)
        size = self._recipe.size
        height, width = cut.mask.shape
        scale = (height / cut.shape[0], width / cut.shape[1])
        origins = self._recipe.origins(height, width)
        pixels, mask = pad(cut.pixels, cut.mask, size)
        for row, col in origins:
            place = (slice(row, row + size), slice(col, col + size))
            self._images.append(pixels[:, *place])
            self._masks.append(mask[place])
            self._crops.append((len(self._crops), name, group, split, row, col, *scale))
        self._subjects.append((name, group, split, *cut.shape, len(origins), cut.content))

    def listed(self) -> dict[str, list[Listed]]:
        """Return (name, group, content) of what was written, by split, to look for leaks."""
        return {
            split: [(s[0], s[1], s[6]) for s in self._subjects if s[2] == split] for split in SPLITS
        }

    def finish(self, plan: Plan, channels: Sequence[str], skipped: Sequence[Skipped]) -> None:
        """Close the arrays and write the tables; crops.toml last, it vouches for the rest."""
        self._images.close()
        self._masks.close()
        mean, std = self._moments.result()
        crops = write_table(self._folder / "crops.csv", CROP_COLUMNS, self._crops)
        subjects = write_table(self._folder / "subjects.csv", SUBJECT_COLUMNS, self._subjects)
        table = {
            "recipe": self._recipe.as_table(),
            "channels": list(channels),
            "dtype": self._dtype.name,
            "foreground": list(plan.foreground),
            "statistics": {"mean": mean, "std": std},
            "fingerprint": plan.fingerprint,
            "tables": {"crops": crops, "subjects": subjects},
            "unlabelled": sum(len(dataset.unlabelled) for dataset in plan.datasets),
            "unplaced": plan.unplaced,
            **told(plan),
            "skipped": [{"subject": one.subject, "why": one.why} for one in skipped],
        }
        write_toml(self._folder / "crops.toml", table, says=SAYS)


def pad(
    pixels: NDArray[Any], mask: NDArray[np.uint8], size: int
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Make both sides at least ``size``: the image by reflection below and right, the mask by 255.

    Parameters
    ----------
    pixels, mask : (C, H, W) and (H, W)

    Returns
    -------
    (C, max(H, size), max(W, size)) and (max(H, size), max(W, size))
    """
    below, right = (max(0, size - side) for side in mask.shape)
    if not (below or right):
        return pixels, mask
    return (
        np.pad(pixels, ((0, 0), (0, below), (0, right)), mode="reflect"),
        np.pad(mask, ((0, below), (0, right)), constant_values=IGNORED),
    )


def write_table(path: Path, columns: Iterable[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a CSV table and return the SHA-256 of its bytes."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(rows)
    data = text.getvalue().encode()
    write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


def told(plan: Plan) -> dict[str, Any]:
    """Return the part of crops.toml that no crop depends on: what the data sets say, and lack."""
    return {
        "said": [f"{dataset.name}: {said}" for dataset in plan.datasets for said in dataset.said],
        "problems": plan.problems or None,  # None is not written
        "datasets": list(map(_source, plan.datasets, plan.fingerprints)),
    }


def _source(dataset: Dataset, fingerprint: str) -> dict[str, str]:
    source = {"name": dataset.name, "fingerprint": fingerprint}
    told = {"licence": dataset.licence, "origin": dataset.origin}
    return source | {key: value for key, value in told.items() if value}
