"""Copy what is small of a finished study to where it is published, and its numbers as tables.

    python docs/results/headline/tables.py STUDY --out docs/results/headline/nuclei

From the study's report: figures and the test log. From its tables: ``scores.csv`` (a row a start
and share of the labels, averaged and plain weights), ``differences.csv`` (each start minus
scratch), ``subjects.csv`` (IoU of each test subject, mean over seeds) and ``index.md``, all of it
as a page.
"""

import argparse
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl
from numbers_page import page
from sections import write

from crosspatch.files import write_text
from crosspatch.reports.study.material import Material, read_material
from crosspatch.studies.crossed import Estimate

FIGURES = ("figure-4", "labels-needed", "differences", "learning-10", "learning-100")
TABLES = ("test_log.csv", "times.csv", "study.toml")


def main() -> None:
    """Write everything anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    wishes = parser.parse_args()
    wishes.out.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        shutil.copy(wishes.study / name, wishes.out / name)
    for name in FIGURES:
        drawn = wishes.study / "figures" / f"{name}.svg"
        if drawn.exists():
            shutil.copy(drawn, wishes.out / drawn.name)
    material = read_material(wishes.study)
    write(wishes.out / "scores.csv", scores(material))
    write(wishes.out / "differences.csv", differences(material))
    subjects(material).write_csv(wishes.out / "subjects.csv", float_precision=4)
    command = f"tables.py WORK/{wishes.study.name} --out {wishes.out.name}"
    write_text(wishes.out / "index.md", page(material, command, wishes.out))


def scores(material: Material) -> Iterable[Sequence[object]]:
    """Every start and share: labels spent, seeds, mean IoU with its interval, other scores."""
    others = ("pooled_iou", "dice", "boundary_f", "average_precision", "loss")
    yield ["weights", "arm", "fraction", "labels", "seeds", "iou", "low", "high", *others]
    for weights, found in material.findings.items():
        for cell, of in found.scores.items():
            iou = of["iou"]
            labels = f"{found.cube.labels[cell]:.4g}"
            yield [weights, cell.arm, cell.fraction, labels, iou.seeds, *_interval(iou),
                   *(f"{of[name].value:.4f}" for name in others)]  # fmt: skip


def differences(material: Material) -> Iterable[Sequence[object]]:
    """Each start minus scratch with the same labels; p by itself and by Holm's correction."""
    yield ["weights", "arm", "fraction", "seeds", "iou", "low", "high", "p", "p_holm"]
    for weights, found in material.findings.items():
        for gap in found.gaps:
            one = gap.difference
            yield [weights, gap.arm, gap.fraction, one.seeds, *_interval(one), f"{one.p:.4f}",
                   f"{gap.p:.4f}"]  # fmt: skip
        if found.longer is not None:
            yield [weights, "twice-as-long", 1.0, found.longer.seeds, *_interval(found.longer),
                   f"{found.longer.p:.4f}", ""]  # fmt: skip


def subjects(material: Material) -> pl.DataFrame:
    """IoU of each test subject by start and share, mean over seeds, averaged weights."""
    rows = material.results.filter(pl.col("weights").is_in(["averaged", "none"]))
    return (
        rows.group_by("subject", "arm", "fraction")
        .agg(pl.col("iou").mean(), pl.len().alias("seeds"))
        .with_columns(pl.col("subject", "arm").cast(pl.String))
        .sort("subject", "arm", "fraction")
    )


def _interval(one: Estimate) -> list[str]:
    return [f"{value:.4f}" if value is not None else "" for value in (one.value, one.low, one.high)]


if __name__ == "__main__":
    main()
