"""A stream of windows: each pixel handed out once, in order, and errors do not hang it."""

import threading

import numpy as np
import pytest

from crosspatch.errors import InputError, SettingsError
from crosspatch.prediction.reader import Reader
from crosspatch.prediction.stream import draw, locally, plan
from crosspatch.prediction.windows import grid


class Scene:
    """Two planes whose first channel says where a pixel is; remembers what was read."""

    planes, height, width = 2, 70, 50

    def __init__(self):
        rows, cols = np.mgrid[: self.height, : self.width]
        base = (rows + cols).astype(np.float32) / 120
        self.pixels = np.stack([np.stack([base, 1 - base]), np.stack([1 - base, base])])
        self.reads = []

    def read(self, plane, rows, cols):
        self.reads.append((plane, rows, cols, threading.get_ident()))
        return self.pixels[plane][:, slice(*rows), slice(*cols)]

    def hidden(self, plane, rows, cols):
        return None


class Collect:
    def __init__(self, scene):
        self.map = np.full((scene.planes, scene.height, scene.width), -1.0, np.float32)
        self.blocks, self.finished, self.threads = [], 0, set()

    def take(self, block):
        h, w = block.probability.shape
        place = self.map[block.plane, block.row : block.row + h, block.col : block.col + w]
        assert (place == -1).all()
        place[...] = block.probability
        assert np.array_equal(block.pixels[0, :h, :w] >= 0.5, block.mask == 1)
        self.blocks.append((block.plane, block.row, block.col))
        self.threads.add(threading.get_ident())

    def finish(self):
        self.finished += 1

    def close(self):
        pass


@pytest.fixture
def reader(make_model):
    scene = Scene()
    return Reader(scene, grid(70, 50, size=32, halo=4), make_model(dtype="float32").facts)


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_blocks_come_in_reading_order_and_cover_each_pixel_once(reader, batch):
    collect, told = Collect(reader.source), []
    draw(
        reader, locally(reader, lambda w: w[:, 0]), [collect], batch=batch,
        progress=lambda *args: told.append(args),
    )  # fmt: skip
    np.testing.assert_allclose(collect.map, reader.source.pixels[:, 0], atol=1e-6)
    assert collect.blocks == sorted(collect.blocks)
    assert collect.finished == 1
    assert told[-1] == ("predicting", len(collect.blocks), len(collect.blocks))
    assert max(rows[1] - rows[0] for _, rows, _, _ in reader.source.reads) <= 32


def test_reading_predicting_and_writing_have_threads_of_their_own(reader):
    collect, engines = Collect(reader.source), set()

    def engine(windows):
        engines.add(threading.get_ident())
        return windows[:, 0]

    draw(reader, locally(reader, engine), [collect], batch=2)
    readers = {thread for *_, thread in reader.source.reads}
    assert engines == {threading.get_ident()}
    assert len(engines | readers | collect.threads) == 3


def test_a_second_layer_is_blended_too_and_holes_have_both(reader, make_model):
    scene = reader.source
    scene.pixels[:, :, :40] = np.nan
    two = Reader(scene, reader.layout, reader.facts, layers=2)
    uncertain = []

    class Look(Collect):
        def take(self, block):
            uncertain.append((block.probability, block.uncertainty))

    draw(two, locally(two, lambda w: np.stack([w[:, 0], w[:, 1]], axis=1)), [Look(scene)], batch=3)
    for probability, uncertainty in uncertain:
        assert np.array_equal(np.isnan(probability), np.isnan(uncertainty))
        np.testing.assert_allclose(uncertainty, 1 - probability, atol=1e-6)
    assert any(np.isnan(probability).all() for probability, _ in uncertain)


def test_windows_without_data_are_not_shown_to_the_network(reader):
    reader.source.pixels[0] = np.nan
    shown = []
    draw(
        reader, locally(reader, lambda w: shown.extend(w) or w[:, 0]),
        [Collect(reader.source)] * 0, batch=4,
    )  # fmt: skip
    assert len(shown) == len(reader.layout)


@pytest.mark.parametrize("where", ["read", "predict", "write"])
def test_an_error_anywhere_ends_the_stream_with_it(reader, where):
    calls = []

    def fail_in(place, value=None):
        if place == where:
            calls.append(place)
            if len(calls) == 3:
                raise InputError(f"{place} failed")
        return value

    collect = Collect(reader.source)
    take, read = collect.take, reader.source.read
    collect.take = lambda block: fail_in("write", take(block))
    reader.source.read = lambda *args: fail_in("read", read(*args))
    with pytest.raises(InputError, match=f"{where} failed"):
        draw(reader, locally(reader, lambda w: fail_in("predict", w[:, 0])), [collect], batch=1)
    assert collect.finished == 0


def test_units_are_whole_rows_that_hold_a_batch():
    layout = grid(100, 70, size=32, halo=0)  # 4 rows of 3 windows
    assert [sum(map(len, unit)) for unit in plan(layout, 1, 3)] == [3, 3, 3, 3]
    assert [[len(group) for group in unit] for unit in plan(layout, 1, 4)] == [[4, 2], [4, 2]]
    assert [sum(map(len, unit)) for unit in plan(layout, 3, 24)] == [24, 12]
    with pytest.raises(SettingsError, match="at least one window, not 0"):
        plan(layout, 1, 0)
