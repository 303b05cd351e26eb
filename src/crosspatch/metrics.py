"""How well a predicted mask agrees with a drawn one, on numpy arrays.

Masks are (H, W) of uint8: 0 background, 1 foreground, 255 ignored. Ignored pixels count nowhere.
A figure that has no meaning (an IoU where neither mask holds anything) is nan, never 0 or 1.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

IGNORED = 255


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
    def iou(self) -> float:
        """TP / (TP + FP + FN), [0, 1]; nan where neither mask holds foreground."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def dice(self) -> float:
        """2 TP / (2 TP + FP + FN), [0, 1]; nan where neither mask holds foreground."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def matthews(self) -> float:
        """Matthews correlation coefficient, [-1, 1]; nan where a row or column of counts is empty.

        Matthews 1975: (TP TN - FP FN) / sqrt((TP+FP) (TP+FN) (TN+FP) (TN+FN)).
        """
        tp, fp, fn, tn = self.tp, self.fp, self.fn, self.tn
        squared = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        return _ratio(tp * tn - fp * fn, math.sqrt(squared))


def confusion(prediction: NDArray[np.bool_], mask: NDArray[Any]) -> Confusion:
    """Count agreeing and disagreeing pixels.

    Parameters
    ----------
    prediction : (H, W) bool
        True where foreground is predicted.
    mask : (H, W) uint8
        0 background, 1 foreground, 255 ignored.
    """
    prediction, valid = prediction.astype(bool, copy=False), mask != IGNORED
    predicted = int(np.count_nonzero(prediction & valid))
    drawn = int(np.count_nonzero(mask == 1))
    tp = int(np.count_nonzero(prediction & (mask == 1)))
    fp, fn = predicted - tp, drawn - tp
    return Confusion(tp, fp, fn, int(np.count_nonzero(valid)) - tp - fp - fn)


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan
