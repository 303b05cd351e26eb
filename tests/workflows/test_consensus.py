"""From an export to a data set folder, through the public function and the command line."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import crosspatch as cp
import exports
from crosspatch.cli import main
from crosspatch.dataset import Dataset, check
from crosspatch.errors import CrosspatchError, InputError, SettingsError
from crosspatch.volunteers.folder import SUBJECT_COLUMNS
from crosspatch.volunteers.report import CHOICE_COLUMNS, CURVE_COLUMNS, VOLUNTEER_COLUMNS
from crosspatch.volunteers.tally import REJECTED_COLUMNS
from crosspatch.workflows.consensus import consensus

REAL = Path(__file__).parents[3] / "shared" / "data" / "floating_forests"
BIG, SMALL = exports.box(2, 1, 12, 8), exports.box(4, 2, 10, 6)


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def header(path):
    return tuple(path.read_text(encoding="utf-8").splitlines()[0].split(","))


def pixels(path):
    return np.asarray(Image.open(path))


def problems(dataset):
    return [problem for problem in check(dataset) if not problem.warning]


@pytest.fixture
def export(tmp_path):
    """Two subjects of 20 x 10: three voters on 7 (one blank), four on 8; one repeat, one gold."""
    rows = [
        exports.row(1, "ann", "7", [BIG]),
        exports.row(2, "bob", "7", [SMALL]),
        exports.row(3, "not-logged-in-0c", "7", []),
        exports.row(4, "ann", "7", [SMALL], seen=True),
        exports.row(5, "ann", "8", [BIG]),
        exports.row(6, "bob", "8", [BIG]),
        exports.row(7, "cid", "8", [BIG, {"x": 3, "y": 3, "tool": 1, "frame": 0}]),
        exports.row(8, "dee", "8", [exports.box(14, 1, 19, 9)]),
        exports.row(9, "eve", "8", [SMALL], gold_standard="true"),
    ]
    return exports.write(tmp_path / "export.csv", rows)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("7.png", "8.jpg", "spare.png"):
        Image.new("RGB", (20, 10), (9, 90, 200)).save(folder / name)
    return folder


def test_a_data_set_ready_for_prepare(export, photos, tmp_path):
    made = consensus(export, out=tmp_path / "set", images=photos)
    assert isinstance(made, Dataset)
    assert [subject.name for subject in made.subjects] == ["7", "8"]
    assert problems(made) == []
    first, second = (made.read_mask(subject) for subject in made.subjects)
    assert (first[2:6, 4:10] == 1).all()
    assert first.sum() == 24  # two of three: what both marked
    assert second.sum() == 70
    votes = pixels(tmp_path / "set" / "votes" / "8.png")
    assert (votes.max(), votes.dtype, int(votes.sum())) == (3, np.uint8, 3 * 70 + 40)
    assert {one.split for one in made.subjects} == {"train", "test"}
    assert made.foreground == ("foreground",)
    assert any("9 classifications read, 7 kept, 2 rejected" in said for said in made.said)


def test_tiles_of_one_scene_stay_together_once_their_groups_are_written(tmp_path, photos):
    """As the sentence and docs/how-to/consensus.md say."""
    tiles = [str(number) for number in range(10, 18)]
    for tile in tiles:
        Image.new("RGB", (20, 10), (int(tile), 90, 200)).save(photos / f"{tile}.png")
    rows = [exports.row(int(tile), "ann", tile, [BIG]) for tile in tiles]
    made = consensus(exports.write(tmp_path / "e.csv", rows), out=tmp_path / "set", images=photos)
    assert any("where several are tiles of one scene, write the scene" in one for one in made.said)
    lines = [f"{tile},scene-{int(tile) % 2}" for tile in tiles]
    (tmp_path / "set/splits.csv").write_text("\n".join(["name,group", *lines]), encoding="utf-8")
    again = Dataset.open(tmp_path / "set")
    assert problems(again) == []
    placed = {(one.group, one.split) for one in again.subjects}
    assert len(placed) == 2
    assert {split for _, split in placed} == {"train", "test"}


def test_one_subject_has_no_neighbours(tmp_path):
    made = consensus(
        exports.write(tmp_path / "e.csv", [exports.row(1, "ann", "7", [BIG])]), out=tmp_path / "set"
    )
    assert not any("tiles" in one for one in made.said)


def test_the_public_name_and_crops_from_it(export, photos, tmp_path):
    kelp = cp.consensus(export, out=tmp_path / "set", images=photos, at_least=1)
    crops = cp.prepare(kelp, recipe="windows", size=32, out=tmp_path / "crops")
    assert len(crops) == 2


def test_images_that_nobody_outlined_come_along_unlabelled_when_asked_for(export, photos, tmp_path):
    Image.new("RGB", (20, 10), (9, 90, 200)).save(photos / "spare.jpg")
    made = consensus(export, out=tmp_path / "set", images=photos, all_images=True)
    assert [one.name for one in made.labelled] == ["7", "8"]
    assert [(one.name, one.split) for one in made.unlabelled] == [("spare", None)]
    assert (made.path / "images/spare.jpg").read_bytes() == (photos / "spare.jpg").read_bytes()
    assert "spare.png is not taken along: the subject 'spare' was added twice" in made.said
    assert "1 images that nobody outlined came along without a mask" in made.said
    assert problems(made) == []


def test_the_tables(export, photos, tmp_path):
    folder = consensus(export, out=tmp_path / "set", images=photos).path
    assert header(folder / "subjects.csv") == SUBJECT_COLUMNS
    assert header(folder / "volunteers.csv") == VOLUNTEER_COLUMNS
    assert header(folder / "rejected.csv") == REJECTED_COLUMNS
    seven, eight = table(folder / "subjects.csv")
    assert [seven[key] for key in ("name", "status", "voters", "marks")] == ["7", "mask", "3", "2"]
    assert float(seven["blanks"]) == float(seven["anonymous"]) == pytest.approx(1 / 3, abs=1e-4)
    dice = (2 * 24 / (24 + 70) + 0 + 0) / 3
    assert float(seven["dice"]) == pytest.approx(dice, abs=1e-4)
    assert float(seven["difficulty"]) == pytest.approx(1 - dice, abs=1e-4)
    assert float(seven["foreground"]) == pytest.approx(24 / 200)
    assert [eight[key] for key in ("gold", "height", "width", "file")] == ["1", "10", "20", "8.jpg"]
    people = {row["volunteer"]: row for row in table(folder / "volunteers.csv")}
    assert sorted(people) == ["ann", "bob", "cid", "dee", "not-logged-in-0c"]
    assert (people["ann"]["subjects"], people["ann"]["repeats"]) == ("2", "1")
    assert (people["dee"]["outlier"], people["dee"]["outlier_on"]) == ("yes", "8")
    assert people["not-logged-in-0c"]["blanks"] == "1.0000"
    rejected = table(folder / "rejected.csv")
    assert [(row["classification_id"], row["what"], row["mark"]) for row in rejected] == [
        ("7", "mark", "1"), ("4", "row", ""), ("4", "mark", "0"), ("9", "row", ""),
        ("9", "mark", "0"),
    ]  # fmt: skip


@pytest.mark.skipif(not REAL.exists(), reason="the real exports are not here")
def test_repeats_and_the_outlier_of_a_real_export_are_seen(tmp_path):
    folder = consensus(REAL / "classifications_panoptes.csv", out=tmp_path / "set").path
    people = {row["volunteer"]: row for row in table(folder / "volunteers.csv")}
    assert {name: int(row["repeats"]) for name, row in people.items() if row["repeats"] != "0"} == {
        "vol002": 2, "vol003": 2, "not-logged-in-vol005": 1,
    }  # fmt: skip
    assert [name for name, row in people.items() if row["outlier"] == "yes"] == ["vol002"]
    assert float(people["vol002"]["area"]) > 10  # two large shapes over open water
    assert len([row for row in table(folder / "rejected.csv") if row["what"] == "row"]) == 5


def test_gold_standard_becomes_expert_masks_to_compare_with(export, photos, tmp_path):
    folder = consensus(export, out=tmp_path / "set", images=photos).path
    assert [path.name for path in (folder / "gold").iterdir()] == ["8.png"]
    assert pixels(folder / "gold" / "8.png").sum() == 24
    again = consensus(export, out=tmp_path / "two", images=photos, expert=folder / "gold").path
    assert header(again / "expert_curve.csv") == CURVE_COLUMNS
    assert header(again / "expert_choice.csv") == CHOICE_COLUMNS
    curve = [row for row in table(again / "expert_curve.csv") if row["subject"] == "8"]
    by_hand = [24 / 110, 24 / 70, 24 / 70, 0]
    assert [float(row["iou"]) for row in curve] == pytest.approx(by_hand, abs=1e-4)
    assert "<svg" in (again / "expert_curve.svg").read_text(encoding="utf-8")


def test_expert_masks_of_0_and_255_mean_foreground_and_wrong_sizes_are_said(export, tmp_path):
    folder = tmp_path / "experts"
    folder.mkdir()
    mask = np.zeros((10, 20), np.uint8)
    mask[1:8, 2:12] = 255
    Image.fromarray(mask).save(folder / "8.png")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / "7.png")
    made = consensus(export, out=tmp_path / "set", expert=folder)
    scores = table(made.path / "expert_curve.csv")
    assert {row["subject"] for row in scores} == {"mean", "8"}
    assert max(float(row["iou"]) for row in scores) == 1
    assert any("not compared with the expert: subject 7" in said for said in made.said)


def test_without_images_there_are_masks_and_it_is_said(export, tmp_path):
    made = consensus(export, out=tmp_path / "set", size=(40, 20))
    assert made.subjects == ()
    assert pixels(made.path / "masks" / "7.png").shape == (20, 40)
    assert any("no images were given" in said for said in made.said)
    for name, photo in (("7", 5), ("8", 6)):
        Image.new("L", (40, 20), photo).save(made.path / "images" / f"{name}.png")
    assert problems(Dataset.open(made.path)) == []


def test_subjects_with_too_few_voters_stay_unlabelled(export, photos, tmp_path):
    made = consensus(export, out=tmp_path / "set", images=photos, at_least=4)
    assert [subject.name for subject in made.unlabelled] == ["7"]
    assert [subject.name for subject in made.labelled] == ["8"]
    seven = table(made.path / "subjects.csv")[0]
    assert (seven["status"], seven["foreground"]) == ("fewer than 4 voters", "")
    assert problems(made) == []


def test_the_contact_sheet_shows_outlines_votes_and_mask(export, photos, tmp_path):
    sheet = pixels(
        consensus(export, out=tmp_path / "set", images=photos).path / "contact_sheet.png"
    )
    assert sheet.ndim == 3
    assert len(np.unique(sheet.reshape(-1, 3), axis=0)) > 10


@pytest.mark.parametrize("method", ["weighted", "staple", "shrunken"])
def test_the_methods_that_learn_run_through(tmp_path, method):
    rows = [
        exports.row(10 * s + v, f"v{v}", str(s), [BIG if (s + v) % 4 else SMALL])
        for s in range(4)
        for v in range(6)
    ]
    made = consensus(exports.write(tmp_path / "e.csv", rows), out=tmp_path / "set", method=method)
    assert sorted(path.stem for path in (made.path / "masks").iterdir()) == list("0123")
    assert pixels(made.path / "masks" / "0.png")[4, 6] == 1
    rates = [row["sensitivity"] for row in table(made.path / "volunteers.csv")]
    assert all(rates) == (method == "staple")


def test_processes_make_the_same_folder(export, tmp_path):
    alone = consensus(export, out=tmp_path / "one").path
    shared = consensus(export, out=tmp_path / "two", workers=2).path
    for name in ("subjects.csv", "volunteers.csv", "rejected.csv", "splits.csv", "masks/7.png"):
        assert (alone / name).read_bytes() == (shared / name).read_bytes()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"images": "photos", "size": (4, 4)}, SettingsError, "not both"),
        ({"all_images": True}, SettingsError, "of which folder"),
        ({"size": (0, 4)}, SettingsError, "WIDTHxHEIGHT"),
        ({"size": (10**6, 10**6)}, SettingsError, "WIDTHxHEIGHT"),
        ({"size": "640"}, SettingsError, "WIDTHxHEIGHT"),
        ({"size": "axb"}, SettingsError, "WIDTHxHEIGHT"),
        ({"repeats": "some"}, SettingsError, "first, last or all"),
        ({"repeats": "all", "method": "staple"}, SettingsError, "one vote a volunteer"),
        ({"blank_answer": "No"}, SettingsError, "TASK=ANSWER"),
        ({"method": "guess"}, SettingsError, "unknown method"),
        ({"images": "nowhere"}, InputError, "nowhere"),
        ({"expert": "nowhere"}, InputError, "nowhere"),
        ({"subjects": "nowhere.csv"}, InputError, "cannot be read"),
        ({"workflow": "99"}, InputError, "another workflow"),
        ({"workflow_version": "99"}, InputError, "another workflow version"),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_is_written(
    export, tmp_path, monkeypatch, settings, error, message
):
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(error, match=message):
        consensus(export, out=tmp_path / "set", **settings)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_when_no_subject_is_left_no_folder_is_made(tmp_path, photos):
    path = exports.write(tmp_path / "e.csv", [exports.row(1, subject="99", marks=[BIG])])
    with pytest.raises(InputError, match="no subject is left"):
        consensus(path, out=tmp_path / "set", images=photos)
    assert not (tmp_path / "set").exists()


def test_a_folder_that_stands_there_is_kept_unless_overwritten(export, tmp_path):
    consensus(export, out=tmp_path / "set")
    with pytest.raises(CrosspatchError, match="exists already"):
        consensus(export, out=tmp_path / "set")
    consensus(export, out=tmp_path / "set", overwrite=True)
    left = [path.name for path in tmp_path.rglob("*")]
    assert not [name for name in left if "partial" in name or "spill" in name]


def test_a_data_set_is_never_replaced_by_one_of_its_own_images(export, tmp_path):
    consensus(export, out=tmp_path / "set")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CrosspatchError, match="would replace it"):
        consensus(export, out=tmp_path / "set", images=tmp_path / "set/images", overwrite=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_progress_goes_up_to_its_total(export, tmp_path):
    seen = {}

    def note(what, done, total):
        seen[what] = (done, total)

    consensus(export, out=tmp_path / "set", progress=note)
    assert set(seen) == {"reading the export (MB)", "making masks"}
    assert all(done == total for done, total in seen.values())


def test_a_no_that_skips_the_drawing_is_a_blank_vote_on_request(tmp_path):
    no = [{"task": "T1", "value": "No"}]
    rows = [
        exports.row(1, "a", marks=[BIG]),
        *(exports.row(n, f"v{n}", annotations=no) for n in (2, 3)),
    ]
    path = exports.write(tmp_path / "e.csv", rows)
    without = consensus(path, out=tmp_path / "one").path
    told = consensus(path, out=tmp_path / "two", blank_answer="T1=No").path
    assert pixels(without / "masks" / "7.png").sum() == 70
    assert pixels(told / "masks" / "7.png").sum() == 0


def test_the_command_line(export, tmp_path, capsys):
    out = tmp_path / "set"
    words = ["consensus", str(export), "--out", str(out), "--at-least", "1", "--tool", "0", "1"]
    assert main([*words, "--size", "40x20", "--frame", "all", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["dataset"] == str(out)
    assert pixels(out / "masks" / "8.png").shape == (20, 40)
    assert main([*words, "--size", "40"]) == 1
    assert "WIDTHxHEIGHT" in capsys.readouterr().err
    assert main([*words, "--overwrite", "--frame", "second"]) == 1
    assert main([*words, "--method", "guess"]) == 2
