"""The discriminator is PatchGAN: 30 x 30 verdicts, each on 70 x 70 pixels, shown by gradients."""

import pytest
import torch

from crosspatch import Discriminator
from crosspatch.models.discriminator import beside


def seen_by(network: Discriminator, size: int, row: int, col: int) -> tuple[int, int, int, int]:
    """First and last row and column of the pixels that move one verdict."""
    pair = torch.randn(1, 2, size, size, requires_grad=True)
    network.eval()(pair)[0, 0, row, col].backward()
    rows, cols = torch.nonzero(pair.grad.abs().sum(dim=(0, 1)), as_tuple=True)
    return int(rows.min()), int(rows.max()), int(cols.min()), int(cols.max())


def test_256_pixels_get_30_x_30_verdicts():
    assert Discriminator(in_channels=5, width=4)(torch.zeros(2, 5, 256, 256)).shape == (
        2, 1, 30, 30,
    )  # fmt: skip


def test_each_verdict_sees_exactly_70_x_70_pixels():
    torch.manual_seed(0)
    network = Discriminator(in_channels=2, width=4)
    top, bottom, left, right = seen_by(network, 256, 15, 12)
    assert (bottom - top + 1, right - left + 1) == (70, 70)
    # Verdicts lie 8 pixels apart.
    next_top, *_ = seen_by(network, 256, 16, 12)
    assert next_top - top == 8


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_layers_set_the_patch(layers, field):
    torch.manual_seed(0)
    network = Discriminator(in_channels=2, width=2, layers=layers)
    verdicts = network(torch.zeros(1, 2, 320, 320)).shape[-1]
    top, bottom, *_ = seen_by(network, 320, verdicts // 2, verdicts // 2)
    assert bottom - top + 1 == field


def test_paper_width_has_2_8_million_weights():
    with torch.device("meta"):
        network = Discriminator(in_channels=4 + 1, width=64)
    assert sum(p.numel() for p in network.parameters()) == 2_767_681


def test_it_judges_the_mask_and_the_image():
    torch.manual_seed(0)
    network = Discriminator(in_channels=3 + 1, width=4).eval()
    image, mask = torch.randn(1, 3, 96, 96), torch.zeros(1, 1, 96, 96)
    base = network(beside(image, mask))
    assert base.shape[1] == 1
    assert not torch.allclose(base, network(beside(image, mask + 1)))
    assert not torch.allclose(base, network(beside(image + 1, mask)))
