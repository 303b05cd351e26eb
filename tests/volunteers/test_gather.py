"""From an export to subjects: nothing lost, nothing counted twice, whatever stands between."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import exports
from crosspatch.errors import InputError
from crosspatch.volunteers import gather as module
from crosspatch.volunteers.ballots import Choice
from crosspatch.volunteers.gather import ballots_in, bucket_of, gather
from crosspatch.volunteers.subjects import (
    BAD_IMAGE,
    NO_IMAGE,
    NO_SIZE,
    OTHER_WORKFLOW,
    OUTSIDE,
    TOO_LARGE,
    Frames,
    Rules,
    find_file,
    index_files,
    subjects_in,
)
from crosspatch.volunteers.tables import Tool, ToolTable
from crosspatch.volunteers.tally import REJECTED_COLUMNS, Rejected, RejectedFile, Tally

BOX = exports.box(2, 1, 6, 4)
REAL = Path(__file__).parents[3] / "shared" / "data"


def read(path, tmp_path, choice=None, frames=None, repeats="first", **more):
    """Subjects by id, the whole tally, all rejections, and the gathering itself."""
    spill = tmp_path / "spill"
    shutil.rmtree(spill, ignore_errors=True)
    spill.mkdir()
    rejected = []
    gathered = gather(path, spill, choice or Choice(), reject=rejected.extend, **more)
    tally = Tally()
    tally.add(gathered.found.tally)
    subjects = {}
    rules = Rules(gathered.workflow, gathered.region_tasks, repeats)
    for bucket in gathered.buckets:
        for one in subjects_in(bucket, rules, frames or Frames()):
            tally.add(one.tally)
            rejected += one.rejected
            if one.subject is not None:
                assert one.subject.subject_id not in subjects
                subjects[one.subject.subject_id] = one
    assert tally.balanced
    assert sum(one.is_row for one in rejected) == tally.rows_rejected.total()
    assert sum(not one.is_row for one in rejected) == tally.marks_rejected.total()
    return subjects, tally, rejected, gathered


def votes(read_subject):
    return {
        one.volunteer: [outline.tolist() for outline in one.outlines]
        for one in read_subject.subject.volunteers
    }


def test_rows_of_a_subject_scattered_over_the_file_come_together(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BUCKET_BYTES", (2000, 2000))
    rows = [exports.row(n, f"v{n % 5}", str(n % 7), [BOX]) for n in range(1, 36)]
    subjects, tally, rejected, gathered = read(exports.write(tmp_path / "e.csv", rows), tmp_path)
    assert len(gathered.buckets) > 5
    assert sorted(subjects) == list("0123456")
    assert all(len(votes(one)) == 5 for one in subjects.values())
    assert (tally.rows_kept, tally.marks_kept, rejected) == (35, 35, [])
    for name in subjects:
        assert [subject for subject, _ in ballots_in(bucket_of(gathered, name), name)] == [name]


def test_several_processes_read_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_BYTES", (2000, 2000))  # many blocks, in any order
    rows = [exports.row(n, f"v{n % 5}", str(n % 7), [BOX] * (n % 3)) for n in range(1, 400)]
    path = exports.write(tmp_path / "e.csv", rows)
    alone = read(path, tmp_path)
    together = read(path, tmp_path, workers=2)
    assert {name: votes(one) for name, one in alone[0].items()} == {
        name: votes(one) for name, one in together[0].items()
    }
    assert alone[1] == together[1]
    assert alone[2] == together[2]


def test_blank_votes_need_somebody_who_showed_that_the_task_draws_areas(tmp_path):
    blanks = [exports.row(n, f"v{n}", "7", []) for n in (1, 2)]
    subjects, tally, _, _ = read(exports.write(tmp_path / "a.csv", blanks), tmp_path)
    assert subjects == {}
    assert tally.rows_rejected == {"no drawing task was answered": 2}
    drawn = [*blanks, exports.row(3, "v3", "8", [BOX])]
    subjects, _, _, gathered = read(exports.write(tmp_path / "b.csv", drawn), tmp_path)
    assert gathered.region_tasks == {"T0"}
    assert votes(subjects["7"]) == {"v1": [], "v2": []}
    for choice, tools in (
        (Choice(task="T0"), None),
        (Choice(), ToolTable({("5", "3"): {"T0": [Tool("polygon", "")]}})),
    ):
        subjects, *_ = read(tmp_path / "a.csv", tmp_path, choice, tools=tools)
        assert votes(subjects["7"]) == {"v1": [], "v2": []}


def test_who_drew_with_an_unknown_tool_only_is_no_vote_for_background(tmp_path):
    unknown = {**BOX, "toolType": "hologram"}
    point = {"x": 1, "y": 1, "toolType": "point", "toolIndex": 1}
    drawn = {"a": [BOX], "b": [unknown], "c": [point]}
    rows = [exports.row(n, user, marks=marks) for n, (user, marks) in enumerate(drawn.items(), 1)]
    found, _, rejected, _ = read(exports.write(tmp_path / "e.csv", rows), tmp_path)
    assert [one.volunteer for one in found["7"].subject.volunteers] == ["a", "c"]
    assert [one.reason for one in rejected if one.is_row] == ["none of its marks can be used"]


def test_points_do_not_make_a_task_one_of_areas(tmp_path):
    point = {"x": 1, "y": 2, "tool": 0, "frame": 0}
    points = [{"task": "T2", "value": [point]}]
    rows = [
        exports.row(1, "a", annotations=points),
        exports.row(2, "b", annotations=[{"task": "T2", "value": []}]),
        exports.row(3, "c", marks=[BOX]),
        exports.row(4, "d", marks=[point]),
    ]
    subjects, tally, _, _ = read(exports.write(tmp_path / "e.csv", rows), tmp_path)
    assert votes(subjects["7"]) == {"c": [[[1, 2], [1, 6], [4, 6], [4, 2]]], "d": []}
    assert tally.marks_rejected == {"a point has no area": 2}


def test_the_workflow_with_most_rows_is_taken_and_the_others_are_listed(tmp_path):
    rows = [exports.row(n, f"v{n}", workflow_id=w, marks=[BOX]) for n, w in enumerate("5665", 1)]
    rows.append(exports.row(9, "v9", workflow_id="6", marks=[BOX]))
    subjects, tally, _, gathered = read(exports.write(tmp_path / "e.csv", rows), tmp_path)
    assert gathered.workflow == "6"
    assert sorted(votes(subjects["7"])) == ["v2", "v3", "v9"]
    assert tally.rows_rejected == {OTHER_WORKFLOW: 2}
    assert tally.marks_rejected == {OTHER_WORKFLOW: 2}
    assert read(tmp_path / "e.csv", tmp_path, Choice(workflow="5"))[3].workflow == "5"


def test_outlines_are_scaled_to_the_science_grid_row_by_row(tmp_path):
    rows = [
        exports.row(1, "a", marks=[BOX], size=(20, 10)),
        exports.row(2, "b", marks=[BOX], size=(40, 20)),
        exports.row(3, "c", marks=[BOX], size=(20, 10)),
        exports.row(4, "d", marks=[BOX], size=None),
    ]
    path = exports.write(tmp_path / "e.csv", rows)
    usual = [[[1, 2], [1, 6], [4, 6], [4, 2]]]
    half = [[[0.5, 1], [0.5, 3], [2, 3], [2, 1]]]
    subjects, *_ = read(path, tmp_path)
    assert subjects["7"].subject.shape == (10, 20)  # as most of its rows say
    assert votes(subjects["7"]) == {"a": usual, "b": half, "c": usual, "d": usual}
    subjects, *_ = read(path, tmp_path, frames=Frames(size=(5, 10)))
    assert subjects["7"].subject.shape == (5, 10)
    assert votes(subjects["7"])["a"] == half
    assert not subjects["7"].stretched
    assert read(path, tmp_path, frames=Frames(size=(5, 5)))[0]["7"].stretched


def test_a_subject_whose_size_nobody_knows(tmp_path):
    path = exports.write(tmp_path / "e.csv", [exports.row(1, marks=[BOX], size=None)])
    subjects, tally, _, _ = read(path, tmp_path)
    assert subjects == {}
    assert tally.rows_rejected == tally.marks_rejected == {NO_SIZE: 1}
    subjects, *_ = read(path, tmp_path, frames=Frames(size=(10, 20)))
    assert subjects["7"].unsized == 1


def test_a_size_that_is_a_lie_is_not_allocated(tmp_path):
    path = exports.write(tmp_path / "e.csv", [exports.row(1, marks=[BOX], size=(900_000, 900_000))])
    assert read(path, tmp_path)[1].rows_rejected == {TOO_LARGE: 1}


def test_what_lies_outside_is_rejected_and_what_reaches_in_is_kept(tmp_path):
    rows = [
        exports.row(1, "a", marks=[BOX, exports.box(30, 2, 40, 5), exports.box(-5, -5, 1, 1)]),
        exports.row(2, "b", marks=[exports.box(2, -9, 6, 0)]),
        exports.row(3, "c", marks=[exports.box(-1e6, -1e6, 1e6, 1e6)]),
    ]
    subjects, tally, rejected, _ = read(exports.write(tmp_path / "e.csv", rows), tmp_path)
    assert tally.marks_rejected == {OUTSIDE: 2}
    assert [(one.classification_id, one.mark) for one in rejected if not one.is_row] == [
        ("1", 1), ("2", 0),
    ]  # fmt: skip
    assert sorted(votes(subjects["7"])) == ["a", "c"]
    assert tally.rows_rejected == {"none of its marks can be used": 1}


def test_gold_standard_goes_apart_with_its_marks_in_the_books(tmp_path):
    rows = [
        exports.row(1, "a", marks=[BOX]),
        exports.row(2, "x", marks=[BOX], gold_standard="true"),
    ]
    subjects, tally, _, _ = read(exports.write(tmp_path / "e.csv", rows), tmp_path)
    assert [one.volunteer for one in subjects["7"].subject.gold] == ["x"]
    assert len(subjects["7"].subject.gold[0].outlines) == 1
    assert (tally.rows_kept, tally.marks_kept, tally.marks_rejected.total()) == (1, 1, 1)


def test_images_give_the_grid_and_subjects_without_one_are_left_out(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("L", (40, 30)).save(folder / "7.png")
    Image.new("L", (10, 5)).save(folder / "Scene B.jpg")
    (folder / "9.png").write_bytes(b"\x89PNG no more")
    Image.new("L", (8, 4)).save(folder / "upload-1.png")
    rows = [
        exports.row(1, subject="7", marks=[BOX]),
        exports.row(2, subject="8", marks=[BOX], files={"Filename": "scenes\\SCENE B.jpg"}),
        exports.row(3, subject="9", marks=[BOX]),
        exports.row(4, subject="10", marks=[BOX]),
        exports.row(5, subject="11", marks=[BOX], files={"Filename": "../../../etc/passwd.png"}),
    ]
    frames = Frames(
        images=index_files(sorted(folder.iterdir())), locations={"10": ["upload-1.jpeg"]}
    )
    subjects, tally, _, _ = read(exports.write(tmp_path / "e.csv", rows), tmp_path, frames=frames)
    shapes = {name: one.subject.shape for name, one in subjects.items()}
    assert shapes == {"7": (30, 40), "8": (5, 10), "10": (4, 8)}
    assert subjects["8"].image == folder / "Scene B.jpg"
    assert tally.rows_rejected == {BAD_IMAGE: 1, NO_IMAGE: 1}


def test_files_are_found_by_name_before_stem_and_never_when_two_share_it():
    index = index_files([Path("a/x.png"), Path("a/x.jpg"), Path("a/Y.tif")])
    assert find_file(index, ["x.jpg"]) == Path("a/x.jpg")
    assert find_file(index, ["x"]) is None
    assert find_file(index, ["q", "http://h/y.jpeg"]) == Path("a/Y.tif")
    assert find_file(index, ["../a/Y.TIF"]) == Path("a/Y.tif")


@pytest.mark.parametrize("states", [(None, None), ({"retired_at": "2024"}, {"retired_at": None})])
def test_a_subject_is_retired_if_one_row_says_when(tmp_path, states):
    rows = [exports.row(n, f"v{n}", marks=[BOX], retired=s) for n, s in enumerate(states)]
    subjects, *_ = read(exports.write(tmp_path / "e.csv", rows), tmp_path)
    assert subjects["7"].subject.retired is (states[0] is not None)


def test_missing_columns_are_named(tmp_path):
    header = [name for name in exports.HEADER if name not in ("annotations", "subject_ids")]
    path = exports.write(tmp_path / "e.csv", [exports.row()], header)
    with pytest.raises(InputError, match="annotations, subject_ids"):
        read(path, tmp_path)


def test_an_export_without_a_usable_row_says_why(tmp_path):
    path = exports.write(tmp_path / "e.csv", [exports.row(annotations="x") | {"annotations": "{"}])
    with pytest.raises(InputError, match="1 the annotations are not JSON"):
        read(path, tmp_path)


def test_rejections_as_a_table_no_spreadsheet_runs(tmp_path):
    with RejectedFile(tmp_path / "r.csv") as file:
        file.write([Rejected(4, "=cmd()", "7", "because"),
                    Rejected(5, "1\n2", "7", "because", "T0", 3, "point")])  # fmt: skip
    lines = (tmp_path / "r.csv").read_text(encoding="utf-8").splitlines()
    assert lines == [
        ",".join(REJECTED_COLUMNS),
        "4,'=cmd(),7,row,,,,because",
        "5,1?2,7,mark,T0,3,point,because",
    ]


def damaged(chance: random.Random, good: str) -> str:
    """One broken line (without its line break), made from a good one."""
    kind = chance.randrange(12)
    at = chance.randrange(len(good))
    match kind:
        case 0:
            return good[:at]  # cut off
        case 1:
            return good[:at] + '"' + good[at:]  # a quote too many
        case 2:
            return good[:at] + chance.choice(["\x00", "\x1b", "\ufffd", "\u2028"]) + good[at + 1 :]
        case 3:
            return good.replace('""T0""', "T0", 1)  # broken JSON
        case 4:
            return good + ",more,cells"
        case 5:
            return "".join(chance.choices('",\\{}[]:0e-+a\t', k=chance.randrange(1, 400)))
        case 6:
            return good.replace('""pathX"": [', '""pathX"": [""text"", ', 1)
        case 7:
            return good.replace('""pathX"": [', '""pathX"": [1e999, NaN, ', 1)
        case 8:
            return good.replace("freehandLine", chance.choice(["magic", "circle", "bezier", ""]))
        case 9:
            return good.rsplit(",", 1)[0] + ",7;8"
        case 10:
            return good.rsplit(",", 1)[0] + ",../../7"
        case _:
            return good.replace('""value"": [', '""value"": ' + "[" * chance.randrange(2, 3000))


def test_ten_thousand_damaged_rows_lose_no_good_row(tmp_path):
    """Damaged copies carry subjects of their own, so that a lucky survivor changes no good vote."""
    chance = random.Random(4)
    rows = [exports.row(n, f"v{n}", str(n % 50), [BOX, exports.box(1, 1, 3, 3)][: n % 3])
            for n in range(1, 501)]  # fmt: skip
    clean = exports.write(tmp_path / "clean.csv", rows)
    expected, tally, _, _ = read(clean, tmp_path)
    header, *good = clean.read_text(encoding="utf-8").splitlines()
    spoiled = exports.write(
        tmp_path / "copies.csv",
        [exports.row(n, f"w{n}", f"x{n % 9}", [BOX]) for n in range(9001, 9101)],
    ).read_text(encoding="utf-8").splitlines()[1:]  # fmt: skip
    lines = [damaged(chance, chance.choice(spoiled)) for _ in range(10_000)] + good
    chance.shuffle(lines)
    path = tmp_path / "damaged.csv"
    path.write_bytes("\n".join([header, *lines, spoiled[0][:400]]).encode())
    found, damaged_tally, rejected, _ = read(path, tmp_path)
    for name, one in expected.items():
        assert votes(found[name]) == votes(one), name
    assert damaged_tally.rows_kept >= tally.rows_kept == 500
    assert damaged_tally.rows_read > 10_000
    assert len({one.reason for one in rejected if one.is_row}) >= 8


REAL_EXPORTS = {
    "drawing_exports/cat_freehand_polygon_classifications.csv": (153, 184),
    "drawing_exports/andromeda_circle_classifications.csv": (63, 101),
    "drawing_exports/cat_manytools_classifications.csv": (113, 528),
    "floating_forests/classifications_panoptes.csv": (14, 55),
}


@pytest.mark.skipif(not REAL.exists(), reason="the real exports are not here")
@pytest.mark.parametrize("name", REAL_EXPORTS)
def test_every_mark_of_real_exports_is_accounted_for(tmp_path, name):
    _, tally, _, _ = read(REAL / name, tmp_path)
    assert (tally.rows_read, tally.marks_read) == REAL_EXPORTS[name]
    assert tally.rows_kept > 0


def test_the_books_in_words():
    tally = Tally(rows_read=3, rows_kept=1, marks_read=2, marks_kept=2)
    for reason in ("odd", "odd"):
        tally.reject(Rejected(1, "1", "7", reason))
    assert tally.sentences() == [
        "3 classifications read, 1 kept, 2 rejected (2 odd)",
        "2 marks read, 2 kept, 0 rejected",
    ]
    assert tally.balanced
    tally.rows_read += 1
    assert not tally.balanced


def test_a_row_and_its_outlines_survive_the_bucket_to_the_bit(tmp_path):
    chance = np.random.default_rng(0)
    xy = chance.uniform(0, 10, (50, 2))
    marks = [exports.freehand(*map(tuple, xy.tolist()), tuple(xy[0].tolist()))]
    path = exports.write(tmp_path / "e.csv", [exports.row(1, marks=marks)])
    assert json.loads(exports.row(1, marks=marks)["annotations"])[0]["task"] == "T0"
    subjects, *_ = read(path, tmp_path)
    (outline,) = subjects["7"].subject.volunteers[0].outlines
    assert (outline == xy[:, ::-1]).all()
