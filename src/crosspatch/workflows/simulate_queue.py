"""``crosspatch queue --simulate``: what each way of choosing would have been worth."""

import csv
import io
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from crosspatch.config import Settings
from crosspatch.crops import Crops
from crosspatch.dataset import Dataset, Subject
from crosspatch.errors import CrosspatchError, InputError
from crosspatch.evaluation.rows import SubjectScore
from crosspatch.evaluation.subjects import (
    contents_of,
    model_method,
    refuse_training_subjects,
    score_methods,
)
from crosspatch.feedback.observe import Seen, observer
from crosspatch.feedback.simulation import ARMS, FOREGROUND_RANDOM, RANDOM, START, Replay
from crosspatch.feedback.verdicts import (
    SCORE_COLUMNS,
    Point,
    judge,
    sentences,
    write_arms,
    write_curve,
)
from crosspatch.files import (
    PathLike,
    fingerprint_bytes,
    locked,
    new_folder,
    read_toml,
    refuse_existing,
    refuse_inputs_inside,
    write_text,
    write_toml,
)
from crosspatch.models.runtime import Precision, choose_device, choose_precision
from crosspatch.models.storage import Model
from crosspatch.progress import Progress, silent
from crosspatch.reports.choices import ChoiceCurve, choice_curves
from crosspatch.splits import check_leak
from crosspatch.training.loop import StoppedError
from crosspatch.training.run import Run, open_model
from crosspatch.workflows.prepare import prepare
from crosspatch.workflows.train import train

_NAMES = [field.name for field in fields(SubjectScore)]


@dataclass(frozen=True)
class Simulation:
    """A simulation folder, finished or not, accepted wherever a path is."""

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def table(self) -> dict[str, Any]:
        """What ``simulation.toml`` says."""
        return read_toml(self.path / "simulation.toml")

    @property
    def finished(self) -> bool:
        """Whether every training was done and the curves are drawn."""
        return (self.path / "curve.csv").is_file()

    @property
    def said(self) -> list[str]:
        """What beats chance, in sentences; or what is still to do."""
        return list(self.table.get("said", ()))


@dataclass(frozen=True)
class _Bench:
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


def simulate_queue(
    dataset: PathLike,
    *,
    out: PathLike,
    source: PathLike | Model | None = None,
    crops: PathLike | Crops | None = None,
    config: PathLike | Settings | None = None,
    arms: Sequence[str] = ARMS,
    seeds: int = 5,
    share: float = 0.05,
    rounds: int = 4,
    steps: int = 600,
    foreground: str | None = None,
    device: str | None = None,
    precision: Precision = "auto",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Simulation:
    """Replay a labelled data set: label a little at random, then choose, train anew, and so on.

    The training split is the pool to choose from, the test split is scored. Every training has the
    same number of steps and begins from random weights, or from ``source``. The same call goes on
    where an interrupted one was; two of them at once share the seeds between them.

    Parameters
    ----------
    dataset : a labelled data set folder, or ``Dataset``
    out : the simulation folder to make, or to go on with
    source : a model to start every training from
    crops : what `crosspatch.prepare` made of the data set; by itself windows of 256 pixels
    config : settings of the trainings, as for `crosspatch.train`
    arms : ways of choosing: random, foreground-random, need, uncertainty, verdict, foreground,
        diversity
    seeds : how many times, each with other first labels and another training
    share : of the pool, labelled at first and again in each round
    rounds : choices after the first labels
    steps : of each training
    foreground : the class to set against the rest, where dataset.toml has several
    device : cpu, cuda or mps; by itself the best there is
    precision : fp32, bf16, or auto: bf16 where the device has it
    overwrite : throw away another simulation that stands at ``out``
    progress : told how many trainings are done

    Returns
    -------
    Simulation

    Raises
    ------
    LeakError
        The source has seen labels of this data set.
    InputError, SettingsError, CrosspatchError
        There is nothing to choose from or to test on; or ``out`` holds another simulation.
    """
    out = Path(out)
    refuse_inputs_inside(out, dataset, source, crops, config)
    if not isinstance(dataset, Dataset) or foreground is not None:
        dataset = Dataset.open(dataset, foreground=foreground)
    model = open_model(source) if source is not None else None
    pack = _crops(crops, dataset, out, progress)
    pool, test = _pool_and_test(dataset, pack, model, progress)
    replay = Replay(pool, tuple(arms), seeds, share, rounds, steps)
    where = choose_device(device)
    settings = replay.as_table() | {
        "crops_fingerprint": pack.fingerprint,
        "source_fingerprint": model.fingerprint if model is not None else "random weights",
        "config": _said_of(config),
        "device": where.type,
        "precision": choose_precision(precision, where),
    }
    _begin(out, settings, overwrite=overwrite)
    done = [0]

    def note(what: str) -> None:
        done[0] = sum((path / "step.toml").is_file() for path in bench.steps())
        progress(f"training  {what}", done[0], len(bench.steps()))

    bench = _Bench(out, replay, dataset, test, pack, model, config, where,
                   settings["precision"], note)  # fmt: skip
    for seed in range(seeds):
        _replay_if_free(bench, seed)
    _conclude(bench, settings)
    return Simulation(out)


def _replay_if_free(bench: _Bench, seed: int) -> None:
    """Replay one seed, unless another process does."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(bench.out / "seeds" / str(seed), "simulating"))
        except CrosspatchError:
            return
        _do(bench, seed, START, 0, bench.replay.first(seed))
        for arm in bench.replay.arms:
            labelled = bench.replay.first(seed)
            before = bench.step(seed, START, 0)
            for round_ in range(1, bench.replay.rounds + 1):
                labelled = [*labelled, *read_toml(before / "step.toml")["next"][arm]]
                before = _do(bench, seed, arm, round_, labelled)


def _do(bench: _Bench, seed: int, arm: str, round_: int, labelled: Sequence[str]) -> Path:
    """Train on what is labelled, score, and write down what would be labelled next; once."""
    place = bench.step(seed, arm, round_)
    if (place / "step.toml").is_file():
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
        _write_scores(folder / "scores.csv", bench, run.model, (arm, seed, round_, len(labelled)))
        table = {"arm": arm, "seed": seed, "round": round_, "labelled": list(labelled)}
        write_toml(
            folder / "step.toml", table | {"next": following}, says="One training of a simulation."
        )
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
    bench: _Bench, model: Model, seed: int, arm: str, round_: int, labelled: Sequence[str]
) -> dict[str, list[str]]:
    """Say what each arm that goes on from a model would label next."""
    arms = bench.replay.arms if arm == START else (arm,)
    if arms == (RANDOM,):
        return {RANDOM: bench.replay.choose(RANDOM, seed, round_, [])}
    unsure = any(one in ("need", "uncertainty") for one in arms)
    seen = _look(bench, model, set(labelled), with_uncertainty=unsure)
    return {one: bench.replay.choose(one, seed, round_, seen) for one in arms}


def _look(bench: _Bench, model: Model, labelled: set[str], *, with_uncertainty: bool) -> list[Seen]:
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


def _write_scores(path: Path, bench: _Bench, model: Model, key: tuple[str, int, int, int]) -> None:
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


def _crops(
    crops: PathLike | Crops | None, dataset: Dataset, out: Path, progress: Progress
) -> Crops:
    if crops is None:
        beside = out.with_name(f"{out.name}-crops")
        return prepare(dataset, recipe="windows", out=beside, progress=progress)
    return crops if isinstance(crops, Crops) else Crops.open(crops)


def _pool_and_test(
    dataset: Dataset, crops: Crops, source: Model | None, progress: Progress
) -> tuple[tuple[str, ...], tuple[Subject, ...]]:
    """List the subjects to choose from, by name, and those to test on."""
    contents = contents_of(dataset, progress=progress)
    packed = crops.contents
    train_split = [
        one for one in dataset.in_split("train") if packed.get(one.name) == contents[one.name] != ""
    ]
    test = tuple(one for one in dataset.in_split("test") if contents[one.name])
    if not train_split or not test:
        what = "training subject that is in the crops" if not train_split else "test subject"
        raise InputError(f"{dataset.path}: has no labelled {what}")
    listed = [
        [(one.name, one.group, contents[one.name]) for one in some] for some in (train_split, test)
    ]
    check_leak(*listed)
    if source is not None:
        refuse_training_subjects(dataset, [*train_split, *test], source.facts.seen, contents)
    return tuple(sorted(one.name for one in train_split)), test


def _said_of(config: PathLike | Settings | None) -> str:
    if config is None:
        return "defaults"
    if isinstance(config, Settings):
        return config.model_dump_json(exclude_unset=True)
    return Path(config).read_text(encoding="utf-8")


def _begin(out: Path, settings: Mapping[str, Any], *, overwrite: bool) -> None:
    """Make the folder, or find that it holds this very simulation."""
    if (out / "simulation.toml").is_file():
        if Simulation(out).table.get("settings") == settings:
            return
        refuse_existing(out, kind="simulation", overwrite=overwrite)
    with new_folder(out, kind="simulation", overwrite=overwrite) as folder:
        write_toml(folder / "simulation.toml", {"settings": dict(settings)}, says=_SAYS)


_SAYS = "A crosspatch simulation of choosing what to label."


def _conclude(bench: _Bench, settings: Mapping[str, Any]) -> None:
    """Write tables and figure where all is done; else say what is missing."""
    missing = [path for path in bench.steps() if not (path / "step.toml").is_file()]
    if missing:
        said = [
            f"{len(missing)} of {len(bench.steps())} trainings are not done; another process works "
            "on them, or: the same command goes on"
        ]
        _write_table(bench.out, settings, said)
        return
    parts = [
        pl.read_csv(path / "scores.csv", schema_overrides={"subject": pl.String, "group": pl.String}
                    | dict.fromkeys(_FLOATS, pl.Float64))
        for path in bench.steps()
    ]  # fmt: skip
    scores = pl.concat(parts)
    write_text(bench.out / "scores.csv", scores.write_csv())
    points, comparisons = judge(bench.replay, scores)
    write_arms(bench.out / "arms.csv", comparisons)
    write_text(bench.out / "curve.svg", _figure(points))
    _write_table(bench.out, settings, sentences(comparisons))
    write_curve(bench.out / "curve.csv", points)


_FLOATS = [field.name for field in fields(SubjectScore) if field.type is float]


def _write_table(out: Path, settings: Mapping[str, Any], said: Sequence[str]) -> None:
    table = {"settings": dict(settings), "said": list(said)}
    write_toml(out / "simulation.toml", table, says=_SAYS)


def _figure(points: Sequence[Point]) -> str:
    """Draw a panel a measure, chance in each."""
    arms = dict.fromkeys(one.arm for one in points if one.arm != START)
    curves = [_curve(arm, [one for one in points if one.arm in (START, arm)]) for arm in arms]
    chance = [curve for curve in curves if curve.name in (RANDOM, FOREGROUND_RANDOM)]
    return choice_curves(
        [curve for curve in curves if curve not in chance], chance,
        ylabel="test IoU, mean over subjects",
    )  # fmt: skip


def _curve(arm: str, points: Sequence[Point]) -> ChoiceCurve:
    return ChoiceCurve(
        name=arm,
        labels=[one.labels for one in points],
        values=[one.score.value for one in points],
        low=[one.score.low for one in points],
        high=[one.score.high for one in points],
    )
