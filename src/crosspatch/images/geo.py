"""Georeference of GeoTIFF files, by rasterio (the extra ``geo``)."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from crosspatch.errors import CrosspatchError, InputError, MissingExtraError
from crosspatch.images.image import Georeference, NDPixels

_LOCATING_TAGS = (33550, 33922, 34264, 34735, 42113)  # scale, tie points, matrix, keys, nodata
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""The transform of an image that lies nowhere: columns and rows as they are."""


def is_located(tags: Any) -> bool:
    """Whether a TIFF's tags hold a georeference or a nodata value."""
    return any(code in tags for code in _LOCATING_TAGS)


def read_georeference(path: Path) -> Georeference | None:
    """Georeference of a GeoTIFF; None without rasterio, or where ground control points stand alone.

    Raises
    ------
    InputError
        GDAL cannot read the file.
    """
    with _opened(path) as source:
        return None if source is None else georeference_of(source)


def georeference_of(source: Any) -> Georeference | None:
    """Georeference of a file that rasterio has open; None where it lies nowhere."""
    crs = source.crs.to_string() if source.crs else ""
    a, b, c, d, e, f = (float(value) for value in source.transform[:6])
    nodata = None if source.nodata is None else float(source.nodata)
    if not crs and (a, b, c, d, e, f) == IDENTITY and nodata is None:
        return None
    return Georeference(crs, (a, b, c, d, e, f), nodata)


def read_band_pixels(path: Path) -> NDPixels | None:
    """Pixels (C, H, W) as GDAL decodes them; None without rasterio."""
    with _opened(path) as source:
        return None if source is None else np.asarray(source.read())


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a TIFF by rasterio, or give None where that is not installed."""
    try:
        import rasterio
    except ImportError:
        yield None
        return
    try:
        # No look at neighbouring files: what the image says of itself is all that counts.
        with (
            warnings.catch_warnings(),
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
        ):
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with rasterio.open(path.absolute(), driver="GTiff") as source:
                yield source
    except rasterio.errors.RasterioError as error:
        raise InputError(f"{path}: GDAL cannot read it ({error})") from None


def geotiff_bytes(
    path: Path, pixels: NDPixels, georeference: Georeference, channel_names: tuple[str, ...] | None
) -> bytes:
    """Encode (C, H, W) as a deflated GeoTIFF; ``path`` is named in messages.

    Raises
    ------
    MissingExtraError
        rasterio is not installed.
    CrosspatchError
        GDAL refuses the reference system or the nodata value.
    """
    try:
        import rasterio
        from rasterio.io import MemoryFile
    except ImportError:
        raise MissingExtraError(f"{path}: writing a georeference", "geo") from None
    channels, height, width = pixels.shape
    located = georeference.transform != IDENTITY
    try:
        with warnings.catch_warnings(), MemoryFile() as memory:
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with memory.open(
                driver="GTiff", count=channels, height=height, width=width, dtype=pixels.dtype,
                crs=georeference.crs or None,
                transform=rasterio.Affine(*georeference.transform) if located else None,
                nodata=georeference.nodata,
                compress="deflate", photometric="minisblack", alpha="unspecified",
                interleave="band", bigtiff="if_safer",
            ) as target:  # fmt: skip
                target.write(pixels)
                if channel_names:
                    target.descriptions = channel_names
            return bytes(memory.read())
    except (rasterio.errors.RasterioError, ValueError) as error:
        raise CrosspatchError(f"{path}: the georeference cannot be written ({error})") from None
