"""What a window shows an engine, and what the engine's answer is on the scene's own pixels.

Windows are read from a `Source`; what holds no data is filled, what lies beyond the scene repeated,
the model's resize rule applied, and a scene smaller than a crop mirrored to a crop's size as in
training; the answer is brought back the same way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crosspatch.images import holds_data
from crosspatch.images.resize import resize_image
from crosspatch.models.facts import ModelFacts
from crosspatch.prediction.windows import Grid, Map

Pixels = NDArray[Any]

Engine = Callable[[Pixels], Map]
"""Windows (B, C, h, w) in the image's dtype -> probability of foreground (B, h, w) float32.

Or (B, 2, h, w): probability, and how unsure the engine is of it, in [0, 1].
"""


class Source(Protocol):
    """A scene, or a stack of planes of one size, that is read by windows."""

    planes: int
    height: int
    width: int

    def read(self, plane: int, rows: tuple[int, int], cols: tuple[int, int]) -> Pixels:
        """Read rows first..end-1 and columns first..end-1 of a plane, (C, h, w).

        The model's channels come first; channels that are only looked at may follow.
        """

    def hidden(
        self, plane: int, rows: tuple[int, int], cols: tuple[int, int]
    ) -> NDArray[np.bool_] | None:
        """Say which pixels a mask of the file itself rules out, (h, w); None: the file has none."""


@dataclass(frozen=True)
class Window:
    """A window to be predicted: its plane, its place in the grid, its pixels (C, h, w) or None."""

    plane: int
    row: int
    col: int
    pixels: Pixels | None = None


@dataclass(frozen=True)
class Reader:
    """Makes of pixels what an engine eats, and of its answer a map of the window.

    source : what is read; layout : of windows; nodata : value of pixels that hold nothing;
    facts : of the model; layers : of the engine's map
    """

    source: Source
    layout: Grid
    facts: ModelFacts
    nodata: float | None = None
    layers: int = 1

    def load(self, window: Window) -> Window:
        """Read a window's pixels."""
        rows, cols = self.layout.rows.window(window.row), self.layout.cols.window(window.col)
        pixels = self.source.read(window.plane, rows, cols)
        return Window(window.plane, window.row, window.col, pixels)

    def known(self, window: Window) -> Pixels:
        """Values of a loaded window that hold data and are shown to the model, (C, N)."""
        assert window.pixels is not None
        return window.pixels[: len(self.facts.channel_names), ~self._holes(window)]

    def answer(self, windows: Sequence[Window], engine: Engine) -> list[Map]:
        """Ask an engine about windows that are loaded; (L, h, w) each, on the scene's own pixels.

        A window without any data is not shown to the engine.
        """
        seen = [self._holes(window) for window in windows]
        shown = [
            self._shown(window, holes)
            for window, holes in zip(windows, seen, strict=True)
            if not holes.all()
        ]
        said = iter(engine(np.stack(shown))) if shown else iter(())
        return [self._placed(None if holes.all() else next(said), holes) for holes in seen]

    def _holes(self, window: Window) -> NDArray[np.bool_]:
        assert window.pixels is not None
        holes = ~holds_data(window.pixels[: len(self.facts.channel_names)], self.nodata)
        rows, cols = self.layout.rows.window(window.row), self.layout.cols.window(window.col)
        hidden = self.source.hidden(window.plane, rows, cols)
        return holes if hidden is None else holes | hidden

    def _shown(self, window: Window, holes: NDArray[np.bool_]) -> Pixels:
        """Fill holes, repeat the last row and column beyond the scene, resize, mirror."""
        assert window.pixels is not None
        pixels = _filled(window.pixels[: len(self.facts.channel_names)], holes, self.facts)
        below = self.layout.rows.size - pixels.shape[1]
        right = self.layout.cols.size - pixels.shape[2]
        if below or right:
            pixels = np.pad(pixels, ((0, 0), (0, below), (0, right)), mode="edge")
        shown = self.layout.shown
        pixels = pixels if pixels.shape[1:] == shown else resize_image(pixels, shown)
        below, right = self.layout.mirrored
        if not (below or right):
            return pixels
        return np.pad(pixels, ((0, 0), (0, below), (0, right)), mode="reflect")

    def _placed(self, said: Map | None, holes: NDArray[np.bool_]) -> Map:
        """Undo mirroring, resizing and padding; nan where there is no data."""
        if said is None:
            return np.full((self.layers, *holes.shape), np.nan, dtype=np.float32)
        layers = said if said.ndim == 3 else said[np.newaxis]
        layers = layers[:, : self.layout.shown[0], : self.layout.shown[1]]
        size = (self.layout.rows.size, self.layout.cols.size)
        if layers.shape[1:] != size:
            layers = resize_image(layers, size)
        placed: Map = layers[:, : holes.shape[0], : holes.shape[1]]
        if holes.any():
            placed = np.where(holes, np.float32(np.nan), placed)
        return placed


def _filled(pixels: Pixels, holes: NDArray[np.bool_], facts: ModelFacts) -> Pixels:
    """Put the training images' mean, which is 0 for the network, where the image holds nothing."""
    if not holes.any():
        return pixels
    mean = np.array(facts.mean)[:, None, None]
    if pixels.dtype.kind in "ui":
        limits = np.iinfo(pixels.dtype)
        mean = np.clip(np.rint(mean), limits.min, limits.max)
    return np.where(holes, mean.astype(pixels.dtype), pixels)
