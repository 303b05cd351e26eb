"""What a model folder says of itself in ``model.toml``, beyond the weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from crosspatch.config import NetworkSettings
from crosspatch.crops.packed import DTYPES
from crosspatch.crops.recipes import LARGEST_CROP, Resize
from crosspatch.errors import InputError
from crosspatch.files import read_toml


@dataclass(frozen=True)
class ModelFacts:
    """What ``model.toml`` says."""

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
    source_contents: frozenset[str] = frozenset()
    """The same of the model it was started from, and of those before."""

    @property
    def seen(self) -> frozenset[str]:
        """Content fingerprints of every subject that had a say in the weights."""
        return self.contents | self.source_contents

    def as_table(self) -> dict[str, Any]:
        """Return the tables of ``model.toml``."""
        return {
            "architecture": self.network.model_dump(exclude_none=True),
            "channels": list(self.channel_names),
            "dtype": self.dtype,
            "normalisation": {"mean": list(self.mean), "std": list(self.std)},
            "resize": self.resize.as_table(),
            "crop_size": self.crop_size,
            "foreground": list(self.foreground),
            "threshold": self.threshold,
            "scores": dict(self.scores),
            "provenance": dict(self.provenance),
            "contents": sorted(self.contents),
            "source_contents": sorted(self.source_contents),
        }


def read_facts(path: Path) -> ModelFacts:
    """Read ``model.toml``.

    Raises
    ------
    InputError
        It is no such file, or does not say what it must.
    """
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
            provenance=dict(table.get("provenance", {})),
            scores=dict(table.get("scores", {})),
            contents=frozenset(str(value) for value in table.get("contents", ())),
            source_contents=frozenset(str(value) for value in table.get("source_contents", ())),
        )
    except KeyError as error:
        raise InputError(f"{path}: has no {error.args[0]!r}") from None
    except (ValidationError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None
    if facts.dtype not in DTYPES:
        raise InputError(f"{path}: the dtype {facts.dtype!r} is none of ours")
    if not (len(facts.mean) == len(facts.std) == len(facts.channel_names) > 0):
        raise InputError(f"{path}: mean, std and channels must have one entry a channel")
    if not np.isfinite((*facts.mean, *facts.std)).all():
        raise InputError(f"{path}: mean or std is no number to standardise with")
    if not (1 <= facts.crop_size <= LARGEST_CROP and 0 <= facts.threshold <= 1):
        raise InputError(
            f"{path}: crop_size must be from 1 to {LARGEST_CROP}, and threshold from 0 to 1"
        )
    return facts
