"""What is made of a map: the mask and its probability as files, shares of the image, a picture.

Each is an `crosspatch.prediction.stream.Output`: it takes finished blocks and holds no more of the
map than its file needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crosspatch import images
from crosspatch.files import write_bytes
from crosspatch.images import pictures
from crosspatch.images.geo import IDENTITY
from crosspatch.images.geotiff import GeoTiffWriter
from crosspatch.images.ngff import ZarrWriter
from crosspatch.images.raster import RasterFacts
from crosspatch.images.stack import StackWriter
from crosspatch.prediction.stream import IGNORED, Block
from crosspatch.prediction.windows import TILE, Axis, Grid

LARGEST_OVERLAY = 2048
"""Pixels of an overlay's longer side: it is a picture to look at, the mask is the result."""

_LARGE = 2**24  # pixels from which on the mask of a TIFF is a tiled one, wherever it lies
_WIDEST_TILE = 512


class Shares:
    """Counts what the map says."""

    def __init__(self) -> None:
        self._pixels = self._known = self._foreground = 0
        self._sum = 0.0

    def take(self, block: Block) -> None:
        """Count a block."""
        known = block.mask != IGNORED
        self._pixels += known.size
        self._known += int(np.count_nonzero(known))
        self._foreground += int(np.count_nonzero(block.mask == 1))
        self._sum += float(np.nansum(block.probability, dtype=np.float64))

    def finish(self) -> None:
        """Nothing is left to do."""

    def close(self) -> None:
        """Nothing is open."""

    @property
    def foreground(self) -> float | None:
        """Share of the pixels with data that are foreground; None without any."""
        return self._foreground / self._known if self._known else None

    @property
    def mean_probability(self) -> float | None:
        """Mean over the pixels with data; None without any."""
        return self._sum / self._known if self._known else None

    @property
    def no_data(self) -> float:
        """Share of the pixels without data."""
        return 1 - self._known / self._pixels


class _Writer(Protocol):
    """A file that is filled by rectangles of planes."""

    def write(self, plane: int, row: int, col: int, values: NDArray[Any]) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


class Layer:
    """One layer of the map as a file in a predictions folder.

    Its format is that of the image: OME-Zarr of OME-Zarr, OME-TIFF of a stack, a tiled GeoTIFF with
    overviews of a GeoTIFF and of any large TIFF; else PNG for a mask, TIFF for numbers.

    Parameters
    ----------
    folder : Path
        The predictions folder.
    name : str
        Of the image in it.
    layer : "mask", "probability" or "uncertainty"
        A field of `Block`.
    facts : RasterFacts
        Of the image.
    layout : Grid
        Of its windows, whose cells are tiles and chunks.

    Attributes
    ----------
    path : str
        Of the file, in the folder.
    """

    def __init__(
        self, folder: Path, name: str, layer: str, facts: RasterFacts, layout: Grid
    ) -> None:
        mask = layer == "mask"
        dtype = "uint8" if mask else "float32"
        tile = (_tile(layout.rows), _tile(layout.cols))
        place, nodata = facts.georeference, float(IGNORED) if mask else float("nan")
        writer: _Writer
        self.path = f"{FOLDERS[layer]}/{name}{_suffix(facts, mask=mask)}"
        path = folder / self.path
        if facts.format == "zarr":
            writer = ZarrWriter(path, facts, dtype, tile=tile)
        elif facts.format == "stack":
            writer = StackWriter(path, facts, dtype)
        elif _is_tiled(facts):
            place = replace(place, nodata=nodata) if place else None
            shape, named = (facts.height, facts.width), "" if mask else layer
            writer = GeoTiffWriter(path, shape, dtype, place, nodata=nodata, tile=tile, name=named)
        else:
            writer = _WholeImage(path, (facts.height, facts.width), layer)
        self._layer, self._writer = layer, writer

    def take(self, block: Block) -> None:
        """Write a block."""
        self._writer.write(block.plane, block.row, block.col, getattr(block, self._layer))

    def finish(self) -> None:
        """Add what stands at the end of the file, or beside it."""
        self._writer.finish()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


FOLDERS = {"mask": "masks", "probability": "probabilities", "uncertainty": "uncertainty"}
"""Where in a predictions folder a layer lies."""


def _suffix(facts: RasterFacts, *, mask: bool) -> str:
    if facts.format == "zarr":
        return ".ome.zarr"
    if facts.format == "stack":
        return ".ome.tif"
    return ".tif" if _is_tiled(facts) or not mask else ".png"


def _is_tiled(facts: RasterFacts) -> bool:
    """Whether a layer is a tiled GeoTIFF: where its image has a place, or is one and large.

    What was read whole (a large PNG, a TIFF without rasterio) needs no rasterio for its mask.
    """
    place = facts.georeference
    if facts.format == "geotiff":
        return place is not None or facts.height * facts.width > _LARGE
    return place is not None and (place.crs != "" or place.transform != IDENTITY)


class _WholeImage:
    """A layer in memory, for an image that was read whole."""

    def __init__(self, path: Path, shape: tuple[int, int], layer: str) -> None:
        self._path, self._layer = path, layer
        self._values: NDArray[Any] = np.empty(shape, "uint8" if layer == "mask" else "float32")

    def write(self, plane: int, row: int, col: int, values: NDArray[Any]) -> None:
        height, width = values.shape
        self._values[row : row + height, col : col + width] = values

    def finish(self) -> None:
        if self._layer == "mask":
            images.write_mask(self._path, self._values)
        else:
            pixels = self._values[np.newaxis]
            images.write_image(self._path, pixels, channel_names=(self._layer,))

    def close(self) -> None:
        self._values = np.empty((0, 0))


def _tile(side: Axis) -> int:
    """Side of a tile that cells are made of, if there is one; no larger than the scene needs."""
    fitting = [
        tile for tile in range(_WIDEST_TILE, TILE - 1, -TILE) if side.stride % tile == 0
    ] or [_WIDEST_TILE]
    return min(fitting[0], -(-side.length // TILE) * TILE)


@dataclass(frozen=True)
class Shown:
    """What an overlay shows of an image.

    positions : in a block's pixels, of the one or three channels that are shown; together : see
    `crosspatch.images.pictures.stretched`
    """

    positions: tuple[int, ...]
    together: bool


class Overlay:
    """The mask over its image, as a picture: shrunk by a whole factor where the image is large.

    What holds no data counts neither in the means nor in the stretch.

    path : of the PNG; shape : (height, width) of the image; shown : its channels; plane : of
    a stack
    """

    def __init__(self, path: Path, shape: tuple[int, int], shown: Shown, *, plane: int = 0) -> None:
        self._path, self._shown, self._plane = path, shown, plane
        self._factor = -(-max(shape) // LARGEST_OVERLAY)
        self._shape = shape
        small = (-(-shape[0] // self._factor), -(-shape[1] // self._factor))
        self._mask = np.empty(small, dtype=np.uint8)
        self._counts = np.zeros(small if self._factor > 1 else (0, 0), dtype=np.float32)
        self._sums: NDArray[Any] | None = None
        self._dtype = np.dtype(np.float32)

    def take(self, block: Block) -> None:
        """Add a block's pixels and mask."""
        if block.plane != self._plane:
            return
        pixels = block.pixels[list(self._shown.positions)]
        if self._sums is None:
            self._dtype = pixels.dtype
            dtype = pixels.dtype if self._factor == 1 else np.float32
            self._sums = np.zeros((len(pixels), *self._mask.shape), dtype)
        rows, row_starts = self._cells(block.row, pixels.shape[1])
        cols, col_starts = self._cells(block.col, pixels.shape[2])
        if self._factor == 1:
            self._sums[:, rows, cols] = pixels
            self._mask[rows, cols] = block.mask
            return
        known = block.mask != IGNORED
        if not known.all():
            pixels = np.where(known, pixels, pixels.dtype.type(0))
        finite = pixels if pixels.dtype.kind in "ui" else np.nan_to_num(pixels, posinf=0, neginf=0)
        for total, values in ((self._sums, finite), (self._counts[np.newaxis], known[np.newaxis])):
            across = np.add.reduceat(values, col_starts, axis=2, dtype=np.float32)
            total[:, rows, cols] += np.add.reduceat(across, row_starts, axis=1)
        self._sample(block, rows, cols)

    def _cells(self, first: int, length: int) -> tuple[slice, NDArray[np.intp]]:
        """Pixels of the picture under a run of the scene's pixels, and where each starts."""
        start, end = first // self._factor, -(-(first + length) // self._factor)
        starts = np.maximum(np.arange(start, end) * self._factor - first, 0)
        return slice(start, end), starts

    def _sample(self, block: Block, rows: slice, cols: slice) -> None:
        """Take the mask at the middle of each of the picture's pixels."""
        height, width = block.mask.shape
        picked = []
        for span, first, length, whole in (
            (rows, block.row, height, self._shape[0]),
            (cols, block.col, width, self._shape[1]),
        ):
            small = np.arange(span.start, span.stop)
            middle = np.minimum(small * self._factor + self._factor // 2, whole - 1) - first
            inside = (middle >= 0) & (middle < length)
            picked.append((small[inside], middle[inside]))
        (small_rows, own_rows), (small_cols, own_cols) = picked
        self._mask[np.ix_(small_rows, small_cols)] = block.mask[np.ix_(own_rows, own_cols)]

    def finish(self) -> None:
        """Draw and write the picture."""
        assert self._sums is not None
        known = self._mask != IGNORED
        if self._factor > 1:
            known = self._counts > 0
            self._sums /= np.maximum(self._counts, 1)
            if self._dtype.kind in "ui":  # back to few values, which are quicker to stretch
                self._sums = np.rint(self._sums, out=self._sums).astype(self._dtype)
        picture = pictures.stretched(self._sums, together=self._shown.together, known=known)
        write_bytes(self._path, pictures.to_png_bytes(pictures.overlay(picture, self._mask)))

    def close(self) -> None:
        """Let go of the picture."""
        self._sums = None


def shown_channels(
    model_names: Sequence[str],
    channels: Sequence[int],
    facts: RasterFacts,
    names: Sequence[str] | None,
) -> tuple[tuple[int, ...], Shown]:
    """Say which channels to read, the model's first, and which of them an overlay shows.

    Parameters
    ----------
    model_names : what the model calls its channels
    channels : the image's channels that it is to see, from 0, in its order
    facts : of the image
    names : what the image calls its channels; without, or where it has another number of them, it
        is shown by the model's names
    """
    if not names or len(names) != facts.channels:
        bands = pictures.natural_bands(len(model_names), model_names)
        return tuple(channels), Shown(tuple(bands), len(model_names) <= 3)
    bands = pictures.natural_bands(facts.channels, names)
    read = tuple(dict.fromkeys((*channels, *bands)))
    places = tuple(read.index(band) for band in bands)
    return read, Shown(places, facts.channels <= 3)
