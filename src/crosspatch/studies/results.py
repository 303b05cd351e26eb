"""From the folders of finished runs to the tables of the study."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crosspatch.errors import InputError
from crosspatch.evaluation.rows import COLUMNS as SCORE_COLUMNS
from crosspatch.studies.folder import OPENED, SCORES, Done, Study, finished
from crosspatch.studies.jobs import SOURCE, Job
from crosspatch.studies.tables import (
    FAILED,
    FAILED_COLUMNS,
    LEARNING,
    LEARNING_COLUMNS,
    RESULT_COLUMNS,
    RESULTS,
    TEST_LOG,
    TEST_LOG_COLUMNS,
    TIME_COLUMNS,
    TIMES,
    read_table,
    write_table,
)
from crosspatch.training.run import Run

Cells = list[str]
_WEIGHTS = {"averaged": 0, "plain": 1, "none": 2}


class Collector:
    """Gathers what finished runs left; each is read once, whenever it has ended.

    Parameters
    ----------
    study : Study
    jobs : sequence of Job
        All runs of the plan, in any order.
    arms : sequence of str
        Names of the arms, in the order of the tables.
    """

    def __init__(self, study: Study, jobs: Sequence[Job], arms: Sequence[str]) -> None:
        self.study = study
        places = {name: place for place, name in enumerate(arms)}
        self.jobs = sorted(
            jobs,
            key=lambda job: (
                job.kind == SOURCE, places.get(job.arm, 0), job.arm, job.source, job.fraction,
                job.seed, job.fold,
            ),
        )  # fmt: skip
        self._results: dict[str, list[Cells]] = {}
        self._learning: dict[str, list[Cells]] = {}
        self._done: dict[str, Done] = {}

    def look(self, job: Job) -> bool:
        """Take in a run if it is done; return whether it is.

        Raises
        ------
        InputError
            It was changed after it was written.
        """
        if job.name in self._done:
            return True
        done = finished(self.study, job)
        if done is None:
            return False
        if job.kind != SOURCE:
            self._results[job.name] = result_rows(self.study, job, done)
            self._learning[job.name] = learning_rows(self.study, job)
        self._done[job.name] = done
        return True

    def write(self, failed: Mapping[str, str]) -> None:
        """Write all tables; ``failed``: why, by the name of a run."""
        path, order = self.study.path, [job.name for job in self.jobs if job.name in self._done]
        results = (row for name in order for row in self._results.get(name, ()))
        learning = (row for name in order for row in self._learning.get(name, ()))
        write_table(path / RESULTS, RESULT_COLUMNS, results)
        write_table(path / LEARNING, LEARNING_COLUMNS, learning)
        seconds = ((name, f"{self._done[name].seconds:.2f}") for name in order)
        write_table(path / TIMES, TIME_COLUMNS, seconds)
        broken = [(job.name, failed[job.name]) for job in self.jobs if job.name in failed]
        write_table(path / FAILED, FAILED_COLUMNS, broken)
        write_openings(path, openings(path))


def openings(study: Path) -> list[Mapping[str, str]]:
    """List each opening of test labels, also by runs that were removed since; oldest first.

    Raises
    ------
    InputError
        A log of them is damaged.
    """
    rows = read_table(study / TEST_LOG, TEST_LOG_COLUMNS)
    for one in sorted((study / "runs").glob(f"*/{OPENED}")):
        rows += read_table(one, TEST_LOG_COLUMNS)
    unique = {tuple(row.values()): row for row in rows}
    return [unique[key] for key in sorted(unique)]


def write_openings(study: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write ``test_log.csv``."""
    write_table(study / TEST_LOG, TEST_LOG_COLUMNS, rows)


def result_rows(study: Study, job: Job, done: Done) -> list[Cells]:
    """Put what a run is before each row of its ``scores.csv``; averaged weights come first.

    Raises
    ------
    InputError
        ``scores.csv`` is no such table.
    """
    path = study.run_folder(job.name) / SCORES
    rows = read_table(path, SCORE_COLUMNS)
    if unknown := {row["method"] for row in rows} - set(_WEIGHTS):
        raise InputError(f"{path}: holds rows of {min(unknown)!r}, which no study writes")
    before = [job.arm, job.kind, job.source, job.target, f"{job.fraction:g}", str(done.labels),
              str(job.seed), str(job.fold)]  # fmt: skip
    return [
        [*before, row.pop("method"), job.name, *row.values()]
        for row in sorted(rows, key=lambda row: _WEIGHTS[row["method"]])
    ]


def learning_rows(study: Study, job: Job) -> list[Cells]:
    """Return the validation scores of each check of a run; none of a baseline."""
    if not job.trains:
        return []
    known = {"arm": job.arm, "fraction": f"{job.fraction:g}", "seed": job.seed, "fold": job.fold,
             "run": job.name}  # fmt: skip
    return [
        [_cell((line | known).get(column)) for column in LEARNING_COLUMNS]
        for line in Run.open(study.run_folder(job.name)).metrics()
    ]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
