"""Packs that share their crops and differ in who is trained on: the folds of cross-validation."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch.crops.packed import CROP_COLUMNS, SUBJECT_COLUMNS, Column, Crops
from crosspatch.crops.writing import Moments, write_table
from crosspatch.errors import SettingsError
from crosspatch.files import (
    PathLike,
    fingerprint_bytes,
    new_folder,
    read_toml,
    to_json,
    write_toml,
)
from crosspatch.splits import SPLITS, find_leaks


def refold(crops: Crops, splits: Mapping[str, str], out: PathLike) -> Crops:
    """Make a crops folder of the same crops with its subjects in other splits.

    The arrays are links to those of ``crops`` (copies where the disk cannot link). Mean and
    standard deviation are measured again, on the subjects now in training.

    Parameters
    ----------
    crops : Crops
    splits : subject -> "train", "val" or "test", of every subject
    out : the folder to make; left as it is where it is this very pack already

    Raises
    ------
    SettingsError
        A subject of the pack has no split.
    LeakError
        A group, or copies of an image, stand in two splits.
    """
    subjects = crops.subjects["subject"].tolist()
    if missing := [name for name in subjects if name not in splits]:
        raise SettingsError(f"{missing[0]!r} is in no fold")
    chosen = {name: splits[name] for name in subjects}
    listed = zip(subjects, crops.subjects["group"], crops.subjects["content"], strict=True)
    placed = [(chosen[name], (name, str(group), str(content))) for name, group, content in listed]
    find_leaks(
        {split: [one for where, one in placed if where == split] for split in SPLITS}, refuse=True
    )
    fingerprint = fingerprint_bytes(crops.fingerprint.encode(), to_json(chosen).encode())
    out = Path(out)
    if (out / "crops.toml").is_file():
        ready = Crops.open(out)
        if ready.fingerprint == fingerprint and _told(ready) == _told(crops):
            return ready
    table = read_toml(crops.path / "crops.toml")
    mean, std = _statistics(crops, {name for name, split in chosen.items() if split == "train"})
    with new_folder(out, kind="crops", overwrite=True) as folder:
        for name in ("images.npy", "masks.npy"):
            _link(crops.path / name, folder / name)
        table |= {
            "statistics": {"mean": mean, "std": std},
            "fingerprint": fingerprint,
            "tables": {
                "crops": _resplit(folder / "crops.csv", CROP_COLUMNS, crops.table, chosen),
                "subjects": _resplit(
                    folder / "subjects.csv", SUBJECT_COLUMNS, crops.subjects, chosen
                ),
            },
        }
        del table["format"]
        write_toml(folder / "crops.toml", table, says="Crops packed by crosspatch: one fold.")
    return Crops.open(out)


def _told(crops: Crops) -> tuple[object, ...]:
    """Return what a pack says of its data sets, on which no crop and no fingerprint depends."""
    return crops.said, crops.problems, crops.sources, crops.skipped


def _link(source: Path, out: Path) -> None:
    try:
        os.link(source, out)
    except OSError:  # another kind of disk
        shutil.copyfile(source, out)


def _resplit(
    path: Path,
    columns: Mapping[str, type],
    table: Mapping[str, Column],
    splits: Mapping[str, str],
) -> str:
    cells = {name: table[name].tolist() for name in columns}
    cells["split"] = [splits[name] for name in cells["subject"]]
    return write_table(path, columns, zip(*cells.values(), strict=True))


def _statistics(crops: Crops, training: set[str]) -> tuple[list[float], list[float]]:
    """Measure each pixel of a training subject once, although crops overlap.

    Equal to what packing measures where the crops cover the image and all of it holds data.
    """
    moments = Moments(crops.images.shape[1])
    subjects = crops.subjects
    ends = np.cumsum(subjects["crops"])  # crops stand subject by subject
    for place, name in enumerate(subjects["subject"]):
        if name in training:
            size = int(subjects["height"][place]), int(subjects["width"][place])
            rows = range(int(ends[place] - subjects["crops"][place]), int(ends[place]))
            moments.add(*_put_together(crops, rows, size))
    return moments.result()


def _put_together(
    crops: Crops, rows: range, size: tuple[int, int]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Lay a subject's crops where they were cut: resized pixels (C, H, W), and where any are."""
    table, side = crops.table, crops.recipe.size
    height = round(size[0] * float(table["scale_row"][rows[0]]))
    width = round(size[1] * float(table["scale_col"][rows[0]]))
    pixels = np.zeros((crops.images.shape[1], height, width), crops.images.dtype)
    there = np.zeros((height, width), dtype=np.bool_)
    for number in rows:
        row, col = int(table["row"][number]), int(table["col"][number])
        place = (slice(row, min(row + side, height)), slice(col, min(col + side, width)))
        crop = crops.images[number]
        pixels[:, *place] = crop[:, : place[0].stop - row, : place[1].stop - col]  # padding is cut
        there[place] = True
    return pixels, there
