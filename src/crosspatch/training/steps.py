"""One training step of the generator and one of the discriminator: the paper's, without waste.

Done naively, the discriminator looks at the generator's mask twice (once to teach the generator,
once to learn itself) and computes gradients of its own weights that are thrown away. Here it looks
once: ``judge`` keeps the graph, and each network's gradients are asked of it alone. The losses and
the gradients are the same.

A batch may come in parts, to need less memory: gradients add up, and ``descend`` takes the step.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from crosspatch.config import LossSettings
from crosspatch.models.discriminator import beside
from crosspatch.models.losses import IGNORED, focal_tversky_loss, verdict_loss
from crosspatch.models.presence import presence_loss

Reduce = Callable[[nn.Module], None]
"""Averages a network's gradients over processes; ``None`` where there is one process."""


@dataclass(frozen=True)
class Judged:
    """What one look at a batch leaves for both steps.

    probability (B, K, H, W) float32 with graph; verdicts on it (B, 1, h, w) with graph, or None
    without an adversarial term; counted (B, 1, H, W) bool, false where the target is ignored.
    """

    image: Tensor
    target: Tensor
    probability: Tensor
    verdicts: Tensor | None
    counted: Tensor


def judge(
    generator: nn.Module, discriminator: nn.Module | None, image: Tensor, target: Tensor
) -> Judged:
    """Draw the masks and, where there is a discriminator, let it judge them.

    Parameters
    ----------
    generator, discriminator : modules
        Both in training mode.
    image : (B, C, H, W) float tensor, standardised
    target : (B, H, W) uint8 tensor
        0 background, 1 foreground, 255 ignored.
    """
    target = target.unsqueeze(1)  # (B, 1, H, W)
    counted = target != IGNORED
    probability = torch.sigmoid(generator(image).float())
    verdicts = None
    if discriminator is not None:
        # Where nobody knows the truth, both masks are blank: nothing to tell them apart by.
        verdicts = discriminator(beside(image, probability * counted))
    return Judged(image, target, probability, verdicts, counted)


def generator_gradients(
    judged: Judged, generator: nn.Module, loss: LossSettings, *, share: float = 1.0
) -> dict[str, Tensor]:
    """Add the gradients of tversky_weight x focal Tversky + adversarial_weight x "called real".

    Parameters
    ----------
    judged : Judged
        Its graph is kept for `discriminator_gradients` where there is a discriminator.
    generator : module
    loss : LossSettings
    share : float
        Weight of this part of the batch: 1 / parts.

    Returns
    -------
    ``tversky`` and, with a discriminator, ``adversarial``: () float32 tensors without graph
    """
    tversky = focal_tversky_loss(
        judged.probability, judged.target, loss.fn_weight, loss.fp_weight, loss.gamma
    )
    total = loss.tversky_weight * tversky
    said = {"tversky": tversky.detach()}
    if judged.verdicts is not None:
        adversarial = verdict_loss(judged.verdicts, real=True)
        total = total + loss.adversarial_weight * adversarial
        said["adversarial"] = adversarial.detach()
    _add_gradients(share * total, generator, keep_graph=judged.verdicts is not None)
    return said


def discriminator_gradients(
    judged: Judged, discriminator: nn.Module, *, share: float = 1.0
) -> dict[str, Tensor]:
    """Add the gradients of the mean of its losses on generated and on true masks.

    Returns
    -------
    ``fake`` and ``real``: its losses, () float32 tensors without graph
    """
    assert judged.verdicts is not None, "judge() was called without a discriminator"
    truth = (judged.target == 1).to(judged.probability.dtype)
    fake = verdict_loss(judged.verdicts, real=False)
    real = verdict_loss(discriminator(beside(judged.image, truth)), real=True)
    _add_gradients(share * (fake + real) / 2.0, discriminator)
    return {"fake": fake.detach(), "real": real.detach()}


def presence_gradients(
    network: nn.Module, image: Tensor, target: Tensor, *, share: float = 1.0
) -> dict[str, Tensor]:
    """Add the gradients of "is there any in this crop?" (`crosspatch.models.presence`).

    Returns
    -------
    ``presence``: () float32 tensor without graph
    """
    loss = presence_loss(network(image), target)
    _add_gradients(share * loss, network)
    return {"presence": loss.detach()}


def descend(network: nn.Module, optimizer: Optimizer, reduce: Reduce | None = None) -> None:
    """Take one optimiser step along the gradients that were added up, and forget them."""
    if reduce is not None:
        reduce(network)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _add_gradients(loss: Tensor, network: nn.Module, *, keep_graph: bool = False) -> None:
    """Add the gradient of ``loss`` in this network's weights, and in no other's."""
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(loss, parameters, retain_graph=keep_graph)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if parameter.grad is None:
            parameter.grad = _laid_out_as(parameter, gradient)
        else:
            parameter.grad.add_(gradient)


def _laid_out_as(parameter: Tensor, gradient: Tensor) -> Tensor:
    """Give a gradient its weights' layout in memory, as ``backward`` would.

    ``autograd.grad`` hands back what the kernel made; MPS makes contiguous gradients of
    channels-last weights. Fused Adam walks over the bare memory of both: on a GPU it refuses such
    a pair, on the CPU it would silently move the wrong weights.
    """
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)
