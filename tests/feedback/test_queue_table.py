"""queue.csv: what is written is what is read, and what people edited is read with care."""

import csv
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosspatch.errors import InputError
from crosspatch.feedback.table import COLUMNS, DECISIONS, QueueRow, read_queue, write_queue

NAN = math.nan
ROW = QueueRow(
    "bay", 1, 1, "next", "unsure, and unlike the rest", 0.9, 0.25, 0.5, 0.125, NAN, 0.75, 2.0,
    "scene", "open", "images/bay.png",
)  # fmt: skip


def test_the_file_has_the_documented_columns_and_plain_numbers(tmp_path):
    write_queue(tmp_path / "queue.csv", [ROW])
    header, first = list(csv.reader((tmp_path / "queue.csv").open(newline="", encoding="utf-8")))
    assert header == list(COLUMNS)
    assert first == [
        "bay", "1", "1", "next", "unsure, and unlike the rest", "0.9", "0.25", "0.5", "0.125", "",
        "0.75", "2", "scene", "open", "images/bay.png",
    ]  # fmt: skip


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1, max_size=20)


@given(
    names=st.lists(TEXT, min_size=1, max_size=5, unique=True),
    reason=TEXT,
    decision=st.sampled_from(DECISIONS),
)
def test_any_names_and_reasons_survive(tmp_path_factory, names, reason, decision):
    path = tmp_path_factory.mktemp("queue") / "queue.csv"
    rows = [
        replace(ROW, name=name, rank=place, reason=reason, decision=decision, disagreement=0.5)
        for place, name in enumerate(names, 1)
    ]
    write_queue(path, rows)
    assert read_queue(path) == rows


def test_a_sorted_and_shortened_table_is_read_by_rank(tmp_path):
    path = tmp_path / "queue.csv"
    path.write_text(
        "decision,reason,name,rank,priority\npeople,later,b,2,7\nnext,first,a,1,3\n",
        encoding="utf-8-sig",
    )
    first, second = read_queue(path)
    assert (first.name, first.priority, second.name, second.priority) == ("a", 3, "b", 7)
    assert math.isnan(first.uncertainty)
    assert first.group == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,rank\na,1\n", "no column 'priority'"),
        ("name,rank,priority,decision,reason\na,one,1,next,x\n", "row 2: .*'one'"),
        ("name,rank,priority,decision,reason\na,1,1,sell,x\n", "row 2: the decision 'sell'"),
        ("name,rank,priority,decision,reason\n,1,1,next,x\n", "row 2: it has no name"),
        ("name,rank,priority,decision,reason\na,1,1,next,x\na,2,2,next,x\n", "twice"),
        ("name,rank,priority,decision,reason\na,1\n", "row 2"),
    ],
)
def test_a_table_that_is_none_is_refused_with_its_row(tmp_path, text, message):
    (tmp_path / "queue.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_queue(tmp_path / "queue.csv")


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path):
    (tmp_path / "queue.csv").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(InputError, match="not a CSV table"):
        read_queue(tmp_path / "queue.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_queue(tmp_path / "nowhere.csv")
