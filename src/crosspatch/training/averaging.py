"""Weight averaging, and batch-norm statistics measured anew for the averaged weights.

With batch norm, few images and an adversary, scores jump from check to check; the exponential
moving average of the weights rises smoothly (Polyak and Juditsky 1992; Tarvainen and Valpola
2017), but only once the running statistics, which belong to other weights, are measured again
(Izmailov et al. 2018, section 3.2).
"""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from crosspatch.models.generator import Up


class Average:
    """A second generator that follows the first at a distance.

    Parameters
    ----------
    generator : module
        What is trained.
    decay : float
        Weight of the past at each step, in [0, 1); smaller in the first steps, when the past is
        still random weights.
    """

    def __init__(self, generator: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(generator).requires_grad_(False).eval()
        self.decay = decay
        self._mine: list[Tensor] = list(self.network.parameters())

    @torch.no_grad()
    def follow(self, generator: nn.Module, step: int) -> None:
        """Move towards the weights after step ``step`` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._mine, list[Tensor](generator.parameters()), 1.0 - decay)


@torch.no_grad()
def reestimate_batch_norm(network: nn.Module, images: Iterable[Tensor]) -> None:
    """Replace running batch-norm statistics by those of ``images`` under the present weights.

    Parameters
    ----------
    network : module
        Left in evaluation mode. Dropout is off while statistics are taken, as in prediction.
    images : iterable of (B, C, H, W) float tensors
        Training images, standardised; batches count equally, so they should have one size.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    ups = [module for module in network.modules() if isinstance(module, Up)]
    momenta = [norm.momentum for norm in norms]
    rates = [up.dropout for up in ups]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over batches
    for up in ups:
        up.dropout = 0.0
    network.train()
    for batch in images:
        network(batch)
    network.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for up, rate in zip(ups, rates, strict=True):
        up.dropout = rate
