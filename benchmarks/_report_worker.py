"""Write a finished study of many subjects, as the program writes one; by report.py.

    python benchmarks/_report_worker.py FOLDER SUBJECTS

The images are generated, a file each; the models are real networks of random weights; the scores
are numbers that such a study could have. Five seeds, five shares of the labels, from scratch and
from two sources, the check of the steps, both pixel baselines, both kinds of weights, 20 checks of
each training.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from crosspatch.config import NetworkSettings
from crosspatch.crops.generated import generate
from crosspatch.crops.recipes import Resize
from crosspatch.dataset import Dataset
from crosspatch.models.facts import ModelFacts
from crosspatch.models.storage import build_discriminator, build_generator, save_model
from crosspatch.studies.folder import write_study
from crosspatch.studies.plan import BASELINES, DEFAULT_FRACTIONS, LONGER, SCRATCH
from crosspatch.studies.tables import (
    LEARNING,
    LEARNING_COLUMNS,
    RESULT_COLUMNS,
    RESULTS,
    TEST_LOG,
    TIMES,
)
from crosspatch.training.run import MODEL, PLAIN

SIDE, SEEDS, CHECKS, SOURCES = 64, range(5), 20, ("photos", "em")
NETWORK = NetworkSettings(width=16, discriminator_width=16)


class Made(NamedTuple):
    """One run."""

    arm: str
    kind: str
    fraction: float
    seed: int

    @property
    def name(self) -> str:
        """Its folder."""
        return f"{self.arm}-{100 * self.fraction:g}-s{self.seed}-f0-0123456789"


def runs() -> Iterator[Made]:
    """List the runs of the study."""
    kinds = {SCRATCH: SCRATCH, **dict.fromkeys(SOURCES, "transfer")}
    kinds |= dict.fromkeys(BASELINES, "baseline")
    for seed in SEEDS:
        for fraction in DEFAULT_FRACTIONS:
            yield from (Made(arm, kind, fraction, seed) for arm, kind in kinds.items())
        yield Made(LONGER, "check", 1.0, seed)


def write_results(folder: Path, target: Dataset) -> None:
    """Write results.csv: a row a run, kind of weights and subject."""
    random = np.random.default_rng(0)
    names = [subject.name for subject in target.labelled]
    groups = [subject.group for subject in target.labelled]
    _, place = np.unique(groups, return_inverse=True)
    hard = random.normal(0, 0.06, place.max() + 1)[place]  # alike for all models
    parts = []
    for made in runs():
        weights = ("none",) if made.kind == "baseline" else ("averaged", "plain")
        for kind in weights:
            better = 0.0 if made.kind == "baseline" else 0.1
            iou = 0.5 + better + 0.1 * np.log10(10 * made.fraction) + hard
            iou = np.clip(iou + random.normal(0, 0.03, len(names)), 0.01, 0.99).round(6)
            parts.append(_rows(made, kind, names, groups, iou))
    with (folder / RESULTS).open("wb") as file:
        for number, part in enumerate(parts):
            part.write_csv(file, include_header=not number)


def _rows(
    made: Made, weights: str, names: list[str], groups: list[str], iou: np.ndarray
) -> pl.DataFrame:
    tp = np.rint(1000 * iou).astype(np.int64)
    known = {
        **made._asdict(), "source": made.arm if made.kind == "transfer" else "", "target": "kelp",
        "labels": round(8000 * made.fraction), "fold": 0, "weights": weights, "run": made.name,
        "subject": names, "group": groups, "height": SIDE, "width": SIDE, "counted": SIDE**2,
        "foreground": 0.244141, "tp": tp, "fp": 0, "fn": 1000 - tp, "tn": SIDE**2 - 1000,
        "iou": iou, "dice": (2 * iou / (1 + iou)).round(6), "boundary_f": iou, "matthews": iou,
        "false_positive_area": "", "average_precision": iou,
        "loss": ((1 - iou) ** 0.75).round(6),
    }  # fmt: skip
    return pl.DataFrame(known).select(list(RESULT_COLUMNS))


def write_learning(folder: Path) -> None:
    """Write learning.csv: trainings that rise and stay."""
    steps = pl.DataFrame({"step": [30 * (check + 1) for check in range(CHECKS)]})
    trained = [one for one in runs() if one.kind != "baseline"]
    known = pl.DataFrame([one._asdict() | {"fold": 0, "run": one.name} for one in trained])
    iou = pl.min_horizontal(pl.lit(0.7), 0.1 + pl.col("step") * 0.003)
    rows = known.join(steps, how="cross").with_columns(
        iou.round(6).alias(name) for name in LEARNING_COLUMNS if name.startswith(("aver", "plain"))
    )
    rows.select(list(LEARNING_COLUMNS)).write_csv(folder / LEARNING)


def write_models(folder: Path, target: Dataset) -> None:
    """Give each training the same two models: links, as only what is read of them counts."""
    names = target.channel_names or ()
    facts = ModelFacts(
        network=NETWORK, channel_names=names, mean=(100.0,) * len(names), std=(50.0,) * len(names),
        dtype="uint8", resize=Resize(), crop_size=SIDE, foreground=target.foreground,
    )  # fmt: skip
    first, *others = (one for one in runs() if one.kind != "baseline")
    for name in (MODEL, PLAIN):
        place = folder / "runs" / first.name / name
        place.parent.mkdir(parents=True, exist_ok=True)
        networks = build_generator(NETWORK, len(names)), build_discriminator(NETWORK, len(names))
        save_model(place, facts, *networks)
        for one in others:
            shutil.copytree(place, folder / "runs" / one.name / name, copy_function=os.link)


def write(folder: Path, subjects: int) -> None:
    """Write target and study."""
    target = generate("kelp", folder / "kelp", subjects=subjects, size=(SIDE, SIDE))
    study = folder / "study"
    study.mkdir()
    write_results(study, target)
    write_learning(study)
    write_models(study, target)
    names = [one.name for one in runs()]
    pl.DataFrame({"run": names, "seconds": 60.0}).write_csv(study / TIMES)
    opened = {"opened": "2026-01-02T03:04:05+00:00", "run": names, "fold": 0, "subjects": subjects}
    pl.DataFrame(opened).write_csv(study / TEST_LOG)
    table = {
        "device": "cpu", "precision": "fp32", "seeds": list(SEEDS), "folds": 0, "steps": 600,
        "fractions": list(DEFAULT_FRACTIONS), "check_steps": True, "baselines": list(BASELINES),
        "said": [], "runs": names, "sources": {},
        "target": {"name": "kelp", "dataset": "../kelp", "size": SIDE, "test_subjects": subjects,
                   "origin": "generated"},
        "settings": {"network": NETWORK.model_dump(exclude_none=True)},
    }  # fmt: skip
    write_study(study, table)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
