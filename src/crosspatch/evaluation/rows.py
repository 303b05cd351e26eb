"""Scores of one whole subject: a row of ``scores.csv``.

They are those of the paper and of the segmentation literature, fixed beforehand. Pixels that the
mask ignores count nowhere, in none of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crosspatch.metrics import (
    average_precision,
    boundary_f_score,
    confusion,
    focal_tversky,
)

BOUNDARY_TOLERANCE = 2.0
"""Pixels by which two boundaries may differ and still be the same."""

COLUMNS = {
    "method": "model, or the baseline's name",
    "subject": "name of the subject in the data set",
    "group": "what it is grouped by: scene, volume, place",
    "height": "of the image, pixels",
    "width": "of the image, pixels",
    "counted": "pixels that count: not ignored by the mask, and with data in the image",
    "foreground": "share of the counted pixels that the mask calls foreground, [0, 1]",
    "tp": "pixels rightly called foreground",
    "fp": "pixels wrongly called foreground",
    "fn": "pixels wrongly called background",
    "tn": "pixels rightly called background",
    "iou": "tp / (tp + fp + fn), [0, 1]; empty where neither mask has foreground",
    "dice": "2 tp / (2 tp + fp + fn), [0, 1]; empty where neither mask has foreground",
    "boundary_f": "F-score of boundary pixels within 2 pixels, [0, 1]",
    "matthews": "Matthews correlation coefficient, [-1, 1]; empty where a mask has one value only",
    "false_positive_area": "fp / counted of subjects without foreground, [0, 1]; else empty",
    "average_precision": "area under precision over recall, [0, 1]; empty without foreground",
    "loss": "the paper's focal Tversky loss of the whole subject",
}
"""Columns of ``scores.csv``, in order. Empty cells: the score has no meaning for this subject."""


@dataclass(frozen=True)
class SubjectScore:
    """A row of ``scores.csv``; see `COLUMNS`. Scores without meaning are nan."""

    subject: str
    group: str
    height: int
    width: int
    counted: int
    foreground: float
    tp: int
    fp: int
    fn: int
    tn: int
    iou: float
    dice: float
    boundary_f: float
    matthews: float
    false_positive_area: float
    average_precision: float
    loss: float


def score_subject(
    subject: str,
    group: str,
    probability: NDArray[np.float32],
    mask: NDArray[np.uint8],
    *,
    threshold: float = 0.5,
) -> SubjectScore:
    """Score the map of one whole subject.

    Parameters
    ----------
    subject, group : str
    probability : (H, W) float32 in [0, 1]
        Foreground is claimed from ``threshold`` on; nan claims nothing.
    mask : (H, W) uint8
        0 background, 1 foreground, 255 ignored; not all ignored.
    threshold : float
    """
    probability = np.nan_to_num(probability, nan=0.0)
    claimed = probability >= threshold
    counts = confusion(claimed, mask)
    return SubjectScore(
        subject=subject,
        group=group,
        height=mask.shape[0],
        width=mask.shape[1],
        counted=counts.counted,
        foreground=(counts.tp + counts.fn) / counts.counted,
        tp=counts.tp,
        fp=counts.fp,
        fn=counts.fn,
        tn=counts.tn,
        iou=counts.iou,
        dice=counts.dice,
        boundary_f=boundary_f_score(claimed, mask, tolerance=BOUNDARY_TOLERANCE),
        matthews=counts.matthews,
        false_positive_area=counts.false_positive_area,
        average_precision=average_precision(probability, mask),
        loss=focal_tversky(probability, mask),
    )
