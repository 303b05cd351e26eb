"""Which pixels of an image hold something."""

import numpy as np

from crosspatch import images


def test_whole_numbers_hold_data_unless_all_channels_say_otherwise():
    pixels = np.array([[[0, 0, 7]], [[0, 3, 0]]], dtype=np.int16)
    assert images.holds_data(pixels).tolist() == [[True, True, True]]
    assert images.holds_data(pixels, nodata=0).tolist() == [[False, True, True]]
    assert images.holds_data(pixels, nodata=float("nan")).tolist() == [[True, True, True]]


def test_one_channel_that_is_not_finite_is_no_data():
    pixels = np.array([[[0, np.nan, 7]], [[np.inf, 3, 0]]], dtype=np.float32)
    assert images.holds_data(pixels).tolist() == [[False, False, True]]


def test_an_image_knows_its_own_no_data():
    pixels = np.array([[[0, 9, 9]]], dtype=np.uint8)
    here = images.Georeference("", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), 9.0)
    assert images.Image(pixels, None, here).valid.tolist() == [[True, False, False]]
    assert images.Image(pixels).valid.all()
