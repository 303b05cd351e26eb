"""A warm start: the weights of a model of one domain in the fresh networks of another.

Mantha et al. 2022, section 3.2, copy every layer of both networks but the input layers, which see
other channels. Here an input layer, the *stem*, can also be carried over channel by channel. What
became of every tensor is in the `TransferReport`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from crosspatch.config import Settings, TransferSettings
from crosspatch.errors import InputError, SettingsError
from crosspatch.models.pretrained import PretrainedUNet
from crosspatch.models.stem import Stem, StemPlan, plan_stem
from crosspatch.models.storage import DISCRIMINATOR, GENERATOR, Model, read_weights

GENERATOR_STEM, DISCRIMINATOR_STEM = "encoder.0.conv", "blocks.0"
"""The input layers: weights and bias. The batch norm behind one is a layer of its own."""

_GENERATOR_KEYS = ("encoder", "width", "depth")
_DISCRIMINATOR_KEYS = ("discriminator_width", "discriminator_layers")


@dataclass(frozen=True)
class Carried:
    """What became of the tensors of one network, by their names in its ``state_dict``."""

    copied: tuple[str, ...]
    fresh: Mapping[str, str]
    """Left as they were drawn, and why."""
    unknown: tuple[str, ...] = ()
    """In the source only."""

    def lines(self, network: str) -> list[str]:
        """Say it in sentences: how many were copied; those that were not, by reason."""
        reasons = list(dict.fromkeys(self.fresh.values()))
        if not self.copied and len(reasons) == 1:
            return [f"{network}: all {len(self.fresh)} tensors fresh ({reasons[0]})"]
        said = [f"{network}: {len(self.copied)} tensors copied, {len(self.fresh)} fresh"]
        for why in reasons:
            names = ", ".join(name for name, reason in self.fresh.items() if reason == why)
            said.append(f"{network}: fresh {names} ({why})")
        if self.unknown:
            said.append(f"{network}: not used of the source: {', '.join(self.unknown)}")
        return said


@dataclass(frozen=True)
class TransferReport:
    """What a warm start took from its source model."""

    stem: Stem
    """What was done with the input layers; ``auto`` has become ``copy`` or ``skip``."""
    channels: Mapping[str, str]
    """For each channel, where its weights in the stem come from: a channel of the source, "mean of
    the source's", "zero" or "fresh"."""
    generator: Carried
    discriminator: Carried | None
    """None where the run trains without one."""

    def lines(self) -> list[str]:
        """Say it in sentences, for people."""
        taken = ", ".join(
            mine if self.stem == "skip" else f"{mine} <- {theirs}"
            for mine, theirs in self.channels.items()
        )
        said = [f"stem: {self.stem} ({taken})", *self.generator.lines("generator")]
        return said + (self.discriminator.lines("discriminator") if self.discriminator else [])

    def as_table(self) -> dict[str, Any]:
        """Return the tables of ``transfer.toml``."""
        table: dict[str, Any] = {"stem": self.stem, "channels": dict(self.channels)}
        for name, carried in self._networks().items():
            table[name] = {
                "copied": list(carried.copied),
                "unknown": list(carried.unknown),
                "fresh": dict(carried.fresh),
            }
        return table

    @classmethod
    def from_table(cls, table: Mapping[str, Any], where: str) -> "TransferReport":
        """Read what `as_table` returned.

        Raises
        ------
        InputError
            ``where``, a path, holds something else.
        """
        try:
            carried = {
                name: Carried(
                    tuple(table[name]["copied"]),
                    dict(table[name]["fresh"]),
                    tuple(table[name]["unknown"]),
                )
                for name in ("generator", "discriminator")
                if name in table
            }
            return cls(
                stem=table["stem"],
                channels=dict(table["channels"]),
                generator=carried["generator"],
                discriminator=carried.get("discriminator"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{where}: is not the report of a warm start ({error})") from None

    def copied_parameters(self, network: str) -> frozenset[str]:
        """Names of the tensors of "generator" or "discriminator" that came from the source."""
        carried = self._networks().get(network)
        return frozenset(carried.copied if carried else ())

    def _networks(self) -> dict[str, Carried]:
        networks = {"generator": self.generator}
        if self.discriminator is not None:
            networks["discriminator"] = self.discriminator
        return networks


def adopt_architecture(settings: Settings, source: Model) -> Settings:
    """Give a run the architecture of its source; dropout is no architecture and stays.

    A source without a discriminator says nothing about that of the run.

    Raises
    ------
    SettingsError
        A setting that was given, not left to its default, says otherwise.
    """
    keys = _GENERATOR_KEYS + (_DISCRIMINATOR_KEYS if source.has_discriminator else ())
    theirs = {key: getattr(source.facts.network, key) for key in keys}
    given = settings.network.model_dump(exclude_unset=True)
    conflicts = [
        f"network.{key} is {given[key]}, the source's {value}"
        for key, value in theirs.items()
        if given.get(key, value) != value
    ]
    if conflicts:
        raise SettingsError(
            f"--from {source.path} brings its own architecture, and other settings contradict it "
            f"({'; '.join(conflicts)}): leave them out"
        )
    network = settings.network.model_copy(update=theirs)
    return settings.model_copy(update={"network": network})


@dataclass(frozen=True)
class WarmStart:
    """Fills fresh networks from a source model, when it is called.

    Parameters
    ----------
    source : Model
    channel_names : tuple of str
        Of the new model's images.
    transfer : TransferSettings
    """

    source: Model
    channel_names: tuple[str, ...]
    transfer: TransferSettings = field(default_factory=TransferSettings)

    def __call__(self, generator: nn.Module, discriminator: nn.Module | None) -> TransferReport:
        """Copy what fits into the networks, in place.

        Raises
        ------
        InputError
            The source's weights are not finite.
        SettingsError
            Nothing of the stem can be copied as asked.
        """
        theirs = self.source.facts.channel_names
        plan = plan_stem(self.transfer.stem, self.channel_names, theirs)
        stem = generator.stem if isinstance(generator, PretrainedUNet) else GENERATOR_STEM
        return TransferReport(
            stem=plan.stem,
            channels=plan.said(self.channel_names, theirs),
            generator=carry_over(
                generator, self._tensors(GENERATOR), stem, plan, len(theirs), self.transfer.layers
            ),
            discriminator=None if discriminator is None else self._judge(discriminator, plan),
        )

    def _judge(self, discriminator: nn.Module, plan: StemPlan) -> Carried:
        why = None
        if self.transfer.layers == "encoder":
            why = "transfer.layers = encoder"
        elif self.transfer.discriminator == "fresh":
            why = "transfer.discriminator = fresh"
        elif not self.source.has_discriminator:
            why = "the source has none"
        if why is not None:
            return Carried((), dict.fromkeys(discriminator.state_dict(), why))
        channels = len(self.source.facts.channel_names)
        tensors = self._tensors(DISCRIMINATOR)
        return carry_over(discriminator, tensors, DISCRIMINATOR_STEM, plan, channels)

    def _tensors(self, name: str) -> dict[str, Tensor]:
        tensors = read_weights(self.source.path / name)
        for key, tensor in tensors.items():
            if not torch.isfinite(tensor).all():
                raise InputError(
                    f"{self.source.path / name}: {key} holds values that are not finite: its "
                    "training went wrong; choose another source"
                )
        return tensors


@torch.no_grad()
def carry_over(
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    stem: str,
    plan: StemPlan,
    channels: int,
    layers: str | None = None,
) -> Carried:
    """Copy tensors into a network by name, where they fit; batch-norm statistics go along.

    Parameters
    ----------
    network : module
        Changed in place; what is not copied keeps its values.
    tensors : mapping of name to tensor
        The source's ``state_dict``.
    stem : str
        Name of the input layer.
    plan : StemPlan
    channels : int
        Of the source's images.
    layers : str, optional
        Copy only what is under this name.
    """
    state = network.state_dict()
    copied, fresh = [], {}
    for name, mine in state.items():
        if layers is not None and not name.startswith(f"{layers}."):
            fresh[name] = f"transfer.layers = {layers}"
            continue
        theirs = tensors.get(name)
        if name.startswith(f"{stem}."):
            if plan.stem == "skip":
                fresh[name] = plan.why
                continue
            if theirs is not None and theirs.ndim == 4 and theirs.shape[1] >= channels:
                theirs = plan.weights(theirs, channels)
        if theirs is None:
            fresh[name] = "missing in the source"
        elif theirs.shape != mine.shape:
            fresh[name] = f"{_size(theirs)} in the source, {_size(mine)} here"
        else:
            mine.copy_(theirs)
            copied.append(name)
    return Carried(tuple(copied), fresh, tuple(sorted(tensors.keys() - state.keys())))


def _size(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"
