"""The contact sheet: outlines, votes and mask of easy, typical and hard subjects, side by side."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from crosspatch.images import pictures
from crosspatch.volunteers.consensus import Votes, count_votes

_COLOURS = (
    pictures.ORANGE, pictures.SKY_BLUE, pictures.GREEN, pictures.YELLOW,
    pictures.VERMILLION, pictures.PURPLE,
)  # fmt: skip
_BLANK = 40  # grey level behind the outlines of a subject without a picture
_COLUMNS = 3


@dataclass(frozen=True)
class SheetRow:
    """One subject on the sheet.

    Attributes
    ----------
    caption : what stands under it, for example "easy: 1234567"
    filled : (V, H, W) bool, one volunteer each
    mask : (H, W) uint8 of 0, 1, 255; None where the subject was skipped
    picture : (H, W, 3) uint8 of the image, or None
    """

    caption: str
    filled: NDArray[np.bool_]
    mask: NDArray[np.uint8] | None
    picture: pictures.Picture | None = None


def pick_rows(difficulty: Mapping[str, float], each: int = 3) -> list[tuple[str, str]]:
    """Choose the subjects to show: the easiest, those around the median, the hardest.

    Parameters
    ----------
    difficulty : subject -> 1 - mean pairwise Dice; subjects of nan (one voter) are left out
    each : how many of each kind

    Returns
    -------
    (subject, "easy" | "typical" | "hard"), easiest first, nobody twice
    """
    known = {name: value for name, value in difficulty.items() if not math.isnan(value)}
    order = sorted(known, key=lambda name: (known[name], name))
    if len(order) <= 3 * each:
        third = len(order) / 3
        kinds = ["easy", "typical", "hard"]
        return [(name, kinds[min(int(place / third), 2)]) for place, name in enumerate(order)]
    middle = (len(order) - each) // 2
    return (
        [(name, "easy") for name in order[:each]]
        + [(name, "typical") for name in order[middle : middle + each]]
        + [(name, "hard") for name in order[-each:]]
    )


def votes_picture(votes: Votes) -> pictures.Picture:
    """Colour the vote fraction from black (nobody) to yellow (everybody), (H, W, 3) uint8."""
    return np.asarray(colormaps["inferno"](votes.fractions(), bytes=True)[..., :3], np.uint8)


def outlines_picture(
    filled: NDArray[np.bool_], picture: pictures.Picture | None
) -> pictures.Picture:
    """Draw the edge of what each volunteer filled, in six colours in turn, (H, W, 3) uint8."""
    height, width = filled.shape[1:]
    shown = np.full((height, width, 3), _BLANK, np.uint8) if picture is None else picture
    for place, one in enumerate(filled):
        shown = pictures.outline(shown, one, _COLOURS[place % len(_COLOURS)])
    return shown


def contact_sheet(rows: Iterable[SheetRow], cell: int = 256) -> pictures.Picture:
    """Lay out three tiles a subject: outlines, votes, mask.

    Returns
    -------
    (height, width, 3) uint8
    """
    tiles: list[pictures.Picture] = []
    captions: list[str] = []
    for row in rows:
        votes = count_votes(row.filled)
        tiles += [
            outlines_picture(row.filled, row.picture),
            votes_picture(votes),
            _mask_picture(row),
        ]
        made = "no mask" if row.mask is None else "mask"
        captions += [row.caption, f"{votes.voters} volunteers' votes", made]
    return pictures.contact_sheet(tiles, captions, columns=_COLUMNS, cell=cell)


def _mask_picture(row: SheetRow) -> pictures.Picture:
    height, width = row.filled.shape[1:]
    blank = np.full((height, width, 3), _BLANK, np.uint8)
    behind = blank if row.picture is None else row.picture
    if row.mask is None:
        return behind
    opacity = 0.9 if row.picture is None else 0.3
    return pictures.overlay(behind, row.mask, opacity=opacity)
