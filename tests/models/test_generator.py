"""The generator is the paper's: sizes, skips, padding, what training drops."""

import pytest
import torch

from crosspatch import Generator
from crosspatch.models.generator import join, pad_to_multiple


def test_paper_network_has_a_4_x_4_bottleneck_and_29_million_weights():
    with torch.device("meta"):
        network = Generator(in_channels=4, width=64)
        x = torch.empty(1, 4, 256, 256)
        for block in network.encoder:
            x = block.conv(x)
    assert x.shape == (1, 512, 4, 4)
    assert len(network.encoder) == 6
    assert len(network.decoder) + 1 == 6, "five blocks up and the head, which is the sixth"
    assert sum(p.numel() for p in network.parameters()) == 29_245_569


@pytest.mark.parametrize("height", [1, 17, 64, 100])
@pytest.mark.parametrize("width", [33, 64])
def test_any_height_and_width_comes_back_in_its_own_size(height, width):
    network = Generator(in_channels=2, width=4, classes=3).eval()
    assert network(torch.zeros(1, 2, height, width)).shape == (1, 3, height, width)


def test_padding_repeats_the_last_row_and_column_and_keeps_the_rest():
    image = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])  # (1, 1, 2, 3)
    padded = pad_to_multiple(image, 4)
    assert padded.shape == (1, 1, 4, 4)
    assert padded[0, 0].tolist() == [[1, 2, 3, 3], [4, 5, 6, 6], [4, 5, 6, 6], [4, 5, 6, 6]]
    assert pad_to_multiple(image, 1) is image


def test_a_skip_carries_detail_past_the_bottleneck():
    """A single pixel changes the output near it even when the bottleneck is cut."""
    torch.manual_seed(0)
    network = Generator(in_channels=1, width=4, depth=3).eval()
    network.encoder[2].norm.register_forward_hook(lambda *_: torch.zeros(1, 16, 8, 8))
    image = torch.zeros(1, 1, 64, 64)
    before = network(image)
    image[0, 0, 30, 30] = 5.0
    changed = (network(image) - before).abs()[0, 0]
    assert changed[26:34, 26:34].max() > 0
    assert changed[:8, :8].max() == 0


def test_inner_blocks_drop_features_in_training_and_never_in_evaluation():
    torch.manual_seed(0)
    network = Generator(in_channels=1, width=4)
    assert [block.dropout for block in network.decoder] == [0.5, 0.5, 0.5, 0.0, 0.0]
    image = torch.randn(2, 1, 64, 64)
    network.train()
    assert not torch.equal(network(image), network(image))
    network.eval()
    assert torch.equal(network(image), network(image))


def test_gradients_reach_every_weight():
    network = Generator(in_channels=2, width=4)
    network(torch.randn(2, 2, 64, 64)).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_bf16_agrees_with_float32_within_its_rounding():
    torch.manual_seed(0)
    network = Generator(in_channels=3, width=8).eval()
    image = torch.randn(2, 3, 64, 64)
    exact = torch.sigmoid(network(image))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = torch.sigmoid(network(image).float())
    assert (exact - rounded).abs().max() < 0.02


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_joining_hands_back_the_gradients_of_cat_without_gaps(layout):
    x, skip = (
        torch.randn(2, channels, 4, 6).to(memory_format=layout).requires_grad_()
        for channels in (3, 5)
    )
    weight = torch.randn(2, 8, 4, 6).to(memory_format=layout)
    arrived = []
    inner = x * 1.0
    joined = join(inner, skip)
    inner.register_hook(arrived.append)
    (joined * weight).sum().backward()
    torch.testing.assert_close(joined, torch.cat([x, skip], dim=1))
    torch.testing.assert_close(x.grad, weight[:, :3])
    torch.testing.assert_close(skip.grad, weight[:, 3:])
    assert arrived[0].is_contiguous(memory_format=layout)


@pytest.mark.parametrize("wrong", [{"in_channels": 0}, {"in_channels": 3, "depth": 1}])
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match="at least"):
        Generator(**wrong)
