"""How unsure a model is of each pixel: how far apart its answers to eight views of it lie.

The views are the eight turns and mirrorings of an image. A model has no reason to answer them
differently, and where it does it does not know. Its own probability says less: trained with the
focal Tversky loss it is near 0 or 1 also where it is wrong. Dropout, left on, costs as many passes,
finds no more errors, and is not in every engine. What the views say is smoothed over a few pixels:
where they disagree, what lies beside is doubtful too (all measured: docs/results/uncertainty).
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from torch import nn

from crosspatch.models.storage import Model
from crosspatch.prediction.reader import Engine
from crosspatch.prediction.scene import predict_probability

Map = NDArray[np.float32]

SMOOTHING = 2.0
"""Standard deviation of the Gaussian that smooths the uncertainty, in pixels."""

VIEWS = tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4))
"""Quarter turns, and whether mirrored left to right first; the first is the image as it is."""


def view(pixels: NDArray[Any], turns: int, mirrored: bool) -> NDArray[Any]:
    """Turn and mirror the last two axes of an array; a view of its memory."""
    seen = pixels[..., ::-1] if mirrored else pixels
    return np.rot90(seen, turns, axes=(-2, -1))


def unview(drawn: NDArray[Any], turns: int, mirrored: bool) -> NDArray[Any]:
    """Undo `view`."""
    turned = np.rot90(drawn, -turns, axes=(-2, -1))
    return turned[..., ::-1] if mirrored else turned


def with_uncertainty(predict: Engine) -> Engine:
    """Make an engine that also says how unsure it is.

    Parameters
    ----------
    predict : callable
        Windows (B, C, h, w) -> probability (B, h, w); it must take windows of any height and width.

    Returns
    -------
    callable : windows (B, C, h, w) -> (B, 2, h, w) float32
        The probability of the windows as they are, the same that ``predict`` alone gives; and the
        standard deviation of the probabilities of all eight views, smoothed, in [0, 0.5].
    """

    def both(windows: NDArray[Any]) -> Map:
        plain = predict(windows)
        others = (
            unview(predict(np.ascontiguousarray(view(windows, *one))), *one) for one in VIEWS[1:]
        )
        spread = _spread(plain, others)
        smooth = ndimage.gaussian_filter(spread, (0.0, SMOOTHING, SMOOTHING), mode="nearest")
        return np.stack([plain, smooth], axis=1)  # (B, 2, h, w)

    return both


def predict_with_uncertainty(
    model: Model, network: nn.Module, pixels: NDArray[Any], **wishes: Any
) -> tuple[Map, Map]:
    """Predict an image that is in memory, and how unsure the model is of it.

    Parameters
    ----------
    model, network, pixels, wishes
        As of `crosspatch.prediction.scene.predict_probability`.

    Returns
    -------
    probability, uncertainty : (H, W) float32
        The map that `predict_probability` gives; and the standard deviation of the maps of all
        eight views, smoothed over the pixels with data, in [0, 0.5]. nan where there is no data.
    """
    plain = predict_probability(model, network, pixels, **wishes)
    others = (
        unview(predict_probability(model, network, view(pixels, *one), **wishes), *one)
        for one in VIEWS[1:]
    )
    spread = _spread(plain, others)
    known = np.isfinite(plain)
    if known.all():
        return plain, ndimage.gaussian_filter(spread, SMOOTHING, mode="nearest")
    total = ndimage.gaussian_filter(np.where(known, spread, 0), SMOOTHING, mode="nearest")
    share = ndimage.gaussian_filter(known.astype(np.float32), SMOOTHING, mode="nearest")
    smooth = np.full_like(spread, np.nan)
    np.divide(total, share, out=smooth, where=known)
    return plain, smooth


def _spread(plain: Map, others: Iterable[Map]) -> Map:
    """Take the standard deviation of one map and seven others, pixel by pixel."""
    total = plain.astype(np.float64)
    squares = total**2
    for said in others:
        total += said
        squares += np.square(said, dtype=np.float64)
    mean = total / len(VIEWS)
    spread: Map = np.sqrt(np.maximum(squares / len(VIEWS) - mean**2, 0.0)).astype(np.float32)
    return spread


def subject_uncertainty(probability: Map, uncertainty: Map) -> float:
    """Say how unsure a model is of an image as a whole: its uncertainty per claimed pixel.

    The sum of the uncertainty over the sum of the probability (at least one pixel), which unlike
    the plain mean does not grow with the size of what is shown. It ranks images by 1 - IoU as far
    as docs/results/uncertainty says.

    Parameters
    ----------
    probability, uncertainty : (H, W) float32
        nan where there is no data.

    Returns
    -------
    float
        At least 0; nan where there is no data at all.
    """
    known = ~np.isnan(probability)
    if not known.any():
        return float("nan")
    claimed = float(probability[known].sum(dtype=np.float64))
    return float(uncertainty[known].sum(dtype=np.float64)) / max(claimed, 1.0)
