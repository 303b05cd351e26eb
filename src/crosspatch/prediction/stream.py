"""From a scene to its map, window by window: reading, predicting and writing overlap.

One thread reads ahead, the caller's own asks the network, one blends and hands finished blocks to
the outputs. What is held depends on the window, the batch and the length of the queues, never on
the scene (but for one overlap's rows, see `crosspatch.prediction.windows.Blender`).
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from crosspatch.errors import SettingsError
from crosspatch.prediction.reader import Engine, Pixels, Reader, Window
from crosspatch.prediction.spool import Spool
from crosspatch.prediction.windows import Blender, Grid, Map
from crosspatch.progress import Progress, silent

IGNORED = 255
"""Value of a mask where the image holds no data."""

_AHEAD = 2  # batches that wait between reading, predicting and writing


@dataclass(frozen=True)
class Block:
    """A finished rectangle of the map.

    Blocks of a plane come in reading order, along a row of blocks, then the next row; together they
    cover every pixel once. All blocks of a row are of one height, and those of a column of one
    width.

    plane : from 0; row, col : of its first pixel; probability : (h, w) float32 in [0, 1], nan where
    the image holds no data; uncertainty : (h, w) float32 or None; pixels : (C, h, w), what `Source`
    gave; threshold : of the model
    """

    plane: int
    row: int
    col: int
    probability: Map
    uncertainty: Map | None
    pixels: Pixels
    threshold: float

    @cached_property
    def mask(self) -> NDArray[np.uint8]:
        """0 background, 1 foreground, 255 no data; (h, w)."""
        return to_mask(self.probability, self.threshold)


class Output(Protocol):
    """Something that is made of the blocks of one image, in a thread of its own."""

    def take(self, block: Block) -> None:
        """Take the next block."""

    def finish(self) -> None:
        """Put the last hand on; called once, after the last block, if nothing went wrong."""

    def close(self) -> None:
        """Let go of files and memory; called in any case, and last."""


def to_mask(probability: Map, threshold: float = 0.5) -> NDArray[np.uint8]:
    """Turn probabilities (H, W) into a mask: 1 from ``threshold`` on, 0 below, 255 where nan."""
    mask = (probability >= threshold).astype(np.uint8)
    mask[np.isnan(probability)] = IGNORED
    return mask


@dataclass(frozen=True)
class Group:
    """Windows that an engine sees together, always the same ones, so that maps are the same.

    unit : what it belongs to, see `plan`; ends : whether it is the unit's last
    """

    unit: int
    ends: bool
    windows: tuple[Window, ...]


Answers = Callable[[Iterator[Group]], Iterator[tuple[Group, list[Map]]]]
"""Groups whose pixels are loaded -> the same in order, with the map (L, h, w) of each window."""


def plan(layout: Grid, planes: int, batch: int) -> list[list[range]]:
    """Cut all windows into units, and those into groups of ``batch``.

    A unit is what a stopped run does not do twice: whole rows of windows, as many as a batch needs.

    Returns
    -------
    list of units, each a list of groups: ranges of windows, numbered in reading order over planes
    """
    if batch < 1:
        raise SettingsError(f"a batch holds at least one window, not {batch}")
    wide = -(-batch // len(layout.cols)) * len(layout.cols)
    total = len(layout) * planes
    return [
        [range(a, min(a + batch, end)) for a in range(start, end, batch)]
        for start, end in ((start, min(start + wide, total)) for start in range(0, total, wide))
    ]


def locally(reader: Reader, engine: Engine) -> Answers:
    """Ask an engine of this process."""

    def answers(groups: Iterator[Group]) -> Iterator[tuple[Group, list[Map]]]:
        for group in groups:
            yield group, reader.answer(group.windows, engine)

    return answers


def draw(
    reader: Reader,
    answers: Answers,
    outputs: Sequence[Output],
    *,
    batch: int,
    spool: Spool | None = None,
    progress: Progress = silent,
) -> None:
    """Draw the map of a source and hand it to outputs, block by block.

    Parameters
    ----------
    reader : Reader
    answers : callable
        `locally`, or the like on a cluster.
    outputs : sequence of Output
        All take each block, in order; then all finish. The caller closes them.
    batch : int
        Windows predicted together.
    spool : Spool, optional
        Keeps what is finished, so that a stopped run goes on; probabilities are then rounded down
        to its steps, in any run.
    progress : Progress
        Told how many windows are done.
    """
    layout, source = reader.layout, reader.source
    units = plan(layout, source.planes, batch)
    total = len(layout) * source.planes
    done = 0 if spool is None else spool.open(len(units))
    hand = _Hand(layout, outputs, reader.facts.threshold, spool)
    with ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as writing:
        groups = _ahead(reading, _groups(units, layout, reader))
        waiting: deque[tuple[int, Future[None]]] = deque()

        def wait(most: int) -> None:
            while len(waiting) > most:
                count, future = waiting.popleft()
                future.result()
                if count >= replayed:  # what was finished before says nothing of how fast it goes
                    progress("predicting", count, total)

        count = replayed = 0
        for group, maps in _replayed(groups, done, answers):
            count += len(group.windows)
            replayed = count if maps is None else replayed
            waiting.append((count, writing.submit(hand.take, group, maps)))
            wait(_AHEAD)
        wait(0)
        finishing = [
            pool.submit(output.finish)
            for pool, output in zip(cycle((reading, writing)), outputs, strict=False)
        ]
        for future in finishing:
            future.result()


def _groups(units: list[list[range]], layout: Grid, reader: Reader) -> Iterator[Group]:
    """Load all groups in order."""
    across = len(layout.cols)
    for number, unit in enumerate(units):
        for index, numbers in enumerate(unit):
            places = (divmod(number, len(layout)) for number in numbers)
            windows = (Window(plane, *divmod(place, across)) for plane, place in places)
            yield Group(number, index == len(unit) - 1, tuple(map(reader.load, windows)))


def _ahead(pool: ThreadPoolExecutor, items: Iterator[Group]) -> Iterator[Group]:
    """Draw from an iterator in a thread of one, some items ahead of the caller."""
    waiting = deque(pool.submit(next, items, None) for _ in range(_AHEAD))
    while (item := waiting.popleft().result()) is not None:
        waiting.append(pool.submit(next, items, None))
        yield item


def _replayed(
    groups: Iterator[Group], done: int, answers: Answers
) -> Iterator[tuple[Group, list[Map] | None]]:
    """Leave out the engine for units that a stopped run has finished."""
    if done == 0:
        yield from answers(groups)
        return
    for group in groups:
        yield group, None
        if group.ends and group.unit == done - 1:
            break
    yield from answers(groups)


class _Hand:
    """Blends windows and hands blocks out; or takes them from the spool."""

    def __init__(
        self, layout: Grid, outputs: Sequence[Output], threshold: float, spool: Spool | None
    ) -> None:
        self._layout, self._outputs, self._threshold = layout, outputs, threshold
        self._spool = spool
        self._blender = Blender(layout)

    def take(self, group: Group, maps: list[Map] | None) -> None:
        for index, window in enumerate(group.windows):
            if maps is None:
                assert self._spool is not None
                cell = self._spool.replay()
            else:
                cell = self._blender.add(window.row, window.col, maps[index])
                if self._spool is not None:
                    cell = self._spool.keep(cell)
            self._hand_out(window, cell)
        if group.ends and self._spool is not None:
            if maps is None:
                self._blender.below = self._spool.replay_below()
            else:
                self._spool.commit(self._blender.below)

    def _hand_out(self, window: Window, cell: Map) -> None:
        rows, cols = self._layout.rows, self._layout.cols
        (top, bottom), (left, right) = rows.cell(window.row), cols.cell(window.col)
        first, start = rows.window(window.row)[0], cols.window(window.col)[0]
        assert window.pixels is not None
        block = Block(
            plane=window.plane,
            row=top,
            col=left,
            probability=cell[0],
            uncertainty=cell[1] if len(cell) > 1 else None,
            pixels=window.pixels[:, top - first : bottom - first, left - start : right - start],
            threshold=self._threshold,
        )
        for output in self._outputs:
            output.take(block)
