"""Eight views: undone exactly, equal for what does not care, apart for what does."""

import numpy as np
import pytest
import torch

from crosspatch.models.generator import Generator
from crosspatch.prediction.scene import predict_probability, window_predictor
from crosspatch.prediction.uncertainty import (
    VIEWS,
    predict_with_uncertainty,
    subject_uncertainty,
    unview,
    view,
    with_uncertainty,
)

WINDOWS = np.random.default_rng(5).integers(0, 255, (2, 3, 6, 9)).astype(np.uint8)


def test_the_views_are_eight_different_ones_and_each_is_undone():
    seen = {view(WINDOWS[0], *one).tobytes() for one in VIEWS}
    assert len(seen) == 8
    assert VIEWS[0] == (0, False)
    for one in VIEWS:
        assert np.array_equal(unview(view(WINDOWS, *one), *one), WINDOWS)


def test_a_model_that_sees_single_pixels_is_sure():
    said = with_uncertainty(lambda windows: (windows[:, 0] / 255).astype(np.float32))(WINDOWS)
    assert said.shape == (2, 2, 6, 9)
    assert said.dtype == np.float32
    np.testing.assert_array_equal(said[:, 0], (WINDOWS[:, 0] / 255).astype(np.float32))
    np.testing.assert_allclose(said[:, 1], 0.0, atol=1e-6)


def test_the_spread_of_a_model_that_looks_at_the_left_is_worked_by_hand():
    def left_half(windows):
        said = np.zeros((len(windows), *windows.shape[2:]), np.float32)
        said[..., : windows.shape[3] // 2] = 1.0
        return said

    said = with_uncertainty(left_half)(np.zeros((1, 1, 4, 4), np.uint8))
    # Each quarter of the square lies in the left half of four views out of eight.
    np.testing.assert_array_equal(said[0, 0], [[1, 1, 0, 0]] * 4)
    np.testing.assert_allclose(said[0, 1], 0.5)

    def spot(windows):
        said = np.zeros((len(windows), *windows.shape[2:]), np.float32)
        said[:, 10, 10] = 1.0
        return said

    said = with_uncertainty(spot)(np.zeros((1, 1, 41, 41), np.uint8))
    # Each of four pixels is the spot in two views of eight: mean 1/4, variance 1/4 - 1/16 = 3/16.
    assert said[0, 1].sum() == pytest.approx(4 * np.sqrt(3 / 16), rel=1e-5)
    # Smoothed by a Gaussian of 2 pixels, whose density at its centre is 1 / (2 pi 2^2).
    for place in ((10, 10), (10, 30), (30, 10), (30, 30)):
        assert said[0, 1][place] == pytest.approx(np.sqrt(3 / 16) / (8 * np.pi), rel=1e-3)
    assert said[0, 1, 20, 20] < 1e-4


def test_a_subject_is_scored_per_claimed_pixel():
    probability = np.array([[1.0, 0.5, 0.5, np.nan]], np.float32)
    uncertainty = np.array([[0.0, 0.5, 0.3, np.nan]], np.float32)
    assert subject_uncertainty(probability, uncertainty) == pytest.approx(0.8 / 2)
    assert subject_uncertainty(probability * 0, uncertainty) == pytest.approx(0.8)
    assert np.isnan(subject_uncertainty(probability[:, 3:], uncertainty[:, 3:]))


def test_an_image_in_memory_keeps_its_map_and_its_holes(make_model):
    torch.manual_seed(6)
    network = Generator(2, width=4, depth=2).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    pixels = np.random.default_rng(2).integers(1, 40, (2, 24, 20)).astype(np.uint8)
    pixels[:, 3, 4] = 0
    probability, uncertainty = predict_with_uncertainty(
        make_model(crop_size=8), network, pixels, nodata=0
    )
    plain = predict_probability(make_model(crop_size=8), network, pixels, nodata=0)
    np.testing.assert_array_equal(probability, plain)
    assert np.isnan(uncertainty[3, 4])
    assert np.isnan(uncertainty).sum() == 1
    assert np.nanmax(uncertainty) > 0.01
    whole = predict_with_uncertainty(make_model(crop_size=8), network, pixels)[1]
    far = np.hypot(*np.mgrid[-3:21, -4:16]) > 16  # what a hole changes, it changes near by
    np.testing.assert_allclose(uncertainty[far], whole[far], atol=1e-6)
    # The image is one window: asking the engine gives the same but for the padding of its sides.
    square = pixels[:, 4:24]
    said = with_uncertainty(window_predictor(make_model(crop_size=8), network))(square[np.newaxis])
    _, spread = predict_with_uncertainty(make_model(crop_size=8), network, square)
    np.testing.assert_allclose(said[0, 1], spread, atol=1e-6)
