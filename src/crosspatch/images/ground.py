"""Where pixels lie on the ground, and how large what they outline is there."""

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crosspatch.images.image import Georeference

Points = NDArray[np.float64]

_ELLIPSOID = re.compile(r'(?:SPHEROID|ELLIPSOID)\["[^"]*",\s*([\d.]+),\s*([\d.]+)')
_WGS84 = (6378137.0, 298.257223563)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(
    3
)  # exact enough for a pixel's edge, see `_band`


@dataclass(frozen=True)
class Ground:
    """A place that polygons are drawn in.

    transform : as of `Georeference`; crs_name : what GeoJSON calls the reference system, "" for
    none; unit : "m2", or "pixels" where nothing says how large a pixel is; metres : in a unit of
    the reference system; ellipsoid : half axis in metres and inverse flattening, where the system
    is in degrees (or other angles); radians : in a unit of it
    """

    transform: tuple[float, float, float, float, float, float]
    crs_name: str = ""
    unit: str = "pixels"
    metres: float = 1.0
    ellipsoid: tuple[float, float] | None = None
    radians: float = math.radians(1.0)

    def place(self, points: NDArray[np.int64] | Points) -> Points:
        """Map column and row of pixel corners, (N, 2), to x and y."""
        a, b, c, d, e, f = self.transform
        column, row = points.T.astype(np.float64)
        return np.stack([a * column + b * row + c, d * column + e * row + f], axis=1)

    @property
    def mirrored(self) -> bool:
        """Whether what runs clockwise on the screen runs so on the map: where north is up."""
        a, b, _, d, e, _ = self.transform
        return a * e - b * d < 0

    @property
    def digits(self) -> int:
        """Decimals that tell a ten-thousandth of a pixel."""
        a, b, _, d, e, _ = self.transform
        side = math.sqrt(abs(a * e - b * d)) or 1.0
        return max(0, 4 + math.ceil(-math.log10(side)))

    def areas(self, points: NDArray[np.int64] | Points, starts: NDArray[np.int64]) -> Points:
        """Areas of closed rings, in `unit`.

        On a plane by the shoelace formula. In degrees on the ellipsoid: of the lines that are
        straight in longitude and latitude, as the edges of pixels are. By Green's theorem that is
        the integral of `_band` along the ring; for parallels and meridians it is exact, for other
        lines three points of Gauss and Legendre each leave an error far under 1e-9 for lines of a
        degree or less.

        Parameters
        ----------
        points : (P, 2) column and row of pixel corners, the first of a ring not repeated
        starts : (R + 1,) where each ring begins, and the end of all

        Returns
        -------
        (R,) float64, at least 0
        """
        placed = np.asarray(points, np.float64) if self.unit == "pixels" else self.place(points)
        after = np.arange(1, len(placed) + 1)
        after[starts[1:] - 1] = starts[:-1]
        x, y = placed.T
        if self.ellipsoid is None:
            # Near the ring's first point, so that large coordinates do not eat the digits.
            near = placed - np.repeat(placed[starts[:-1]], np.diff(starts), axis=0)
            x, y = near.T
            parts = (x * y[after] - x[after] * y) * self.metres**2 / 2
        else:
            across = (x[after] - x) * self.radians
            parts = np.zeros(len(x))
            for node, weight in zip(_NODES, _WEIGHTS, strict=True):
                latitude = (y + (y[after] - y) * (node + 1) / 2) * self.radians
                parts -= across * weight / 2 * _band(latitude, self.ellipsoid)
        areas: Points = np.abs(np.add.reduceat(parts, starts[:-1]))
        return areas


def _band(latitude: Points, ellipsoid: tuple[float, float]) -> Points:
    """Area between the equator and a latitude, a radian of longitude wide, in square metres.

    Snyder 1987, "Map Projections: A Working Manual" (USGS Professional Paper 1395), the integral of
    equation 3-12: a^2 q / 2.
    """
    half_axis, flattening = ellipsoid
    e2 = (2 - 1 / flattening) / flattening if flattening else 0.0
    e = math.sqrt(e2)
    sine = np.sin(latitude)
    if e < 1e-6:
        return np.asarray(half_axis**2 * sine)
    q = (1 - e2) * (sine / (1 - e2 * sine**2) + np.arctanh(e * sine) / e)
    return np.asarray(half_axis**2 * q / 2)


def ground_of(place: Georeference | None) -> Ground:
    """Say where an image lies; in pixels, column and row, where it does not say so.

    The reference system is looked up by rasterio, without which no image has a georeference.
    """
    if place is None or not place.crs:
        transform = place.transform if place else (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
        return Ground(transform)
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    crs = CRS.from_string(place.crs)
    name = _name(crs.to_authority(), crs.to_wkt())
    if crs.is_geographic:
        found = _ELLIPSOID.search(crs.to_wkt())
        ellipsoid = (float(found[1]), float(found[2])) if found else _WGS84
        return Ground(
            place.transform, name, "m2", ellipsoid=ellipsoid, radians=float(crs.units_factor[1])
        )
    try:
        metres = float(crs.linear_units_factor[1])
    except CRSError:
        return Ground(place.transform, name)
    return Ground(place.transform, name, "m2", metres)


def _name(authority: tuple[str, str] | None, wkt: str) -> str:
    """Name a reference system as GDAL writes and reads it in GeoJSON."""
    if authority == ("EPSG", "4326"):
        return "urn:ogc:def:crs:OGC:1.3:CRS84"  # longitude first, which EPSG:4326 is not by itself
    return f"urn:ogc:def:crs:{authority[0]}::{authority[1]}" if authority else wkt
