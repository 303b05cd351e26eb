"""Where windows lie on a scene of any size, and how what they say is blended into one map.

Pure geometry on arrays: no network, no file. Windows overlap; a pixel in the overlap takes a
weighted mean of what its windows say. The weight of a window rises from 0 to 1 across the overlap
as a raised cosine (Pielawski and Wählby 2020, "Introducing Hann windows for reducing edge-effects
in patch-based image segmentation"), but only after a dead margin of a quarter of the overlap, where
the network still sees the zeros that its convolutions put beyond the window. Where that margin
covers the network's receptive field, the map is the one that the network draws in one piece.

Weights are products of a row weight and a column weight, each normalised to sum to one on its axis.
So the map needs no second array of summed weights, and rows are finished from top to bottom: memory
holds one strip of windows, never the scene.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from crosspatch.errors import SettingsError

DEAD_MARGIN = 0.25
"""Share of an overlap, on each side of it, where the window that ends there does not count."""

ON_GRID = 0.75
"""Windows lie on the network's grid unless that makes them move by less than this share of what
their overlap permits. Trained networks score alike on and off it; exactness tests need it."""

Read = Callable[[int, int], NDArray[np.generic]]
"""``read(first, end)``: rows first..end-1 of the scene, (C, end - first, W), any dtype."""

Predict = Callable[[NDArray[np.generic]], NDArray[np.float32]]
"""Windows (B, C, h, w) in the scene's dtype -> (B, h, w) float32."""


@dataclass(frozen=True, eq=False)
class Axis:
    """Windows along one side of a scene.

    length : pixels of the scene; size : pixels of a window (the last one may reach beyond the
    scene); origins : first pixel of each window, rising; weights : (len(origins), size) float32 in
    [0, 1], which sum to 1 over the windows at every pixel of the scene and are 0 beyond it.
    """

    length: int
    size: int
    origins: tuple[int, ...]
    weights: NDArray[np.float32]

    def inside(self, index: int) -> int:
        """Pixels of a window that lie on the scene."""
        return min(self.size, self.length - self.origins[index])


@dataclass(frozen=True, eq=False)
class Grid:
    """Windows on a scene, in reading order: along a row of windows, then the next row."""

    rows: Axis
    cols: Axis

    def __len__(self) -> int:
        return len(self.rows.origins) * len(self.cols.origins)


def grid(height: int, width: int, *, size: int, overlap: float = 0.25, multiple: int = 1) -> Grid:
    """Lay windows over a scene.

    Parameters
    ----------
    height, width : int
        Pixels of the scene, at least 1.
    size : int
        Pixels of a window's side; rounded up to ``multiple``, and cut to a scene that is smaller.
    overlap : float
        Least share of a window that it has in common with the next, in [0, 0.75].
    multiple : int
        The network's grid: a network with strides gives another answer half a stride further.
        Windows start on multiples of it where that costs few windows more; sizes are multiples
        in any case.

    Raises
    ------
    SettingsError
        A size below 1, or an overlap out of its range.
    """
    if min(height, width, size, multiple) < 1:
        raise SettingsError(f"a window and a scene have at least one pixel a side, not {size}")
    if not 0 <= overlap <= 0.75:
        raise SettingsError(f"windows overlap by 0 to 0.75 of their size, not by {overlap:g}")
    return Grid(
        rows=_axis(height, size, overlap, multiple), cols=_axis(width, size, overlap, multiple)
    )


def _axis(length: int, size: int, overlap: float, multiple: int) -> Axis:
    """Spread the fewest windows that overlap enough evenly over one side of a scene."""
    size = min(_round_up(size, multiple), _round_up(length, multiple))
    stride = size - int(np.ceil(overlap * size))
    step = multiple if stride // multiple * multiple >= ON_GRID * stride else 1
    stride = max(1, stride // step)  # in steps from here on
    last = -(-max(0, length - size) // step)
    gaps = -(-last // stride)
    origins = (*(last * index // gaps * step for index in range(gaps)), last * step)
    return Axis(length, size, origins, _axis_weights(length, size, origins))


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _axis_weights(length: int, size: int, origins: tuple[int, ...]) -> NDArray[np.float32]:
    """Weights of each window along one side, normalised: (len(origins), size)."""
    weights = np.ones((len(origins), size))
    for index in range(1, len(origins)):
        shared = origins[index - 1] + size - origins[index]
        rise = _rise(shared)
        weights[index, :shared] *= rise
        weights[index - 1, size - shared :] *= rise[::-1]
    total = np.zeros(origins[-1] + size)
    for origin, window in zip(origins, weights, strict=True):
        total[origin : origin + size] += window
    for origin, window in zip(origins, weights, strict=True):
        window /= total[origin : origin + size]
        window[max(0, length - origin) :] = 0.0
    return weights.astype(np.float32)


def _rise(shared: int) -> NDArray[np.float64]:
    """Weight across an overlap of ``shared`` pixels: 0, a raised cosine, 1; plus its mirror = 1."""
    margin = int(DEAD_MARGIN * shared)
    ramp = shared - 2 * margin
    phase = (np.arange(shared) - margin + 0.5) / max(ramp, 1)
    return np.sin(np.pi / 2 * np.clip(phase, 0.0, 1.0)) ** 2


def stitch(
    layout: Grid, read: Read, predict: Predict, *, batch: int = 8
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Predict a scene window by window and blend it, from top to bottom.

    Parameters
    ----------
    layout : Grid
    read : callable
        Gives rows of the scene; called once for each row of windows, with at most ``size`` rows.
    predict : callable
        What to say of a batch of windows. Windows that reach beyond the scene repeat its last row
        and column, as the generator itself does.
    batch : int
        Windows predicted together.

    Yields
    ------
    first, rows : int and (n, W) float32 array
        Finished rows of the map from row ``first`` on; together they are the whole map, in order.
    """
    rows, cols = layout.rows, layout.cols
    across = np.zeros((rows.size, cols.length), dtype=np.float32)
    pending = np.zeros_like(across)
    for row, col, said in _predicted(layout, read, predict, batch):
        inside, origin = cols.inside(col), cols.origins[col]
        across[:, origin : origin + inside] += said[:, :inside] * cols.weights[col, :inside]
        if col < len(cols.origins) - 1:
            continue
        pending += across * rows.weights[row][:, None]
        across[:] = 0.0
        first = rows.origins[row]
        end = rows.origins[row + 1] if row + 1 < len(rows.origins) else rows.length
        yield first, pending[: end - first].copy()
        pending[: rows.size - (end - first)] = pending[end - first :].copy()
        pending[rows.size - (end - first) :] = 0.0


def _predicted(
    layout: Grid, read: Read, predict: Predict, batch: int
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Yield (row of windows, column of windows, what is said there), in reading order."""
    if batch < 1:
        raise SettingsError(f"a batch holds at least one window, not {batch}")
    windows = _windows(layout, read)
    while group := list(islice(windows, batch)):
        said = predict(np.stack([pixels for _, _, pixels in group]))
        for (row, col, _), one in zip(group, said, strict=True):
            yield row, col, one


def _windows(layout: Grid, read: Read) -> Iterator[tuple[int, int, NDArray[np.generic]]]:
    """Cut windows (C, h, w) out of strips of the scene, padded where they reach beyond it."""
    rows, cols = layout.rows, layout.cols
    right = max(0, cols.origins[-1] + cols.size - cols.length)
    for row, first in enumerate(rows.origins):
        inside = rows.inside(row)
        strip = read(first, first + inside)
        if right or inside < rows.size:
            strip = np.pad(strip, ((0, 0), (0, rows.size - inside), (0, right)), mode="edge")
        for col, origin in enumerate(cols.origins):
            yield row, col, strip[:, :, origin : origin + cols.size]
