"""Everything a run needs to go on exactly where it was, in one file that is whole or absent.

Tensors and numbers go into one safetensors file (numbers as JSON in its header), so that a kill at
any moment leaves either the old state or the new one. Nothing is pickled.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from crosspatch.errors import InputError
from crosspatch.files import write_bytes

_NAME = "state.safetensors"


@dataclass(frozen=True)
class State:
    """What is saved: networks and optimisers by name, and what is not a tensor."""

    networks: Mapping[str, nn.Module]
    optimizers: Mapping[str, Optimizer]


def save_checkpoint(folder: Path, state: State, facts: Mapping[str, Any]) -> None:
    """Write ``folder/state.safetensors``; ``facts`` is anything that JSON holds."""
    tensors: dict[str, Tensor] = {}
    for name, network in state.networks.items():
        for key, tensor in network.state_dict().items():
            tensors[f"network/{name}/{key}"] = tensor
    for name, optimizer in state.optimizers.items():
        for index, slots in optimizer.state_dict()["state"].items():
            for slot, value in slots.items():
                tensors[f"optimizer/{name}/{index}/{slot}"] = value
    whole = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
    write_bytes(folder / _NAME, save(whole, metadata={"facts": json.dumps(facts)}))


def load_checkpoint(folder: Path, state: State) -> dict[str, Any]:
    """Put the saved tensors back into ``state`` and return the facts.

    Raises
    ------
    InputError
        There is no checkpoint, or it is not one of these networks.
    """
    path = folder / _NAME
    try:
        with safe_open(path, framework="pt") as file:
            facts = dict(json.loads((file.metadata() or {})["facts"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for name, network in state.networks.items():
            network.load_state_dict(_below(tensors, f"network/{name}/"))
        for name, optimizer in state.optimizers.items():
            _load_optimizer(optimizer, _below(tensors, f"optimizer/{name}/"))
    except FileNotFoundError:
        raise InputError(f"{path}: is missing; the run stopped before its first check") from None
    except (SafetensorError, RuntimeError, LookupError, TypeError, ValueError, OSError) as error:
        raise not_of_this_run(folder, error) from None
    return facts


def not_of_this_run(folder: Path, error: Exception) -> InputError:
    """Say that a checkpoint cannot be gone on from, and what to do."""
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(
        f"{folder / _NAME}: is not a checkpoint of this run ({first}); where it is deleted, "
        "--resume begins the run anew"
    )


def has_checkpoint(folder: Path) -> bool:
    """Whether there is something to go on from."""
    return (folder / _NAME).is_file()


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _load_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Fill an optimiser's slots, each laid out in memory as its parameter.

    Fused Adam walks over the bare memory of both: a contiguous average beside channels-last
    weights would silently be added to the wrong ones.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    slots: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, slot = key.split("/", 1)
        like = parameters[int(index)]
        if tensor.shape == like.shape:
            tensor = torch.empty_like(like).copy_(tensor)
        slots.setdefault(int(index), {})[slot] = tensor
    table = optimizer.state_dict()
    table["state"] = slots
    optimizer.load_state_dict(table)
