"""TIFF files, by tifffile: what the tags say decides, nothing is guessed from sizes."""

import html
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile

from crosspatch.errors import InputError
from crosspatch.images import geo
from crosspatch.images.image import DTYPES, Header, Image, NDPixels, check_claim

# Most bytes that one stored byte can become, by compression tag; other codecs know no limit.
_RATIOS = {1: 1, 5: 1400, 7: 2048, 8: 1032, 32773: 64, 32946: 1032}
_BEST_RATIO = 100_000
_MAX_PAGES = 4096
_PALETTE = 3
_GDAL_METADATA = 42112
_BAND_NAME = re.compile(
    r'<Item name="DESCRIPTION" sample="(\d+)" role="description">([^<]*)</Item>'
)

# Without a handler of its own, tifffile's remarks on damaged files reach the terminal.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def read_tiff_header(path: Path) -> Header:
    """Header of a TIFF; see `crosspatch.images.read_header`."""
    with _opened(path) as file:
        return _checked_header(path, _channel_pages(path, file), palette=True)


def read_tiff(path: Path) -> Image:
    """Pixels, channel names and georeference of a TIFF; see `crosspatch.images.read_image`."""
    with _opened(path) as file:
        pages = _channel_pages(path, file)
        header = _checked_header(path, pages, palette=True)
        pixels = _values(path, pages)
        if pages[0].photometric == _PALETTE:
            pixels = _apply_palette(path, pages[0], pixels)
        names = _channel_names(pages[0], header.channels)
        located = geo.is_located(pages[0].tags)
    return Image(pixels, names, geo.read_georeference(path) if located else None)


def read_tiff_values(path: Path) -> NDPixels:
    """Read a TIFF's stored values, (C, H, W): palette indices as they are."""
    with _opened(path) as file:
        pages = _channel_pages(path, file)
        _checked_header(path, pages, palette=False)
        return _values(path, pages)


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open; whatever tifffile raises on damaged bytes becomes an InputError."""
    try:
        with tifffile.TiffFile(path) as file:
            yield file
    except InputError:
        raise
    except Exception as error:  # tifffile and its codecs raise anything on hostile bytes
        raise InputError(f"{path}: cannot be decoded ({error})") from None


def _channel_pages(path: Path, file: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    """Pages that together are the image: one, or one a channel where the file says so."""
    if len(file.pages) > _MAX_PAGES:
        raise InputError(f"{path}: holds {len(file.pages)} pages; save one file a page")
    pages = [
        page
        for page in file.pages
        if isinstance(page, tifffile.TiffPage) and not page.subfiletype & 0b101  # overview, mask
    ]
    if len(pages) <= 1:
        return pages or [file.pages.first]
    series = file.series[0]
    declared = set(series.axes) - set("YX")
    if len(series.pages) != len(pages) or not declared <= {"C", "Q", "S"}:
        raise InputError(
            f"{path}: holds {len(pages)} pages (a stack, a film or several images); "
            "save one file a page, or declare the pages as channels"
        )
    return pages


def _checked_header(path: Path, pages: list[tifffile.TiffPage], *, palette: bool) -> Header:
    page = pages[0]
    if page.dtype is None:
        raise InputError(f"{path}: its pixel type is not supported")
    dtype = np.dtype(np.uint8) if page.bitspersample == 1 else page.dtype.newbyteorder("=")
    channels = page.samplesperpixel * len(pages)
    if palette and page.photometric == _PALETTE:
        channels, dtype = 3, np.dtype(np.uint8)
    header = Header(channels, page.imagelength, page.imagewidth, dtype, "TIFF")
    if dtype not in DTYPES:
        raise InputError(f"{path}: holds {dtype} pixels; convert them to 8, 16 or 32 bits")
    ratio = _RATIOS.get(int(page.compression), _BEST_RATIO)
    check_claim(path, header, path.stat().st_size * ratio)
    return header


def _values(path: Path, pages: list[tifffile.TiffPage]) -> NDPixels:
    """Decode to (C, H, W), native byte order."""
    planes = []
    for page in pages:
        plane = page.asarray()
        if page.samplesperpixel > 1 and page.planarconfig == 1:
            plane = np.moveaxis(plane, -1, 0)
        planes.append(plane.reshape(-1, page.imagelength, page.imagewidth))
    pixels = np.concatenate(planes) if len(planes) > 1 else planes[0]
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    return np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))


def _apply_palette(path: Path, page: tifffile.TiffPage, pixels: NDPixels) -> NDPixels:
    """Turn indices (1, H, W) into 8-bit RGB (3, H, W)."""
    colours = np.asarray(page.colormap)  # (3, 2^bits) uint16
    return np.ascontiguousarray((colours >> 8).astype(np.uint8)[:, pixels[0]])


def _channel_names(page: tifffile.TiffPage, channels: int) -> tuple[str, ...] | None:
    """Band descriptions as GDAL stores them (escaped twice), if every channel has one."""
    tag = page.tags.get(_GDAL_METADATA)
    if tag is None:
        return None
    found = {
        int(band): html.unescape(html.unescape(name))
        for band, name in _BAND_NAME.findall(str(tag.value))
    }
    names = tuple(found.get(band, "") for band in range(channels))
    return names if all(names) else None
