"""TIFF stacks, slice by slice: OME-TIFF, ImageJ, and plain files of many pages of one size."""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from crosspatch.errors import CrosspatchError, InputError
from crosspatch.images import tiff
from crosspatch.images.image import NDPixels
from crosspatch.images.raster import PixelSize, RasterFacts, Span

_TILE = 512
_OME_CHANNEL = re.compile(r'<Channel\b[^>]*?\bName="([^"]*)"')


class TiffStack:
    """Pages of a TIFF as planes; one decoded plane is kept."""

    def __init__(self, path: Path, pages: NDArray[Any], facts: RasterFacts) -> None:
        self._path, self._pages, self.facts = path, pages, facts
        self._kept: tuple[tuple[int, ...], NDPixels] | None = None

    def read(self, plane: int, rows: Span, cols: Span, channels: Sequence[int]) -> NDPixels:
        """Read a rectangle; see `crosspatch.images.raster.Raster`."""
        wanted = (plane, *channels)
        kept = self._kept
        if kept is None or kept[0] != wanted:
            kept = self._kept = (wanted, self._decode(plane, channels))
        return kept[1][:, slice(*rows), slice(*cols)]

    def _decode(self, plane: int, channels: Sequence[int]) -> NDPixels:
        with tiff.explained(self._path):
            decoded = tiff.page_values(self._path, list(self._pages[plane]))
            return np.ascontiguousarray(decoded[list(channels)])

    def hidden(self, plane: int, rows: Span, cols: Span) -> None:
        """No pixel."""


@contextmanager
def open_stack(path: Path) -> Iterator[TiffStack | None]:
    """Open a TIFF of several planes; None where it is one image.

    Raises
    ------
    InputError
        The pages are of different sizes or types, or spread over several files, or damaged.
    """
    with ExitStack() as opened:
        with tiff.explained(path):
            file = opened.enter_context(tifffile.TiffFile(path))
            stack = _stack(path, file)
        yield stack


def _stack(path: Path, file: tifffile.TiffFile) -> TiffStack | None:
    pages = tiff.image_pages(path, file)
    if len(pages) == 1:
        return None
    tiff.refuse_several_files(path, file)
    lead = _lead(path, file, pages)
    planes = math.prod(length for axis, length in lead if axis != "C")
    if planes == 1:
        return None
    flat = np.empty(len(pages), dtype=object)
    flat[:] = pages
    table: NDArray[Any] = flat.reshape([length for _, length in lead])
    channel = [index for index, (axis, _) in enumerate(lead) if axis == "C"]
    table = np.moveaxis(table, channel, [-1] * len(channel)).reshape(planes, -1)
    header = tiff.check_stack(path, pages)
    channels = pages[0].samplesperpixel * table.shape[1]
    axes = tuple((axis.lower(), length) for axis, length in lead if axis != "C")
    facts = RasterFacts(
        "stack", planes, channels, header.height, header.width, header.dtype,
        _channel_names(file, channels), axes=_plane_axes(axes), pixel_size=_pixel_size(file),
    )  # fmt: skip
    return TiffStack(path, table, facts)


def _lead(
    path: Path, file: tifffile.TiffFile, pages: list[tifffile.TiffPage]
) -> list[tuple[str, int]]:
    """Axes that pages are laid along, and their lengths, slowest first."""
    if len({(page.shape, page.dtype, page.samplesperpixel) for page in pages}) > 1:
        raise InputError(f"{path}: holds images of different sizes or types; save one file each")
    series = file.series[0]
    lead = [
        (axis, length)
        for axis, length in zip(series.axes, series.shape, strict=True)
        if axis not in "YXS"
    ]
    if math.prod(length for _, length in lead) != len(pages):
        raise InputError(
            f"{path}: holds {len(pages)} pages, but says that they are "
            f"{' x '.join(str(length) for _, length in lead)}; save it anew as OME-TIFF"
        )
    return lead


def _plane_axes(axes: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    """Axes as OME knows them: times and depths; anything else counts as depth."""
    if {name for name, _ in axes} <= {"t", "z"}:
        return axes
    return (("z", math.prod(length for _, length in axes)),)


def _channel_names(file: tifffile.TiffFile, channels: int) -> tuple[str, ...] | None:
    names = tuple(_OME_CHANNEL.findall(file.ome_metadata or ""))[:channels]
    return names if len(names) == channels and all(names) else None


def _pixel_size(file: tifffile.TiffFile) -> PixelSize | None:
    """Read pixel sizes of OME-XML, or of ImageJ's tags."""
    ome = file.ome_metadata or ""
    found = {axis: re.search(rf'\bPhysicalSize{axis}="([0-9.eE+-]+)"', ome) for axis in "ZYX"}
    if found["Y"] and found["X"]:
        unit = re.search(r'\bPhysicalSizeXUnit="([^"]+)"', ome)
        sizes = [float(match.group(1)) if match else 1.0 for match in found.values()]
        return PixelSize(sizes[0], sizes[1], sizes[2], unit.group(1) if unit else "µm")
    facts, tags = file.imagej_metadata or {}, file.pages.first.tags
    if "unit" in facts and "XResolution" in tags and "YResolution" in tags:
        across, down = tags["XResolution"].value, tags["YResolution"].value
        if 0 not in (*across, *down):
            return PixelSize(
                float(facts.get("spacing", 1.0)), down[1] / down[0], across[1] / across[0],
                str(facts["unit"]).replace("micron", "µm"),
            )  # fmt: skip
    return None


class StackWriter:
    """An OME-TIFF of one channel that is filled block by block; one plane is held.

    Parameters
    ----------
    path : Path
        ``NAME.ome.tif``, inside a folder that gets its name when all is well.
    facts : RasterFacts
        Of the stack that it is a map of: planes, their axes, size, pixel size.
    dtype : "uint8" or "float32"
    """

    def __init__(self, path: Path, facts: RasterFacts, dtype: str) -> None:
        self._path, self._facts = path, facts
        self._plane = np.zeros((facts.height, facts.width), dtype)
        self._left = self._plane.size
        path.parent.mkdir(parents=True, exist_ok=True)
        size = facts.planes * self._plane.nbytes
        self._description: bytes | None = _ome_xml(path, facts, dtype).encode()
        try:
            self._file = tifffile.TiffWriter(path, bigtiff=size > 2**31)
        except OSError as error:
            raise CrosspatchError(f"{path}: cannot be written ({error})") from error

    def write(self, plane: int, row: int, col: int, values: NDArray[Any]) -> None:
        """Write a rectangle (h, w), once; planes are filled one after the other."""
        height, width = values.shape
        self._plane[row : row + height, col : col + width] = values
        self._left -= values.size
        if self._left == 0:
            self._put()
            self._left = self._plane.size

    def _put(self) -> None:
        try:
            self._file.write(
                self._plane, photometric="minisblack", compression="zlib", tile=(_TILE, _TILE),
                description=self._description, metadata=None, contiguous=False, software=False,
                compressionargs={"level": 1},
            )  # fmt: skip
        except OSError as error:
            raise CrosspatchError(f"{self._path}: cannot be written ({error})") from error
        self._description = None

    def finish(self) -> None:
        """Put the last of the file on disk."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        try:
            self._file.close()
        except OSError as error:
            raise CrosspatchError(f"{self._path}: cannot be written ({error})") from error


def _ome_xml(path: Path, facts: RasterFacts, dtype: str) -> str:
    size = facts.pixel_size
    sizes: dict[str, Any] = {}
    if size is not None:
        for axis in ("X", "Y", "Z"):
            sizes[f"PhysicalSize{axis}"] = getattr(size, axis.lower())
            sizes[f"PhysicalSize{axis}Unit"] = size.unit
    document = tifffile.OmeXml()
    lengths = tuple(length for _, length in facts.axes)
    document.addimage(
        dtype,
        (*lengths, facts.height, facts.width),
        (facts.planes, 1, 1, facts.height, facts.width, 1),
        axes="".join(axis.upper() for axis, _ in facts.axes) + "YX",
        Name=path.name.removesuffix(".ome.tif"),
        **sizes,
    )
    return str(document.tostring(declaration=True))
