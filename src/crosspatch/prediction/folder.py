"""The predictions folder: ``masks/``, ``overlays/``, on request ``probabilities/``, and tables."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from crosspatch.errors import InputError
from crosspatch.files import PathLike, inside, read_toml, to_json, write_text

COLUMNS = {
    "name": "of the files in masks/, overlays/ and probabilities/, without suffix",
    "file": "the image that was predicted",
    "height": "of image and mask, pixels",
    "width": "of image and mask, pixels",
    "planes": "slices or frames of a stack; 1 for a picture",
    "foreground": "share of the pixels with data that the mask calls foreground, [0, 1]",
    "mean_probability": "of foreground, over the pixels with data, [0, 1]",
    "no_data": "share of the pixels without data (255 in the mask), [0, 1]",
    "mask": "path of the mask inside this folder",
    "note": "what had to be assumed about the image, if anything",
}
"""Columns of ``predictions.csv``, in order. Empty cells: an image of nothing but no-data."""

SKIPPED_COLUMNS = {"file": "an image that was not predicted", "problem": "why not"}
"""Columns of ``skipped.csv``, which is there where an image was skipped."""


@dataclass(frozen=True)
class Predicted:
    """A row of ``predictions.csv``; see `COLUMNS`."""

    name: str
    file: str
    height: int
    width: int
    planes: int
    foreground: float | None
    mean_probability: float | None
    no_data: float
    mask: str
    note: str = ""


@dataclass(frozen=True)
class Predictions:
    """A predictions folder, accepted wherever a path is."""

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    @classmethod
    def open(cls, path: PathLike) -> "Predictions":
        """Open a predictions folder.

        Raises
        ------
        InputError
            It is none.
        """
        folder = Path(path)
        if not (folder / "predictions.toml").is_file():
            raise InputError(f"{folder}: is not a predictions folder (it has no predictions.toml)")
        return cls(folder)

    @cached_property
    def table(self) -> dict[str, Any]:
        """What ``predictions.toml`` says: model, settings, numbers of images."""
        return read_toml(self.path / "predictions.toml")

    @cached_property
    def rows(self) -> list[dict[str, str]]:
        """Rows of ``predictions.csv``, one a predicted image."""
        return _read_csv(self.path / "predictions.csv")

    @property
    def count(self) -> int:
        """How many images were predicted."""
        return len(self.rows)

    @cached_property
    def skipped(self) -> list[tuple[str, str]]:
        """Images that were not predicted, and why not."""
        path = self.path / "skipped.csv"
        rows = _read_csv(path) if path.exists() else []
        return [(row["file"], row["problem"]) for row in rows]

    @cached_property
    def said(self) -> list[str]:
        """What had to be assumed, a sentence each, with the number of images."""
        notes = Counter(row["note"] for row in self.rows if row["note"])
        return [f"{count} image{'s' * (count > 1)}: each {note}" for note, count in notes.items()]

    def mask_path(self, name: str) -> Path:
        """Path of the mask of an image, by its name in ``predictions.csv``."""
        for row in self.rows:
            if row["name"] == name:
                return inside(self.path, row["mask"])
        raise InputError(f"{self.path}: holds no prediction called {name!r}")


def _read_csv(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


class Journal:
    """Images that are done with, a line each, so that a stopped run does not do them again.

    path : of the file, which is removed when the folder is whole
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done: dict[str, Predicted | str] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                entry = json.loads(line)
                problem, row = entry.get("problem"), entry.get("row")
                self._done[entry["file"]] = Predicted(**row) if problem is None else problem
            except (ValueError, KeyError, TypeError):
                break  # the program was stopped while it wrote this line

    def __len__(self) -> int:
        return len(self._done)

    def get(self, file: Path) -> Predicted | str | None:
        """Row of an image, or why it was skipped; None where it is still to be done."""
        return self._done.get(str(file))

    def add(self, file: Path, result: Predicted | str) -> None:
        """Note an image."""
        what = {"problem": result} if isinstance(result, str) else {"row": asdict(result)}
        with self._path.open("a", encoding="utf-8") as journal:
            journal.write(to_json({"file": str(file), **what}) + "\n")


def write_tables(
    folder: Path, rows: Sequence[Predicted], skipped: Sequence[tuple[Path, str]]
) -> None:
    """Write ``predictions.csv`` and, where something was skipped, ``skipped.csv``."""
    names = [field.name for field in fields(Predicted)]
    cells = [[_cell(asdict(row)[name]) for name in names] for row in rows]
    write_text(folder / "predictions.csv", _csv(COLUMNS, cells))
    if skipped:
        write_text(
            folder / "skipped.csv",
            _csv(SKIPPED_COLUMNS, [[str(path), problem] for path, problem in skipped]),
        )


def _csv(columns: dict[str, str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerows([list(columns), *rows])
    return text.getvalue()


def _cell(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value
