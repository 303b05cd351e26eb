"""Measures of a subject, by hand-worked numbers."""

import math

import numpy as np
import pytest

from crosspatch.feedback.measures import confidence, disagreement, iou_or_right

NAN = np.nan


def p(*values):
    return np.array([values], dtype=np.float32)


def test_confidence_is_the_dice_that_the_probabilities_promise():
    # mask: the first two; 2 (0.9 + 0.6) / (0.9 + 0.6 + 0.2 + 0.1 + 2)
    assert confidence(p(0.9, 0.6, 0.2, 0.1)) == pytest.approx(3 / 3.8, abs=1e-6)
    # a higher threshold: 2 x 0.9 / (1.8 + 1)
    assert confidence(p(0.9, 0.6, 0.2, 0.1), 0.7) == pytest.approx(1.8 / 2.8, abs=1e-6)
    assert confidence(p(1, 1, 0, NAN)) == 1


def test_an_empty_mask_is_as_sure_as_its_likeliest_pixel_lets_it():
    assert confidence(p(0.4, 0.1, NAN)) == pytest.approx(0.6)
    assert confidence(p(0, 0)) == 1
    assert math.isnan(confidence(p(NAN, NAN)))


def test_disagreement_with_a_mask_is_one_minus_iou():
    claimed = np.array([[1, 1, 0, 0, 1]], dtype=bool)
    mask = np.array([[1, 0, 1, 0, 255]], dtype=np.uint8)
    assert disagreement(claimed, mask) == pytest.approx(2 / 3)
    assert iou_or_right(claimed, mask) == pytest.approx(1 / 3)


def test_disagreement_with_votes_is_the_share_of_volunteers_contradicted():
    claimed = np.array([[1, 1, 0, 0]], dtype=bool)
    mask = np.array([[1, 0, 1, 0]], dtype=np.uint8)
    votes = np.array([[0.75, 0.25, 1.0, 0.25]], dtype=np.float32)
    # contradicted: 0.25 there, 0.75 there, all there; the stray vote of the last counts nowhere
    assert disagreement(claimed, mask, votes) == pytest.approx((0.25 + 0.75 + 1) / 3)


def test_agreeing_that_nothing_is_there_is_right():
    nothing = np.zeros((2, 2), dtype=bool)
    mask = np.zeros((2, 2), dtype=np.uint8)
    assert disagreement(nothing, mask, np.full((2, 2), 0.1, np.float32)) == 0
    assert iou_or_right(nothing, mask) == 1
    assert iou_or_right(~nothing, mask) == 0
    assert math.isnan(disagreement(nothing, np.full((2, 2), 255, np.uint8)))
