"""Subjects and workflows exports: file names, tools, labels."""

import csv
import json

import pytest

from crosspatch.errors import InputError
from crosspatch.volunteers.tables import Tool, read_locations, read_tools

URL = "https://panoptes-uploads.zooniverse.org/production/subject_location/"


def write(path, columns, *rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def workflow(tools, key="T0"):
    return json.dumps({key: {"type": "drawing", "tools": tools}, "T1": {"type": "single"}})


def test_locations_are_the_last_parts_of_addresses(tmp_path):
    path = write(
        tmp_path / "subjects.csv",
        ["subject_id", "project_id", "metadata", "locations"],
        ["7", "1", "{}", json.dumps({"0": URL + "aa-bb.jpeg", "1": URL + "cc.png"})],
        ["7", "1", "{}", json.dumps({"0": URL + "aa-bb.jpeg", "1": URL + "cc.png"})],
        ["8", "1", "{}", "broken"],
        ["9", "1", "{}", '{"0": 4}'],
    )
    assert read_locations(path) == {"7": ["aa-bb.jpeg", "cc.png"], "9": []}


def test_tools_by_workflow_and_major_version(tmp_path):
    path = write(
        tmp_path / "workflows.csv",
        ["workflow_id", "display_name", "version", "tasks", "strings", "minor_version"],
        ["5", "x", "9", workflow([{"type": "polygon", "label": "T0.tools.0.label"}]),
         json.dumps({"T0.tools.0.label": "Kelp"}), "3"],
        ["5", "x", "10", workflow([{"type": "point", "label": "P"}, {"type": "circle"}]), "", "1"],
        ["6", "x", "2", workflow([{"type": "freehandLine"}], "T3"), "", "1"],
        ["6", "x", "bad", workflow([]), "", "1"],
        ["6", "x", "3", "not json", "", "1"],
    )  # fmt: skip
    table = read_tools(path)
    assert table.tool("5", "9.7", "T0", 0) == Tool("polygon", "Kelp")
    assert table.tool("5", "10.1", "T0", 0) == Tool("point", "P")
    assert table.tool("5", "11.2", "T0", 1) == Tool("circle", "")  # unknown: the newest, 10 > 9
    assert table.tool("5", "9.7", "T0", 1) is None
    assert table.tool("5", "9.7", "T0", -1) is None
    assert table.tool("5", "9.7", "T1", 0) is None
    assert table.tool("7", "1.1", "T0", 0) is None
    assert table.region_tasks("5", None) == {"T0"}
    assert table.region_tasks("5", frozenset({0})) == {"T0"}
    assert table.region_tasks("6", frozenset({1})) == set()


@pytest.mark.parametrize("read", [read_locations, read_tools])
def test_another_table_is_refused(tmp_path, read):
    path = write(tmp_path / "other.csv", ["a", "b"], [1, 2])
    with pytest.raises(InputError, match="lacks the columns"):
        read(path)
