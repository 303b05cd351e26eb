"""Tables, CSV and JSON of scores."""

import csv
import json

from crosspatch.evaluation.rows import COLUMNS
from crosspatch.evaluation.scores import MethodScores, Scores
from crosspatch.evaluation.summary import SUMMARY, summarise
from scored import ROWS

SCORES = Scores(
    dataset="kelp",
    split="test",
    model="runs/kelp/model",
    methods=(
        MethodScores("model", "a network", tuple(ROWS), summarise(ROWS)),
        MethodScores("threshold", "nir < 22", tuple(ROWS[:2]), summarise(ROWS[:2])),
    ),
    skipped=(("z", "cannot be read"),),
    said=("3 groups only",),
)


def test_the_models_own_rows_and_summary_come_first():
    assert SCORES.rows == tuple(ROWS)
    assert SCORES.summary["iou"].value == SCORES.methods[0].summary["iou"].value


def test_the_table_has_a_row_a_score_and_a_column_a_method():
    columns, rows = SCORES.table()
    assert columns == ["score", "model", "threshold"]
    assert rows[0] == ["IoU, mean over subjects with foreground", "0.550", "0.375"]
    assert [row[0] for row in rows] == list(SUMMARY.values())


def test_csv_has_a_row_a_method_and_subject_and_empty_cells_for_no_meaning(tmp_path):
    SCORES.write_csv(tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS)
    assert [(row["method"], row["subject"]) for row in rows] == [
        *(("model", name) for name in "abcde"),
        ("threshold", "a"),
        ("threshold", "b"),
    ]
    assert (rows[1]["tp"], rows[1]["iou"], rows[1]["foreground"]) == ("5", "0.25", "0.2")
    assert rows[2]["average_precision"] == ""
    assert rows[2]["false_positive_area"] == "0.04"


def test_json_holds_everything_and_no_nan():
    text = json.dumps(SCORES.as_dict(), allow_nan=False)
    back = json.loads(text)
    assert back["methods"][0]["summary"]["iou"]["subjects"] == 3
    assert back["methods"][0]["subjects"][2]["average_precision"] is None
    assert back["methods"][1]["says"] == "nir < 22"
    assert back["skipped"] == [{"subject": "z", "why": "cannot be read"}]
