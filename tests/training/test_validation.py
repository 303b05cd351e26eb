"""Scores of crops while training: by hand, and on a device that has no float64."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from crosspatch.training.validation import score


class OnApple(torch.Tensor):
    """Stands for a tensor on Apple's GPU: all that is made of it is there, and none is float64."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        made = super().__torch_function__(func, types, args, kwargs or {})
        if func is torch.Tensor.cpu:
            return made.as_subclass(torch.Tensor)
        if isinstance(made, OnApple) and made.dtype == torch.float64:
            raise TypeError("the MPS framework doesn't support float64")
        return made


class Brightness(nn.Module):
    """Says foreground where the first channel is above 0."""

    def forward(self, image):
        return image[:, :1]


IMAGES = torch.tensor(
    [[[[9.0, 9.0], [-9.0, -9.0]]], [[[9.0, 9.0], [9.0, 9.0]]], [[[-9.0, 9.0], [9.0, -9.0]]]]
)
TARGETS = torch.tensor([[[1, 0], [1, 1]], [[255, 255], [255, 255]], [[0, 1], [255, 0]]]).byte()


def batches(device):
    """Three crops of 2 x 2, of which nobody knows the second."""
    return SimpleNamespace(
        load=lambda rows, _: (IMAGES[rows].as_subclass(device), TARGETS[rows].as_subclass(device))
    )


@pytest.mark.parametrize("device", [torch.Tensor, OnApple])
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_scores_of_crops_are_those_worked_out_by_hand_on_every_device(device, batch):
    """Drawn: 2 and 1; true: 3 and 1; both: 1 and 1, in the crops that count."""
    said = score(Brightness(), batches(device), range(3), batch=batch, precision="fp32")
    assert said["iou"] == 2 / 5
    assert said["dice"] == 4 / 7
    # 1 - TI is (0.7 * 2 + 0.3 * 1) / (1 + 1.7) in the first and nothing in the third.
    assert said["loss"] == pytest.approx((1.7 / 2.7) ** 0.75 / 2, abs=1e-3)
