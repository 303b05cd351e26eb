"""Another question than "where?": is there any in this crop? The same encoder, and one number.

What volunteers answer by a click instead of an outline. The paper asks in its conclusion whether a
source that has learned only this is as good a start as one that has learned to outline.
"""

import torch
from torch import Tensor, nn

from crosspatch.models.generator import encoder_blocks, initialise, pad_to_multiple


class PresenceNetwork(nn.Module):
    """The generator's encoder under the same names, the mean of its last features, a linear layer.

    Parameters
    ----------
    in_channels, width, depth : as of `crosspatch.models.generator.Generator`
    """

    def __init__(self, in_channels: int, width: int = 64, depth: int = 6) -> None:
        super().__init__()
        self.encoder, features = encoder_blocks(in_channels, width, depth)
        self.presence = nn.Linear(features[-1], 1)
        self.multiple = 2**depth
        self.apply(initialise)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits of "there is some": (B, C, H, W) standardised, any size -> (B,)."""
        x = pad_to_multiple(image, self.multiple)
        for block in self.encoder:
            x = block(x)
        logits: Tensor = self.presence(x.mean(dim=(2, 3)))[:, 0]
        return logits


def present(target: Tensor) -> tuple[Tensor, Tensor]:
    """Read the answers off masks.

    Parameters
    ----------
    target : (B, H, W) uint8; 0 background, 1 foreground, 255 ignored

    Returns
    -------
    answer (B,) float32, 1 where a pixel is foreground; known (B,) bool, false where every pixel is
    ignored
    """
    answer = (target == 1).flatten(1).any(dim=1).float()
    return answer, (target != 255).flatten(1).any(dim=1)


def presence_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of the answers, mean over the crops that have one; 0 without any.

    Parameters
    ----------
    logits : (B,) float; target : (B, H, W) uint8

    Returns
    -------
    () float32 tensor
    """
    answer, known = present(target)
    each = nn.functional.binary_cross_entropy_with_logits(logits.float(), answer, reduction="none")
    return torch.where(known, each, 0.0).sum() / known.sum().clamp(min=1)
