"""Pictures for people: natural and false colour, overlays, agreement, contact sheets.

Pictures are (H, W, 3) uint8, red, green, blue. Colours are Okabe and Ito's (2008), told apart
by colour-blind readers as well.
"""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont
from scipy import ndimage

from crosspatch.images.image import NDPixels

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

ORANGE: Colour = (230, 159, 0)
SKY_BLUE: Colour = (86, 180, 233)
GREEN: Colour = (0, 158, 115)
YELLOW: Colour = (240, 228, 66)
BLUE: Colour = (0, 114, 178)
VERMILLION: Colour = (213, 94, 0)
PURPLE: Colour = (204, 121, 167)

TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = SKY_BLUE, VERMILLION, YELLOW
"""Colours of `agreement`: found, painted too much, missed."""

_IGNORED = 255
_INFRARED = frozenset({"nir", "nearinfrared", "infrared"})
_STRETCH = (1.0, 99.0)  # percentiles that become black and white
_SAMPLE = 1_000_000  # values that the percentiles are taken from


def to_rgb(
    pixels: NDPixels,
    channel_names: Sequence[str] | None = None,
    *,
    known: NDArray[np.bool_] | None = None,
) -> Picture:
    """Show an image in natural colour, or as near to it as its channels go.

    Parameters
    ----------
    pixels : (C, H, W) array of numbers
        NaN and infinity are shown black.
    channel_names : sequence of C str, optional
        Channels called red, green and blue are shown as such, in whatever order they stand.
        Without them: one or two channels are shown grey by the first; three as red, green, blue;
        four or more as blue, green, red, ... (the order of Landsat, Sentinel-2 and Floating
        Forests).
    known : (H, W) bool, optional
        Where the image holds data (`crosspatch.images.holds_data`): what the stretch is taken from.

    Returns
    -------
    (H, W, 3) uint8
        Stretched between percentiles 1 and 99. Grey and three-channel images have one stretch, so
        that their hues stay; bands of a sensor (four or more) each have their own.
    """
    bands = natural_bands(len(pixels), channel_names)
    return stretched(pixels[bands], together=len(pixels) <= 3, known=known)


def natural_bands(channels: int, channel_names: Sequence[str] | None = None) -> list[int]:
    """Positions, from 0, of the one or three channels that `to_rgb` shows."""
    names = _clean(channel_names)
    if {"red", "green", "blue"} <= set(names):
        return [names.index(colour) for colour in ("red", "green", "blue")]
    if channels < 3:
        return [0]
    return [0, 1, 2] if channels == 3 else [2, 1, 0]


def stretched(
    pixels: NDPixels, *, together: bool, known: NDArray[np.bool_] | None = None
) -> Picture:
    """Show one channel grey, or three as red, green, blue, stretched as `to_rgb` says.

    Parameters
    ----------
    pixels : (1 or 3, H, W) array of numbers
    together : bool
        One stretch for all, so that hues stay; else each channel its own.
    known : (H, W) bool, optional
        As in `to_rgb`.

    Returns
    -------
    (H, W, 3) uint8
    """
    planes = [_stretch(plane, pixels if together else plane, known) for plane in pixels]
    return np.stack(planes * (3 // len(planes)), axis=2)


def near_infrared_rgb(
    pixels: NDPixels,
    channel_names: Sequence[str] | None = None,
    *,
    known: NDArray[np.bool_] | None = None,
) -> Picture | None:
    """Show near infrared as red, red as green, green as blue: plants glow red, water is dark.

    Parameters
    ----------
    pixels : (C, H, W) array of numbers
        As in `to_rgb`.
    channel_names : sequence of C str, optional
        One of them is nir, near infrared or infrared; without names, four channels are taken for
        blue, green, red, near infrared.
    known : (H, W) bool, optional
        As in `to_rgb`.

    Returns
    -------
    (H, W, 3) uint8, or None where there is no near infrared
    """
    bands = infrared_bands(len(pixels), channel_names)
    if bands is None:
        return None
    return stretched(pixels[bands], together=len(pixels) <= 3, known=known)


def infrared_bands(channels: int, channel_names: Sequence[str] | None = None) -> list[int] | None:
    """Positions, from 0, of what `near_infrared_rgb` shows; None where there is none."""
    names = _clean(channel_names)
    if not names and channels == 4:
        names = ["blue", "green", "red", "nir"]
    infrared = [index for index, name in enumerate(names) if name in _INFRARED]
    if not infrared or "red" not in names or "green" not in names:
        return None
    return [infrared[0], names.index("red"), names.index("green")]


def stretched_planes(
    pixels: NDPixels, *, known: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """Stretch every channel as `to_rgb` does, for showing any three of them together.

    Parameters
    ----------
    pixels : (C, H, W) array of numbers
        NaN and infinity become 0.
    known : (H, W) bool, optional
        As in `to_rgb`.

    Returns
    -------
    (C, H, W) uint8
    """
    together = len(pixels) <= 3
    return np.stack([_stretch(plane, pixels if together else plane, known) for plane in pixels])


def overlay(
    picture: Picture, mask: NDArray[Any], colour: Colour = ORANGE, opacity: float = 0.3
) -> Picture:
    """Tint the foreground of a mask and draw its outline; hatch what is ignored.

    Parameters
    ----------
    picture : (H, W, 3) uint8
        Not changed.
    mask : (H, W) bool or uint8
        0 background, 1 foreground, 255 ignored.
    colour : (red, green, blue)
        Of tint and outline.
    opacity : float
        Of the tint, in [0, 1]; the outline is opaque.

    Returns
    -------
    (H, W, 3) uint8
    """
    foreground = mask == 1
    shown = _tint(_hatch(picture, mask == _IGNORED), foreground, colour, opacity)
    return outline(shown, foreground, colour)


def outline(picture: Picture, foreground: NDArray[np.bool_], colour: Colour = ORANGE) -> Picture:
    """Draw the inner edge of a foreground (H, W), with a dark rim outside it for contrast.

    The line is 1 pixel wide, 2 where the shorter side has 192 pixels or more.
    """
    width = 1 if min(foreground.shape) < 192 else 2
    near = _around(foreground, width + 1)  # an outline is small, and many are drawn on a picture
    inside = foreground[near]
    inner = ndimage.binary_erosion(inside, iterations=width, border_value=1)
    rim = ndimage.binary_dilation(inside) & ~inside
    drawn = picture.copy()
    drawn[near] = _tint(_tint(picture[near], rim, (0, 0, 0), 0.45), inside & ~inner, colour, 1.0)
    return drawn


def _around(region: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """Frame what is set in (H, W), with a margin; nothing where nothing is."""
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return slice(0), slice(0)
    return (
        slice(max(int(rows[0]) - margin, 0), int(rows[-1]) + margin + 1),
        slice(max(int(columns[0]) - margin, 0), int(columns[-1]) + margin + 1),
    )


def agreement(picture: Picture, prediction: NDArray[Any], mask: NDArray[Any]) -> Picture:
    """Show where a predicted mask and a drawn one agree, over a greyed picture.

    Parameters
    ----------
    picture : (H, W, 3) uint8
        Not changed.
    prediction : (H, W) bool or uint8
        1 where foreground is predicted.
    mask : (H, W) uint8
        0 background, 1 foreground, 255 ignored (hatched).

    Returns
    -------
    (H, W, 3) uint8
        ``TRUE_POSITIVE``, ``FALSE_POSITIVE`` and ``FALSE_NEGATIVE`` in their colours.
    """
    predicted, drawn, ignored = prediction == 1, mask == 1, mask == _IGNORED
    grey = picture.mean(axis=2, keepdims=True).astype(np.uint8).repeat(3, axis=2)
    shown = _tint(_hatch(grey, ignored), predicted & drawn, TRUE_POSITIVE, 0.5)
    shown = _tint(shown, predicted & ~drawn & ~ignored, FALSE_POSITIVE, 0.8)
    return _tint(shown, ~predicted & drawn, FALSE_NEGATIVE, 0.8)


def contact_sheet(
    tiles: Sequence[Picture], captions: Sequence[str], *, columns: int, cell: int = 256
) -> Picture:
    """Lay pictures out in rows, a caption under each.

    Parameters
    ----------
    tiles : sequence of (H, W, 3) uint8
        Of any sizes; each is shrunk into its cell, or magnified by a whole factor.
    captions : sequence of str
        One a tile; cut with an ellipsis where they are wider than a cell.
    columns : int
        Tiles in a row.
    cell : int
        Side of a cell in pixels.

    Returns
    -------
    (height, width, 3) uint8

    Raises
    ------
    ValueError
        Captions and tiles differ in number, or there is no tile.
    """
    if len(captions) != len(tiles) or not tiles:
        raise ValueError(f"{len(captions)} captions for {len(tiles)} tiles")
    gap, size = max(cell // 32, 4), max(cell // 18, 11)
    font = ImageFont.load_default(size)
    line = size + size // 2
    fitted = [_fit(tile, cell) for tile in tiles]
    rows = [fitted[start : start + columns] for start in range(0, len(fitted), columns)]
    heights = [max(tile.height for tile in row) + line + gap for row in rows]
    width = min(columns, len(fitted)) * (cell + gap) + gap
    sheet = PillowImage.new("RGB", (width, sum(heights) + gap), "white")
    draw = ImageDraw.Draw(sheet)
    top, texts = gap, iter(captions)
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            left = gap + column * (cell + gap)
            sheet.paste(tile, (left + (cell - tile.width) // 2, top))
            text = _shorten(next(texts), font, cell)
            draw.text((left + cell // 2, top + height - gap - line), text, "#333333", font, "ma")
        top += height
    return np.asarray(sheet)


def to_png_bytes(picture: Picture, *, colours: int | None = None) -> bytes:
    """Encode a picture (H, W, 3) uint8 as PNG; in so many ``colours`` (to 256) as a smaller one."""
    drawn = PillowImage.fromarray(np.ascontiguousarray(picture))
    if colours is not None:
        drawn = drawn.quantize(colours, PillowImage.Quantize.MAXCOVERAGE)  # rare colours stay
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG")
    return buffer.getvalue()


def to_jpeg_bytes(picture: Picture) -> bytes:
    """Encode a picture (H, W, 3) uint8 as a JPEG of good quality: to look at, not to measure."""
    buffer = io.BytesIO()
    PillowImage.fromarray(np.ascontiguousarray(picture)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def to_data_uri(picture: Picture, *, colours: int | None = None) -> str:
    """Encode a picture (H, W, 3) uint8 as a PNG inside an address, for pages that stand alone."""
    png = to_png_bytes(picture, colours=colours)
    return "data:image/png;base64," + base64.b64encode(png).decode()


def shrink(picture: Picture, side: int) -> Picture:
    """Make a picture (H, W, 3) uint8 smaller, so that its longer side is ``side`` at most."""
    return np.asarray(_fit(picture, side)) if max(picture.shape[:2]) > side else picture


def _clean(channel_names: Sequence[str] | None) -> list[str]:
    return [
        "".join(letter for letter in name.lower() if letter.isalnum())
        for name in channel_names or ()
    ]


def _stretch(
    plane: NDPixels, reference: NDPixels, known: NDArray[np.bool_] | None = None
) -> Picture:
    """Map the reference's percentiles to 0 and 255; without contrast, the dtype's own range.

    A no-data value, such as -9999, says nothing of how bright the rest is.
    """
    if known is not None and not known.all():
        reference = reference[..., known]
    flat = reference.ravel()
    sample = flat[:: max(flat.size // _SAMPLE, 1)]
    sample = sample[np.isfinite(sample)]
    low, high = np.percentile(sample, _STRETCH) if sample.size else (0.0, 1.0)
    if high <= low:
        limits = np.iinfo(plane.dtype) if plane.dtype.kind in "ui" else None
        low, high = (limits.min, limits.max) if limits else (0.0, 1.0)
    if plane.dtype.itemsize > 2 or plane.dtype.kind == "f":
        return _scale(plane, low, high)
    # A table of all values of the type is quicker than arithmetic on every pixel.
    unsigned = np.dtype(f"u{plane.dtype.itemsize}")
    values = np.arange(2 ** (8 * unsigned.itemsize), dtype=unsigned).view(plane.dtype)
    picture: Picture = _scale(values, low, high)[plane.view(unsigned)]
    return picture


def _scale(values: NDPixels, low: float, high: float) -> Picture:
    scaled = (values.astype(np.float32) - low) * (255.0 / (high - low))
    clipped: NDArray[np.float32] = np.clip(np.nan_to_num(scaled, posinf=0.0), 0, 255)
    return np.rint(clipped).astype(np.uint8)


def _tint(picture: Picture, region: NDArray[np.bool_], colour: Colour, opacity: float) -> Picture:
    tinted = picture.copy()
    inside = tinted[region]  # (N, 3)
    for channel, level in enumerate(colour):
        table = np.rint(np.arange(256) * (1 - opacity) + level * opacity).astype(np.uint8)
        inside[:, channel] = table[inside[:, channel]]
    tinted[region] = inside
    return tinted


def _hatch(picture: Picture, region: NDArray[np.bool_]) -> Picture:
    """Fade a region and rule it with diagonal lines, to be seen on dark and bright alike."""
    height, width = region.shape
    diagonals = np.arange(height)[:, np.newaxis] + np.arange(width)
    faded = _tint(picture, region, (255, 255, 255), 0.5)
    return _tint(faded, region & (diagonals % 10 < 2), (90, 90, 90), 1.0)


def _fit(tile: Picture, cell: int) -> PillowImage.Image:
    picture = PillowImage.fromarray(np.ascontiguousarray(tile))
    longest = max(picture.size)
    if longest > cell:
        width, height = (max(round(side * cell / longest), 1) for side in picture.size)
        return picture.resize((width, height), PillowImage.Resampling.LANCZOS)
    factor = cell // longest
    size = (picture.width * factor, picture.height * factor)
    return picture.resize(size, PillowImage.Resampling.NEAREST)


def _shorten(text: str, font: Any, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
