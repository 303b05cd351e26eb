"""A model that needs no training: facts, and networks whose answer is known."""

from pathlib import Path

import pytest
import torch
from torch import nn

from crosspatch.config import NetworkSettings
from crosspatch.crops.recipes import Resize
from crosspatch.models.facts import ModelFacts
from crosspatch.models.storage import Model


class Bands(nn.Module):
    """Logit = first channel - second channel, pixel by pixel."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, image):
        return image[:, :1] - image[:, 1:2]


@pytest.fixture
def bands():
    return Bands().eval()


@pytest.fixture
def make_model():
    def make(**facts):
        defaults = {
            "network": NetworkSettings(width=4, depth=2),
            "channel_names": ("red", "nir"),
            "mean": (10.0, 20.0),
            "std": (2.0, 5.0),
            "dtype": "uint8",
            "resize": Resize(),
            "crop_size": 32,
            "foreground": ("kelp",),
        }
        return Model(Path("nowhere"), ModelFacts(**defaults | facts))

    return make
