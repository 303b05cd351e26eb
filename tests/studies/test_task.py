"""Outlines or clicks: a study of the source's task, from the plan to its section of the report."""

import shutil

import pytest

from crosspatch.errors import SettingsError
from crosspatch.reports.study.material import read_material
from crosspatch.reports.study.task import task_section
from crosspatch.studies.plan import read_plan
from crosspatch.training.run import Run
from crosspatch.workflows.report import report
from crosspatch.workflows.study import study
from crosspatch.workflows.study_outline import dry_run
from small_study import SIDE, lay_out, write_plan

SOURCE = {"datasets": ["colour"], "size": SIDE}
TASK = {
    "sources": {
        "outlines": SOURCE,
        "clicks": SOURCE | {"settings": {"network": {"head": "presence"}}},
    },
    "arms": {"encoder": {"start": "outlines", "settings": {"transfer": {"layers": "encoder"}}}},
    "fractions": [1.0],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = lay_out(tmp_path_factory.mktemp("task") / "data")
    return study(write_plan(folder, **TASK), out=folder / "out")


def test_all_arms_are_scored_and_take_what_they_should(made):
    assert made.failed == {}
    taken = {}
    for arm in ("outlines", "clicks", "encoder"):
        (folder,) = made.path.glob(f"runs/{arm}-100-s0-*")
        taken[arm] = {name.split(".")[0] for name in Run.open(folder).transfer.generator.copied}
    assert taken == {
        "outlines": {"encoder", "decoder", "head"}, "clicks": {"encoder"}, "encoder": {"encoder"},
    }  # fmt: skip
    (folder,) = made.path.glob("runs/source-clicks-s0-*")
    assert Run.open(folder).settings.network.head == "presence"


def test_the_report_sets_clicks_against_outlines_and_their_encoder(made):
    html = report(made).path.read_text(encoding="utf-8")
    assert "Outlines or clicks?" in html
    material = read_material(made, resamples=100)
    section = task_section(material, material.headline)
    table = section.blocks[1]
    assert [row[:3] for row in table.rows] == [
        ["clicks", "outlines", "100%"], ["clicks", "encoder", "100%"],
    ]  # fmt: skip
    scores = {
        arm: found["iou"].value
        for cell, found in material.headline.scores.items()
        for arm in [cell.arm]
    }
    difference = scores["clicks"] - scores["outlines"]
    assert table.rows[0][3].startswith(f"{difference:+.3f}"[:6])


def test_the_trainings_of_a_source_are_those_of_the_plan(made, tmp_path):
    copied = shutil.copytree(made.path, tmp_path / "out")
    (first, second) = read_material(copied, resamples=50).trainings("clicks")
    for name in ("source-clicks-s0-0123456789", "source-clicks-small-s0-0123456789"):
        shutil.copytree(first, copied / "runs" / name)  # of an earlier plan, of another source
    found = read_material(copied, resamples=50)
    assert found.trainings("clicks") == [first, second]
    assert found.trainings("click") == []


def test_a_dry_run_measures_it_too(data, caplog):
    made, time = dry_run(write_plan(data, **TASK))
    assert "source-clicks-s0" in [run.name for run in made.runs]
    assert time.seconds > 0
    assert not caplog.records


def test_without_such_a_source_there_is_no_section(done):
    material = read_material(done[0], resamples=50)
    assert task_section(material, material.headline) is None


def test_the_target_itself_needs_masks(tmp_path):
    network = {"network": {"head": "presence"}}
    with pytest.raises(SettingsError, match=r"settings\.network\.head: a study says presence in"):
        read_plan(write_plan(tmp_path, settings=network))
