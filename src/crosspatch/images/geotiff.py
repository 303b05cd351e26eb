"""GeoTIFF scenes by windows, by rasterio (the extra ``geo``): read, and written with overviews."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from crosspatch.errors import CrosspatchError, InputError, MissingExtraError
from crosspatch.images.geo import IDENTITY, georeference_of
from crosspatch.images.image import Georeference, NDPixels
from crosspatch.images.qgis import write_style
from crosspatch.images.raster import RasterFacts, Span
from crosspatch.images.tiff import scan_tiff

_CACHE = 64 * 2**20  # bytes that GDAL keeps of decoded tiles
_LARGEST_CACHE = 2**30  # where tiles are large, or strips as wide as the scene
_WINDOW = 1024  # pixels a side that the cache is made for
_SMALLEST_OVERVIEW = 256


class GeoTiff:
    """A TIFF that rasterio has open."""

    def __init__(self, source: Any, facts: RasterFacts) -> None:
        self._source, self.facts = source, facts
        flags = source.mask_flag_enums[0]
        names = {flag.name for flag in flags}
        self._has_mask = "per_dataset" in names and "alpha" not in names

    def read(self, plane: int, rows: Span, cols: Span, channels: Sequence[int]) -> NDPixels:
        """Read a rectangle; see `crosspatch.images.raster.Raster`."""
        with _explained(Path(self._source.name)):
            pixels = self._source.read(
                [channel + 1 for channel in channels], window=(rows, cols), masked=False
            )
        return np.asarray(pixels)

    def hidden(self, plane: int, rows: Span, cols: Span) -> NDArray[np.bool_] | None:
        """Read the file's own mask; see `crosspatch.images.raster.Raster`."""
        if not self._has_mask:
            return None
        with _explained(Path(self._source.name)):
            return np.asarray(self._source.read_masks(1, window=(rows, cols)) == 0)


@contextmanager
def open_geotiff(path: Path) -> Iterator[GeoTiff | None]:
    """Open a TIFF to be read by windows; None where that cannot be done and it is read whole.

    Raises
    ------
    InputError
        The file is damaged, truncated, or claims more than its bytes can hold.
    """
    try:
        import rasterio
    except ImportError:
        yield None
        return
    scan = scan_tiff(path)
    if scan.palette or scan.pages > 1:
        yield None
        return
    with _explained(path), rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
        source = rasterio.open(path.absolute(), driver="GTiff")
    needed = _needed_cache(source)
    with closing(source), _cache(needed):
        yield GeoTiff(source, _facts(source, scan.channel_names, needed))


def _needed_cache(source: Any) -> int:
    """Bytes of the tiles or strips that windows along a row share: decoded once, not once each."""
    sides = zip(source.block_shapes[0], source.shape, strict=True)
    down, across = (min((-(-_WINDOW // one) + 1) * one, whole) for one, whole in sides)
    return int(down * across * source.count * np.dtype(source.dtypes[0]).itemsize)


@contextmanager
def _cache(needed: int) -> Iterator[None]:
    """Bound what GDAL keeps of decoded tiles while a file is open, in all threads.

    GDAL's own bound, a twentieth of the machine's memory, lets memory grow with the scene.
    """
    import rasterio

    bound = rasterio.Env(GDAL_CACHEMAX=min(max(needed * 5 // 4, _CACHE), _LARGEST_CACHE))
    bound.__enter__()
    try:
        yield
    finally:
        # A cluster's worker may let go of a file in another thread than it was opened in.
        with suppress(rasterio.errors.EnvError):
            bound.__exit__()


def _facts(source: Any, names: tuple[str, ...] | None, needed: int) -> RasterFacts:
    located = georeference_of(source)
    said = _said_of_units(source)
    if needed > _LARGEST_CACHE:
        said.append(
            f"is stored in pieces of {source.block_shapes[0][1]} x {source.block_shapes[0][0]} "
            "pixels, which are decoded again for each window; gdal_translate -co TILED=YES makes "
            "it quicker"
        )
    if source.gcps[0] and tuple(source.transform)[:6] == IDENTITY:
        said.append(
            "lies where ground control points say, which a map cannot follow: it lies nowhere; "
            "gdalwarp the image first"
        )
    return RasterFacts(
        "geotiff", 1, source.count, source.height, source.width, np.dtype(source.dtypes[0]),
        names, located, located.nodata if located else None, said=tuple(said),
    )  # fmt: skip


def _said_of_units(source: Any) -> list[str]:
    """Scale and offset of the bands that declare one."""
    declared = list(zip(source.scales, source.offsets, strict=True))
    different = {
        one: [n for n, other in enumerate(declared, 1) if other == one] for one in declared
    }
    return [
        f"declares scale {scale:g} and offset {offset:g}"
        + (f" for band {', '.join(map(str, bands))}" if len(bands) < source.count else "")
        + ": the stored values are shown to the model, as they were in training"
        for (scale, offset), bands in different.items()
        if (scale, offset) != (1, 0)
    ]


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    import rasterio

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            yield
    except rasterio.errors.RasterioError as error:
        raise InputError(f"{path}: GDAL cannot read it ({error})") from None


class GeoTiffWriter:
    """A tiled, compressed GeoTIFF of one band that is filled block by block.

    Parameters
    ----------
    path : Path
        Inside a folder that gets its name when all is well; overviews are added by `finish`.
    shape : (height, width)
    dtype : of the band
    georeference : Georeference or None
        With its nodata value.
    tile : (height, width)
        Of the tiles, multiples of 16; blocks that are whole tiles are written straight on.
    name : str
        Band description.

    Raises
    ------
    MissingExtraError
        rasterio is not installed.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int],
        dtype: str,
        georeference: Georeference | None,
        *,
        nodata: float,
        tile: tuple[int, int],
        name: str = "",
    ) -> None:
        try:
            import rasterio
        except ImportError:
            raise MissingExtraError(f"{path}: writing a tiled TIFF", "geo") from None
        self._path, self._mask = path, dtype == "uint8"
        path.parent.mkdir(parents=True, exist_ok=True)
        place = georeference or Georeference("", IDENTITY)
        located = place.transform != IDENTITY
        with self._written():
            self._file = rasterio.open(
                path, "w", driver="GTiff", count=1, height=shape[0], width=shape[1], dtype=dtype,
                crs=place.crs or None,
                transform=rasterio.Affine(*place.transform) if located else None,
                nodata=nodata, tiled=True, blockxsize=tile[1], blockysize=tile[0],
                compress="deflate",
                zlevel=6 if self._mask else 1, predictor=1 if self._mask else 3,
                photometric="minisblack", bigtiff="if_safer",
            )  # fmt: skip
            if name:
                self._file.descriptions = (name,)
        self._shape = shape

    def write(self, plane: int, row: int, col: int, values: NDArray[Any]) -> None:
        """Write a rectangle (h, w), once."""
        height, width = values.shape
        with self._written():
            self._file.write(values, 1, window=((row, row + height), (col, col + width)))

    def finish(self) -> None:
        """Add overviews, each half the size of the one before, and the style for QGIS."""
        import rasterio

        self.close()
        write_style(self._path.with_suffix(".qml"), mask=self._mask)
        factors, factor = [], 2
        while max(self._shape) / factor >= _SMALLEST_OVERVIEW:
            factors.append(factor)
            factor *= 2
        with self._written():
            if factors:
                with rasterio.open(self._path, "r+") as file:
                    how = rasterio.enums.Resampling
                    file.build_overviews(factors, how.mode if self._mask else how.average)
            _check_whole(self._path, levels=1 + len(factors))

    def close(self) -> None:
        """Close the file."""
        with self._written():
            self._file.close()

    @contextmanager
    def _written(self) -> Iterator[None]:
        import rasterio

        try:
            with (
                warnings.catch_warnings(),
                rasterio.Env(
                    COMPRESS_OVERVIEW="DEFLATE", GDAL_TIFF_INTERNAL_MASK=True,
                    BIGTIFF_OVERVIEW="IF_SAFER",
                ),
            ):  # fmt: skip
                warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
                yield
        except (
            rasterio.errors.RasterioError, tifffile.TiffFileError, ValueError, OSError
        ) as error:  # fmt: skip
            raise CrosspatchError(f"{self._path}: cannot be written ({error})") from error


def _check_whole(path: Path, *, levels: int) -> None:
    """Read everything back: GDAL says nothing when a full disk refuses what it wrote late.

    A tile that was refused is either marked as left out, which GDAL reads as a hole, or holds
    other bytes than it should, which cannot be decoded.
    """
    import rasterio

    with tifffile.TiffFile(path) as file:
        lengths = [
            page.databytecounts for page in file.pages if isinstance(page, tifffile.TiffPage)
        ]
    if len(lengths) != levels or not all(all(counts) for counts in lengths):
        raise ValueError("tiles are missing: is the disk full?")
    for level in range(levels):
        wanted = {} if level == 0 else {"overview_level": level - 1}
        with rasterio.open(path, **wanted) as file:
            for _, window in file.block_windows(1):
                file.read(1, window=window)
