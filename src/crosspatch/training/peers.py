"""What the processes of one run tell each other: gradients, losses, and that a stop was asked for.

Lightning's DDP wrapper averages gradients in hooks of ``backward``; here gradients are asked of
``autograd.grad``, which runs no hooks, so they are averaged in the open. Batch norm measures each
process's part of a batch by itself, as in plain DDP; its running statistics are averaged along with
the gradients, so that every process holds the same networks after every step.
"""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from torch import Tensor, nn

Losses = list[dict[str, Tensor]]


@dataclass(frozen=True)
class Peers:
    """What a process knows of itself and the others of its run.

    Attributes
    ----------
    rank : its number, from 0
    world : how many there are
    device : where its networks are
    """

    rank: int
    world: int
    device: torch.device

    @classmethod
    def of(cls, fabric: Fabric) -> "Peers":
        """Find out from Fabric, once it has launched."""
        return cls(fabric.global_rank, fabric.world_size, fabric.device)

    @property
    def alone(self) -> bool:
        """Whether there is nobody to agree with."""
        return self.world == 1

    def average(self, network: nn.Module) -> None:
        """Average gradients and batch-norm statistics over all processes, in one message."""
        tensors = [p.grad for p in network.parameters() if p.grad is not None]
        tensors += [buffer for buffer in network.buffers() if buffer.is_floating_point()]
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.world
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def agree(self, losses: Losses, asked: bool) -> tuple[Losses, bool]:
        """Average the losses of some steps, and stop when any process was asked to.

        Every process gets the same answer, so that all raise the same alarms and stop after the
        same step: one that went on alone would wait for the others for ever.
        """
        if self.alone:
            return losses, asked
        names = list(losses[0])
        values = [step[name].float() for step in losses for name in names]
        flat = torch.stack([*values, torch.tensor(float(asked), device=self.device)])
        dist.all_reduce(flat)
        *means, asking = flat.unbind()
        shared = iter([mean / self.world for mean in means])
        return [{name: next(shared) for name in names} for _ in losses], bool(asking > 0)

    def wait(self) -> None:
        """Go on when all have come this far."""
        if not self.alone:
            dist.barrier(device_ids=[self.device.index] if self.device.type == "cuda" else None)
