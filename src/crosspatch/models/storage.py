"""Model folders: ``model.toml``, weights as safetensors, and a card that people read.

Nothing here unpickles. The sizes that a folder claims are compared with the file's header before
any memory is taken for them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from crosspatch.config import NetworkSettings
from crosspatch.errors import InputError
from crosspatch.files import (
    PathLike,
    fingerprint_bytes,
    fingerprint_file,
    write_bytes,
    write_text,
    write_toml,
)
from crosspatch.models.card import card
from crosspatch.models.discriminator import Discriminator
from crosspatch.models.facts import ModelFacts, read_facts
from crosspatch.models.generator import Generator
from crosspatch.models.presence import PresenceNetwork
from crosspatch.models.pretrained import PretrainedUNet

GENERATOR, DISCRIMINATOR = "generator.safetensors", "discriminator.safetensors"
Network = Generator | PretrainedUNet
"""What draws masks."""
_Module = TypeVar("_Module", bound=nn.Module)
_PICKLES = {".pth", ".pt", ".ckpt", ".pkl", ".pickle", ".bin"}


@dataclass(frozen=True)
class Model:
    """A model folder, accepted wherever a path is."""

    path: Path
    facts: ModelFacts

    def __fspath__(self) -> str:
        return str(self.path)

    @classmethod
    def open(cls, path: PathLike) -> "Model":
        """Read ``model.toml`` and check that the weights beside it fit what it says.

        Raises
        ------
        InputError
            No model folder, a pickle, or weights that are not those of the architecture.
        """
        folder = Path(path)
        _refuse_pickle(folder)
        facts = read_facts(folder / "model.toml")
        model = cls(folder, facts)
        _check_weights(folder / GENERATOR, model._meta_generator())
        if model.has_discriminator:
            _check_weights(folder / DISCRIMINATOR, model._meta_discriminator())
        return model

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the facts and the weights of both networks."""
        names = ["model.toml", GENERATOR] + [DISCRIMINATOR] * self.has_discriminator
        return fingerprint_bytes(*(fingerprint_file(self.path / name).encode() for name in names))

    @property
    def name(self) -> str:
        """What to call it: the folder's name, after its run's where it lies in one."""
        path = self.path.resolve()
        in_run = (path.parent / "run.toml").is_file()
        return f"{path.parent.name}/{path.name}" if in_run else path.name

    @property
    def has_discriminator(self) -> bool:
        """Whether the folder holds a discriminator (not if trained without one)."""
        return (self.path / DISCRIMINATOR).exists()

    def load_generator(self, device: torch.device | str = "cpu") -> Network:
        """Build the generator with its weights, in evaluation mode.

        It takes normalised images (see `normalise`) and returns logits.

        Raises
        ------
        InputError
            A weight is NaN or infinite: every map would come out as "no data"; or it has learned
            whether there is any foreground, not where.
        """
        empty = self._meta_generator()
        if isinstance(empty, PresenceNetwork):
            raise InputError(
                f"{self.path}: has learned whether a crop shows any "
                f"{', '.join(self.facts.foreground)}, not where: it draws no masks; start a "
                "training from it (--from)"
            )
        network = _filled(empty, self.path / GENERATOR, device)
        for name, tensor in network.state_dict().items():
            if not torch.isfinite(tensor).all():
                raise InputError(
                    f"{self.path / GENERATOR}: {name} holds NaN or infinite values; training went "
                    "wrong or the file is damaged: take another model of the run, or train again"
                )
        return network

    def load_discriminator(self, device: torch.device | str = "cpu") -> Discriminator:
        """Build the discriminator with its weights, in evaluation mode."""
        return _filled(self._meta_discriminator(), self.path / DISCRIMINATOR, device)

    def normalise(self, image: Tensor) -> Tensor:
        """Standardise each channel: (B, C, H, W) of any dtype -> float32."""
        return standardise(image, self.facts.mean, self.facts.std)

    def _meta_generator(self) -> Network | PresenceNetwork:
        with torch.device("meta"):
            return build_generator(self.facts.network, len(self.facts.channel_names))

    def _meta_discriminator(self) -> Discriminator:
        with torch.device("meta"):
            return build_discriminator(self.facts.network, len(self.facts.channel_names))


def build_generator(network: NetworkSettings, in_channels: int) -> Network | PresenceNetwork:
    """Build the generator that the settings describe, or what is trained instead of one.

    Its weights are random.

    Raises
    ------
    MissingExtraError
        It has an ImageNet encoder, whose library is not installed.
    """
    if network.encoder == "imagenet":
        return PretrainedUNet(in_channels)
    if network.head == "presence":
        return PresenceNetwork(in_channels, network.width, network.depth)
    return Generator(in_channels, network.width, network.depth, dropout=network.dropout)


def halvings(network: NetworkSettings) -> int:
    """Return how often the generator that the settings describe halves height and width."""
    return PretrainedUNet.halvings if network.encoder == "imagenet" else network.depth


def build_discriminator(network: NetworkSettings, in_channels: int) -> Discriminator:
    """Build the discriminator that the settings describe: it also sees one mask channel."""
    return Discriminator(in_channels + 1, network.discriminator_width, network.discriminator_layers)


def to_tensor(pixels: NDArray[Any]) -> Tensor:
    """Hand an array of any image's dtype to torch, in a type that every device computes with."""
    if pixels.dtype in (np.uint8, np.int16, np.int32, np.float32):
        return torch.from_numpy(np.ascontiguousarray(pixels))
    return torch.from_numpy(pixels.astype(np.float32, order="C"))


def standardise(image: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Subtract each channel's mean and divide by its standard deviation.

    Parameters
    ----------
    image : (B, C, H, W) tensor of any dtype
    mean, std : C floats each
        A channel that never varied (std 0) is only centred.

    Returns
    -------
    (B, C, H, W) float32 tensor
    """
    shape = (1, -1, 1, 1)
    centre = torch.tensor(mean, dtype=torch.float32, device=image.device).view(shape)
    spread = torch.tensor(
        [value if value > 0 else 1.0 for value in std], dtype=torch.float32, device=image.device
    ).view(shape)
    return (image.float() - centre) / spread


def save_model(
    folder: Path, facts: ModelFacts, generator: nn.Module, discriminator: nn.Module | None
) -> None:
    """Fill a model folder; ``folder`` is one that `crosspatch.files.new_folder` yields."""
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(folder / GENERATOR, generator)
    if discriminator is not None:
        save_weights(folder / DISCRIMINATOR, discriminator)
    write_toml(
        folder / "model.toml",
        facts.as_table(),
        says="A crosspatch model: what it is, what it eats, where it comes from.",
    )
    write_text(folder / "README.md", card(facts))


def save_weights(path: Path, network: nn.Module) -> None:
    """Write a network's tensors; safetensors wants them contiguous, channels-last ones are not."""
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()
    }
    write_bytes(path, save(tensors))


def _filled(network: _Module, path: Path, device: torch.device | str) -> _Module:
    """Move a network off the meta device and copy the file's tensors in."""
    network = network.to_empty(device=device)
    network.load_state_dict(read_weights(path))
    return network.eval()


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a safetensors file onto the CPU."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _check_weights(path: Path, network: nn.Module) -> None:
    """Compare a file's header with the architecture, before a byte of weights is read."""
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    try:
        with safe_open(path, framework="pt") as file:
            names = set(file.keys())
            found = {name: tuple(file.get_slice(name).get_shape()) for name in names}
    except FileNotFoundError:
        raise InputError(f"{path}: is missing; the model folder is not complete") from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: is not a safetensors file ({error})") from None
    wrong = sorted(
        name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
    )
    if wrong:
        name = wrong[0]
        raise InputError(
            f"{path}: does not fit model.toml beside it ({len(wrong)} tensors differ; first "
            f"{name}: {found.get(name, 'missing')}, expected {expected.get(name, 'none')})"
        )


def _refuse_pickle(path: Path) -> None:
    if path.suffix.lower() in _PICKLES or any(
        child.suffix.lower() in _PICKLES for child in (path.iterdir() if path.is_dir() else ())
    ):
        raise InputError(
            f"{path}: holds a pickle, which can run any program when it is opened; crosspatch "
            "never opens one. Where you trust its source, read it with torch.load(..., "
            "weights_only=True) and store its tensors with safetensors.torch.save_file"
        )
    if not (path / "model.toml").is_file():
        raise InputError(f"{path}: is not a model folder (it has no model.toml)")
