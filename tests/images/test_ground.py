"""Areas on the ground: known figures of the Earth, and the plane."""

import math

import numpy as np
import pytest

from crosspatch.images.ground import Ground, ground_of
from crosspatch.images.image import Georeference

pytest.importorskip("rasterio")
UNIT = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
STARTS = np.array([0, 4])


def in_degrees(west, north, width, height, crs="EPSG:4326"):
    return ground_of(Georeference(crs, (width, 0.0, west, 0.0, -height, north)))


def test_the_whole_earth_has_its_published_area():
    # WGS 84: 510,065,621.724 square kilometres
    (area,) = in_degrees(-180, 90, 360, 180).areas(UNIT, STARTS)
    assert area == pytest.approx(510_065_621.724e6, rel=1e-9)


def test_a_degree_at_the_equator_and_at_60_degrees():
    # M and N, the radii of curvature along the meridian and across: dA = M N cos(lat) dlat dlon.
    a, f = 6378137.0, 1 / 298.257223563
    e2 = f * (2 - f)

    def strip(latitude):
        root = 1 - e2 * math.sin(latitude) ** 2
        return a * (1 - e2) / root**1.5 * a / root**0.5 * math.cos(latitude)

    for south in (0, 59, -60):
        nodes = np.radians(south + (np.arange(2000) + 0.5) / 2000)
        expected = sum(map(strip, nodes)) * math.radians(1) ** 2 / 2000
        (area,) = in_degrees(10, south + 1, 1, 1).areas(UNIT, STARTS)
        assert area == pytest.approx(expected, rel=1e-7)


def test_a_slanting_line_is_straight_in_degrees():
    ground = in_degrees(0, 45, 1, 1)
    halves = np.array([[0, 0], [1, 0], [1, 1], [0, 0], [1, 1], [0, 1]])
    one, other = ground.areas(halves, np.array([0, 3, 6]))
    (both,) = ground.areas(UNIT, STARTS)
    assert one + other == pytest.approx(both, rel=1e-12)
    assert one < other  # the half on the north is the smaller
    fine = np.linspace(0, 1, 400, endpoint=False)
    slanted = np.concatenate([halves[:2], np.stack([1 - fine, 1 - fine], axis=1)])
    assert ground.areas(slanted, np.array([0, len(slanted)]))[0] == pytest.approx(one, rel=1e-9)


def test_metres_feet_and_rotation_on_the_plane():
    utm = ground_of(Georeference("EPSG:32610", (30.0, 0.0, 5e5, 0.0, -30.0, 4e6)))
    assert (utm.unit, utm.mirrored, utm.digits) == ("m2", True, 3)
    assert utm.crs_name == "urn:ogc:def:crs:EPSG::32610"
    np.testing.assert_allclose(utm.areas(UNIT, STARTS), 900.0)
    np.testing.assert_array_equal(utm.place(UNIT[:2]), [[5e5, 4e6], [5e5 + 30, 4e6]])
    turned = ground_of(Georeference("EPSG:32610", (3.0, 4.0, 5e5, 4.0, -3.0, 4e6)))
    np.testing.assert_allclose(turned.areas(UNIT, STARTS), 25.0)
    feet = ground_of(Georeference("EPSG:2264", (10.0, 0.0, 2e6, 0.0, -10.0, 6e5)))
    np.testing.assert_allclose(feet.areas(UNIT, STARTS), (10 * 1200 / 3937) ** 2)


def test_an_image_without_a_place_is_measured_in_pixels():
    for ground in (ground_of(None), ground_of(Georeference("", (2.0, 0, 5, 0, 2.0, 5), 0.0))):
        assert (ground.unit, ground.crs_name, ground.mirrored) == ("pixels", "", False)
        np.testing.assert_array_equal(ground.areas(UNIT, STARTS), [1.0])
    np.testing.assert_array_equal(ground_of(None).place(UNIT), UNIT)


def test_degrees_on_wgs_84_are_named_longitude_first_and_other_systems_by_wkt():
    assert in_degrees(0, 1, 1, 1).crs_name == "urn:ogc:def:crs:OGC:1.3:CRS84"
    nad27 = in_degrees(0, 1, 1, 1, crs="EPSG:4267")
    assert nad27.ellipsoid == pytest.approx((6378206.4, 294.978698213898))
    assert nad27.digits == 4
    own = "+proj=laea +lat_0=10 +lon_0=20 +datum=WGS84 +units=m"
    assert ground_of(Georeference(own, (1, 0, 0, 0, -1, 0))).crs_name.startswith("PROJCS[")


def test_a_sphere_needs_no_ellipsoid():
    sphere = Ground((360.0, 0, -180, 0, -180.0, 90), "x", "m2", ellipsoid=(1.0, 0.0))
    np.testing.assert_allclose(sphere.areas(UNIT, STARTS), 4 * np.pi)
