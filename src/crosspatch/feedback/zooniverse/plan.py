"""What a push would send: worked out from files alone, before anything is sent."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crosspatch import images
from crosspatch.errors import InputError
from crosspatch.feedback.table import QueueRow
from crosspatch.files import fingerprint_bytes, fingerprint_file, inside
from crosspatch.images import pictures
from crosspatch.images.resize import resize_image, resize_mask
from crosspatch.prediction.folder import Predictions
from crosspatch.volunteers.cells import RowError, status_and_files
from crosspatch.volunteers.rows import Row, blocks, read_block, read_header
from crosspatch.volunteers.subjects import find_file

LARGEST_PNG = 1_000_000
"""Bytes of a picture from which on it is sent as JPEG: Zooniverse asks for files under 1 MB."""


@dataclass(frozen=True)
class Wanted:
    """A subject that people are to see.

    Attributes
    ----------
    name : str
        In predictions and queue.
    priority : int
        The lowest is served first.
    reason : str
        Why it needs people.
    image, mask, overlay : Path
    subject_id : str or None
        Its number, where it is on Zooniverse already.
    """

    name: str
    priority: int
    reason: str
    image: Path
    mask: Path
    overlay: Path
    subject_id: str | None = None


@dataclass(frozen=True)
class Standing:
    """What stands on Zooniverse, as a subjects export has it.

    Attributes
    ----------
    known : dict of str to str
        Names of one subject each, in lower case, files without suffix -> its number.
    ambiguous : set of str
        Names of several subjects, which are not among the known.
    retired : set of str
        Numbers of the subjects that are retired in the workflow.
    """

    known: Mapping[str, str] = field(default_factory=dict)
    ambiguous: frozenset[str] = frozenset()
    retired: frozenset[str] = frozenset()


@dataclass
class Plan:
    """What would be sent, and what would not and why.

    Attributes
    ----------
    wanted : subjects for people, in the queue's order
    retired : (name, number on Zooniverse) of subjects whose model's mask will do
    left : (name, why) of subjects of the queue with which nothing is done
    """

    wanted: list[Wanted] = field(default_factory=list)
    retired: list[tuple[str, str]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)

    @property
    def new(self) -> list[Wanted]:
        """Those that have to be uploaded."""
        return [one for one in self.wanted if one.subject_id is None]

    @property
    def older(self) -> list[Wanted]:
        """Those that are on Zooniverse already."""
        return [one for one in self.wanted if one.subject_id is not None]

    @property
    def folders(self) -> list[Path]:
        """Where the images lie that are to be uploaded."""
        return sorted({one.image.parent for one in self.new})


def make_plan(
    predictions: Predictions,
    queue: Sequence[QueueRow],
    *,
    standing: Standing | None = None,
    files: Mapping[str, Path] | None = None,
    limit: int | None = None,
) -> Plan:
    """Work out what is to be sent.

    Parameters
    ----------
    predictions : masks and overlays of the queue's subjects
    queue : by rank; "next" and "people" go to people, "retire" is retired, "labelled" is left
    standing : what is on Zooniverse, from `read_standing`
    files : images by name, where they are no longer where they were when they were predicted
    limit : no more than so many subjects for people
    """
    plan, standing = Plan(), standing or Standing()
    rows = {row["name"]: row for row in predictions.rows}
    for row in queue:
        number = standing.known.get(row.name.lower())
        if row.decision == "labelled":
            plan.left.append((row.name, "has a mask already"))
        elif row.name.lower() in standing.ambiguous:
            plan.left.append((row.name, "stands for several subjects on Zooniverse"))
        elif row.decision == "retire":
            if number is None:
                plan.left.append((row.name, "can be retired, and is not on Zooniverse"))
            else:
                plan.retired.append((row.name, number))
        elif number in standing.retired:  # nobody would be shown it, in whatever set
            why = "is retired in this workflow: take it back there first"
            plan.left.append((row.name, why))
        elif limit is not None and len(plan.wanted) >= limit:
            plan.left.append((row.name, "beyond the limit"))
        elif row.name not in rows:
            plan.left.append((row.name, "has no prediction"))
        else:
            one = _wanted(row, rows[row.name], number, predictions.path, files)
            if isinstance(one, str):
                plan.left.append((row.name, one))
            else:
                plan.wanted.append(one)
    return plan


def _wanted(
    row: QueueRow,
    given: Mapping[str, str],
    number: str | None,
    folder: Path,
    files: Mapping[str, Path] | None,
) -> Wanted | str:
    """Gather what is to be shown of a subject; or say why it cannot be shown."""
    if (given.get("planes") or "1") != "1":
        return "is a stack of planes, which is no one picture"
    image = _image_of(given, files)
    if image is None:
        return f"its image {given['file']} is not there"
    mask, overlay = inside(folder, given["mask"]), inside(folder, f"overlays/{given['name']}.png")
    return Wanted(row.name, row.priority, row.reason, image, mask, overlay, number)


def _image_of(given: Mapping[str, str], files: Mapping[str, Path] | None) -> Path | None:
    if files is not None:
        return find_file(files, [given["file"], given["name"]])
    path = Path(given["file"])
    return path if path.is_file() else None


def read_standing(export: Path, workflow: str) -> Standing:
    """Read a subjects export: numbers, and file names in the metadata; what a workflow retired.

    A subject has a row for each of its sets and workflows, and is retired in each by itself. An
    export without the columns that say so retires none.
    """
    numbers: dict[str, set[str]] = {}
    retired: set[str] = set()
    for number, cells in _subjects_in(export):
        if cells.get("workflow_id") == workflow and cells.get("retired_at"):
            retired.add(number)
        numbers.setdefault(number, set()).add(number)
        try:
            _, files = status_and_files(f'{{"{number}": {cells["metadata"] or "{}"}}}', number)
        except RowError:
            continue
        for name in files:
            stem = name.replace("\\", "/").rsplit("/", 1)[-1].strip().lower().rsplit(".", 1)[0]
            numbers.setdefault(stem, set()).add(number)
    known = {name: one.pop() for name, one in numbers.items() if len(one) == 1}
    return Standing(known, frozenset(numbers.keys() - known.keys()), frozenset(retired))


def _subjects_in(export: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Read (number, cells by column) of each row."""
    header = read_header(export)
    missing = header.missing(("subject_id", "metadata"))
    if missing:
        raise InputError(f"{export}: lacks the column {missing[0]}; is it a subject export?")
    for block in blocks(export, header):
        for row in read_block(export, block, header):
            if isinstance(row, Row):
                cells = dict(zip(header.names, map(str.strip, row.cells), strict=True))
                if cells["subject_id"].isdecimal():
                    yield cells["subject_id"], cells


def key_of(project: str, subject_set: str, wanted: Wanted) -> str:
    """Say which subject this is, wherever and whenever the push is run: 32 hex digits."""
    words = (project, subject_set, wanted.name, fingerprint_file(wanted.image))
    parts = [word.encode() for word in (*words, fingerprint_file(wanted.mask))]
    return fingerprint_bytes(*parts)[:32]


def media_of(wanted: Wanted) -> tuple[list[tuple[str, bytes]], tuple[int, int]]:
    """Draw what volunteers see: the image, and the model's mask on it.

    Returns
    -------
    media : list of (MIME type, bytes)
        PNG, or JPEG where that would be too large; never TIFF, which no browser shows.
    size : (height, width)
        Of both pictures.

    Raises
    ------
    InputError
        An image cannot be read.
    """
    header = images.read_header(wanted.overlay)
    size = header.height, header.width
    image = images.read_image(wanted.image)
    pixels, known = image.pixels, image.valid
    if pixels.shape[1:] != size:
        pixels, known = resize_image(pixels, size), resize_mask(known.astype(np.uint8), size) == 1
    plain = pictures.to_rgb(pixels, image.channel_names, known=known)
    overlay = images.read_image(wanted.overlay).pixels
    drawn = pictures.to_rgb(overlay) if len(overlay) != 3 else overlay.transpose(1, 2, 0)
    return [_packed(plain), _packed(drawn)], size


def _packed(picture: pictures.Picture) -> tuple[str, bytes]:
    data = pictures.to_png_bytes(picture)
    if len(data) <= LARGEST_PNG:
        return "image/png", data
    return "image/jpeg", pictures.to_jpeg_bytes(picture)


def write_plan(path: Path, plan: Plan) -> None:
    """Write plan.csv: a row a subject of the queue, and what is done with it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(PLAN_COLUMNS)
        table.writerows(plan_rows(plan))


PLAN_COLUMNS = ("name", "action", "priority", "subject_id", "why", "file")


def plan_rows(plan: Plan) -> list[tuple[str, ...]]:
    """List what would be done with every subject of the queue."""
    rows: list[tuple[str, ...]] = [
        (one.name, "upload", str(one.priority), "", one.reason, str(one.image))
        if one.subject_id is None
        else (one.name, "show again", str(one.priority), one.subject_id, one.reason, "")
        for one in plan.wanted
    ]
    rows += [
        (name, "retire", "", number, "the model's mask will do", "")
        for name, number in plan.retired
    ]
    return rows + [(name, "leave", "", "", why, "") for name, why in plan.left]
