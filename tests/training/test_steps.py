"""Both steps equal the textbook's: separate graphs, every gradient computed the long way."""

import copy

import pytest
import torch
from torch.nn import functional as F

from crosspatch import Discriminator, Generator, focal_tversky_loss
from crosspatch.config import LossSettings
from crosspatch.models.discriminator import beside
from crosspatch.training.steps import (
    descend,
    discriminator_gradients,
    generator_gradients,
    judge,
    presence_gradients,
)


@pytest.fixture
def parts():
    torch.manual_seed(3)
    generator = Generator(2, width=4, depth=3, dropout=0.0).double()
    discriminator = Discriminator(3, width=4).double()
    image = torch.randn(2, 2, 64, 64, dtype=torch.float64)
    target = (torch.rand(2, 64, 64) > 0.6).to(torch.uint8)
    return generator, discriminator, image, target


def sgd(network):
    return torch.optim.SGD(network.parameters(), lr=1e-3)


def textbook(generator, discriminator, image, target, loss):
    """The authors' order: two looks at the fake, detached for the discriminator."""
    g_optimizer, d_optimizer = sgd(generator), sgd(discriminator)
    fake = torch.sigmoid(generator(image).float())
    verdict = discriminator(beside(image, fake)).float()
    g_loss = loss.tversky_weight * focal_tversky_loss(fake, target)
    g_loss = g_loss + loss.adversarial_weight * F.binary_cross_entropy_with_logits(
        verdict, torch.ones_like(verdict)
    )
    g_optimizer.zero_grad()
    g_loss.backward()
    on_fake = discriminator(beside(image, fake.detach())).float()
    on_real = discriminator(beside(image, (target == 1).unsqueeze(1))).float()
    d_loss = (
        F.binary_cross_entropy_with_logits(on_fake, torch.zeros_like(on_fake))
        + F.binary_cross_entropy_with_logits(on_real, torch.ones_like(on_real))
    ) / 2
    g_optimizer.step()
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()


def test_one_look_at_the_mask_gives_the_textbooks_updates(parts):
    generator, discriminator, image, target = parts
    loss = LossSettings(adversarial_weight=3.0)
    slow_generator, slow_discriminator = copy.deepcopy(generator), copy.deepcopy(discriminator)
    textbook(slow_generator, slow_discriminator, image, target, loss)
    judged = judge(generator, discriminator, image, target)
    generator_gradients(judged, generator, loss)
    descend(generator, sgd(generator))
    discriminator_gradients(judged, discriminator)
    descend(discriminator, sgd(discriminator))
    for mine, theirs in ((generator, slow_generator), (discriminator, slow_discriminator)):
        for name, value in mine.named_parameters():
            assert torch.allclose(value, theirs.get_parameter(name), rtol=1e-4, atol=1e-7), name


def test_each_step_changes_its_own_network_only(parts):
    generator, discriminator, image, target = parts
    before = copy.deepcopy(discriminator.state_dict())
    judged = judge(generator, discriminator, image, target)
    generator_gradients(judged, generator, LossSettings())
    descend(generator, sgd(generator))
    assert all(p.grad is None for p in discriminator.parameters())
    for name, value in discriminator.named_parameters():
        assert torch.equal(value, before[name])
    weights = copy.deepcopy(dict(generator.named_parameters()))
    discriminator_gradients(judged, discriminator)
    descend(discriminator, sgd(discriminator))
    for name, value in generator.named_parameters():
        assert torch.equal(value, weights[name])
    assert not torch.equal(discriminator.blocks[0].weight, before["blocks.0.weight"])


def test_ignored_pixels_teach_neither_network(parts):
    """What is drawn where nobody knows the truth changes no loss and no verdict."""
    generator, discriminator, image, target = parts
    target[:, :20] = 255
    judged = judge(generator, discriminator, image, target)
    assert judged.verdicts is not None
    drawn = judged.probability.detach().clone()
    drawn[:, :, :20] = 1.0
    verdicts = discriminator(beside(image, drawn * judged.counted))
    assert torch.allclose(verdicts, judged.verdicts, atol=1e-9)


def test_without_an_adversary_only_the_mask_loss_is_said(parts):
    generator, _, image, target = parts
    judged = judge(generator, None, image, target)
    said = generator_gradients(judged, generator, LossSettings(adversarial_weight=0.0))
    assert set(said) == {"tversky"}


def gradients(network):
    return {name: parameter.grad.clone() for name, parameter in network.named_parameters()}


@pytest.mark.parametrize("parts", [2, 3])
def test_gradients_of_parts_add_up_to_those_of_the_batch(parts):
    """Batch norm at rest: in training each part is normalised by itself, as on several devices."""
    torch.manual_seed(4)
    generator = Generator(2, width=4, depth=3, dropout=0.0).double().eval()
    discriminator = Discriminator(3, width=4).double().eval()
    image = torch.randn(6, 2, 64, 64, dtype=torch.float64)
    target = (torch.rand(6, 64, 64) > 0.6).to(torch.uint8)

    def both(pieces):
        said = []
        for piece in range(pieces):
            part = slice(piece, None, pieces)
            judged = judge(generator, discriminator, image[part], target[part])
            share = 1.0 / pieces
            losses = generator_gradients(judged, generator, LossSettings(), share=share)
            losses |= discriminator_gradients(judged, discriminator, share=share)
            said.append(losses)
        found = gradients(generator), gradients(discriminator)
        generator.zero_grad()
        discriminator.zero_grad()
        return found, {name: sum(one[name] for one in said) / pieces for name in said[0]}

    (whole, whole_losses), (added, mean_losses) = both(1), both(parts)
    # Losses are float32: sums in another order differ by a few units of the last place.
    for name, loss in whole_losses.items():
        assert mean_losses[name].item() == pytest.approx(loss.item(), rel=1e-6)
    for mine, theirs in zip(added, whole, strict=True):
        for name, gradient in theirs.items():
            scale = gradient.abs().max()
            assert (mine[name] - gradient).abs().max() <= 1e-5 * scale, name


def test_a_step_forgets_its_gradients(parts):
    generator, _, image, target = parts
    generator_gradients(judge(generator, None, image, target), generator, LossSettings())
    descend(generator, sgd(generator))
    assert all(parameter.grad is None for parameter in generator.parameters())


class Contiguous(torch.autograd.Function):
    """Hands weights on; like some kernels it makes a contiguous gradient whatever their layout."""

    @staticmethod
    def forward(ctx, weight):
        return weight.view_as(weight)

    @staticmethod
    def backward(ctx, gradient):
        return gradient.contiguous()


class OneConvolution(torch.nn.Module):
    def __init__(self):
        super().__init__()
        weight = torch.randn(3, 2, 4, 4).to(memory_format=torch.channels_last)
        self.weight = torch.nn.Parameter(weight)

    def forward(self, image):
        return F.conv2d(image, Contiguous.apply(self.weight)).square().mean(dim=(1, 2, 3))


def test_a_gradient_of_another_layout_moves_the_weights_that_it_belongs_to():
    """Fused Adam walks over bare memory, so gradients must lie as their weights do."""
    torch.manual_seed(5)
    network, image = OneConvolution(), torch.randn(2, 2, 8, 8)
    plain = copy.deepcopy(network)
    target = torch.tensor([0, 1], dtype=torch.uint8).view(2, 1, 1).expand(2, 8, 8)
    fused_adam = torch.optim.Adam(network.parameters(), lr=0.1, fused=True)
    plain_adam = torch.optim.Adam(plain.parameters(), lr=0.1, foreach=False)
    for _ in range(3):
        for _ in range(2):  # the gradients of two parts add up
            presence_gradients(network, image, target, share=0.5)
        descend(network, fused_adam)
        presence_gradients(plain, image, target)
        descend(plain, plain_adam)
    assert torch.allclose(network.weight, plain.weight, atol=1e-5)
