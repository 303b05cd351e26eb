"""``crosspatch queue --simulate``: what each way of choosing would have been worth."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import polars as pl

from crosspatch.config import Settings
from crosspatch.crops import Crops
from crosspatch.dataset import Dataset, Subject
from crosspatch.errors import CrosspatchError, InputError
from crosspatch.evaluation.rows import SubjectScore
from crosspatch.evaluation.subjects import contents_of, refuse_training_subjects
from crosspatch.feedback.simulation import ARMS, START, Replay
from crosspatch.feedback.verdicts import judge, sentences, write_arms, write_curve
from crosspatch.files import (
    PathLike,
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
from crosspatch.reports.choices import figure_of
from crosspatch.splits import check_leak
from crosspatch.training.run import open_model
from crosspatch.workflows.prepare import prepare
from crosspatch.workflows.simulate_step import SCORES, STEP, Bench, take_step


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
    def steps(self) -> tuple[int, int]:
        """How many trainings are done, and how many there are in all."""
        settings = self.table["settings"]
        total = settings["seeds"] * (1 + len(settings["arms"]) * settings["rounds"])
        return len(list(self.path.glob(f"seeds/*/*/{STEP}"))), total

    @property
    def finished(self) -> bool:
        """Whether every training was done and the curves are drawn."""
        return (self.path / "curve.csv").is_file()

    @property
    def said(self) -> list[str]:
        """What beats chance, in sentences; or what is still to do."""
        return list(self.table.get("said", ()))


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
        done[0] = sum((path / STEP).is_file() for path in bench.steps())
        progress(f"training  {what}", done[0], len(bench.steps()))

    bench = Bench(out, replay, dataset, test, pack, model, config, where,
                   settings["precision"], note)  # fmt: skip
    for seed in range(seeds):
        _replay_if_free(bench, seed)
    _conclude(bench, settings)
    return Simulation(out)


def _replay_if_free(bench: Bench, seed: int) -> None:
    """Replay one seed, unless another process does."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(bench.out / "seeds" / str(seed), "simulating"))
        except CrosspatchError:
            return
        take_step(bench, seed, START, 0, bench.replay.first(seed))
        for arm in bench.replay.arms:
            labelled = bench.replay.first(seed)
            before = bench.step(seed, START, 0)
            for round_ in range(1, bench.replay.rounds + 1):
                labelled = [*labelled, *read_toml(before / STEP)["next"][arm]]
                before = take_step(bench, seed, arm, round_, labelled)


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


def _conclude(bench: Bench, settings: Mapping[str, Any]) -> None:
    """Write tables and figure where all is done; else say what is missing."""
    missing = [path for path in bench.steps() if not (path / STEP).is_file()]
    if missing:
        said = [
            f"{len(missing)} of {len(bench.steps())} trainings are not done; another process works "
            "on them, or: the same command goes on"
        ]
        _write_table(bench.out, settings, said)
        return
    parts = [
        pl.read_csv(path / SCORES, schema_overrides={"subject": pl.String, "group": pl.String}
                    | dict.fromkeys(_FLOATS, pl.Float64))
        for path in bench.steps()
    ]  # fmt: skip
    scores = pl.concat(parts)
    write_text(bench.out / "scores.csv", scores.write_csv())
    points, comparisons = judge(bench.replay, scores)
    write_arms(bench.out / "arms.csv", comparisons)
    write_text(bench.out / "curve.svg", figure_of(points))
    _write_table(bench.out, settings, sentences(comparisons))
    write_curve(bench.out / "curve.csv", points)


_FLOATS = [field.name for field in fields(SubjectScore) if field.type is float]


def _write_table(out: Path, settings: Mapping[str, Any], said: Sequence[str]) -> None:
    table = {"settings": dict(settings), "said": list(said)}
    write_toml(out / "simulation.toml", table, says=_SAYS)
