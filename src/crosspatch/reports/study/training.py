"""The section of a study's report on training: learning curves, and whether it was long enough."""

from collections.abc import Sequence

import polars as pl

from crosspatch.reports.page import Block, Details, Drawing, Section, Table, Text
from crosspatch.reports.study.material import Material, called
from crosspatch.reports.study.numbers import Figures, Row
from crosspatch.reports.study.words import signed
from crosspatch.reports.study_figures import Band, learning_bands
from crosspatch.studies.savings import percent
from crosspatch.studies.statistics import Findings
from crosspatch.studies.verdicts import ENOUGH, LAST_CHECKS, TOLERANCE, Settled, digits_beside


def training_section(material: Material, found: Findings, figures: Figures) -> Section | None:
    """Learning curves, whether the steps were enough, and whether training had settled."""
    shown = [
        share
        for share in _shown_fractions(material.learning)
        if _bands(material, share, f"{found.weights}_iou")
    ]
    if not shown:
        return None
    blocks: list[Block] = [Text([longer_words(material, found), _settled_words(found)])]
    for share in shown:
        name = f"learning-{percent(share).rstrip('%').replace('.', '_')}"
        figures[name] = learning_bands(
            _bands(material, share, f"{found.weights}_iou"), ylabel="IoU of validation crops"
        )
        blocks.append(
            Drawing(
                figures[name],
                f"{percent(share)} of the labels, {found.weights} weights: mean of all runs, and "
                "from the lowest to the highest.",
            )
        )
    blocks.append(Details("How far each model still moved", [_settled_table(found.settled)]))
    return Section("Learning curves", blocks)


def _shown_fractions(learning: pl.DataFrame) -> list[float]:
    """Choose a tenth and all of the labels; else the ends of what there is."""
    there = sorted(learning["fraction"].unique().drop_nulls().to_list())
    wanted = [share for share in (0.1, 1.0) if share in there]
    return wanted or sorted({*there[:1], *there[-1:]})


def _bands(material: Material, fraction: float, column: str) -> list[Band]:
    if column not in material.learning.columns:
        return []
    rows = material.learning.filter((pl.col("fraction") == fraction) & pl.col(column).is_not_null())
    bands = []
    for arm in material.arms:
        curve = (
            rows.filter(pl.col("arm") == arm)
            .group_by("step")
            .agg(
                pl.col(column).mean().alias("mean"),
                pl.col(column).min().alias("low"),
                pl.col(column).max().alias("high"),
            )
            .sort("step")
        )
        if len(curve):
            bands.append(
                Band(called(arm), material.place(arm), *(curve[name].to_list() for name in
                     ("step", "mean", "low", "high")))
            )  # fmt: skip
    return bands


def longer_words(material: Material, found: Findings) -> str:
    """Say whether the steps were enough: what twice as many would have gained."""
    rule = f"a headline asks that twice the steps gain from scratch less than {ENOUGH:g} mean IoU"
    if "epochs" in material.plan:
        return (
            "Whether training was long enough was not measured: with epochs, its steps go by the "
            f"labels ({rule})."
        )
    if found.longer is None:
        return f"Whether the steps were enough has not been measured: {rule}, with all labels."
    verdict = (
        "The steps were enough."
        if found.longer.value < ENOUGH
        else "The steps were too few: read every number above as of trainings cut short."
    )
    return f"Twice the steps gain {signed(found.longer, beside=ENOUGH)}, where {rule}. {verdict}"


def _settled_words(found: Findings) -> str:
    within, runs = found.settling
    if not runs:
        return (
            f"Of no run it is known whether it had settled: that takes {LAST_CHECKS} checks with "
            "validation, for which a few groups leave none to set aside."
        )
    verdict = (
        "Training had settled, as a headline needs."
        if within == runs and not found.unvalidated
        else "A headline needs all of them: read the numbers above with that in mind."
    )
    unknown = (
        f" Of {found.unvalidated} more it is not known: their labels are too few to set any aside, "
        f"or they had fewer than {LAST_CHECKS} checks."
        if found.unvalidated
        else ""
    )
    return (
        f"{within} of {runs} runs had settled: over their last {LAST_CHECKS} checks the IoU of "
        f"validation crops ranged by {TOLERANCE:g} at most.{unknown} {verdict} (Validation stands "
        "in for the test set, which is opened once a run.)"
    )


def _settled_table(settled: Sequence[Settled]) -> Table:
    rows: list[Row] = [
        [called(one.arm), percent(one.fraction), one.weights, _range(one.median),
         _range(one.widest), f"{one.within} of {one.runs}"]
        for one in settled
    ]  # fmt: skip
    caption = (
        f"Range of validation IoU over the last {LAST_CHECKS} checks: median and widest run; how "
        f"many runs ranged by {TOLERANCE:g} at most."
    )
    columns = ["model", "labels", "weights", "median", "widest", "settled"]
    return Table(columns, rows, caption)


def _range(value: float) -> str:
    return f"{value:.{digits_beside(value, TOLERANCE)}f}"
