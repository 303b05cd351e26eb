"""The input layer of a warm start: which of the source's channels feeds which of ours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from crosspatch.errors import SettingsError

Stem = Literal["skip", "copy", "mean"]


@dataclass(frozen=True)
class StemPlan:
    """Where the stem's weights come from.

    For each channel of the new network, ``origins`` holds the place of its channel in the source,
    or None where the source has none.
    """

    stem: Stem
    origins: tuple[int | None, ...]
    why: str = ""
    """Why the stem is fresh."""

    def weights(self, theirs: Tensor, channels: int) -> Tensor:
        """Lay the source's stem out for the new channels.

        Parameters
        ----------
        theirs : (D, channels + K, kh, kw) tensor
            The source's weights; K further inputs follow its image channels (the discriminator's
            mask) and keep their place at the end.
        channels : int
            Of the source's images.

        Returns
        -------
        (D, C + K, kh, kw) tensor
        """
        image, rest = theirs[:, :channels], theirs[:, channels:]
        new = image.mean(dim=1) if self.stem == "mean" else torch.zeros_like(image[:, 0])
        parts = [new if origin is None else image[:, origin] for origin in self.origins]
        return torch.cat([torch.stack(parts, dim=1), rest], dim=1)  # (D, C + K, kh, kw)

    def said(self, mine: Sequence[str], theirs: Sequence[str]) -> dict[str, str]:
        """Say for each of my channels where its weights come from."""
        new = "mean of the source's" if self.stem == "mean" else "zero"
        return {
            name: "fresh" if self.stem == "skip" else (new if origin is None else theirs[origin])
            for name, origin in zip(mine, self.origins, strict=True)
        }


def plan_stem(
    wish: Literal["auto", "skip", "copy", "mean"], mine: Sequence[str], theirs: Sequence[str]
) -> StemPlan:
    """Decide what becomes of the stem, from the names of the channels.

    Channels pair by name (case and punctuation do not matter). Where one side's are not named
    ("band 1", ...), equal numbers of them pair in order.

    Parameters
    ----------
    wish : "auto", "skip", "copy" or "mean"
    mine, theirs : sequences of str
        Channel names of the new model and of the source.

    Raises
    ------
    SettingsError
        ``copy``, and no channel pairs.
    """
    origins = _pair(mine, theirs)
    differ = f"channels differ: {', '.join(theirs)} -> {', '.join(mine)}"
    if wish == "auto":
        same = len(mine) == len(theirs) and None not in origins
        return StemPlan("copy" if same else "skip", origins, differ)
    if wish == "copy" and not any(origin is not None for origin in origins):
        raise SettingsError(
            f"--stem copy: no channel of the source is among ours ({differ}); use --stem mean, "
            "or --stem skip"
        )
    return StemPlan(wish, origins, "transfer.stem = skip")


def _pair(mine: Sequence[str], theirs: Sequence[str]) -> tuple[int | None, ...]:
    if _are_named(mine) and _are_named(theirs):
        plain = [_plain(name) for name in theirs]
        return tuple(plain.index(_plain(name)) if _plain(name) in plain else None for name in mine)
    if len(mine) == len(theirs):
        return tuple(range(len(mine)))
    return (None,) * len(mine)


def _are_named(channels: Sequence[str]) -> bool:
    """Packs of unnamed channels call them "band 1", "band 2", ..."""
    return list(channels) != [f"band {number}" for number in range(1, len(channels) + 1)]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
