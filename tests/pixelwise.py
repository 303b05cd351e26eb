"""A model folder that needs no training: a pixel's logit is its first channel above a cut."""

from pathlib import Path

import torch

from crosspatch.config import NetworkSettings
from crosspatch.crops.recipes import Resize
from crosspatch.models.facts import ModelFacts
from crosspatch.models.storage import Model, build_generator, save_model


def save_pixelwise_model(path: Path, channels=("red", "green", "blue"), **facts) -> Model:
    """Save a model that calls a pixel foreground where its first channel is above its mean.

    The network is the real one with its weights set by hand: the 2 x 2 pixels that a block of
    stride 2 sees pass unmixed through the skip connection of the first level.
    """
    defaults = {
        "network": NetworkSettings(width=4, depth=2, discriminator_width=1),
        "channel_names": tuple(channels),
        "mean": (100.0,) * len(channels),
        "std": (10.0,) * len(channels),
        "dtype": "uint8",
        "resize": Resize(),
        "crop_size": 64,
        "foreground": ("kelp",),
    }
    made = ModelFacts(**defaults | facts)
    generator = build_generator(made.network, len(channels))
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.zero_()
        for block in (*generator.encoder, *generator.decoder):
            block.norm.weight.fill_(1.0)
        for feature in range(4):
            row, col = divmod(feature, 2)
            # Pixel (row, col) of a 2 x 2 cell is (row + 1, col + 1) in the padded 4 x 4 kernel.
            generator.encoder[0].conv.weight[feature, 0, row + 1, col + 1] = 1.0
            # The skip follows the decoder's own 4 features; leaky below zero, so scaled up again.
            generator.head.weight[4 + feature, 0, row + 1, col + 1] = 1.0
    save_model(path, made, generator, None)
    return Model.open(path)
