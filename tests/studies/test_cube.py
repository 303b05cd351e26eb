"""The rows of a study become sums by group, and nothing is compared on other subjects."""

import math

import numpy as np
import polars as pl
import pytest

from crosspatch.errors import InputError
from crosspatch.evaluation.rows import SubjectScore
from crosspatch.evaluation.summary import summarise
from crosspatch.studies.crossed import resample
from crosspatch.studies.cube import METRICS, Cell, cube
from scored import ROWS
from studied import RISING, study

FULL = Cell("scratch", 1.0)


def frame_of(rows):
    """Rows of one run, as read from results.csv: nan is an empty cell."""
    table = {
        name: [None if (value := getattr(row, name)) != value else value for row in rows]
        for name in SubjectScore.__dataclass_fields__
    }
    return pl.DataFrame(table).with_columns(
        arm=pl.lit("scratch"), kind=pl.lit("scratch"), target=pl.lit("kelp"), labels=pl.lit(12),
        fraction=pl.lit(1.0), seed=pl.lit(0), fold=pl.lit(0), weights=pl.lit("averaged"),
    )  # fmt: skip


def test_every_score_is_that_of_evaluate():
    scores = resample(cube(frame_of(ROWS))).scores[0, 0]  # (metrics,)
    summary = summarise(ROWS)
    for name, score in zip(METRICS, scores, strict=True):
        assert score == pytest.approx(summary[name].value), name
    assert not np.isnan(scores).any()


def test_groups_subjects_and_labels_are_counted():
    scored = cube(frame_of(ROWS))
    assert scored.groups == ("north", "south", "west")
    assert (scored.subjects, scored.with_foreground) == (5, 3)
    assert scored.labels == {FULL: 12}


def test_folds_of_a_seed_are_put_together():
    rows = frame_of(ROWS)
    folds = rows.with_columns(fold=pl.when(pl.col("group") == "west").then(1).otherwise(0))
    assert np.array_equal(cube(folds).sums, cube(rows).sums)


def test_a_seed_with_a_fold_missing_is_left_out_and_listed():
    rows = study({"scratch": {1.0: 0.6}}, seeds=2)
    missing = rows.filter((pl.col("seed") == 0) | (pl.col("group") != "g00003"))
    scored = cube(missing)
    assert scored.present.tolist() == [[True, False]]
    assert scored.incomplete == ((FULL, 1, 33),)
    kept = cube(rows.filter(pl.col("seed") == 0))
    one = {FULL: 1.0}
    assert resample(scored).estimate("iou", one) == resample(kept).estimate("iou", one)


def test_a_fold_that_no_run_has_scored_is_missing_all_the_same():
    rows = study({"scratch": {1.0: 0.6}}, seeds=2)
    assert cube(rows, subjects=36).present.all()
    scored = cube(rows, subjects=54)
    assert scored.cells == ()
    assert [one[1:] for one in scored.incomplete] == [(0, 36), (1, 36)]


def test_labels_are_those_of_a_training_however_many_it_is_tested_on():
    rows = study({"scratch": {1.0: 0.6}}, seeds=1)
    first = pl.col("group") == "g00003"  # 3 subjects of 36
    folds = rows.with_columns(
        fold=pl.when(first).then(0).otherwise(1), labels=pl.when(first).then(90).otherwise(10)
    )
    assert cube(folds).labels == {FULL: 50}


def test_a_cell_without_a_whole_run_is_no_cell():
    rows = study({"scratch": {0.5: 0.5, 1.0: 0.6}}, seeds=1)
    scored = cube(rows.filter((pl.col("fraction") == 1.0) | (pl.col("group") != "g00003")))
    assert scored.cells == (FULL,)


def test_a_baseline_that_was_fitted_once_stands_for_every_seed():
    scored = cube(study({"scratch": {1.0: 0.6}}, seeds=3, baselines={"forest": 0.4}))
    assert scored.present.tolist() == [[True] * 3] * 2
    assert scored.sums[:, 1, 0].tolist() == scored.sums[:, 1, 2].tolist()
    assert scored.arms("baseline") == ["forest"]


def test_the_order_of_rows_does_not_matter():
    rows = study({"scratch": RISING, "photos": RISING}, seeds=2)
    shuffled = pl.concat([rows[:1], rows[1:].sample(fraction=1, shuffle=True, seed=3)])
    assert np.allclose(cube(shuffled).sums, cube(rows).sums)
    assert cube(shuffled).cells == cube(rows).cells


def test_a_subject_scored_twice_is_an_error():
    rows = frame_of(ROWS)
    with pytest.raises(InputError, match="twice for scratch at fraction 1, seed 0"):
        cube(pl.concat([rows, rows[:1]]))


def test_no_rows_is_an_error():
    with pytest.raises(InputError, match="no score yet"):
        cube(frame_of(ROWS).clear())


def test_a_score_without_meaning_is_nan():
    empty = [row for row in ROWS if row.subject in "cd"]
    scores = resample(cube(frame_of(empty))).scores[0, 0]
    assert math.isnan(scores[list(METRICS).index("iou")])
    assert scores[list(METRICS).index("false_positive_area")] == pytest.approx(0.02)
