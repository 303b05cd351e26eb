"""Rings along the edges of pixels, from the horizontal edges of components.

A component's boundary is known by its horizontal stretches: on each column of pixel corners the
ends of stretches, sorted by row, are joined in pairs by the vertical ones. Rings run clockwise on
the screen around a component, the other way around its holes. Where two pixels of one component
touch by a corner only, the ring turns so that no ring passes a point twice; so an outline is valid
by the rules of OGC's simple features.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crosspatch.prediction.components import Edges


@dataclass(frozen=True, eq=False)
class Rings:
    """Closed rings, the first point not repeated.

    points : (P, 2) int64, column and row of pixel corners; starts : (R + 1,) where each ring's
    points begin, and the end of all; owner : (R,) the component; hole : (R,) bool. Rings are
    sorted by owner, its outer ring first.
    """

    points: NDArray[np.int64]
    starts: NDArray[np.int64]
    owner: NDArray[np.int64]
    hole: NDArray[np.bool_]


def trace(edges: Edges, owner: NDArray[np.int64]) -> Rings:
    """Trace the rings of components.

    Parameters
    ----------
    edges, owner : (E, 4), (E,)
        Of `crosspatch.prediction.components.Closed`, all edges of each component.
    """
    edges, owner = _merged(edges, owner)
    follows = _following(edges, owner)
    order, lengths = _cycles(follows)
    row, first, end, below = edges[order].astype(np.int64).T
    # A stretch over pixels below it runs to the right, one under pixels to the left.
    begin, stop = np.where(below == 1, first, end), np.where(below == 1, end, first)
    points = np.stack([begin, row, stop, row], axis=1).reshape(-1, 2)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    area = np.add.reduceat(-row * (stop - begin), starts[:-1]) if len(order) else np.zeros(0)
    return _sorted(points, 2 * starts, owner[order[starts[:-1]]], area < 0)


def _merged(edges: Edges, owner: NDArray[np.int64]) -> tuple[Edges, NDArray[np.int64]]:
    """Put stretches together that borders of blocks cut."""
    order = np.lexsort((edges[:, 1], edges[:, 3], edges[:, 0], owner))
    edges, owner = edges[order], owner[order]
    goes_on = np.zeros(len(edges), np.bool_)
    goes_on[1:] = (
        (owner[1:] == owner[:-1])
        & (edges[1:, 0] == edges[:-1, 0])
        & (edges[1:, 3] == edges[:-1, 3])
        & (edges[1:, 1] == edges[:-1, 2])
    )
    begins = np.flatnonzero(~goes_on)
    merged = edges[begins]
    if len(merged):
        merged[:, 2] = edges[np.append(begins[1:], len(edges)) - 1, 2]
    return merged, owner[begins]


def _following(edges: Edges, owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Say which stretch each one is followed by, along its ring."""
    row, first, end, below = edges.T
    number = np.arange(len(edges))
    column = np.concatenate([first, end])
    # Where two pixels touch by a corner, four ends meet in one place, on two vertical stretches.
    # Taking the stretch with pixels below it first gives each vertical one the turn that keeps the
    # rings apart, whichever way the two pixels lie.
    order = np.lexsort((1 - np.tile(below, 2), np.tile(row, 2), column, np.tile(owner, 2)))
    begins = np.concatenate([below == 1, below == 0])[order]  # else the stretch ends there
    pair = np.tile(number, 2)[order].reshape(-1, 2)
    begins = begins.reshape(-1, 2)
    follows = np.empty(len(edges), np.int64)
    follows[pair[~begins]] = pair[begins]
    return follows


def _cycles(follows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order stretches ring by ring; with the number of stretches in each."""
    after = follows.tolist()
    seen = bytearray(len(after))
    order: list[int] = []
    lengths: list[int] = []
    for start in range(len(after)):
        if seen[start]:
            continue
        before, one = len(order), start
        while not seen[one]:
            seen[one] = 1
            order.append(one)
            one = after[one]
        lengths.append(len(order) - before)
    return np.array(order, np.int64), np.array(lengths, np.int64)


def _sorted(
    points: NDArray[np.int64],
    starts: NDArray[np.int64],
    owner: NDArray[np.int64],
    hole: NDArray[np.bool_],
) -> Rings:
    """Sort rings by owner, outer rings first."""
    order = np.lexsort((hole, owner))
    lengths = np.diff(starts)[order]
    moved = np.concatenate([[0], np.cumsum(lengths)])
    source = np.repeat(starts[:-1][order] - moved[:-1], lengths) + np.arange(moved[-1])
    return Rings(points[source], moved, owner[order], hole[order])
