"""The sections of a study's report that hold its numbers: answer, differences, scores, training."""

import math
from collections.abc import Sequence

import polars as pl

from crosspatch.evaluation.intervals import FEWEST_GROUPS
from crosspatch.reports.page import Block, Details, Drawing, Facts, Section, Table, Text
from crosspatch.reports.study.material import Material, called
from crosspatch.reports.study.words import between, p_value, signed, tenth
from crosspatch.reports.study_figures import (
    Band,
    Level,
    Line,
    Needed,
    Point,
    fraction_curves,
    labels_needed,
    learning_bands,
)
from crosspatch.studies.cube import METRICS, SCRATCH, Cell
from crosspatch.studies.savings import percent
from crosspatch.studies.statistics import Findings
from crosspatch.studies.verdicts import LAST_CHECKS, MARGIN, TOLERANCE, Settled

Row = list[str | int | float | None]
Figures = dict[str, str]
"""Figures that were drawn, by the name of their file."""


def answer_section(material: Material, found: Findings, figures: Figures) -> Section:
    """Figure 4, the labels needed, and the claim about a tenth of them."""
    cube = found.cube
    done = len(material.planned) - len(material.missing)
    facts = Facts(
        [
            (f"{cube.with_foreground}", "test subjects with foreground, of "
             f"{cube.subjects} that were scored whole"),
            (f"{len(cube.groups)}", "independent test groups"),
            (f"{len(cube.seeds)}", "seeds: trainings of everything"),
            (f"{done} / {len(material.planned)}" if material.planned else f"{done}", "runs done"),
        ]
    )  # fmt: skip
    figures["figure-4"] = _curves(material, found)
    blocks: list[Block] = [
        facts,
        Drawing(
            figures["figure-4"],
            "The paper's Figure 4: score against the share of the labels, a line a start. "
            "Bars: 95% intervals over seeds and test groups together. Dotted: what needs no "
            "network, fitted with all labels.",
            wide=True,
        ),
    ]
    fractions = [cell.fraction for cell in found.scores if cell.arm == SCRATCH]
    if found.savings and fractions:
        figures["labels-needed"] = labels_needed(_needed(material, found), sorted(fractions))
        blocks.append(
            Drawing(
                figures["labels-needed"],
                "Share of the labels needed to score like from scratch with all of them. Arrows: "
                "beyond what was tried. The line of scratch itself shows whether fewer would have "
                "done anyway.",
            )
        )
    if found.gaps:
        figures["differences"] = _differences(material, found)
        blocks.append(
            Drawing(
                figures["differences"],
                "The same as differences to from scratch at the same share, paired by seed and "
                "test group.",
            )
        )
    blocks.append(_savings_table(found))
    if found.tenths:
        blocks.append(_tenths_table(found))
    return Section("Labels saved", blocks)


def _curves(material: Material, found: Findings) -> str:
    lines = [
        Line(called(arm), material.place(arm), _points(found, arm, "iou")) for arm in material.arms
    ]
    levels = [
        Level(called(arm), found.scores[Cell(arm, found.cube.fractions(arm)[-1])]["iou"].value)
        for arm in found.cube.arms("baseline")
    ]
    spent: dict[float, list[float]] = {}
    for cell, count in found.cube.labels.items():
        if cell.arm in material.arms and not math.isnan(count):
            spent.setdefault(cell.fraction, []).append(count)
    labels = [(share, f"{sum(some) / len(some):.0f}") for share, some in sorted(spent.items())]
    return fraction_curves(
        lines, levels, ylabel="mean IoU over test subjects with foreground", labels=labels
    )


def _points(found: Findings, arm: str, metric: str) -> list[Point]:
    points = []
    for fraction in found.cube.fractions(arm):
        score = found.scores[Cell(arm, fraction)][metric]
        low = None if score.low is None else max(score.low, 0.0)
        high = None if score.high is None else min(score.high, 1.0)
        points.append(Point(fraction, score.value, low, high))
    return points


def _needed(material: Material, found: Findings) -> list[Needed]:
    return [
        Needed(
            called(one.arm), material.place(one.arm), one.share.fraction, one.share.at_most,
            None if one.low is None else one.low.fraction * (0.5 if one.low.at_most else 1),
            None if one.high is None else one.high.fraction,
        )
        for one in found.savings
        if not one.slack
    ]  # fmt: skip


def _differences(material: Material, found: Findings) -> str:
    lines = []
    for arm in dict.fromkeys(gap.arm for gap in found.gaps):
        points = [
            Point(gap.fraction, gap.difference.value, gap.difference.low, gap.difference.high)
            for gap in found.gaps
            if gap.arm == arm
        ]
        lines.append(Line(called(arm), material.place(arm), points))
    return fraction_curves(lines, [], ylabel="mean IoU above scratch", wide=False, zero=True)


def _savings_table(found: Findings) -> Table:
    close = {one.arm: one for one in found.savings if one.slack}
    rows: list[Row] = []
    for one in found.savings:
        if one.slack:
            continue
        near = close[one.arm]
        rows.append(
            [
                called(one.arm), str(one.share), _range(one.low, one.high),
                str(near.share), _range(near.low, near.high), one.seeds,
            ]
        )  # fmt: skip
    return Table(
        [
            "start", "labels needed", "95% interval", f"within {TOLERANCE:g} IoU", "95% interval",
            "seeds",
        ],
        rows,
        "Share of the labels needed to score like from scratch with all of them, by a curve that "
        "never falls, straight between the logarithms of the shares; and to come within "
        f"{TOLERANCE:g} mean IoU of that. \"At most\": the smallest share tried is enough already.",
    )  # fmt: skip


def _tenths_table(found: Findings) -> Table:
    rows: list[Row] = [
        [called(one.arm), signed(one.loss), signed(one.scratch_loss), p_value(one.p), tenth(one)]
        for one in found.tenths
    ]
    return Table(
        ["start", "10% - scratch, 100%", "scratch, 10% - scratch, 100%", "p, corrected", "verdict"],
        rows,
        f"Do 10% of the labels do the work of all? Yes, if a loss of {TOLERANCE:g} mean IoU or "
        "more is ruled out (one-sided p under 0.025, by Holm's correction over the starts), and "
        "from scratch cannot do it too.",
    )


def _range(low: object, high: object) -> str:
    return "–" if low is None or high is None else f"{low} to {high}"


def worth_section(material: Material, found: Findings) -> Section:
    """Whether the target deserves a claim about labels."""
    words = {True: "passed", False: "failed", None: "not known yet"}
    verdict = {
        True: "It does.",
        False: "It does not: whatever is found below says little about labels.",
        None: "That cannot be said yet.",
    }
    rows = [
        [
            "scratch with 10% of the labels" if one.over.startswith(SCRATCH) else called(one.over),
            signed(one.gain),
            words[one.passed],
        ]
        for one in found.qualification.hurdles
    ]
    told = (
        "Where a threshold on one band does the work, or a tenth of the labels does it without "
        "any help, labels cannot be saved. A target deserves a claim if training from scratch "
        f"with all labels beats each of these by {MARGIN:g} mean IoU at least. "
        + verdict[found.qualification.passed]
    )
    caption = "From scratch with all labels, minus each hurdle; in brackets 95% intervals."
    return Section(
        "Do labels matter here?",
        [Text([told]), Table(["hurdle", "mean IoU above it", "verdict"], rows, caption)],
    )


def difference_section(material: Material, found: Findings) -> Section:
    """Every start against scratch, with corrected p values."""
    rows: list[Row] = [
        [
            called(gap.arm), percent(gap.fraction), signed(gap.difference), p_value(gap.p),
            p_value(gap.difference.p), gap.difference.seeds,
        ]
        for gap in found.gaps
    ]  # fmt: skip
    told = (
        "Positive: better than from scratch with the same labels. Seeds and test groups are drawn "
        "anew together, the same draw for every model (crossed bootstrap); the p values are "
        f"corrected by Holm's method for all {len(rows)} comparisons of this table, so that the "
        "chance of a single false one among them stays at 5%. Where seed and group act together "
        "these intervals are too wide rather than too narrow."
    )
    if not found.has_intervals:
        told += (
            f" There are only {len(found.cube.groups)} test groups; under {FEWEST_GROUPS} no "
            "interval is given."
        )
    columns = ["start", "labels", "difference in mean IoU", "p, corrected", "p alone", "seeds"]
    table = Table(columns, rows, "In brackets: 95% intervals, each by itself.")
    return Section("Against training from scratch", [Text([told]), table])


def score_section(material: Material) -> Section:
    """Every score of every cell, for each kind of weights."""
    blocks: list[Block] = [
        Text(
            [
                "Whole subjects, stitched from overlapping windows at their own resolution, at a "
                "probability of 0.5, with the last weights: nothing was stopped, picked or tuned "
                "by test subjects. Averaged weights are running averages with batch-norm "
                "statistics taken anew on training images; plain weights are the paper's way."
            ]
        )
    ]
    for weights, found in material.findings.items():
        tables = [_score_table(found, metric, says) for metric, says in METRICS.items()]
        blocks.append(tables[0])
        blocks.append(Details(f"The other scores, {weights} weights", tables[1:]))
    return Section("All scores", blocks)


def _score_table(found: Findings, metric: str, says: str) -> Table:
    fractions = sorted({cell.fraction for cell in found.scores})
    arms = dict.fromkeys(cell.arm for cell in found.scores)
    rows = [
        [
            called(arm),
            *(
                between(found.scores[Cell(arm, fraction)][metric], 3)
                if Cell(arm, fraction) in found.scores
                else "–"
                for fraction in fractions
            ),
        ]
        for arm in arms
    ]
    caption = (
        f"{says[0].upper()}{says[1:]}; {found.weights} weights; mean over seeds, 95% interval."
    )
    return Table(["", *(percent(fraction) for fraction in fractions)], rows, caption)


def training_section(material: Material, found: Findings, figures: Figures) -> Section | None:
    """Learning curves, and whether training had settled."""
    shown = [
        share
        for share in _shown_fractions(material.learning)
        if _bands(material, share, f"{found.weights}_iou")
    ]
    if not shown:
        return None
    blocks: list[Block] = [Text([_settled_words(found)])]
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
    blocks.append(Details("How far each start still moved", [_settled_table(found.settled)]))
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


def _settled_words(found: Findings) -> str:
    cells = [one for one in found.settled if one.weights == found.weights]
    runs, within = sum(one.runs for one in cells), sum(one.within for one in cells)
    if not runs:
        return "No run could be validated: a few groups leave none to set aside."
    verdict = (
        "Training had settled, as a headline needs."
        if within == runs
        else "A headline needs all of them: read the numbers above with that in mind."
    )
    return (
        f"{within} of {runs} runs had settled: over their last {LAST_CHECKS} checks the IoU of "
        f"validation crops ranged by {TOLERANCE:g} at most. {verdict} (Validation stands in for "
        "the test set, which is opened once a run.)"
    )


def _settled_table(settled: Sequence[Settled]) -> Table:
    rows: list[Row] = [
        [called(one.arm), percent(one.fraction), one.weights, one.median, one.widest,
         f"{one.within} of {one.runs}"]
        for one in settled
    ]  # fmt: skip
    caption = (
        f"Range of validation IoU over the last {LAST_CHECKS} checks: median and widest run; how "
        f"many runs ranged by {TOLERANCE:g} at most."
    )
    columns = ["start", "labels", "weights", "median", "widest", "settled"]
    return Table(columns, rows, caption)
