"""How far two domains of images are from one another, without labels and without a network.

Each crop is standardised channel by channel, as networks see it, and the mean of its channels is
described by what has long been used for the statistics of image categories: energies of its
spectrum in octaves (Torralba and Oliva 2003, "Statistics of natural image categories"), and how
lopsided and heavy-tailed its brightness is. Two domains are as far apart as the normal
distributions of these numbers (the Frechet distance of Dowson and Landau 1982).

Channels are standardised and averaged, so that colour and sensor say nothing: what is left are
forms and textures, which is also all that a fresh input layer lets pass unlearned.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from crosspatch.crops import Crops

Floats = NDArray[np.float64]

OCTAVES = 5
"""Bands of the spectrum: the finest is a quarter to half a cycle a pixel."""
MOST_CROPS = 256
"""Crops that a domain is described by, drawn evenly."""

_SMALLEST = 1e-12


def describe(images: Floats) -> Floats:
    """Describe crops by numbers that do not depend on brightness, contrast or channels.

    Parameters
    ----------
    images : (N, C, H, W) float64, each channel standardised over the domain

    Returns
    -------
    (N, OCTAVES + 2) float64
        Natural logarithms of the share of energy in each octave, from fine to coarse; skewness and
        excess kurtosis of brightness, by their inverse hyperbolic sine.
    """
    grey = images.mean(axis=1)  # (N, H, W)
    grey = grey - grey.mean(axis=(1, 2), keepdims=True)
    height, width = grey.shape[1:]
    window = np.outer(np.hanning(height), np.hanning(width))
    power = np.abs(np.fft.rfft2(grey * window)) ** 2  # (N, H, W / 2 + 1)
    radius = np.hypot(np.fft.fftfreq(height)[:, np.newaxis], np.fft.rfftfreq(width))
    edges = 0.5 * 2.0 ** -np.arange(OCTAVES + 1)  # cycles a pixel
    bands = np.stack(
        [
            power[:, (radius <= high) & (radius > low)].sum(axis=1)
            for high, low in pairwise(edges.tolist())
        ],
        axis=1,
    )  # (N, OCTAVES)
    energy = np.log((bands + _SMALLEST) / (bands.sum(axis=1, keepdims=True) + OCTAVES * _SMALLEST))
    spread = np.maximum(grey.std(axis=(1, 2)), _SMALLEST)
    shape = grey / spread[:, np.newaxis, np.newaxis]
    moments = [(shape**3).mean(axis=(1, 2)), (shape**4).mean(axis=(1, 2)) - 3]
    return np.concatenate([energy, np.arcsinh(np.stack(moments, axis=1))], axis=1)


def frechet(first: Floats, second: Floats) -> float:
    """Distance of the normal distributions of two sets of vectors (N, D) and (M, D).

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), and of that the square root.
    """
    apart = float(((first.mean(axis=0) - second.mean(axis=0)) ** 2).sum())
    one, other = (np.atleast_2d(np.cov(rows.T, ddof=0)) for rows in (first, second))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    both = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other @ root), 0)).sum()
    return float(np.sqrt(max(apart + np.trace(one) + np.trace(other) - 2 * both, 0.0)))


def domain_distance(first: Crops, second: Crops, *, seed: int = 0) -> float:
    """Measure how far the training images of two packs are from one another.

    0 for the same images; crops of other sizes compare, as bands are in cycles a pixel.
    """
    return frechet(describe(_standardised(first, seed)), describe(_standardised(second, seed)))


def _standardised(crops: Crops, seed: int) -> Floats:
    rows = crops.in_split("train")
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_CROPS])
    mean, std = (np.asarray(one)[:, np.newaxis, np.newaxis] for one in crops.statistics)
    images: Floats = (np.asarray(crops.images[chosen]).astype(np.float64) - mean) / std
    return images
