"""What is written is read again, value for value."""

import numpy as np
import pytest

from crosspatch import images

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


def test_names_and_place_survive_a_geotiff(tmp_path):
    place = images.Georeference("EPSG:32610", (30.0, 0.0, 589680.0, 0.0, -30.0, 4019370.0), -998.0)
    names = ("blue", "green", "red", "near <infra> red")
    pixels = some_pixels(4, "int16")
    images.write_image(tmp_path / "a.tif", pixels, georeference=place, channel_names=names)
    read = images.read_image(tmp_path / "a.tif")
    assert read.georeference == place
    assert read.channel_names == names
    np.testing.assert_array_equal(read.pixels, pixels)


def test_a_mask_survives(tmp_path):
    mask = np.array([[0, 1, 255], [255, 0, 1]], np.uint8)
    for name in ("a.png", "a.tif"):
        images.write_mask(tmp_path / name, mask)
        np.testing.assert_array_equal(images.read_mask(tmp_path / name), mask)
