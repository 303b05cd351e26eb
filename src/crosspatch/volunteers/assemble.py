"""From the paths one volunteer drew on one subject to closed outlines with an area."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crosspatch.volunteers.marks import Outline, Path

_MOST_PIECES = 400
_FLAT = 1e-14


@dataclass(frozen=True)
class Assembled:
    """A closed outline.

    Attributes
    ----------
    outline : (N, 2) float64
        Row, column; the first point is not repeated.
    parts : tuple of int
        Which of the given paths it was made of.
    """

    outline: Outline
    parts: tuple[int, ...]


def assemble(paths: Sequence[Path]) -> tuple[list[Assembled], list[tuple[int, str]]]:
    """Close the paths of one volunteer, tool and frame, joining pieces of one outline.

    Of all loose ends the two nearest are joined first, whether they belong to one path, which
    closes it, or to two, which makes them pieces of one outline; and so on until none is loose.
    (The Etch a Cell project stitches nuclear envelopes by greedy end-point distance.) With more
    than 400 open paths each is closed by itself.

    Parameters
    ----------
    paths : from :func:`crosspatch.volunteers.marks.draw`

    Returns
    -------
    outlines : list of Assembled
        In the order of their first part.
    dropped : list of (int, str)
        Paths that have no area, with the reason.
    """
    loops = [(index,) for index, path in enumerate(paths) if path.closed]
    whole = [Assembled(paths[index].points, (index,)) for (index,) in loops]
    loose = [index for index, path in enumerate(paths) if not path.closed]
    if len(loose) == 1 or len(loose) > _MOST_PIECES:
        whole += [Assembled(paths[index].points, (index,)) for index in loose]
    elif loose:
        whole += _stitch(paths, loose)
    kept: list[Assembled] = []
    dropped: list[tuple[int, str]] = []
    for one in sorted(whole, key=lambda assembled: min(assembled.parts)):
        outline = _open_end(one.outline)
        reason = why_no_area(outline)
        if reason is None:
            kept.append(Assembled(outline, one.parts))
        else:
            dropped += [(part, reason) for part in one.parts]
    return kept, dropped


def _open_end(outline: Outline) -> Outline:
    """Leave out a last point that repeats the first."""
    repeated = len(outline) > 1 and outline[0].tolist() == outline[-1].tolist()
    return outline[:-1] if repeated else outline


def why_no_area(outline: Outline) -> str | None:
    """Say why an outline cannot be an area, or None if it can."""
    if len(outline) < 3:
        return "it has fewer than 3 points"
    third = len(outline) // 3
    bends = not _is_straight(outline[: 2 * third + 1 : third])  # nearly always three points show it
    return "it has no area" if not bends and _is_straight(outline) else None


def _is_straight(points: Outline) -> bool:
    """Whether all points lie on one line: where Cauchy and Schwarz become an equation."""
    row, column = (points - points[0]).T
    rows, columns, both = float(row @ row), float(column @ column), float(row @ column)
    return rows * columns - both * both <= _FLAT * (rows + columns) ** 2


def _stitch(paths: Sequence[Path], loose: list[int]) -> list[Assembled]:
    """Join open paths by nearest ends; end 2 i is the start of piece i, 2 i + 1 its other end."""
    ends = np.array([paths[index].points[[0, -1]] for index in loose]).reshape(-1, 2)  # (2P, 2)
    mate = _match(ends)
    todo = dict.fromkeys(range(len(loose)))
    joined = []
    while todo:
        start = next(iter(todo)) * 2
        enter, points, parts = start, [], []
        while True:
            piece = enter // 2
            del todo[piece]
            parts.append(loose[piece])
            forward = paths[loose[piece]].points
            points.append(forward if enter % 2 == 0 else forward[::-1])
            enter = mate[enter ^ 1]
            if enter == start:
                break
        joined.append(Assembled(np.concatenate(points), tuple(parts)))
    return joined


def _match(ends: NDArray[np.float64]) -> list[int]:
    """Pair all ends greedily by distance; ties go to the earlier ends."""
    first, second = np.triu_indices(len(ends), 1)
    gap = np.hypot(*(ends[first] - ends[second]).T)
    mate = [-1] * len(ends)
    for at in np.argsort(gap, kind="stable").tolist():
        one, other = int(first[at]), int(second[at])
        if mate[one] < 0 and mate[other] < 0:
            mate[one], mate[other] = other, one
    return mate
