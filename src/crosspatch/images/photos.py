"""PNG and JPEG files, by Pillow: headers, images and the stored values of masks.

Pillow's two readers are called by name, never through ``PIL.Image.open``: that one tries every
format it knows on hostile bytes, and warns about large images instead of refusing lies.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ImageFile, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from crosspatch.errors import InputError
from crosspatch.images.image import Header, Image, NDPixels, check_claim

_DEFLATE_RATIO = 1032  # zlib's own limit: 258 bytes from two bits
_JPEG_RATIO = 8 * 64 * 4  # one bit for a block of 8 x 8, one plane subsampled 4 times
_RGB = ("red", "green", "blue")
_MODES = {"1": 1, "L": 1, "I;16": 1, "P": 3, "RGB": 3, "LA": 1, "RGBA": 3}
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap height and width


def read_photo_header(path: Path) -> Header:
    """Header of a PNG or JPEG; see `crosspatch.images.read_header`."""
    with _opened(path) as file:
        return _checked_header(path, file)


def read_photo(path: Path) -> Image:
    """Pixels of a PNG or JPEG; see `crosspatch.images.read_image`."""
    with _opened(path) as file:
        header = _checked_header(path, file)
        pixels = _display_pixels(path, file)
    return Image(pixels, _RGB if header.channels == 3 else None)


def read_photo_values(path: Path) -> NDPixels:
    """Read a PNG's stored values, (C, H, W): palette indices, low-bit grey levels as they are."""
    with _opened(path) as file:
        if isinstance(file, JpegImageFile):
            raise InputError(
                f"{path}: is a JPEG, whose compression changes a mask's values; use PNG or TIFF"
            )
        _checked_header(path, file)
        mode, raw = file.mode, _raw_mode(file)
        if mode not in ("1", "L", "P", "I;16"):
            return _display_pixels(path, file)
        values = np.asarray(file)
        if mode == "1":
            values = values.astype(np.uint8)
        elif raw in ("L;2", "L;4"):  # Pillow spreads them over 0..255
            values = values // np.uint8(85 if raw == "L;2" else 17)
        return np.array(values)[np.newaxis]


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    """Open by content; whatever Pillow raises on damaged bytes becomes an InputError."""
    try:
        with path.open("rb") as stream:
            png = stream.read(4) == b"\x89PNG"
            stream.seek(0)
            with (PngImageFile if png else JpegImageFile)(stream) as file:
                yield file
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError) as error:
        raise InputError(f"{path}: cannot be decoded ({error})") from None


def _checked_header(path: Path, file: ImageFile.ImageFile) -> Header:
    if file.mode not in _MODES:
        raise InputError(f"{path}: has colour mode {file.mode}; save it as grey or RGB")
    width, height = file.size
    if file.getexif().get(0x0112) in _SIDEWAYS:
        width, height = height, width
    dtype = np.dtype(np.uint16 if ";16" in _raw_mode(file) else np.uint8)
    channels = 1 if _raw_mode(file) == "LA;16B" else _MODES[file.mode]
    header = Header(channels, height, width, dtype, file.format or "")
    ratio = _JPEG_RATIO if isinstance(file, JpegImageFile) else 8 * 3 * _DEFLATE_RATIO
    check_claim(path, header, path.stat().st_size * ratio)
    return header


def _raw_mode(file: ImageFile.ImageFile) -> str:
    """How the file stores its samples, such as "RGB;16B" (Pillow calls both depths "RGB")."""
    if not file.tile:
        return file.mode
    args = file.tile[0].args
    return str(args[0] if isinstance(args, tuple) else args)


def _display_pixels(path: Path, file: ImageFile.ImageFile) -> NDPixels:
    """Decode to (C, H, W) as a viewer shows it: turned upright, palette applied, opaque."""
    raw = _raw_mode(file)
    if raw in ("RGB;16B", "RGBA;16B", "LA;16B"):
        raise InputError(f"{path}: 16-bit colour is not read yet")
    ImageOps.exif_transpose(file, in_place=True)
    if file.mode == "P" or "transparency" in file.info:
        pixels = np.asarray(file.convert("RGBA"))
    elif file.mode == "1":
        pixels = np.asarray(file.convert("L"))
    else:
        pixels = np.asarray(file)
    pixels = np.atleast_3d(pixels).transpose(2, 0, 1)  # (H, W, C) -> (C, H, W)
    return np.ascontiguousarray(_without_alpha(path, pixels))


def _without_alpha(path: Path, pixels: NDPixels) -> NDPixels:
    if len(pixels) in (1, 3):
        return pixels
    if (pixels[-1] != np.iinfo(pixels.dtype).max).any():
        raise InputError(f"{path}: has transparent pixels; flatten it onto a background first")
    return pixels[:-1]
