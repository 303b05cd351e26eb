"""How well a predicted mask agrees with a drawn one, on numpy arrays.

Masks are (H, W) of uint8: 0 background, 1 foreground, 255 ignored. Ignored pixels count nowhere.
A figure that has no meaning (an IoU where neither mask holds anything) is nan, never 0 or 1.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

IGNORED = 255
EMPTY_SMOOTHING = 0.01
"""What stands in for the true positives of an empty mask, as a share of its pixels."""


@dataclass(frozen=True)
class Confusion:
    """Counts of pixels; ``+`` pools two of them.

    Attributes
    ----------
    tp, fp, fn, tn : int
        True positives, false positives, false negatives, true negatives.
    """

    tp: int
    fp: int
    fn: int
    tn: int

    def __add__(self, other: "Confusion") -> "Confusion":
        return Confusion(
            self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn
        )

    @property
    def counted(self) -> int:
        """Pixels that count: all but the ignored ones."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN), [0, 1]; nan where neither mask holds foreground."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def dice(self) -> float:
        """2 TP / (2 TP + FP + FN), [0, 1]; nan where neither mask holds foreground."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def matthews(self) -> float:
        """Matthews correlation coefficient, [-1, 1]; nan where either mask has one value only.

        Matthews 1975: (TP TN - FP FN) / sqrt((TP+FP) (TP+FN) (TN+FP) (TN+FN)).
        """
        tp, fp, fn, tn = self.tp, self.fp, self.fn, self.tn
        squared = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        return _ratio(tp * tn - fp * fn, math.sqrt(squared))

    @property
    def false_positive_area(self) -> float:
        """FP / counted pixels of a subject without foreground, [0, 1]; nan where it has some."""
        return math.nan if self.tp + self.fn else _ratio(self.fp, self.counted)


def confusion(prediction: NDArray[np.bool_], mask: NDArray[Any]) -> Confusion:
    """Count agreeing and disagreeing pixels.

    Parameters
    ----------
    prediction : (H, W) bool
        True where foreground is predicted.
    mask : (H, W) uint8
        0 background, 1 foreground, 255 ignored.

    Raises
    ------
    ValueError
        The shapes differ, or the mask holds another value.
    """
    valid = _valid(prediction, mask)
    claimed, drawn = prediction.astype(bool, copy=False), mask == 1
    claims = int(np.count_nonzero(claimed & valid))
    outlined = int(np.count_nonzero(drawn))
    tp = int(np.count_nonzero(claimed & drawn))
    fp, fn = claims - tp, outlined - tp
    return Confusion(tp, fp, fn, int(np.count_nonzero(valid)) - tp - fp - fn)


def boundary_f_score(
    prediction: NDArray[np.bool_], mask: NDArray[Any], tolerance: float = 2.0
) -> float:
    """F-score of boundaries: how much of either lies close to the other.

    A boundary pixel is a foreground pixel with background above, below, left or right of it; the
    picture's border and ignored pixels are no background. Precision is the share of predicted
    boundary pixels within ``tolerance`` of a drawn one, recall the share of drawn ones within it
    of a predicted one; their harmonic mean is the score: Csurka et al. 2013, "What is a good
    evaluation measure for semantic segmentation?", after Martin et al. 2004 (who pair pixels one
    to one).

    Parameters
    ----------
    prediction : (H, W) bool
        True where foreground is predicted.
    mask : (H, W) uint8
        0 background, 1 foreground, 255 ignored.
    tolerance : float
        Euclidean distance between pixel centres, in pixels.

    Returns
    -------
    float
        In [0, 1]; 0 where only one of the two has a boundary, nan where neither has.

    Raises
    ------
    ValueError
        As `confusion`.
    """
    valid = _valid(prediction, mask)
    claimed = prediction.astype(bool, copy=False) & valid
    drawn = mask == 1
    predicted, true = _boundary(claimed, valid & ~claimed), _boundary(drawn, valid & ~drawn)
    if not predicted.any() or not true.any():
        return 0.0 if predicted.any() or true.any() else math.nan
    precision = float(np.mean(ndimage.distance_transform_edt(~true)[predicted] <= tolerance))
    recall = float(np.mean(ndimage.distance_transform_edt(~predicted)[true] <= tolerance))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def average_precision(probability: NDArray[Any], mask: NDArray[Any]) -> float:
    """Average precision: the sum over thresholds of (R_n - R_(n-1)) P_n.

    R and P are recall and precision at each distinct probability, from the highest down; pixels of
    equal probability are claimed together. As scikit-learn defines it: no interpolation.

    Parameters
    ----------
    probability : (H, W) float
        Any monotone score does.
    mask : (H, W) uint8
        0 background, 1 foreground, 255 ignored.

    Returns
    -------
    float
        In [0, 1]; nan without foreground, and where a counted probability is nan.

    Raises
    ------
    ValueError
        As `confusion`.
    """
    valid = _valid(probability, mask)
    scores, drawn = probability[valid], mask[valid] == 1
    total = np.count_nonzero(drawn)
    if not total or np.isnan(scores).any():
        return math.nan
    order = np.argsort(scores)[::-1]
    scores, found = scores[order], np.cumsum(drawn[order])
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))  # of each run of equals
    precision = found[last] / (last + 1)
    return float(np.sum(np.diff(found[last], prepend=0) * precision) / total)


def focal_tversky(
    probability: NDArray[Any],
    mask: NDArray[Any],
    fn_weight: float = 0.7,
    fp_weight: float = 0.3,
    gamma: float = 0.75,
) -> float:
    """Focal Tversky loss of one subject: `crosspatch.focal_tversky_loss` on numpy arrays.

    TI = TP / (TP + fn_weight FN + fp_weight FP), loss = (1 - TI)^gamma: Mantha et al. 2022,
    section 3. A mask without foreground has TI = s / (s + fp_weight FP), s one hundredth of its
    counted pixels. Exact where the loss for training adds 1e-7 below the power.

    Parameters
    ----------
    probability : (H, W) float in [0, 1]
    mask : (H, W) uint8
        0 background, 1 foreground, 255 ignored.
    fn_weight, fp_weight : float
        Weights of false negatives and false positives.
    gamma : float
        The power.

    Returns
    -------
    float
        In [0, 1]; nan where every pixel is ignored.

    Raises
    ------
    ValueError
        As `confusion`.
    """
    valid = _valid(probability, mask)
    claimed, drawn = probability[valid].astype(np.float64), mask[valid] == 1
    tp = float(claimed[drawn].sum())
    fn = float((1.0 - claimed[drawn]).sum())
    fp = float(claimed[~drawn].sum())
    smoothing = 0.0 if drawn.any() else EMPTY_SMOOTHING * drawn.size
    wrong = fn_weight * fn + fp_weight * fp
    distance = _ratio(wrong, tp + smoothing + wrong)  # 1 - TI
    return math.pow(distance, gamma)


def _boundary(inside: NDArray[np.bool_], outside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of ``inside`` that share an edge with a pixel of ``outside``."""
    edge = np.zeros_like(inside)
    edge[1:] |= inside[1:] & outside[:-1]
    edge[:-1] |= inside[:-1] & outside[1:]
    edge[:, 1:] |= inside[:, 1:] & outside[:, :-1]
    edge[:, :-1] |= inside[:, :-1] & outside[:, 1:]
    return edge


def _valid(prediction: NDArray[Any], mask: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a mask counts, after a look at shapes and values."""
    if prediction.shape != mask.shape:
        raise ValueError(f"prediction {prediction.shape} and mask {mask.shape} differ in shape")
    valid: NDArray[np.bool_] = mask != IGNORED
    if ((mask > 1) & valid).any():
        raise ValueError("a mask holds 0, 1 and 255 only; translate other values first")
    return valid


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan
