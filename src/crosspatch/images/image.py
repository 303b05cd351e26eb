"""What an image is here: pixels in channel, row, column order, and what the file says of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
"""Suffixes, in lower case, of files that are taken for images."""

MAX_PIXELS = 2**31
"""Most values (channels x height x width) that one image may hold; more is refused unread.

46,340 x 46,340 grey pixels, or a whole 13-band Sentinel-2 tile at 10 m.
"""

DTYPES = frozenset(
    np.dtype(name)
    for name in (
        "uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64",
    )
)  # fmt: skip
"""Pixel types that are read and written; the program is at home in the first four and float32."""

NDPixels = NDArray[Any]


@dataclass(frozen=True)
class Georeference:
    """Where an image lies on the ground.

    Attributes
    ----------
    crs : str
        Coordinate reference system, ``EPSG:32610`` or WKT; empty when the file gives none.
    transform : tuple of 6 floats
        (a, b, c, d, e, f) as in GDAL and rasterio: x = a col + b row + c, y = d col + e row + f,
        for pixel corners; pixel (0, 0) covers [0, 1) x [0, 1).
    nodata : float or None
        Value of pixels that hold nothing.
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]
    nodata: float | None = None


@dataclass(frozen=True)
class Header:
    """What a file claims, found plausible, before any pixel is decoded.

    Attributes
    ----------
    channels, height, width : int
        Shape that ``read_image`` will give.
    dtype : numpy dtype
        Type that ``read_image`` will give, in native byte order.
    format : str
        "PNG", "JPEG" or "TIFF", from the content, whatever the suffix says.
    """

    channels: int
    height: int
    width: int
    dtype: np.dtype[Any]
    format: str


@dataclass(frozen=True)
class Image:
    """A decoded image.

    Attributes
    ----------
    pixels : (C, H, W) array
        In the dtype of the file.
    channel_names : tuple of str, or None
        As the file declares them: band descriptions of a TIFF; red, green, blue of a colour PNG
        or JPEG.
    georeference : Georeference or None
        Of a GeoTIFF, when the extra ``geo`` is installed.
    declared_nodata : float or None
        What a TIFF's own tag says of pixels that hold nothing; for where there is no georeference.
    hidden : (H, W) bool array, or None
        Pixels that a mask inside the TIFF rules out.
    """

    pixels: NDPixels
    channel_names: tuple[str, ...] | None = None
    georeference: Georeference | None = None
    declared_nodata: float | None = None
    hidden: NDArray[np.bool_] | None = None

    @property
    def nodata(self) -> float | None:
        """Value of pixels that hold nothing, with or without the extra ``geo``."""
        return self.georeference.nodata if self.georeference else self.declared_nodata

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Where the image holds data, (H, W) bool; see `holds_data` and ``hidden``."""
        valid = holds_data(self.pixels, self.nodata)
        return valid if self.hidden is None else valid & ~self.hidden


def holds_data(pixels: NDPixels, nodata: float | None = None) -> NDArray[np.bool_]:
    """Tell pixels that hold something from those that do not.

    A pixel holds nothing where any channel is NaN or infinite, or where all channels have the
    file's no-data value (GDAL's rule: one channel alone may have that value by right).

    Parameters
    ----------
    pixels : (C, H, W) array
    nodata : float, optional

    Returns
    -------
    (H, W) bool array
    """
    valid: NDArray[np.bool_] = np.ones(pixels.shape[1:], dtype=np.bool_)
    if pixels.dtype.kind == "f":
        valid &= np.isfinite(pixels).all(axis=0)
    if nodata is not None:
        valid &= (pixels != nodata).any(axis=0)
    return valid


def check_claim(
    path: Path, header: Header, stored: int, capacity: int, *, whole: bool = True
) -> None:
    """Refuse a header that asks for more than the program reads or its file can hold.

    Parameters
    ----------
    path : Path
        Named in the message.
    header : Header
        What the file claims.
    stored : int
        Bytes of the pixels as the file lays them out, before compression.
    capacity : int
        Most such bytes that a file of this size and compression can hold.
    whole : bool
        Whether all of it is to be in memory at once; else ``MAX_PIXELS`` does not count.

    Raises
    ------
    InputError
        The claim is empty, larger than ``MAX_PIXELS``, or larger than the file can hold.
    """
    values = header.channels * header.height * header.width
    size = f"{header.width:,} x {header.height:,} pixels of {header.channels} channels"
    if values <= 0:
        raise InputError(f"{path}: claims {size}; there is nothing to read")
    if whole and values > MAX_PIXELS:
        raise InputError(
            f"{path}: claims {size}, more than the {MAX_PIXELS:,} values that are read at once; "
            "cut it into tiles"
        )
    if stored > capacity:
        raise InputError(
            f"{path}: claims {size}, more than its bytes can hold; it is damaged or truncated"
        )
