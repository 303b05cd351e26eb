"""Metrics by hand-worked, lopsided numbers: no two of TP, FP, FN, TN are equal."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosspatch.metrics import (
    Confusion,
    average_precision,
    boundary_f_score,
    confusion,
    focal_tversky,
)

# 3 true positives, 2 false positives, 1 false negative, 4 true negatives, 2 ignored
PREDICTION = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 1, 0]], bool)
MASK = np.array([[1, 1, 1, 0], [0, 1, 0, 0], [0, 0, 255, 255]], np.uint8)


def test_counts_leave_out_ignored_pixels():
    assert confusion(PREDICTION, MASK) == Confusion(tp=3, fp=2, fn=1, tn=4)
    assert confusion(PREDICTION, MASK).counted == 10


def test_prediction_of_0_and_1_counts_like_booleans():
    assert confusion(PREDICTION.astype(np.uint8), MASK) == Confusion(3, 2, 1, 4)


def test_scores_of_hand_worked_counts():
    counts = Confusion(tp=3, fp=2, fn=1, tn=4)
    assert counts.iou == 3 / 6
    assert counts.dice == 6 / 9
    assert counts.matthews == pytest.approx((3 * 4 - 2 * 1) / math.sqrt(5 * 4 * 6 * 5))


def test_counts_pool_by_addition():
    assert Confusion(1, 20, 300, 4000) + Confusion(5, 60, 700, 8000) == Confusion(
        6, 80, 1000, 12000
    )
    assert sum([Confusion(1, 2, 3, 4)] * 3, Confusion(0, 0, 0, 0)).iou == 3 / 18


def test_large_counts_do_not_overflow():
    assert Confusion(10**9, 10**9, 10**9, 10**9).matthews == 0
    assert Confusion(3 * 10**9, 0, 0, 10**9).matthews == 1


def test_a_perfectly_wrong_prediction_has_matthews_minus_one():
    assert Confusion(tp=0, fp=3, fn=5, tn=0).matthews == -1


@pytest.mark.parametrize(
    ("counts", "iou", "matthews", "area"),
    [
        (Confusion(0, 0, 0, 9), math.nan, math.nan, 0.0),  # nothing there, nothing claimed
        (Confusion(0, 3, 0, 9), 0.0, math.nan, 0.25),  # nothing there, something claimed
        (Confusion(0, 0, 3, 9), 0.0, math.nan, math.nan),  # missed all
        (Confusion(7, 0, 0, 0), 1.0, math.nan, math.nan),  # full and found
        (Confusion(0, 0, 0, 0), math.nan, math.nan, math.nan),  # all ignored
    ],
)
def test_scores_without_meaning_are_nan(counts, iou, matthews, area):
    assert counts.iou == pytest.approx(iou, nan_ok=True)
    assert counts.dice == pytest.approx(iou, nan_ok=True)
    assert counts.matthews == pytest.approx(matthews, nan_ok=True)
    assert counts.false_positive_area == pytest.approx(area, nan_ok=True)


METRICS = [confusion, boundary_f_score, average_precision, focal_tversky]


@pytest.mark.parametrize("metric", METRICS)
def test_other_mask_values_and_shapes_are_refused(metric):
    with pytest.raises(ValueError, match="0, 1 and 255 only"):
        metric(np.ones((2, 2)), np.array([[0, 2], [1, 255]], np.uint8))
    with pytest.raises(ValueError, match="differ in shape"):
        metric(np.ones((2, 3)), np.ones((3, 2), np.uint8))


@pytest.mark.parametrize("metric", METRICS)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_what_is_predicted_on_ignored_pixels_changes_nothing(metric, seed):
    chance = np.random.default_rng(seed)
    mask = chance.choice(np.array([0, 1, 255], np.uint8), (9, 11))
    one, other = chance.random((2, 9, 11))
    other[mask != 255] = one[mask != 255]
    if metric in (confusion, boundary_f_score):
        one, other = one > 0.5, other > 0.5
    assert metric(one, mask) == pytest.approx(metric(other, mask), nan_ok=True)


# --- Boundary ------------------------------------------------------------------------------------


def square(top, left, height, width, size=40):
    mask = np.zeros((size, size), np.uint8)
    mask[top : top + height, left : left + width] = 1
    return mask


def test_boundaries_by_hand():
    mask = square(10, 10, 12, 12)  # 44 boundary pixels
    shifted = square(10, 13, 12, 12) == 1
    # Three columns to the right, so recall equals precision. Of the drawn top and bottom rows all
    # but column 10 lie within 2 of their like: 11 of 12. The left side (10 pixels between the
    # rows) is 3 away from everything; the right side too, but for the two pixels at either end,
    # which are near the predicted rows.
    near = 2 * 11 + 4
    assert boundary_f_score(shifted, mask) == pytest.approx(near / 44)
    assert boundary_f_score(shifted, mask, tolerance=3.0) == 1.0


def test_precision_and_recall_are_told_apart():
    mask = square(5, 5, 6, 6)  # 20 boundary pixels
    claimed = (mask | square(20, 20, 10, 3)) == 1  # all of it and 22 boundary pixels elsewhere
    precision, recall = 20 / 42, 1.0
    assert boundary_f_score(claimed, mask) == pytest.approx(
        2 * precision * recall / (precision + recall)
    )


@pytest.mark.parametrize(("shift", "expected"), [(0, 1.0), (2, 1.0), (8, 0.0)])
def test_the_tolerance_is_two_pixels_inclusive(shift, expected):
    left = np.zeros((20, 20), np.uint8)
    left[:, :5] = 1  # one straight boundary; the picture's border is none
    claimed = np.roll(left, shift, axis=1)
    claimed[:, :shift] = 1
    assert boundary_f_score(claimed == 1, left) == expected


def test_a_diagonal_distance_is_euclidean():
    mask, claimed = np.zeros((2, 9, 9), np.uint8)
    mask[2, 2] = claimed[4, 3] = 1  # sqrt(5) apart
    assert boundary_f_score(claimed == 1, mask, tolerance=2.2) == 0
    assert boundary_f_score(claimed == 1, mask, tolerance=2.3) == 1


def test_an_edge_of_ignored_pixels_is_no_boundary():
    mask = np.ones((8, 8), np.uint8)
    mask[:, 4:] = 255
    assert math.isnan(boundary_f_score(np.ones((8, 8), bool), mask))


def test_one_without_a_boundary_scores_0_and_both_without_nan():
    empty, some = np.zeros((9, 9), np.uint8), square(3, 3, 3, 3, size=9)
    assert boundary_f_score(empty == 1, some) == 0
    assert boundary_f_score(some == 1, empty) == 0
    assert math.isnan(boundary_f_score(empty == 1, empty))


# --- Average precision ---------------------------------------------------------------------------


def test_average_precision_by_hand():
    scores = np.array([[0.9, 0.8, 0.8, 0.3, 0.2, 0.95]])
    mask = np.array([[1, 0, 1, 0, 1, 255]], np.uint8)
    # At 0.9: 1 of 1, recall 1/3. At 0.8 together: 2 of 3, recall 2/3. At 0.2: 3 of 5, recall 1.
    assert average_precision(scores, mask) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


@given(seed=st.integers(0, 10_000), levels=st.sampled_from([2, 5, 1000]))
@settings(max_examples=60, deadline=None)
def test_average_precision_equals_scikit_learns(seed, levels):
    sklearn = pytest.importorskip("sklearn.metrics")
    chance = np.random.default_rng(seed)
    mask = chance.choice(np.array([0, 0, 1, 255], np.uint8), (8, 9))
    mask[0, 0] = 1
    scores = chance.integers(0, levels, (8, 9)) / levels  # with ties
    valid = mask != 255
    expected = sklearn.average_precision_score(mask[valid], scores[valid])
    assert average_precision(scores, mask) == pytest.approx(expected)


def test_average_precision_without_foreground_or_with_nan_has_no_meaning():
    assert math.isnan(average_precision(np.ones((2, 2)), np.zeros((2, 2), np.uint8)))
    assert math.isnan(average_precision(np.full((1, 2), np.nan), np.array([[0, 1]], np.uint8)))


# --- Focal Tversky -------------------------------------------------------------------------------

PROBABILITY = np.array([[0.9, 0.6, 0.2, 0.5]], np.float32)


def test_focal_tversky_by_hand():
    mask = np.array([[1, 1, 0, 255]], np.uint8)
    # TP 0.9 + 0.6 = 1.5, FN 0.1 + 0.4 = 0.5, FP 0.2
    index = 1.5 / (1.5 + 0.7 * 0.5 + 0.3 * 0.2)
    assert focal_tversky(PROBABILITY, mask) == pytest.approx((1 - index) ** 0.75, rel=1e-6)
    index = 1.5 / (1.5 + 0.2 * 0.5 + 0.9 * 0.2)
    other = focal_tversky(PROBABILITY, mask, fn_weight=0.2, fp_weight=0.9, gamma=2.0)
    assert other == pytest.approx((1 - index) ** 2, rel=1e-6)


def test_focal_tversky_of_an_empty_mask_grows_with_what_is_claimed():
    empty = np.array([[0, 0, 0, 255]], np.uint8)
    smoothing = 0.03  # a hundredth of three counted pixels
    index = smoothing / (smoothing + 0.3 * 1.7)
    assert focal_tversky(PROBABILITY, empty) == pytest.approx((1 - index) ** 0.75, rel=1e-6)
    assert focal_tversky(PROBABILITY * 0, empty) == 0
    assert focal_tversky(PROBABILITY * 0.5, empty) < focal_tversky(PROBABILITY, empty)


def test_focal_tversky_of_perfect_and_of_ignored():
    mask = np.array([[1, 1, 0, 255]], np.uint8)
    assert focal_tversky((mask == 1).astype(np.float32), mask) == 0
    assert math.isnan(focal_tversky(PROBABILITY, np.full((1, 4), 255, np.uint8)))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_focal_tversky_is_the_twin_of_the_training_loss(share):
    torch = pytest.importorskip("torch")
    from crosspatch.models.losses import focal_tversky_loss

    chance = np.random.default_rng(4)
    mask = (chance.random((31, 37)) < share).astype(np.uint8)
    mask[chance.random((31, 37)) < 0.2] = 255
    probability = chance.random((31, 37)).astype(np.float32)
    for weights in ((0.7, 0.3, 0.75), (0.1, 0.8, 1.5)):
        loss = focal_tversky_loss(
            torch.from_numpy(probability)[None], torch.from_numpy(mask)[None], *weights
        )
        assert focal_tversky(probability, mask, *weights) == pytest.approx(loss.item(), rel=1e-4)


def test_a_megapixel_is_scored_within_seconds():
    chance = np.random.default_rng(0)
    mask = np.kron(chance.integers(0, 2, (32, 32)), np.ones((32, 32))).astype(np.uint8)
    probability = chance.random(mask.shape).astype(np.float32)
    start = time.perf_counter()
    for metric in METRICS:
        metric(probability > 0.5 if metric in METRICS[:2] else probability, mask)
    assert time.perf_counter() - start < 5
