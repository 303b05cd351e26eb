"""The JSON cells of a row, read with the doubt they deserve."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_FILE_NAME = re.compile(r".{1,200}\.[A-Za-z]{3,4}")
_DEEPEST_COMBO = 20
_LONGEST_SIDE = 1_000_000


class RowError(Exception):
    """A row that cannot be used; the message is the reason that is counted and listed."""


class Metadata(msgspec.Struct):
    """The parts of a row's metadata that matter here."""

    subject_dimensions: Any = None
    subject_selection_state: Any = None
    seen_before: Any = None


def subject_id_of(text: str) -> str:
    """Return the one subject of a row; its name becomes a file name, so it must be plain."""
    if ";" in text:
        raise RowError("several subjects in one row")
    if not _PLAIN_NAME.fullmatch(text):
        raise RowError("the subject id is missing or no plain name")
    return text


def decoded(text: str, what: str) -> Any:
    """Decode a cell of JSON; NaN and Infinity, as Python writes them, spoil their mark only."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise RowError(f"the {what} are not JSON") from None


def tasks_of(annotations: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Walk through (task, value), going into combo tasks."""
    if not isinstance(annotations, list) or depth > _DEEPEST_COMBO:
        raise RowError("the annotations are no list of tasks")
    for annotation in annotations:
        task = annotation.get("task") if isinstance(annotation, dict) else None
        if not isinstance(task, str):
            raise RowError("the annotations are no list of tasks")
        value = annotation.get("value")
        if isinstance(value, list) and value and _are_tasks(value):
            yield from tasks_of(value, depth + 1)
        else:
            yield task[:80] if task.isprintable() else "?", value


def _are_tasks(value: list[Any]) -> bool:
    return all(isinstance(item, dict) and "task" in item and "value" in item for item in value)


def metadata_of(text: str) -> Metadata:
    """Decode the metadata, empty where the cell is."""
    if not text:
        return Metadata()
    try:
        return msgspec.json.decode(text, type=Metadata)
    except (msgspec.MsgspecError, RecursionError):
        loaded = decoded(text, "metadata")
    if not isinstance(loaded, dict):
        raise RowError("the metadata are not JSON")
    return msgspec.convert(loaded, Metadata)


def status_and_files(text: str, subject: str) -> tuple[bool | None, list[str]]:
    """Return whether the subject is retired, and which of its metadata look like file names."""
    if not text:
        return None, []
    data = decoded(text, "subject data")
    if not isinstance(data, dict) or (data and subject not in data):
        raise RowError("the subject data are of another subject")
    mine = data.get(subject)
    if not isinstance(mine, dict):
        return None, []
    files = [
        value
        for value in mine.values()
        if isinstance(value, str) and value.isprintable() and _FILE_NAME.fullmatch(value.strip())
    ]
    if "retired" not in mine:
        return None, files[:20]
    status = mine["retired"]  # a status row: retired only if it says when
    return isinstance(status, dict) and bool(status.get("retired_at")), files[:20]


def natural_size(dimensions: Any, frame: int) -> tuple[float, float]:
    """Return the uploaded image's (width, height), (0, 0) where the row does not say.

    Entries are one a frame, may be null, and the last may be missing; where the wanted one is, the
    others stand in if they agree.
    """
    entries = dimensions if isinstance(dimensions, list) else []
    sizes = [_size_of(entry) for entry in entries[:100]]
    if frame < len(sizes) and sizes[frame] != (0.0, 0.0):
        return sizes[frame]
    others = set(sizes) - {(0.0, 0.0)}
    return others.pop() if len(others) == 1 else (0.0, 0.0)


def _size_of(entry: Any) -> tuple[float, float]:
    if not isinstance(entry, dict):
        return 0.0, 0.0
    width, height = _side(entry.get("naturalWidth")), _side(entry.get("naturalHeight"))
    return (width, height) if width and height else (0.0, 0.0)


def _side(value: Any) -> float:
    known = isinstance(value, int | float) and 1 <= value <= _LONGEST_SIDE
    return float(value) if known else 0.0


def seen_before(metadata: Metadata) -> bool:
    """Whether the site says that the volunteer had seen the subject before."""
    state = metadata.subject_selection_state
    state = state if isinstance(state, dict) else {}
    flags = (metadata.seen_before, state.get("seen_before"), state.get("already_seen"))
    return any(flag is True for flag in flags)


def is_true(text: str) -> bool:
    """Whether a cell of a flag is set; ``expert`` holds the role instead."""
    return text.lower() not in ("", "false", "f", "0", "null", "none")


def says(tasks: list[tuple[str, Any]], answer: tuple[str, str] | None) -> bool:
    """Whether a question was answered so; a multiple choice counts if this is its only choice."""
    if answer is None:
        return False
    for task, value in tasks:
        given = value if isinstance(value, list) else [value]
        words = [str(one).strip().lower() for one in given[:2]]
        if task == answer[0] and words == [answer[1].strip().lower()]:
            return True
    return False
