"""Domains of alike textures are near, others are far, whatever their brightness and channels."""

import numpy as np
import pytest
from scipy import linalg, ndimage

from crosspatch.studies.distance import OCTAVES, describe, frechet


def textures(smooth, *, seed=0, n=40, channels=1, side=64):
    """Noise smoothed by so many pixels, standardised."""
    generator = np.random.default_rng(seed)
    images = generator.normal(size=(n, channels, side, side))
    images = ndimage.gaussian_filter(images, (0, 0, smooth, smooth), mode="wrap")
    return images / images.std()


def test_frechet_by_hand():
    first = np.array([[-1.0], [1.0]])
    second = np.array([[1.0], [7.0]])  # mean 4, standard deviation 3
    assert frechet(first, second) == pytest.approx(np.sqrt(16 + (3 - 1) ** 2))


def test_frechet_agrees_with_the_formula_of_matrices():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(50, 4)), generator.normal(1, 2, size=(60, 4))
    one, other = (np.cov(rows, rowvar=False, ddof=0) for rows in (first, second))
    apart = ((first.mean(0) - second.mean(0)) ** 2).sum()
    both = np.trace(one + other - 2 * linalg.sqrtm(one @ other).real)
    assert frechet(first, second) == pytest.approx(np.sqrt(apart + both))


def test_the_same_images_have_no_distance():
    rows = describe(textures(1.0))
    assert frechet(rows, rows) == pytest.approx(0, abs=1e-6)


def test_finer_and_coarser_textures_are_farther_the_more_they_differ():
    here = describe(textures(1.0, seed=1))
    distances = [frechet(here, describe(textures(s, seed=2))) for s in (1.0, 1.5, 2.5, 5.0)]
    assert distances == sorted(distances)
    assert distances[0] < 0.3 * distances[1]


def test_white_noise_fills_octaves_by_their_area():
    shares = np.exp(describe(textures(0.0, n=200))[:, :OCTAVES]).mean(axis=0)
    assert shares[:3] == pytest.approx([0.75, 0.1875, 0.047], abs=0.02)


def test_heavy_tails_and_lopsidedness_are_seen():
    plain = describe(textures(1.0))
    lopsided = textures(1.0) ** 2
    assert describe(lopsided)[:, OCTAVES].mean() > plain[:, OCTAVES].mean() + 0.5


def test_equal_channels_are_one():
    one = textures(1.0)
    assert np.allclose(describe(np.repeat(one, 3, axis=1)), describe(one))


def test_a_crop_without_any_contrast_is_finite():
    assert np.isfinite(describe(np.zeros((2, 1, 32, 32)))).all()
