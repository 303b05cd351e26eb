"""Subjects in pictures: what the image shows, what people drew, what the model drew."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from crosspatch.images.pictures import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    TRUE_POSITIVE,
    Colour,
    Picture,
    agreement,
    near_infrared_rgb,
    overlay,
    to_rgb,
)
from crosspatch.reports.page import Strip

LEGEND: tuple[tuple[Colour, str], ...] = (
    (TRUE_POSITIVE, "found: in the mask and in the prediction"),
    (FALSE_NEGATIVE, "missed: in the mask only"),
    (FALSE_POSITIVE, "too much: in the prediction only"),
)


def best_view(pixels: NDArray[Any], channel_names: Sequence[str] | None) -> tuple[str, Picture]:
    """Show an image (C, H, W) the way its foreground is seen best, and say which way that is.

    Near infrared where there is one: plants glow in it.
    """
    infrared = near_infrared_rgb(pixels, channel_names)
    if infrared is not None:
        return "near infrared", infrared
    return "image", to_rgb(pixels, channel_names)


def compared(
    title: str,
    pixels: NDArray[Any],
    channel_names: Sequence[str] | None,
    mask: NDArray[Any],
    prediction: NDArray[Any],
) -> Strip:
    """Lay out a subject whose mask is known: image, mask, and where the prediction agrees.

    Parameters
    ----------
    title : heading of the strip
    pixels : (C, H, W) array
    channel_names : C names, or None
    mask : (H, W) uint8 of 0, 1, 255
    prediction : (H, W) uint8 or bool, 1 where foreground is predicted
    """
    label, view = best_view(pixels, channel_names)
    tiles = [("natural colour", to_rgb(pixels, channel_names))] if label != "image" else []
    tiles += [
        (label, view),
        ("mask", overlay(view, mask)),
        ("prediction against mask", agreement(view, prediction, mask)),
    ]
    return Strip(title, tiles)


def mapped(
    title: str,
    pixels: NDArray[Any],
    channel_names: Sequence[str] | None,
    prediction: NDArray[Any],
) -> Strip:
    """Lay out a subject that nobody has outlined: image and prediction."""
    label, view = best_view(pixels, channel_names)
    tiles = [("natural colour", to_rgb(pixels, channel_names))] if label != "image" else []
    return Strip(title, [*tiles, (label, view), ("prediction", overlay(view, prediction))])


def drawn(
    title: str, pixels: NDArray[Any], channel_names: Sequence[str] | None, mask: NDArray[Any]
) -> list[tuple[str, Picture]]:
    """Give two tiles of a labelled subject: as it looks, and with its mask."""
    _, view = best_view(pixels, channel_names)
    return [(title, to_rgb(pixels, channel_names)), (f"{title}, mask", overlay(view, mask))]
