"""Windows cover every pixel, blend without a trace, and stream from top to bottom."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosspatch.errors import SettingsError
from crosspatch.prediction.windows import grid, stitch

sides = st.integers(1, 90)
layouts = st.builds(
    grid,
    sides,
    sides,
    size=st.integers(1, 40),
    overlap=st.floats(0, 0.75),
    multiple=st.sampled_from([1, 2, 4, 8, 16]),
)


def assemble(layout, pixels, predict, **settings):
    """Stitch a whole map, checking that its rows come in order and without gaps."""
    parts, reached = [], 0
    for first, rows in stitch(layout, lambda a, b: pixels[:, a:b], predict, **settings):
        assert first == reached
        reached += len(rows)
        parts.append(rows)
    assert reached == layout.rows.length
    return np.concatenate(parts)


@given(layouts)
def test_weights_sum_to_one_at_every_pixel_and_are_zero_beyond_the_scene(layout):
    for axis in (layout.rows, layout.cols):
        total = np.zeros(axis.origins[-1] + axis.size)
        for origin, weights in zip(axis.origins, axis.weights, strict=True):
            assert origin >= 0
            assert weights.min() >= 0
            total[origin : origin + axis.size] += weights
        np.testing.assert_allclose(total[: axis.length], 1.0, atol=1e-6)
        assert not total[axis.length :].any()


@given(layouts)
def test_windows_start_on_the_scene_and_neighbours_touch(layout):
    for axis in (layout.rows, layout.cols):
        assert axis.origins[0] == 0
        assert axis.origins[-1] < axis.length
        assert axis.origins[-1] + axis.size >= axis.length
        steps = np.diff(axis.origins)
        assert (steps > 0).all()
        assert (steps <= axis.size).all()


@given(sides, st.integers(8, 40), st.floats(0, 0.75))
def test_neighbours_share_at_least_the_overlap(length, size, overlap):
    axis = grid(length, 1, size=size, overlap=overlap).rows
    shared = axis.size - np.diff(axis.origins)
    assert (shared >= np.floor(overlap * axis.size)).all()


@given(layouts, st.integers(1, 7))
def test_a_pointwise_function_comes_out_as_if_done_in_one_piece(layout, batch):
    shape = (2, layout.rows.length, layout.cols.length)
    pixels = np.random.default_rng(5).normal(size=shape).astype(np.float32)

    def twice_the_difference(windows):
        assert windows.shape[2:] == (layout.rows.size, layout.cols.size)
        assert len(windows) <= batch
        return 2 * (windows[:, 0] - windows[:, 1])

    blended = assemble(layout, pixels, twice_the_difference, batch=batch)
    np.testing.assert_allclose(blended, 2 * (pixels[0] - pixels[1]), atol=1e-5)


@given(layouts)
def test_a_constant_stays_constant(layout):
    pixels = np.zeros((1, layout.rows.length, layout.cols.length), dtype=np.uint8)
    blended = assemble(layout, pixels, lambda w: np.full((len(w), *w.shape[2:]), 0.3, np.float32))
    np.testing.assert_allclose(blended, 0.3, atol=1e-6)


def test_origins_are_the_fewest_spread_evenly():
    # 350 with 256 and a quarter shared: two windows would do with 192 apart, 94 is enough.
    assert grid(350, 256, size=256).rows.origins == (0, 94)
    assert grid(350, 256, size=256).cols.origins == (0,)
    # 1000: stride at most 192, last at 744: four steps of 186.
    assert grid(1000, 1, size=256).rows.origins == (0, 186, 372, 558, 744)


def test_origins_lie_on_the_networks_grid():
    # 350 = 64 * 5 + 30: the last window starts at 128 and reaches 34 pixels beyond the scene.
    assert grid(350, 1000, size=256, multiple=64).rows.origins == (0, 128)
    assert grid(350, 1000, size=256, multiple=64).cols.origins == (0, 192, 384, 576, 768)


def test_windows_leave_the_networks_grid_where_it_would_cost_many_more():
    axis = grid(100, 1, size=64, overlap=0.25, multiple=64).rows
    assert axis.size == 64
    assert axis.origins == (0, 36)
    # 96 apart is wanted; 64 apart would be half as many again.
    assert grid(320, 1, size=128, overlap=0.25, multiple=64).rows.origins == (0, 96, 192)
    # 86 apart is wanted, 80 apart is nearly that.
    assert grid(320, 1, size=112, overlap=0.23, multiple=16).rows.origins == (0, 64, 128, 208)


def test_a_window_shrinks_to_a_small_scene_on_the_networks_grid():
    layout = grid(100, 30, size=256, multiple=64)
    assert (layout.rows.size, layout.cols.size) == (128, 64)
    assert len(layout) == 1


def test_an_overlap_of_eight_has_two_dead_pixels_and_a_raised_cosine():
    before, after = grid(24, 1, size=16, overlap=0.5).rows.weights
    rise = [0, 0, *(np.sin(np.pi / 2 * np.array([0.125, 0.375, 0.625, 0.875])) ** 2), 1, 1]
    np.testing.assert_allclose(after, rise + [1] * 8, atol=1e-7)
    np.testing.assert_allclose(before, [1] * 8 + rise[::-1], atol=1e-7)


def test_a_window_beyond_the_scene_repeats_its_last_row_and_column():
    pixels = np.array([[[1, 2, 3], [4, 5, 6]]], dtype=np.uint8)
    seen = []

    def remember(windows):
        seen.extend(windows)
        return np.zeros((len(windows), *windows.shape[2:]), dtype=np.float32)

    assemble(grid(2, 3, size=4, multiple=4), pixels, remember)
    assert np.array_equal(seen[0][0], [[1, 2, 3, 3], [4, 5, 6, 6], [4, 5, 6, 6], [4, 5, 6, 6]])
    assert seen[0].dtype == np.uint8


def test_only_a_strip_of_the_scene_is_read_at_a_time():
    layout, read = grid(1000, 8, size=32, overlap=0.25), []

    def rows(first, end):
        read.append((first, end))
        return np.zeros((1, end - first, 8), dtype=np.float32)

    emitted = [len(part) for _, part in stitch(layout, rows, lambda w: w[:, 0])]
    assert max(end - first for first, end in read) == 32
    assert [first for first, _ in read] == list(layout.rows.origins)
    assert max(emitted) <= 32
    assert sum(emitted) == 1000


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0}, "at least one pixel a side, not 0"),
        ({"size": 8, "overlap": 0.9}, r"0 to 0.75 of their size, not by 0.9"),
        ({"size": 8, "overlap": -0.1}, "not by -0.1"),
        ({"size": 8, "overlap": float("nan")}, "not by nan"),
    ],
)
def test_impossible_windows_are_refused(settings, message):
    with pytest.raises(SettingsError, match=message):
        grid(10, 10, **settings)


def test_an_empty_batch_is_refused():
    with pytest.raises(SettingsError, match="at least one window, not 0"):
        list(stitch(grid(4, 4, size=4), lambda a, b: np.zeros((1, b - a, 4)), None, batch=0))
