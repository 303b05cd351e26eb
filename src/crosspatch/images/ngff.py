"""OME-Zarr, by zarr (the extra ``em``): images of any size in chunks, and their coarser levels.

Metadata as in OME-NGFF 0.4 (Zarr 2) and 0.5 (Zarr 3). A level's pixel covers 2 x 2 pixels of the
level before, so its centre lies half a finer pixel further; the translations say so.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch.errors import CrosspatchError, InputError, MissingExtraError
from crosspatch.files import inside
from crosspatch.images.image import DTYPES, NDPixels
from crosspatch.images.raster import PixelSize, RasterFacts, Span

_MOST_CHUNK = 2**31  # bytes: a chunk is decoded whole
_SMALLEST_LEVEL = 256
_OLD_AXES = ("t", "c", "z", "y", "x")  # before version 0.3 nothing else was possible
_FORMATS = {2: "0.4", 3: "0.5"}


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr group or array."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))


class ZarrImage:
    """The finest level of an OME-Zarr image."""

    def __init__(self, path: Path, array: Any, axes: Sequence[str], facts: RasterFacts) -> None:
        self._path, self._array, self._axes, self.facts = path, array, axes, facts
        self._turned = axes.index("x") < axes.index("y")

    def read(self, plane: int, rows: Span, cols: Span, channels: Sequence[int]) -> NDPixels:
        """Read a rectangle; see `crosspatch.images.raster.Raster`."""
        lengths = [length for _, length in self.facts.axes]
        at: dict[str, Any] = dict(
            zip(
                (name for name, _ in self.facts.axes),
                (int(index) for index in np.unravel_index(plane, lengths)) if lengths else (),
                strict=True,
            )
        )
        at |= {"y": slice(*rows), "x": slice(*cols)}
        planes = []
        with _explained(self._path):
            for channel in channels:
                place = tuple({**at, "c": channel}[axis] for axis in self._axes)
                values = np.asarray(self._array[place])
                planes.append(values.T if self._turned else values)
        pixels = np.stack(planes)
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)

    def hidden(self, plane: int, rows: Span, cols: Span) -> None:
        """No pixel."""


@contextmanager
def open_zarr(path: Path) -> Iterator[ZarrImage]:
    """Open an OME-Zarr folder.

    Raises
    ------
    InputError
        It has no OME metadata, axes or pixels of another kind, or a codec that is not installed.
    MissingExtraError
        zarr is not installed.
    """
    try:
        import zarr
    except ImportError:
        raise MissingExtraError(f"{path}: reading OME-Zarr", "em") from None
    with _explained(path):
        root = zarr.open(path.absolute(), mode="r")
    if not isinstance(root, zarr.Group):
        raise InputError(f"{path}: is a Zarr array without OME metadata; write it as OME-Zarr")
    with _explained(path):
        attributes: dict[str, Any] = dict(root.attrs)
    if "bioformats2raw.layout" in (attributes.get("ome") or attributes):
        raise InputError(f"{path}: holds a list of images; name one of them, such as {path}/0")
    axes, level, size = _first_level(path, attributes)
    with _explained(path):
        array = root[level]
    if not isinstance(array, zarr.Array) or array.ndim != len(axes):
        raise InputError(f"{path}: its level {level} is no array of the axes {', '.join(axes)}")
    yield ZarrImage(path, array, axes, _facts(path, array, axes, size, attributes))


def _first_level(
    path: Path, attributes: Mapping[str, Any]
) -> tuple[list[str], str, PixelSize | None]:
    """Axes, path and pixel size of the finest level."""
    try:
        table = (attributes.get("ome") or attributes)["multiscales"][0]
        given = table.get("axes", list(_OLD_AXES))
        axes = [axis["name"] if isinstance(axis, Mapping) else str(axis) for axis in given]
        level = table["datasets"][0]
        units = {axis["name"]: axis.get("unit") for axis in given if isinstance(axis, Mapping)}
        own, common = (one.get("coordinateTransformations", ()) for one in (level, table))
        size = _pixel_size(axes, units, [*own, *common])
        name = str(level["path"])
        inside(path, name)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise InputError(f"{path}: has no OME multiscale metadata that makes sense") from None
    if len(set(axes)) != len(axes) or not {"y", "x"} <= set(axes):
        raise InputError(f"{path}: has axes {', '.join(axes)}; an image has y and x, each once")
    return axes, name, size


def _pixel_size(
    axes: Sequence[str], units: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]
) -> PixelSize | None:
    """Compose scales and translations, one after the other; None without any."""
    scale, shift, found = dict.fromkeys(axes, 1.0), dict.fromkeys(axes, 0.0), False
    for step in steps:
        kind = str(step.get("type"))
        if kind not in ("scale", "translation") or len(step[kind]) != len(axes):
            continue
        found = True
        for axis, value in zip(axes, map(float, step[kind]), strict=True):
            if kind == "scale":
                scale[axis] *= value
                shift[axis] *= value
            else:
                shift[axis] += value
    if not found:
        return None
    t, z, y, x = (scale.get(axis, 1.0) for axis in "tzyx")
    first_t, first_z, first_y, first_x = (shift.get(axis, 0.0) for axis in "tzyx")
    return PixelSize(
        z, y, x, str(units.get("x") or ""), t, str(units.get("t") or ""),
        (first_t, first_z, first_y, first_x),
    )  # fmt: skip


def _facts(
    path: Path,
    array: Any,
    axes: Sequence[str],
    size: PixelSize | None,
    attributes: Mapping[str, Any],
) -> RasterFacts:
    lengths = dict(zip(axes, (int(length) for length in array.shape), strict=True))
    planes = tuple((axis, length) for axis, length in lengths.items() if axis not in "cyx")
    dtype = np.dtype(array.dtype).newbyteorder("=")
    chunk = math.prod(array.chunks) * dtype.itemsize
    if dtype not in DTYPES or 0 in array.shape or chunk > _MOST_CHUNK:
        raise InputError(
            f"{path}: holds {' x '.join(map(str, array.shape))} pixels of {dtype} in chunks of "
            f"{chunk:,} bytes; write it with 8, 16 or 32 bits and smaller chunks"
        )
    channels = lengths.get("c", 1)
    return RasterFacts(
        "zarr", math.prod(length for _, length in planes), channels, lengths["y"], lengths["x"],
        dtype, _channel_names(attributes, channels), axes=planes,
        pixel_size=size,
        zarr_format=2 if array.metadata.zarr_format == 2 else 3,
    )  # fmt: skip


def _channel_names(attributes: Mapping[str, Any], channels: int) -> tuple[str, ...] | None:
    """Labels of the rendering settings, where every channel has one."""
    try:
        table = (attributes.get("ome") or attributes)["omero"]["channels"]
        names = tuple(str(channel["label"]) for channel in table)
    except (KeyError, TypeError):
        return None
    return names if len(names) == channels and all(names) else None


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (CrosspatchError, MemoryError):
        raise
    except Exception as error:  # zarr and its codecs raise anything on what they do not know
        what = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: Zarr cannot read it ({what})") from None


class ZarrWriter:
    """An OME-Zarr image of one channel that is filled block by block.

    Parameters
    ----------
    path : Path
        ``NAME.ome.zarr``, inside a folder that gets its name when all is well.
    facts : RasterFacts
        Of the image that it is a map of: planes, their axes, size, pixel size, Zarr format.
    dtype : "uint8" (a mask) or "float32"
    tile : (height, width)
        Of the chunks; blocks that are whole chunks are written once.
    """

    def __init__(
        self, path: Path, facts: RasterFacts, dtype: str, *, tile: tuple[int, int]
    ) -> None:
        try:
            import zarr
        except ImportError:
            raise MissingExtraError(f"{path}: writing OME-Zarr", "em") from None
        self._path, self._facts, self._tile = path, facts, tile
        self._mask = dtype == "uint8"
        with _written(path):
            self._group = zarr.open_group(path, mode="w", zarr_format=facts.zarr_format)
            self._levels = [self._make(0, (facts.height, facts.width), dtype)]

    def _make(self, level: int, shape: tuple[int, int], dtype: Any) -> Any:
        lengths = [length for _, length in self._facts.axes]
        separator = "/" if self._facts.zarr_format == 2 else None
        names = [*(name for name, _ in self._facts.axes), "y", "x"]
        return self._group.create_array(
            str(level),
            shape=(*lengths, *shape),
            chunks=(
                *[1] * len(lengths),
                *(min(a, b) for a, b in zip(self._tile, shape, strict=True)),
            ),
            dtype=dtype,
            fill_value=0 if self._mask else float("nan"),
            chunk_key_encoding={"name": "v2", "separator": "/"} if separator else None,
            dimension_names=names if self._facts.zarr_format == 3 else None,
        )

    def write(self, plane: int, row: int, col: int, values: NDArray[Any]) -> None:
        """Write a rectangle (h, w) of a plane, once."""
        height, width = values.shape
        place = (*self._index(plane), slice(row, row + height), slice(col, col + width))
        with _written(self._path):
            self._levels[0][place] = values

    def _index(self, plane: int) -> tuple[int, ...]:
        lengths = [length for _, length in self._facts.axes]
        return tuple(int(i) for i in np.unravel_index(plane, lengths)) if lengths else ()

    def finish(self) -> None:
        """Make the coarser levels and write the metadata."""
        with _written(self._path):
            shape = (self._facts.height, self._facts.width)
            while max(shape) > _SMALLEST_LEVEL:
                shape = (-(-shape[0] // 2), -(-shape[1] // 2))
                finer, level = self._levels[-1], len(self._levels)
                self._levels.append(self._make(level, shape, finer.dtype))
                self._shrink(finer, self._levels[-1], shape)
            metadata = self._metadata()
            if self._facts.zarr_format == 3:
                metadata = {"ome": metadata}
            self._group.attrs.update(metadata)

    def _shrink(self, finer: Any, coarser: Any, shape: tuple[int, int]) -> None:
        """Fill a level from the one before, chunk by chunk."""
        down, across = self._tile
        for plane in range(self._facts.planes):
            at = self._index(plane)
            for row in range(0, shape[0], down):
                for col in range(0, shape[1], across):
                    spans = (slice(row * 2, (row + down) * 2), slice(col * 2, (col + across) * 2))
                    small = halved(np.asarray(finer[(*at, *spans)]))
                    height, width = small.shape
                    coarser[(*at, slice(row, row + height), slice(col, col + width))] = small

    def _metadata(self) -> dict[str, Any]:
        facts, version = self._facts, _FORMATS[self._facts.zarr_format]
        size = facts.pixel_size or PixelSize(unit="")
        names = [*(name for name, _ in facts.axes), "y", "x"]
        sizes = {"t": size.t, "z": size.z, "y": size.y, "x": size.x}
        steps = [sizes.get(name, 1.0) for name in names]
        origin = dict(zip("tzyx", size.origin, strict=True))
        starts = [origin.get(name, 0.0) for name in names]
        units = dict.fromkeys("zyx", size.unit) | {"t": size.time_unit}
        axes = [
            {"name": name, "type": "time" if name == "t" else "space"}
            | ({"unit": units[name]} if units.get(name) else {})
            for name in names
        ]
        datasets = []
        for level in range(len(self._levels)):
            by = [1.0] * len(facts.axes) + [2.0**level] * 2
            steps_of = {"type": "scale", "scale": [a * b for a, b in zip(steps, by, strict=True)]}
            shift = [c + a * (b - 1) / 2 for a, b, c in zip(steps, by, starts, strict=True)]
            transforms = [steps_of] + (
                [{"type": "translation", "translation": shift}] if any(shift) else []
            )
            datasets.append({"path": str(level), "coordinateTransformations": transforms})
        name = self._path.name.removesuffix(".ome.zarr")
        table: dict[str, Any] = {"name": name, "axes": axes, "datasets": datasets}
        metadata: dict[str, Any] = {"multiscales": [table | {"version": version}]}
        if facts.zarr_format == 3:
            metadata = {"version": version, "multiscales": [table]}
        if self._mask:
            colours = [{"label-value": 1, "rgba": [230, 159, 0, 200]}]
            metadata["image-label"] = {"version": version, "colors": colours}
        return metadata

    def close(self) -> None:
        """Nothing is open."""


def halved(values: NDArray[Any]) -> NDArray[Any]:
    """Halve a map (h, w): the commonest of 2 x 2 labels, the mean of 2 x 2 numbers.

    Of labels that are as common, foreground (1) wins, so that thin things stay, then background.
    An odd last row or column stands for itself.
    """
    height, width = values.shape
    padded = np.pad(values, ((0, height % 2), (0, width % 2)), mode="edge")
    quarters = np.stack([padded[row::2, col::2] for row in (0, 1) for col in (0, 1)])
    if values.dtype.kind == "f":
        mean: NDArray[Any] = quarters.mean(axis=0, dtype=values.dtype)
        return mean
    ones, zeros = (quarters == 1).sum(axis=0), (quarters == 0).sum(axis=0)
    holes = 4 - ones - zeros
    best = np.where(ones >= np.maximum(zeros, holes), 1, np.where(zeros >= holes, 0, 255))
    return best.astype(values.dtype)


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CrosspatchError(f"{path}: cannot be written ({error})") from error
