"""What one subject's map says about whether people are needed: numbers from arrays, no network."""

import math

import numpy as np
from numpy.typing import NDArray

from crosspatch.metrics import IGNORED

Probability = NDArray[np.float32]


def confidence(probability: Probability, threshold: float = 0.5) -> float:
    """Dice that the probabilities promise for the mask that they are cut into.

    With m the mask, 2 sum(p m) / (sum(p) + sum(m)): the Soft Dice Confidence of Borges, Machado
    Pacheco and Silva 2024 (arXiv:2402.10665), near the best that can be had where pixels err
    independently. An empty mask, for which it is 0 whatever the probabilities, has the confidence
    that its likeliest pixel leaves: 1 - max(p).

    Parameters
    ----------
    probability : (H, W) float32 in [0, 1]
        nan where there is no data.
    threshold : float
        Foreground is claimed from it on.

    Returns
    -------
    float in [0, 1]; nan where there is no data at all
    """
    known = probability[~np.isnan(probability)].astype(np.float64)
    if not known.size:
        return math.nan
    claimed = known >= threshold
    if not claimed.any():
        return float(1 - known.max())
    return float(2 * known[claimed].sum() / (known.sum() + np.count_nonzero(claimed)))


def disagreement(
    claimed: NDArray[np.bool_], mask: NDArray[np.uint8], votes: NDArray[np.float32] | None = None
) -> float:
    """Mean share of the volunteers whom the model contradicts, where anything is drawn.

    The mean is over the pixels that the model or the mask calls foreground. Without votes the mask
    speaks for all, and this is 1 - IoU. Where both say that nothing is there, they agree.

    Parameters
    ----------
    claimed : (H, W) bool
        What the model calls foreground.
    mask : (H, W) uint8
        The consensus: 0 background, 1 foreground, 255 ignored.
    votes : (H, W) float32 in [0, 1], optional
        Share of the volunteers who marked each pixel.

    Returns
    -------
    float in [0, 1]; nan where every pixel is ignored
    """
    known = mask != IGNORED
    if not known.any():
        return math.nan
    asked = (mask == 1).astype(np.float32) if votes is None else votes
    drawn = (claimed | (mask == 1)) & known
    return float(np.abs(asked - claimed)[drawn].mean()) if drawn.any() else 0.0


def iou_or_right(claimed: NDArray[np.bool_], mask: NDArray[np.uint8]) -> float:
    """IoU with a drawn mask (H, W) of 0, 1, 255; 1 where both say that nothing is there."""
    valid = mask != IGNORED
    drawn = mask == 1
    union = int(np.count_nonzero((claimed | drawn) & valid))
    return int(np.count_nonzero(claimed & drawn)) / union if union else 1.0
