"""Three generated domains, each by a generator of its own that shares no form with the others.

They stand for what the paper transfers between: photos of people, droplets in electron
microscopy, kelp on satellite images. They let everything run without data; a score on them says
nothing about real images. They were tuned to be beyond any threshold on a band or band index, and
within reach of a small network in minutes; not to make one domain help another. Everything is made
again, to the bit, by the same seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from crosspatch.crops.generated import droplets, kelp, photos
from crosspatch.dataset import Dataset, new_dataset
from crosspatch.errors import SettingsError
from crosspatch.files import PathLike
from crosspatch.progress import Progress, silent
from crosspatch.splits import DEFAULT_SHARES, seeded_split

Domain = Literal["photos", "droplets", "kelp"]
ORIGIN = "generated"
SMALLEST = 64


@dataclass(frozen=True)
class _Generator:
    module: Any  # offers style(rng), subject(style, height, width, rng) and CHANNELS
    stream: int  # of random numbers, so that no domain follows another
    size: tuple[int, int]
    foreground: str


_GENERATORS: dict[Domain, _Generator] = {
    "photos": _Generator(photos, 1, (256, 256), "person"),
    "droplets": _Generator(droplets, 2, (512, 512), "droplet"),
    "kelp": _Generator(kelp, 3, (350, 350), "kelp"),
}


def generate(
    domain: Domain,
    out: PathLike,
    *,
    subjects: int = 64,
    unlabelled: int = 0,
    per_scene: int = 4,
    size: tuple[int, int] | None = None,
    shares: Mapping[str, float] = DEFAULT_SHARES,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Dataset:
    """Make a data set of generated images and masks.

    Parameters
    ----------
    domain : "photos" (red, green, blue), "droplets" (three equal channels) or "kelp" (blue,
        green, red, nir); all uint8
    out : the data set folder to make
    subjects : labelled ones
    unlabelled : further ones without a mask, from scenes of their own
    per_scene : subjects of one scene, which share its style and are one group
    size : (height, width), pixels; by default 256 x 256, 512 x 512 and 350 x 350
    shares : of the subjects in each split, met by whole scenes
    seed : the same seed makes the same files

    Raises
    ------
    SettingsError
        Unknown domain, no subjects, or a size under 64 pixels.
    """
    if domain not in get_args(Domain):
        raise SettingsError(f"no domain {domain!r}: choose from {', '.join(get_args(Domain))}")
    generator = _GENERATORS[domain]
    height, width = size or generator.size
    if subjects < 1 or unlabelled < 0 or per_scene < 1 or min(height, width) < SMALLEST:
        raise SettingsError(
            f"generated data need at least one subject a scene and {SMALLEST} x {SMALLEST} pixels"
        )
    labelled = _names(domain, "", subjects, per_scene)
    splits = seeded_split(
        [name for name, _ in labelled], [scene for _, scene in labelled], shares, seed
    )
    everything = labelled + _names(domain, "new-", unlabelled, per_scene)
    with new_dataset(
        out,
        channels=generator.module.CHANNELS,
        foreground=generator.foreground,
        licence="CC0-1.0",
        origin=ORIGIN,
        overwrite=overwrite,
    ) as writer:
        for done, (name, scene) in enumerate(everything):
            progress(f"generating {domain}", done, len(everything))
            pixels, mask = _draw(generator, name, scene, height, width, seed)
            known = name in splits
            writer.add(name, pixels, mask if known else None, split=splits.get(name), group=scene)
    progress(f"generating {domain}", len(everything), len(everything))
    return Dataset.open(out, seed=seed)


def _names(domain: str, prefix: str, count: int, per_scene: int) -> list[tuple[str, str]]:
    """List (subject, scene) names."""
    scenes = [f"{domain}-{prefix}{number // per_scene:03d}" for number in range(count)]
    return [(f"{scene}-{number % per_scene}", scene) for number, scene in enumerate(scenes)]


def _draw(
    generator: _Generator, name: str, scene: str, height: int, width: int, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw one subject from random numbers of its own: how many others there are is no matter."""
    streams = [
        np.random.default_rng([seed, generator.stream, *what.encode()]) for what in (scene, name)
    ]
    style = generator.module.style(streams[0])
    pixels, mask = generator.module.subject(style, height, width, streams[1])
    return pixels, mask
