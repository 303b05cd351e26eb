"""TIFF files, by tifffile: what the tags say decides, nothing is guessed from sizes."""

import html
import logging
import math
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from crosspatch.errors import CrosspatchError, InputError, MissingExtraError
from crosspatch.images import geo
from crosspatch.images.image import DTYPES, Header, Image, NDPixels, check_claim

# Most bytes that one stored byte can become, by compression tag; other codecs know no limit.
_RATIOS = {1: 1, 5: 1400, 7: 2048, 8: 1032, 32773: 64, 32946: 1032}
_BEST_RATIO = 100_000
_HOLE_RATIO = 1032  # segments left out of the file count as if well compressed
_JPEG = 7
_MAX_PAGES = 4096
_PALETTE = 3
_CONTIGUOUS = 1
_GDAL_METADATA, _GDAL_NODATA = 42112, 42113
_OVERVIEW, _MASK = 1, 4  # kinds of a page that is not the image, as bits
_BAND_NAME = re.compile(
    r'<Item name="DESCRIPTION" sample="(\d+)" role="description">([^<]*)</Item>'
)
_OTHER_FILE = re.compile(r'FileName="([^"]*)"')  # in OME-XML

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
        pixels = page_values(path, pages)
        if pages[0].photometric == _PALETTE:
            pixels = _apply_palette(path, pages[0], pixels)
        names = _channel_names(pages[0], header.channels)
        located = geo.is_located(pages[0].tags)
        nodata, hidden = _nodata(pages[0]), _hidden(path, file, header)
    place = geo.read_georeference(path) if located else None
    return Image(pixels, names, place, nodata, hidden)


def read_tiff_values(path: Path) -> NDPixels:
    """Read a TIFF's stored values, (C, H, W): palette indices as they are."""
    with _opened(path) as file:
        pages = _channel_pages(path, file)
        _checked_header(path, pages, palette=False)
        return page_values(path, pages)


@dataclass(frozen=True)
class TiffScan:
    """What a TIFF's tags say, found plausible, before any pixel is decoded.

    header : of one plane; pages : that are its channels; palette : whether it holds indices;
    channel_names : as in `Image`
    """

    header: Header
    pages: int
    palette: bool
    channel_names: tuple[str, ...] | None


def scan_tiff(path: Path) -> TiffScan:
    """Check a TIFF of any size, which is to be read by windows; errors as `read_tiff_header`."""
    with _opened(path) as file:
        pages = _channel_pages(path, file)
        header = _checked_header(path, pages, palette=False, whole=False)
        return TiffScan(
            header,
            len(pages),
            pages[0].photometric == _PALETTE,
            _channel_names(pages[0], header.channels),
        )


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open; whatever tifffile raises on damaged bytes becomes an InputError."""
    with explained(path), tifffile.TiffFile(path) as file:
        yield file


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn whatever tifffile raises on damaged bytes into an InputError."""
    try:
        yield
    except CrosspatchError:
        raise
    except Exception as error:  # tifffile and its codecs raise anything on hostile bytes
        raise InputError(f"{path}: cannot be decoded ({error})") from None


def _channel_pages(path: Path, file: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    """Pages that together are the image: one, or one a channel where the file says so."""
    pages = image_pages(path, file)
    if len(pages) == 1 and not file.is_imagej and not file.is_shaped:
        return pages
    refuse_several_files(path, file)
    series = file.series[0]
    planes = series.size // max(pages[0].size, 1)
    if planes != len(pages) or (planes > 1 and not set(series.axes) <= set("YXSCQ")):
        raise InputError(
            f"{path}: holds {max(planes, len(pages))} pages that are no channels (a stack, a film, "
            "several images); save one file a page"
        )
    return pages


def image_pages(path: Path, file: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    """Pages that hold pixels of the image itself, not its overviews and masks."""
    if len(file.pages) > _MAX_PAGES:
        raise InputError(f"{path}: holds {len(file.pages)} pages; save one file a page")
    pages = [
        page
        for page in file.pages
        if isinstance(page, tifffile.TiffPage) and not page.subfiletype & (_OVERVIEW | _MASK)
    ]
    if not pages:
        raise InputError(f"{path}: holds no image")
    return pages


def refuse_several_files(path: Path, file: tifffile.TiffFile) -> None:
    """Refuse an OME-TIFF that is one of a set."""
    if set(_OTHER_FILE.findall(file.ome_metadata or "")) - {path.name}:
        raise InputError(f"{path}: is spread over several files; save it as one plain TIFF")


def check_stack(path: Path, pages: list[tifffile.TiffPage]) -> Header:
    """Header of the first of many pages, after all have been found plausible."""
    _checked_header(path, pages, palette=False, whole=False)
    if pages[0].photometric == _PALETTE:
        raise InputError(f"{path}: is a stack of palette images; save it in grey or RGB")
    return _checked_header(path, pages[:1], palette=False)


def _checked_header(
    path: Path, pages: list[tifffile.TiffPage], *, palette: bool, whole: bool = True
) -> Header:
    page = pages[0]
    dtype = np.dtype(np.uint8) if page.bitspersample == 1 else page.dtype
    if dtype is None or dtype.newbyteorder("=") not in DTYPES or page.imagedepth != 1:
        raise InputError(
            f"{path}: holds {page.bitspersample}-bit {page.dtype} pixels; "
            "convert them to 8, 16 or 32 bits"
        )
    channels = page.samplesperpixel * len(pages)
    if palette and page.photometric == _PALETTE:
        channels, dtype = 3, np.dtype(np.uint8)
    header = Header(channels, page.imagelength, page.imagewidth, dtype.newbyteorder("="), "TIFF")
    size = path.stat().st_size
    stored = sum(_stored_bytes(plane) for plane in pages)
    ratio = _RATIOS.get(int(page.compression), _BEST_RATIO)
    check_claim(path, header, stored, size * max(ratio, _HOLE_RATIO), whole=whole)
    for plane in pages:
        _check_segments(path, plane, size, ratio)
    return header


def _stored_bytes(page: tifffile.TiffPage) -> int:
    """Bytes of a page before compression, padding of its tiles included."""
    if page.is_tiled:
        return math.prod(page.chunked) * math.prod(page.chunks) * page.bitspersample // 8
    row = page.imagewidth * page.bitspersample
    if page.planarconfig == _CONTIGUOUS:
        return page.imagelength * ((row * page.samplesperpixel + 7) // 8)
    return page.samplesperpixel * page.imagelength * ((row + 7) // 8)


def _check_segments(path: Path, page: tifffile.TiffPage, size: int, ratio: int) -> None:
    """Refuse a page whose strips or tiles are missing, leave the file, or hold too little."""
    starts, counts = page.dataoffsets, page.databytecounts
    lacking = math.prod(page.chunked) > min(len(starts), len(counts))
    if lacking or any(start + count > size for start, count in zip(starts, counts, strict=False)):
        raise InputError(f"{path}: its pixels lie outside the file; it is damaged or truncated")
    holes = 0 in counts  # GDAL leaves empty tiles out
    if not holes and sum(counts) * ratio < _stored_bytes(page):
        raise InputError(f"{path}: holds fewer pixels than it claims; it is damaged or truncated")


def page_values(path: Path, pages: list[tifffile.TiffPage]) -> NDPixels:
    """Decode to (C, H, W), native byte order."""
    planes = []
    for page in pages:
        plane = _decoded(path, page)
        if page.samplesperpixel > 1 and page.planarconfig == _CONTIGUOUS:
            plane = np.moveaxis(plane, -1, 0)
        planes.append(plane.reshape(-1, page.imagelength, page.imagewidth))
    pixels = np.concatenate(planes) if len(planes) > 1 else planes[0]
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    return np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))


def _decoded(path: Path, page: tifffile.TiffPage) -> NDPixels:
    """Decode one page as it lies; where tifffile lacks the codec, by rasterio if that is there."""
    if page.compression == _JPEG:
        _check_jpegs(path, page)
    try:
        return np.asarray(page.asarray())
    except (ValueError, ImportError) as error:
        if isinstance(error, ValueError) and "imagecodecs" not in str(error):
            raise
    pixels = geo.read_band_pixels(path) if page.index == 0 else None
    if pixels is None:
        name = getattr(page.compression, "name", page.compression)
        raise MissingExtraError(f"{path}: a TIFF compressed by {name}", "em")
    contiguous = page.samplesperpixel > 1 and page.planarconfig == _CONTIGUOUS
    return np.moveaxis(pixels, 0, -1) if contiguous else pixels


def _check_jpegs(path: Path, page: tifffile.TiffPage) -> None:
    """Refuse JPEG strips that claim more than their place: the decoder would believe them."""
    height = min(page.tilelength or page.rowsperstrip, page.tilelength or page.imagelength)
    width = page.tilewidth or page.imagewidth
    with path.open("rb") as file:
        for start, count in zip(page.dataoffsets, page.databytecounts, strict=False):
            file.seek(start)
            rows, columns = _jpeg_size(file.read(count)) if count else (0, 0)
            if rows > height or columns > width:
                raise InputError(f"{path}: a strip or tile claims more pixels than it has room for")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Height and width in the frame header of a JPEG stream; ValueError without one."""
    place = 2  # after the start marker
    while place + 9 <= len(data):
        if data[place] != 0xFF:
            break
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            rows, columns = struct.unpack_from(">HH", data, place + 5)
            return rows, columns
        else:
            place += 2 + int(struct.unpack_from(">H", data, place + 2)[0])
    raise ValueError("a JPEG strip or tile has no frame header")


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


def _nodata(page: tifffile.TiffPage) -> float | None:
    """Value of pixels that hold nothing as GDAL stores it, a number in text; None without one."""
    tag = page.tags.get(_GDAL_NODATA)
    try:
        return None if tag is None else float(str(tag.value))
    except ValueError:
        return None


def _hidden(path: Path, file: tifffile.TiffFile, image: Header) -> NDArray[np.bool_] | None:
    """Read where the file's own mask rules pixels out, as GDAL does; None where it has none."""
    for page in file.pages:
        if not isinstance(page, tifffile.TiffPage) or page.subfiletype & _OVERVIEW:
            continue
        if page.subfiletype & _MASK:
            header = _checked_header(path, [page], palette=False)
            if (header.height, header.width) == (image.height, image.width):
                return np.asarray(page_values(path, [page])[0] == 0)
    return None
