"""Rasters read what is asked, say what the file says, and refuse what they cannot."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

from crosspatch import images
from crosspatch.errors import InputError
from crosspatch.images import Georeference, geotiff
from crosspatch.images.geotiff import GeoTiffWriter
from crosspatch.images.ngff import ZarrWriter, halved
from crosspatch.images.raster import PixelSize, RasterFacts, open_raster
from crosspatch.images.stack import StackWriter

rasterio = pytest.importorskip("rasterio")
zarr = pytest.importorskip("zarr")
VOLUME = np.random.default_rng(0).integers(0, 255, (5, 2, 40, 50), dtype=np.uint8)
PLACE = Georeference("EPSG:32610", (30.0, 0.0, 500_000.0, 0.0, -30.0, 4_000_000.0), nodata=0.0)
ROWS, COLS = (10, 20), (5, 45)


def write_zarr(path, values=VOLUME, number=2, **changes):
    group = zarr.open_group(path, mode="w", zarr_format=number)
    chunks = (*[1] * (values.ndim - 2), 16, 16)
    group.create_array("0", shape=values.shape, chunks=chunks, dtype=values.dtype)[...] = values
    level = {
        "path": "0",
        "coordinateTransformations": [{"type": "scale", "scale": [2, 1, 0.5, 0.25]}],
    }
    table = {"axes": [{"name": axis, "unit": "micrometer"} for axis in "zcyx"], "datasets": [level]}
    metadata = {"multiscales": [table | changes]}
    metadata["omero"] = {"channels": [{"label": "dapi"}, {"label": "gfp"}]}
    group.attrs.update({"ome": metadata} if number == 3 else metadata)


def check(path, channels=(1, 0)):
    """Read a rectangle of the fourth plane of what holds VOLUME; return its facts."""
    with open_raster(path) as raster:
        read = raster.read(3, ROWS, COLS, channels)
        assert np.array_equal(read, VOLUME[3][list(channels), 10:20, 5:45])
        assert raster.hidden(3, ROWS, COLS) is None
        return raster.facts


@pytest.mark.parametrize("number", [2, 3])
def test_ome_zarr_is_read_by_plane_channel_and_rectangle(tmp_path, number):
    write_zarr(tmp_path / "a.zarr", number=number)
    facts = check(tmp_path / "a.zarr")
    assert (facts.planes, facts.channels, facts.axes) == (5, 2, (("z", 5),))
    assert facts.pixel_size == PixelSize(2.0, 0.5, 0.25, "micrometer")
    assert facts.channel_names == ("dapi", "gfp")
    assert facts.zarr_format == number


@pytest.mark.parametrize("order", ["zcxy", "xyzc", "yzxc"])
def test_ome_zarr_is_read_by_the_names_of_its_axes(tmp_path, order):
    values = VOLUME.transpose(["zcyx".index(axis) for axis in order])
    sizes = {"z": 2, "c": 1, "y": 0.5, "x": 0.25}
    scale = {"type": "scale", "scale": [sizes[axis] for axis in order]}
    write_zarr(
        tmp_path / "a.zarr", np.ascontiguousarray(values),
        axes=[{"name": axis, "unit": "micrometer"} for axis in order],
        datasets=[{"path": "0", "coordinateTransformations": [scale]}],
    )  # fmt: skip
    facts = check(tmp_path / "a.zarr")
    assert (facts.height, facts.width, facts.axes) == (40, 50, (("z", 5),))
    assert facts.pixel_size == PixelSize(2.0, 0.5, 0.25, "micrometer")


@pytest.mark.parametrize("number", [2, 3])
def test_a_map_lies_on_its_volume_in_space_and_time(tmp_path, number):
    own = [
        {"type": "scale", "scale": [1, 1, 0.5, 0.25]},
        {"type": "translation", "translation": [0, 0, 100, 20]},
    ]
    common = [{"type": "scale", "scale": [30, 1, 2, 2]}]
    units = {"t": "second", "y": "nanometer", "x": "nanometer"}
    write_zarr(
        tmp_path / "a.zarr", number=number,
        axes=[{"name": axis} | ({"unit": units[axis]} if axis in units else {}) for axis in "tcyx"],
        datasets=[{"path": "0", "coordinateTransformations": own}],
        coordinateTransformations=common,
    )  # fmt: skip
    with open_raster(tmp_path / "a.zarr") as raster:
        facts = raster.facts
    assert facts.pixel_size == PixelSize(
        1.0, 1.0, 0.5, "nanometer", 30.0, "second", (0.0, 0.0, 200.0, 40.0)
    )
    facts = dataclasses.replace(facts, height=300, width=50, channels=1, channel_names=None)
    writer = ZarrWriter(tmp_path / "map.ome.zarr", facts, "uint8", tile=(64, 64))
    writer.finish()
    with open_raster(tmp_path / "map.ome.zarr") as raster:
        assert raster.facts == facts
    group = zarr.open_group(tmp_path / "map.ome.zarr", mode="r")
    (table,) = (group.attrs["ome"] if number == 3 else dict(group.attrs))["multiscales"]
    steps, shift = table["datasets"][1]["coordinateTransformations"]
    assert (steps["scale"], shift["translation"]) == ([30.0, 2.0, 1.0], [0.0, 200.5, 40.25])


def test_ome_tiff_names_its_axes_channels_and_pixel_size(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.ome.tif", VOLUME, photometric="minisblack",
        metadata={"axes": "ZCYX", "Channel": {"Name": ["dapi", "gfp"]}, "PhysicalSizeX": 0.25,
                  "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0},
    )  # fmt: skip
    facts = check(tmp_path / "a.ome.tif")
    assert (facts.planes, facts.channels, facts.channel_names) == (5, 2, ("dapi", "gfp"))
    assert facts.pixel_size == PixelSize(2.0, 0.5, 0.25, "nm")


def test_imagej_and_plain_pages_are_stacks_too(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", VOLUME, imagej=True, resolution=(4.0, 2.0),
        metadata={"axes": "ZCYX", "unit": "um", "spacing": 3.0},
    )  # fmt: skip
    assert check(tmp_path / "a.tif").pixel_size == PixelSize(3.0, 0.5, 0.25, "um")
    tifffile.imwrite(tmp_path / "b.tif", VOLUME[:, 0], photometric="minisblack", metadata=None)
    facts = check(tmp_path / "b.tif", (0,))
    assert (facts.planes, facts.axes, facts.pixel_size) == (5, (("z", 5),), None)


def test_pages_of_different_sizes_are_no_stack(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(VOLUME[0, 0], metadata=None)
        file.write(VOLUME[0, 0, :20], metadata=None)
    with (
        pytest.raises(InputError, match="different sizes or types"),
        open_raster(tmp_path / "a.tif"),
    ):
        pass


def test_a_geotiff_is_read_by_windows_with_place_names_and_mask(tmp_path):
    images.write_image(
        tmp_path / "a.tif", VOLUME[3], georeference=PLACE, channel_names=("red", "nir")
    )
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(tmp_path / "a.tif", "r+") as file,
    ):
        file.scales, file.offsets = (0.5, 0.5), (1.0, 1.0)
    with open_raster(tmp_path / "a.tif") as raster:
        facts = raster.facts
        assert np.array_equal(raster.read(0, ROWS, COLS, [1]), VOLUME[3][1:, 10:20, 5:45])
    assert (facts.format, facts.georeference, facts.channel_names) == (
        "geotiff",
        PLACE,
        ("red", "nir"),
    )
    assert "declares scale 0.5 and offset 1: the stored values are shown" in facts.said[0]
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(tmp_path / "a.tif", "r+") as file,
    ):
        file.nodata = None
        file.write_mask(np.arange(50) % 2 == 0 * np.ones((40, 1)))
    with open_raster(tmp_path / "a.tif") as raster:
        assert raster.hidden(0, ROWS, COLS).any(axis=0).sum() == 20


def test_a_tiff_that_claims_what_it_cannot_hold_is_refused_unread(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((16, 16), np.uint8), tile=(16, 16))
    with tifffile.TiffFile(path, mode="r+b") as file:
        for tag in ("ImageWidth", "ImageLength"):
            file.pages[0].tags[tag].overwrite(1_000_000, dtype="I")
    assert path.stat().st_size < 1024
    with (
        pytest.raises(
            InputError, match=r"a\.tif: .*(more than its bytes can hold|outside the file)"
        ),
        open_raster(path),
    ):
        pass


def test_a_geotiff_cut_off_in_the_middle_is_refused(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 255, (1, 200, 200), dtype=np.uint8)
    images.write_image(tmp_path / "a.tif", pixels, georeference=PLACE)
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"a\.tif"), open_raster(tmp_path / "a.tif"):
        pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"datasets": []}, "no OME multiscale metadata"),
        ({"datasets": [{"path": "../0"}]}, "not a name inside"),
        ({"datasets": [{"path": "7"}]}, "Zarr cannot read it"),
        ({"axes": [{"name": name} for name in "zcyy"]}, "has axes z, c, y, y"),
        ({"axes": [{"name": name} for name in "cyx"]}, "no array of the axes"),
    ],
)
def test_broken_ome_metadata_is_refused(tmp_path, change, message):
    write_zarr(tmp_path / "a.zarr", **change)
    with pytest.raises(InputError, match=message), open_raster(tmp_path / "a.zarr"):
        pass


@pytest.mark.parametrize("number", [2, 3])
def test_zarr_with_an_unknown_codec_is_refused(tmp_path, number):
    write_zarr(tmp_path / "a.zarr", number=number)
    path = tmp_path / "a.zarr/0" / (".zarray" if number == 2 else "zarr.json")
    table = json.loads(path.read_text())
    if number == 2:
        table["compressor"] = {"id": "wonder"}
    else:
        table["codecs"] = [{"name": "bytes"}, {"name": "wonder"}]
    path.write_text(json.dumps(table))
    with (
        pytest.raises(InputError, match=r"a\.zarr: Zarr cannot read it \(.*wonder"),
        open_raster(tmp_path / "a.zarr"),
    ):
        pass


def test_chunks_that_no_memory_holds_are_refused(tmp_path):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("0", shape=(10**6, 10**6), chunks=(10**6, 10**6), dtype="u1")
    group.attrs["multiscales"] = [{"axes": ["y", "x"], "datasets": [{"path": "0"}]}]
    with pytest.raises(InputError, match="smaller chunks"), open_raster(tmp_path / "a.zarr"):
        pass


FACTS = RasterFacts(
    "zarr", 2, 1, 600, 530, np.dtype("u1"), axes=(("z", 2),),
    pixel_size=PixelSize(2.0, 0.5, 0.25, "nanometer"),
)  # fmt: skip


@pytest.mark.parametrize("number", [2, 3])
def test_ome_zarr_is_written_with_levels_in_their_place(tmp_path, number):
    path, facts = tmp_path / "a.ome.zarr", dataclasses.replace(FACTS, zarr_format=number)
    mask = (np.indices((600, 530)).sum(axis=0) % 200 < 100).astype(np.uint8)
    writer = ZarrWriter(path, facts, "uint8", tile=(64, 64))
    for plane in range(2):
        for row in range(0, 600, 64):
            writer.write(plane, row, 0, mask[row : row + 64] * plane)
    writer.finish()
    with open_raster(path) as raster:
        assert np.array_equal(raster.read(1, (0, 600), (0, 530), [0])[0], mask)
        assert not raster.read(0, (0, 600), (0, 530), [0]).any()
        assert raster.facts == dataclasses.replace(facts, pixel_size=FACTS.pixel_size)
    group = zarr.open_group(path, mode="r")
    attributes = group.attrs["ome"] if number == 3 else dict(group.attrs)
    (table,) = attributes["multiscales"]
    assert [level["path"] for level in table["datasets"]] == ["0", "1", "2"]
    assert [group[str(level)].shape for level in range(3)] == [
        (2, 600, 530), (2, 300, 265), (2, 150, 133)
    ]  # fmt: skip
    steps, shift = table["datasets"][2]["coordinateTransformations"]
    assert (steps["scale"], shift["translation"]) == ([2.0, 2.0, 1.0], [0.0, 0.75, 0.375])
    assert np.array_equal(np.asarray(group["1"][1]), halved(mask))


def test_halving_keeps_thin_things_and_holes():
    labels = np.array([[1, 0, 255, 255], [1, 0, 255, 0], [0, 0, 0, 1]], np.uint8)
    assert halved(labels).tolist() == [[1, 255], [0, 1]]
    numbers = np.array([[0.0, 1.0], [0.5, 0.5]], np.float32)
    assert halved(numbers).tolist() == [[0.5]]


def test_a_stack_is_written_as_ome_tiff_with_its_pixel_size(tmp_path):
    facts = dataclasses.replace(
        FACTS, format="stack", height=40, width=50, planes=6, axes=(("t", 2), ("z", 3)),
        pixel_size=PixelSize(2.0, 0.5, 0.25, "µm"),
    )  # fmt: skip
    writer = StackWriter(tmp_path / "a.ome.tif", facts, "uint8")
    for plane in range(6):
        writer.write(plane, 0, 0, np.full((30, 50), plane, np.uint8))
        writer.write(plane, 30, 0, np.full((10, 50), plane + 10, np.uint8))
    writer.finish()
    writer.close()
    with open_raster(tmp_path / "a.ome.tif") as raster:
        assert raster.facts.axes == facts.axes
        assert raster.facts.pixel_size == facts.pixel_size
        assert raster.read(4, (29, 31), (0, 1), [0]).tolist() == [[[4], [14]]]


def test_a_geotiff_is_written_in_tiles_with_overviews_and_a_style(tmp_path):
    mask = np.zeros((700, 600), np.uint8)
    mask[100:400, 200:500] = 1
    mask[600:] = 255
    place = dataclasses.replace(PLACE, nodata=255.0)
    writer = GeoTiffWriter(
        tmp_path / "a.tif", mask.shape, "uint8", place, nodata=255.0, tile=(256, 128)
    )
    for row in range(0, 700, 256):
        writer.write(0, row, 0, mask[row : row + 256])
    writer.finish()
    writer.close()
    with rasterio.open(tmp_path / "a.tif") as file:
        assert np.array_equal(file.read(1), mask)
        assert (file.crs.to_string(), tuple(file.transform)[:6]) == (PLACE.crs, PLACE.transform)
        assert (file.nodata, file.block_shapes, file.compression.name) == (
            255.0,
            [(256, 128)],
            "deflate",
        )
        assert file.overviews(1) == [2]
    style = (tmp_path / "a.qml").read_text()
    assert 'type="paletted"' in style
    assert 'value="1" label="foreground"' in style


def write_strips(path, height, width, rows):
    pixels = np.random.default_rng(0).integers(0, 255, (1, height, width), dtype=np.uint8)
    place = rasterio.Affine(1, 0, 5, 0, -1, 5)
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype="uint8",
        blockysize=rows, compress="deflate", zlevel=1, transform=place,
    ) as file:  # fmt: skip
        file.write(pixels)


def test_gdal_keeps_what_windows_along_a_row_share_and_no_more(tmp_path, monkeypatch):
    usual = rasterio.env.get_gdal_config("GDAL_CACHEMAX")
    write_strips(tmp_path / "a.tif", 3000, 4000, 8)
    with open_raster(tmp_path / "a.tif") as raster:
        assert rasterio.env.get_gdal_config("GDAL_CACHEMAX") == geotiff._CACHE
        assert raster.facts.said == ()
    assert rasterio.env.get_gdal_config("GDAL_CACHEMAX") == usual
    monkeypatch.setattr(geotiff, "_CACHE", 2**20)
    with open_raster(tmp_path / "a.tif"):  # 1032 rows as wide as the scene
        assert rasterio.env.get_gdal_config("GDAL_CACHEMAX") == 1032 * 4000 * 5 // 4
    monkeypatch.setattr(geotiff, "_LARGEST_CACHE", 2**21)
    with open_raster(tmp_path / "a.tif") as raster:
        assert rasterio.env.get_gdal_config("GDAL_CACHEMAX") == 2**21
        assert "stored in pieces of 4000 x 8 pixels" in raster.facts.said[0]


def test_a_file_may_be_let_go_in_another_thread(tmp_path):
    write_strips(tmp_path / "a.tif", 30, 40, 8)
    opened = open_raster(tmp_path / "a.tif")
    opened.__enter__()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(opened.__exit__, None, None, None).result()
