"""Outlines of what a map shows, as GeoJSON: whole across windows, whatever the scene's size."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from crosspatch.errors import CrosspatchError, MissingExtraError, SettingsError
from crosspatch.images.ground import ground_of
from crosspatch.images.raster import RasterFacts
from crosspatch.prediction.components import Closed, Components
from crosspatch.prediction.outlines import Rings, trace
from crosspatch.prediction.stream import Block

PROPERTIES = {
    "id": "from 1, in the order in which components end, from top to bottom",
    "area_m2": "area on the ground, before any simplification; left out where nothing says how "
    "large a pixel is",
    "area_pixels": "the same in pixels, only there",
    "mean_probability": "of foreground, over the component's pixels, [0, 1]",
    "plane": "of a stack, from 0; left out for a picture",
}
"""Properties of each polygon."""


@dataclass(frozen=True)
class PolygonSettings:
    """How polygons are drawn.

    smallest : area, in square metres (pixels where the scene has no reference system), under which
    a polygon is left out; simplify : how far an outline may move, in pixels (needs the extra
    ``geo``); fill_holes : leave holes out
    """

    smallest: float = 0.0
    simplify: float = 0.0
    fill_holes: bool = False

    def check(self) -> None:
        """Refuse what makes no sense, before anything is drawn."""
        for name, value in (("--smallest-area", self.smallest), ("--simplify", self.simplify)):
            if not (math.isfinite(value) and value >= 0):
                raise SettingsError(f"{name} {value:g}: give a number from 0 on")
        if self.simplify:
            try:
                import shapely  # noqa: F401
            except ImportError:
                raise MissingExtraError("--simplify", "geo") from None


class Polygons:
    """Writes the outlines of a map, as an `crosspatch.prediction.stream.Output`.

    Pixels that touch by an edge are one polygon. The file's coordinates are those of the scene's
    own reference system, named in a member ``crs`` as GDAL and QGIS write and read it (RFC 7946
    knows degrees on WGS 84 only); without one, column and row in pixels.

    path : of the file; facts : of the image; settings : see `PolygonSettings`
    """

    def __init__(
        self, path: Path, facts: RasterFacts, settings: PolygonSettings | None = None
    ) -> None:
        self._path, self._facts = path, facts
        self._settings = settings or PolygonSettings()
        self._ground = ground_of(facts.georeference)
        self._components = Components(facts.height, facts.width)
        self._plane = 0
        self._count = 0
        self._file: TextIO | None = None

    def take(self, block: Block) -> None:
        """Take a block, and write what it closes."""
        if block.plane != self._plane:
            self._plane = block.plane
            self._components = Components(self._facts.height, self._facts.width)
        closed = self._components.take(
            block.row, block.col, block.mask == 1, np.nan_to_num(block.probability)
        )
        if closed is not None and len(closed):
            self._write(closed)

    def _write(self, closed: Closed) -> None:
        closed = closed.keep(closed.pixels >= self._fewest_pixels())
        if not len(closed):
            return
        rings = trace(closed.edges, closed.owner)
        areas = self._areas(rings)
        for number, parts in enumerate(_parts(rings)):
            if areas[number] >= self._settings.smallest:
                mean = closed.weight[number] / closed.pixels[number]
                self._write_one(
                    [rings.points[rings.starts[part] : rings.starts[part + 1]] for part in parts],
                    float(areas[number]),
                    float(mean),
                )

    def _fewest_pixels(self) -> float:
        """Least pixels that can have the smallest area, where all pixels are of one size."""
        ground = self._ground
        if self._settings.fill_holes or ground.ellipsoid is not None:
            return 1
        a, b, _, d, e, _ = ground.transform
        one = abs(a * e - b * d) * ground.metres**2 if ground.unit == "m2" else 1.0
        return self._settings.smallest / one * (1 - 1e-9)

    def _areas(self, rings: Rings) -> NDArray[np.float64]:
        """Area of each component, less its holes."""
        areas = self._ground.areas(rings.points, rings.starts)
        signs = np.where(rings.hole, 0.0 if self._settings.fill_holes else -1.0, 1.0)
        return np.bincount(rings.owner, areas * signs).astype(np.float64)

    def _write_one(self, rings: list[NDArray[np.int64]], area: float, mean: float) -> None:
        self._count += 1
        unit = "area_m2" if self._ground.unit == "m2" else "area_pixels"
        properties: dict[str, Any] = {"id": self._count, unit: float(f"{area:.8g}")}
        properties["mean_probability"] = round(mean, 6)
        if self._facts.planes > 1:
            properties["plane"] = self._plane
        drawn = rings[:1] if self._settings.fill_holes else rings
        feature = {
            "type": "Feature",
            "properties": properties,
            "geometry": {"type": "Polygon", "coordinates": self._coordinates(drawn)},
        }
        self._say((",\n" if self._count > 1 else "\n") + json.dumps(feature))

    def _coordinates(self, rings: list[NDArray[np.int64]]) -> list[list[list[float]]]:
        """Place rings on the ground: closed, the outer one counterclockwise, as RFC 7946 has it."""
        shown: list[NDArray[Any]] = list(rings)
        if self._settings.simplify:
            shown = _simplified(rings, self._settings.simplify)
        placed = []
        for ring in shown:
            points = np.round(self._ground.place(np.vstack([ring, ring[:1]])), self._ground.digits)
            placed.append((points[::-1] if self._ground.mirrored else points).tolist())
        return placed

    def _say(self, text: str) -> None:
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("w", encoding="utf-8", newline="\n")
                self._file.write(self._header())
            self._file.write(text)
        except OSError as error:
            raise CrosspatchError(f"{self._path}: could not be written ({error})") from error

    def _header(self) -> str:
        name = self._ground.crs_name
        crs = {"crs": {"type": "name", "properties": {"name": name}}} if name else {}
        opening = {"type": "FeatureCollection", "name": self._path.stem, **crs}
        return json.dumps(opening)[:-1] + ', "features": ['

    def finish(self) -> None:
        """End the file; it is there also where the map shows nothing."""
        self._say("\n]}\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _parts(rings: Rings) -> list[NDArray[np.intp]]:
    """Rings of each component, the outer one first."""
    bounds = np.flatnonzero(np.diff(rings.owner)) + 1
    return list(np.split(np.arange(len(rings.owner)), bounds))


def _simplified(rings: list[NDArray[np.int64]], tolerance: float) -> list[NDArray[np.float64]]:
    """Drop points by Douglas and Peucker's rule, so that rings neither cross nor vanish."""
    import shapely

    whole = shapely.Polygon(rings[0], rings[1:]).simplify(tolerance, preserve_topology=True)
    drawn = shapely.orient_polygons(whole)  # counterclockwise on axes that go right and up
    return [np.asarray(ring.coords)[:-1] for ring in (drawn.exterior, *drawn.interiors)]
