"""What may be said: does the target deserve a claim, is one tenth enough, had training settled."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from crosspatch.studies.crossed import Estimate, Resampled, holm
from crosspatch.studies.cube import SCRATCH, Cell
from crosspatch.studies.savings import Saving, percent

MARGIN = 0.05
"""IoU by which scratch with all labels must beat each baseline, and scratch with a tenth."""
TOLERANCE = 0.03
"""IoU that a tenth of the labels may lose and still "do the work of all"; also the widest range
over the last checks of a run that counts as settled."""
ENOUGH = 0.01
"""IoU that scratch with all labels may gain from twice the steps where the steps were enough."""
TENTH = 0.1
LAST_CHECKS = 10
TAIL = 0.025
"""Of a two-sided 95% interval: what a one-sided p value must stay under."""
_MOST_DIGITS = 6


@dataclass(frozen=True)
class Hurdle:
    """One thing that scratch with all labels must beat; ``gain`` is by how much it does."""

    over: str
    gain: Estimate

    @property
    def passed(self) -> bool | None:
        """None: cannot be said yet, a run is missing."""
        return None if np.isnan(self.gain.value) else bool(self.gain.value >= MARGIN)


@dataclass(frozen=True)
class Qualification:
    """Whether a claim about labels means anything on this target."""

    hurdles: tuple[Hurdle, ...]

    @property
    def passed(self) -> bool | None:
        """True: all are; False: one is not; None: something is missing and nothing has failed."""
        answers = [hurdle.passed for hurdle in self.hurdles]
        if False in answers:
            return False
        return None if None in answers else True


@dataclass(frozen=True)
class Tenth:
    """The claim "10% does the work of 100%" for one arm.

    Attributes
    ----------
    arm : str
    loss : arm at 10% minus scratch at 100%
    scratch_loss : scratch at 10% minus scratch at 100%: what one would lose anyway
    p : of "it loses 0.03 or more", one-sided, Holm-corrected over the arms; nan without interval
    """

    arm: str
    loss: Estimate
    scratch_loss: Estimate
    p: float

    @property
    def stands(self) -> bool | None:
        """Whether the loss is surely under 0.03 IoU; None where there is no interval."""
        return None if np.isnan(self.p) else bool(self.p < TAIL)

    @property
    def saturated(self) -> bool:
        """Whether scratch itself does with a tenth: then there was nothing to save."""
        low = self.scratch_loss.low
        return low is not None and low > -TOLERANCE


@dataclass(frozen=True)
class Gap:
    """An arm minus scratch at the same fraction; ``p`` is Holm-corrected over all of them."""

    arm: str
    fraction: float
    difference: Estimate
    p: float


@dataclass(frozen=True)
class Settled:
    """How far validation IoU still ranged over the last checks of a cell's runs.

    ``median`` and ``widest`` are over runs; ``within`` of ``runs`` ranged 0.03 at most.
    """

    arm: str
    fraction: float
    weights: str
    median: float
    widest: float
    within: int
    runs: int


def qualification(drawn: Resampled) -> Qualification:
    """Apply the rule that a target must deserve a claim: evidence needs something to learn."""
    everything = Cell(SCRATCH, 1.0)
    baselines = [Cell(arm, drawn.cube.fractions(arm)[-1]) for arm in drawn.cube.arms("baseline")]
    others = {cell.arm: cell for cell in baselines}
    for name in ("threshold", "forest"):
        others.setdefault(name, Cell(name, 1.0))
    others["scratch with 10%"] = Cell(SCRATCH, TENTH)
    return Qualification(
        tuple(
            Hurdle(over, drawn.estimate("iou", {everything: 1, cell: -1}))
            for over, cell in others.items()
        )
    )


def tenths(drawn: Resampled) -> list[Tenth]:
    """Test for every warm arm whether it does with 10% what scratch does with all labels."""
    everything = Cell(SCRATCH, 1.0)
    arms = drawn.cube.arms("transfer", "pretrained")
    losses = [drawn.estimate("iou", {Cell(arm, TENTH): 1, everything: -1}) for arm in arms]
    anyway = drawn.estimate("iou", {Cell(SCRATCH, TENTH): 1, everything: -1})
    p_values = holm([_not_worse(loss) for loss in losses])
    return [
        Tenth(arm, loss, anyway, p) for arm, loss, p in zip(arms, losses, p_values, strict=True)
    ]


def _not_worse(loss: Estimate) -> float:
    """One-sided p value of "the loss is 0.03 or more"."""
    if loss.low is None:
        return float("nan")
    margin = loss.value + TOLERANCE
    if not loss.error:
        return float(margin <= 0)
    return float(stats.t.sf(margin / loss.error, loss.freedom))


def saved(savings: Sequence[Saving]) -> dict[str, bool | None]:
    """Test for every start whether it needs fewer labels than scratch itself.

    Shown it is where, at a level of 97.5% with Holm's correction over the starts, other seeds and
    groups would have it score like scratch with all labels from a smaller share of them than
    scratch itself needs, so that a curve that has flattened out does not pass for a saving.

    Parameters
    ----------
    savings : those of the starts, without slack

    Returns
    -------
    dict
        None where there is no interval.
    """
    adjusted = holm([one.p for one in savings])
    return {
        one.arm: None
        if one.high is None or np.isnan(p)
        else bool(p < TAIL and one.high.reached and percent(one.high.fraction) != percent(1.0))
        for one, p in zip(savings, adjusted, strict=True)
    }


def digits_beside(value: float, limit: float, digits: int = 3) -> int:
    """Count the digits after the point that show on which side of a limit a value lies."""

    def side(number: float) -> tuple[bool, bool]:
        return number < limit, number > limit

    enough = (more for more in range(digits, _MOST_DIGITS + 1)
              if side(round(value, more)) == side(value))  # fmt: skip
    return next(enough, digits)


def gaps(drawn: Resampled, metric: str = "iou") -> list[Gap]:
    """Compare every other arm with scratch at each fraction that both have."""
    pairs = [
        (arm, fraction)
        for arm in drawn.cube.arms(SCRATCH, "transfer", "pretrained")
        if arm != SCRATCH
        for fraction in drawn.cube.fractions(arm)
        if drawn.common([Cell(arm, fraction), Cell(SCRATCH, fraction)])
    ]
    found = [
        drawn.estimate(metric, {Cell(arm, fraction): 1, Cell(SCRATCH, fraction): -1})
        for arm, fraction in pairs
    ]
    adjusted = holm([one.p for one in found])
    return [Gap(*pair, one, p) for pair, one, p in zip(pairs, found, adjusted, strict=True)]


def longer(drawn: Resampled) -> Estimate | None:
    """Measure what scratch with all labels gains from twice the steps; None where not measured."""
    checks = [cell for cell in drawn.cube.cells if drawn.cube.kinds[cell.arm] == "check"]
    if not checks:
        return None
    gain = drawn.estimate("iou", {checks[0]: 1, Cell(SCRATCH, 1.0): -1})
    return None if np.isnan(gain.value) else gain


def settled(learning: pl.DataFrame) -> list[Settled]:
    """Measure the range of validation IoU over the last ten checks of each run.

    Parameters
    ----------
    learning : frame
        arm, fraction, seed, fold, step, and ``averaged_iou``, ``plain_iou`` where there are any.

    Returns
    -------
    list of Settled
        A cell and kind of weights each; runs with fewer than ten checks or without validation are
        left out.
    """
    found: list[Settled] = []
    for weights in ("averaged", "plain"):
        name = f"{weights}_iou"
        if name not in learning.columns:
            continue
        known = learning.filter(pl.col(name).is_not_null() & pl.col(name).is_not_nan())
        ranges = (
            known.sort("step")
            .group_by("arm", "fraction", "seed", "fold", maintain_order=True)
            .agg(pl.col(name).tail(LAST_CHECKS))
            .filter(pl.col(name).list.len() == LAST_CHECKS)
            .with_columns((pl.col(name).list.max() - pl.col(name).list.min()).alias("range"))
        )
        for (arm, fraction), part in ranges.group_by("arm", "fraction", maintain_order=True):
            found.append(_settled(str(arm), float(fraction), weights, part["range"].to_list()))
    return sorted(found, key=lambda one: (one.arm != SCRATCH, one.arm, one.fraction, one.weights))


def unvalidated(learning: pl.DataFrame, weights: str) -> int:
    """Count the trainings whose range cannot be known: too few checks, or labels to set aside."""
    name = f"{weights}_iou"
    if learning.is_empty() or name not in learning.columns:
        return 0
    checks = (pl.col(name).is_not_null() & pl.col(name).is_not_nan()).sum().alias("checks")
    runs = learning.group_by("arm", "fraction", "seed", "fold").agg(checks)
    return int((runs["checks"] < LAST_CHECKS).sum())


def _settled(arm: str, fraction: float, weights: str, ranges: Sequence[float]) -> Settled:
    values = np.asarray(ranges)
    within = int((values <= TOLERANCE + 1e-12).sum())
    return Settled(
        arm, fraction, weights, float(np.median(values)), float(values.max()), within, len(values)
    )
