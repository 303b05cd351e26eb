"""Judge `crosspatch rank` on the domain studies: what is lost by starting from what it puts first.

    python docs/results/headline/judge_rank.py WORK/domain-* --out docs/results/domain/rank

For each study and seed, `rank` gets what a team would have: the tenth of the training subjects that
the study's runs of that seed had, and the study's own source models of that seed. Regret is the
mean IoU (test subjects, mean over the study's seeds, averaged weights) of the best source minus
that of the source that is put first; "photos" always takes that one. Probes take `rank`'s own
150 steps and 3 repeats; with ``--probed`` they are made for some seeds only, the measures for every
one. In a study by folds, seed s gets the tenth of fold s. Writes ``choices.csv`` (a row a study,
seed and way) and ``ranked.csv`` (what was measured, and the seconds that the whole ranking took).
"""

import argparse
import csv
import math
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

import crosspatch as cp
from crosspatch.crops import Crops
from crosspatch.files import read_toml, write_text
from crosspatch.studies.frames import read_results
from crosspatch.studies.measures import regrets
from crosspatch.training.samples import choose
from crosspatch.workflows.rank import Ranked

ALWAYS = "photos"
LOWER = ("distance",)


def main() -> None:
    """Judge all studies that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--probed", nargs="*", type=int, help="seeds with probes, else all")
    wishes = parser.parse_args()
    wishes.out.mkdir(parents=True, exist_ok=True)
    for study in wishes.studies:
        scores = outcome(study)
        for seed in read_toml(study / "study.toml")["seeds"]:
            kept = wishes.out / f".{study.name}-s{seed}.csv"
            if not kept.exists():  # a ranking takes minutes: what is done is not done again
                probed = wishes.probed is None or seed in wishes.probed
                write(kept, ranked(study, seed, probed=probed))
            print(study.name, seed, scores)
    gather(wishes.studies, wishes.out)


def outcome(study: Path) -> dict[str, float]:
    """Mean IoU of each source's runs on the test subjects that have foreground."""
    rows = read_results(study).filter(
        (pl.col("kind") == "transfer")
        & (pl.col("weights") == "averaged")
        & (pl.col("tp") + pl.col("fn") > 0)
    )
    found = rows.group_by("source").agg(pl.col("iou").mean())
    return {str(source): float(iou) for source, iou in found.rows()}


def ranked(study: Path, seed: int, *, probed: bool) -> Iterator[Sequence[object]]:
    """Rank the sources of one seed, by the subjects that its runs had."""
    plan = read_toml(study / "study.toml")
    target = plan["target"]
    fold = f"-fold-{seed % plan['folds']}" if plan["folds"] else ""
    crops = Crops.open(study / "crops" / f"target{fold}")
    names = choose(crops, plan["fractions"][0], 0.0, seed).subjects
    yield ["study", "seed", "source", "probe", "repeats", "log_me", "h_score", "leep", "distance",
           "seconds"]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        few = lay_out(Path(folder) / "few", cp.Dataset.open(study / target["dataset"]), names)
        models = sorted(study.glob(f"runs/source-*-s{seed}-*/model"))
        began = time.monotonic()
        found = cp.rank(
            few, models=models, size=target["size"], scale=target.get("scale"), seed=seed,
            device="cpu", **({} if probed else {"steps": 0}),
        )  # fmt: skip
        took = round(time.monotonic() - began)
    for row in found.rows:
        yield [study.name, seed, source_of(row), row.probe, len(row.probes), *measures(row), took]


def source_of(row: Ranked) -> str:
    """Name of the source that a row of the ranking is about; "scratch" without one."""
    return row.path.parent.name.split("-")[1] if row.path else "scratch"


def measures(row: Ranked) -> list[float]:
    """Take what was measured without training; nan for from scratch."""
    one = row.measures
    return [one.log_me, one.h_score, one.leep, one.distance] if one else [math.nan] * 4


def lay_out(out: Path, dataset: cp.Dataset, names: Sequence[str]) -> Path:
    """Copy the labelled subjects that a team would have, each with its group."""
    (out / "images").mkdir(parents=True)
    (out / "masks").mkdir()
    lines = ["name,split,group"]
    for subject in dataset.labelled:
        if subject.name in names and subject.mask is not None:
            shutil.copy(subject.image, out / "images")
            shutil.copy(subject.mask, out / "masks")
            lines.append(f"{subject.name},train,{subject.group}")
    write_text(out / "splits.csv", "\n".join(lines) + "\n")
    shutil.copy(dataset.path / "dataset.toml", out)
    return out


def gather(studies: Sequence[Path], out: Path) -> None:
    """Put the rankings together, and say what each way of choosing would have lost."""
    parts = [pl.read_csv(path) for path in sorted(out.glob(".*-s*.csv"))]
    table = pl.concat(parts, how="vertical_relaxed").sort("study", "seed", "source")
    table.write_csv(out / "ranked.csv", float_precision=4)
    scores = {study.name: outcome(study) for study in studies}
    rows: list[Sequence[object]] = [["study", "seed", "way", "chosen", "iou", "best", "regret"]]
    for (study, seed), part in table.group_by("study", "seed", maintain_order=True):
        ways = {
            way: first(part.to_dicts(), way)
            for way in part.columns[3:]
            if way not in ("repeats", "seconds")
        }
        ways[ALWAYS] = ALWAYS
        for way, chosen in ways.items():
            if chosen is None:
                continue
            (lost,) = regrets({study: chosen}, scores).values()
            best = max(scores[study], key=scores[study].__getitem__)
            rows.append(
                [study, seed, way, chosen, f"{scores[study][chosen]:.4f}", best, f"{lost:.4f}"]
            )
    write(out / "choices.csv", rows)
    lost = pl.read_csv(out / "choices.csv").group_by("way").agg(
        pl.len(), pl.col("regret").median(), pl.col("regret").max().alias("worst")
    )  # fmt: skip
    print(lost.sort("regret"))


def first(rows: Sequence[Mapping[str, Any]], way: str) -> str | None:
    """Take the source that a way puts first; None where it could not be measured."""
    sign = -1 if way in LOWER else 1
    known = [one for one in rows if one["source"] != "scratch" and _known(one[way])]
    return max(known, key=lambda one: sign * float(one[way]))["source"] if known else None


def _known(value: object) -> bool:
    return value is not None and not math.isnan(float(str(value)))


def write(path: Path, rows: Sequence[Sequence[object]] | Iterator[Sequence[object]]) -> None:
    """Write a CSV table whole."""
    beside = path.with_name(path.name + ".part")
    with beside.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    beside.replace(path)


if __name__ == "__main__":
    main()
