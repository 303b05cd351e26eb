"""Through the command line: one clear answer to each bad scene, and nothing that looks finished."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from crosspatch import images
from crosspatch.cli import main
from crosspatch.images import Georeference
from crosspatch.prediction.folder import Predictions
from pixelwise import save_pixelwise_model

rasterio = pytest.importorskip("rasterio")
PLACE = Georeference("EPSG:32610", (30.0, 0.0, 500_000.0, 0.0, -30.0, 4_000_000.0), nodata=0.0)
RANDOM = np.random.default_rng(2)
SCENE = RANDOM.integers(1, 250, (3, 300, 300)).astype(np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_pixelwise_model(tmp_path_factory.mktemp("models") / "model")


def ask(model, tmp_path, name, *more):
    """Predict by the command line; the exit code."""
    out = str(tmp_path / "maps")
    flags = ["--out", out, "--window", "64", "--halo", "8", "--polygons", "--probabilities"]
    return main(["predict", str(model.path), str(tmp_path / name), *flags, *more])


def million(path):
    """A TIFF of less than 1 kB that claims a million pixels a side."""
    tifffile.imwrite(path, np.zeros((16, 16), np.uint8), tile=(16, 16))
    with tifffile.TiffFile(path, mode="r+b") as file:
        for tag in ("ImageWidth", "ImageLength"):
            file.pages[0].tags[tag].overwrite(1_000_000, dtype="I")
    assert path.stat().st_size < 1024


def cut(path):
    """A GeoTIFF cut off in the middle."""
    images.write_image(path, SCENE, georeference=PLACE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damaged(path):
    """A GeoTIFF that is whole but for the beginning of a strip in the middle."""
    images.write_image(path, SCENE, georeference=PLACE)
    with tifffile.TiffFile(path) as file:
        starts = file.pages.first.dataoffsets
    data = bytearray(path.read_bytes())
    middle = starts[len(starts) // 2]
    data[middle : middle + 100] = bytes(100)
    path.write_bytes(bytes(data))


def cut_stack(path):
    """A stack cut off in the middle."""
    tifffile.imwrite(path, np.stack([SCENE] * 4), photometric="minisblack", compression="zlib",
                     metadata={"axes": "ZCYX"})  # fmt: skip
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_png(path):
    """A PNG cut off in the middle."""
    images.write_image(path, SCENE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_zarr(path):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(path, mode="w", zarr_format=3)
    group.create_array("0", shape=SCENE.shape, chunks=(1, 64, 64), dtype="u1")[...] = SCENE
    table = {"axes": ["c", "y", "x"], "datasets": [{"path": "0"}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [table]}


def codec(path):
    """An OME-Zarr whose codec nobody knows."""
    write_zarr(path)
    table = json.loads((path / "0/zarr.json").read_text())
    table["codecs"] = [{"name": "bytes"}, {"name": "wonder"}]
    (path / "0/zarr.json").write_text(json.dumps(table))


def cut_chunk(path):
    """An OME-Zarr one of whose chunks is cut off."""
    write_zarr(path)
    chunk = path / "0/c/1/2/3"
    chunk.write_bytes(chunk.read_bytes()[:40])


BAD = {
    "million.tif": (million, "more than its bytes can hold|outside the file"),
    "cut.tif": (cut, "outside the file; it is damaged or truncated"),
    "damaged.tif": (damaged, "GDAL cannot read it"),
    "stack.ome.tif": (cut_stack, "damaged or truncated|cannot be decoded"),
    "cut.png": (cut_png, "cannot be decoded"),
    "codec.zarr": (codec, "Zarr cannot read it .*wonder"),
    "chunk.zarr": (cut_chunk, "Zarr cannot read it"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_broken_scene_is_one_message_and_no_map(model, tmp_path, capsys, name):
    make, says = BAD[name]
    make(tmp_path / name)
    assert ask(model, tmp_path, name) == 1
    said = capsys.readouterr().err
    assert re.search(says, said), said
    assert (said.count("crosspatch: "), said.count("Traceback")) == (1, 0)
    assert str(tmp_path / name) in said
    assert sorted(one.name for one in tmp_path.iterdir()) == [name]


def test_broken_scenes_cost_the_sound_ones_nothing(model, tmp_path, capsys):
    for name, (make, _) in BAD.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        make(tmp_path / "in" / name)
    images.write_image(tmp_path / "in/sound.tif", SCENE, georeference=PLACE)
    assert ask(model, tmp_path, "in") == 0
    assert "7 images could not be mapped" in capsys.readouterr().out
    made = Predictions.open(tmp_path / "maps")
    assert [row["name"] for row in made.rows] == ["sound"]
    assert {path.rsplit("/")[-1] for path, _ in made.skipped} == set(BAD)
    left = {p.name.split(".")[0] for folder in ("masks", "probabilities", "polygons", "overlays")
            for p in (made.path / folder).iterdir()}  # fmt: skip
    assert left == {"sound"}


def test_missing_bands_are_said_with_what_there_is(model, tmp_path, capsys):
    images.write_image(
        tmp_path / "two.tif", SCENE[:2], georeference=PLACE, channel_names=("green", "red")
    )
    assert ask(model, tmp_path, "two.tif") == 1
    assert "has 2 channels (green, red), but the model wants 3 (red, green, blue)" in (
        capsys.readouterr().err
    )
    assert ask(model, tmp_path, "two.tif", "--bands", "1,2,3") == 1
    assert "--bands asks for number 3" in capsys.readouterr().err


def test_sixteen_bits_for_an_eight_bit_model_are_refused_where_they_do_not_fit(
    model, tmp_path, capsys
):
    images.write_image(tmp_path / "deep.tif", SCENE.astype(np.uint16) * 40, georeference=PLACE)
    assert ask(model, tmp_path, "deep.tif") == 1
    assert "is uint16, but the model was trained on uint8 images" in capsys.readouterr().err


def test_a_scene_of_nothing_has_a_map_of_nothing(model, tmp_path):
    images.write_image(tmp_path / "void.tif", SCENE * 0, georeference=PLACE)
    assert ask(model, tmp_path, "void.tif") == 0
    made = Predictions.open(tmp_path / "maps")
    assert (images.read_mask(made.mask_path("void")) == 255).all()
    assert made.rows[0]["no_data"] == "1"
    drawn = json.loads((made.path / "polygons/void.geojson").read_text(encoding="utf-8"))
    assert drawn["features"] == []


def test_nan_and_infinity_are_holes(tmp_path):
    model = save_pixelwise_model(tmp_path / "model", dtype="float32")
    pixels = SCENE.astype(np.float32)
    pixels[0, 10:20, 30] = np.nan
    pixels[2, 250, 100:140] = np.inf
    images.write_image(
        tmp_path / "scene.tif", pixels, georeference=Georeference(PLACE.crs, PLACE.transform)
    )
    assert ask(model, tmp_path, "scene.tif") == 0
    made = Predictions.open(tmp_path / "maps")
    expected = (SCENE[0] >= 100).astype(np.uint8)
    expected[10:20, 30] = expected[250, 100:140] = 255
    assert np.array_equal(images.read_mask(made.mask_path("scene")), expected)
    assert made.rows[0]["note"] == ""


def test_an_output_that_exists_needs_overwrite(model, tmp_path, capsys):
    images.write_image(tmp_path / "scene.tif", SCENE, georeference=PLACE)
    (tmp_path / "maps").write_text("mine")
    assert ask(model, tmp_path, "scene.tif") == 1
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "maps").read_text() == "mine"
    (tmp_path / "maps").unlink()
    assert ask(model, tmp_path, "scene.tif") == 0
    assert ask(model, tmp_path, "scene.tif") == 1
    assert "--overwrite" in capsys.readouterr().err
    assert ask(model, tmp_path, "scene.tif", "--overwrite") == 0


def test_scale_and_offset_are_noted_for_the_bands_that_have_them(model, tmp_path):
    images.write_image(tmp_path / "scene.tif", SCENE, georeference=PLACE)
    with rasterio.open(tmp_path / "scene.tif", "r+") as file:
        file.scales, file.offsets = (1.0, 0.0001, 0.0001), (0.0, -0.1, -0.1)
    assert ask(model, tmp_path, "scene.tif") == 0
    made = Predictions.open(tmp_path / "maps")
    assert made.rows[0]["note"].startswith("declares scale 0.0001 and offset -0.1 for band 2, 3:")
    assert np.array_equal(images.read_mask(made.mask_path("scene")), SCENE[0] >= 100)


def test_a_place_that_a_map_cannot_have_is_said(model, tmp_path):
    points = rasterio.control.GroundControlPoint
    corners = [points(row, col, 10 + col / 100, 60 - row / 100) for row in (0, 300)
               for col in (0, 300)]  # fmt: skip
    with rasterio.open(
        tmp_path / "scene.tif", "w", driver="GTiff", height=300, width=300, count=3,
        dtype="uint8", gcps=corners, crs="EPSG:4326",
    ) as file:  # fmt: skip
        file.write(SCENE)
    assert ask(model, tmp_path, "scene.tif") == 0
    made = Predictions.open(tmp_path / "maps")
    assert "ground control points" in made.rows[0]["note"]


FULL = """
import resource, sys
from crosspatch.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
raise SystemExit(main(sys.argv[2:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX does")
def test_a_disk_that_fills_up_while_gdal_writes_is_noticed(model, tmp_path):
    images.write_image(tmp_path / "scene.tif", SCENE, georeference=PLACE)
    words = ["predict", str(model.path), str(tmp_path / "scene.tif"), "--window", "64", "--halo",
             "8", "--probabilities", "--out", str(tmp_path / "maps")]  # fmt: skip
    size = 60_000  # more than any file but the probabilities, of which GDAL says nothing
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(size), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "scene.tif: cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "maps").exists()
    assert main(words) == 0  # there is room again: it goes on
    with rasterio.open(tmp_path / "maps/probabilities/scene.tif") as file:
        assert np.array_equal(file.read(1) >= 0.5, SCENE[0] >= 100)
