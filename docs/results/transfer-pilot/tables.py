"""Make the pilot's tables and figures of the scores that ``run.py`` has left.

    python docs/results/transfer-pilot/tables.py --work DIR

Repeat r was scored on fold r by a network of seed r, so that each subject is scored once an arm.
Intervals are over groups (all folds together): seeds differ between folds, but no fold is scored by
two seeds, so what a seed does cannot be told from what a fold does.
"""

import argparse
import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from data import FOLDS, TARGETS
from pictures import draw_ablation, draw_arms, draw_masks
from run import CHANGES

from crosspatch.evaluation.rows import COLUMNS
from crosspatch.files import write_text
from crosspatch.models.storage import Model
from crosspatch.studies.crossed import Estimate, Resampled, resample
from crosspatch.studies.cube import Cell, cube
from crosspatch.studies.verdicts import gaps, qualification, tenths
from crosspatch.training.run import Run

HERE = Path(__file__).parent
STARTS = ("scratch", "photos", "em")
BASELINES = {"threshold": "threshold", "random forest": "forest"}
LAST = 10


def main() -> None:
    """Write everything that the scores found suffice for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    work = parser.parse_args().work
    whole = [target for target in TARGETS if has_all(work, target, "scratch", 10)]
    drawn = {target: resample(cube(frame(work, target))) for target in whole}
    write_rows("settings.csv", settings(work))
    write_rows("qualify.csv", [row for name in whole for row in qualified(name, drawn[name])])
    write_rows("scores.csv", [row for name in whole for row in scored(work, name, drawn[name])])
    write_rows("transfer.csv", [row for name in whole for row in transferred(name, drawn[name])])
    write_rows("weights.csv", [row for name in whole for row in weighed(work, name)])
    ablated = [row for name in whole for row in ablations(work, name)]
    write_rows("ablation.csv", ablated)
    warm = [name for name in whole if has_all(work, name, "photos", 100)]
    write_text(HERE / "arms.svg", draw_arms({name: drawn[name] for name in warm}))
    if ablated:
        write_text(HERE / "ablation.svg", draw_ablation(ablated))
    for name in warm:
        draw_masks(HERE / f"masks-{name}.png", work, name)


def table(work: Path, name: str, weights: str = "averaged") -> list[dict[str, str]]:
    """Rows of one run's scores; none where it is not done."""
    path = work / "scores" / f"{name}.{weights}.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def has_all(work: Path, target: str, start: str, percent: int, change: str = "") -> bool:
    """Whether all repeats are done."""
    return all(table(work, f"{target}-{start}-{percent}-{seed}{change}") for seed in range(FOLDS))


def frame(work: Path, target: str, changes: Sequence[str] = ("",)) -> pl.DataFrame:
    """All repeats of a target as rows of a study: one "seed", since a fold has only one."""
    rows = []
    for change in changes:
        for start in STARTS:
            for percent in (10, 100):
                if not has_all(work, target, start, percent, change):
                    continue
                for seed in range(FOLDS):
                    rows += list(_study_rows(work, target, start, percent, seed, change))
    numbers = {
        name: pl.Float64 for name in COLUMNS if name not in ("method", "subject", "group")
    } | {"labels": pl.Float64, "fraction": pl.Float64}
    return pl.DataFrame(rows, schema_overrides=numbers, infer_schema_length=None)


def _study_rows(
    work: Path, target: str, start: str, percent: int, seed: int, change: str
) -> Iterator[dict[str, object]]:
    name = f"{target}-{start}-{percent}-{seed}{change}"
    model = Model.open(work / "runs" / name / "model").facts
    labels = len(model.contents)
    for row in table(work, name):
        baseline = BASELINES.get(row["method"])
        own = start if not change else f"{start}{change}"
        kind = "scratch" if own == "scratch" else "transfer"
        yield {
            "arm": baseline or own,
            "kind": "baseline" if baseline else kind,
            "fraction": percent / 100,
            "labels": labels,
            "seed": 0,
            **{key: _number(value) for key, value in row.items() if key != "method"},
            "subject": row["subject"],
            "group": row["group"],
        }


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def mean_iou(rows: Sequence[Mapping[str, str]]) -> float:
    """Mean IoU over the subjects with foreground."""
    values = [float(row["iou"]) for row in rows if row["iou"] and int(row["tp"]) + int(row["fn"])]
    return float(np.mean(values)) if values else math.nan


def settings(work: Path) -> Iterator[dict[str, object]]:
    """Rate and length of the schedule, tried from scratch on one fold: what fixed both."""
    for target in TARGETS:
        for change in ("", "-steps-x-2", "-paper-rate", "-paper-rate-steps-x-2"):
            rows = table(work, f"{target}-scratch-100-0{change}")
            rows = [row for row in rows if row["method"] == "model"]
            if rows and table(work, f"{target}-scratch-100-0-paper-rate"):
                yield {
                    "target": target,
                    "change": change.removeprefix("-") or "none",
                    "repeat": 0,
                    "iou": f"{mean_iou(rows):.4f}",
                }


def qualified(target: str, drawn: Resampled) -> Iterator[dict[str, object]]:
    """Whether scratch with all labels beats baselines and scratch with a tenth by 0.05 IoU."""
    found = qualification(drawn)
    for hurdle in found.hurdles:
        yield {
            "target": target,
            "scratch with all labels, against": hurdle.over,
            **_said(hurdle.gain),
            "passed": hurdle.passed,
            "qualifies": found.passed,
        }


def scored(work: Path, target: str, drawn: Resampled) -> Iterator[dict[str, object]]:
    """Every arm and fraction: its scores, and the mean IoU of each repeat."""
    scores = ("iou", "pooled_iou", "boundary_f", "average_precision")
    for cell in drawn.cube.cells:
        percent = round(100 * cell.fraction)
        by_repeat = [
            mean_iou([row for row in table(work, f"{target}-{start}-{percent}-{seed}")
                      if row["method"] == method])
            for seed in range(FOLDS)
            for start, method in [_where(cell.arm)]
        ]  # fmt: skip
        iou, *others = [drawn.estimate(name, {cell: 1}) for name in scores]
        yield {
            "target": target,
            "arm": cell.arm,
            "percent": percent,
            "labels": f"{drawn.cube.labels[cell]:.1f}",
            "groups": len(drawn.cube.groups),
            **_said(iou),
            **{name: f"{one.value:.4f}" for name, one in zip(scores[1:], others, strict=True)},
            **{f"iou of repeat {seed}": f"{iou:.4f}" for seed, iou in enumerate(by_repeat)},
        }


def _where(arm: str) -> tuple[str, str]:
    """Start and method of an arm: a baseline stands in the table of a run from scratch."""
    for method, name in BASELINES.items():
        if arm == name:
            return "scratch", method
    return arm, "model"


def transferred(target: str, drawn: Resampled) -> Iterator[dict[str, object]]:
    """Each source minus scratch at the same fraction, and a tenth of the labels against all."""
    for gap in gaps(drawn):
        yield {
            "target": target,
            "difference": f"{gap.arm} - scratch, {gap.fraction:.0%}",
            **_said(gap.difference),
            "p (Holm)": f"{gap.p:.3f}",
        }
    for tenth in tenths(drawn):
        yield {
            "target": target,
            "difference": f"{tenth.arm} at 10% - scratch at 100%",
            **_said(tenth.loss),
            "p (Holm)": "",
        }
    if drawn.common([Cell("scratch", 0.1), Cell("scratch", 1.0)]):
        both = drawn.estimate("iou", {Cell("scratch", 0.1): 1, Cell("scratch", 1.0): -1})
        name = "scratch at 10% - scratch at 100%"
        yield {"target": target, "difference": name, **_said(both), "p (Holm)": ""}


def _said(estimate: Estimate) -> dict[str, object]:
    ends = {"low": estimate.low, "high": estimate.high}
    return {"iou": f"{estimate.value:.4f}"} | {
        name: "" if end is None else f"{end:.4f}" for name, end in ends.items()
    }


def weighed(work: Path, target: str) -> Iterator[dict[str, object]]:
    """Plain and averaged weights, with and without statistics measured anew; how much they jump."""
    for start in STARTS:
        for percent in (10, 100):
            if not has_all(work, target, start, percent):
                continue
            names = [f"{target}-{start}-{percent}-{seed}" for seed in range(FOLDS)]
            row: dict[str, object] = {"target": target, "start": start, "percent": percent}
            for weights in ("averaged", "plain", "norms"):
                found = [table(work, name, weights) for name in names]
                rows = [[row for row in one if row["method"] == "model"] for one in found]
                known = all(found)
                row[f"iou, {weights}"] = (
                    f"{np.mean([mean_iou(one) for one in rows]):.4f}" if known else ""
                )
            for weights in ("averaged", "plain"):
                spans = [_span(Run.open(work / "runs" / name), f"{weights}_iou") for name in names]
                row[f"widest range over the last {LAST} checks, {weights}"] = (
                    f"{max(spans):.3f}" if all(map(math.isfinite, spans)) else ""
                )
            yield row


def _span(run: Run, key: str) -> float:
    values = [line.get(key) for line in run.metrics()[-LAST:]]
    known = [value for value in values if value is not None]
    return max(known) - min(known) if known else math.nan


def ablations(work: Path, target: str) -> Iterator[dict[str, object]]:
    """One setting changed at a time: the change in IoU, subject by subject, by group."""
    for change in CHANGES:
        there = frame(work, target, ("", f"-{change}"))
        if not there.filter(pl.col("arm").str.contains(change, literal=True)).height:
            continue
        drawn = resample(cube(there))
        for start in STARTS:
            for percent in (10, 100):
                cell = Cell(f"{start}-{change}", percent / 100)
                before = Cell(start, percent / 100)
                if drawn.common([cell, before]):
                    yield {
                        "target": target,
                        "change": change,
                        "start": start,
                        "percent": percent,
                        "iou after": f"{drawn.estimate('iou', {cell: 1}).value:.4f}",
                        **_said(drawn.estimate("iou", {cell: 1, before: -1})),
                    }


def write_rows(name: str, rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table; nothing where there is no row."""
    listed = list(rows)
    if listed:
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, list(listed[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(listed)
        write_text(HERE / name, text.getvalue())


if __name__ == "__main__":
    main()
