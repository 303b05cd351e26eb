"""The study: two sources are trained, then kelp from scratch and from each of them; its report."""

import math
import os
from collections.abc import Sequence
from dataclasses import fields
from importlib.util import find_spec
from typing import Any

import tomlkit

from crosspatch.demo.domains import SOURCES
from crosspatch.demo.journey import RATE, Journey
from crosspatch.errors import CrosspatchError
from crosspatch.evaluation.rows import SubjectScore
from crosspatch.files import write_text
from crosspatch.reports.figures import Curve, learning_curve
from crosspatch.reports.page import Block, Commands, Drawing, Link, Section, Text
from crosspatch.studies.cube import SCRATCH
from crosspatch.studies.tables import RESULT_COLUMNS, read_table
from crosspatch.training.run import Run
from crosspatch.workflows.report import report
from crosspatch.workflows.study import study

FRACTIONS = (0.1, 1.0)
"""Shares of the labels that everything is trained with."""

WARM_ARMS = tuple(SOURCES)
HAVE_FOREST = find_spec("sklearn") is not None  # else: the extra `baselines` is not installed

_AT_ONCE = 2
_ABOUT_CURVES = (
    "The curves are of the kelp network from scratch with all labels. Some of its scenes were set "
    "aside first, and the curve shows how well their crops were outlined: by the weights as they "
    "were at that step, and by their running average, which is what the model keeps. The masks of "
    "these scenes are the volunteers', too."
)


def train_all(journey: Journey) -> Section:
    """Do the study, or go on with it, and show how the run from scratch went."""
    plan = journey.folder / "study-plan.toml"
    if not plan.exists():
        write_text(plan, tomlkit.dumps(study_plan(journey)))
    made = study(
        plan,
        out=journey.folder / "study",
        workers=min(_AT_ONCE, os.cpu_count() or 1),
        progress=journey.progress,
    )
    for name, why in made.failed.items():
        raise CrosspatchError(f"{made.run_folder(name)}: {why}")
    blocks: list[Block] = [
        Text(_what_was_done(journey)),
        Commands("crosspatch study study-plan.toml --out study --workers 2"),
        Text([_ABOUT_CURVES]),
        *_curves(run_of(journey, SCRATCH, 1.0)),
    ]
    return Section("Small networks learn to outline kelp", blocks)


def write_report(journey: Journey) -> Section:
    """Write the study's own report, and say its answer."""
    made = report(journey.folder / "study", progress=journey.progress)
    place = made.path.relative_to(journey.folder).as_posix()
    words = [
        "Every study has a report that stands alone: the answer in one sentence or why there is "
        "none, scores against labels with intervals, the networks, the subjects side by side, "
        "every setting, and what the numbers cannot be used for. It says of this one:",
        made.answer,
    ]
    blocks: list[Block] = [
        Text(words),
        Link("The report of this study", place),
        Commands("crosspatch report study"),
    ]
    return Section("The report of the study", blocks)


def study_plan(journey: Journey) -> dict[str, Any]:
    """Give the tables of STUDY.toml; what is not said here is the paper's.

    One thread a run: networks this small gain little from two, lose much on a busy machine, and
    the numbers then do not depend on how many cores there are.
    """
    plan = journey.plan
    crops = {"recipe": "windows", "size": plan.crop}
    return {
        "steps": plan.steps,
        "fractions": list(FRACTIONS),
        "seeds": [journey.seed],
        "check_steps": False,  # twice the time, to know that a demonstration is short
        "baselines": ["threshold", "forest"] if HAVE_FOREST else ["threshold"],
        "target": {"dataset": "datasets/kelp", **crops},
        "sources": {name: {"datasets": f"datasets/{name}", **crops} for name in SOURCES},
        "settings": {
            "network": {"width": plan.width, "discriminator_width": plan.width},
            "training": {
                "batch": plan.batch, "checks": plan.checks, "generator_rate": RATE, "threads": 1,
            },
        },
    }  # fmt: skip


def rows_of(
    journey: Journey, arm: str, fraction: float, weights: str = "averaged"
) -> list[SubjectScore]:
    """Give the scores of the held-out subjects by one run, or by a baseline."""
    return [
        _score(row)
        for row in _results(journey)
        if (row["arm"], float(row["fraction"])) == (arm, fraction)
        and row["weights"] in (weights, "none")
    ]


def labels_of(journey: Journey, fraction: float) -> int:
    """Tell how many subjects' labels a fraction comes to."""
    return next(
        int(row["labels"])
        for row in _results(journey)
        if (row["arm"], float(row["fraction"])) == (SCRATCH, fraction)
    )


def run_of(journey: Journey, arm: str, fraction: float) -> Run:
    """Open a run of the study."""
    for row in _results(journey):
        if (row["arm"], float(row["fraction"])) == (arm, fraction):
            return Run.open(journey.folder / "study" / "runs" / row["run"])
    raise CrosspatchError(f"{journey.folder / 'study'}: holds no run {arm} at {fraction:g}")


def _results(journey: Journey) -> list[dict[str, str]]:
    return read_table(journey.folder / "study" / "results.csv", RESULT_COLUMNS)


def _score(row: dict[str, str]) -> SubjectScore:
    """Read the cells of a row as what they are; an empty one has no meaning."""
    values: dict[str, Any] = {}
    for field in fields(SubjectScore):
        cell = row[field.name]
        values[field.name] = (
            cell if field.type is str
            else int(cell) if field.type is int
            else float(cell) if cell else math.nan
        )  # fmt: skip
    return SubjectScore(**values)


def _what_was_done(journey: Journey) -> list[str]:
    plan = journey.plan
    some, everything = (labels_of(journey, fraction) for fraction in FRACTIONS)
    return [
        f"Every image was cut into crops of {plan.crop} x {plan.crop} pixels, to be seen turned "
        "and mirrored in eight ways. Two networks learned from them, one that draws masks and one "
        f"that tells drawn from true, for {plan.steps} steps of {plan.batch} crops. Losses, "
        "optimisers and falling learning rates are the paper's; the networks have a quarter of "
        f"their usual width ({plan.width}), and the generator's learning rate is {RATE:g} instead "
        "of 0.0005, because the schedule is so short.",
        f"That was done eight times: for photos; for droplets; then for kelp from scratch, from "
        f"the photo network and from the droplet network, each with a tenth of the labels ({some} "
        f"images) and with all of them ({everything}), for equally many steps. One command does "
        "all of it:",
    ]


def _curves(run: Run) -> list[Block]:
    checks = run.metrics()
    if not any(check.get("averaged_iou") is not None for check in checks):
        return []
    scores = [
        _curve(checks, "averaged weights", "averaged_iou"),
        _curve(checks, "plain", "plain_iou"),
    ]
    losses = [
        _curve(checks, "training crops", "tversky"),
        _curve(checks, "set aside, averaged", "averaged_loss"),
    ]
    return [
        Drawing(
            learning_curve(scores, ylabel="IoU of crops set aside"),
            "Learning curve on scenes set aside from training.",
        ),
        Drawing(
            learning_curve(losses, ylabel="focal Tversky loss"),
            "The paper's loss. Training crops are seen with dropout.",
        ),
    ]


def _curve(checks: Sequence[dict[str, Any]], name: str, key: str) -> Curve:
    known = [check for check in checks if key in check]
    values = [math.nan if check[key] is None else check[key] for check in known]
    return Curve(name, [check["step"] for check in known], values)
