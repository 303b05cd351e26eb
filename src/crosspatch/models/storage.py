"""Model folders: ``model.toml``, weights as safetensors, and a card that people read.

Nothing here unpickles. The sizes that a folder claims are compared with the file's header before
any memory is taken for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from crosspatch.config import NetworkSettings
from crosspatch.crops.recipes import Resize
from crosspatch.errors import InputError
from crosspatch.files import (
    PathLike,
    fingerprint_bytes,
    fingerprint_file,
    read_toml,
    write_text,
    write_toml,
)
from crosspatch.models.discriminator import Discriminator
from crosspatch.models.generator import Generator

GENERATOR, DISCRIMINATOR = "generator.safetensors", "discriminator.safetensors"
_Network = TypeVar("_Network", bound=nn.Module)
_PICKLES = {".pth", ".pt", ".ckpt", ".pkl", ".pickle", ".bin"}


@dataclass(frozen=True)
class ModelFacts:
    """What ``model.toml`` says, beyond the weights."""

    network: NetworkSettings
    channel_names: tuple[str, ...]
    mean: tuple[float, ...]
    """Mean of each channel over the training images, in the image's own units."""
    std: tuple[float, ...]
    dtype: str
    """Data type of the training images, such as ``uint8``."""
    resize: Resize
    """What the recipe did to whole images before it cut crops."""
    crop_size: int
    foreground: tuple[str, ...]
    threshold: float = 0.5
    provenance: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    contents: frozenset[str] = frozenset()
    """Content fingerprints of every subject whose labels were spent: training and validation."""


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
        facts = _parse_facts(folder / "model.toml")
        model = cls(folder, facts)
        for name, network in (
            (GENERATOR, model._meta_generator()),
            (DISCRIMINATOR, model._meta_discriminator()),
        ):
            if name == GENERATOR or (folder / name).exists():
                _check_weights(folder / name, network)
        return model

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the facts and the generator's weights."""
        return fingerprint_bytes(
            fingerprint_file(self.path / "model.toml").encode(),
            fingerprint_file(self.path / GENERATOR).encode(),
        )

    @property
    def has_discriminator(self) -> bool:
        """Whether the folder holds a discriminator (not if trained without one)."""
        return (self.path / DISCRIMINATOR).exists()

    def load_generator(self, device: torch.device | str = "cpu") -> Generator:
        """Build the generator with its weights, in evaluation mode.

        It takes normalised images (see `normalise`) and returns logits.
        """
        return _filled(self._meta_generator(), self.path / GENERATOR, device)

    def load_discriminator(self, device: torch.device | str = "cpu") -> Discriminator:
        """Build the discriminator with its weights, in evaluation mode."""
        return _filled(self._meta_discriminator(), self.path / DISCRIMINATOR, device)

    def normalise(self, image: Tensor) -> Tensor:
        """Standardise each channel: (B, C, H, W) of any dtype -> float32."""
        return standardise(image, self.facts.mean, self.facts.std)

    def _meta_generator(self) -> Generator:
        with torch.device("meta"):
            return build_generator(self.facts.network, len(self.facts.channel_names))

    def _meta_discriminator(self) -> Discriminator:
        with torch.device("meta"):
            return build_discriminator(self.facts.network, len(self.facts.channel_names))


def build_generator(network: NetworkSettings, in_channels: int) -> Generator:
    """Build the generator that the settings describe."""
    return Generator(in_channels, network.width, network.depth, dropout=network.dropout)


def build_discriminator(network: NetworkSettings, in_channels: int) -> Discriminator:
    """Build the discriminator that the settings describe: it also sees one mask channel."""
    return Discriminator(in_channels + 1, network.discriminator_width, network.discriminator_layers)


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
        {
            "architecture": facts.network.model_dump(),
            "channels": list(facts.channel_names),
            "dtype": facts.dtype,
            "normalisation": {"mean": list(facts.mean), "std": list(facts.std)},
            "resize": facts.resize.as_table(),
            "crop_size": facts.crop_size,
            "foreground": list(facts.foreground),
            "threshold": facts.threshold,
            "scores": dict(facts.scores),
            "provenance": dict(facts.provenance),
            "contents": sorted(facts.contents),
        },
        says="A crosspatch model: what it is, what it eats, where it comes from.",
    )
    write_text(folder / "README.md", _card(facts))


def save_weights(path: Path, network: nn.Module) -> None:
    """Write a network's tensors; safetensors wants them contiguous, channels-last ones are not."""
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()
    }
    save_file(tensors, path)
    path.chmod(0o644)  # safetensors makes files that only their owner reads


def _filled(network: _Network, path: Path, device: torch.device | str) -> _Network:
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


def _parse_facts(path: Path) -> ModelFacts:
    table = read_toml(path)
    try:
        normalisation = table["normalisation"]
        facts = ModelFacts(
            network=NetworkSettings.model_validate(table["architecture"]),
            channel_names=tuple(str(name) for name in table["channels"]),
            mean=tuple(float(value) for value in normalisation["mean"]),
            std=tuple(float(value) for value in normalisation["std"]),
            dtype=str(table["dtype"]),
            resize=Resize.from_table(table["resize"], str(path)),
            crop_size=int(table["crop_size"]),
            foreground=tuple(str(name) for name in table["foreground"]),
            threshold=float(table["threshold"]),
            provenance=table.get("provenance", {}),
            scores=table.get("scores", {}),
            contents=frozenset(str(value) for value in table.get("contents", ())),
        )
    except KeyError as error:
        raise InputError(f"{path}: has no {error.args[0]!r}") from None
    except (ValidationError, TypeError, ValueError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None
    if not (len(facts.mean) == len(facts.std) == len(facts.channel_names) > 0):
        raise InputError(f"{path}: mean, std and channels must have one entry a channel")
    return facts


def _card(facts: ModelFacts) -> str:
    """Write the model card: data, licence, provenance, scores, limits."""
    provenance = facts.provenance
    lines = [
        "# Model card",
        "",
        f"Segments **{', '.join(facts.foreground)}** in images with the channels "
        f"{', '.join(facts.channel_names)} ({facts.dtype}).",
        "",
        f"- Network: PatchGAN U-Net, width {facts.network.width}, depth {facts.network.depth}",
        f"- Trained on: {provenance.get('data', 'not said')}",
        f"- Licence of the data: {provenance.get('licence') or 'not said'}",
        f"- Started from: {provenance.get('source') or 'random weights (from scratch)'}",
        f"- Labelled subjects spent: {len(facts.contents)}",
        f"- Steps: {provenance.get('steps', 'not said')}, seed {provenance.get('seed', '?')}",
        "",
        "## Scores",
        "",
        *(
            [f"- {name}: {value:.4g}" for name, value in facts.scores.items()]
            or ["None: there was no validation."]
        ),
        "",
        "Validation scores are of crops, from the same project as the training images; score whole "
        "subjects with `crosspatch evaluate`.",
        "",
        "## Limits",
        "",
        "One training run. It has seen only images like those above: other sensors, places or "
        "magnifications need a check on labelled subjects first. Masks are where the probability "
        f"is at least {facts.threshold:g}, a threshold that was not tuned.",
        "",
    ]
    return "\n".join(lines)
