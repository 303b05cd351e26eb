"""Outlines traced from a mask fill back to it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import binary_fill_holes

from crosspatch.volunteers.rasterize import area, fill
from crosspatch.volunteers.trace import trace, trace_level

any_mask = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 11)),
                  elements=st.sampled_from([0, 1, 255]))  # fmt: skip


def test_one_pixel_by_hand():
    mask = np.zeros((4, 6), np.uint8)
    mask[2, 3] = 1
    (outline,) = trace(mask)
    assert sorted(map(tuple, outline)) == [(2.0, 3.5), (2.5, 3.0), (2.5, 4.0), (3.0, 3.5)]


def test_a_block_runs_along_its_pixels_edges():
    mask = np.zeros((20, 30), np.uint8)
    mask[4:9, 11:25] = 1
    (outline,) = trace(mask)
    assert outline.min(axis=0).tolist() == [4, 11]
    assert outline.max(axis=0).tolist() == [9, 25]
    assert abs(area(outline)) == 5 * 14 - 4 / 8  # each corner is cut by an eighth of a pixel


@given(any_mask)
def test_filling_what_was_traced_gives_the_objects_back_without_holes(mask):
    """To the pixel; a hole that touches the outside by a corner only is a hole."""
    assert np.array_equal(fill(trace(mask), mask.shape), binary_fill_holes(mask == 1))


def test_objects_at_the_frame_are_closed_along_it():
    full = np.ones((3, 4), np.uint8)
    assert fill(trace(full), (3, 4)).all()
    assert len(trace(full)) == 1


def test_nothing_has_no_outline():
    assert trace(np.zeros((5, 5), np.uint8)) == []
    assert trace(np.full((5, 5), 255, np.uint8)) == []


def test_a_level_set_has_the_right_size():
    row, column = np.mgrid[:60, :80] + 0.5
    distance = np.hypot(row - 31.3, column - 40.7)
    (outline,) = trace_level(distance, 20.0)
    assert np.allclose(np.hypot(*(outline - [31.3, 40.7]).T), 20, atol=0.02)
