"""PNG and JPEG files, by Pillow: headers, images and the stored values of masks.

Pillow's two readers are called by name, never through ``PIL.Image.open``: that one tries every
format it knows on hostile bytes, and warns about large images instead of refusing lies.
"""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from crosspatch.errors import InputError
from crosspatch.images.image import Header, Image, NDPixels, check_claim

Photo = PngImageFile | JpegImageFile

RGB = ("red", "green", "blue")
"""What the three channels of a colour PNG or JPEG are, by definition of the formats."""

_DEFLATE_RATIO = 1032  # zlib's own limit: 258 bytes from two bits
_JPEG_PIXELS = 8 * 64 * 4  # a byte: at best one bit a block of 8 x 8, one plane subsampled 4 times
_ORIENTATION = 0x0112
_UPRIGHT = {  # EXIF orientation -> what turns it upright
    2: PillowImage.Transpose.FLIP_LEFT_RIGHT,
    3: PillowImage.Transpose.ROTATE_180,
    4: PillowImage.Transpose.FLIP_TOP_BOTTOM,
    5: PillowImage.Transpose.TRANSPOSE,
    6: PillowImage.Transpose.ROTATE_270,
    7: PillowImage.Transpose.TRANSVERSE,
    8: PillowImage.Transpose.ROTATE_90,
}
_SIDEWAYS = 5  # from this orientation on, height and width change places
_LAYOUTS = {  # Pillow's raw mode -> (bits a pixel as stored, channels without alpha)
    "1": (1, 1), "L;2": (2, 1), "L;4": (4, 1), "L": (8, 1), "I;16B": (16, 1),
    "LA": (16, 1), "LA;16B": (32, 1),
    "P;1": (1, 3), "P;2": (2, 3), "P;4": (4, 3), "P": (8, 3),
    "RGB": (24, 3), "RGB;16B": (48, 3), "RGBA": (32, 3), "RGBA;16B": (64, 3),
}  # fmt: skip


def read_photo_header(path: Path) -> Header:
    """Header of a PNG or JPEG; see `crosspatch.images.read_header`."""
    with _opened(path) as file:
        return _checked_header(path, file)


def read_photo(path: Path) -> Image:
    """Pixels of a PNG or JPEG; see `crosspatch.images.read_image`."""
    with _opened(path) as file:
        header = _checked_header(path, file)
        pixels = _without_alpha(path, _display_pixels(path, file))
    return Image(pixels, RGB if header.channels == 3 else None)


def read_photo_values(path: Path) -> NDPixels:
    """Read a PNG's stored values, (C, H, W): palette indices, low-bit grey levels as they are."""
    with _opened(path) as file:
        if isinstance(file, JpegImageFile):
            raise InputError(
                f"{path}: is a JPEG, whose compression changes a mask's values; use PNG or TIFF"
            )
        _checked_header(path, file)
        layout = _layout(file)
        if _LAYOUTS[layout][0] > 8 or layout == "RGB":
            return _without_alpha(path, _display_pixels(path, file))
        values = np.array(file, dtype=np.uint8)
        if layout in ("L;2", "L;4"):  # Pillow spreads them over 0..255
            values //= 85 if layout == "L;2" else 17
        return values[np.newaxis]


@contextmanager
def _opened(path: Path) -> Iterator[Photo]:
    """Open by content; whatever Pillow raises on damaged bytes becomes an InputError."""
    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on broken EXIF and the like
            png = stream.read(4) == b"\x89PNG"
            stream.seek(0)
            with PngImageFile(stream) if png else JpegImageFile(stream) as file:
                yield file
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, LookupError, struct.error) as error:
        raise InputError(f"{path}: cannot be decoded ({error})") from None


def _checked_header(path: Path, file: Photo) -> Header:
    layout = _layout(file)
    if layout not in _LAYOUTS:
        raise InputError(f"{path}: has colour mode {file.mode}; save it as grey or RGB")
    bits, channels = _LAYOUTS[layout]
    width, height = file.size
    size = path.stat().st_size
    if isinstance(file, JpegImageFile):
        stored, capacity = width * height, size * _JPEG_PIXELS
    else:
        stored, capacity = height * (1 + (width * bits + 7) // 8), size * _DEFLATE_RATIO
    if _orientation(file) >= _SIDEWAYS:
        width, height = height, width
    dtype = np.dtype(np.uint16 if "16" in layout else np.uint8)
    header = Header(channels, height, width, dtype, file.format or "")
    check_claim(path, header, stored, capacity)
    return header


def _layout(file: Photo) -> str:
    """How the file stores its samples, such as "RGB;16B" (Pillow calls both depths "RGB")."""
    if not file.tile:
        raise ValueError("it holds no pixels")
    args = file.tile[0].args
    return str(args[0] if isinstance(args, tuple) else args)


def _orientation(file: Photo) -> int:
    """EXIF orientation of a JPEG, 1 to 8; 1 (upright) where it says nothing that makes sense."""
    if not isinstance(file, JpegImageFile):
        return 1
    try:
        value: Any = file.getexif().get(_ORIENTATION, 1)
    except Exception:  # cameras and editors leave broken EXIF behind; the pixels are fine
        return 1
    return value if value in _UPRIGHT else 1


def _display_pixels(path: Path, file: Photo) -> NDPixels:
    """Decode to (C, H, W) as a viewer shows it: upright, palette applied, alpha still there."""
    layout, turn = _layout(file), _UPRIGHT.get(_orientation(file))
    if layout in ("RGB;16B", "RGBA;16B", "LA;16B"):
        pixels = _deep_pixels(path, layout)
    elif "transparency" in file.info and layout != "I;16B":
        pixels = np.asarray(file.convert("RGBA" if _LAYOUTS[layout][1] == 3 else "LA"))
    elif layout.startswith("P"):
        pixels = np.asarray(file.convert("RGB"))
    elif layout == "1":
        pixels = np.asarray(file.convert("L"))
    else:
        pixels = np.asarray(file.transpose(turn) if turn is not None else file)
    return np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1))  # (H, W, C) -> (C, H, W)


def _deep_pixels(path: Path, layout: str) -> NDPixels:
    """Decode 16-bit colour to (H, W, C), of which Pillow keeps 8 bits: high bytes, then low ones.

    Its unpackers for the two byte orders differ in the byte that they keep. Grey with alpha has no
    such pair, but its four bytes a pixel unpack like 8-bit RGBA.
    """
    if layout == "LA;16B":
        four = _unpacked(path, "RGBA")
        return four[..., 0::2] << 8 | four[..., 1::2]
    return _unpacked(path, layout) << 8 | _unpacked(path, layout[:-1] + "L")


def _unpacked(path: Path, layout: str) -> NDPixels:
    with _opened(path) as file:
        file.tile = [tile._replace(args=layout) for tile in file.tile]
        return np.array(file).astype(np.uint16)


def _without_alpha(path: Path, pixels: NDPixels) -> NDPixels:
    """Drop an alpha channel that says nothing; refuse one that does."""
    if len(pixels) in (1, 3):
        return pixels
    if (pixels[-1] != np.iinfo(pixels.dtype).max).any():
        raise InputError(f"{path}: has transparent pixels; flatten it onto a background first")
    return np.ascontiguousarray(pixels[:-1])
