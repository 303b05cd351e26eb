"""What rows come to: hand-worked means and pools, each over the subjects it has a meaning for."""

import math

import pytest

from crosspatch.evaluation.summary import SUMMARY, Estimate, summarise
from scored import ROWS, row


def test_each_score_is_taken_over_the_subjects_it_has_a_meaning_for():
    summary = summarise(ROWS)
    assert list(summary) == list(SUMMARY)
    iou = (30 / 60 + 5 / 20 + 90 / 100) / 3
    assert summary["iou"] == Estimate(pytest.approx(iou), None, None, subjects=3, groups=2)
    assert summary["pooled_iou"].value == pytest.approx(125 / (125 + 14 + 45))
    assert summary["pooled_iou"].subjects == 5
    assert summary["dice"].value == pytest.approx((60 / 90 + 10 / 25 + 180 / 190) / 3)
    # "e" is all foreground: no boundary to find. "c" and "d" have no foreground.
    assert summary["boundary_f"] == Estimate(pytest.approx(0.6), None, None, subjects=2, groups=1)
    tp, fp, fn, tn = 125, 14, 45, 316
    matthews = (tp * tn - fp * fn) / math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    assert summary["matthews"].value == pytest.approx(matthews)
    assert summary["false_positive_area"].value == pytest.approx((0.04 + 0.0) / 2)
    assert (summary["false_positive_area"].subjects, summary["false_positive_area"].groups) == (
        2,
        2,
    )
    assert summary["average_precision"].value == pytest.approx(0.8)
    assert summary["loss"].value == pytest.approx(1.3 / 5)


def test_five_groups_give_an_interval_around_the_value():
    rows = [
        row(str(i), f"g{i % 6}", 40 + 5 * (i % 6), 5, 10, 40, loss=0.1 * (i % 6)) for i in range(18)
    ]
    for name in ("iou", "pooled_iou", "dice", "matthews", "loss"):
        estimate = summarise(rows)[name]
        assert estimate.low < estimate.value < estimate.high
        assert estimate.groups == 6
    again = summarise(rows)["iou"]
    assert again == summarise(rows)["iou"]
    assert again != summarise(rows, seed=1)["iou"]


def test_scores_that_no_subject_has_are_nan_and_shown_as_a_dash():
    summary = summarise([ROWS[0]])
    assert math.isnan(summary["false_positive_area"].value)
    assert summary["false_positive_area"].subjects == 0
    assert str(summary["false_positive_area"]) == "-"
    assert all(math.isnan(estimate.value) for estimate in summarise([]).values())


def test_a_pool_of_nothing_has_no_score():
    summary = summarise([ROWS[3]])
    assert math.isnan(summary["pooled_iou"].value)
    assert math.isnan(summary["matthews"].value)


def test_estimates_are_written_with_their_interval():
    assert str(Estimate(0.81234, 0.7, 0.9, 10, 6)) == "0.812 [0.700, 0.900]"
    assert str(Estimate(0.81234, None, None, 10, 4)) == "0.812"
