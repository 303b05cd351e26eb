"""What a push would send: worked out from files alone, before anything is sent."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crosspatch import images
from crosspatch.errors import InputError
from crosspatch.feedback.table import QueueRow
from crosspatch.files import fingerprint_bytes, fingerprint_file, inside
from crosspatch.images import pictures
from crosspatch.images.resize import resize_image
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


def make_plan(
    predictions: Predictions,
    queue: Sequence[QueueRow],
    *,
    known: Mapping[str, str],
    files: Mapping[str, Path] | None = None,
    limit: int | None = None,
) -> Plan:
    """Work out what is to be sent.

    Parameters
    ----------
    predictions : masks and overlays of the queue's subjects
    queue : by rank; "next" and "people" go to people, "retire" is retired, "labelled" is left
    known : name -> number of subjects that are on Zooniverse, from `known_subjects`
    files : images by name, where they are no longer where they were when they were predicted
    limit : no more than so many subjects for people
    """
    plan = Plan()
    rows = {row["name"]: row for row in predictions.rows}
    for row in queue:
        number = known.get(row.name.lower())
        if row.decision == "retire":
            if number is None:
                plan.left.append((row.name, "can be retired, and is not on Zooniverse"))
            else:
                plan.retired.append((row.name, number))
        elif row.decision == "labelled":
            plan.left.append((row.name, "has a mask already"))
        elif limit is not None and len(plan.wanted) >= limit:
            plan.left.append((row.name, "beyond the limit"))
        elif row.name not in rows:
            plan.left.append((row.name, "has no prediction"))
        else:
            given = rows[row.name]
            if (given.get("planes") or "1") != "1":
                plan.left.append((row.name, "is a stack of planes, which is no one picture"))
                continue
            image = _image_of(given, files)
            if image is None:
                plan.left.append((row.name, f"its image {given['file']} is not there"))
                continue
            plan.wanted.append(
                Wanted(
                    row.name,
                    row.priority,
                    row.reason,
                    image,
                    inside(predictions.path, given["mask"]),
                    inside(predictions.path, f"overlays/{given['name']}.png"),
                    number,
                )
            )
    return plan


def _image_of(given: Mapping[str, str], files: Mapping[str, Path] | None) -> Path | None:
    if files is not None:
        return find_file(files, [given["file"], given["name"]])
    path = Path(given["file"])
    return path if path.is_file() else None


def known_subjects(export: Path) -> tuple[dict[str, str], list[str]]:
    """Read a subjects export: subject number, and file names in the metadata -> subject number.

    Returns
    -------
    known : dict of str to str
        Names in lower case, files without suffix.
    ambiguous : list of str
        Names of several subjects, which are not among the known.
    """
    numbers: dict[str, set[str]] = {}
    for number, metadata in _subjects_in(export):
        numbers.setdefault(number, set()).add(number)
        try:
            _, files = status_and_files(f'{{"{number}": {metadata or "{}"}}}', number)
        except RowError:
            continue
        for name in files:
            stem = name.replace("\\", "/").rsplit("/", 1)[-1].strip().lower().rsplit(".", 1)[0]
            numbers.setdefault(stem, set()).add(number)
    known = {name: one.pop() for name, one in numbers.items() if len(one) == 1}
    return known, sorted(set(numbers) - set(known))


def _subjects_in(export: Path) -> Iterator[tuple[str, str]]:
    header = read_header(export)
    missing = header.missing(("subject_id", "metadata"))
    if missing:
        raise InputError(f"{export}: lacks the column {missing[0]}; is it a subject export?")
    number, metadata = (header.names.index(name) for name in ("subject_id", "metadata"))
    for block in blocks(export, header):
        for row in read_block(export, block, header):
            if isinstance(row, Row) and row.cells[number].strip().isdecimal():
                yield row.cells[number].strip(), row.cells[metadata].strip()


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
    pixels = image.pixels
    if pixels.shape[1:] != size:
        pixels = resize_image(pixels, size)
    plain = pictures.to_rgb(pixels, image.channel_names)
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


PLAN_COLUMNS = ("name", "action", "priority", "subject_id", "why")


def plan_rows(plan: Plan) -> list[tuple[str, str, str, str, str]]:
    """List what would be done with every subject of the queue."""
    rows = [
        (
            one.name,
            "upload" if one.subject_id is None else "show again",
            str(one.priority),
            one.subject_id or "",
            one.reason,
        )
        for one in plan.wanted
    ]
    rows += [
        (name, "retire", "", number, "the model's mask will do") for name, number in plan.retired
    ]
    return rows + [(name, "leave", "", "", why) for name, why in plan.left]
