"""Reads what the results are made from: outlines by the public, expert kelp maps."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crosspatch.volunteers.rasterize import fill

SHAPE = (363, 399)  # the 30 m Landsat grid of a subject
FRAME = (484, 532)  # the picture that volunteers saw
NO_DATA = -998  # in the experts' biomass maps
_PIXELS_PER_POINT = np.array([SHAPE[0] / FRAME[0], SHAPE[1] / FRAME[1]])

csv.field_size_limit(2**24)


@dataclass(frozen=True)
class Subject:
    """One subject of 1999-07-23, scene 043035.

    Attributes
    ----------
    name : as in the files
    volunteers : who drew; people who drew nothing were not recorded
    outlines : one list of (N, 2) row, col outlines a volunteer, in pixels of the grid
    filled : (V, H, W) bool
    expert : (H, W) uint8 of 0, 1, 255 (the experts have no data), or None
    """

    name: str
    volunteers: tuple[str, ...]
    outlines: tuple[list[NDArray[np.float64]], ...]
    filled: NDArray[np.bool_]
    expert: NDArray[np.uint8] | None


def read(folder: Path) -> list[Subject]:
    """Read all subjects, in the order of names."""
    drawn: dict[str, dict[str, list[NDArray[np.float64]]]] = {}
    with (folder / "legacy_polygons.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            xy = np.array(json.loads(row["points_px"]), np.float64)
            marks = drawn.setdefault(row["subject_id"], {}).setdefault(row["volunteer"], [])
            marks.append(xy[:, ::-1] * _PIXELS_PER_POINT)
    return [_subject(folder, name, drawn[name]) for name in sorted(drawn)]


def _subject(folder: Path, name: str, drawn: dict[str, list[NDArray[np.float64]]]) -> Subject:
    volunteers = tuple(sorted(drawn))
    outlines = tuple(drawn[one] for one in volunteers)
    filled = np.stack([fill(marks, SHAPE) for marks in outlines])
    return Subject(name, volunteers, outlines, filled, _expert(folder / "expert_masks", name))


def _expert(folder: Path, name: str) -> NDArray[np.uint8] | None:
    if not (folder / f"{name}_kelp.png").exists():
        return None
    kelp = np.asarray(Image.open(folder / f"{name}_kelp.png"))
    biomass = np.asarray(Image.open(folder / f"{name}_biomass.tif"))
    mask = (kelp > 0).astype(np.uint8)
    mask[biomass == NO_DATA] = 255
    return mask
