"""The discriminator: PatchGAN, which judges every 70 x 70 patch of an image and its mask.

Isola et al. 2017, "Image-to-image translation with conditional adversarial networks", appendix
6.1.2: C64-C128-C256-C512 and a last convolution to one value, 4 x 4 kernels, no batch norm in the
first block, slope 0.2. For 256 x 256 pixels it gives 30 x 30 verdicts.
"""

import torch
from torch import Tensor, nn

from crosspatch.models.generator import SLOPE, initialise


class Discriminator(nn.Module):
    """A short stack of convolutions: each verdict knows nothing beyond its own patch.

    Parameters
    ----------
    in_channels : int
        Bands of the image plus channels of the mask.
    width : int
        Features of the first block.
    layers : int
        Blocks of stride 2. Each unit of the output sees 70 x 70 pixels when there are 3,
        16 x 16 when there is 1, 34 x 34 when there are 2.
    """

    def __init__(self, in_channels: int, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        if min(in_channels, width, layers) < 1:
            raise ValueError("in_channels, width and layers must be at least 1")
        features = [width * min(2**level, 8) for level in range(layers + 1)]
        blocks: list[nn.Module] = [
            nn.Conv2d(in_channels, features[0], kernel_size=4, stride=2, padding=1),
            nn.LeakyReLU(SLOPE, inplace=True),
        ]
        for level in range(1, layers + 1):
            stride = 2 if level < layers else 1
            blocks += [
                nn.Conv2d(features[level - 1], features[level], 4, stride, padding=1, bias=False),
                nn.BatchNorm2d(features[level]),
                nn.LeakyReLU(SLOPE, inplace=True),
            ]
        blocks.append(nn.Conv2d(features[-1], 1, kernel_size=4, stride=1, padding=1))
        self.blocks = nn.Sequential(*blocks)
        self.apply(initialise)

    def forward(self, pair: Tensor) -> Tensor:
        """Verdicts on patches.

        Parameters
        ----------
        pair : (B, in_channels, H, W) float tensor
            The image and, behind it, a mask in [0, 1]: ``beside(image, mask)``.

        Returns
        -------
        (B, 1, h, w) tensor of logits; positive means "a person drew this mask".
        """
        verdicts: Tensor = self.blocks(pair)
        return verdicts


def verdict_side(size: int, layers: int = 3) -> int:
    """Count the verdicts along a side of ``size`` pixels; below 1 there is none to give.

    ``layers`` convolutions halve the side, two of stride 1 take one unit each.
    """
    return (size >> layers) - 2


def beside(image: Tensor, mask: Tensor) -> Tensor:
    """Concatenate image (B, C, H, W) and mask (B, K, H, W) for the discriminator."""
    return torch.cat([image, mask.to(image.dtype)], dim=1)  # (B, C + K, H, W)
