"""Connected foreground of a map that comes block by block, each component given when it is closed.

Pixels belong together across edges, not corners. Of an open component its boundary so far is kept,
and how many pixels it has; of the map, one row of labels. So memory goes by what is open, never by
the size of the scene, and blocks of any size give the same components.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Edges = NDArray[np.int32]
"""(N, 4): row, first column, column behind the last, 1 where the component lies below, 0 above.

Horizontal stretches of a boundary; `crosspatch.prediction.outlines.trace` finds the vertical ones.
"""


@dataclass(frozen=True, eq=False)
class Closed:
    """Components that are whole, in the order of their first blocks.

    pixels : (N,) int64; weight : (N,) float64, the sum of what came with their pixels; edges :
    (E, 4), see `Edges`; owner : (E,) which component an edge belongs to, 0 to N - 1
    """

    pixels: NDArray[np.int64]
    weight: NDArray[np.float64]
    edges: Edges
    owner: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pixels)

    def keep(self, wanted: NDArray[np.bool_]) -> "Closed":
        """Leave out components, (N,) bool."""
        number = np.cumsum(wanted) - 1
        stays = wanted[self.owner]
        return Closed(
            self.pixels[wanted], self.weight[wanted], self.edges[stays], number[self.owner[stays]]
        )


class Components:
    """Labels a plane; its blocks come in reading order, row by row of blocks.

    height, width : of the plane, pixels
    """

    def __init__(self, height: int, width: int) -> None:
        self._height, self._width = height, width
        self._above = np.zeros(width, np.int64)  # labels of the row over the next block, 0: none
        self._left = np.zeros(0, np.int64)  # of the column before it
        self._open: list[list[Edges]] = []  # edges of the open components, numbered from 1
        self._pixels: list[NDArray[np.int64]] = [np.zeros(1, np.int64)]
        self._weight: list[NDArray[np.float64]] = [np.zeros(1)]
        self._edges: list[Edges] = []
        self._owners: list[NDArray[np.int64]] = []
        self._same: list[NDArray[np.int64]] = []
        self._count = 1  # labels in use, 0 included

    def take(
        self, row: int, col: int, inside: NDArray[np.bool_], weight: NDArray[np.float32]
    ) -> Closed | None:
        """Take a block, (h, w), and say what is closed when a row of blocks is complete."""
        height, width = inside.shape
        labels, found = ndimage.label(inside, output=np.int64)
        pixels = np.bincount(labels.ravel(), minlength=found + 1)
        sums = np.bincount(labels.ravel(), np.where(inside, weight, 0).ravel(), found + 1)
        self._pixels.append(pixels[1:])
        self._weight.append(sums[1:].astype(np.float64))
        labels[inside] += self._count - 1
        self._count += found
        above = self._above[col : col + width]
        if col:
            self._join(self._left, labels[:, 0])
        self._join(above, labels[0])
        rows = [above[np.newaxis], labels]
        if row + height == self._height:
            rows.append(np.zeros((1, width), np.int64))
        self._find_edges(np.concatenate(rows), row, col)
        self._left = labels[:, -1].copy()
        self._above[col : col + width] = labels[-1]
        if col + width < self._width:
            return None
        return self._end_row(last=row + height == self._height)

    def _join(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> None:
        both = (one > 0) & (other > 0)
        if both.any():
            self._same.append(np.unique(np.stack([one[both], other[both]], axis=1), axis=0))

    def _find_edges(self, labels: NDArray[np.int64], row: int, col: int) -> None:
        """Find runs of boundary between each two rows of labels; the first is above ``row``."""
        inside = labels > 0
        for below in (1, 0):
            edge = (inside[1:] & ~inside[:-1]) if below else (inside[:-1] & ~inside[1:])
            steps = np.diff(np.pad(edge, ((0, 0), (1, 1))).astype(np.int8), axis=1)
            y, first = np.nonzero(steps == 1)
            _, end = np.nonzero(steps == -1)
            runs = np.stack([y + row, first + col, end + col, np.full_like(y, below)], axis=1)
            self._edges.append(runs.astype(np.int32))
            self._owners.append(labels[y + below, first])

    def _end_row(self, *, last: bool) -> Closed:
        """Settle which labels are one component, and part closed ones from open ones."""
        root = _roots(self._count, self._same)
        pixels = np.bincount(root, np.concatenate(self._pixels), self._count).astype(np.int64)
        weight = np.bincount(root, np.concatenate(self._weight), self._count).astype(np.float64)
        edges = np.concatenate(self._edges)
        owner = root[np.concatenate(self._owners)]
        self._above = root[self._above]
        is_open = np.zeros(self._count, np.bool_)
        if not last:
            is_open[self._above] = True
        is_open[0] = False
        closed = (root == np.arange(self._count)) & ~is_open
        closed[0] = False
        shut = [edges[closed[owner]]]
        shut_owners = [owner[closed[owner]]]
        kept: defaultdict[int, list[Edges]] = defaultdict(list)
        for label, chunks in enumerate(self._open, 1):
            if is_open[root[label]]:
                kept[int(root[label])] += chunks
            else:
                shut += chunks
                shut_owners += [np.full(len(chunk), root[label]) for chunk in chunks]
        _part(edges[is_open[owner]], owner[is_open[owner]], kept)
        number = np.cumsum(closed) - 1
        given = Closed(
            pixels[closed],
            weight[closed],
            np.concatenate(shut),
            number[np.concatenate(shut_owners)],
        )
        self._start_row(is_open, pixels, weight, kept)
        return given

    def _start_row(
        self,
        is_open: NDArray[np.bool_],
        pixels: NDArray[np.int64],
        weight: NDArray[np.float64],
        kept: dict[int, list[Edges]],
    ) -> None:
        """Give the open components new numbers, from 1."""
        roots = np.flatnonzero(is_open)
        number = np.zeros(self._count, np.int64)
        number[roots] = np.arange(1, len(roots) + 1)
        self._above = number[self._above]
        self._open = [kept[int(one)] for one in roots]
        self._pixels = [np.zeros(1, np.int64), pixels[roots]]
        self._weight = [np.zeros(1), weight[roots]]
        self._edges, self._owners, self._same = [], [], []
        self._count = len(roots) + 1


def _part(edges: Edges, owner: NDArray[np.int64], into: dict[int, list[Edges]]) -> None:
    """Add each owner's edges to its list."""
    order = np.argsort(owner, kind="stable")
    edges, owner = edges[order], owner[order]
    owners, starts = np.unique(owner, return_index=True)
    for one, chunk in zip(owners.tolist(), np.split(edges, starts[1:]), strict=False):
        into[one].append(chunk)


def _roots(count: int, same: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Map each label to the least one that it is the same as; 0 to itself."""
    parent = list(range(count))

    def find(label: int) -> int:
        while parent[label] != label:
            parent[label] = parent[parent[label]]
            label = parent[label]
        return label

    for pairs in same:
        for one, other in pairs.tolist():
            low, high = sorted((find(one), find(other)))
            parent[high] = low
    return np.array([find(label) for label in range(count)], np.int64)
