"""Reading rows: damage ends with its line, and memory does not follow the file."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosspatch.errors import InputError
from crosspatch.volunteers import rows as module
from crosspatch.volunteers.rows import BrokenRow, Row, blocks, read_block, read_header, rows_of


def cells_of(data, columns=3):
    return [one.cells if isinstance(one, Row) else one.reason for one in rows_of(data, 2, columns)]


def read_all(path, size=module.BLOCK_BYTES):
    header = read_header(path)
    return [row for block in blocks(path, header, size) for row in read_block(path, block, header)]


def test_plain_quoted_and_windows_lines():
    data = b'1,"a,""b""",c\r\n2,x,y\n\n  \n3,"",z'
    assert cells_of(data) == [["1", 'a,"b"', "c"], ["2", "x", "y"], ["3", "", "z"]]


def test_rows_carry_their_line():
    assert [row.line for row in rows_of(b'1,a\n\n2,"b\nc"\n3,d\n', 10, 2)] == [10, 12, 14]


def test_a_row_over_several_lines_is_put_together():
    assert cells_of(b'1,"{\n ""a"": 1\n}",c\n2,x,y\n') == [["1", '{\n "a": 1\n}', "c"],
                                                          ["2", "x", "y"]]  # fmt: skip


def test_an_open_quote_takes_no_good_row_along():
    assert cells_of(b'1,"open,c\n2,x,"y"\n3,"cut') == [
        "the row is cut or its quotes do not match",
        ["2", "x", "y"],
        "the row is cut or its quotes do not match",
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"7,b", "another number of columns"),
        (b"7,b,c,d", "another number of columns"),
        (b'7,"b"c,d', "quotes do not match"),
        (b"7,\xff,c", "not UTF-8"),
    ],
)
def test_damage_is_named_with_the_id_that_is_left(line, reason):
    broken, good = rows_of(line + b"\n8,x,y\n", 5, 3)
    assert isinstance(broken, BrokenRow)
    assert reason in broken.reason
    assert (broken.line, broken.classification_id) == (5, "7")
    assert good.cells == ["8", "x", "y"]


def test_a_byte_order_mark_and_blanks_in_the_header_are_forgiven(tmp_path):
    path = tmp_path / "e.csv"
    path.write_bytes(b'\xef\xbb\xbfa, b,"c"\r\n1,2,3\r\n')
    assert read_header(path).names == ("a", "b", "c")
    assert [row.cells for row in read_all(path)] == [["1", "2", "3"]]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"only one column\n", b"\x89PNG\r\n\x1a\n\xff\xfe"])
def test_what_is_no_table_is_refused(tmp_path, data):
    path = tmp_path / "e.csv"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"e\.csv"):
        read_header(path)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_header(tmp_path / "none.csv")


def written(path, table):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("a", "b", "c"), *table])
    return path


ONE_LINE = st.text(st.characters(exclude_characters="\r\n\x00", exclude_categories=["Cs"]))
SOME_LINES = st.text('x0 "\n', max_size=8)  # without commas a line of a cell is no row


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(ONE_LINE, ONE_LINE, ONE_LINE), max_size=20), st.integers(1, 60))
def test_blocks_of_any_size_give_what_was_written(tmp_path_factory, table, size):
    table = [("x" + one, two, three) for one, two, three in table]
    path = written(tmp_path_factory.mktemp("csv") / "e.csv", table)
    assert [tuple(row.cells) for row in read_all(path, size)] == table


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(SOME_LINES, SOME_LINES, SOME_LINES), max_size=20))
def test_cells_of_several_lines_come_through(tmp_path_factory, table):
    table = [("x" + one, two, three) for one, two, three in table]
    path = written(tmp_path_factory.mktemp("csv") / "e.csv", table)
    assert [tuple(row.cells) for row in read_all(path)] == table


def test_blocks_cover_the_file_once_and_count_its_lines(tmp_path):
    path = tmp_path / "e.csv"
    path.write_bytes(b"a,b\n" + b"".join(b"%d,x\n" % number for number in range(1000)))
    header = read_header(path)
    pieces = list(blocks(path, header, 333))
    assert len(pieces) > 10
    assert [one.start for one in pieces[1:]] == [one.stop for one in pieces[:-1]]
    assert (pieces[0].start, pieces[-1].stop) == (4, path.stat().st_size)
    rows = read_all(path, 333)
    assert [int(row.cells[0]) for row in rows] == list(range(1000))
    assert [row.line for row in rows] == list(range(2, 1002))


def test_a_row_of_several_lines_is_not_torn_by_a_block(tmp_path):
    path = tmp_path / "e.csv"
    row = b'7,"first\nsecond\nthird"\n'
    path.write_bytes(b"a,b\n" + row * 40)
    for size in range(len(row) * 2, len(row) * 5):
        found = read_all(path, size)
        assert [one.cells[0] for one in found if isinstance(one, Row)] == ["7"] * 40


def test_a_row_longer_than_any_block_is_read(tmp_path):
    path = tmp_path / "e.csv"
    long = "9" * 300_000  # also beyond the csv module's own limit on a cell
    path.write_text(f'a,b\n1,x\n2,"{long}"\n3,y\n', encoding="utf-8", newline="")
    found = read_all(path, 1000)
    assert [row.cells[0] for row in found] == ["1", "2", "3"]
    assert found[1].cells[1] == long
    assert csv.field_size_limit() == 131072


def test_a_cell_of_fifty_megabytes_is_rejected_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_ROW_BYTES", 5000)
    path = tmp_path / "e.csv"
    path.write_bytes(b'a,b\n1,x\n22,"' + b"9" * 50_000 + b'"\n3,y\n')
    first, huge, last = read_all(path, 1000)
    assert isinstance(huge, BrokenRow)
    assert "longer than" in huge.reason
    assert (huge.line, huge.classification_id) == (3, "22")
    assert (first.cells, last.cells, last.line) == (["1", "x"], ["3", "y"], 4)
