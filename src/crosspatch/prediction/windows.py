"""Where windows lie on a scene of any size, and how what they say is blended into one map.

Pure geometry on arrays: no network, no file. A scene is cut into cells, each of which a window
covers together with a halo around it; so neighbouring windows overlap by two halos. A pixel in the
overlap takes a weighted mean of what its windows say. The weight of a window rises from 0 to 1
across the overlap as a raised cosine (Pielawski and Wählby 2020, "Introducing Hann windows for
reducing edge-effects in patch-based image segmentation"), but only after a dead margin of half a
halo, where the network still sees the zeros that its convolutions put beyond the window. Where that
margin covers the network's receptive field, the map is the one that the network draws in one piece.

Weights are products of a row weight and a column weight, which sum to one on each axis. So the map
needs no second array of summed weights, and a cell is finished with the last window that has a part
in it: what is kept meanwhile is one overlap's rows, never the scene.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from crosspatch.errors import SettingsError

DEAD_MARGIN = 0.5
"""Share of a halo, at a window's edge, where the window does not count."""

ON_GRID = 0.75
"""Cells are as wide as the network's grid has it unless that takes more than this share of what
their halo permits away. Trained networks score alike on and off it; exactness tests need it."""

TILE = 16
"""Cells off the network's grid are multiples of this where they can be: TIFF tiles must be."""

Map = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Axis:
    """Windows and cells along one side of a scene.

    length : pixels of the scene; size : pixels of a window; stride : pixels from cell to cell;
    origins : first pixel of each window, rising. Cell ``i`` starts at pixel ``i * stride``; the
    last one ends with the scene and may be longer. A window holds its cell; the last may reach
    beyond the scene.
    """

    length: int
    size: int
    stride: int
    origins: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.origins)

    @property
    def shared(self) -> int:
        """Pixels of an overlap."""
        return self.size - self.stride

    def cell(self, index: int) -> tuple[int, int]:
        """First pixel of a cell, and the one behind its last."""
        last = index == len(self.origins) - 1
        return index * self.stride, self.length if last else (index + 1) * self.stride

    def window(self, index: int) -> tuple[int, int]:
        """First pixel of a window, and the one behind its last on the scene."""
        origin = self.origins[index]
        return origin, min(origin + self.size, self.length)

    @cached_property
    def rise(self) -> Map:
        """Weights (shared,) of a window across the overlap with the one before it."""
        margin = int(DEAD_MARGIN * self.shared / 2)
        ramp = self.shared - 2 * margin
        phase = (np.arange(self.shared) - margin + 0.5) / max(ramp, 1)
        return (np.sin(np.pi / 2 * np.clip(phase, 0.0, 1.0)) ** 2).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Grid:
    """Windows on a scene, in reading order: along a row of windows, then the next row.

    shown : height and width to which a window is resized; its own size where the model's recipe
    resizes nothing. mirrored : rows below and columns to the right of it that the network sees
    mirrored, which make a scene smaller than a crop as large as one.
    """

    rows: Axis
    cols: Axis
    shown: tuple[int, int]
    mirrored: tuple[int, int] = (0, 0)

    @property
    def pixels(self) -> int:
        """Pixels of a window as the network sees it."""
        return (self.shown[0] + self.mirrored[0]) * (self.shown[1] + self.mirrored[1])

    def __len__(self) -> int:
        return len(self.rows) * len(self.cols)


def grid(height: int, width: int, *, size: int, halo: int, multiple: int = 1) -> Grid:
    """Lay windows over a scene.

    Parameters
    ----------
    height, width : int
        Pixels of the scene, at least 1.
    size : int
        Most pixels of a window's side; rounded up to ``multiple``. Windows are smaller where as few
        of them do.
    halo : int
        Least context around a cell, in pixels, at least 0; at most a quarter of a window is taken.
    multiple : int
        The network's grid: a network with strides gives another answer half a stride further.
        Windows start on multiples of it where that costs few windows more; sizes are multiples
        in any case.

    Raises
    ------
    SettingsError
        A size below 1, or a halo below 0.
    """
    if min(height, width, size, multiple) < 1:
        raise SettingsError(f"a window and a scene have at least one pixel a side, not {size}")
    if halo < 0:
        raise SettingsError(f"a window's halo is 0 pixels or more, not {halo}")
    rows, cols = axis(height, size, halo, multiple), axis(width, size, halo, multiple)
    return Grid(rows, cols, (rows.size, cols.size))


def axis(length: int, size: int, halo: int, multiple: int) -> Axis:
    """Lay the fewest windows, as small as they may be then, along one side of a scene."""
    size = min(_round_up(size, multiple), _round_up(length, multiple))
    stride, count = _stride(length, size, halo, multiple)
    least = _round_up(-(-(length + (count - 1) * 2 * halo) // count), multiple)
    if 4 * halo <= least < size and _stride(length, least, halo, multiple)[1] == count:
        size, stride = least, _stride(length, least, halo, multiple)[0]
    step = multiple if stride % multiple == 0 else 1
    last = _round_up(max(0, length - size), step)
    return Axis(length, size, stride, (*(index * stride for index in range(count - 1)), last))


def _stride(length: int, size: int, halo: int, multiple: int) -> tuple[int, int]:
    """Pixels from cell to cell, and the number of cells."""
    widest = size - 2 * min(halo, size // 4)
    for step in (multiple, TILE, 1):
        stride = widest // step * step
        if stride >= ON_GRID * widest or step == 1:
            break
    return stride, 1 + -(-max(0, length - size) // stride)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


class Blender:
    """Takes what the windows of a scene say, in reading order; gives back finished cells.

    It keeps the rows of one overlap and the columns of one, and nothing else of the scene.
    """

    def __init__(self, layout: Grid) -> None:
        self._rows, self._cols = layout.rows, layout.cols
        self._below: Map | None = None
        self._right: Map | None = None

    @property
    def below(self) -> Map | None:
        """What the last finished row of windows has to say of the next row's cells."""
        return self._below

    @below.setter
    def below(self, kept: Map | None) -> None:
        self._below = kept

    def add(self, row: int, col: int, said: Map) -> Map:
        """Take what a window says; give back its cell.

        Parameters
        ----------
        row, col : int
            Which window.
        said : (L, h, w) float32
            Layers of the map on the whole window. NaN (no data) stays where it is.

        Returns
        -------
        (L, n, m) float32
        """
        rows, cols = self._rows, self._cols
        (top, bottom), (left, right) = rows.cell(row), cols.cell(col)
        (first, end), (start, stop) = rows.window(row), cols.window(col)
        known = said[:, top - first : end - first, left - start : stop - start].copy()
        if col > 0:
            known[:, :, : cols.shared] *= cols.rise
            assert self._right is not None
            known[:, :, : cols.shared] += self._right
        if col < len(cols) - 1:
            self._right = known[:, :, right - left :] * (1 - cols.rise)
        known = known[:, :, : right - left]
        if row > 0:
            assert self._below is not None
            known[:, : rows.shared] *= rows.rise[:, None]
            known[:, : rows.shared] += self._below[:, :, left:right]
        if row < len(rows) - 1:
            if self._below is None or self._below.shape[0] != len(said):
                self._below = np.empty((len(said), rows.shared, cols.length), dtype=np.float32)
            self._below[:, :, left:right] = known[:, bottom - top :] * (1 - rows.rise[:, None])
        return known[:, : bottom - top]
