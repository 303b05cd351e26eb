"""The results of a study as one array: what each run adds to the scores, by group.

Every score is a ratio of two sums over subjects, so that a group (a scene, a place) is a row of
sums, and resampling groups is a matrix product, however many subjects there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from crosspatch.errors import InputError

Floats = NDArray[np.float64]

METRICS = {
    "iou": "IoU, mean over subjects with foreground",
    "pooled_iou": "IoU of all pixels together",
    "dice": "Dice, mean over subjects with foreground",
    "boundary_f": "boundary F-score (2 pixels), mean over those with both",
    "false_positive_area": "false positive area, mean over subjects without any",
    "average_precision": "average precision, mean over subjects with foreground",
    "loss": "the paper's loss, mean over subjects",
}
"""Scores that a study compares, fixed beforehand, the primary one first."""

SCRATCH = "scratch"
"""The arm that every other is compared with."""


@dataclass(frozen=True)
class Cell:
    """One point of a learning-by-labels curve: an arm (a start, or a baseline) and a fraction."""

    arm: str
    fraction: float


@dataclass(frozen=True)
class Cube:
    """Scores of one target, ready to be resampled.

    Attributes
    ----------
    kinds : arm -> "scratch", "transfer", "pretrained", "check" or "baseline", in the order of
        the frame
    cells : those with at least one whole run
    seeds, groups : in sorted order
    sums : (groups, cells, seeds, metrics, 2) float64; numerators and denominators of `METRICS`
    present : (cells, seeds) bool; whether that cell was scored on every subject with that seed
    subjects, with_foreground : how many were scored, by every whole cell
    labels : labelled subjects spent, mean over seeds and folds
    incomplete : (cell, seed, subjects scored) of those left out
    """

    kinds: dict[str, str]
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    groups: tuple[str, ...]
    sums: Floats
    present: NDArray[np.bool_]
    subjects: int
    with_foreground: int
    labels: dict[Cell, float]
    incomplete: tuple[tuple[Cell, int, int], ...]

    def fractions(self, arm: str) -> list[float]:
        """Fractions of an arm that have a whole run, ascending."""
        return sorted(cell.fraction for cell in self.cells if cell.arm == arm)

    def arms(self, *kinds: str) -> list[str]:
        """Arms of these kinds that have a whole run, in order."""
        there = {cell.arm for cell in self.cells}
        return [arm for arm, kind in self.kinds.items() if kind in kinds and arm in there]

    @cached_property
    def counting(self) -> NDArray[np.bool_]:
        """Which groups have anything that a metric counts: (groups, metrics) bool.

        A scene without any foreground says nothing about the IoU of subjects that have some.
        """
        counted: NDArray[np.bool_] = (self.sums[..., 1] != 0).any(axis=(1, 2))
        return counted

    def groups_of(self, metric: str = "iou") -> int:
        """Count the groups that a score rests on."""
        return int(self.counting[:, list(METRICS).index(metric)].sum())


def cube(results: pl.DataFrame, *, subjects: int = 0) -> Cube:
    """Sum the rows of one target and one kind of weights up by group.

    A cell with some subjects missing for a seed (a run or a fold that is not done) is left out for
    that seed: means over other subjects would not compare. A baseline that was fitted once stands
    for every seed.

    Parameters
    ----------
    results : frame
        Rows of ``results.csv``: arm, kind, fraction, labels, seed, fold, subject, group, tp, fp,
        fn, foreground and the scores.
    subjects : int
        How many there are to be scored, where that is known; else as many as any run has scored.

    Raises
    ------
    InputError
        A subject was scored twice by the same arm, fraction and seed; or there are no rows.
    """
    if results.is_empty():
        raise InputError("results.csv: holds no score yet")
    keys = ["arm", "fraction", "seed"]
    rows = results.with_columns(pl.col("seed").fill_null(0), pl.col("fraction").fill_null(1.0))
    per_run = rows.group_by(keys).agg(pl.len().alias("rows"), pl.col("subject").n_unique())
    spent = rows.group_by([*keys, "fold"]).agg(pl.col("labels").first())
    spent = spent.group_by(keys).agg(pl.col("labels").mean())
    per_run = per_run.join(spent, on=keys)
    twice = per_run.filter(pl.col("rows") != pl.col("subject"))
    if len(twice):
        arm, fraction, seed = twice.select(keys).row(0)
        raise InputError(
            f"results.csv: scores a subject twice for {arm} at fraction {fraction:g}, seed {seed}"
        )
    names = rows.select("subject", (pl.col("tp") + pl.col("fn") > 0).alias("has")).unique("subject")
    kinds = dict(rows.select("arm", "kind").unique(maintain_order=True).iter_rows())
    summed = rows.group_by([*keys, "group"]).agg(*_sums())
    scored = max(len(names), subjects)
    return _assemble(summed, per_run, kinds, scored, int(names["has"].sum()))


def _sums() -> list[pl.Expr]:
    """Numerator and denominator of each metric, in order; a score without meaning adds neither."""
    has = (pl.col("tp") + pl.col("fn")) > 0
    both = has & (pl.col("foreground") < 1)
    where = {"iou": has, "dice": has, "boundary_f": both, "average_precision": has}
    expressions = []
    for name in METRICS:
        if name == "pooled_iou":
            top, bottom = pl.col("tp"), pl.col("tp") + pl.col("fp") + pl.col("fn")
        else:
            counts = where.get(name, pl.lit(True)) & pl.col(name).is_not_null()
            top, bottom = pl.when(counts).then(pl.col(name)).otherwise(0.0), counts
        expressions += [
            top.cast(pl.Float64).sum().alias(f"{name}/top"),
            bottom.cast(pl.Float64).sum().alias(f"{name}/bottom"),
        ]
    return expressions


def _assemble(
    summed: pl.DataFrame,
    per_run: pl.DataFrame,
    kinds: dict[str, str],
    subjects: int,
    with_foreground: int,
) -> Cube:
    once = _fitted_once(per_run, kinds)
    seeds = sorted(per_run.filter(~pl.col("arm").is_in(list(once)))["seed"].unique()) or [0]
    groups = summed["group"].unique().sort().to_list()
    found = per_run.sort("arm", "fraction").select("arm", "fraction").unique(maintain_order=True)
    order = {arm: place for place, arm in enumerate(kinds)}
    cells = sorted(
        (Cell(arm, fraction) for arm, fraction in found.iter_rows()),
        key=lambda cell: (order[cell.arm], cell.fraction),
    )
    cell_at = {cell: place for place, cell in enumerate(cells)}
    present = np.zeros((len(cells), len(seeds)), dtype=bool)
    incomplete: list[tuple[Cell, int, int]] = []
    labels: dict[Cell, list[float]] = {}
    for arm, fraction, seed, rows, _, spent in per_run.sort("arm", "fraction", "seed").iter_rows():
        cell = Cell(arm, fraction)
        whole, at = rows == subjects, _seeds_of(cell, seed, seeds, once)
        present[cell_at[cell], at] = whole
        if not whole:
            incomplete.append((cell, int(seed), int(rows)))
        labels.setdefault(cell, []).append(float("nan") if spent is None else spent)
    sums = _fill(summed, cells, seeds, groups, once)
    kept = [place for place, row in enumerate(present) if row.any()]
    return Cube(
        kinds=kinds,
        cells=tuple(cells[place] for place in kept),
        seeds=tuple(int(seed) for seed in seeds),
        groups=tuple(groups),
        sums=np.ascontiguousarray(sums[:, kept]),
        present=present[kept],
        subjects=subjects,
        with_foreground=with_foreground,
        labels={cell: float(np.mean(spent)) for cell, spent in labels.items()},
        incomplete=tuple(incomplete),
    )


def _fitted_once(per_run: pl.DataFrame, kinds: dict[str, str]) -> set[str]:
    """Baselines with a single seed."""
    counts = per_run.group_by("arm").agg(pl.col("seed").n_unique())
    single = {arm for arm, seeds in counts.iter_rows() if seeds == 1}
    return {arm for arm in single if kinds[arm] == "baseline"}


def _seeds_of(cell: Cell, seed: int, seeds: Sequence[int], once: set[str]) -> slice | int:
    return slice(None) if cell.arm in once else seeds.index(seed)


def _fill(
    summed: pl.DataFrame,
    cells: Sequence[Cell],
    seeds: Sequence[int],
    groups: Sequence[str],
    once: set[str],
) -> Floats:
    """Lay the sums out as (groups, cells, seeds, metrics, 2)."""
    group_at = {group: place for place, group in enumerate(groups)}
    sums = np.zeros((len(groups), len(cells), len(seeds), len(METRICS), 2))
    cell_at = {cell: place for place, cell in enumerate(cells)}
    values = [f"{name}/{part}" for name in METRICS for part in ("top", "bottom")]
    for (arm, fraction, seed), part in summed.group_by(["arm", "fraction", "seed"]):
        cell = Cell(str(arm), float(fraction))
        at = _seeds_of(cell, int(seed), seeds, once)
        table = part.select(values).to_numpy().reshape(len(part), len(METRICS), 2)
        places = [group_at[group] for group in part["group"]]
        if isinstance(at, slice):
            sums[places, cell_at[cell]] = table[:, np.newaxis]
        else:
            sums[places, cell_at[cell], at] = table
    return sums
