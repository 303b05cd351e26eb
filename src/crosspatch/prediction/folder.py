"""The predictions folder: ``masks/``, ``overlays/``, on request ``probabilities/``, and tables."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch import images
from crosspatch.errors import InputError
from crosspatch.files import PathLike, inside, read_toml, write_bytes, write_text
from crosspatch.images import pictures
from crosspatch.images.resize import resize_image, resize_mask
from crosspatch.prediction.inputs import Input
from crosspatch.prediction.scene import IGNORED

LARGEST_OVERLAY = 2048
"""Pixels of an overlay's longer side: it is a picture to look at, the mask is the result."""

COLUMNS = {
    "name": "of the files in masks/, overlays/ and probabilities/, without suffix",
    "file": "the image that was predicted",
    "height": "of image and mask, pixels",
    "width": "of image and mask, pixels",
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


def write_prediction(
    folder: Path,
    given: Input,
    probability: NDArray[np.float32],
    mask: NDArray[np.uint8],
    picture: NDArray[np.uint8],
    *,
    place: images.Georeference | None = None,
    with_probability: bool = False,
) -> Predicted:
    """Write one image's files into a predictions folder.

    Mask and probability of a georeferenced image are GeoTIFFs in the same place; else the mask is
    a PNG.

    Parameters
    ----------
    folder : Path
    given : Input
        Its name and file.
    probability : (H, W) float32
        nan where there is no data.
    mask : (H, W) uint8
        0, 1, 255.
    picture : (h, w, 3) uint8
        The overlay, of any size; see `draw_overlay`.
    place : Georeference, optional
        Of the image.
    with_probability : bool
        Also write ``probabilities/NAME.tif``.
    """
    path = f"masks/{given.name}{'.tif' if place else '.png'}"
    images.write_mask(
        folder / path, mask, georeference=replace(place, nodata=IGNORED) if place else None
    )
    write_bytes(folder / f"overlays/{given.name}.png", pictures.to_png_bytes(picture))
    if with_probability:
        images.write_image(
            folder / f"probabilities/{given.name}.tif",
            probability[np.newaxis],
            georeference=replace(place, nodata=float("nan")) if place else None,
            channel_names=("probability",),
        )
    known = mask != IGNORED
    counted = int(np.count_nonzero(known))
    return Predicted(
        name=given.name,
        file=str(given.path),
        height=mask.shape[0],
        width=mask.shape[1],
        foreground=np.count_nonzero(mask == 1) / counted if counted else None,
        mean_probability=float(probability[known].mean(dtype=np.float64)) if counted else None,
        no_data=1 - counted / mask.size,
        mask=path,
    )


def draw_overlay(
    pixels: NDArray[Any], channel_names: Sequence[str] | None, mask: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Draw a mask (H, W) over its image (C, H, W), at most `LARGEST_OVERLAY` pixels a side."""
    shrink = LARGEST_OVERLAY / max(mask.shape)
    if shrink < 1:
        size = (max(1, round(mask.shape[0] * shrink)), max(1, round(mask.shape[1] * shrink)))
        pixels, mask = resize_image(pixels, size), resize_mask(mask, size)
    return pictures.overlay(pictures.to_rgb(pixels, channel_names), mask)


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
