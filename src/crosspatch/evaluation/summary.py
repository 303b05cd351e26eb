"""What the scores of subjects come to: one estimate a score, with its interval over groups."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crosspatch.evaluation.intervals import Floats, Statistic, group_interval
from crosspatch.evaluation.rows import SubjectScore


@dataclass(frozen=True)
class Estimate:
    """A score over subjects, and how sure it is.

    ``low`` and ``high`` bound 95% by bootstrap over groups; None under five groups. ``subjects``
    and ``groups`` are those that the score has a meaning for.
    """

    value: float
    low: float | None
    high: float | None
    subjects: int
    groups: int

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "-"
        between = f" [{self.low:.3f}, {self.high:.3f}]" if self.low is not None else ""
        return f"{self.value:.3f}{between}"


SUMMARY = {
    "iou": "IoU, mean over subjects with foreground",
    "pooled_iou": "IoU of all pixels together",
    "dice": "Dice, mean over subjects with foreground",
    "boundary_f": "boundary F-score (2 pixels), mean over those with both",
    "matthews": "Matthews correlation of all pixels together",
    "false_positive_area": "false positive area, mean over subjects without any",
    "average_precision": "average precision, mean over subjects with foreground",
    "loss": "the paper's loss, mean over subjects",
}
"""Scores of a summary, the primary one first."""


def summarise(rows: Sequence[SubjectScore], *, seed: int = 0) -> dict[str, Estimate]:
    """Sum rows up to the scores of `SUMMARY`, each with its interval over groups.

    Parameters
    ----------
    rows : sequence of SubjectScore
    seed : int
        Of the bootstrap.
    """
    with_foreground = [row for row in rows if row.tp + row.fn]
    # Where the truth is one kind of pixel, a boundary score has a meaning for some methods only.
    with_both = [row for row in with_foreground if row.foreground < 1]
    return {
        "iou": _mean(with_foreground, "iou", seed),
        "pooled_iou": _estimate(rows, [[row.tp, row.fp + row.fn] for row in rows], _iou, seed),
        "dice": _mean(with_foreground, "dice", seed),
        "boundary_f": _mean(with_both, "boundary_f", seed),
        "matthews": _estimate(
            rows, [[row.tp, row.fp, row.fn, row.tn] for row in rows], _matthews, seed
        ),
        "false_positive_area": _mean(rows, "false_positive_area", seed),
        "average_precision": _mean(with_foreground, "average_precision", seed),
        "loss": _mean(rows, "loss", seed),
    }


def _mean(rows: Sequence[SubjectScore], name: str, seed: int) -> Estimate:
    """Mean of a column over the subjects that it has a meaning for."""
    meant = [row for row in rows if not math.isnan(getattr(row, name))]
    return _estimate(meant, [[getattr(row, name), 1.0] for row in meant], _ratio, seed)


def _estimate(
    rows: Sequence[SubjectScore], added: list[list[float]], statistic: Statistic, seed: int
) -> Estimate:
    """Score the sums of what each row adds; nan without rows."""
    if not rows:
        return Estimate(math.nan, None, None, 0, 0)
    columns, groups = np.array(added, dtype=np.float64), [row.group for row in rows]
    interval = group_interval(columns, groups, statistic, seed=seed)
    return Estimate(
        value=float(statistic(columns.sum(axis=0))),
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        subjects=len(rows),
        groups=len(set(groups)),
    )


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.nan, np.divide(numerator, denominator))


def _ratio(sums: Floats) -> Floats:
    return _divide(sums[..., 0], sums[..., 1])


def _iou(sums: Floats) -> Floats:
    return _divide(sums[..., 0], sums[..., 0] + sums[..., 1])


def _matthews(sums: Floats) -> Floats:
    tp, fp, fn, tn = np.moveaxis(sums, -1, 0)
    root = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
    return _divide(tp * tn - fp * fn, root)
