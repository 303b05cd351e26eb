"""The picture sheet beside a queue: those to label next, those in need, those to retire."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch.dataset import Subject
from crosspatch.errors import InputError
from crosspatch.feedback.observe import Observer
from crosspatch.feedback.table import Decision, QueueRow
from crosspatch.images import pictures
from crosspatch.images.resize import resize_image, resize_mask
from crosspatch.metrics import IGNORED

EACH = 8
"""Pictures of a kind, at most."""
_COLUMNS = 4
_SHOWN: tuple[Decision, ...] = ("next", "people", "retire")


def pick(rows: Sequence[QueueRow]) -> list[QueueRow]:
    """Choose the rows to show: the first to label next and in need; the first at all without any.

    Of the retired some from the least sure to the surest, since all of them are to be believed.
    """
    shown: list[QueueRow] = []
    for decision in _SHOWN:
        some = [row for row in rows if row.decision == decision]
        if decision == "retire" and len(some) > EACH:
            some = [some[place * (len(some) - 1) // (EACH - 1)] for place in range(EACH)]
        shown += some[:EACH]
    return shown or list(rows[:EACH])


def draw_sheet(
    observer: Observer, rows: Sequence[QueueRow], subjects: Mapping[str, Subject], cell: int = 256
) -> pictures.Picture:
    """Draw the model's mask over each chosen subject, its place and decision below.

    Returns
    -------
    (height, width, 3) uint8
    """
    tiles, captions = [], []
    for row in pick(rows):
        try:
            image = observer.dataset.read_image(subjects[row.name])
            mask = observer.mask_of(image)
        except InputError:
            continue  # it could be read a moment ago
        tiles.append(_overlay(image.pixels, observer.dataset.channel_names, mask, 2 * cell))
        captions.append(f"{row.rank} {row.decision}: {row.name}")
    return pictures.contact_sheet(tiles, captions, columns=_COLUMNS, cell=cell)


def _overlay(
    pixels: NDArray[Any], names: Sequence[str] | None, mask: NDArray[np.uint8], side: int
) -> pictures.Picture:
    """Draw a mask (H, W) over its image (C, H, W), at most ``side`` pixels a side."""
    shrink = side / max(mask.shape)
    if shrink < 1:
        size = (max(1, round(mask.shape[0] * shrink)), max(1, round(mask.shape[1] * shrink)))
        pixels, mask = resize_image(pixels, size), resize_mask(mask, size)
    picture = pictures.to_rgb(pixels, names, known=mask != IGNORED)
    return pictures.overlay(picture, mask)
