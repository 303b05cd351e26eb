"""The sections of a study's report that hold its numbers: hurdles, differences, scores."""

from crosspatch.evaluation.intervals import FEWEST_GROUPS
from crosspatch.reports.page import Block, Details, Section, Table, Text
from crosspatch.reports.study.bounds import NOT_ASKED, asks, variants
from crosspatch.reports.study.material import WEIGHTS, Material, called
from crosspatch.reports.study.words import between, p_value, signed
from crosspatch.studies.cube import METRICS, SCRATCH, Cell
from crosspatch.studies.savings import percent
from crosspatch.studies.statistics import Findings
from crosspatch.studies.verdicts import MARGIN

Row = list[str | int | float | None]
Figures = dict[str, str]
"""Figures that were drawn, by the name of their file."""


def worth_section(material: Material, found: Findings) -> Section:
    """Whether the target deserves a claim about labels."""
    unknown = "not known yet" if asks(material) else "not asked"
    words = {True: "passed", False: "failed", None: unknown}
    verdict = {
        True: "It does.",
        False: "It does not: whatever is found below says little about labels.",
        None: "That cannot be said yet." if asks(material) else f"That is {NOT_ASKED}.",
    }
    rows = [
        [
            "scratch with 10% of the labels" if one.over.startswith(SCRATCH) else called(one.over),
            signed(one.gain, beside=MARGIN),
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


def difference_section(material: Material) -> Section | None:
    """Every other way to train against scratch, with corrected p values, by each kind of weights.

    None where there is nothing to compare yet.
    """
    compared = {weights: found for weights, found in material.findings.items() if found.gaps}
    if not compared:
        return None
    told = (
        "Positive: better than from scratch with the same labels. Seeds and test groups are drawn "
        "anew together, the same draw for every model (crossed bootstrap); where seed and group "
        "act together these intervals are too wide rather than too narrow. "
        f"{_of_which_weights(material)} The p values are corrected by Holm's method within each "
        "kind of weights, so that the chance of a single false one in a table stays at 5%"
        f"{'; in both tables together it is up to 10%' * (len(compared) > 1)}."
    )
    few = [found for found in compared.values() if not found.has_intervals]
    if few:
        told += (
            f" There are only {few[0].cube.groups_of()} test groups with foreground; under "
            f"{FEWEST_GROUPS} no interval is given."
        )
    tables = [_difference_table(found) for found in compared.values()]
    return Section("Against training from scratch", [Text([told]), *tables])


def _of_which_weights(material: Material) -> str:
    """Say which weights were to be judged by, before anybody saw what each kind comes to."""
    first, *others = material.findings
    rule = f"The headline was fixed beforehand to be of the {WEIGHTS[0]} weights"
    if others:
        return (
            f"{rule}, and so is all that stands above; the plain last weights, the paper's way, "
            "have a table of their own here and do not change it."
        )
    if first == WEIGHTS[0]:
        return f"{rule}; of the plain last weights nothing was scored."
    return f"{rule}; nothing was scored with these, so here it is of the plain last weights."


def _difference_table(found: Findings) -> Table:
    rows: list[Row] = [
        [
            called(gap.arm), percent(gap.fraction), signed(gap.difference), p_value(gap.p),
            p_value(gap.difference.p), gap.difference.seeds,
        ]
        for gap in found.gaps
    ]  # fmt: skip
    columns = ["model", "labels", "difference in mean IoU", "p, corrected", "p alone", "seeds"]
    weights = {"averaged": "Averaged weights", "plain": "Plain last weights"}[found.weights]
    caption = (
        f"{weights}; p corrected for {len(rows)} comparison{'s' * (len(rows) != 1)}; in brackets: "
        f"95% intervals, each by itself.{variants(found)}"
    )
    return Table(columns, rows, caption)


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
