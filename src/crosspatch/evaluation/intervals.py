"""Intervals by bootstrap over groups: how far a score would move with other scenes.

Subjects of one group (a scene, a place) are alike, so groups are drawn, never subjects. Every score
here is a function of sums over subjects: a resample is then a vector of how often each group was
drawn, times the sums of each group, and thousands of resamples are one matrix product.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

FEWEST_GROUPS = 5
"""Under this many groups no interval is given: too few to say how groups differ."""

RESAMPLES = 5_000
LEVEL = 0.95

Floats = NDArray[np.float64]

Statistic = Callable[[Floats], Floats]
"""Sums (..., K) -> scores (...): nan where the sums leave the score without meaning."""


@dataclass(frozen=True)
class Interval:
    """Where 95% of resampled scores lie, corrected for bias and skew."""

    low: float
    high: float


def group_draws(groups: int, *, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Draw groups with replacement.

    The same number, resamples and seed give the same draws: scores of several models on the same
    groups are then resampled together, as a comparison needs.

    Returns
    -------
    (resamples, groups) float64 array: how often each group was drawn; rows sum to ``groups``
    """
    generator = np.random.default_rng(seed)
    return generator.multinomial(groups, np.full(groups, 1 / groups), resamples).astype(float)


def sums_by_group(columns: Floats, groups: Sequence[str]) -> Floats:
    """Add the rows (n, K) of each group; gives (number of groups, K), groups in sorted order."""
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.zeros((index.max(initial=-1) + 1, columns.shape[1]))
    np.add.at(sums, index, columns)
    return sums


def group_interval(
    columns: Floats,
    groups: Sequence[str],
    statistic: Statistic,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """Bias-corrected and accelerated (BCa) bootstrap interval of a score.

    Efron 1987, "Better bootstrap confidence intervals", with groups as the units.

    Parameters
    ----------
    columns : (n, K) float64
        What each subject adds to the sums.
    groups : sequence of n str
    statistic : callable
        The score of sums (..., K).
    resamples, seed : int

    Returns
    -------
    Interval, or None under `FEWEST_GROUPS` groups, or where the score has no meaning
    """
    sums = sums_by_group(columns, groups)
    if len(sums) < FEWEST_GROUPS:
        return None
    score = float(statistic(sums.sum(axis=0)))
    resampled = statistic(group_draws(len(sums), resamples=resamples, seed=seed) @ sums)
    resampled = resampled[np.isfinite(resampled)]
    if not np.isfinite(score) or not len(resampled):
        return None
    without_each = statistic(sums.sum(axis=0) - sums)
    low, high = np.quantile(resampled, _shares(score, resampled, without_each))
    return Interval(float(low), float(high))


def _shares(score: float, resampled: Floats, without_each: Floats) -> Floats:
    """Shares of the resampled scores that bound the interval: (2,), BCa's in place of 2.5, 97.5%.

    ``without_each`` are the scores with one group left out, whose skew is the acceleration.
    """
    tails = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    below = np.mean(resampled < score) + np.mean(resampled == score) / 2
    away = without_each[np.isfinite(without_each)]
    away = away.mean() - away
    spread = np.sum(away**2)
    if not 0 < below < 1 or spread == 0:
        return tails  # every resample says the same, or lies on one side
    bias = special.ndtri(below)
    acceleration = np.sum(away**3) / (6 * spread**1.5)
    z = bias + special.ndtri(tails)
    shares: Floats = special.ndtr(bias + z / (1 - acceleration * z))
    return shares
