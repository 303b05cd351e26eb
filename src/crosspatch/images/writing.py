"""Write images and masks, whole or not at all; what a format cannot hold is an error."""

import html
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image as PillowImage

from crosspatch.errors import CrosspatchError
from crosspatch.files import PathLike, write_bytes
from crosspatch.images.geo import geotiff_bytes
from crosspatch.images.image import DTYPES, Georeference, NDPixels
from crosspatch.images.photos import RGB

_GDAL_METADATA = 42112


def write_image(
    path: PathLike,
    pixels: NDPixels,
    *,
    georeference: Georeference | None = None,
    channel_names: tuple[str, ...] | None = None,
) -> None:
    """Write an image in the format of its suffix: ``.png`` or ``.tif`` (deflated, lossless).

    Parameters
    ----------
    path : path
        PNG holds uint8 and uint16 with 1 or 3 channels, and no georeference; TIFF holds all.
    pixels : (C, H, W) array
        Any of ``DTYPES``.
    georeference : Georeference, optional
        Needs the extra ``geo``.
    channel_names : tuple of C str, optional
        Band descriptions; a PNG of 3 channels may say ("red", "green", "blue").

    Raises
    ------
    CrosspatchError
        The format cannot hold this, or the disk refuses it.
    """
    path = Path(path)
    names = None if channel_names is None else tuple(channel_names)
    _check(path, pixels, names)
    if path.suffix.lower() in (".tif", ".tiff"):
        write_bytes(path, _tiff_bytes(path, pixels, georeference, names))
    elif path.suffix.lower() == ".png":
        if georeference is not None:
            raise CrosspatchError(f"{path}: a PNG holds no georeference; write a .tif")
        if names not in (None, RGB):
            raise CrosspatchError(f"{path}: a PNG holds no channel names {names}; write a .tif")
        write_bytes(path, _png_bytes(path, pixels))
    else:
        raise CrosspatchError(f"{path}: images are written as .png or .tif")


def write_mask(path: PathLike, mask: NDPixels, *, georeference: Georeference | None = None) -> None:
    """Write a mask (H, W) of uint8 as PNG or TIFF; errors as `write_image`."""
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise CrosspatchError(
            f"{path}: a mask is (H, W) of uint8, not {mask.shape} of {mask.dtype}"
        )
    if Path(path).suffix.lower() == ".png" and georeference is None and mask.size:
        write_bytes(path, _mask_png_bytes(mask))
    else:
        write_image(path, mask[np.newaxis], georeference=georeference)


def _check(path: Path, pixels: NDPixels, names: tuple[str, ...] | None) -> None:
    if pixels.ndim != 3 or 0 in pixels.shape:
        raise CrosspatchError(f"{path}: an image is (C, H, W), not {pixels.shape}")
    if pixels.dtype not in DTYPES:
        raise CrosspatchError(f"{path}: {pixels.dtype} pixels are not written")
    if names is not None and len(names) != len(pixels):
        raise CrosspatchError(f"{path}: {len(names)} channel names for {len(pixels)} channels")
    if names is not None and not all(names):
        raise CrosspatchError(f"{path}: a channel name is empty")


def _tiff_bytes(
    path: Path, pixels: NDPixels, georeference: Georeference | None, names: tuple[str, ...] | None
) -> bytes:
    """Encode (C, H, W) as a deflated TIFF, one plane a channel, or a GeoTIFF."""
    if georeference is not None:
        return geotiff_bytes(path, pixels, georeference, names)
    items = "".join(
        f'<Item name="DESCRIPTION" sample="{band}" role="description">{name}</Item>'
        for band, name in enumerate(html.escape(html.escape(name)) for name in names or ())
    )
    xml = f"<GDALMetadata>{items}</GDALMetadata>"
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        pixels if len(pixels) > 1 else pixels[0],
        photometric="minisblack",
        planarconfig="separate" if len(pixels) > 1 else None,
        compression="zlib",
        predictor=pixels.dtype.kind in "ui",  # floats would need the extra em
        metadata=None,
        software=False,
        extratags=[(_GDAL_METADATA, 2, 0, xml.encode(), True)] if names else [],
    )
    return buffer.getvalue()


def _png_bytes(path: Path, pixels: NDPixels) -> bytes:
    """Encode (1 or 3, H, W) of uint8 or uint16 as PNG."""
    if len(pixels) not in (1, 3) or pixels.dtype not in (np.uint8, np.uint16):
        raise CrosspatchError(
            f"{path}: a PNG holds 1 or 3 channels of uint8 or uint16, not {len(pixels)} of "
            f"{pixels.dtype}; write a .tif"
        )
    if pixels.dtype == np.uint16:
        return _deep_png_bytes(pixels)
    buffer = io.BytesIO()
    rows = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)  # (H, W) or (H, W, 3)
    PillowImage.fromarray(np.ascontiguousarray(rows)).save(buffer, format="PNG")
    return buffer.getvalue()


def _deep_png_bytes(pixels: NDPixels) -> bytes:
    """Encode (1 or 3, H, W) of uint16: Pillow writes no 16-bit colour."""
    channels, height, width = pixels.shape
    rows = pixels.transpose(1, 2, 0).astype(">u2").reshape(height, -1).view(np.uint8)
    return _plain_png(rows, width, 16, 0 if channels == 1 else 2, zlib.compressobj())


def _mask_png_bytes(mask: NDPixels) -> bytes:
    """Encode (H, W) of uint8, searching for runs only: a third of Pillow's time, and smaller."""
    runs = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return _plain_png(mask, mask.shape[1], 8, 0, runs)


def _plain_png(rows: NDPixels, width: int, bits: int, colour: int, compressor: Any) -> bytes:
    """Make a PNG of rows of bytes, (H, bytes a row) uint8, without filters."""
    height, length = rows.shape
    filtered = np.zeros((height, length + 1), np.uint8)  # each row begins with filter 0: none
    filtered[:, 1:] = rows

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", compressor.compress(filtered) + compressor.flush())
        + chunk(b"IEND", b"")
    )
