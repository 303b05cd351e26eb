"""The same windows on a Dask cluster (the extra ``cluster``): workers read and predict.

Workers must reach the image and the model under the same paths. Each task is one group of windows,
so a worker that dies costs its groups, which Dask gives to another. What workers say is blended and
written here, each tile and chunk once; so the map is the one that a single process draws.
"""

import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from crosspatch.errors import CrosspatchError, MissingExtraError
from crosspatch.images.raster import Raster, open_raster
from crosspatch.models.facts import ModelFacts
from crosspatch.prediction.engines import EngineWish, LoadedEngine
from crosspatch.prediction.reader import Pixels, Reader, Window
from crosspatch.prediction.stream import Answers, Group
from crosspatch.prediction.windows import Grid, Map

_TIMEOUT = 20  # seconds to find the scheduler
_RETRIES = 3
_LOCK = Lock()  # files and engines of a worker serve one task at a time


class Bands:
    """Channels of a raster as a `crosspatch.prediction.reader.Source`.

    raster : what is read; channels : from 0, the model's first
    """

    def __init__(self, raster: Raster, channels: Sequence[int]) -> None:
        self._raster, self._channels = raster, tuple(channels)
        self.hidden = raster.hidden
        facts = raster.facts
        self.planes, self.height, self.width = facts.planes, facts.height, facts.width

    def read(self, plane: int, rows: tuple[int, int], cols: tuple[int, int]) -> Pixels:
        """Read a rectangle of the channels."""
        return self._raster.read(plane, rows, cols, self._channels)


@dataclass(frozen=True)
class Task:
    """What a worker needs to draw windows of one image.

    path : of the image; channels : that are read; the rest as in `Reader`; wanted : the engine
    """

    path: Path
    channels: tuple[int, ...]
    layout: Grid
    facts: ModelFacts
    nodata: float | None
    layers: int
    wanted: EngineWish
    token: str

    @classmethod
    def of(cls, path: Path, channels: Sequence[int], reader: Reader, wanted: EngineWish) -> "Task":
        """Describe what a reader here reads; of its channels only those that the model sees."""
        facts = replace(reader.facts, contents=frozenset(), source_contents=frozenset())
        seen = tuple(channels[: len(facts.channel_names)])
        return cls(
            path.resolve(), seen, reader.layout, facts, reader.nodata, reader.layers, wanted,
            uuid.uuid4().hex,
        )  # fmt: skip


@contextmanager
def connected(scheduler: str) -> Iterator[Any]:
    """Connect to a Dask scheduler, such as ``tcp://node1:8786``.

    Raises
    ------
    CrosspatchError
        None answers there, or it has no workers.
    MissingExtraError
        Dask is not installed.
    """
    try:
        from distributed import Client
    except ImportError:
        raise MissingExtraError(f"--scheduler {scheduler}", "cluster") from None
    try:
        client: Any = Client(  # type: ignore[no-untyped-call]
            scheduler, timeout=_TIMEOUT, set_as_default=False
        )
    except (OSError, ValueError) as error:
        raise CrosspatchError(f"--scheduler {scheduler}: cannot be reached ({error})") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=_TIMEOUT)
        except TimeoutError:
            raise CrosspatchError(f"--scheduler {scheduler}: has no workers; start some") from None
        yield client


def by_workers(client: Any, task: Task) -> Answers:
    """Ask the engines of a cluster's workers, a few groups each at a time."""

    def answers(groups: Iterator[Group]) -> Iterator[tuple[Group, list[Map]]]:
        waiting: deque[tuple[Group, Any]] = deque()
        for group in groups:
            places = [(window.plane, window.row, window.col) for window in group.windows]
            future = client.submit(_answer, task, places, pure=False, retries=_RETRIES)
            waiting.append((group, future))
            if len(waiting) > 2 * len(client.scheduler_info(n_workers=-1)["workers"]):
                yield _gathered(*waiting.popleft())
        while waiting:
            yield _gathered(*waiting.popleft())

    return answers


def _gathered(group: Group, future: Any) -> tuple[Group, list[Map]]:
    from distributed import KilledWorker

    try:
        return group, future.result()
    except KilledWorker as error:
        raise CrosspatchError(
            f"workers died again and again on the same windows ({error}): out of memory? The same "
            "command goes on where this one stopped"
        ) from None


def _answer(task: Task, places: Sequence[tuple[int, int, int]]) -> list[Map]:
    """Draw windows in a worker."""
    with _LOCK:
        reader = _image(task)
        engine = _engine(task.wanted).predict
        return reader.answer([reader.load(Window(*place)) for place in places], engine)


_OPEN: dict[str, tuple[Reader, ExitStack]] = {}  # in a worker: the image at hand


def _image(task: Task) -> Reader:
    """Open an image once for all its tasks; it is closed when those of the next come."""
    if task.token not in _OPEN:
        for token in list(_OPEN):
            _OPEN.pop(token)[1].close()
        opened = ExitStack()
        raster = opened.enter_context(open_raster(task.path))
        source = Bands(raster, task.channels)
        reader = Reader(source, task.layout, task.facts, task.nodata, task.layers)
        _OPEN[task.token] = reader, opened
    return _OPEN[task.token][0]


@lru_cache(maxsize=1)
def _engine(wanted: EngineWish) -> LoadedEngine:
    return wanted.load()
