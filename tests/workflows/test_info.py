"""What predict maps, info describes: stacks, scenes too large to be read whole, OME-Zarr."""

import numpy as np
import pytest
import tifffile

from crosspatch import images
from crosspatch.errors import InputError
from crosspatch.images import Georeference
from crosspatch.workflows.info import info


def test_a_stack_is_told_by_its_planes(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.ome.tif", np.zeros((5, 2, 40, 50), np.uint16), photometric="minisblack",
        metadata={"axes": "ZCYX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5,
                  "PhysicalSizeZ": 2, "Channel": {"Name": ["dapi", "gfp"]}},
    )  # fmt: skip
    told = info(tmp_path / "a.ome.tif")
    assert (told.kind, told.problems) == ("image", ())
    assert told.facts == {
        "format": "TIFF stack", "planes": "5 of z", "channels": 2, "channel names": "dapi, gfp",
        "height": 40, "width": 50, "dtype": "uint16", "pixel size": "2 x 0.5 x 0.25 µm",
    }  # fmt: skip


def test_a_scene_that_is_too_large_to_be_read_whole_is_told_all_the_same(tmp_path, monkeypatch):
    pytest.importorskip("rasterio")
    place = Georeference("EPSG:32610", (30.0, 0.0, 5e5, 0.0, -30.0, 4e6), nodata=0.0)
    pixels = np.ones((3, 40, 50), np.uint8)
    images.write_image(tmp_path / "a.tif", pixels, georeference=place)
    monkeypatch.setattr("crosspatch.images.image.MAX_PIXELS", 1000)
    assert info(tmp_path / "a.tif").facts == {
        "format": "TIFF", "channels": 3, "height": 40, "width": 50, "dtype": "uint8",
        "reference system": "EPSG:32610", "no data": 0.0,
    }  # fmt: skip
    images.write_image(tmp_path / "a.png", pixels)
    with pytest.raises(InputError, match="cut it into tiles"):
        info(tmp_path / "a.png")


def test_an_ome_zarr_folder_is_told(tmp_path):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    group.create_array("0", shape=(3, 4, 40, 50), chunks=(1, 1, 32, 32), dtype="u1")
    table = {"axes": list("tzyx"), "datasets": [{"path": "0"}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [table]}
    assert info(tmp_path / "a.zarr").facts == {
        "format": "OME-Zarr", "planes": "3 of t, 4 of z", "channels": 1, "height": 40, "width": 50,
        "dtype": "uint8",
    }  # fmt: skip


def test_a_damaged_tiff_is_said(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0 and no more")
    with pytest.raises(InputError, match="holds no image"):
        info(tmp_path / "a.tif")
