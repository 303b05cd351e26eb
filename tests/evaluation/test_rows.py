"""A subject's row, worked by hand."""

import math

import numpy as np
import pytest

from crosspatch.evaluation.rows import COLUMNS, SubjectScore, score_subject

# tp 3, fp 1, fn 2, tn 5 and one ignored pixel.
MASK = np.array([[1, 1, 1, 1, 1, 255], [0, 0, 0, 0, 0, 0]], dtype=np.uint8)
PROBABILITY = np.array(
    [[0.9, 0.8, 0.5, 0.4, 0.2, 0.99], [0.7, 0.1, 0.1, 0.1, 0.1, 0.3]], dtype=np.float32
)


def test_counts_and_ratios():
    row = score_subject("a", "scene", PROBABILITY, MASK)
    assert (row.subject, row.group, row.height, row.width) == ("a", "scene", 2, 6)
    assert (row.tp, row.fp, row.fn, row.tn, row.counted) == (3, 1, 2, 5, 11)
    assert row.foreground == pytest.approx(5 / 11)
    assert row.iou == pytest.approx(3 / 6)
    assert row.dice == pytest.approx(6 / 9)
    assert row.matthews == pytest.approx((3 * 5 - 1 * 2) / math.sqrt(4 * 5 * 6 * 7))
    # Ranks: 0.9+ 0.8+ 0.7- 0.5+ 0.4+ 0.3- 0.2+: precisions 1/1 2/2 3/4 4/5 5/7 at each recall step.
    assert row.average_precision == pytest.approx((1 + 1 + 3 / 4 + 4 / 5 + 5 / 7) / 5)
    tp, fp, fn = 0.9 + 0.8 + 0.5 + 0.4 + 0.2, 0.7 + 4 * 0.1 + 0.3, 0.1 + 0.2 + 0.5 + 0.6 + 0.8
    index = tp / (tp + 0.7 * fn + 0.3 * fp)
    assert row.loss == pytest.approx((1 - index) ** 0.75, rel=1e-5)
    assert math.isnan(row.false_positive_area)


def test_the_threshold_is_the_methods_own():
    row = score_subject("a", "scene", PROBABILITY, MASK, threshold=0.75)
    assert (row.tp, row.fp, row.fn, row.tn) == (2, 0, 3, 6)


def test_a_subject_without_foreground_is_scored_by_what_is_wrongly_claimed():
    mask = np.where(MASK == 1, 0, MASK).astype(np.uint8)
    row = score_subject("a", "scene", PROBABILITY, mask)
    assert row.false_positive_area == pytest.approx(4 / 11)
    assert row.iou == 0
    assert math.isnan(row.average_precision)


def test_where_the_model_says_nothing_it_claims_nothing():
    probability = PROBABILITY.copy()
    probability[0, :2] = np.nan
    row = score_subject("a", "scene", probability, MASK)
    assert (row.tp, row.fn) == (1, 4)
    assert 0 < row.average_precision < 1


def test_every_column_is_documented():
    assert list(COLUMNS) == ["method", *SubjectScore.__dataclass_fields__]
