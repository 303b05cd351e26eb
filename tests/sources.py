"""Source models for tests: random weights with a description, trained on nothing."""

from pathlib import Path

import torch

from crosspatch import Model
from crosspatch.config import NetworkSettings
from crosspatch.crops.recipes import Resize
from crosspatch.models.facts import ModelFacts
from crosspatch.models.storage import build_discriminator, build_generator, save_model

NETWORK = NetworkSettings(width=4, depth=4, discriminator_width=4)
RGB, BANDS = ("red", "green", "blue"), ("blue", "green", "red", "nir")


def make_source(
    path: Path, channels=RGB, *, network=NETWORK, discriminator=True, contents=(), **facts
) -> Model:
    """Save a model whose every tensor, batch-norm statistics included, is random."""
    count = len(channels)
    random = torch.Generator().manual_seed(sum(map(ord, path.name)))
    networks = [build_generator(network, count), build_discriminator(network, count)]
    for one in networks:
        for tensor in one.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=random) / 8 + 0.1)
            else:
                tensor.fill_(7)  # batches that batch norm has seen
    provenance = facts.pop("provenance", {"data": "photos of a test", "licence": "CC BY 4.0"})
    told = ModelFacts(
        network=network,
        channel_names=tuple(channels),
        mean=(100.0,) * count,
        std=(50.0,) * count,
        dtype="uint8",
        resize=Resize("none"),
        crop_size=64,
        foreground=("person",),
        contents=frozenset(contents),
        provenance=provenance,
        **facts,
    )
    save_model(path, told, networks[0], networks[1] if discriminator else None)
    return Model.open(path)
