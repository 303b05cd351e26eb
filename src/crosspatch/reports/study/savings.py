"""The section of a study's report that answers it: scores against labels, and labels needed."""

import math

from crosspatch.reports.page import Block, Drawing, Facts, Section, Table
from crosspatch.reports.study.bounds import variants
from crosspatch.reports.study.material import Material, called
from crosspatch.reports.study.numbers import Figures, Row
from crosspatch.reports.study.words import p_value, signed, tenth
from crosspatch.reports.study_figures import (
    Level,
    Line,
    Needed,
    Point,
    fraction_curves,
    labels_needed,
)
from crosspatch.studies.cube import SCRATCH, Cell
from crosspatch.studies.statistics import Findings
from crosspatch.studies.verdicts import TAIL, TOLERANCE


def answer_section(material: Material, found: Findings, figures: Figures) -> Section:
    """Figure 4, the labels needed, and the claim about a tenth of them."""
    cube = found.cube
    done = material.done
    facts = Facts(
        [
            (f"{cube.with_foreground}", "test subjects with foreground, of "
             f"{cube.subjects} that were scored whole"),
            (f"{cube.groups_of()}", "independent test groups with foreground"),
            (f"{len(cube.seeds)}", "seeds: trainings of everything"),
            (f"{done} / {len(material.planned)}" if material.planned else f"{done}", "runs done"),
        ]
    )  # fmt: skip
    figures["figure-4"] = _curves(material, found)
    blocks: list[Block] = [
        facts,
        Drawing(
            figures["figure-4"],
            "The paper's Figure 4: score against the share of the labels, a line a model. "
            "Bars: 95% intervals over seeds and test groups together; an arrowhead: it goes on "
            "beyond the view. Dotted: what needs no network, fitted with all labels."
            + variants(found),
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
                "test group; an arrowhead: the interval goes on beyond the view.",
            )
        )
    if found.savings:
        blocks.append(_savings_table(found))
    if found.tenths:
        blocks.append(_tenths_table(found))
    return Section("Labels saved", blocks)


def _curves(material: Material, found: Findings) -> str:
    lines = [
        Line(called(arm), material.place(arm), _points(found, arm, "iou")) for arm in material.arms
    ]
    levels = [_level(found, arm) for arm in found.cube.arms("baseline")]
    spent: dict[float, list[float]] = {}
    for cell, count in found.cube.labels.items():
        if cell.arm in material.arms and not math.isnan(count):
            spent.setdefault(cell.fraction, []).append(count)
    labels = [(share, f"{sum(some) / len(some):.0f}") for share, some in sorted(spent.items())]
    return fraction_curves(
        lines, levels, ylabel="mean IoU over test subjects with foreground", labels=labels
    )


def _level(found: Findings, arm: str) -> Level:
    """Draw a baseline with its score in words: two that do alike lie on one another."""
    value = found.scores[Cell(arm, found.cube.fractions(arm)[-1])]["iou"].value
    return Level(f"{called(arm)}: {value:.2f}", value)


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
            one.fractions[-1],
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
            "model", "labels needed", "95% interval", f"within {TOLERANCE:g} IoU", "95% interval",
            "seeds",
        ],
        rows,
        "Share of the labels needed to score like from scratch with all of them, by a curve that "
        "never falls, straight between the logarithms of the shares; and to come within "
        f"{TOLERANCE:g} mean IoU of that. \"At most\": the smallest share tried is enough already."
        f"{variants(found)}",
    )  # fmt: skip


def _tenths_table(found: Findings) -> Table:
    rows: list[Row] = [
        [
            called(one.arm),
            signed(one.loss, beside=-TOLERANCE),
            signed(one.scratch_loss, beside=-TOLERANCE),
            p_value(one.p, beside=TAIL),
            tenth(one),
        ]
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
