"""One run of a study, in the process that it is given to: train, open the test subjects, score."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import torch

from crosspatch.crops import Crops
from crosspatch.dataset import Dataset, Subject
from crosspatch.errors import CrosspatchError, HeldError, InputError
from crosspatch.evaluation.baselines import OneKindError, fit_threshold, one_kind
from crosspatch.evaluation.forest import fit_forest
from crosspatch.evaluation.scores import MethodScores, Scores
from crosspatch.evaluation.subjects import (
    Method,
    model_method,
    refuse_training_subjects,
    score_rows,
)
from crosspatch.files import write_text
from crosspatch.models.storage import Model
from crosspatch.progress import Progress, silent
from crosspatch.studies.folder import (
    SCORES,
    SPENT,
    Done,
    Study,
    finish,
    finished,
    note_opening,
    read_spent,
)
from crosspatch.studies.jobs import SOURCE, Job
from crosspatch.studies.labels import other_labels
from crosspatch.studies.run import Outcome
from crosspatch.training.loop import StoppedError
from crosspatch.training.run import MODEL, PLAIN, Run
from crosspatch.training.samples import choose
from crosspatch.training.stopping import StopAsked
from crosspatch.workflows.train import resume, train

log = logging.getLogger("crosspatch")

_LOOK_EVERY = 1.0  # seconds between looks whether another process is still at a run

_ALONE = threading.Lock()
"""Threads of a process (a Dask worker has several) share torch's random numbers: one at a time."""


def do_job(job: Job, *, study: str, progress: Progress = silent) -> Outcome:
    """Do one run, or go on with it, or find it done; its own failure is an outcome.

    Workers of a cluster do not notice that their study was stopped: one may be at this run still.
    It is waited for, and what it leaves is gone on with.
    """
    while True:
        outcome = _tried(job, study, progress)
        if outcome is not None:
            return outcome
        with StopAsked() as stop:
            time.sleep(_LOOK_EVERY)
        if stop.asked:
            return Outcome(job.name, stopped=True)


def _tried(job: Job, study: str, progress: Progress) -> Outcome | None:
    """Do one run; None while another process is at it."""
    with _ALONE, _threads(job), _quiet() as said:
        try:
            _do(job, Study(Path(study)), said, progress)
        except HeldError:
            return None
        except (StoppedError, KeyboardInterrupt):
            return Outcome(job.name, stopped=True)
        except CrosspatchError as error:
            return Outcome(job.name, str(error))
        except Exception as error:  # a failing run must not stop the others
            return Outcome(job.name, f"{type(error).__name__}: {error}")
    return Outcome(job.name)


def _do(job: Job, study: Study, said: list[str], progress: Progress) -> None:
    if finished(study, job) is not None:
        return
    folder = study.run_folder(job.name)
    with _timed(folder) as seconds:
        crops = _crops(job.crops, job.data)
        if job.kind == "baseline":
            labels = _score_baseline(job, crops, folder)
        else:
            run = _train(job, study, crops, progress)
            labels = len(run.model.facts.contents)
            if job.kind != SOURCE:
                _score_models(job, crops, run)
        finish(folder, job, Done(labels, seconds(), tuple(said)))


@contextmanager
def _timed(folder: Path) -> Iterator[Callable[[], float]]:
    """Count seconds; those of a run that is stopped wait in its folder for when it goes on.

    A full disk may refuse them. They are given up then: why the run ended matters more.
    """
    before, spent = time.perf_counter(), read_spent(folder)
    try:
        yield lambda: spent + time.perf_counter() - before
    except HeldError:
        raise  # the one that holds the folder counts for itself
    except BaseException:
        with suppress(CrosspatchError, OSError):
            if folder.is_dir():
                write_text(folder / SPENT, f"{spent + time.perf_counter() - before:.2f}\n")
        raise


def _train(job: Job, study: Study, crops: Crops, progress: Progress) -> Run:
    folder = study.run_folder(job.name)
    if (folder / "run.toml").is_file():
        return resume(folder, progress=progress)
    source: Path | None = Path(job.model) if job.model else None
    if job.needs is not None:
        source = study.run_folder(job.needs) / MODEL
    return train(
        crops,
        out=folder,
        source=source,
        overrides={name: dict(values) for name, values in job.settings.items()},
        device=job.device,
        progress=progress,
    )


def _score_models(job: Job, crops: Crops, run: Run) -> None:
    dataset, subjects = _tested(job, crops)
    models = {"averaged": run.path / MODEL, "plain": run.path / PLAIN}
    if not models["plain"].exists():  # training.averaging = 0: the last weights are plain
        models = {"plain": run.path / MODEL}
    methods = []
    for name, path in models.items():
        model = Model.open(path)
        refuse_training_subjects(dataset, subjects, model.facts.seen, _contents(dataset, crops))
        method = model_method(
            model,
            dataset,
            device=torch.device(job.device),
            precision=job.precision,
            window=model.facts.crop_size,  # in larger ones, networks of few labels draw worse
        )
        methods.append(replace(method, name=name))
    _score(job, dataset, subjects, methods, run.path)


def _score_baseline(job: Job, crops: Crops, folder: Path) -> int:
    dataset, subjects = _tested(job, crops)
    names = set(choose(crops, job.fraction, 0.0, job.seed).subjects)
    taught = _taught(job, dataset)
    fitted = [subject for subject in taught.labelled if subject.name in names]
    contents = _contents(dataset, crops)
    refuse_training_subjects(dataset, subjects, {contents[one.name] for one in fitted}, contents)
    try:
        if job.arm == "forest":
            method = fit_forest(taught, fitted, seed=job.seed, threads=1)
        else:
            method = fit_threshold(taught, fitted)
    except OneKindError as error:  # such labels teach one thing only, which the networks learn too
        method = one_kind(job.arm, error)
        log.warning("could not be fitted, so it %s", method.says)
    folder.mkdir(parents=True, exist_ok=True)
    _score(job, dataset, subjects, [replace(method, name="none")], folder)
    return len(fitted)


def _score(
    job: Job, dataset: Dataset, subjects: list[Subject], methods: list[Method], folder: Path
) -> None:
    """Score all methods on all test subjects; one that cannot be scored fails the run."""
    note_opening(folder, job, len(subjects))
    rows, skipped = score_rows(dataset, subjects, methods)
    if skipped:
        raise InputError(f"{skipped[0][0]}: could not be scored ({skipped[0][1]})")
    scores = (
        MethodScores(method.name, method.says, tuple(some), {})
        for method, some in zip(methods, rows, strict=True)
    )
    Scores(dataset.name, "test", str(folder), tuple(scores)).write_csv(folder / SCORES)


def _tested(job: Job, crops: Crops) -> tuple[Dataset, list[Subject]]:
    dataset = _dataset(job.dataset, job.foreground, job.data)
    names = set(crops.subjects["subject"][crops.subjects["split"] == "test"])
    return dataset, [subject for subject in dataset.labelled if subject.name in names]


def _taught(job: Job, dataset: Dataset) -> Dataset:
    """Open what a baseline is fitted to: it has no better labels than the networks have."""
    if job.labels == job.dataset:
        return dataset
    return other_labels(dataset, _dataset(job.labels, job.foreground, job.data))[0]


def _contents(dataset: Dataset, crops: Crops) -> dict[str, str]:
    """Fingerprints as they were when the crops were packed; "" of what was not packed."""
    return {subject.name: crops.contents.get(subject.name, "") for subject in dataset.labelled}


@lru_cache(maxsize=16)
def _crops(path: str, fingerprint: str) -> Crops:
    crops = Crops.open(path)
    if crops.fingerprint != fingerprint:
        raise InputError(f"{path}: has changed since the study began")
    return crops


@lru_cache(maxsize=4)
def _dataset(path: str, foreground: str | None, data: str) -> Dataset:
    del data  # other crops, another opening: the data set may have changed between two studies
    return Dataset.open(path, foreground=foreground)


@contextmanager
def _threads(job: Job) -> Iterator[None]:
    """Score with the threads that training has: last digits depend on them."""
    before = torch.get_num_threads()
    torch.set_num_threads(int(job.settings.get("training", {}).get("threads", 1)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Keep(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def _quiet() -> Iterator[list[str]]:
    """Keep what a run says for its folder: hundreds of runs would talk over one another."""
    log = logging.getLogger("crosspatch")
    keep = _Keep()
    handlers, propagate = log.handlers[:], log.propagate
    log.handlers, log.propagate = [keep], False
    try:
        yield keep.said
    finally:
        log.handlers, log.propagate = handlers, propagate
