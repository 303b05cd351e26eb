"""What a consensus leaves beside its masks: tables, and sentences to be said aloud."""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

from crosspatch.volunteers.ballots import Choice, Reading
from crosspatch.volunteers.expert import MEASURES, ExpertReport
from crosspatch.volunteers.folder import MADE, SUBJECT_COLUMNS, BucketWork
from crosspatch.volunteers.gather import Gathered
from crosspatch.volunteers.staple import Estimate
from crosspatch.volunteers.tally import plain
from crosspatch.volunteers.who_counts import UNTOUCHED

VOLUNTEER_COLUMNS = (
    "volunteer", "subjects", "repeats", "compared", "dice", "relative", "area", "blanks",
    "outlier", "outlier_on", "sensitivity", "specificity",
)  # fmt: skip
CURVE_COLUMNS = ("subject", "k", "iou", "dice", "matthews", "subjects")
CHOICE_COLUMNS = ("measure", "chosen_k", "in_sample", "held_out")

MEAN = "mean"


def write_subjects(path: Path, work: BucketWork) -> None:
    """Write subjects.csv, by name."""
    rows = sorted(work.rows, key=lambda row: row.name)
    _write(path, SUBJECT_COLUMNS, (astuple(row) for row in rows))


def write_volunteers(path: Path, work: BucketWork, estimate: Estimate | None) -> None:
    """Write volunteers.csv: outliers first, then by name; those without a vote that counts last."""
    rates = {}
    if estimate is not None:
        pairs = zip(estimate.sensitivity.tolist(), estimate.specificity.tolist(), strict=True)
        rates = dict(zip(estimate.volunteers, pairs, strict=True))
    _write(path, VOLUNTEER_COLUMNS, _volunteer_rows(work, rates))


def _volunteer_rows(
    work: BucketWork, rates: Mapping[str, tuple[float, float]]
) -> Iterator[Sequence[object]]:
    none = (math.nan, math.nan)
    for one in work.learned.ledger.rows():
        yield (
            one.volunteer, one.subjects, work.repeats[one.volunteer], one.compared, one.dice,
            one.relative, one.area, one.blanks, one.outlier, ";".join(one.outlier_on),
            *rates.get(one.volunteer, none),
        )  # fmt: skip
    for volunteer in sorted(work.repeats):
        if volunteer not in work.learned.ledger:
            nothing = (math.nan,) * 4
            yield (volunteer, 0, work.repeats[volunteer], 0, *nothing, False, "", *none)


def write_expert(folder: Path, report: ExpertReport) -> None:
    """Write expert_curve.csv, the scores at each k, and expert_choice.csv, the best k's worth."""
    curves: list[Sequence[object]] = [
        (MEAN, point.k, point.iou, point.dice, point.matthews, point.subjects)
        for point in report.mean
    ]
    for curve in report.curves:
        scores = [curve.scores(measure).tolist() for measure in MEASURES]
        curves += [
            (curve.subject, k + 1, *values, 1) for k, values in enumerate(zip(*scores, strict=True))
        ]
    _write(folder / "expert_curve.csv", CURVE_COLUMNS, curves)
    choices = [
        (measure, choice.best + 1, choice.in_sample, choice.nested)
        for measure, choice in report.choices.items()
    ]
    _write(folder / "expert_choice.csv", CHOICE_COLUMNS, choices)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    # Row by row: a project may have a hundred thousand volunteers.
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(value) if isinstance(value, str) and len(value) <= 80 else value


def sentences(choice: Choice, gathered: Gathered, work: BucketWork, images: bool) -> list[str]:
    """Say what happened and what was assumed, in the words of the people who run a project."""
    said = work.tally.sentences()
    said += _about_workflows(choice, gathered)
    said += _about_tools(gathered.found)
    if choice.frame is not None and work.tally.marks_rejected["another frame"]:
        said.append(
            f"only frame {choice.frame} of each subject counts; where all frames show the same "
            "view, let all of them count (frame 'all')"
        )
    if work.stretched:
        said.append(
            f"the masks of {work.stretched} subjects have other proportions than the images that "
            "volunteers saw: are these the right images, is this the right size?"
        )
    if work.tally.marks_rejected[UNTOUCHED]:
        said.append(
            f"{work.tally.marks_rejected[UNTOUCHED]} marks are proposals of the model that nobody "
            "touched: they are no votes, and where a mask would rest on whoever left them "
            "standing, it is undecided (255)"
        )
    if work.unsized:
        said.append(
            f"{work.unsized} classifications do not say the size of the image that was drawn on; "
            "their marks were taken as they are"
        )
    states = Counter(row.status for row in work.rows)
    skipped = ", ".join(
        f"{number} ({state})" for state, number in states.most_common() if state != MADE
    )
    said.append(
        f"{states[MADE]} masks made" + (f"; subjects skipped: {skipped}" if skipped else "")
    )
    if states[MADE] > 1:  # neither an export nor a file says which scene a tile was cut from
        said.append(
            "splits.csv takes each subject for a place of its own: where several are tiles of one "
            "scene, write the scene into its column 'group' and take its column 'split' out before "
            "prepare, or neighbours are both trained and tested on"
        )
    if not images:
        said.append(
            "no images were given, so there are masks only: put each subject's image into images/ "
            "under the name of its mask"
        )
    return said + sorted(work.said)


def _about_workflows(choice: Choice, gathered: Gathered) -> list[str]:
    said = []
    others = {
        workflow: number
        for workflow, number in gathered.found.workflows.items()
        if workflow != gathered.workflow
    }
    if others:
        said.append(
            f"of several workflows, {gathered.workflow} with most classifications was taken; left "
            f"out: {_counted(others)}"
        )
    versions = {
        version: number
        for (workflow, version), number in gathered.found.versions.items()
        if workflow == gathered.workflow
    }
    if len(versions) > 1:
        said.append(
            f"the classifications are of several versions of the workflow ({_counted(versions)}): "
            "if a task changed in between, choose one version"
        )
    return said


def _about_tools(found: Reading) -> list[str]:
    by_tool: Counter[str] = Counter()
    for (task, label, tool), number in found.tools.items():
        by_tool[f"{task} {label or tool}".strip()] += number
    return [f"marks by tool: {_counted(by_tool)}"] if len(by_tool) > 1 else []


def _counted(numbers: dict[str, int]) -> str:
    ordered = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    more = f", and {len(ordered) - 12} more" if len(ordered) > 12 else ""
    return ", ".join(f"{plain(name)} ({number})" for name, number in ordered[:12]) + more
