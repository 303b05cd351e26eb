"""Focal Tversky by hand-worked numbers, with unequal weights, empty masks and ignored pixels."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor

from crosspatch import focal_tversky_loss
from crosspatch.models.losses import verdict_loss


def test_hand_worked_number_weighs_misses_more_than_false_alarms():
    # TP = 0.8 + 0.4 = 1.2, FN = 0.2 + 0.6 = 0.8, FP = 0.1 + 0.3 = 0.4
    # TI = 1.2 / (1.2 + 0.7 * 0.8 + 0.3 * 0.4) = 1.2 / 1.88; (1 - 0.638298)^0.75 = 0.466405
    probability = tensor([[[0.8, 0.4], [0.1, 0.3]]])
    target = tensor([[[1, 1], [0, 0]]])
    assert focal_tversky_loss(probability, target).item() == pytest.approx(0.466405, abs=1e-5)


def test_swapping_the_weights_changes_the_number():
    # TI = 1.2 / (1.2 + 0.3 * 0.8 + 0.7 * 0.4) = 1.2 / 1.72; 1 - TI = 0.302326
    probability = tensor([[[0.8, 0.4], [0.1, 0.3]]])
    target = tensor([[[1, 1], [0, 0]]])
    swapped = focal_tversky_loss(probability, target, fn_weight=0.3, fp_weight=0.7, gamma=1.0)
    assert swapped.item() == pytest.approx(0.302326, abs=1e-5)


def test_one_index_a_sample_then_the_power_then_the_mean():
    # First sample: TP 1, FN 1, FP 0: 1 - TI = 0.7 / 1.7 = 0.411765, ^0.75 = 0.514030
    # Second: TP 1, FN 0, FP 1: 1 - TI = 0.3 / 1.3 = 0.230769, ^0.75 = 0.332952
    probability = tensor([[[1.0, 0.0]], [[1.0, 1.0]]])
    target = tensor([[[1, 1]], [[1, 0]]])
    loss = focal_tversky_loss(probability, target).item()
    assert loss == pytest.approx((0.514030 + 0.332952) / 2, abs=1e-5)


def test_ignored_pixels_count_nowhere():
    with_ignored = focal_tversky_loss(
        tensor([[[0.8, 0.4, 0.9], [0.1, 0.3, 0.2]]]), tensor([[[1, 1, 255], [0, 0, 255]]])
    )
    without = focal_tversky_loss(tensor([[[0.8, 0.4], [0.1, 0.3]]]), tensor([[[1, 1], [0, 0]]]))
    assert with_ignored.item() == pytest.approx(without.item(), abs=1e-7)
    probability = torch.full((1, 1, 4, 4), 0.5, requires_grad=True)
    target = torch.full((1, 4, 4), 255)
    target[0, 0, 0] = 1
    focal_tversky_loss(probability, target).backward()
    assert torch.count_nonzero(probability.grad) == 1


@given(st.floats(0.0, 1.0), st.integers(1, 40))
def test_an_empty_mask_pushes_every_false_positive_down(start, side):
    probability = torch.full((1, side, side), start, requires_grad=True)
    loss = focal_tversky_loss(probability, torch.zeros(1, side, side))
    loss.backward()
    assert math.isfinite(loss.item())
    assert torch.isfinite(probability.grad).all()
    assert (probability.grad > 0).all()


def test_an_empty_mask_is_learned_from_a_confident_start():
    logits = torch.full((1, 1, 32, 32), 4.0, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.2)
    for _ in range(100):
        optimizer.zero_grad()
        focal_tversky_loss(torch.sigmoid(logits), torch.zeros(1, 32, 32)).backward()
        optimizer.step()
    assert torch.sigmoid(logits).max() < 0.05


def test_a_perfect_prediction_has_a_finite_slope_and_no_loss():
    target = tensor([[[1.0, 0.0], [0.0, 1.0]]])
    probability = target.clone().requires_grad_(True)
    loss = focal_tversky_loss(probability, target)
    loss.backward()
    assert loss.item() < 1e-4
    assert torch.isfinite(probability.grad).all()


def test_computed_in_float32_whatever_comes_in():
    probability = tensor([[[0.75, 0.5], [0.25, 0.5]]], dtype=torch.bfloat16)
    target = tensor([[[1, 1], [0, 0]]], dtype=torch.uint8)
    loss = focal_tversky_loss(probability, target)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(focal_tversky_loss(probability.float(), target).item())


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="differ"):
        focal_tversky_loss(torch.zeros(1, 1, 4, 4), torch.zeros(1, 4, 5))


def test_verdict_loss_is_binary_cross_entropy():
    # p = sigmoid(ln 3) = 0.75: -ln 0.75 = 0.287682 as real, -ln 0.25 = 1.386294 as fake
    verdicts = torch.full((1, 1, 2, 2), math.log(3.0))
    assert verdict_loss(verdicts, real=True).item() == pytest.approx(0.287682, abs=1e-6)
    assert verdict_loss(verdicts, real=False).item() == pytest.approx(1.386294, abs=1e-6)
