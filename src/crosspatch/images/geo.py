"""Georeference of GeoTIFF files, by rasterio (the extra ``geo``)."""

from pathlib import Path
from typing import Any

from crosspatch.errors import CrosspatchError, InputError, MissingExtraError
from crosspatch.images.image import Georeference, NDPixels

_LOCATING_TAGS = (33550, 33922, 34264, 34735, 42113)  # scale, tie points, matrix, keys, nodata
_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


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
    try:
        import rasterio
    except ImportError:
        return None
    try:
        # No look at neighbouring files: what the image says of itself is all that counts.
        with (
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
            rasterio.open(path.absolute(), driver="GTiff") as source,
        ):
            crs = source.crs.to_string() if source.crs else ""
            transform = tuple(float(value) for value in source.transform[:6])
            nodata = None if source.nodata is None else float(source.nodata)
    except rasterio.errors.RasterioError as error:
        raise InputError(f"{path}: its georeference cannot be read ({error})") from None
    if not crs and transform == _IDENTITY and nodata is None:
        return None
    return Georeference(crs, transform, nodata)  # type: ignore[arg-type]


def geotiff_bytes(
    pixels: NDPixels, georeference: Georeference, channel_names: tuple[str, ...] | None
) -> bytes:
    """Encode (C, H, W) as a deflated GeoTIFF.

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
        raise MissingExtraError("writing a georeference", "geo") from None
    channels, height, width = pixels.shape
    located = georeference.transform != _IDENTITY
    try:
        with MemoryFile() as memory:
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
        raise CrosspatchError(f"the georeference cannot be written ({error})") from None
