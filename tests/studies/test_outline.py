"""--dry-run: the paper's counts from its numbers of images, every run, what it needs and spends."""

import json
import re
from pathlib import Path

import pytest

from crosspatch.cli import main
from crosspatch.errors import InputError
from crosspatch.studies.outline import outline
from crosspatch.studies.tables import RESULT_COLUMNS, read_table
from crosspatch.training.loop import StoppedError
from crosspatch.workflows import study_outline
from crosspatch.workflows.study_outline import Speed, dry_run
from small_study import write_plan

PAPER = Path(__file__).parents[2] / "configs/paper/study.toml"


@pytest.fixture(scope="module")
def paper():
    return outline(PAPER)


class TestThePaper:
    def test_counts_its_samples(self, paper):
        assert {one.name: (one.samples, one.test_samples) for one in paper.data} == {
            "floating-forests": (118_440, 4_180),
            "fat-checker": (42_120, 4_700),
            "coco-person": (63_785, 2_673),
        }

    def test_trains_its_five_models_and_scratch_at_every_fraction(self, paper):
        names = {run.name for run in paper.runs if "-s0" in run.name and run.settings}
        transfers = {
            f"{arm}-{percent}-s0-f0"
            for arm in ("scratch", "fat-checker", "coco-person")
            for percent in (10, 25, 50, 75, 100)
        }
        assert names == transfers | {
            "augmented-100-s0-f0", "source-fat-checker-s0", "source-coco-person-s0",
        }  # fmt: skip
        needs = {run.name: run.needs for run in paper.runs}
        assert needs["coco-person-25-s3-f0"] == "source-coco-person-s3"

    def test_takes_as_many_passes_with_few_labels_so_fewer_updates(self, paper):
        steps = {run.name: run.steps for run in paper.runs}
        labels = {run.name: run.labels for run in paper.runs}
        assert labels["scratch-10-s0-f0"] == 592
        ten, hundred = steps["scratch-10-s0-f0"], steps["scratch-100-s0-f0"]
        assert ten == pytest.approx(50 * 592 * 4 * 0.85 / 16, abs=1)
        assert hundred / ten == pytest.approx(10, rel=0.01)
        assert steps["augmented-100-s0-f0"] == pytest.approx(5 * hundred, rel=0.001)


def declared(data, **changes):
    """Write a plan of images that are not here: 40 to train on, 10 to test with."""
    size = {"train": 40, "test": 10, "height": 40, "width": 40}
    return write_plan(
        data,
        target={"dataset": "away", "size": 32, "declared": size | {"channels": 1}},
        sources={"colour": {"datasets": ["far"], "size": 32, "declared": size | {"channels": 3}}},
        **changes,
    )


class TestTheTime:
    def test_is_estimated_of_images_that_are_only_declared(self, tmp_path, capsys):
        assert main(["study", str(declared(tmp_path)), "--dry-run"]) == 0
        said = capsys.readouterr().out
        assert "minutes on this machine (cpu, fp32), one run after another" in said
        assert "of the declared sizes" in said

    def test_grows_with_the_steps(self, tmp_path, monkeypatch):
        speed = Speed(step=2.0, look=0.0, subject=1.0)
        monkeypatch.setattr(study_outline, "measure", lambda *_, **__: speed)
        short, time = dry_run(declared(tmp_path, steps=100))
        assert time.seconds == sum(2 * run.steps + 2 * run.test_subjects for run in short.runs
                                   if run.settings)  # fmt: skip
        assert dry_run(declared(tmp_path, steps=200))[1].seconds > 1.4 * time.seconds

    def test_measures_each_kind_of_run_once(self, tmp_path, monkeypatch):
        kinds = []

        def measure(settings, data, *_, scored):
            kinds.append((data.name, settings.training.batch, scored))
            return Speed(1.0, 0.0, 1.0)

        monkeypatch.setattr(study_outline, "measure", measure)
        dry_run(declared(tmp_path))
        few = {"start": "scratch", "settings": {"training": {"batch": 2}}}
        dry_run(declared(tmp_path, arms={"few": few}))
        once = [("colour", 4, False), ("away", 4, True)]
        assert kinds == [*once, *once, ("away", 2, True)]


def test_a_stop_while_it_measures_does_not_say_how_to_go_on(tmp_path, monkeypatch):
    def train(*_, **__):
        raise StoppedError("go on with: crosspatch train --resume somewhere")

    monkeypatch.setattr(study_outline, "train", train)
    with pytest.raises(StoppedError, match=r"^stopped$"):
        dry_run(declared(tmp_path))


def test_with_images_it_lists_what_is_then_done(done):
    made, folder = done
    planned = outline(folder / "study.toml")
    assert planned.here
    assert [run.name for run in planned.runs] == [
        name.rsplit("-", 1)[0] for name in made.table["runs"]
    ]
    spent = {
        row["run"].rsplit("-", 1)[0]: int(row["labels"])
        for row in read_table(made.results, RESULT_COLUMNS)
    }
    assert {run.name: run.labels for run in planned.runs if run.test_subjects} == spent


def test_with_folds_it_lists_the_same_too(data):
    planned = outline(write_plan(data, folds=4, seeds=[0], fractions=[1.0]))
    assert sum(run.test_subjects for run in planned.runs if run.name.startswith("scratch")) == 16
    assert {run.labels for run in planned.runs if run.name.startswith("scratch")} == {12}
    assert planned.data[0].subjects == 16
    assert any("one seed" in said for said in planned.said)


def test_fractions_that_come_to_the_same_are_left_out(data):
    planned = outline(write_plan(data, fractions=[0.05, 0.1, 0.2, 1.0]))
    assert {run.name.split("-")[1] for run in planned.runs if run.name.startswith("scratch")} == {
        "20", "100",
    }  # fmt: skip
    assert "left out, as they come to the subjects of a larger fraction: 0.05, 0.1" in planned.said


def test_images_neither_here_nor_declared_are_missed(tmp_path):
    with pytest.raises(InputError, match=r"target: .*not a data set"):
        outline(write_plan(tmp_path))


def test_the_command_prints_runs_and_a_measured_time(data, capsys):
    assert main(["study", str(write_plan(data)), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "source-colour-s1" in said
    assert "14 runs, 30 steps" in said
    assert re.search(r"about \d+ minutes on this machine", said)
    assert main(["study", str(data / "study.toml"), "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert 0 < told["seconds"] < 1800
    assert len(told["runs"]) == 14
    assert not (data / "out").exists()


def test_the_command_wants_a_folder(data, capsys):
    assert main(["study", str(write_plan(data))]) == 1
    assert "--out STUDY" in capsys.readouterr().err
