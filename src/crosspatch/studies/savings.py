"""How many labels a good start saves: a rising curve through the scores, and where it crosses.

More labels do not make a model worse, so the curve is the best one that never falls (isotonic
regression; Barlow et al. 1972), and between two fractions it is a line over their logarithms. Where
it starts above the goal or never comes to it, that is the answer: "at most 2.5%", "more than all".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from crosspatch.evaluation.intervals import LEVEL
from crosspatch.studies.crossed import Resampled, freedom
from crosspatch.studies.cube import SCRATCH, Cell, Floats


@dataclass(frozen=True)
class Share:
    """A share of the labels: found, or bounded by what was tried.

    ``fraction`` is in (0, 1]; where the smallest fraction tried is enough already, that one, and
    ``at_most`` is true; inf: more than the largest that was tried, ``most``.
    """

    fraction: float
    at_most: bool = False
    most: float = 1.0

    @property
    def reached(self) -> bool:
        """Whether some fraction tried is enough."""
        return math.isfinite(self.fraction)

    def __str__(self) -> str:
        if not self.reached:
            return "more than all" if self.most == 1 else f"more than {percent(self.most)}"
        return f"at most {percent(self.fraction)}" if self.at_most else percent(self.fraction)


@dataclass(frozen=True)
class Saving:
    """What share of the labels an arm needs to score like scratch with all of them.

    ``low`` and ``high`` bound 95% of the answers of other seeds and groups; None without intervals.
    ``goal`` is what scratch reaches, by its own rising curve, less ``slack``. ``p`` is the
    one-sided p value of "it needs no fewer labels than scratch itself", nan without intervals.
    """

    arm: str
    slack: float
    share: Share
    low: Share | None
    high: Share | None
    goal: float
    fractions: tuple[float, ...]
    seeds: int
    p: float = math.nan

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return str(self.share)
        return f"{self.share} (95% interval: {self.low} to {self.high})"


def percent(fraction: float) -> str:
    """Write a share as people do: 2.5%, 10%."""
    return f"{100 * fraction:.2g}%" if fraction < 0.995 else "100%"


def isotonic(scores: Floats) -> Floats:
    """Fit the nearest rising curve, by least squares.

    Parameters
    ----------
    scores : (..., n) float64, by ascending fraction

    Returns
    -------
    (..., n) float64 that never falls: the max-min formula of isotonic regression
    """
    count = scores.shape[-1]
    sums = np.concatenate([np.zeros((*scores.shape[:-1], 1)), scores.cumsum(axis=-1)], axis=-1)
    fitted = np.full(scores.shape, -np.inf)
    for start in range(count):
        ends = np.arange(start + 1, count + 1)
        means = (sums[..., ends] - sums[..., start, np.newaxis]) / (ends - start)
        # lowest mean of a block that starts here and reaches to each later place or beyond
        lowest = np.minimum.accumulate(means[..., ::-1], axis=-1)[..., ::-1]
        fitted[..., start:] = np.maximum(fitted[..., start:], lowest)
    return fitted


def crossing(fractions: Sequence[float], curve: Floats, goal: Floats) -> Floats:
    """Find the share at which rising curves reach their goals.

    Parameters
    ----------
    fractions : n ascending, in (0, 1]
    curve : (..., n) float64 that never falls
    goal : (...) float64

    Returns
    -------
    (...) float64: logarithm of the fraction; -inf: reached before the first, inf: nowhere
    """
    logs = np.log(np.asarray(fractions))
    reached = curve >= goal[..., np.newaxis]
    first = np.where(reached.any(axis=-1), reached.argmax(axis=-1), 0)
    before = np.maximum(first - 1, 0)
    low = np.take_along_axis(curve, before[..., np.newaxis], -1)[..., 0]
    high = np.take_along_axis(curve, first[..., np.newaxis], -1)[..., 0]
    rise = np.where(high > low, high - low, 1.0)
    between = logs[before] + (logs[first] - logs[before]) * (goal - low) / rise
    found = np.where(first == 0, -np.inf, between)
    return np.where(reached.any(axis=-1), found, np.inf)


def saving(drawn: Resampled, arm: str, *, slack: float = 0.0) -> Saving | None:
    """Ask what share of the labels an arm needs to score like scratch with all of them.

    Parameters
    ----------
    drawn : Resampled
    arm : str
        May be scratch itself: where it needs far less than all, the target is saturated, and that
        must not pass for a saving.
    slack : float
        Mean IoU by which it may stay behind.

    Returns
    -------
    Saving, or None where scratch with all labels, or the arm, has no whole run with a common seed
    """
    cube = drawn.cube
    mine = [Cell(arm, fraction) for fraction in cube.fractions(arm)]
    theirs = [Cell(SCRATCH, fraction) for fraction in cube.fractions(SCRATCH)]
    if not mine or not theirs or theirs[-1].fraction != 1:
        return None
    seeds = drawn.common([*mine, *theirs])
    if not seeds:
        # Still running, or runs failed: all labels from scratch, and what shares seeds with them.
        theirs, others, mine = theirs[-1:], mine, []
        for cell in reversed(others):  # the most labels first: the curve must come to its end
            if drawn.common([cell, *mine, *theirs]):
                mine.insert(0, cell)
        seeds = drawn.common([*mine, *theirs])
    if not mine or not seeds:
        return None
    fractions = [cell.fraction for cell in mine]
    own, own_drawn = _curves(drawn, mine, seeds)
    scratch, scratch_drawn = _curves(drawn, theirs, seeds)
    goal = isotonic(scratch)[-1] - slack
    share = _share(float(crossing(fractions, isotonic(own), np.asarray(goal))), fractions)
    low, high, p = None, None, math.nan
    meant = np.isfinite(own_drawn).all(axis=1) & np.isfinite(scratch_drawn).all(axis=1)
    if meant.any():
        rising = isotonic(scratch_drawn[meant])
        goals = rising[:, -1] - slack
        answers = crossing(fractions, isotonic(own_drawn[meant]), goals)
        free = _freedom(drawn, mine[-1], seeds)
        low, high = (_share(edge, fractions) for edge in _edges(answers, free))
        anyway = crossing([cell.fraction for cell in theirs], rising, goals)
        p = _no_fewer(np.maximum(answers, math.log(fractions[0])), anyway, free)
    return Saving(arm, slack, share, low, high, float(goal), tuple(fractions), len(seeds), p)


def _curves(drawn: Resampled, cells: Sequence[Cell], seeds: Sequence[int]) -> tuple[Floats, Floats]:
    """Mean scores of cells over seeds: (cells,) as they are, (resamples, cells) resampled."""
    weights = drawn.weights(len(seeds))
    plain, resampled = [], []
    for cell in cells:
        scores, redrawn = drawn.of_seeds(cell, "iou", seeds)
        plain.append(scores.mean())
        resampled.append((weights * redrawn).sum(axis=1))
    return np.array(plain), np.stack(resampled, axis=1)


def _freedom(drawn: Resampled, cell: Cell, seeds: Sequence[int]) -> float:
    """Degrees of freedom that stand behind the resamples."""
    scores, redrawn = drawn.of_seeds(cell, "iou", seeds)
    over_groups = redrawn[np.isfinite(redrawn).all(axis=1)].mean(axis=1)
    return freedom(scores, over_groups, drawn.cube.groups_of())


def _edges(answers: Floats, free: float) -> tuple[float, float]:
    """Quantiles of the answers, further out where few units stand behind them.

    Answers may be infinite, so they are counted, not averaged. The quantile levels are those at
    which the normal distribution has Student's reach (Hesterberg 2015, "What teachers should know
    about the bootstrap", section 4.3: the expanded percentile interval).
    """
    tail = float(stats.norm.cdf(stats.t.ppf((1 - LEVEL) / 2, free)))
    ordered = np.sort(answers)
    low = ordered[math.floor(tail * (len(ordered) - 1))]
    high = ordered[math.ceil((1 - tail) * (len(ordered) - 1))]
    return float(low), float(high)


def _no_fewer(answers: Floats, anyway: Floats, free: float) -> float:
    """One-sided p value of "it needs no fewer labels than scratch", by the levels of `_edges`.

    Paired in every resample. Where scratch itself is content with fewer than all, on a curve that
    has flattened out, that is not the start's doing; and an answer that lies below all that was
    tried counts as the smallest share tried for the start, and as nothing for scratch.
    """
    beyond = float((answers >= anyway).mean())
    return float(stats.t.cdf(stats.norm.ppf(beyond), free))


def _share(log: float, fractions: Sequence[float]) -> Share:
    if log == -math.inf:
        return Share(fractions[0], at_most=True)
    return Share(math.exp(log)) if math.isfinite(log) else Share(math.inf, most=fractions[-1])
