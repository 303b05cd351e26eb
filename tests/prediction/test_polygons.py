"""Polygons are the mask, to the pixel, whole across blocks, and right on the ground."""

import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from crosspatch.errors import CrosspatchError, MissingExtraError, SettingsError
from crosspatch.images.image import Georeference
from crosspatch.images.raster import RasterFacts
from crosspatch.prediction.components import Components
from crosspatch.prediction.polygons import PROPERTIES, Polygons, PolygonSettings
from crosspatch.prediction.stream import Block

shapely = pytest.importorskip("shapely")
features = pytest.importorskip("rasterio.features")
UTM = Georeference("EPSG:32610", (30.0, 0.0, 500_000.0, 0.0, -30.0, 4_000_000.0))
DEGREES = Georeference("EPSG:4326", (0.001, 0.0, 10.0, 0.0, -0.001, 60.0))


def facts_of(shape, place=None, planes=1):
    return RasterFacts("image", planes, 1, *shape, np.dtype("uint8"), georeference=place)


def write(path, probability, *, rows=(), cols=(), place=None, settings=None):
    """Polygons of (planes, H, W) probabilities, cut into blocks at rows and cols."""
    planes = probability if probability.ndim == 3 else probability[np.newaxis]
    shape = planes.shape[1:]
    output = Polygons(path, facts_of(shape, place, len(planes)), settings)
    for plane, whole in enumerate(planes.astype(np.float32)):
        for top, bottom in zip((0, *rows), (*rows, shape[0]), strict=True):
            for left, right in zip((0, *cols), (*cols, shape[1]), strict=True):
                part = whole[top:bottom, left:right]
                output.take(Block(plane, top, left, part, None, part[np.newaxis], 0.5))
    output.finish()
    output.close()
    return json.loads(path.read_text(encoding="utf-8"))


def shapes_of(collection):
    return [shapely.geometry.shape(one["geometry"]) for one in collection["features"]]


@st.composite
def cut_masks(draw):
    mask = draw(arrays(np.bool_, st.tuples(st.integers(1, 11), st.integers(1, 11))))
    cuts = [
        sorted(draw(st.sets(st.integers(1, side - 1), max_size=3))) if side > 1 else []
        for side in mask.shape
    ]
    return mask, *cuts


@given(cut_masks())
def test_polygons_are_the_mask_whatever_the_blocks(tmp_path_factory, cut):
    mask, rows, cols = cut
    path = tmp_path_factory.mktemp("polygons") / "a.geojson"
    made = write(path, mask, rows=rows, cols=cols)
    polygons = shapes_of(made)
    assert all(one.is_valid for one in polygons)
    back = features.rasterize(polygons, mask.shape) if polygons else np.zeros(mask.shape)
    assert np.array_equal(back, mask)
    theirs = [
        shapely.geometry.shape(shape)
        for shape, value in features.shapes(mask.astype(np.uint8), connectivity=4)
        if value == 1
    ]
    assert len(polygons) == len(theirs) == ndimage.label(mask)[1]
    assert all(any(one.equals(other) for other in theirs) for one in polygons)
    whole = write(path, mask)
    key = str
    assert sorted(map(key, map(geometry, whole["features"]))) == sorted(
        map(key, map(geometry, made["features"]))
    )
    assert [one["properties"]["area_pixels"] for one in made["features"]] == [
        one.area for one in polygons
    ]


def geometry(feature):
    """The outline as a set of points a ring: where a ring starts is of no account."""
    return [sorted(map(tuple, ring)) for ring in feature["geometry"]["coordinates"]]


PROBABILITY = np.zeros((7, 8))
PROBABILITY[1:6, 1:6] = 0.8
PROBABILITY[2:4, 2:4] = 0.2  # a hole of four pixels
PROBABILITY[5, 1] = 0.6
PROBABILITY[6, 6] = 1.0  # touches the square by a corner: another polygon
PROBABILITY[0, 7] = np.nan


def test_area_mean_holes_and_place_are_worked_by_hand(tmp_path):
    made = write(tmp_path / "a.geojson", PROBABILITY, rows=(3,), cols=(4,), place=UTM)
    assert made["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32610"
    square, corner = made["features"]
    assert square["properties"] == {
        "id": 1, "area_m2": 21 * 900.0, "mean_probability": round((20 * 0.8 + 0.6) / 21, 6),
    }  # fmt: skip
    assert corner["properties"] == {"id": 2, "area_m2": 900.0, "mean_probability": 1.0}
    outer, hole = square["geometry"]["coordinates"]
    assert outer[0] == outer[-1]
    assert sorted(map(tuple, outer[:-1])) == [
        (500_030.0, 3_999_820.0), (500_030.0, 3_999_970.0),
        (500_180.0, 3_999_820.0), (500_180.0, 3_999_970.0),
    ]  # fmt: skip
    assert len(hole) == 5
    assert shapely.LinearRing(outer).is_ccw  # RFC 7946: outer rings counterclockwise
    assert not shapely.LinearRing(hole).is_ccw
    assert set(square["properties"]) | {"area_pixels", "plane"} == set(PROPERTIES)


def test_the_ground_is_curved_in_degrees(tmp_path):
    made = write(tmp_path / "a.geojson", PROBABILITY, place=DEGREES)
    area = made["features"][0]["properties"]["area_m2"]
    # 0.001 degrees at 60 degrees north: about 111.41 m by 55.80 m
    assert area == pytest.approx(21 * 111.41 * 55.80, rel=2e-3)
    (polygon, _) = shapes_of(made)
    assert polygon.bounds == pytest.approx((10.001, 59.994, 10.006, 59.999))


def test_small_ones_are_left_out_and_holes_filled_on_request(tmp_path):
    path = tmp_path / "a.geojson"
    settings = PolygonSettings(smallest=1800.0, fill_holes=True)
    made = write(path, PROBABILITY, place=UTM, settings=settings)
    (square,) = made["features"]
    assert square["properties"]["area_m2"] == 25 * 900.0
    assert len(square["geometry"]["coordinates"]) == 1
    for place, smallest, left in ((UTM, 900.0, 2), (UTM, 901.0, 1), (None, 21, 1), (None, 22, 0)):
        settings = PolygonSettings(smallest=smallest)
        assert len(write(path, PROBABILITY, place=place, settings=settings)["features"]) == left


def test_simplified_outlines_are_near_have_fewer_points_and_keep_their_figures(tmp_path):
    rows, cols = np.mgrid[:60, :60]
    round_one = ((rows - 30) ** 2 + (cols - 30) ** 2 < 25**2).astype(float)
    round_one[28:32, 28:32] = 0
    exact = write(tmp_path / "a.geojson", round_one, place=UTM)
    simple = write(
        tmp_path / "b.geojson", round_one, place=UTM, settings=PolygonSettings(simplify=1.5)
    )
    (one,), (other,) = shapes_of(exact), shapes_of(simple)
    assert other.is_valid
    assert len(other.exterior.coords) < len(one.exterior.coords) / 3
    assert one.exterior.hausdorff_distance(other.exterior) <= 1.5 * 30 + 1e-6
    assert other.exterior.is_ccw
    assert simple["features"][0]["properties"] == exact["features"][0]["properties"]
    image = write(tmp_path / "c.geojson", round_one, settings=PolygonSettings(simplify=1.5))
    assert shapes_of(image)[0].exterior.is_ccw


def test_a_map_of_nothing_is_a_file_of_nothing(tmp_path):
    made = write(tmp_path / "a.geojson", np.zeros((4, 4)))
    assert (made["type"], made["features"], "crs" in made) == ("FeatureCollection", [], False)


def test_planes_of_a_stack_are_kept_apart(tmp_path):
    stack = np.zeros((3, 5, 4))
    stack[0, 2:, 1] = stack[2, 0, 1] = 1
    made = write(tmp_path / "a.geojson", stack, rows=(2,))
    told = [one["properties"] for one in made["features"]]
    assert [(one["plane"], one["area_pixels"]) for one in told] == [(0, 3), (2, 1)]


def test_what_is_closed_is_no_longer_held():
    components = Components(400, 6)
    column = np.zeros((4, 6), np.bool_)
    column[:, 0] = True  # one component from top to bottom
    column[1, 3] = True  # and a new one in every block
    given = 0
    for row in range(0, 400, 4):
        closed = components.take(row, 0, column, column.astype(np.float32))
        given += len(closed)
        assert len(components._open) <= 1
        assert components._count <= 2
    assert given == 101


def test_settings_that_make_no_sense_are_refused(monkeypatch):
    for wrong in (PolygonSettings(smallest=-1), PolygonSettings(simplify=float("nan"))):
        with pytest.raises(SettingsError, match="give a number from 0 on"):
            wrong.check()
    monkeypatch.setitem(sys.modules, "shapely", None)
    PolygonSettings(smallest=3).check()
    with pytest.raises(MissingExtraError, match="--simplify needs an extra"):
        PolygonSettings(simplify=1).check()


def test_a_disk_that_refuses_is_said(tmp_path):
    (tmp_path / "polygons").write_text("a file where the folder should be")
    output = Polygons(tmp_path / "polygons/a.geojson", facts_of((2, 2)))
    with pytest.raises(CrosspatchError, match="could not be written"):
        output.finish()
