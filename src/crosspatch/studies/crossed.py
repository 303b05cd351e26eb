"""Intervals that allow for other scenes and for other seeds at once: the crossed bootstrap.

Every seed is scored on the same groups, so seeds and groups are crossed, and both are drawn
independently, the same draw for all models (Owen 2007, "The pigeonhole bootstrap"). With few seeds
or groups a bootstrap is too sure of itself twice over, and both are put right: n - 1 of n are drawn
(Rao and Wu 1988, "Resampling inference with complex survey data"), without which five seeds look a
fifth less various than they are; and the standard error of the resampled scores is multiplied by a
quantile of Student's t, with the degrees of freedom of Satterthwaite (1946), not of the normal
distribution. What seed and group do together is counted up to three times, as always with this
bootstrap: intervals err on the wide side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import stats

from crosspatch.evaluation.intervals import FEWEST_GROUPS, LEVEL, RESAMPLES
from crosspatch.studies.cube import METRICS, Cell, Cube, Floats

_AT_ONCE = 250  # resamples of one matrix product: bounds memory


@dataclass(frozen=True)
class Estimate:
    """A score, or a difference of scores.

    ``low`` and ``high`` bound 95% of what other seeds and groups would give; None under five
    groups that have anything to score. ``p`` is the two-sided p value of "it is zero", nan without
    an interval. ``seeds`` and ``groups`` say over how many it was taken: with one seed, the
    interval is over groups alone.
    """

    value: float
    low: float | None
    high: float | None
    p: float
    error: float
    freedom: float
    seeds: int
    groups: int

    @property
    def interval(self) -> str:
        """The interval in words; empty where there is none."""
        return "" if self.low is None else f"{self.low:.3f} to {self.high:.3f}"


NOTHING = Estimate(np.nan, None, None, np.nan, np.nan, np.nan, 0, 0)


@dataclass(frozen=True)
class Resampled:
    """Scores of a cube, as they are and resampled over groups.

    Attributes
    ----------
    scores : (cells, seeds, metrics) float64
    drawn : (resamples, cells, seeds, metrics) float64; nan for a metric with under five groups
    """

    cube: Cube
    scores: Floats
    drawn: Floats
    seed: int
    _weights: dict[int, Floats] = field(default_factory=dict)

    @cached_property
    def _place(self) -> dict[Cell, int]:
        return {cell: place for place, cell in enumerate(self.cube.cells)}

    def has(self, cell: Cell) -> bool:
        """Whether the cell was scored with any seed."""
        return cell in self._place

    def common(self, cells: Sequence[Cell]) -> list[int]:
        """Positions of the seeds with which all of these cells were scored whole."""
        if not all(map(self.has, cells)):
            return []
        there = self.cube.present[[self._place[cell] for cell in cells]].all(axis=0)
        return [int(place) for place in np.flatnonzero(there)]

    def of_seeds(self, cell: Cell, metric: str, seeds: Sequence[int]) -> tuple[Floats, Floats]:
        """Scores of one cell: (seeds,) as they are, (resamples, seeds) with groups redrawn."""
        at, which = self._place[cell], list(METRICS).index(metric)
        return self.scores[at, seeds, which], self.drawn[:, at, seeds, which]

    def weights(self, seeds: int) -> Floats:
        """How much each of so many seeds counts: (resamples, seeds), rows sum to 1.

        The same for every cell with as many seeds.
        """
        if seeds not in self._weights:
            generator = np.random.default_rng([self.seed, 1])
            self._weights[seeds] = _drawn_counts(seeds, len(self.drawn), generator) / max(
                seeds - 1, 1
            )
        return self._weights[seeds]

    def estimate(self, metric: str, terms: Mapping[Cell, float]) -> Estimate:
        """Weigh cells, seed by seed: ``{warm: 1, scratch: -1}`` is a paired difference.

        Only seeds with which all of the cells were scored count.
        """
        seeds = self.common(list(terms))
        if not seeds:
            return NOTHING
        by_seed = np.zeros(len(seeds))
        drawn = np.zeros((len(self.drawn), len(seeds)))
        for cell, factor in terms.items():
            scores, redrawn = self.of_seeds(cell, metric, seeds)
            by_seed, drawn = by_seed + factor * scores, drawn + factor * redrawn
        groups = self.cube.groups_of(metric)
        value = float(by_seed.mean())
        meant = np.isfinite(drawn).all(axis=1)
        if groups < FEWEST_GROUPS or not np.isfinite(value) or meant.sum() < 2:
            return Estimate(value, None, None, np.nan, np.nan, np.nan, len(seeds), groups)
        both = (self.weights(len(seeds))[meant] * drawn[meant]).sum(axis=1)
        error = float(both.std(ddof=1))
        free = freedom(by_seed, drawn[meant].mean(axis=1), groups)
        reach = float(stats.t.ppf((1 + LEVEL) / 2, free)) * error
        p = float(2 * stats.t.sf(abs(value) / error, free)) if error else float(value == 0)
        return Estimate(value, value - reach, value + reach, p, error, free, len(seeds), groups)


def resample(cube: Cube, *, resamples: int = RESAMPLES, seed: int = 0) -> Resampled:
    """Draw groups, the same draws for every cell, seed and metric.

    Parameters
    ----------
    cube : Cube
    resamples : int
    seed : int
        Same seed, same draws.
    """
    scores = _ratio(cube.sums.sum(axis=0))
    drawn = np.full((resamples, *scores.shape), np.nan)
    for which in range(len(METRICS)):
        # Groups without anything to score would make the others look more, and more alike.
        sums = cube.sums[..., which, :][cube.counting[:, which]]  # (groups, cells, seeds, 2)
        if len(sums) < FEWEST_GROUPS:
            continue
        generator = np.random.default_rng([seed, 0])
        flat = sums.reshape(len(sums), -1)
        for start in range(0, resamples, _AT_ONCE):
            some = drawn[start : start + _AT_ONCE, ..., which]
            counts = _drawn_counts(len(sums), len(some), generator)
            some[:] = _ratio((counts @ flat).reshape(-1, *sums.shape[1:]))
    return Resampled(cube, scores, drawn, seed)


def _drawn_counts(units: int, resamples: int, generator: np.random.Generator) -> Floats:
    """Draw n - 1 of n with replacement: (resamples, n), how often each was drawn.

    A single unit is simply kept.
    """
    if units == 1:
        return np.ones((resamples, 1))
    chosen = generator.integers(units, size=(resamples, units - 1))
    chosen += np.arange(resamples)[:, np.newaxis] * units
    counts = np.bincount(chosen.ravel(), minlength=resamples * units)
    return counts.reshape(resamples, units).astype(float)


def _ratio(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums[..., 1] == 0, np.nan, np.divide(sums[..., 0], sums[..., 1]))


def freedom(by_seed: Floats, over_groups: Floats, groups: int) -> float:
    """Degrees of freedom of a sum of two variances, each known from few units (Satterthwaite).

    Parameters
    ----------
    by_seed : (seeds,) scores
    over_groups : (resamples,) scores with groups redrawn, all seeds kept
    groups : int
    """
    of_groups = over_groups.var(ddof=1)
    if len(by_seed) == 1:
        return groups - 1
    of_seeds = by_seed.var(ddof=1) / len(by_seed)
    total = of_seeds + of_groups
    if total == 0:
        return groups - 1
    spread = of_seeds**2 / (len(by_seed) - 1) + of_groups**2 / (groups - 1)
    return float(total**2 / spread)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values of several comparisons so that the chance of any false one stays bounded.

    Holm 1979, "A simple sequentially rejective multiple test procedure".

    Parameters
    ----------
    p_values : nan: no test was made, and it stays nan

    Returns
    -------
    list of float in the same order, each at most 1; to be compared with 0.05
    """
    made = [place for place, p in enumerate(p_values) if not np.isnan(p)]
    adjusted, highest = [float("nan")] * len(p_values), 0.0
    for rank, place in enumerate(sorted(made, key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, (len(made) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
