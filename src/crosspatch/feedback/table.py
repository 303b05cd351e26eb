"""``queue.csv``: a row a subject, in the order in which people should see them."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from crosspatch.errors import InputError
from crosspatch.files import PathLike, write_text

Decision = Literal["next", "people", "retire", "labelled"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
_LARGEST = 2**30  # bytes: a queue of a million subjects has 300 MB

COLUMNS = {
    "name": "of the subject: its image without suffix",
    "rank": "place in the queue, from 1: who needs people most stands first",
    "priority": "the number for `#priority` on Zooniverse, where the lowest is served first",
    "decision": (
        "next: label it now, one of the few that teach the most; people: still needs people; "
        "retire: the model's mask will do; labelled: has a mask already"
    ),
    "reason": "why, in words",
    "need": "mean place among the open subjects by uncertainty, verdict and disagreement, [0, 1]",
    "uncertainty": "how far the model's answers to eight views differ, a claimed pixel; from 0 on",
    "confidence": "Dice that the model's probabilities promise for its own mask, [0, 1]",
    "verdict": "share of patches in which the discriminator takes the model's mask for a person's",
    "disagreement": (
        "mean share of the volunteers whom the model contradicts, over the pixels that it or the "
        "consensus calls foreground, [0, 1]; 1 - IoU with the mask where there are no votes"
    ),
    "foreground": "share of the pixels with data that the model's mask calls foreground, [0, 1]",
    "novelty": "distance of its features from the nearest labelled subject's; 1 is usual here",
    "group": "what it belongs to: scene, volume, place",
    "status": "open, labelled, or trained: the model has seen its final label",
    "file": "the image, inside the data set",
}
"""Columns of ``queue.csv``, in order. Empty cells: the measure has no meaning for this subject."""


@dataclass(frozen=True)
class QueueRow:
    """A row of ``queue.csv``; see `COLUMNS`. Measures without meaning are nan."""

    name: str
    rank: int
    priority: int
    decision: Decision
    reason: str
    need: float
    uncertainty: float
    confidence: float
    verdict: float
    disagreement: float
    foreground: float
    novelty: float
    group: str
    status: str
    file: str


def write_queue(path: PathLike, rows: Sequence[QueueRow]) -> None:
    """Write ``queue.csv``, whole or not at all."""
    names = [field.name for field in fields(QueueRow)]
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([_cell(getattr(row, name)) for name in names] for row in rows)
    write_text(path, text.getvalue())


def read_queue(path: PathLike) -> list[QueueRow]:
    """Read a ``queue.csv`` in the order of ranks; people may have sorted, cut or edited it.

    Only ``name``, ``rank``, ``priority``, ``decision`` and ``reason`` must be there; a measure
    that is missing is nan.

    Raises
    ------
    InputError
        It is no such table; the message names the row.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{path}: is too large to be a queue.csv")
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [
                name
                for name in ("name", "rank", "priority", "decision", "reason")
                if name not in (reader.fieldnames or ())
            ]
            if missing:
                raise InputError(f"{path}: is no queue.csv (it has no column {missing[0]!r})")
            rows = [_read(record, f"{path}, row {reader.line_num}") for record in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: is not a CSV table in UTF-8 ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if len({row.name for row in rows}) < len(rows):
        raise InputError(f"{path}: names a subject twice")
    return sorted(rows, key=lambda row: row.rank)


def _read(record: dict[str, str | None], where: str) -> QueueRow:
    try:
        decision = (record["decision"] or "").strip()
        if decision not in DECISIONS:
            raise ValueError(f"the decision {decision!r} is none of {', '.join(DECISIONS)}")
        values: dict[str, object] = {"decision": decision}
        for field in fields(QueueRow):
            cell = record.get(field.name) or ""
            if field.type is float:
                values[field.name] = float(cell) if cell else math.nan
            elif field.type is int:
                values[field.name] = int(cell)
            elif field.name != "decision":
                values[field.name] = cell
        if not values["name"]:
            raise ValueError("it has no name")
        return QueueRow(**values)  # type: ignore[arg-type]
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value
