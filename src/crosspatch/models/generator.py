"""The generator: the paper's U-Net from an image to the logits of its mask.

Mantha et al. 2022 (arXiv:2211.03937), section 3: six blocks down, six up, each a 4 x 4 convolution
of stride 2, Leaky ReLU and batch norm; skip connections between features of equal size; the inner
blocks drop half of their features while training. The paper gives no width; 64 is pix2pix's
(Isola et al. 2017), and so are the slope 0.2, the initialisation, and which blocks count as inner.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2
_WIDEST = 8  # features grow 1, 2, 4, 8, 8, ... times the width, as in pix2pix


class Down(nn.Module):
    """One block down: (B, C, H, W) -> (B, D, H / 2, W / 2)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=4, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Halve height and width."""
        halved: Tensor = self.norm(F.leaky_relu(self.conv(x), SLOPE, inplace=True))
        return halved


class Up(nn.Module):
    """One block up: (B, C, H, W) -> (B, D, 2H, 2W)."""

    def __init__(self, in_channels: int, out_channels: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(
            in_channels, out_channels, kernel_size=4, stride=2, padding=1
        )
        self.norm = nn.BatchNorm2d(out_channels)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """Double height and width."""
        x = self.norm(F.leaky_relu(self.conv(x), SLOPE, inplace=True))
        return F.dropout(x, self.dropout, self.training) if self.dropout else x


class Generator(nn.Module):
    """U-Net of ``depth`` blocks down and up; ``sigmoid`` of what it returns is the mask.

    Parameters
    ----------
    in_channels : int
        Bands of the image.
    width : int
        Features of the first block; later blocks have up to eight times as many.
    depth : int
        Blocks down, and up. 256 x 256 pixels at depth 6 become 4 x 4 at the bottleneck.
    classes : int
        Output channels.
    dropout : float
        Share of features dropped in the inner half of the up blocks while training, in [0, 1).
    """

    def __init__(
        self,
        in_channels: int,
        width: int = 64,
        depth: int = 6,
        classes: int = 1,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if min(in_channels, width, classes) < 1 or depth < 2:
            raise ValueError("in_channels, width and classes must be at least 1, depth at least 2")
        self.depth = depth
        self.encoder, features = encoder_blocks(in_channels, width, depth)
        # The deepest block up reads the bottleneck alone; every later one also reads a skip.
        self.decoder = nn.ModuleList(
            Up(
                features[level] * (1 if level == depth - 1 else 2),
                features[level - 1],
                dropout if level >= depth // 2 else 0.0,
            )
            for level in range(depth - 1, 0, -1)
        )
        self.head = nn.ConvTranspose2d(2 * features[0], classes, kernel_size=4, stride=2, padding=1)
        self.apply(initialise)

    @property
    def multiple(self) -> int:
        """Height and width are padded inside ``forward`` to a multiple of this."""
        return int(2**self.depth)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of the mask.

        Parameters
        ----------
        image : (B, in_channels, H, W) float tensor
            Standardised per channel; any height and width.

        Returns
        -------
        (B, classes, H, W) tensor of logits
        """
        height, width = image.shape[-2:]
        x = pad_to_multiple(image, self.multiple)
        skips = []
        for block in self.encoder:
            x = block(x)  # (B, C_level, H / 2^level, W / 2^level)
            skips.append(x)
        skips.pop()  # the bottleneck itself is no skip
        for block in self.decoder:
            x = join(block(x), skips.pop())  # (B, 2 C_level, ...)
        logits: Tensor = self.head(x)
        return logits[..., :height, :width]


def encoder_blocks(in_channels: int, width: int, depth: int) -> tuple[nn.ModuleList, list[int]]:
    """Make the blocks down, and say how many features leave each."""
    features = [width * min(2**level, _WIDEST) for level in range(depth)]
    inputs = [in_channels, *features[:-1]]
    blocks = [Down(before, after) for before, after in zip(inputs, features, strict=True)]
    return nn.ModuleList(blocks), features


def join(x: Tensor, skip: Tensor) -> Tensor:
    """Concatenate (B, C, H, W) and (B, D, H, W) to (B, C + D, H, W).

    The gradient that ``cat`` hands back is a view with gaps, on which batch norm's backward pass
    is up to thirty times slower on the CPU; so it is packed first.
    """
    if x.requires_grad:
        x.register_hook(_packed)  # type: ignore[no-untyped-call]  # torch gives it no types
    return torch.cat([x, skip], dim=1)


def _packed(gradient: Tensor) -> Tensor:
    channels_last = gradient.stride(1) == 1
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return gradient.contiguous(memory_format=layout)


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until both sides divide by ``multiple``; (B, C, H, W)."""
    bottom, right = -image.shape[-2] % multiple, -image.shape[-1] % multiple
    return F.pad(image, (0, right, 0, bottom), mode="replicate") if bottom or right else image


def initialise(module: nn.Module) -> None:
    """Give convolutions weights of N(0, 0.02) and no bias, as pix2pix does."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
