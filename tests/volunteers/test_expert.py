"""Consensus against experts: the curve, the choice, and its held-out score."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crosspatch.errors import InputError
from crosspatch.metrics import Confusion, confusion
from crosspatch.volunteers.consensus import Votes
from crosspatch.volunteers.expert import (
    SubjectCurve,
    choose,
    compare_with_expert,
    mean_curve,
    score_table,
    subject_curve,
)


def curve_of(name, *confusions):
    return SubjectCurve(name, tuple(Confusion(*one) for one in confusions))


def test_curve_by_hand():
    votes = Votes(np.array([[0, 1, 2, 3], [3, 2, 0, 3]], np.uint16), 3)
    expert = np.array([[0, 0, 1, 1], [1, 0, 1, 255]], np.uint8)
    curve = subject_curve("s", votes, expert)
    assert curve.confusions == (
        Confusion(3, 2, 1, 1),
        Confusion(3, 1, 1, 2),
        Confusion(2, 0, 2, 3),
    )
    assert curve.scores("iou") == pytest.approx([3 / 6, 3 / 5, 2 / 4])
    assert curve.scores("dice") == pytest.approx([6 / 9, 6 / 8, 4 / 6])
    assert curve.scores("matthews")[2] == pytest.approx(6 / np.sqrt(2 * 4 * 3 * 5))


@given(
    arrays(np.uint16, (4, 5), elements=st.integers(0, 6)),
    arrays(np.uint8, (4, 5), elements=st.sampled_from([0, 1, 255])),
)
def test_curve_equals_thresholding_at_each_k(counts, expert):
    curve = subject_curve("s", Votes(counts, 6), expert)
    assert curve.voters == 6
    for k, one in enumerate(curve.confusions, start=1):
        assert one == confusion(counts >= k, expert)


def test_sizes_must_match():
    with pytest.raises(InputError, match=r"subject s: .*\(3, 2\).*\(2, 3\)"):
        subject_curve("s", Votes(np.zeros((2, 3), np.uint16), 4), np.zeros((3, 2), np.uint8))


def test_a_subject_with_too_few_voters_scores_nothing_at_k_and_is_counted():
    two = curve_of("a", (1, 1, 0, 8), (1, 0, 0, 9))
    one = curve_of("b", (2, 1, 1, 6))
    assert score_table([two, one], "iou").tolist() == [[0.5, 1.0], [0.5, 0.0]]
    points = mean_curve([two, one])
    assert [(point.k, point.iou, point.subjects) for point in points] == [(1, 0.5, 2), (2, 0.5, 1)]
    assert points[0].dice == pytest.approx((2 / 3 + 4 / 6) / 2)


def test_an_undefined_score_counts_as_nothing_won():
    nothing_marked = curve_of("a", (0, 0, 3, 7))
    assert nothing_marked.scores("matthews").tolist() == [0]


def test_choice_by_hand():
    """Column 1 is best on all; without subject 0 column 2 is, which serves subject 0 badly."""
    table = np.array(
        [
            [0.1, 0.9, 0.2],
            [0.3, 0.6, 0.7],
            [0.2, 0.5, 0.6],
        ]
    )
    choice = choose(table)
    assert choice.best == 1
    assert choice.in_sample == pytest.approx(2.0 / 3)
    assert choice.chosen == (2, 1, 1)
    assert choice.held_out == pytest.approx([0.2, 0.6, 0.5])
    assert choice.nested == pytest.approx(1.3 / 3)


def test_of_equal_settings_the_first_is_taken():
    assert choose(np.array([[0.5, 0.5], [0.4, 0.4]])).best == 0


@given(arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(1, 5)),
              elements=st.floats(0, 1)))  # fmt: skip
def test_held_out_is_never_better_than_choosing_with_hindsight(table):
    choice = choose(table)
    assert choice.nested <= table.max(axis=1).mean() + 1e-9
    assert choice.in_sample >= table.mean(axis=0).max() - 1e-9


def test_noise_flatters_the_chosen_threshold_and_not_the_held_out_score():
    """No threshold is better than another here; only the nested score says so."""
    random = np.random.default_rng(0)
    gains = [choose(random.normal(0.5, 0.1, (7, 15))) for _ in range(200)]
    assert np.mean([one.in_sample for one in gains]) > 0.55
    assert np.mean([one.nested for one in gains]) == pytest.approx(0.5, abs=0.01)


def test_one_subject_cannot_test_its_own_choice():
    with pytest.raises(InputError, match="1 subjects with an expert mask"):
        choose(np.ones((1, 4)))
    report = compare_with_expert([curve_of("a", (1, 1, 0, 8))])
    assert not report.choices
    assert report.mean[0].iou == 0.5


def test_report_orders_subjects_and_leaves_out_what_the_expert_calls_empty():
    good = [curve_of(name, (1, 1, 0, 8), (1, 0, 0, 9)) for name in "cb"]
    empty = curve_of("a", (0, 4, 0, 6), (0, 0, 0, 10))
    report = compare_with_expert([*good, empty])
    assert [one.subject for one in report.curves] == ["a", "b", "c"]
    assert report.empty == ("a",)
    assert report.mean[1].subjects == 2
    assert report.choices["iou"].best == 1
    assert report.choices["iou"].nested == 1
    with pytest.raises(InputError, match="no subject has both"):
        compare_with_expert([empty])
