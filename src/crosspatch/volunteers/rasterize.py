"""From outlines to pixels, exactly: a pixel belongs to an outline that holds its centre.

Pixel (0, 0) covers [0, 1) x [0, 1), so that its centre is (0.5, 0.5). The inside follows the
non-zero winding rule: what an outline goes round, once or more, either way, is inside; a loop that
crosses itself has no holes unless it turns back on itself.

Ties are half-open, so that outlines which share an edge share no pixel and leave none out: a centre
exactly on a left or top edge is inside, on a right or bottom edge outside.

How: each edge crosses the line through the centres of some pixel rows. Sorted along a row, with +1
for an edge going down and -1 for one going up, the running sum is the winding number; where it is
not 0 lies a **span** of inside pixels. The work follows the length of the outlines inside the frame
and not the size of the image, and any number of outlines share one pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]

# Crossings held at once, about 60 bytes each; a single outline with more goes through a full frame.
_MOST_CROSSINGS = 2**20


@dataclass(frozen=True)
class Spans:
    """Runs of inside pixels; the runs of one group never overlap.

    Attributes
    ----------
    group : (S,) int64
        Which group of outlines the run belongs to.
    row : (S,) int64
        Pixel row.
    start, stop : (S,) int64
        The run holds the pixel columns start <= column < stop.
    shape : (H, W)
        The frame that everything was clipped to.
    """

    group: NDArray[np.int64]
    row: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    shape: tuple[int, int]

    def sizes(self, groups: int) -> NDArray[np.int64]:
        """Count the pixels of each group: (groups,) int64."""
        lengths = (self.stop - self.start).astype(np.float64)
        return np.bincount(self.group, weights=lengths, minlength=groups).astype(np.int64)


@dataclass(frozen=True)
class _Edges:
    """Edges that cross at least one pixel row inside the frame, all pointing down."""

    outline: NDArray[np.int64]
    first_row: NDArray[np.int64]
    rows: NDArray[np.int64]
    top: NDArray[np.float64]
    column: NDArray[np.float64]
    slope: NDArray[np.float64]
    down: NDArray[np.int64]

    def piece(self, which: slice) -> "_Edges":
        return _Edges(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def fill(outlines: Sequence[Outline], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Fill the union of one volunteer's outlines.

    Parameters
    ----------
    outlines : sequence of (N, 2) float64, row and column in pixels
        Each is closed by itself: the last point joins the first. Parts outside the frame are
        clipped and cost nothing.
    shape : (H, W)
        The frame.

    Returns
    -------
    (H, W) bool
        True where at least one outline holds the pixel's centre.

    Raises
    ------
    ValueError
        An outline is not (N, 2), or holds NaN or infinity.
    """
    filled: NDArray[np.bool_] = fill_each([outlines], shape)[0]
    return filled


def fill_each(groups: Sequence[Sequence[Outline]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Fill each volunteer's union of outlines by itself, all in one pass.

    Parameters
    ----------
    groups : sequence of V sequences of (N, 2) float64, row and column in pixels
    shape : (H, W)

    Returns
    -------
    (V, H, W) bool
    """
    height, width = shape
    steps = np.zeros((len(groups), height, width + 1), np.int8)
    found = spans(groups, shape)
    base = (found.group * height + found.row) * (width + 1)
    flat = steps.reshape(-1)
    np.add.at(flat, base + found.start, 1)  # a run may start where another of its group stops
    np.add.at(flat, base + found.stop, -1)
    np.cumsum(steps, axis=2, dtype=np.int8, out=steps)
    return steps[:, :, :width].astype(np.bool_)


def count(groups: Sequence[Sequence[Outline]], shape: tuple[int, int]) -> NDArray[np.uint16]:
    """Count for each pixel how many volunteers' outlines hold its centre.

    Parameters
    ----------
    groups : sequence of V < 32768 sequences of (N, 2) float64, row and column in pixels
        One sequence a volunteer; overlapping outlines of one volunteer count once.
    shape : (H, W)

    Returns
    -------
    (H, W) uint16 in [0, V]
    """
    return count_spans(spans(groups, shape))


def count_spans(found: Spans) -> NDArray[np.uint16]:
    """Count for each pixel of the frame how many groups' runs hold it: (H, W) uint16."""
    height, width = found.shape
    steps = np.zeros((height, width + 1), np.int16)
    flat = steps.reshape(-1)
    base = found.row * (width + 1)
    np.add.at(flat, base + found.start, 1)
    np.add.at(flat, base + found.stop, -1)
    np.cumsum(steps, axis=1, dtype=np.int16, out=steps)
    return steps[:, :width].astype(np.uint16)


def area(outline: Outline) -> float:
    """Area in square pixels by the shoelace formula.

    Parts that turn the other way are subtracted, so that a figure of eight may have area 0 although
    :func:`fill` fills it; equal to the filled area for outlines that do not cross themselves.

    Parameters
    ----------
    outline : (N, 2) float64, row and column in pixels
    """
    shifted = outline - outline[:1]  # far from the origin the products would drown the area
    row, column = shifted[:, 0], shifted[:, 1]
    return abs(float(np.dot(row, np.roll(column, -1)) - np.dot(column, np.roll(row, -1)))) / 2


def spans(groups: Sequence[Sequence[Outline]], shape: tuple[int, int]) -> Spans:
    """Find the runs of inside pixels of each group of outlines, clipped to the frame.

    Parameters
    ----------
    groups : sequence of sequences of (N, 2) float64, row and column in pixels
    shape : (H, W)

    Raises
    ------
    ValueError
        An outline is not (N, 2), or holds NaN or infinity.
    """
    outlines = [np.asarray(outline, np.float64) for group in groups for outline in group]
    if any(outline.ndim != 2 or outline.shape[1] != 2 for outline in outlines):
        raise ValueError("an outline is an array of (N, 2): row, column")
    group_of = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    edges = _edges([outline for outline in outlines if len(outline)], shape)
    filled = np.array([i for i, outline in enumerate(outlines) if len(outline)], np.int64)
    parts = [_runs(piece, shape) for piece in _pieces(edges)]
    outline, row, start, stop = np.concatenate([np.zeros((4, 0), np.int64), *parts], axis=1)
    group = group_of[filled[outline]]
    if any(len(group) > 1 for group in groups):
        group, row, start, stop = _merge(group, row, start, stop, shape)
    return Spans(group, row, start, stop, shape)


def _edges(outlines: list[Outline], shape: tuple[int, int]) -> _Edges:
    """Take the outlines apart into edges and keep those that cross a row of the frame."""
    height = shape[0]
    if not outlines:
        outlines = [np.zeros((1, 2))]
    lengths = np.array([len(outline) for outline in outlines])
    here = np.concatenate(outlines)  # (P, 2)
    if not np.isfinite(here).all():
        raise ValueError("an outline holds NaN or infinity")
    ends = np.cumsum(lengths)
    following = np.arange(1, len(here) + 1)
    following[ends - 1] = ends - lengths  # the last point joins the first
    # Half-open in rows: an edge owns the centres y with top <= y < bottom.
    crossed = np.clip(np.ceil(here[:, 0] - 0.5), 0, height).astype(np.int64)
    change = crossed[following] - crossed
    kept = np.flatnonzero(change)
    down = np.sign(change[kept])
    head, tail = here[kept], here[following[kept]]
    # An edge and its reverse are the same numbers, so that neighbours meet without gap or overlap.
    upward = (down < 0)[:, None]
    upper, lower = np.where(upward, tail, head), np.where(upward, head, tail)
    return _Edges(
        outline=np.repeat(np.arange(len(outlines)), lengths)[kept],
        first_row=np.minimum(crossed[kept], crossed[following[kept]]),
        rows=np.abs(change[kept]),
        top=upper[:, 0],
        column=upper[:, 1],
        slope=(lower[:, 1] - upper[:, 1]) / (lower[:, 0] - upper[:, 0]),
        down=down,
    )


def _pieces(edges: _Edges) -> list[_Edges]:
    """Split the edges between outlines so that no piece has too many crossings at once."""
    if int(edges.rows.sum()) <= _MOST_CROSSINGS:
        return [edges]
    firsts = np.flatnonzero(np.diff(edges.outline, prepend=-1))
    stops = np.append(firsts[1:], len(edges.outline))
    upto = np.cumsum(edges.rows)
    pieces, begin = [], 0
    for first, stop in zip(firsts.tolist(), stops.tolist(), strict=True):
        before = upto[begin - 1] if begin else 0
        if first > begin and upto[stop - 1] - before > _MOST_CROSSINGS:
            pieces.append(edges.piece(slice(begin, first)))
            begin = first
    return [*pieces, edges.piece(slice(begin, None))]


def _crossings(
    edges: _Edges, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Expand edges to (edge, row, first pixel column whose centre is at or right of the edge)."""
    edge = np.repeat(np.arange(len(edges.rows)), edges.rows)
    begins = np.cumsum(edges.rows) - edges.rows
    row = np.arange(len(edge)) + (edges.first_row - begins)[edge]
    at = edges.column[edge] + (row + 0.5 - edges.top[edge]) * edges.slope[edge]
    return edge, row, np.clip(np.ceil(at - 0.5), 0, width).astype(np.int64)


def _runs(edges: _Edges, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Find the runs of each outline: (4, S) of outline, row, start, stop."""
    if int(edges.rows.sum()) > _MOST_CROSSINGS:
        return _runs_of_one(edges, shape)
    height, width = shape
    edge, row, column = _crossings(edges, width)
    line = edges.outline[edge] * height + row
    # One sort of plain integers: outline, row, column, and the direction in the last bit.
    key = (line * (width + 1) + column) * 2 + (edges.down[edge] > 0)
    key.sort()
    # Each outline is closed, so every (outline, row) sums to 0 and the sum runs over all of them.
    winding = np.cumsum((key & 1) * 2 - 1)
    return _between(key >> 1, winding, shape)


def _runs_of_one(edges: _Edges, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Find the runs of one outline of very many crossings, on a full frame of winding numbers."""
    height, width = shape
    winding = np.zeros((height, width + 1), np.int32)
    step = max(1, _MOST_CROSSINGS // height)  # an edge crosses each row once at most
    for begin in range(0, len(edges.rows), step):
        piece = edges.piece(slice(begin, begin + step))
        edge, row, column = _crossings(piece, width)
        np.add.at(winding, (row, column), piece.down[edge].astype(np.int32))
    inside = np.cumsum(winding, axis=1) != 0
    inside[:, width] = False
    position = np.flatnonzero(np.diff(inside.reshape(-1).view(np.int8), prepend=0))
    row, column = np.divmod(position, width + 1)
    outline = np.full(len(row) // 2, edges.outline[0])
    return np.stack([outline, row[::2], column[::2], column[1::2]])


def _merge(
    group: NDArray[np.int64],
    row: NDArray[np.int64],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    shape: tuple[int, int],
) -> NDArray[np.int64]:
    """Unite the overlapping runs of each group: (4, S) of group, row, start, stop."""
    height, width = shape
    line = (group * height + row) * (width + 1)
    key = np.concatenate([(line + start) * 2, (line + stop) * 2 + 1])
    key.sort()  # where a run starts at another's stop, the start comes first: they join
    depth = np.cumsum(1 - (key & 1) * 2)
    return _between(key >> 1, depth, shape)


def _between(
    position: NDArray[np.int64], level: NDArray[np.int64], shape: tuple[int, int]
) -> NDArray[np.int64]:
    """Turn sorted positions and the level after each into runs where the level is not 0."""
    height, width = shape
    inside = level != 0
    before = np.concatenate([[False], inside[:-1]])
    start, stop = position[inside & ~before], position[before & ~inside]
    some = start != stop  # two edges may pass between the same two centres
    start, stop = start[some], stop[some]
    line, first = np.divmod(start, width + 1)
    which, row = np.divmod(line, height)
    return np.stack([which, row, first, stop - line * (width + 1)])
