"""One training of a simulated queue: train, score, and say what each arm would label next."""

import csv
import io
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from crosspatch.config import Settings
from crosspatch.crops import Crops
from crosspatch.dataset import Dataset, Subject
from crosspatch.errors import InputError
from crosspatch.evaluation.rows import SubjectScore
from crosspatch.evaluation.subjects import model_method, score_methods
from crosspatch.feedback.observe import Seen, observer
from crosspatch.feedback.simulation import RANDOM, START, Replay
from crosspatch.feedback.verdicts import SCORE_COLUMNS
from crosspatch.files import PathLike, fingerprint_bytes, new_folder, write_text, write_toml
from crosspatch.models.storage import Model
from crosspatch.training.loop import StoppedError
from crosspatch.training.run import Run
from crosspatch.workflows.train import train

SCORES, STEP = "scores.csv", "step.toml"
_NAMES = [field.name for field in fields(SubjectScore)]


@dataclass(frozen=True)
class Bench:
    """Everything that each training of a simulation shares."""

    out: Path
    replay: Replay
    dataset: Dataset
    test: tuple[Subject, ...]
    crops: Crops
    source: Model | None
    config: PathLike | Settings | None
    device: torch.device
    precision: str
    note: Callable[[str], None]

    def step(self, seed: int, arm: str, round_: int) -> Path:
        """Return the folder of one training."""
        return self.out / "seeds" / str(seed) / f"{arm}-{round_}"

    def steps(self) -> list[Path]:
        """List the folders of all trainings."""
        return [
            self.step(seed, arm, round_)
            for seed in range(self.replay.seeds)
            for arm, round_ in [(START, 0)]
            + [(a, r) for a in self.replay.arms for r in range(1, self.replay.rounds + 1)]
        ]


def take_step(bench: Bench, seed: int, arm: str, round_: int, labelled: Sequence[str]) -> Path:
    """Train on what is labelled, score, and write down what would be labelled next; once."""
    place = bench.step(seed, arm, round_)
    if (place / STEP).is_file():
        return place
    bench.note(f"seed {seed}, {arm}, {len(labelled)} labels")
    run_folder = bench.out / "seeds" / str(seed) / "run"
    run = _trained(
        _only(bench.crops, labelled),
        out=run_folder,
        source=bench.source,
        config=bench.config,
        overrides={"training": {"validation_share": 0.0, "checks": 1, "fraction": 1.0}},
        steps=bench.replay.steps,
        seed=seed,
        precision=bench.precision,
        device=bench.device.type,
        overwrite=True,
    )
    following = {} if round_ == bench.replay.rounds else (
        _choices(bench, run.model, seed, arm, round_ + 1, labelled)
    )  # fmt: skip
    with new_folder(place, kind="step") as folder:
        _write_scores(folder / SCORES, bench, run.model, (arm, seed, round_, len(labelled)))
        table = {"arm": arm, "seed": seed, "round": round_, "labelled": list(labelled)}
        write_toml(folder / STEP, table | {"next": following}, says="One training of a simulation.")
    shutil.rmtree(run_folder, ignore_errors=True)
    bench.note(f"seed {seed}, {arm}, {len(labelled)} labels")
    return place


def _trained(crops: Crops, **settings: Any) -> Run:
    """Train; the run of an interrupted training is of no use, its simulation goes on."""
    try:
        return train(crops, **settings)
    except StoppedError:
        raise StoppedError("stopped; the same command goes on") from None


def _choices(
    bench: Bench, model: Model, seed: int, arm: str, round_: int, labelled: Sequence[str]
) -> dict[str, list[str]]:
    """Say what each arm that goes on from a model would label next."""
    arms = bench.replay.arms if arm == START else (arm,)
    if arms == (RANDOM,):
        return {RANDOM: bench.replay.choose(RANDOM, seed, round_, [])}
    unsure = any(one in ("need", "uncertainty") for one in arms)
    seen = _look(bench, model, set(labelled), with_uncertainty=unsure)
    return {one: bench.replay.choose(one, seed, round_, seen) for one in arms}


def _look(bench: Bench, model: Model, labelled: set[str], *, with_uncertainty: bool) -> list[Seen]:
    """See the pool as a model does that knows the masks of the labelled only."""
    watch = observer(
        model, bench.dataset, device=bench.device, precision=bench.precision,
        with_uncertainty=with_uncertainty,
    )  # fmt: skip
    pool = set(bench.replay.pool)
    return [
        replace(
            watch.look(subject),
            status="trained" if subject.name in labelled else "open",
            disagreement=float("nan"),
            iou=float("nan"),
        )
        for subject in bench.dataset.subjects
        if subject.name in pool
    ]


def _only(crops: Crops, names: Sequence[str]) -> Crops:
    """Restrict the training split to some subjects, in memory.

    Statistics stay those of all images of the pool: images cost no labels. The fingerprint is
    another, so that such a run is never resumed on all of the crops.
    """
    kept = np.isin(crops.table["subject"], list(names)) & (crops.table["split"] == "train")
    split = np.where(kept, "train", "").astype(object)
    marks = (crops.fingerprint.encode(), *(name.encode() for name in sorted(names)))
    return replace(
        crops, table=crops.table | {"split": split}, fingerprint=fingerprint_bytes(*marks)
    )


def _write_scores(path: Path, bench: Bench, model: Model, key: tuple[str, int, int, int]) -> None:
    """Score the test subjects; all trainings must be scored on the same ones."""
    method = model_method(model, bench.dataset, device=bench.device, precision=bench.precision)
    (scores,), skipped = score_methods(bench.dataset, bench.test, [method])
    if skipped:
        raise InputError(f"{skipped[0][0]}: a test subject cannot be scored ({skipped[0][1]})")
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(SCORE_COLUMNS)
    for row in scores.rows:
        table.writerow([*key, *(_cell(getattr(row, name)) for name in _NAMES)])
    write_text(path, text.getvalue())


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if value != value else f"{value:.6g}"
    return value
