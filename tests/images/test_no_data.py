"""Which pixels of an image hold something."""

import sys

import numpy as np
import pytest
import tifffile

from crosspatch import images
from crosspatch.dataset.folder import Dataset
from crosspatch.dataset.pair import read_pair
from crosspatch.images.raster import open_raster
from crosspatch.workflows.prepare import prepare


def test_whole_numbers_hold_data_unless_all_channels_say_otherwise():
    pixels = np.array([[[0, 0, 7]], [[0, 3, 0]]], dtype=np.int16)
    assert images.holds_data(pixels).tolist() == [[True, True, True]]
    assert images.holds_data(pixels, nodata=0).tolist() == [[False, True, True]]
    assert images.holds_data(pixels, nodata=float("nan")).tolist() == [[True, True, True]]


def test_one_channel_that_is_not_finite_is_no_data():
    pixels = np.array([[[0, np.nan, 7]], [[np.inf, 3, 0]]], dtype=np.float32)
    assert images.holds_data(pixels).tolist() == [[False, False, True]]


def test_an_image_knows_its_own_no_data():
    pixels = np.array([[[0, 9, 9]]], dtype=np.uint8)
    here = images.Georeference("", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), 9.0)
    assert images.Image(pixels, None, here).valid.tolist() == [[True, False, False]]
    assert images.Image(pixels).valid.all()


def write_declaring(path, nodata):
    """Write three pixels that GDAL's tag says something of: 5, -9999, 7."""
    pixels = np.array([[5, -9999, 7]], dtype=np.int16)
    tag = (42113, "s", 0, nodata, True)
    tifffile.imwrite(path, pixels, photometric="minisblack", extratags=[tag])
    return path


@pytest.fixture(params=["with rasterio", "without rasterio"])
def either_way(request, monkeypatch):
    if request.param == "with rasterio":
        pytest.importorskip("rasterio")
    else:
        monkeypatch.setitem(sys.modules, "rasterio", None)  # an import now fails


@pytest.mark.usefixtures("either_way")
def test_a_tiff_says_what_holds_no_data_with_rasterio_and_without(tmp_path):
    path = write_declaring(tmp_path / "a.tif", "-9999")
    image = images.read_image(path)
    assert image.nodata == -9999
    assert image.valid.tolist() == [[True, False, True]]
    with open_raster(path) as raster:
        assert raster.facts.nodata == -9999


def write_masked(path, shape=(1, 3), kind=4):
    """Write the pixels 5, 6, 7 and a page that is a mask and hides the one in the middle."""
    with tifffile.TiffWriter(path) as file:
        file.write(np.array([[5, 6, 7]], dtype=np.uint8), metadata=None)
        mask = np.zeros(shape, dtype=bool)
        mask[0, ::2] = True
        file.write(mask, photometric=4, subfiletype=kind, metadata=None)
    return path


@pytest.mark.usefixtures("either_way")
def test_a_mask_inside_the_file_rules_pixels_out_with_rasterio_and_without(tmp_path):
    path = write_masked(tmp_path / "a.tif")
    assert images.read_image(path).pixels.tolist() == [[[5, 6, 7]]]
    assert images.read_image(path).valid.tolist() == [[True, False, True]]
    with open_raster(path) as raster:
        assert raster.hidden(0, (0, 1), (1, 3)).tolist() == [[True, False]]


@pytest.mark.parametrize(("shape", "kind"), [((1, 3), 5), ((2, 6), 4)])
def test_a_mask_of_an_overview_or_of_another_size_rules_nothing_out(tmp_path, shape, kind):
    assert images.read_image(write_masked(tmp_path / "a.tif", shape, kind)).valid.all()


def test_what_gdal_masks_is_neither_trained_on_nor_scored(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    path = tmp_path / "images/a.tif"
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", driver="GTiff", width=3, height=1, count=1, dtype="uint8") as file,
    ):
        file.write(np.array([[[5, 9, 7]]], dtype=np.uint8))
        file.write_mask(np.array([[True, False, True]]))
    images.write_mask(tmp_path / "masks/a.png", np.array([[0, 1, 1]], dtype=np.uint8))
    crops = prepare(tmp_path, recipe="windows", size=3, out=tmp_path / "crops")
    assert crops.masks[0, 0].tolist() == [0, 255, 1]
    dataset = Dataset.open(tmp_path)
    _, mask = read_pair(dataset, dataset.subjects[0])
    assert mask.tolist() == [[0, 255, 1]]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("nodata", ["nan", "none", "5.5"])
def test_a_value_that_no_pixel_can_have_rules_none_out(tmp_path, nodata):
    assert images.read_image(write_declaring(tmp_path / "a.tif", nodata)).valid.all()


def test_pixels_that_hold_nothing_are_not_trained_on_without_rasterio(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rasterio", None)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    write_declaring(tmp_path / "images/a.tif", "-9999")
    images.write_mask(tmp_path / "masks/a.png", np.array([[0, 1, 1]], dtype=np.uint8))
    crops = prepare(tmp_path, recipe="windows", size=3, out=tmp_path / "crops")
    assert crops.masks[0, 0].tolist() == [0, 255, 1]
    assert crops.images[0, 0, 0].tolist() == [5, 6, 7]
    assert crops.statistics == ((6.0,), (1.0,))
