"""GeoTIFF scenes by windows, by rasterio (the extra ``geo``): read, and written with overviews."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from crosspatch.errors import CrosspatchError, InputError, MissingExtraError
from crosspatch.files import write_text
from crosspatch.images.geo import IDENTITY, georeference_of
from crosspatch.images.image import Georeference, NDPixels
from crosspatch.images.raster import RasterFacts, Span
from crosspatch.images.tiff import scan_tiff

_CACHE = 64 * 2**20  # bytes that GDAL keeps of decoded tiles
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
    with (
        _explained(path),
        rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", GDAL_CACHEMAX=_CACHE),
    ):
        source = rasterio.open(path.absolute(), driver="GTiff")
    with source:
        yield GeoTiff(source, _facts(source, scan.channel_names))


def _facts(source: Any, names: tuple[str, ...] | None) -> RasterFacts:
    located = georeference_of(source)
    said = _said_of_units(source)
    if source.gcps[0] and tuple(source.transform)[:6] == IDENTITY:
        said.append(
            "lies where ground control points say, which a map cannot follow: it lies nowhere; "
            "gdalwarp the image first"
        )
    return RasterFacts(
        "geotiff", 1, source.count, source.height, source.width, np.dtype(source.dtypes[0]),
        names, located, said=tuple(said),
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
        _write_style(self._path.with_suffix(".qml"), mask=self._mask)
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
                    GDAL_CACHEMAX=_CACHE, COMPRESS_OVERVIEW="DEFLATE",
                    GDAL_TIFF_INTERNAL_MASK=True, BIGTIFF_OVERVIEW="IF_SAFER",
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


def _write_style(path: Path, *, mask: bool) -> None:
    """Say how QGIS draws a mask, its foreground orange; or a map of [0, 1], from clear to dark."""
    write_text(path, _MASK_STYLE if mask else _RAMP_STYLE)


_STYLE = """<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis styleCategories="Symbology" version="3.22.0">
  <pipe>
    <rasterrenderer {renderer}>
{inner}
    </rasterrenderer>
    <brightnesscontrast brightness="0" contrast="0" gamma="1"/>
    <huesaturation saturation="0" grayscaleMode="0" colorizeOn="0"/>
    <rasterresampler maxOversampling="2"/>
  </pipe>
  <blendMode>0</blendMode>
</qgis>
"""
_MASK_STYLE = _STYLE.format(
    renderer='type="paletted" band="1" opacity="1" alphaBand="-1"',
    inner="""      <colorPalette>
        <paletteEntry value="0" label="background" color="#000000" alpha="0"/>
        <paletteEntry value="1" label="foreground" color="#e69f00" alpha="200"/>
      </colorPalette>""",
)
_RAMP_STYLE = _STYLE.format(
    renderer='type="singlebandpseudocolor" band="1" opacity="1" alphaBand="-1" '
    'classificationMin="0" classificationMax="1"',
    inner="""      <rastershader>
        <colorrampshader colorRampType="INTERPOLATED" classificationMode="1" clip="0"
                         minimumValue="0" maximumValue="1">
          <item value="0" label="0" color="#ffffff" alpha="0"/>
          <item value="0.5" label="0.5" color="#e69f00" alpha="160"/>
          <item value="1" label="1" color="#7f3b08" alpha="255"/>
        </colorrampshader>
      </rastershader>""",
)
