"""Resizing: areas for images, nearest pixels for masks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosspatch.images.resize import resize_image, resize_mask, resize_probability

rng = np.random.default_rng(3)
sizes = st.tuples(st.integers(1, 30), st.integers(1, 30))


def test_shrinking_averages_areas():
    pixels = np.array([[[0, 10, 20, 30, 40, 60], [100, 110, 120, 130, 140, 160]]], np.float32)
    # Halves of columns: (0 + 10) / 2 ... and both rows stay.
    assert resize_image(pixels, (2, 3)).tolist() == [[[5, 25, 50], [105, 125, 150]]]
    # 6 columns to 4: each covers one column and a half.
    expected = [[(0 + 5) / 1.5, (5 + 20) / 1.5, (30 + 20) / 1.5, (20 + 60) / 1.5]]
    np.testing.assert_allclose(resize_image(pixels[:, :1], (1, 4))[0], expected, rtol=1e-6)


def test_enlarging_interpolates_between_pixel_centres():
    pixels = np.array([[[0, 8]]], np.float64)
    # Centres of the four new pixels lie at -1/4, 1/4, 3/4, 5/4 of the old ones; edges are held.
    assert resize_image(pixels, (1, 4)).tolist() == [[[0, 2, 6, 8]]]


def test_axes_are_not_mixed_up():
    pixels = np.arange(4, dtype=np.float32).reshape(1, 4, 1) * np.ones((1, 1, 6), np.float32)
    np.testing.assert_allclose(resize_image(pixels, (2, 3))[0], [[0.5] * 3, [2.5] * 3])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
def test_a_constant_stays_exactly_constant(dtype):
    for value in (7, 251, 0.1 if dtype.startswith("f") else 3):
        pixels = np.full((2, 37, 53), value, dtype)
        for size in ((512, 512), (11, 17), (1, 1), (41, 13)):
            resized = resize_image(pixels, size)
            assert resized.dtype == dtype
            assert (resized == pixels[0, 0, 0]).all()


def test_integers_are_rounded_not_cut():
    assert resize_image(np.array([[[1, 2, 2]]], np.uint8), (1, 1)).tolist() == [[[2]]]
    assert resize_image(np.array([[[-1, -2, -2]]], np.int16), (1, 1)).tolist() == [[[-2]]]
    assert resize_image(np.array([[[65535, 65535, 0]]], np.uint16), (1, 1)).tolist() == [[[43690]]]


def test_nan_spreads_only_where_it_has_a_part():
    pixels = np.ones((1, 1, 8))
    pixels[0, 0, 2] = np.nan
    assert np.isnan(resize_image(pixels, (1, 4))).tolist() == [[[False, True, False, False]]]


def test_shrinking_fine_stripes_gives_grey_not_stripes():
    stripes = np.tile(np.array([0, 255], np.uint8), (1, 64, 64))
    assert set(np.unique(resize_image(stripes, (48, 32)))) <= {127, 128}


def test_shrinking_agrees_with_an_independent_average():
    pixels = rng.integers(0, 256, (3, 60, 84)).astype(np.float64)
    blocks = pixels.reshape(3, 20, 3, 21, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(resize_image(pixels, (20, 21)), blocks)


@settings(max_examples=60, deadline=None)
@given(sizes, sizes, st.integers(0, 1000))
def test_values_stay_in_their_range_and_sizes_are_as_asked(old, new, seed):
    pixels = np.random.default_rng(seed).normal(size=(2, *old)).astype(np.float32)
    resized = resize_image(pixels, new)
    assert resized.shape == (2, *new)
    for channel, source in zip(resized, pixels, strict=True):
        assert source.min() <= channel.min()
        assert channel.max() <= source.max()


@settings(max_examples=60, deadline=None)
@given(sizes, st.integers(1, 30), st.integers(1, 30))
def test_shrinking_keeps_the_mean(old, height, width):
    pixels = np.random.default_rng(0).uniform(size=(1, *old))
    size = (min(height, old[0]), min(width, old[1]))
    np.testing.assert_allclose(resize_image(pixels, size).mean(), pixels.mean())


def test_the_same_size_gives_a_copy():
    pixels = np.zeros((1, 3, 3), np.uint8)
    resized = resize_image(pixels, (3, 3))
    resized[:] = 1
    assert not pixels.any()


def test_a_probability_map_is_resized_in_float32():
    resized = resize_probability(np.array([[0.0, 1.0]]), (1, 4))
    assert resized.dtype == np.float32
    assert resized.tolist() == [[0, 0.25, 0.75, 1]]


def test_a_mask_takes_the_pixel_that_holds_the_centre():
    mask = np.array([[0, 1, 255, 7, 9]], np.uint8)
    # Five to three: centres at 5/6, 15/6, 25/6.
    assert resize_mask(mask, (1, 3)).tolist() == [[0, 255, 9]]
    assert resize_mask(mask, (2, 2)).tolist() == [[1, 7], [1, 7]]


@settings(max_examples=60, deadline=None)
@given(sizes, st.integers(1, 5), st.integers(1, 5))
def test_a_mask_enlarged_by_a_whole_factor_and_back_is_itself(size, down, across):
    mask = np.random.default_rng(1).integers(0, 256, size).astype(np.uint8)
    there = resize_mask(mask, (size[0] * down, size[1] * across))
    np.testing.assert_array_equal(resize_mask(there, size), mask)


@settings(max_examples=60, deadline=None)
@given(sizes, sizes)
def test_no_value_appears_in_a_mask_that_was_not_there(old, new):
    mask = np.random.default_rng(2).choice(np.array([0, 1, 255], np.uint8), old)
    resized = resize_mask(mask, new)
    assert resized.shape == new
    assert set(np.unique(resized)) <= set(np.unique(mask))


@pytest.mark.parametrize("resize", [resize_image, resize_mask])
def test_a_size_below_one_is_refused(resize):
    array = np.zeros((1, 4, 4), np.uint8)[0 if resize is resize_mask else slice(None)]
    with pytest.raises(ValueError, match="at least 1 x 1"):
        resize(array, (0, 3))
