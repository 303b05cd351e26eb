"""What is written is read again, value for value."""

import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosspatch import images
from crosspatch.errors import CrosspatchError, MissingExtraError

rng = np.random.default_rng(5)


def some_pixels(channels, dtype, height=13, width=29):
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=(channels, height, width)).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, (channels, height, width), dtype, endpoint=True)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_a_tiff_gives_back_every_type_and_channel_count(tmp_path, dtype, channels):
    pixels = some_pixels(channels, dtype)
    images.write_image(tmp_path / "a.tif", pixels)
    read = images.read_image(tmp_path / "a.tif")
    assert read.pixels.dtype == dtype
    np.testing.assert_array_equal(read.pixels, pixels)
    assert images.read_header(tmp_path / "a.tif") == images.Header(
        channels, 13, 29, np.dtype(dtype), "TIFF"
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_an_8_bit_png_gives_back_its_values(tmp_path, channels):
    pixels = some_pixels(channels, "uint8")
    images.write_image(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(images.read_image(tmp_path / "a.png").pixels, pixels)


UTM = images.Georeference("EPSG:32610", (30.0, 0.0, 589680.0, 0.0, -30.0, 4019370.0), -998.0)
NAMES = ("blue", "green", "red", "near <infra> & café")


@pytest.mark.parametrize(
    "place",
    [
        UTM,
        images.Georeference("EPSG:4326", (0.1, 0.02, -8.5, -0.03, -0.1, 41.25)),  # turned
        images.Georeference("", (2.0, 0.0, 10.0, 0.0, -2.0, 20.0)),
        images.Georeference("", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), 7.0),  # nodata alone
    ],
)
def test_names_and_place_survive_a_geotiff(tmp_path, place):
    pytest.importorskip("rasterio")
    pixels = some_pixels(4, "int16")
    images.write_image(tmp_path / "a.tif", pixels, georeference=place, channel_names=NAMES)
    read = images.read_image(tmp_path / "a.tif")
    assert read.georeference == place
    assert read.channel_names == NAMES
    np.testing.assert_array_equal(read.pixels, pixels)


def test_a_reference_system_without_a_number_survives_as_wkt(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    wkt = rasterio.crs.CRS.from_proj4("+proj=laea +lat_0=12 +lon_0=34 +ellps=GRS80").to_wkt()
    place = images.Georeference(wkt, UTM.transform)
    images.write_image(tmp_path / "a.tif", some_pixels(1, "uint8"), georeference=place)
    read = images.read_image(tmp_path / "a.tif").georeference
    assert read.crs.startswith("PROJCS[")
    images.write_image(tmp_path / "b.tif", some_pixels(1, "uint8"), georeference=read)
    assert images.read_image(tmp_path / "b.tif").georeference == read


def test_names_survive_a_plain_tiff_and_gdal_reads_them(tmp_path):
    images.write_image(tmp_path / "a.tif", some_pixels(4, "uint8"), channel_names=NAMES)
    assert images.read_image(tmp_path / "a.tif").channel_names == NAMES
    rasterio = pytest.importorskip("rasterio")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(tmp_path / "a.tif") as source:
            assert source.descriptions == NAMES


def test_names_and_place_of_a_file_by_others(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", count=2, height=3, width=4, dtype="float32",
        crs=UTM.crs, transform=rasterio.Affine(*UTM.transform), nodata=UTM.nodata,
    ) as target:  # fmt: skip
        target.descriptions = ("kelp", "sea")
    read = images.read_image(tmp_path / "a.tif")
    assert read.georeference == UTM
    assert read.channel_names == ("kelp", "sea")


def test_without_rasterio_a_geotiff_is_read_without_its_place(tmp_path, monkeypatch):
    pytest.importorskip("rasterio")
    pixels = some_pixels(4, "int16")
    images.write_image(tmp_path / "a.tif", pixels, georeference=UTM, channel_names=NAMES)
    monkeypatch.setitem(sys.modules, "rasterio", None)  # an import now fails
    read = images.read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(read.pixels, pixels)
    assert read.georeference is None
    assert read.channel_names == NAMES
    with pytest.raises(MissingExtraError, match=r"b\.tif: .*crosspatch\[geo\]"):
        images.write_image(tmp_path / "b.tif", pixels, georeference=UTM)


@pytest.mark.parametrize(
    "place",
    [
        images.Georeference("no such system", UTM.transform),
        images.Georeference("EPSG:32610", UTM.transform, -9.0),  # not in uint8
    ],
)
def test_a_place_that_gdal_refuses_is_an_error_with_the_file(tmp_path, place):
    pytest.importorskip("rasterio")
    with pytest.raises(CrosspatchError, match=r"a\.tif: the georeference cannot be written"):
        images.write_image(tmp_path / "a.tif", some_pixels(1, "uint8"), georeference=place)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=40, deadline=None)
@given(
    dtype=st.sampled_from(["uint8", "int16", "uint16", "float32"]),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 2**31),
)
def test_any_shape_survives_a_tiff(tmp_path_factory, dtype, shape, seed):
    chance = np.random.default_rng(seed)
    pixels = (chance.normal(size=shape) * 50).astype(dtype)
    path = tmp_path_factory.mktemp("any") / "a.tif"
    images.write_image(path, pixels)
    read = images.read_image(path).pixels
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, pixels)


def test_a_mask_survives(tmp_path):
    mask = np.array([[0, 1, 255], [255, 0, 1]], np.uint8)
    for name in ("a.png", "a.tif"):
        images.write_mask(tmp_path / name, mask)
        np.testing.assert_array_equal(images.read_mask(tmp_path / name), mask)
