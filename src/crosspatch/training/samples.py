"""Which crops a run trains and validates on, and in which order: functions of the seed alone.

A sample is (crop, version). The order is a stream of seeded permutations, one an epoch, cut into
batches; any batch can be named by its step without having drawn those before it, which is what
makes a resumed run equal to an uninterrupted one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crosspatch.crops import Crops
from crosspatch.errors import InputError
from crosspatch.splits import nested_fraction, set_aside

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Chosen:
    """Crops of one run: rows of the pack, and the subjects whose labels they spend."""

    train: Indices
    validation: Indices
    subjects: tuple[str, ...]
    """Training and validation subjects inside the fraction: the labels spent."""
    said: tuple[str, ...]
    """What a person should know about the choice."""


def choose(crops: Crops, fraction: float, validation_share: float, seed: int) -> Chosen:
    """Take a fraction of the training subjects, by group, and set some aside for validation.

    A ``val`` split of the crops is used whole; otherwise validation comes out of the fraction.

    Raises
    ------
    InputError
        There is no training crop, or none that knows any pixel.
    """
    split = np.asarray(crops.table["split"])
    subject = np.asarray(crops.table["subject"])
    group_of = dict(zip(subject, crops.table["group"], strict=True))
    names = sorted(set(subject[split == "train"]))
    if not names:
        raise InputError(f"{crops.path}: holds no training crops")
    kept = {names[i] for i in nested_fraction([group_of[n] for n in names], fraction, seed)}
    inside = [name for name in names if name in kept]
    said = []
    if (split == "val").any():
        aside = set(subject[split == "val"])
    else:
        groups = [group_of[name] for name in inside]
        chosen_groups = set_aside(groups, validation_share, seed)
        aside = {name for name in inside if group_of[name] in chosen_groups}
        if not aside and validation_share:
            said.append(
                f"{len(set(groups))} group(s) of subjects are too few to set "
                f"{validation_share:.0%} aside: nothing is validated"
            )
    train = np.flatnonzero(np.isin(subject, [name for name in inside if name not in aside]))
    validation = np.flatnonzero(np.isin(subject, sorted(aside)))
    if not _any_holds(crops, train, lambda mask: mask == 1):
        if not _any_holds(crops, train, lambda mask: mask != 255):
            raise InputError(
                f"{crops.path}: all pixels of the {len(train)} training crops to learn from are "
                "ignored (255): look at what the data set's masks and its mask_values say"
            )
        said.append("no training crop holds foreground: the model will learn to draw nothing")
    return Chosen(
        train.astype(np.int64), validation.astype(np.int64), tuple(sorted(kept | aside)),
        tuple(said),
    )  # fmt: skip


def _any_holds(
    crops: Crops, rows: Indices, which: Callable[[NDArray[np.uint8]], NDArray[np.bool_]]
) -> bool:
    """Stop at the first crop with such a pixel: packs can be larger than memory."""
    return any(bool(which(crops.masks[row]).any()) for row in rows)


class Order:
    """The order of samples: batch ``step`` is a pure function of the seed.

    Parameters
    ----------
    crops : (N,) int64 array
        Rows of the pack.
    versions : tuple of int
        Versions of each crop, indices of the dihedral group.
    batch : int
        Samples of a batch; batches run on across the end of an epoch, so all have this size.
    seed : int
    """

    def __init__(self, crops: Indices, versions: tuple[int, ...], batch: int, seed: int) -> None:
        self.crops = np.repeat(crops, len(versions))
        self.versions = np.tile(np.asarray(versions, dtype=np.int64), len(crops))
        self.batch = batch
        self.seed = seed
        self._cached: tuple[int, Indices] = (-1, np.empty(0, dtype=np.int64))

    def __len__(self) -> int:
        """Count the samples of an epoch."""
        return len(self.crops)

    def at(self, step: int) -> tuple[Indices, Indices]:
        """Rows and versions, (batch,) int64 each, of the batch that step ``step`` trains on."""
        positions = np.arange(step * self.batch, (step + 1) * self.batch)
        epochs, places = np.divmod(positions, len(self))
        rows = np.concatenate(
            [self._permutation(int(epoch))[places[epochs == epoch]] for epoch in np.unique(epochs)]
        )
        return self.crops[rows], self.versions[rows]

    def _permutation(self, epoch: int) -> Indices:
        if self._cached[0] != epoch:
            drawn = np.random.default_rng([self.seed, epoch]).permutation(len(self))
            self._cached = (epoch, drawn.astype(np.int64))
        return self._cached[1]
