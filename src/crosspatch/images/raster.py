"""Images that are read by windows, so that a scene of any size needs no more memory than one.

A raster is one plane, or a stack of planes of one size: the slices of a volume, the frames of a
film. Arrays are (C, h, w).
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from crosspatch.files import PathLike
from crosspatch.images.image import Georeference, Image, NDPixels
from crosspatch.images.reading import is_tiff, read_image

Span = tuple[int, int]
"""First row (column), and the one behind the last."""


@dataclass(frozen=True)
class PixelSize:
    """How large a pixel of a microscope's image is, and where the first one lies.

    z, y, x : in ``unit``, as the file says it; z is 1 where there is one plane
    t, time_unit : from one frame to the next
    origin : (t, z, y, x) of the first pixel's centre
    """

    z: float = 1.0
    y: float = 1.0
    x: float = 1.0
    unit: str = "micrometer"
    t: float = 1.0
    time_unit: str = ""
    origin: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class RasterFacts:
    """What a raster says of itself.

    Attributes
    ----------
    format : "image" (decoded whole), "geotiff", "stack" (TIFF) or "zarr"
    planes, channels, height, width : int
    dtype : numpy dtype
    channel_names, georeference, nodata : as in `crosspatch.images.Image`
    axes : the axes that planes are made of and their lengths, such as (("t", 3), ("z", 40))
    pixel_size : PixelSize or None
    zarr_format : 2 or 3; of what is written where the image itself is no Zarr: 3
    said : what had to be assumed, a sentence each
    """

    format: Literal["image", "geotiff", "stack", "zarr"]
    planes: int
    channels: int
    height: int
    width: int
    dtype: np.dtype[Any]
    channel_names: tuple[str, ...] | None = None
    georeference: Georeference | None = None
    nodata: float | None = None
    axes: tuple[tuple[str, int], ...] = ()
    pixel_size: PixelSize | None = None
    zarr_format: Literal[2, 3] = 3
    said: tuple[str, ...] = ()


class Raster(Protocol):
    """An open image."""

    facts: RasterFacts

    def read(self, plane: int, rows: Span, cols: Span, channels: Sequence[int]) -> NDPixels:
        """Read channels (from 0) of a rectangle of a plane, (C, h, w)."""

    def hidden(self, plane: int, rows: Span, cols: Span) -> NDArray[np.bool_] | None:
        """Say which pixels a mask inside the file rules out; None where it has none."""


class ArrayRaster:
    """An image that is in memory already.

    image : whose pixels are read
    """

    def __init__(self, image: Image) -> None:
        channels, height, width = image.pixels.shape
        self._pixels, self._hidden = image.pixels, image.hidden
        self.facts = RasterFacts(
            "image", 1, channels, height, width, image.pixels.dtype,
            image.channel_names, image.georeference, image.nodata,
        )  # fmt: skip

    def read(self, plane: int, rows: Span, cols: Span, channels: Sequence[int]) -> NDPixels:
        """Cut a rectangle out; see `Raster`."""
        return self._pixels[list(channels), slice(*rows), slice(*cols)]

    def hidden(self, plane: int, rows: Span, cols: Span) -> NDArray[np.bool_] | None:
        """Cut the same rectangle out of the image's own mask; see `Raster`."""
        return None if self._hidden is None else self._hidden[slice(*rows), slice(*cols)]


@contextmanager
def open_raster(path: PathLike) -> Iterator[Raster]:
    """Open an image of any size to be read by windows.

    OME-Zarr folders are read window by window, and so are TIFFs where the extra ``geo`` is
    installed; TIFF stacks page by page. PNG and JPEG, which can only be decoded from their first
    row on, are read whole.

    Raises
    ------
    InputError
        As `crosspatch.images.read_image`, before any pixel is decoded.
    """
    from crosspatch.images import geotiff, ngff, stack

    path = Path(path)
    with ExitStack() as opened:
        scene: Raster | None = None
        if ngff.is_zarr(path):
            scene = opened.enter_context(ngff.open_zarr(path))
        elif is_tiff(path):
            scene = opened.enter_context(stack.open_stack(path))
            scene = scene or opened.enter_context(geotiff.open_geotiff(path))
        yield scene or ArrayRaster(read_image(path))
