"""One row read into a ballot, and what is rejected on the way."""

import json

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import exports
from crosspatch.volunteers.ballots import Ballot, Choice
from crosspatch.volunteers.panoptes import BallotReader
from crosspatch.volunteers.rows import BrokenRow, Row
from crosspatch.volunteers.tables import Tool, ToolTable

BOX = exports.box(2, 1, 6, 4)
COLUMNS = tuple(exports.HEADER)


def read(row, choice=None, tools=None, columns=COLUMNS):
    """The ballot of one row (or None) and everything found."""
    reader = BallotReader(columns, choice or Choice(), tools)
    ballot = reader.read(Row(9, [row[name] for name in columns]))
    if ballot is None:
        assert reader.found.tally.rows_rejected.total() == 1
    return ballot, reader.found


def sized(width, height):
    return {"clientWidth": 9, "clientHeight": 9, "naturalWidth": width, "naturalHeight": height}


def reasons(found):
    return [(one.task, one.mark, one.reason) for one in found.rejected]


def test_a_row_in_full():
    row = exports.row(77, "ann", "1234", [BOX], expert="owner", size=(640, 480))
    ballot, found = read(row)
    assert (ballot.line, ballot.classification_id, ballot.subject_id) == (9, "77", "1234")
    assert (ballot.volunteer, ballot.logged_in, ballot.expert, ballot.gold) == (
        "ann", True, True, False,
    )  # fmt: skip
    assert (ballot.width, ballot.height) == (640, 480)
    assert ballot.sources == [("T0", [0], "freehandLine")]
    (outline,) = ballot.outlines()
    assert outline.tolist() == [[1, 2], [1, 6], [4, 6], [4, 2]]
    assert (found.tally.rows_read, found.tally.marks_read) == (1, 1)
    assert found.region_tasks == {("5", "T0")}
    assert dict(found.workflows) == {"5": 1}
    assert dict(found.versions) == {("5", "3.1"): 1}


def test_nothing_drawn_is_an_answer_to_its_task():
    ballot, found = read(exports.row(marks=[]))
    assert ballot.outlines() == []
    assert ballot.answered == ["T0"]
    assert found.region_tasks == set()  # nobody has shown yet that T0 draws areas


def test_answers_to_questions_are_no_marks():
    annotations = [
        {"task": "T1", "task_label": "Kelp?", "value": "Yes"},
        {"task": "T2", "value": ["red", "blue"]},
        {"task": "T3", "value": [{"choice": "CAT", "answers": {}, "filters": {}}]},
        {"task": "T4", "value": [{"value": "a", "option": True}]},
        {"task": "T5", "value": None},
        {"task": "T0.0.0", "taskType": "single", "markIndex": 0, "value": 0},
        {"task": "T0", "value": [BOX]},
    ]
    ballot, found = read(exports.row(annotations=annotations))
    assert ballot.answered == ["T0"]
    assert found.tally.marks_read == 1


def test_combo_tasks_are_searched_to_any_reasonable_depth():
    inner = [{"task": "T0", "value": [BOX]}, {"task": "T1", "value": "Yes"}]
    combo = [{"task": "T9", "value": [{"task": "T8", "value": inner}]}]
    ballot, _ = read(exports.row(annotations=combo))
    assert [task for task, _, _ in ballot.sources] == ["T0"]
    deep = inner
    for _ in range(30):
        deep = [{"task": "T9", "value": deep}]
    assert read(exports.row(annotations=deep))[0] is None


@pytest.mark.parametrize(
    ("choice", "kept"),
    [
        (Choice(), [0, 1, 2]),
        (Choice(task="T0"), [0, 1, 2]),
        (Choice(task="T7"), []),
        (Choice(tools=frozenset({1})), [1]),
        (Choice(tools=frozenset({0, 1})), [0, 1, 2]),
        (Choice(frame=1), [3]),
        (Choice(frame=None), [0, 1, 2, 3]),
    ],
)
def test_only_what_is_wanted_is_kept_and_the_rest_named(choice, kept):
    other_tool, other_frame = exports.box(3, 3, 9, 9, tool=1), exports.box(1, 1, 4, 4, frame=1)
    marks = [BOX, other_tool, exports.box(0, 0, 5, 5), other_frame]
    ballot, found = read(exports.row(marks=marks), choice)
    assert sorted(mark for _, marks, _ in ballot.sources for mark in marks) == kept
    assert sorted(one.mark for one in found.rejected) == sorted({0, 1, 2, 3} - set(kept))
    assert all(one.reason.startswith("another ") for one in found.rejected)
    assert found.tally.marks_read == 4


def test_open_lines_are_stitched_within_one_tool_only():
    top = exports.freehand((0, 0), (10, 0))
    bottom = exports.freehand((10, 1), (0, 9), (0, 1))
    one_tool, _ = read(exports.row(marks=[top, bottom]))
    assert one_tool.sources == [("T0", [0, 1], "freehandLine")]
    two_tools, found = read(exports.row(marks=[top, {**bottom, "toolIndex": 1}]))
    assert two_tools.sources == [("T0", [1], "freehandLine")]
    assert reasons(found) == [("T0", 0, "it has fewer than 3 points")]


def test_open_lines_are_stitched_within_one_frame_only():
    """Each is an outline but for its last side; joined, the two would close across each other."""
    first = exports.freehand((0, 0), (10, 0), (10, 9))
    second = exports.freehand((0, 0), (10, 0), (10, 9), frame=1)
    odd = exports.freehand((0, 5), (10, 5), (10, 9), frame="all")  # no number: the first frame
    both, _ = read(exports.row(marks=[first, second]), Choice(frame=None))
    assert both.sources == [("T0", [0], "freehandLine"), ("T0", [1], "freehandLine")]
    assert [one.tolist() for one in both.outlines()] == [[[0, 0], [0, 10], [9, 10]]] * 2
    joined, _ = read(exports.row(marks=[first, second, odd]), Choice(frame=None))
    assert [sorted(marks) for _, marks, _ in joined.sources] == [[0, 2], [1]]


def test_damaged_marks_are_listed_and_the_others_kept():
    marks = [
        BOX,
        {**BOX, "pathX": ["2"] * 5},
        {"toolType": "polygon", "toolIndex": 0, "points": [{"x": 1, "y": 1}, {"x": 2, "y": 2}]},
        {"x": 3, "y": 4, "tool": 0, "frame": 0},
        {"toolType": "hologram", "toolIndex": 0},
        "no mark",
        {**BOX, "pathX": None},
    ]
    ballot, found = read(exports.row(marks=marks))
    assert [marks for _, marks, _ in ballot.sources] == [[0]]
    assert sorted(reasons(found)) == [
        ("T0", 1, "coordinates are not numbers"),
        ("T0", 2, "it has fewer than 3 points"),
        ("T0", 3, "a point has no area"),
        ("T0", 4, "unknown tool 'hologram'"),
        ("T0", 5, "it is no mark"),
        ("T0", 6, "coordinates are missing"),
    ]
    assert found.tally.marks_read == 7
    assert ballot.unusable == 4  # damaged areas, and what may be one; a point never was


def test_numbers_that_python_writes_and_json_forbids_spoil_their_mark_only():
    nan, infinite = [float("nan")] * 5, [float("inf")] * 5
    row = exports.row(marks=[BOX, {**BOX, "pathX": nan}, {**BOX, "pathY": infinite}])
    assert "NaN" in row["annotations"]
    ballot, found = read(row)
    assert len(ballot.outlines()) == 1
    assert {one.reason for one in found.rejected} == {
        "coordinates are not finite or absurdly far away"
    }


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"annotations": "[{"}, "the annotations are not JSON"),
        ({"annotations": ""}, "the annotations are not JSON"),
        ({"annotations": "[" * 100_000}, "the annotations are not JSON"),
        ({"annotations": "{}"}, "the annotations are no list of tasks"),
        ({"annotations": '["T0"]'}, "the annotations are no list of tasks"),
        ({"annotations": '[{"value": []}]'}, "the annotations are no list of tasks"),
        ({"annotations": "[1" + "0" * 5000 + "]"}, "the annotations are not JSON"),
        ({"metadata": "{"}, "the metadata are not JSON"),
        ({"metadata": "[]"}, "the metadata are not JSON"),
        ({"subject_data": "nonsense"}, "the subject data are not JSON"),
        ({"subject_data": '{"8": {}}'}, "the subject data are of another subject"),
        ({"subject_ids": "7;8"}, "several subjects in one row"),
        ({"subject_ids": "../7"}, "the subject id is missing or no plain name"),
        ({"subject_ids": "a/b"}, "the subject id is missing or no plain name"),
        ({"subject_ids": ""}, "the subject id is missing or no plain name"),
        ({"subject_ids": "7" * 200}, "the subject id is missing or no plain name"),
        ({"classification_id": " "}, "the classification id is missing"),
        ({"user_name": ""}, "the user name is missing"),
    ],
)
def test_a_broken_cell_rejects_its_row_by_name(cells, reason):
    ballot, found = read(exports.row(12, marks=[BOX]) | cells)
    assert ballot is None
    assert found.rejected[0].reason == reason
    assert found.rejected[0].line == 9
    assert found.tally.balanced


def test_a_row_that_the_csv_reader_gave_up_is_passed_on():
    reader = BallotReader(COLUMNS, Choice())
    assert reader.read(BrokenRow(4, "88", "the row is cut")) is None
    (rejected,) = reader.found.rejected
    assert (rejected.line, rejected.classification_id, rejected.reason) == (
        4,
        "88",
        "the row is cut",
    )


@pytest.mark.parametrize(
    ("wanted", "version", "kept"),
    [
        (None, "13.19", True),
        ("13", "13.19", True),
        ("13", "13", True),
        ("13", "131.9", False),
        ("13.19", "13.19", True),
        ("13.19", "13.190", False),
        ("13.2", "13.20", False),
        ("1", "13.19", False),
    ],
)
def test_versions_are_text_of_major_and_minor(wanted, version, kept):
    ballot, found = read(exports.row(marks=[BOX], workflow_version=version), Choice(version=wanted))
    assert (ballot is not None) == kept
    if not kept:
        assert found.rejected[0].reason == "another workflow version"
        assert found.tally.marks_read == 0


def test_another_workflow_is_left_out_when_one_is_wanted():
    ballot, found = read(exports.row(marks=[BOX]), Choice(workflow="6"))
    assert ballot is None
    assert found.rejected[0].reason == "another workflow"


@pytest.mark.parametrize(
    ("value", "said"),
    [("No", True), (" no", True), ("Yes", False), (["No"], True), (["No", "x"], False),
     (None, False)],
)  # fmt: skip
def test_the_answer_that_means_nothing_here(value, said):
    row = exports.row(annotations=[{"task": "T1", "value": value}])
    assert read(row, Choice(blank_answer=("T1", "No")))[0].said_blank is said
    assert read(row, Choice(blank_answer=("T2", "No")))[0].said_blank is False
    assert read(row)[0].said_blank is False


@pytest.mark.parametrize(
    ("dimensions", "frame", "size"),
    [
        ([sized(725, 500), None], 0, (725, 500)),
        ([None, sized(725, 500)], 0, (725, 500)),
        ([None, sized(725, 500)], 1, (725, 500)),
        ([sized(7, 5), sized(9, 8)], 1, (9, 8)),
        ([None, sized(7, 5), sized(9, 8)], 0, (0, 0)),
        ([None], 0, (0, 0)),
        (None, 0, (0, 0)),
        ("640x480", 0, (0, 0)),
        ([sized("640", 480)], 0, (0, 0)),
        ([sized(0, 480)], 0, (0, 0)),
        ([sized(1e9, 1e9)], 0, (0, 0)),
        ([{"clientWidth": 640}], 0, (0, 0)),
    ],
)  # fmt: skip
def test_natural_sizes(dimensions, frame, size):
    row = exports.row(marks=[BOX], metadata={"subject_dimensions": dimensions})
    ballot, _ = read(row, Choice(frame=frame))
    assert (ballot.width, ballot.height) == size


@pytest.mark.parametrize(
    ("metadata", "seen"),
    [
        ({}, False),
        ({"seen_before": True}, True),
        ({"seen_before": "yes"}, False),
        ({"subject_selection_state": {"already_seen": True}}, True),
        ({"subject_selection_state": {"seen_before": True}}, True),
        ({"subject_selection_state": None}, False),
    ],
)
def test_flags_of_having_seen_the_subject(metadata, seen):
    assert read(exports.row(metadata=metadata))[0].seen is seen


@pytest.mark.parametrize(
    ("status", "retired"),
    [
        (None, False),
        ({"retired_at": None, "classifications_count": 3}, False),
        ({"retired_at": "2024-02-23T16:17:42.479Z", "retirement_reason": "consensus"}, True),
    ],
)
def test_a_status_row_without_a_date_is_not_retired(status, retired):
    assert read(exports.row(retired=status))[0].retired is retired


def test_file_names_in_the_metadata_are_remembered():
    files = {"Filename": "scene 7.jpg", "!link": "https://a/b", "depth": 4, "#hidden": "x.tif",
             "long": "a" * 300 + ".png", "bad": "a\u0007.png"}  # fmt: skip
    ballot, _ = read(exports.row(files=files))
    assert ballot.files == ["scene 7.jpg", "x.tif"]


@pytest.mark.parametrize(
    ("cell", "gold"), [("", False), ("true", True), ("TRUE", True), ("false", False)]
)
def test_gold_standard_flags(cell, gold):
    assert read(exports.row(gold_standard=cell))[0].gold is gold


def test_anonymous_volunteers_are_known_by_their_name():
    assert read(exports.row(user="not-logged-in-0123456789abcdef0123"))[0].logged_in is False


def test_columns_may_be_few_and_in_any_order():
    columns = ("subject_ids", "annotations", "user_name", "classification_id")
    ballot, _ = read(exports.row(marks=[BOX]), columns=columns)
    assert len(ballot.outlines()) == 1
    assert (ballot.width, ballot.retired, ballot.gold, ballot.seen) == (0, None, False, False)


def test_a_workflows_export_names_v1_tools_and_labels():
    table = ToolTable({("5", "3"): {"T0": [Tool("triangle", ""), Tool("freehandShape", "Kelp")]}})
    points = [{"x": 1, "y": 1}, {"x": 5, "y": 1}, {"x": 5, "y": 5}]
    marks = [
        {"x": 4, "y": 4, "r": 2, "angle": 0, "tool": 0, "frame": 0},
        {"points": points, "tool": 1, "frame": 0, "tool_label": None},
    ]
    ballot, found = read(exports.row(marks=marks), tools=table)
    assert ballot.sources == [("T0", [1], "freehandShape")]
    assert reasons(found) == [("T0", 0, "unknown tool 'triangle'")]
    assert ("T0", "Kelp", "freehandShape") in found.tools


def test_hostile_names_stay_printable():
    odd = [{"task": "T\u0000\ud83d", "value": [BOX]}]
    row = exports.row(annotations=odd)
    assert "\\ud83d" in json.dumps(odd)
    ballot, _ = read(row)
    assert ballot.sources[0][0] == "?"


NUMBERS = st.floats() | st.floats(-50, 50) | st.integers(-50, 50) | st.just(10**30)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "T0", "1.5", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["x", "y", "task", "value", "retired"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
FIELDS = [
    "points", "pathX", "pathY", "x", "y", "x1", "r", "rx", "ry", "width", "height", "angle",
    "x_center", "y_center", "frame", "closed", "path", "tool_label", "tool", "toolIndex",
]  # fmt: skip
NEAR = st.floats(-5, 30)
POINTS = st.lists(st.fixed_dictionaries({"x": NEAR, "y": NEAR}), max_size=6)
ANY_MARK = st.dictionaries(
    st.sampled_from(FIELDS), JSON | NEAR | POINTS | st.lists(NEAR, max_size=6)
)
KINDS = st.sampled_from(["freehandLine", "bezier", "circle", "ellipse", "rotateRectangle", "path"])
LIKELY_MARK = st.builds(
    lambda tool, mark: {**mark, "toolType": tool},
    KINDS,
    st.dictionaries(st.sampled_from(FIELDS), NEAR | POINTS),
)
MARK = ANY_MARK | LIKELY_MARK


@settings(max_examples=200, deadline=None)
@given(
    st.just([]) | st.lists(MARK, max_size=4),
    JSON,
    st.fixed_dictionaries({"subject_dimensions": JSON, "subject_selection_state": JSON}) | JSON,
    st.fixed_dictionaries({"7": JSON}) | JSON,
)
def test_whatever_the_cells_hold_the_books_balance(marks, other, metadata, data):
    annotations = [{"task": "T0", "value": marks}, {"task": "T1", "value": other}]
    row = exports.row() | {
        "annotations": json.dumps(annotations),
        "metadata": json.dumps(metadata),
        "subject_data": json.dumps(data),
    }
    reader = BallotReader(COLUMNS, Choice(blank_answer=("T1", "No")))
    ballot = reader.read(Row(2, [row[name] for name in COLUMNS]))
    rejected = reader.found.tally.marks_rejected.total()
    if ballot is None:
        assert reader.found.tally.balanced
        return
    kept = sum(len(marks) for _, marks, _ in ballot.sources)
    assert kept + rejected == reader.found.tally.marks_read
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(ballot), type=Ballot)
    assert again == ballot
    assert all(np.isfinite(outline).all() for outline in again.outlines())
