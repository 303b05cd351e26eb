"""All that a study says in numbers, from its rows: what the report prints, and nothing else."""

from dataclasses import dataclass

import polars as pl

from crosspatch.evaluation.intervals import FEWEST_GROUPS, RESAMPLES
from crosspatch.studies.crossed import Estimate, Resampled, resample
from crosspatch.studies.cube import METRICS, SCRATCH, Cell, Cube, cube
from crosspatch.studies.savings import Saving, saving
from crosspatch.studies.verdicts import (
    ENOUGH,
    TOLERANCE,
    Gap,
    Qualification,
    Settled,
    Tenth,
    digits_beside,
    gaps,
    longer,
    qualification,
    saved,
    settled,
    tenths,
    unvalidated,
)


@dataclass(frozen=True)
class Findings:
    """What one target's runs come to, with one kind of weights.

    Attributes
    ----------
    target, weights : str
    cube : who was scored, on what
    scores : cell -> metric -> estimate
    gaps : every warm arm minus scratch, at each fraction
    savings : share of the labels that each arm needs, scratch itself first: to score like scratch
        with all of them, then to come within 0.03 IoU of that
    tenths : the claim "10% does the work of 100%", an arm each
    qualification : whether a claim about labels means anything here
    settled : whether training had settled, by cell and kind of weights
    longer : gain of scratch with all labels from twice the steps; None where it was not measured
    unvalidated : trainings of scratch and the starts of which it cannot be said whether they had
        settled; None where no learning curves were given
    """

    target: str
    weights: str
    cube: Cube
    scores: dict[Cell, dict[str, Estimate]]
    gaps: tuple[Gap, ...]
    savings: tuple[Saving, ...]
    tenths: tuple[Tenth, ...]
    qualification: Qualification
    settled: tuple[Settled, ...]
    longer: Estimate | None = None
    unvalidated: int | None = None

    @property
    def starts(self) -> list[str]:
        """Arms that start from another model; not what is trained from scratch in another way."""
        return self.cube.arms("transfer", "pretrained")

    @property
    def saved(self) -> dict[str, bool | None]:
        """Whether each start is shown to need fewer labels than scratch itself."""
        starts = self.starts
        return saved([one for one in self.savings if not one.slack and one.arm in starts])

    @property
    def settling(self) -> tuple[int, int]:
        """How many trainings of scratch and the starts had settled, of how many that can tell."""
        arms = (SCRATCH, *self.starts)
        cells = [one for one in self.settled if one.weights == self.weights and one.arm in arms]
        return sum(one.within for one in cells), sum(one.runs for one in cells)

    @property
    def has_intervals(self) -> bool:
        """Whether there are test groups enough to say one."""
        return self.cube.groups_of() >= FEWEST_GROUPS

    @property
    def limits(self) -> tuple[str, ...]:
        """What must stand in the same sentence as a number; empty where nothing must."""
        said = []
        groups, seeds = self.cube.groups_of(), len(self.cube.seeds)
        if groups < FEWEST_GROUPS:
            what = _count(groups, "test group")
            what += " with foreground" if groups < len(self.cube.groups) else ""
            said.append(f"{what} only, so without an interval")
        if self.longer is not None and self.longer.value >= ENOUGH:
            by = " (one seed)" if self.longer.seeds == 1 < seeds else ""
            gain = f"{self.longer.value:.{digits_beside(self.longer.value, ENOUGH)}f}"
            said.append(f"with too few steps: from scratch gains {gain} from twice as many{by}")
        said += self._unsettled()
        if min([seeds, *(one.seeds for one in self.savings)]) == 1:
            said.append("one seed only, so that the interval knows nothing of other trainings")
        return tuple(said)

    def _unsettled(self) -> list[str]:
        (within, runs), unknown = self.settling, self.unvalidated or 0
        if within < runs:
            more = f", and of {unknown} more it is not known" if unknown else ""
            one = f"{runs - within} of {_count(runs, 'training')} had not settled at their end"
            return [one + more]
        if unknown and runs:
            return [f"whether {unknown} of {runs + unknown} trainings had settled is not known"]
        if self.unvalidated is not None and not runs:
            return ["whether its trainings had settled is not known"]
        return []


def analyse(
    results: pl.DataFrame,
    learning: pl.DataFrame | None = None,
    *,
    weights: str = "averaged",
    subjects: int = 0,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Findings:
    """Work out everything that may be said of one target.

    Parameters
    ----------
    results : frame
        Rows of ``results.csv`` of one target; those of baselines belong to every kind of weights.
    learning : frame, optional
        Rows of ``learning.csv`` of the same target.
    weights : "averaged" or "plain"
    subjects : int
        Test subjects that there are, where it is known (see `cube`).
    resamples, seed : of the bootstrap

    Raises
    ------
    InputError
        There is no row to work with, or a subject was scored twice in the same place.
    """
    rows = results.filter(pl.col("weights").is_in([weights, "none"]))
    scored = cube(rows, subjects=subjects)
    drawn = resample(scored, resamples=resamples, seed=seed)
    arms = scored.arms(SCRATCH, "transfer", "pretrained")
    savings = [saving(drawn, arm, slack=slack) for slack in (0.0, TOLERANCE) for arm in arms]
    starts = scored.arms("transfer", "pretrained")
    return Findings(
        target=str(rows["target"][0]),
        weights=weights,
        cube=scored,
        scores=_scores(drawn),
        gaps=tuple(gaps(drawn)),
        savings=tuple(one for one in savings if one is not None),
        tenths=tuple(tenths(drawn)),
        qualification=qualification(drawn),
        settled=() if learning is None else tuple(settled(_of(learning, arms))),
        longer=longer(drawn),
        unvalidated=None
        if learning is None
        else unvalidated(_of(learning, [SCRATCH, *starts]), weights),
    )


def _of(learning: pl.DataFrame, arms: list[str]) -> pl.DataFrame:
    """Leave the check of the steps out, which is no arm."""
    return learning.filter(pl.col("arm").cast(pl.String).is_in(arms))


def _scores(drawn: Resampled) -> dict[Cell, dict[str, Estimate]]:
    return {
        cell: {metric: drawn.estimate(metric, {cell: 1.0}) for metric in METRICS}
        for cell in drawn.cube.cells
    }


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
