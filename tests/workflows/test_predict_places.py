"""Through the whole prediction: where maps and outlines lie on Earth, looked up by rasterio."""

import json

import numpy as np
import pytest
from scipy import ndimage

from crosspatch.workflows.predict import predict
from pixelwise import save_pixelwise_model

rasterio = pytest.importorskip("rasterio")
features = pytest.importorskip("rasterio.features")
shapely = pytest.importorskip("shapely")

HEIGHT, WIDTH = 150, 110
UTM, DEGREES = "EPSG:32610", "EPSG:4326"
PLACES = {
    "north up": (UTM, (30.0, 0.0, 500_000.0, 0.0, -30.0, 4_000_000.0)),
    "turned": (UTM, (26.0, 15.0, 500_000.0, 15.0, -26.0, 4_000_000.0)),
    "sheared": (UTM, (30.0, 7.0, 500_000.0, -4.0, -20.0, 4_000_000.0)),
    "south up": ("EPSG:32733", (30.0, 0.0, 500_000.0, 0.0, 30.0, 6_000_000.0)),
    "degrees": (DEGREES, (0.0003, 0.0, -120.5, 0.0, -0.0002, 36.2)),
    "degrees, turned": (DEGREES, (0.0003, 0.0001, -120.5, 0.0001, -0.0003, 60.2)),
    "a transform without CRS": (None, (2.0, 0.0, 10.0, 0.0, -3.0, 20.0)),
    "nowhere": (None, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_pixelwise_model(tmp_path_factory.mktemp("models") / "model")


def scene():
    """Blobs in the first channel, a corner and a hole in the middle without data."""
    rough = np.random.default_rng(5).normal(size=(3, HEIGHT, WIDTH))
    smooth = np.stack([ndimage.gaussian_filter(band, 4) for band in rough])
    pixels = np.clip(100 + 400 * smooth, 1, 250).astype(np.uint8)
    pixels[:, :30, 80:] = pixels[:, 70:80, 40:50] = 0
    return pixels


def truth(pixels):
    mask = (pixels[0] >= 100).astype(np.uint8)
    mask[(pixels == 0).all(axis=0)] = 255
    return mask


def write(path, pixels, crs, transform, **more):
    settings = {"crs": crs, "nodata": 0, "dtype": pixels.dtype, "count": len(pixels)} | more
    with rasterio.open(
        path, "w", driver="GTiff", height=pixels.shape[1], width=pixels.shape[2],
        transform=rasterio.Affine(*transform), **settings,
    ) as file:  # fmt: skip
        file.write(pixels)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("place", PLACES)
def test_maps_and_outlines_lie_where_the_scene_lies(model, tmp_path, place):
    crs, transform = PLACES[place]
    pixels = scene()
    write(tmp_path / "scene.tif", pixels, crs, transform)
    made = predict(
        model, tmp_path / "scene.tif", out=tmp_path / "maps",
        window=64, halo=8, probabilities=True, polygons=True,
    )  # fmt: skip
    with (
        rasterio.open(tmp_path / "scene.tif") as given,
        rasterio.open(made.path / "masks/scene.tif") as mask,
        rasterio.open(made.path / "probabilities/scene.tif") as probability,
    ):
        for layer in (mask, probability):
            assert (layer.crs, layer.transform) == (given.crs, given.transform)
        drawn = mask.read(1)
        assert np.array_equal(drawn, truth(pixels))
        assert np.array_equal(mask.read_masks(1) == 0, given.dataset_mask() == 0)
        assert np.array_equal(np.isnan(probability.read(1)), drawn == 255)
        # a point on the ground is the same pixel in the scene and in its map
        some = [given.xy(row, col) for row, col in ((3, 5), (75, 45), (149, 109), (20, 90))]
        seen = np.array(list(given.sample(some)))
        said = np.array([value for (value,) in mask.sample(some)])
        assert np.array_equal(said, truth(seen.T[:, :, np.newaxis]).ravel())
    check_outlines(made.path / "polygons/scene.geojson", drawn, crs, transform)


def test_what_the_files_own_mask_rules_out_stays_no_data(model, tmp_path):
    pixels = scene()
    known = np.indices((HEIGHT, WIDTH)).sum(axis=0) % 50 > 20
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        write(tmp_path / "scene.tif", pixels, *PLACES["turned"], nodata=None)
        with rasterio.open(tmp_path / "scene.tif", "r+") as file:
            file.write_mask(known)
    made = predict(model, tmp_path / "scene.tif", out=tmp_path / "maps", window=64, halo=8)
    with rasterio.open(made.path / "masks/scene.tif") as mask:
        assert np.array_equal(mask.read(1), np.where(known, pixels[0] >= 100, 255))


def check_outlines(path, drawn, crs, transform):
    """Outlines hold exactly the centres of the pixels that the mask calls foreground."""
    collection = json.loads(path.read_text(encoding="utf-8"))
    outlines = [shapely.geometry.shape(one["geometry"]) for one in collection["features"]]
    assert len(outlines) == ndimage.label(drawn == 1)[1]
    assert all(one.is_valid for one in outlines)
    rows, cols = np.indices(drawn.shape) + 0.5
    a, b, c, d, e, f = transform
    x, y = a * cols.ravel() + b * rows.ravel() + c, d * cols.ravel() + e * rows.ravel() + f
    inside = shapely.contains_xy(shapely.MultiPolygon(outlines), x, y)
    assert np.array_equal(inside.reshape(drawn.shape), drawn == 1)
    figures = [one["properties"] for one in collection["features"]]
    pixel = abs(rasterio.Affine(*transform).determinant)
    if crs == DEGREES:
        assert collection["crs"]["properties"]["name"].endswith("CRS84")
        latitude = np.radians([one.centroid.y for one in outlines])
        metres = 111_320**2 * np.cos(latitude)  # of a sphere: right to a hundredth
        expected = np.array([one.area for one in outlines]) * metres
        got = [one["area_m2"] for one in figures]
        np.testing.assert_allclose(got, expected, rtol=0.01)
    elif crs:
        assert collection["crs"]["properties"]["name"] == crs.replace(
            "EPSG:", "urn:ogc:def:crs:EPSG::"
        )
        total = sum(one["area_m2"] for one in figures)
        assert total == pytest.approx((drawn == 1).sum() * pixel)
    else:
        assert "crs" not in collection
        assert sum(one["area_pixels"] for one in figures) == (drawn == 1).sum()
