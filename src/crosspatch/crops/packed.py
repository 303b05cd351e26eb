"""A crops folder, opened: memory-mapped crops, where each came from, how to standardise them."""

import csv
import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch.crops.recipes import Recipe
from crosspatch.errors import InputError
from crosspatch.files import PathLike, read_toml
from crosspatch.splits import SPLITS

Column = NDArray[Any]
Numbers = tuple[float, ...]

CROP_COLUMNS: dict[str, type] = {
    "crop": int, "subject": str, "group": str, "split": str,
    "row": int, "col": int, "scale_row": float, "scale_col": float,
}  # fmt: skip
"""Columns of crops.csv. Pixel (r, c) of a crop lies at row (row + r + 0.5) / scale_row of its
image, measured in the image's own pixels from the upper edge; columns alike."""

SUBJECT_COLUMNS: dict[str, type] = {
    "subject": str, "group": str, "split": str, "height": int, "width": int,
    "crops": int, "content": str,
}  # fmt: skip
"""Columns of subjects.csv: height and width in the image's own pixels, how many crops it gave, the
fingerprint of its decoded pixels."""

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64")
"""Pixel types of a pack, and of the images that a model has learned from."""


@dataclass(frozen=True)
class Skipped:
    """A labelled subject that was left out, and why."""

    subject: str
    why: str


@dataclass(frozen=True, eq=False)
class Crops:
    """A pack of crops; accepted wherever a path is.

    Attributes
    ----------
    path : the folder
    recipe : what was done to each image, and the versions that training may make
    images : (N, C, S, S) memory map, dtype of the source images
    masks : (N, S, S) uint8 memory map: 0 background, 1 foreground, 255 ignored or padding
    table : columns of crops.csv, each (N,)
    subjects : columns of subjects.csv, each one entry a packed subject
    channel_names : C names; "band 1", "band 2", ... where nobody named them
    statistics : (mean, std), C numbers each, of the training subjects' resized pixels. A constant
        channel has std 1
    fingerprint : of the data sets and the recipe: same fingerprint, same pack
    foreground : what the masks call 1
    skipped : labelled subjects that could not be used
    unlabelled, unplaced : how many subjects had no mask; had a mask but no split
    problems : files and rows of the data sets that belong to no subject, so that nobody used them
    said : what was assumed about the data sets
    sources : name, fingerprint and, where known, licence and origin of each data set
    """

    path: Path
    recipe: Recipe
    images: NDArray[Any]
    masks: NDArray[np.uint8]
    table: dict[str, Column]
    subjects: dict[str, Column]
    channel_names: tuple[str, ...]
    statistics: tuple[Numbers, Numbers]
    fingerprint: str
    foreground: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    unlabelled: int
    unplaced: int
    problems: tuple[str, ...]
    said: tuple[str, ...]
    sources: tuple[dict[str, str], ...]

    @classmethod
    def open(cls, path: PathLike) -> "Crops":
        """Open a crops folder without reading its crops.

        Raises
        ------
        InputError
            The folder is no crops folder, is incomplete, or its files do not agree.
        """
        folder = Path(path)
        if not (folder / "crops.toml").is_file():
            raise InputError(f"{folder}: is not a crops folder (made by 'crosspatch prepare')")
        table = read_toml(folder / "crops.toml")
        try:
            return cls(path=folder, **_read_parts(folder, table))
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise _damaged(folder / "crops.toml", repr(error)) from None

    def __fspath__(self) -> str:
        return str(self.path)

    def __len__(self) -> int:
        """Return N, the number of crops."""
        return len(self.masks)

    @cached_property
    def contents(self) -> dict[str, str]:
        """Fingerprint of the decoded pixels of each packed subject, by its name."""
        subjects, contents = self.subjects["subject"].tolist(), self.subjects["content"].tolist()
        return dict(zip(subjects, contents, strict=True))

    def in_split(self, split: str) -> NDArray[np.int64]:
        """Return the rows, (n,) int64, of one split's crops ("train", "val" or "test")."""
        return np.flatnonzero(self.table["split"] == split)

    def samples(self, split: str) -> int:
        """Return how many samples a split gives: its crops times the recipe's versions."""
        versions = self.recipe.versions(training=split == "train")
        return len(self.in_split(split)) * len(versions)


def _read_parts(folder: Path, table: dict[str, Any]) -> dict[str, Any]:
    toml = folder / "crops.toml"
    recipe = Recipe.from_table(table["recipe"], str(toml))
    columns = _read_table(folder / "crops.csv", CROP_COLUMNS, table["tables"]["crops"])
    subjects = _read_table(folder / "subjects.csv", SUBJECT_COLUMNS, table["tables"]["subjects"])
    names = tuple(map(str, table["channels"]))
    statistics = table["statistics"]
    mean, std = tuple(map(float, statistics["mean"])), tuple(map(float, statistics["std"]))
    if not len(names) == len(mean) == len(std) > 0:
        raise _damaged(toml, "channels, mean and std differ in length")
    if not all(map(math.isfinite, mean)) or not all(0 < value < math.inf for value in std):
        raise _damaged(toml, "mean or std is no number to standardise with")
    if table["dtype"] not in DTYPES:
        raise _damaged(toml, f"the dtype {table['dtype']!r} is none of ours")
    count, size = len(columns["crop"]), recipe.size
    if columns["crop"].tolist() != list(range(count)) or count != subjects["crops"].sum():
        raise _damaged(folder / "crops.csv", "crops are missing or not in order")
    if not set(columns["split"]) <= set(SPLITS):
        raise _damaged(folder / "crops.csv", "it holds an unknown split")
    return {
        "recipe": recipe,
        "images": _map(folder / "images.npy", (count, len(names), size, size), table["dtype"]),
        "masks": _map(folder / "masks.npy", (count, size, size), "uint8"),
        "table": columns,
        "subjects": subjects,
        "channel_names": names,
        "statistics": (mean, std),
        "fingerprint": str(table["fingerprint"]),
        "foreground": tuple(map(str, table["foreground"])),
        "skipped": tuple(
            Skipped(str(one["subject"]), str(one["why"])) for one in table.get("skipped", [])
        ),
        "unlabelled": int(table["unlabelled"]),
        "unplaced": int(table["unplaced"]),
        "problems": tuple(map(str, table.get("problems", []))),
        "said": tuple(map(str, table.get("said", []))),
        "sources": tuple(
            {str(key): str(value) for key, value in one.items()} for one in table["datasets"]
        ),
    }


def _read_table(path: Path, columns: dict[str, type], digest: str) -> dict[str, Column]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _damaged(path, error.strerror or "it cannot be read") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise _damaged(path, "it was changed after it was written")
    rows: Sequence[Sequence[str]] = list(csv.reader(io.StringIO(data.decode(), newline="")))
    if not rows or tuple(rows[0]) != tuple(columns):
        raise _damaged(path, f"its columns are not {', '.join(columns)}")
    cells = list(zip(*rows[1:], strict=True)) or [()] * len(columns)
    return {
        name: np.array(cell, dtype=object if kind is str else None).astype(kind)
        for (name, kind), cell in zip(columns.items(), cells, strict=True)
    }


def _map(path: Path, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Map an .npy file read-only; nothing in it is executed, and it must be what it should be."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, OverflowError, EOFError, SyntaxError) as error:
        raise _damaged(path, str(error)) from None
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype.name != dtype:
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "an archive"
        raise _damaged(path, f"it holds {found} instead of {dtype} {shape}")
    return array


def _damaged(path: Path, why: str) -> InputError:
    return InputError(
        f"{path}: this crops folder is incomplete or was changed ({why}): "
        "make it again with 'crosspatch prepare ... --overwrite'"
    )
