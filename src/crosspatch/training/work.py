"""What a run holds in memory, built from its settings and nothing else."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import Adam, Optimizer

from crosspatch.config import Settings
from crosspatch.crops import Crops
from crosspatch.errors import SettingsError
from crosspatch.models.storage import build_discriminator, build_generator
from crosspatch.training.averaging import Average
from crosspatch.training.batches import Batches
from crosspatch.training.checkpoint import State
from crosspatch.training.run import Run
from crosspatch.training.samples import Chosen, Order, choose
from crosspatch.training.schedule import run_length, when_to_check
from crosspatch.training.watch import Watch

Initial = Callable[[nn.Module, nn.Module | None], None]
"""Changes the fresh generator and discriminator in place: a warm start."""


@dataclass
class Work:
    """Networks, optimisers and data of a run; the loop changes it in place."""

    run: Run
    settings: Settings
    crops: Crops
    chosen: Chosen
    fabric: Fabric
    batches: Batches
    order: Order
    generator: nn.Module
    discriminator: nn.Module | None
    average: Average | None
    optimizers: dict[str, Optimizer]
    steps: int
    check_steps: frozenset[int]
    watch: Watch
    sums: dict[str, float] = field(default_factory=dict)
    """Losses summed since the last check, and their ``count``."""
    alarms: list[str] = field(default_factory=list)
    """Raised since the last check."""
    scores: dict[str, float] = field(default_factory=dict)
    """Of the last check."""
    best: float = -math.inf
    step: int = 0
    """Steps done."""

    @property
    def state(self) -> State:
        """The tensors that a checkpoint saves."""
        networks = {"generator": self.generator}
        if self.discriminator is not None:
            networks["discriminator"] = self.discriminator
        if self.average is not None:
            networks["average"] = self.average.network
        return State(networks, self.optimizers)

    @property
    def judged_by(self) -> nn.Module:
        """The generator that becomes ``model/``: the averaged one where there is one."""
        return self.average.network if self.average is not None else self.generator


def set_up(run: Run, crops: Crops, fabric: Fabric, initial: Initial | None = None) -> Work:
    """Choose samples, build networks from the seed, let ``initial`` warm them, add optimisers.

    Raises
    ------
    InputError, SettingsError
        Nothing to train on, or batch norm would see single values.
    """
    settings, training = run.settings, run.settings.training
    chosen = choose(crops, training.fraction, training.validation_share, training.seed)
    refuse_single_values(settings, crops.recipe.size, fabric.world_size)
    versions = crops.recipe.train_versions if training.versions else (0,)
    order = Order(chosen.train, versions, training.batch, training.seed)
    torch.manual_seed(training.seed)
    channels = len(crops.channel_names)
    generator: nn.Module = build_generator(settings.network, channels)
    discriminator: nn.Module | None = None
    if settings.loss.adversarial_weight > 0:
        discriminator = build_discriminator(settings.network, channels)
    if initial is not None:
        initial(generator, discriminator)
    generator = _on_device(generator, fabric)
    optimizers: dict[str, Optimizer] = {"generator": _adam(generator, settings)}
    if discriminator is not None:
        discriminator = _on_device(discriminator, fabric)
        optimizers["discriminator"] = _adam(discriminator, settings)
    steps = run_length(training, len(order))
    return Work(
        run=run,
        settings=settings,
        crops=crops,
        chosen=chosen,
        fabric=fabric,
        batches=Batches(crops, fabric.device),
        order=order,
        generator=generator,
        discriminator=discriminator,
        average=Average(generator, training.averaging) if training.averaging else None,
        optimizers=optimizers,
        steps=steps,
        check_steps=when_to_check(training, steps),
        watch=Watch(epoch_steps=len(order) // training.batch),
    )


def refuse_single_values(settings: Settings, size: int, world: int = 1) -> None:
    """Check that batch norm at the bottleneck has more than one value a channel to measure.

    Raises
    ------
    SettingsError
        One crop a device, no larger than one pixel of the bottleneck; or fewer crops than devices.
    """
    depth, batch = settings.network.depth, settings.training.batch // world
    if batch < 1:
        raise SettingsError(f"training.batch {settings.training.batch} is under {world} devices")
    side = math.ceil(size / 2**depth)
    if batch * side * side < 2:
        raise SettingsError(
            f"batch norm needs more than one value a channel, but {batch} crop of {size} pixels is "
            f"{side} x {side} after {depth} blocks: use training.batch 2 or more, larger crops, or "
            f"network.depth {depth - 1}"
        )


def _on_device(network: nn.Module, fabric: Fabric) -> nn.Module:
    """Move a network; channels-last memory makes its convolutions faster on every device."""
    return network.to(fabric.device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload,no-any-return]


def _adam(network: nn.Module, settings: Settings) -> Optimizer:
    """Adam with the settings' betas; the loop sets the learning rate of each step."""
    betas = (settings.training.beta1, settings.training.beta2)
    return Adam(network.parameters(), betas=betas, fused=True)
