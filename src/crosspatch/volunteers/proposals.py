"""Outlines that a model proposed to volunteers, to be told from those that people drew.

The classifier shows a proposal as a mark that can be changed, and a mark that nobody has touched
comes back in the export looking like a person's. So what was proposed is kept, one line of JSON a
subject, and compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from crosspatch.errors import InputError
from crosspatch.files import PathLike, write_bytes
from crosspatch.volunteers.marks import Outline

ROUNDING = 0.02
"""Pixels: exports hold two decimals, and so do proposals; nobody moves a point by so little."""

_LARGEST = 2**31


class ProposedMark(msgspec.Struct):
    """A freehandLine as the classifier stores it: x and y in pixels of the uploaded image."""

    pathX: list[float]  # noqa: N815 - Panoptes's names
    pathY: list[float]  # noqa: N815


class Proposed(msgspec.Struct):
    """What was proposed on one subject: a line of proposals.jsonl.

    ``name`` is the image's here, ``subject_id`` its number on Zooniverse; ``width`` and ``height``
    are the uploaded image's.
    """

    name: str
    subject_id: str
    frame: int
    task: str
    tool: int
    width: int
    height: int
    marks: list[ProposedMark]


def write_proposals(path: PathLike, proposed: Iterable[Proposed]) -> None:
    """Write proposals.jsonl, whole or not at all."""
    encode = msgspec.json.Encoder().encode
    write_bytes(path, b"".join(encode(one) + b"\n" for one in proposed))


def read_proposals(path: PathLike) -> list[Proposed]:
    """Read a proposals.jsonl.

    Raises
    ------
    InputError
        It cannot be read or a line is none of ours; the message names the line.
    """
    path = Path(path)
    decode = msgspec.json.Decoder(Proposed).decode
    found = []
    number = 0
    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"{path}: is too large to be a proposals.jsonl")
        with path.open("rb") as file:
            for line in file:
                number += 1
                if line.strip():
                    found.append(decode(line))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"{path}, line {number}: is no proposal of crosspatch ({error})") from None
    return found


@dataclass(frozen=True)
class Proposals:
    """What was proposed, by subject and frame.

    Attributes
    ----------
    outlines : dict of (subject id, frame) to sequence of (N, 2) float32
        Row, column in the uploaded image, the first point not repeated.
    """

    outlines: Mapping[tuple[str, int], Sequence[NDArray[np.float32]]] = field(default_factory=dict)

    @classmethod
    def of(cls, proposed: Iterable[Proposed]) -> "Proposals":
        """Index what was read."""
        outlines: dict[tuple[str, int], list[NDArray[np.float32]]] = {}
        for one in proposed:
            marks = outlines.setdefault((one.subject_id, one.frame), [])
            for mark in one.marks:
                if len(mark.pathX) == len(mark.pathY) > 2:
                    marks.append(_open(np.array([mark.pathY, mark.pathX], np.float32).T))
        return cls(outlines)

    def hold(self, subject: str, frame: object, points: Outline) -> bool:
        """Whether these points (N, 2) are a proposal as it was made, to rounding."""
        if not isinstance(frame, int):
            return False
        drawn = _open(points)
        return any(
            one.shape == drawn.shape and bool((np.abs(one - drawn) <= ROUNDING).all())
            for one in self.outlines.get((subject, frame), ())
        )


def _open(points: NDArray[Any]) -> NDArray[Any]:
    """Leave out a last point that repeats the first."""
    closed = len(points) > 1 and points[0].tolist() == points[-1].tolist()
    return points[:-1] if closed else points
