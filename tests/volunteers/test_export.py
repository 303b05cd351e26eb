"""Simulated classifications leave as the files that Panoptes would write."""

import csv
import json

import numpy as np
import pytest

from crosspatch.images import read_mask, write_mask
from crosspatch.metrics import confusion
from crosspatch.volunteers.export import write_export, write_subjects
from crosspatch.volunteers.marks import draw, tool_of
from crosspatch.volunteers.rasterize import fill
from crosspatch.volunteers.simulate import VolunteerSettings, simulate
from crosspatch.workflows.consensus import consensus

HEADER = (
    "classification_id,user_name,user_id,user_ip,workflow_id,workflow_name,workflow_version,"
    "created_at,gold_standard,expert,metadata,annotations,subject_data,subject_ids"
)
SUBJECTS_HEADER = (
    "subject_id,project_id,workflow_id,subject_set_id,metadata,locations,classifications_count,"
    "retired_at,retirement_reason,created_at,updated_at"
)


@pytest.fixture(scope="module")
def made():
    mask = np.zeros((60, 90), np.uint8)
    mask[0:30, 20:70] = 1  # at the frame: some points will leave it
    settings = VolunteerSettings(blank=0.2, anonymous=0.5)
    return simulate({"one": mask, "two": mask}, volunteers=8, seed=2, settings=settings)


@pytest.fixture(scope="module")
def rows(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "classifications.csv"
    write_export(path, made)
    with path.open(newline="", encoding="utf-8") as file:
        assert file.readline() == HEADER + "\n"
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_one_row_a_classification_in_their_order(made, rows):
    assert [int(row["classification_id"]) for row in rows] == [c.classification_id for c in made]
    assert [row["user_name"] for row in rows] == [c.volunteer for c in made]
    assert [row["subject_ids"] for row in rows] == [str(c.subject_id) for c in made]
    assert rows[0]["created_at"] == "2025-01-31 14:00:00 UTC"
    assert {row["workflow_version"] for row in rows} == {"11.14"}  # text: 11.14 is not 11.140
    for one, row in zip(made, rows, strict=True):
        assert row["user_id"] == ("" if one.user_id is None else str(one.user_id))


def test_a_project_retires_what_enough_people_saw(tmp_path):
    masks = {"one": np.ones((40, 40), np.uint8)}
    few = simulate(masks, volunteers=3, seed=1)
    for number, expected in ((3, {"yes"}), (4, {"no"}), (None, {"no"})):
        write_export(tmp_path / f"{number}.csv", few, retired_after=number)
        folder = consensus(tmp_path / f"{number}.csv", out=tmp_path / f"set-{number}").path
        with (folder / "subjects.csv").open(encoding="utf-8", newline="") as file:
            assert {row["retired"] for row in csv.DictReader(file)} == expected


def test_marks_are_freehand_lines_of_the_second_classifier(rows):
    blanks = 0
    for row in rows:
        (task,) = json.loads(row["annotations"])
        assert task["task"] == "T0"
        blanks += task["value"] == []
        for mark in task["value"]:
            assert list(mark) == [
                "frame", "pathX", "pathY", "details", "toolType", "toolIndex", "tool_label",
            ]  # fmt: skip
            assert mark["toolType"] == "freehandLine"
            assert (mark["pathX"][0], mark["pathY"][0]) == (mark["pathX"][-1], mark["pathY"][-1])
            assert len(mark["pathX"]) == len(mark["pathY"]) >= 20
            assert all(value == round(value, 2) for value in mark["pathX"])
    assert blanks > 0


def test_metadata_say_the_size_and_the_generation(rows):
    for row in rows:
        metadata = json.loads(row["metadata"])
        assert metadata["classifier_version"] == "2.0"
        assert metadata["subject_dimensions"][0]["naturalWidth"] == 90
        assert metadata["subject_dimensions"][0]["naturalHeight"] == 60
        assert metadata["subject_selection_state"]["already_seen"] is False
        subject = json.loads(row["subject_data"])[row["subject_ids"]]
        assert subject["Filename"] in ("one.png", "two.png")


def test_our_reader_draws_what_was_simulated(made, rows):
    for one, row in zip(made, rows, strict=True):
        marks = json.loads(row["annotations"])[0]["value"]
        paths = [draw(mark, tool_of(mark)) for mark in marks]
        assert all(path.closed for path in paths)
        again = fill([path.points for path in paths], (60, 90))
        assert (again != fill(one.outlines, (60, 90))).mean() < 0.001  # rounded to 0.01 px


def test_subjects_export(made, tmp_path):
    path = tmp_path / "subjects.csv"
    write_subjects(path, made)
    with path.open(newline="", encoding="utf-8") as file:
        assert file.readline() == SUBJECTS_HEADER + "\n"
    with path.open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert (first["subject_id"], second["subject_id"]) == ("90000001", "90000002")
    assert json.loads(first["metadata"]) == {"Filename": "one.png"}
    assert json.loads(second["locations"])["0"].endswith("/two.png")
    assert first["classifications_count"] == "8"


def test_the_same_classifications_give_the_same_bytes(made, tmp_path):
    write_export(tmp_path / "a.csv", made)
    write_export(tmp_path / "b.csv", made)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert b"\r" not in (tmp_path / "a.csv").read_bytes()


def test_the_consensus_of_the_simulated_crowd_is_near_the_truth(tmp_path):
    """From masks to an export and back to masks through the command's own function."""
    truth = np.zeros((80, 120), np.uint8)
    truth[20:60, 30:90] = 1
    truth[65:75, 95:112] = 1
    crowd = simulate({"bay": truth, "cape": truth[:, ::-1]}, volunteers=9, seed=5)
    write_export(tmp_path / "c.csv", crowd)
    write_subjects(tmp_path / "s.csv", crowd)
    (tmp_path / "truth").mkdir()
    write_mask(tmp_path / "truth" / "bay.png", truth)
    write_mask(tmp_path / "truth" / "cape.png", np.ascontiguousarray(truth[:, ::-1]))
    consensus(
        tmp_path / "c.csv",
        out=tmp_path / "out",
        subjects=tmp_path / "s.csv",
        expert=tmp_path / "truth",
    )
    mask = read_mask(tmp_path / "out" / "masks" / "90000001.png")
    assert confusion(mask == 1, truth).iou > 0.85
    with (tmp_path / "out" / "expert_curve.csv").open(newline="", encoding="utf-8") as file:
        curve = {row["k"]: float(row["iou"]) for row in csv.DictReader(file)
                 if row["subject"] == "mean"}  # fmt: skip
    assert curve["5"] > max(curve["1"], curve["9"])
