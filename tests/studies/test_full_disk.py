"""A disk that fills up half-way: nothing half-done counts, and the same command ends as if not."""

import errno
from pathlib import Path

import pytest

from crosspatch.errors import CrosspatchError
from crosspatch.studies.folder import Study
from crosspatch.studies.tables import RESULT_COLUMNS, TIME_COLUMNS, TIMES, read_table
from crosspatch.training.loop import StoppedError
from crosspatch.workflows import study_job
from crosspatch.workflows.study import study
from small_study import lay_out, write_plan

FULL = "No space left on device"
TWO_RUNS = {"sources": None, "fractions": [1.0], "seeds": [0]}
"""One training and one baseline."""


def fill_disk(monkeypatch, *names):
    """Let a disk have room for all files but those of some names; return the places refused."""
    refused = []

    def refuse(path):
        if path.name in names:
            refused.append(path)
            raise OSError(errno.ENOSPC, FULL, str(path))

    move, write = Path.replace, Path.write_bytes

    def replace(self, target):
        refuse(Path(target))
        return move(self, target)

    def write_bytes(self, data):  # inside a folder in the making
        refuse(self)
        return write(self, data)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    return refused


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Give the tables of the same study on a disk with room."""
    data = lay_out(tmp_path_factory.mktemp("undisturbed") / "data")
    made = study(write_plan(data, **TWO_RUNS), out=data / "out")
    return {name: (made.path / name).read_bytes() for name in ("results.csv", "learning.csv")}


def assert_goes_on(data, undisturbed):
    again = study(data / "study.toml", out=data / "out")
    assert again.failed == {}
    assert {name: (again.path / name).read_bytes() for name in undisturbed} == undisturbed
    assert not [path.name for path in again.path.rglob("*.partial-*")]


@pytest.mark.parametrize(
    ("name", "failing"),
    [("run.toml", {"scratch"}),
     ("state.safetensors", {"scratch"}),
     ("generator.safetensors", {"scratch"}),
     ("opened.csv", {"scratch", "threshold"}),
     ("scores.csv", {"scratch", "threshold"}),
     ("job.toml", {"scratch", "threshold"})],
)  # fmt: skip
def test_a_run_that_the_disk_refuses_is_not_done(data, monkeypatch, undisturbed, name, failing):
    plan = write_plan(data, **TWO_RUNS)
    refused = fill_disk(monkeypatch, name, "spent.txt")
    made = study(plan, out=data / "out")
    assert name in {path.name for path in refused}
    assert {run.split("-")[0] for run in made.failed} == failing
    assert all(f"{name}: could not be written ({FULL})" in why for why in made.failed.values())
    done = {run for run in made.runs if made.is_done(run)}
    assert done == set(made.runs) - set(made.failed)
    assert {row["run"] for row in read_table(made.results, RESULT_COLUMNS)} == done
    monkeypatch.undo()
    assert_goes_on(data, undisturbed)


@pytest.mark.parametrize(
    "name", ["study.toml", "results.csv", "learning.csv", "times.csv", "failed.csv", "test_log.csv"]
)
def test_a_study_whose_own_file_the_disk_refuses_says_so(data, monkeypatch, undisturbed, name):
    plan = write_plan(data, **TWO_RUNS)
    fill_disk(monkeypatch, name)
    with pytest.raises(CrosspatchError) as refused:
        study(plan, out=data / "out")
    assert str(refused.value).endswith(f"{name}: could not be written ({FULL})")
    monkeypatch.undo()
    assert_goes_on(data, undisturbed)


def test_a_stop_on_a_full_disk_is_a_stop_and_no_failed_run(data, monkeypatch, undisturbed):
    def cut_off(*_):
        raise StoppedError("stopped")

    plan = write_plan(data, **TWO_RUNS)
    monkeypatch.setattr(study_job, "_score_models", cut_off)
    refused = fill_disk(monkeypatch, "spent.txt")
    with pytest.raises(StoppedError, match="0 of 2 runs are done; the same command goes on"):
        study(plan, out=data / "out")
    assert [path.name for path in refused] == ["spent.txt"]
    assert Study.open(data / "out").failed == {}
    monkeypatch.undo()
    assert_goes_on(data, undisturbed)


def test_why_a_run_failed_is_said_where_the_disk_refuses_its_time_too(data, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("a bug")

    plan = write_plan(data, **TWO_RUNS | {"baselines": []})
    monkeypatch.setattr(study_job, "_score_models", fail)
    fill_disk(monkeypatch, "spent.txt")
    made = study(plan, out=data / "out")
    assert list(made.failed.values()) == ["ZeroDivisionError: a bug"]


def test_the_time_of_a_run_whose_last_file_was_refused_is_kept(data, monkeypatch):
    plan = write_plan(data, **TWO_RUNS | {"baselines": []})
    fill_disk(monkeypatch, "job.toml")
    study(plan, out=data / "out")
    monkeypatch.undo()
    (spent,) = data.glob("out/runs/*/spent.txt")
    spent.write_text("1000\n")
    made = study(plan, out=data / "out")
    (row,) = read_table(made.path / TIMES, TIME_COLUMNS)
    assert float(row["seconds"]) > 1000
