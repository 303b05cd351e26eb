"""The tables of a study: written whole, read with errors that name the row."""

import pytest

from crosspatch.errors import InputError
from crosspatch.evaluation.rows import COLUMNS
from crosspatch.studies.tables import RESULT_COLUMNS, read_table, write_table


def test_what_is_written_is_read(tmp_path):
    rows = [{"run": "a", "why": 'a comma, a "quote"\nand a line'}, {"run": "b", "why": ""}]
    write_table(tmp_path / "failed.csv", ("run", "why"), rows)
    assert read_table(tmp_path / "failed.csv", ("run", "why")) == rows


def test_a_table_that_is_not_there_has_no_rows(tmp_path):
    assert read_table(tmp_path / "none.csv", ("run",)) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("run,y\na,1\n", "its columns are not run, why"),
        ("run,why\na,1\nb\n", "row 3: has 1 cells, not 2"),
        ("", "its columns are not"),
    ],
)
def test_a_changed_table_is_refused(tmp_path, text, says):
    (tmp_path / "failed.csv").write_text(text)
    with pytest.raises(InputError, match=says):
        read_table(tmp_path / "failed.csv", ("run", "why"))


def test_results_hold_every_score_of_a_subject():
    assert list(RESULT_COLUMNS)[-len(COLUMNS) + 1 :] == [k for k in COLUMNS if k != "method"]
    assert "method" not in RESULT_COLUMNS
