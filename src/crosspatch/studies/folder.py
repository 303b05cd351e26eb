"""The study folder: its plan, the folders of its runs, and whether one is done and untouched."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crosspatch.errors import InputError
from crosspatch.files import (
    PathLike,
    fingerprint_bytes,
    fingerprint_file,
    read_toml,
    to_json,
    write_toml,
)
from crosspatch.models.storage import Model
from crosspatch.studies.jobs import Job
from crosspatch.studies.tables import (
    FAILED,
    FAILED_COLUMNS,
    RESULTS,
    TEST_LOG_COLUMNS,
    read_table,
    write_table,
)
from crosspatch.training.run import METRICS, MODEL, PLAIN, TRANSFER, Run

JOB, OPENED, SCORES, SPENT = "job.toml", "opened.csv", "scores.csv", "spent.txt"


@dataclass(frozen=True)
class Study:
    """A study folder, finished or not, accepted wherever a path is."""

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    @classmethod
    def open(cls, path: PathLike) -> "Study":
        """Open a study folder.

        Raises
        ------
        InputError
            Not a study folder.
        """
        path = Path(path)
        if not (path / "study.toml").is_file():
            raise InputError(f"{path}: is not a study folder (it has no study.toml)")
        study = cls(path)
        _ = study.table
        return study

    @property
    def table(self) -> dict[str, Any]:
        """What ``study.toml`` says."""
        return read_toml(self.path / "study.toml")

    @property
    def results(self) -> Path:
        """The table of results: a row a run, weights and test subject."""
        return self.path / RESULTS

    @property
    def failed(self) -> dict[str, str]:
        """Runs that failed when the study was last gone on with, and why."""
        rows = read_table(self.path / FAILED, FAILED_COLUMNS)
        return {row["run"]: row["why"] for row in rows}

    @property
    def runs(self) -> list[str]:
        """Names of the runs of its plan; empty before the plan was looked at."""
        return list(map(str, self.table.get("runs", [])))

    def is_done(self, name: str) -> bool:
        """Whether a run has come to its end."""
        return (self.run_folder(name) / JOB).is_file()

    def run_folder(self, name: str) -> Path:
        """Place of a run."""
        return self.path / "runs" / name


@dataclass(frozen=True)
class Done:
    """What ``job.toml`` says of a finished run."""

    labels: int
    seconds: float
    said: tuple[str, ...]


class ChangedError(InputError):
    """A finished run is no longer what was written."""


def finish(folder: Path, job: Job, done: Done) -> None:
    """Write ``job.toml``, whose presence means that the run is done."""
    table = {
        "labels": done.labels,
        "seconds": round(done.seconds, 2),
        "said": list(done.said),
        "files": _fingerprints(folder),
        "job": dict(job.identity),
    }
    write_toml(
        folder / JOB, {"seal": _seal(table)} | table, says="A finished run of a crosspatch study."
    )


def finished(study: Study, job: Job) -> Done | None:
    """Read a run's ``job.toml``; None where it is not done.

    Raises
    ------
    ChangedError
        What is in its folder does not belong to the folder's name, or was changed since it was
        written. This finds accidents and edits, not somebody who also writes the seal anew.
    """
    folder = study.run_folder(job.name)
    if not (folder / JOB).is_file():
        return None
    again = "remove the folder to do the run again"
    try:
        table = read_toml(folder / JOB)
        done = Done(int(table["labels"]), float(table["seconds"]), tuple(map(str, table["said"])))
        noted, files, seal = table["job"], dict(table["files"]), table["seal"]
        run = Run.open(folder) if job.trains else None
        if run is not None:
            _refuse_changed_run(run, job, again)
        found = _fingerprints(folder)
    except ChangedError:
        raise
    except (InputError, OSError, KeyError, TypeError, ValueError) as error:
        raise ChangedError(f"{folder}: is damaged ({error}): {again}") from None
    if to_json(noted) != to_json(job.identity):
        raise ChangedError(f"{folder / JOB}: does not belong to the folder's name: {again}")
    if seal != _seal(table):
        raise ChangedError(f"{folder / JOB}: was changed after it was written: {again}")
    for name in sorted(files.keys() | found.keys()):
        if files.get(name) != found.get(name):
            raise ChangedError(f"{folder / name}: was changed after it was written: {again}")
    return done


def _fingerprints(folder: Path) -> dict[str, str]:
    """Take the fingerprint of all that tables and reports show of a run, and runs start from."""
    names = [name for name in ("run.toml", TRANSFER, METRICS, SCORES) if (folder / name).exists()]
    models = [name for name in (MODEL, PLAIN) if (folder / name).exists()]
    return {name: fingerprint_file(folder / name) for name in names} | {
        name: Model.open(folder / name).fingerprint for name in models
    }


def _seal(table: Mapping[str, Any]) -> str:
    """Take the fingerprint of what ``job.toml`` says itself."""
    said = {key: table[key] for key in ("labels", "seconds", "said", "files", "job")}
    return fingerprint_bytes(to_json(said).encode())


def _refuse_changed_run(run: Run, job: Job, again: str) -> None:
    if not run.finished:
        raise ChangedError(f"{run.path}: its model is gone: {again}")
    if (
        to_json(run.table.get("settings")) != to_json(job.settings)
        or run.table.get("crops_fingerprint") != job.data
    ):
        raise ChangedError(
            f"{run.path / 'run.toml'}: its settings do not belong to the folder's name: {again}"
        )


def read_spent(folder: Path) -> float:
    """Read the seconds that a run had taken when it was stopped; 0 of one that was not."""
    try:
        return max(0.0, float((folder / SPENT).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return 0.0


def note_opening(folder: Path, job: Job, subjects: int) -> None:
    """Note, before it happens, that test labels are looked at: also if what follows fails."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rows = read_table(folder / OPENED, TEST_LOG_COLUMNS)
    row = {"opened": now, "run": job.name, "fold": job.fold, "subjects": subjects}
    write_table(folder / OPENED, TEST_LOG_COLUMNS, [*rows, row])


def write_study(folder: Path, table: Mapping[str, Any]) -> None:
    """Write ``study.toml``."""
    write_toml(folder / "study.toml", table, says="A crosspatch study: the plan, resolved.")
