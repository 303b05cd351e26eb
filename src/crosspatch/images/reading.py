"""Read images and masks; the one place of the program, with `writing`, that opens them."""

from pathlib import Path

import numpy as np

from crosspatch.errors import InputError
from crosspatch.files import PathLike
from crosspatch.images.image import SUFFIXES, Header, Image, NDPixels
from crosspatch.images.photos import read_photo, read_photo_header, read_photo_values
from crosspatch.images.tiff import read_tiff, read_tiff_header, read_tiff_values

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def find_images(folder: PathLike) -> list[Path]:
    """Files of a folder (not of its subfolders) with an image's suffix, sorted by name.

    Raises
    ------
    InputError
        ``folder`` is no folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder")
    found = (
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    return sorted(found, key=lambda path: path.name)


def read_header(path: PathLike) -> Header:
    """Shape and type of an image, from its header alone.

    Raises
    ------
    InputError
        The file is missing, not a PNG, JPEG or TIFF, damaged, or claims more pixels than its bytes
        can hold or than ``MAX_PIXELS``; nothing was decoded.
    """
    path = Path(path)
    return read_tiff_header(path) if is_tiff(path) else read_photo_header(path)


def read_image(path: PathLike) -> Image:
    """Read a PNG, JPEG, TIFF or GeoTIFF, told apart by content.

    Returns
    -------
    Image
        Pixels (C, H, W) in the dtype of the file. NaN stays as it is.

    Raises
    ------
    InputError
        As `read_header`, or the pixels are truncated.

    Notes
    -----
    - A palette becomes RGB; grey of 1, 2 and 4 bits is spread over 0..255.
    - An alpha channel of a PNG is dropped where every pixel is opaque, else the file is refused.
    - PNG and JPEG are turned upright by their EXIF orientation, as browsers show them. A TIFF's
      orientation tag is not followed, as in GDAL.
    - Every sample of a TIFF is a channel, also one that is marked as alpha: GDAL marks the fourth
      band of any 4-band image so.
    """
    path = Path(path)
    return read_tiff(path) if is_tiff(path) else read_photo(path)


def read_mask(path: PathLike) -> NDPixels:
    """Read a mask: the stored values, palette indices included.

    Returns
    -------
    (H, W) array of integers
        Not yet interpreted: 255 may mean foreground or ignored.

    Raises
    ------
    InputError
        As `read_image`; or the mask is a JPEG, holds floats, or channels that differ.
    """
    path = Path(path)
    values = read_tiff_values(path) if is_tiff(path) else read_photo_values(path)
    if values.dtype.kind not in "ui":
        raise InputError(f"{path}: a mask holds whole numbers, this one {values.dtype}")
    if (values != values[:1]).any():
        raise InputError(
            f"{path}: a mask has one channel; this one has {len(values)}, and they differ"
        )
    return np.ascontiguousarray(values[0])


def is_tiff(path: Path) -> bool:
    """Whether a readable file is a TIFF (true) or a PNG or JPEG (false)."""
    try:
        with path.open("rb") as file:
            magic = file.read(8)
    except FileNotFoundError:
        raise InputError(f"{path}: does not exist") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if magic[:4] in _TIFF_MAGIC:
        return True
    if magic == b"\x89PNG\r\n\x1a\n" or magic[:3] == b"\xff\xd8\xff":
        return False
    raise InputError(f"{path}: is not a PNG, JPEG or TIFF image")
