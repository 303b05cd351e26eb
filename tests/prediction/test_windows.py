"""Cells cover every pixel once, windows blend without a trace, and memory is one overlap's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosspatch.errors import SettingsError
from crosspatch.prediction.windows import Blender, grid

sides = st.integers(1, 90)
layouts = st.builds(
    grid,
    sides,
    sides,
    size=st.integers(1, 40),
    halo=st.integers(0, 12),
    multiple=st.sampled_from([1, 2, 4, 8, 16]),
)


def assemble(layout, pixels, predict):
    """Blend a whole map (L, H, W), checking that each pixel is finished once."""
    shape = (layout.rows.length, layout.cols.length)
    whole, times, blender = None, np.zeros(shape, int), Blender(layout)
    for row in range(len(layout.rows)):
        for col in range(len(layout.cols)):
            (first, end), (start, stop) = layout.rows.window(row), layout.cols.window(col)
            cell = blender.add(row, col, predict(pixels[:, first:end, start:stop]))
            (top, bottom), (left, right) = layout.rows.cell(row), layout.cols.cell(col)
            whole = np.zeros((len(cell), *shape), np.float32) if whole is None else whole
            whole[:, top:bottom, left:right] = cell
            times[top:bottom, left:right] += 1
    assert (times == 1).all()
    return whole


@given(layouts)
def test_windows_hold_their_cells_and_lie_on_the_scene(layout):
    for axis in (layout.rows, layout.cols):
        assert axis.origins[0] == 0
        assert (np.diff(axis.origins) > 0).all()
        assert axis.origins[-1] + axis.size >= axis.length
        assert axis.shared <= axis.stride or len(axis) == 1
        for index, origin in enumerate(axis.origins):
            start, end = axis.cell(index)
            assert origin <= start < end <= origin + axis.size
            if index < len(axis) - 1:  # all but the last hold what they share with the next
                assert end + axis.shared <= origin + axis.size


@given(sides, st.integers(16, 40), st.integers(0, 12))
def test_neighbours_share_two_halos_at_least_if_that_is_half_a_window_or_less(length, size, halo):
    axis = grid(length, 1, size=size, halo=halo).rows
    if len(axis) > 1:
        assert axis.shared >= 2 * min(halo, size // 4)


@given(layouts)
def test_a_pointwise_function_comes_out_as_if_done_in_one_piece(layout):
    shape = (2, layout.rows.length, layout.cols.length)
    pixels = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    blended = assemble(layout, pixels, lambda w: np.stack([2 * (w[0] - w[1]), w[1]]))
    np.testing.assert_allclose(blended[0], 2 * (pixels[0] - pixels[1]), atol=1e-5)
    np.testing.assert_allclose(blended[1], pixels[1], atol=1e-5)


@given(layouts, st.integers(0, 89), st.integers(0, 89))
def test_no_data_stays_where_it_is(layout, row, col):
    pixels = np.full((1, layout.rows.length, layout.cols.length), 0.25, dtype=np.float32)
    hole = (0, row % layout.rows.length, col % layout.cols.length)
    pixels[hole] = np.nan
    blended = assemble(layout, pixels, lambda w: w)
    assert np.argwhere(np.isnan(blended)).tolist() == [list(hole)]
    np.testing.assert_allclose(blended[np.isfinite(blended)], 0.25, atol=1e-6)


def test_a_window_counts_from_half_a_halo_on_and_fully_from_one_and_a_half():
    layout = grid(24, 1, size=16, halo=4)
    assert (layout.rows.origins, layout.rows.stride) == ((0, 8), 8)
    seen = iter((1.0, 3.0))
    pixels = np.zeros((1, 24, 1), np.float32)
    blended = assemble(layout, pixels, lambda w: np.full_like(w, next(seen)))[0, :, 0]
    rise = np.sin(np.pi / 2 * np.array([0.125, 0.375, 0.625, 0.875])) ** 2
    # the overlap is rows 8 to 15: two dead pixels, a raised cosine over four, two that are full
    np.testing.assert_allclose(blended, [1] * 10 + list(1 + 2 * rise) + [3] * 10, atol=1e-6)


def test_the_fewest_windows_are_laid_and_no_larger_than_needed():
    # 350: one window would do with 384, so 384 it is.
    assert grid(350, 350, size=512, halo=32, multiple=64).shown == (384, 384)
    # 520: two windows; of 320 they share 64, each cell is 256 long.
    rows = grid(520, 1, size=512, halo=32, multiple=64).rows
    assert (rows.size, rows.stride, rows.origins) == (320, 256, (0, 256))
    # 1000: 512 each and 448 apart are three; 384 each and 320 apart are three too.
    rows = grid(1000, 1, size=512, halo=32, multiple=64).rows
    assert (rows.size, rows.stride, rows.origins) == (384, 320, (0, 320, 640))


def test_the_last_window_ends_with_the_scene_on_the_networks_grid():
    rows = grid(8300, 1, size=512, halo=32, multiple=64).rows
    assert (len(rows), rows.size, rows.stride) == (19, 512, 448)
    assert rows.origins[-1] == 7808  # 8300 - 512 = 7788, rounded up to 64
    assert rows.cell(18) == (8064, 8300)


def test_cells_leave_the_networks_grid_where_it_would_cost_many_more():
    # 96 apart is wanted; 64 apart would be half as many again.
    assert grid(320, 1, size=128, halo=16, multiple=64).rows.stride == 96
    # 90 apart is wanted: 80 is a multiple of 16, so tiles can be cells.
    assert grid(320, 1, size=112, halo=11, multiple=16).rows.stride == 80


def test_a_window_shrinks_to_a_small_scene_on_the_networks_grid():
    layout = grid(100, 30, size=256, halo=32, multiple=64)
    assert layout.shown == (128, 64)
    assert len(layout) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0, "halo": 0}, "at least one pixel a side, not 0"),
        ({"size": 8, "halo": -1}, "0 pixels or more, not -1"),
    ],
)
def test_impossible_windows_are_refused(settings, message):
    with pytest.raises(SettingsError, match=message):
        grid(10, 10, **settings)
