"""Publish what several studies say together: which source helps which target, or what purity costs.

    python docs/results/headline/together.py STUDY STUDY ... --out docs/results/domain

Writes the page that ``crosspatch report STUDY STUDY ...`` makes as ``numbers.md``, its figures, its
tables as CSV, and the log of what was opened of the test splits. Beside them ``scores.csv`` (a row
a study, start and share of the labels, with its interval) and ``seeds.csv`` (the same, a seed).
"""

import argparse
import math
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
from sections import blocks, write

from crosspatch.files import write_text
from crosspatch.reports.study.compare import comparison_page
from crosspatch.reports.study.material import Material, read_material


def main() -> None:
    """Write everything anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    wishes = parser.parse_args()
    out: Path = wishes.out
    out.mkdir(parents=True, exist_ok=True)
    materials = [read_material(one) for one in wishes.studies]
    page, figures = comparison_page(materials)
    for name, svg in figures.items():
        write_text(out / f"{name}.svg", svg)
    named = {svg: name for name, svg in figures.items()}
    parts = [f"# {page.title}: the numbers"]
    for section in page.sections:
        parts += [f"## {section.title}", *blocks(section, named, out)]
    write_text(out / "numbers.md", "\n\n".join(parts) + "\n")
    write(out / "scores.csv", scores(wishes.studies, materials))
    seeds(wishes.studies, materials).write_csv(out / "seeds.csv", float_precision=4)
    for study in wishes.studies:
        shutil.copy(study / "test_log.csv", out / f"test_log-{study.name}.csv")


def scores(studies: Sequence[Path], materials: Sequence[Material]) -> Iterator[Sequence[object]]:
    """Every study, start and share: seeds, mean IoU of averaged weights with its interval."""
    yield ["study", "arm", "fraction", "seeds", "iou", "low", "high"]
    for study, material in zip(studies, materials, strict=True):
        found = material.headline
        for cell, of in found.scores.items() if found else ():
            one = of["iou"]
            known = ["" if math.isnan(one.value) else f"{one.value:.4f}"]
            known += ["" if side is None else f"{side:.4f}" for side in (one.low, one.high)]
            yield [study.name, cell.arm, cell.fraction, one.seeds, *known]


def seeds(studies: Sequence[Path], materials: Sequence[Material]) -> pl.DataFrame:
    """Mean IoU of each seed over test subjects with foreground, averaged weights."""
    parts = [
        material.results.filter(
            pl.col("weights").is_in(["averaged", "none"]) & (pl.col("tp") + pl.col("fn") > 0)
        )
        .group_by("arm", "fraction", "seed")
        .agg(pl.col("iou").mean())
        .select(pl.lit(study.name).alias("study"), pl.col("arm").cast(pl.String), "fraction",
                "seed", "iou")
        for study, material in zip(studies, materials, strict=True)
    ]  # fmt: skip
    return pl.concat(parts).sort("study", "fraction", "arm", "seed")


if __name__ == "__main__":
    main()
