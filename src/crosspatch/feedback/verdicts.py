"""What a simulation comes to: scores over labels, and what beats chance, with intervals.

Scores of all arms are of the same test subjects and the same seeds; intervals allow for other
groups and other seeds at once (`crosspatch.studies.crossed`), and differences are paired.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from crosspatch.evaluation.rows import COLUMNS
from crosspatch.feedback.simulation import FOREGROUND_RANDOM, RANDOM, START, Replay
from crosspatch.files import PathLike, write_text
from crosspatch.studies.crossed import Estimate, Resampled, holm, resample
from crosspatch.studies.cube import Cell, cube

METRIC = "iou"
"""Mean IoU over test subjects with foreground: the score that we quote first."""

SCORE_COLUMNS = {
    "arm": "how subjects were chosen; start: the first labels, drawn at random for all",
    "seed": "of the first labels, the training, and chance",
    "round": "choices made, from 0",
    "labels": "subjects labelled",
} | {name: says for name, says in COLUMNS.items() if name != "method"}
"""Columns of a simulation's ``scores.csv``: whose score it is, and then the score."""

CURVE_COLUMNS = {
    "arm": "how subjects were chosen; start: the first labels, drawn at random for all",
    "round": "choices made, from 0",
    "labels": "subjects labelled",
    "share": "of the pool, [0, 1]",
    "iou": "IoU, mean over test subjects with foreground and over seeds",
    "low": "lower end of its 95% interval, over seeds and groups; empty under 5 groups",
    "high": "upper end",
    "seeds": "how many",
    "groups": "of test subjects",
}
"""Columns of ``curve.csv``."""

ARM_COLUMNS = {
    "arm": "how subjects were chosen",
    "baseline": "random, or foreground-random",
    "difference": "IoU of arm - baseline, mean over the rounds after the start",
    "low": "lower end of its 95% interval, over seeds and groups; empty under 5 groups",
    "high": "upper end",
    "p": "two-sided p value, adjusted after Holm for the arms compared with this baseline",
    "beats": "yes: the adjusted p value is under 0.05 and the difference above 0",
}
"""Columns of ``arms.csv``."""


@dataclass(frozen=True)
class Point:
    """A row of ``curve.csv``; see `CURVE_COLUMNS`."""

    arm: str
    round: int
    labels: int
    share: float
    score: Estimate


@dataclass(frozen=True)
class Comparison:
    """A row of ``arms.csv``; see `ARM_COLUMNS`. ``p`` is adjusted."""

    arm: str
    baseline: str
    difference: Estimate
    p: float

    @property
    def beats(self) -> bool:
        """Whether the arm is better, beyond what chance explains."""
        return self.p < 0.05 and self.difference.value > 0


def judge(
    replay: Replay, scores: pl.DataFrame, *, seed: int = 0
) -> tuple[list[Point], list[Comparison]]:
    """Sum the scores of a simulation up.

    Parameters
    ----------
    replay : Replay
    scores : rows of ``scores.csv``: arm, round, seed, labels, then the columns of a subject's score
    seed : of the bootstrap
    """
    rows = scores.with_columns(
        pl.lit("transfer").alias("kind"),
        pl.col("round").cast(pl.Float64).alias("fraction"),
        pl.lit(0).alias("fold"),
    )
    resampled = resample(cube(rows), seed=seed)
    cells = [Cell(START, 0.0)] + [
        Cell(arm, float(round_)) for arm in replay.arms for round_ in range(1, replay.rounds + 1)
    ]
    points = [
        Point(
            arm=cell.arm,
            round=int(cell.fraction),
            labels=replay.labels(int(cell.fraction)),
            share=replay.labels(int(cell.fraction)) / len(replay.pool),
            score=resampled.estimate(METRIC, {cell: 1.0}),
        )
        for cell in cells
        if resampled.has(cell)
    ]
    comparisons = [
        one
        for baseline in (RANDOM, FOREGROUND_RANDOM)
        if baseline in replay.arms
        for one in _against(baseline, replay, resampled)
    ]
    return points, comparisons


def _against(baseline: str, replay: Replay, resampled: Resampled) -> list[Comparison]:
    arms = [arm for arm in replay.arms if arm != baseline]
    differences = [resampled.estimate(METRIC, _mean_over_rounds(arm, baseline, replay))
                   for arm in arms]  # fmt: skip
    adjusted = holm([one.p for one in differences])
    return [
        Comparison(arm, baseline, difference, p)
        for arm, difference, p in zip(arms, differences, adjusted, strict=True)
    ]


def _mean_over_rounds(arm: str, baseline: str, replay: Replay) -> Mapping[Cell, float]:
    each = 1 / replay.rounds
    rounds = range(1, replay.rounds + 1)
    return {Cell(arm, float(one)): each for one in rounds} | {
        Cell(baseline, float(one)): -each for one in rounds
    }


def sentences(comparisons: Sequence[Comparison]) -> list[str]:
    """Say for each kind of chance what beats it."""
    said = []
    for baseline in dict.fromkeys(one.baseline for one in comparisons):
        mine = [one for one in comparisons if one.baseline == baseline]
        name = {RANDOM: "random choice", FOREGROUND_RANDOM: "foreground-aware random choice"}
        better = [f"{one.arm} ({_signed(one.difference)})" for one in mine if one.beats]
        tested = [one for one in mine if one.difference.low is not None]
        if not tested:
            said.append(f"too few test groups to say what beats {name[baseline]}")
        else:
            what = ", ".join(better) or "nothing"
            once = tested[0].difference.seeds == 1
            hint = "; one seed only: another may say otherwise" if once else ""
            said.append(f"{what} beats {name[baseline]}, over all rounds{hint}")
    return said


def _signed(estimate: Estimate) -> str:
    between = "" if estimate.low is None else f", {estimate.low:+.3f} to {estimate.high:+.3f}"
    return f"{estimate.value:+.3f} IoU{between}"


def write_curve(path: PathLike, points: Sequence[Point]) -> None:
    """Write ``curve.csv``."""
    _write(path, CURVE_COLUMNS, [
        (one.arm, one.round, one.labels, one.share, one.score.value, one.score.low, one.score.high,
         one.score.seeds, one.score.groups)
        for one in points
    ])  # fmt: skip


def write_arms(path: PathLike, comparisons: Sequence[Comparison]) -> None:
    """Write ``arms.csv``."""
    _write(path, ARM_COLUMNS, [
        (one.arm, one.baseline, one.difference.value, one.difference.low, one.difference.high,
         one.p, "yes" if one.beats else "no")
        for one in comparisons
    ])  # fmt: skip


def _write(path: PathLike, columns: Mapping[str, str], rows: Sequence[Sequence[object]]) -> None:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows([_cell(value) for value in row] for row in rows)
    write_text(path, text.getvalue())


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if value != value else f"{value:.6g}"
    return "" if value is None else value
