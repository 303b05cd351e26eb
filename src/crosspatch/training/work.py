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
from crosspatch.models.discriminator import verdict_side
from crosspatch.models.pretrained import PretrainedUNet, load_imagenet
from crosspatch.models.storage import build_discriminator, build_generator, halvings
from crosspatch.models.transfer import TransferReport
from crosspatch.training.averaging import Average
from crosspatch.training.batches import Batches
from crosspatch.training.checkpoint import State
from crosspatch.training.rates import layer_groups
from crosspatch.training.run import Run
from crosspatch.training.samples import Chosen, Order, choose
from crosspatch.training.schedule import run_length, when_to_check
from crosspatch.training.watch import Watch

Initial = Callable[[nn.Module, nn.Module | None], TransferReport]
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
    transfer: TransferReport | None = None
    """What a warm start took from its source."""
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
    def trained(self) -> dict[str, nn.Module]:
        """The networks that take steps, in their order."""
        if self.discriminator is None:
            return {"generator": self.generator}
        return {"generator": self.generator, "discriminator": self.discriminator}

    def rate(self, network: str) -> float:
        """Learning rate at the start of the schedule."""
        training = self.settings.training
        return training.generator_rate if network == "generator" else training.discriminator_rate

    @property
    def state(self) -> State:
        """The tensors that a checkpoint saves."""
        networks = self.trained
        if self.average is not None:
            networks["average"] = self.average.network
        return State(networks, self.optimizers)

    @property
    def asks_presence(self) -> bool:
        """Whether it learns only if there is any foreground in a crop."""
        return self.settings.network.head == "presence"

    @property
    def judged_by(self) -> nn.Module:
        """The generator that becomes ``model/``: the averaged one where there is one."""
        return self.average.network if self.average is not None else self.generator


def set_up(run: Run, crops: Crops, fabric: Fabric, initial: Initial | None = None) -> Work:
    """Choose samples, build networks from the seed, let ``initial`` warm them, add optimisers.

    Where ``initial`` is not needed, since a checkpoint will fill the networks, the run's own report
    says what it did.

    Raises
    ------
    InputError, SettingsError
        Nothing to train on, or batch norm would see single values.
    """
    settings, training = run.settings, run.settings.training
    chosen = choose(crops, training.fraction, training.validation_share, training.seed)
    refuse_parts(settings, crops.recipe.size, run.devices)
    refuse_small_crops(settings, crops.recipe.size)
    versions = crops.recipe.train_versions if training.versions else (0,)
    order = Order(chosen.train, versions, training.batch, training.seed)
    torch.manual_seed(training.seed)
    channels = len(crops.channel_names)
    generator: nn.Module = build_generator(settings.network, channels)
    if isinstance(generator, PretrainedUNet):
        load_imagenet(generator)
    discriminator: nn.Module | None = None
    if has_adversary(settings):
        discriminator = build_discriminator(settings.network, channels)
    transfer = initial(generator, discriminator) if initial is not None else run.transfer
    generator = _on_device(generator, fabric)
    networks = {"generator": generator}
    if discriminator is not None:
        discriminator = networks["discriminator"] = _on_device(discriminator, fabric)
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
        optimizers={
            name: _adam(network, name, settings, transfer) for name, network in networks.items()
        },
        steps=steps,
        check_steps=when_to_check(training, steps),
        watch=Watch(epoch_steps=len(order) // training.batch),
        transfer=transfer,
    )


def has_adversary(settings: Settings) -> bool:
    """Whether there is a discriminator: it judges masks."""
    return settings.loss.adversarial_weight > 0 and settings.network.head is None


def refuse_parts(settings: Settings, size: int, devices: int = 1) -> None:
    """Check that a batch falls into equal parts, none of which leaves batch norm a single value.

    Raises
    ------
    SettingsError
        The batch cannot be divided by devices and ``training.accumulate``; or a part is one crop,
        no larger than one pixel of the bottleneck.
    """
    depth, parts = halvings(settings.network), devices * settings.training.accumulate
    batch, rest = divmod(settings.training.batch, parts)
    if rest:
        raise SettingsError(
            f"training.batch {settings.training.batch} does not divide by {parts}, which is "
            f"{devices} devices x training.accumulate {settings.training.accumulate}"
        )
    side = math.ceil(size / 2**depth)
    if batch < fewest_crops(size, depth):
        shallower = f", or network.depth {depth - 1}" if settings.network.encoder == "paper" else ""
        raise SettingsError(
            f"batch norm needs more than one value a channel, but {batch} crop of {size} pixels is "
            f"{side} x {side} when it has been halved {depth} times: use training.batch "
            f"{2 * parts} or more, or larger crops{shallower}"
        )


def fewest_crops(size: int, depth: int) -> int:
    """Return how many crops of ``size`` pixels give batch norm two values a channel everywhere.

    ``depth`` is how often they are halved (`crosspatch.models.storage.halvings`).
    """
    return 2 if size <= 2**depth else 1


def refuse_small_crops(settings: Settings, size: int) -> None:
    """Check that crops of ``size`` pixels are large enough for the discriminator.

    Raises
    ------
    SettingsError
        There is an adversary, and not one of its patches fits.
    """
    layers = settings.network.discriminator_layers
    if has_adversary(settings) and verdict_side(size, layers) < 1:
        raise SettingsError(
            f"crops of {size} pixels are too small for a discriminator of {layers} layers, which "
            f"needs {3 * 2**layers}: use larger crops, fewer network.discriminator_layers, or "
            "loss.adversarial_weight 0"
        )


def _on_device(network: nn.Module, fabric: Fabric) -> nn.Module:
    """Move a network; channels-last memory makes its convolutions faster on every device."""
    return network.to(fabric.device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload,no-any-return]


def _adam(
    network: nn.Module, name: str, settings: Settings, transfer: TransferReport | None
) -> Optimizer:
    """Adam with the settings' betas; the loop sets the learning rate of each step."""
    copied = transfer.copied_parameters(name) if transfer is not None else frozenset[str]()
    betas = (settings.training.beta1, settings.training.beta2)
    groups = layer_groups(network, copied, settings.transfer)
    return Adam(groups, betas=betas, fused=True)
