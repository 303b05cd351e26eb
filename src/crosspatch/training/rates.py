"""Which layers learn how fast: all alike, unless a warm start asks for something gentler.

Staged tuning first lets the fresh layers and the batch norm find their way while the copied
weights stand still (Howard and Ruder 2018, "gradual unfreezing", in two stages); a rate of their
own then keeps the copied layers closer to the source.
"""

from typing import Any

from torch import nn
from torch.optim import Optimizer

from crosspatch.config import TransferSettings

_FRESH, _NORM, _COPIED = "fresh", "norm", "copied"


def layer_groups(
    network: nn.Module, copied: frozenset[str], transfer: TransferSettings
) -> list[dict[str, Any]]:
    """Sort parameters into groups for an optimiser.

    Parameters
    ----------
    network : module
    copied : set of str
        Names of its tensors that came from a source model; none from scratch.
    transfer : TransferSettings

    Returns
    -------
    Groups with ``params`` and ``kind``: fresh layers, copied batch norms, other copied layers; one
    group of all where they learn alike.
    """
    if not copied or (transfer.staged_steps == 0 and transfer.copied_rate == 1.0):
        return [{"params": list(network.parameters()), "kind": _FRESH}]
    norms = {
        f"{name}.{key}"
        for name, module in network.named_modules()
        if isinstance(module, nn.BatchNorm2d)
        for key in ("weight", "bias")
    }
    groups: dict[str, list[nn.Parameter]] = {_FRESH: [], _NORM: [], _COPIED: []}
    for name, parameter in network.named_parameters():
        kind = _FRESH if name not in copied else (_NORM if name in norms else _COPIED)
        groups[kind].append(parameter)
    return [{"params": params, "kind": kind} for kind, params in groups.items() if params]


def set_rates(optimizer: Optimizer, rate: float, step: int, transfer: TransferSettings) -> None:
    """Set the learning rate of each group for step ``step`` (from 0).

    Layers that stand still have rate 0: Adam goes on measuring their gradients, so that it knows
    them when they start to move.
    """
    staged = step < transfer.staged_steps
    factors = {
        _FRESH: 1.0,
        _NORM: 1.0 if staged else transfer.copied_rate,
        _COPIED: 0.0 if staged else transfer.copied_rate,
    }
    for group in optimizer.param_groups:
        group["lr"] = rate * factors[group["kind"]]
