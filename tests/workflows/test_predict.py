"""Predictions folders: right to the pixel, named safely, and never half there."""

import csv
import json
import os
import signal
import sys
import tomllib
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from crosspatch import images
from crosspatch.errors import CrosspatchError, InputError, SettingsError
from crosspatch.images import Georeference
from crosspatch.prediction import engines
from crosspatch.prediction.folder import COLUMNS, Journal, Predictions
from crosspatch.prediction.inputs import find_inputs, safe_names
from crosspatch.prediction.outputs import LARGEST_OVERLAY
from crosspatch.prediction.polygons import PolygonSettings
from crosspatch.workflows import predict as workflow
from crosspatch.workflows.predict import predict
from folders import make, save, write_toml
from pixelwise import save_pixelwise_model

PLACE = Georeference("EPSG:32610", (30.0, 0.0, 500_000.0, 0.0, -30.0, 4_000_000.0), nodata=0.0)


def picture(seed, height=20, width=31, channels=3, dtype=np.uint8):
    generator = np.random.default_rng(seed)
    return generator.integers(1, 250, (channels, height, width)).astype(dtype)


def truth(pixels, channel=0):
    return (pixels[channel] >= 100).astype(np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_pixelwise_model(tmp_path_factory.mktemp("models") / "model")


def files_in(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_an_image_becomes_a_mask_an_overlay_and_a_row(model, tmp_path):
    pixels = picture(1)
    save(tmp_path / "bay.png", pixels)
    made = predict(model, tmp_path / "bay.png", out=tmp_path / "maps")
    assert files_in(made.path) == [
        "masks/bay.png",
        "overlays/bay.png",
        "predictions.csv",
        "predictions.toml",
    ]
    assert np.array_equal(images.read_mask(made.mask_path("bay")), truth(pixels))
    overlay = np.asarray(PillowImage.open(made.path / "overlays/bay.png"))
    assert overlay.shape == (20, 31, 3)
    (row,) = made.rows
    assert list(row) == list(COLUMNS)
    assert (row["name"], row["file"]) == ("bay", str(tmp_path / "bay.png"))
    assert (row["height"], row["width"], row["no_data"]) == ("20", "31", "0")
    assert float(row["foreground"]) == pytest.approx(truth(pixels).mean(), rel=1e-5)
    assert 0 < float(row["mean_probability"]) < 1


def test_the_folder_says_which_model_drew_it(model, tmp_path):
    save(tmp_path / "bay.png", picture(1))
    predict(model, [tmp_path / "bay.png"], out=tmp_path / "maps", window=32, precision="fp32")
    table = tomllib.loads((tmp_path / "maps/predictions.toml").read_text())
    assert table["model_fingerprint"] == model.fingerprint
    assert (table["format"], table["images"], table["skipped"]) == (1, 1, 0)
    assert (table["foreground"], table["threshold"], table["window"]) == (["kelp"], 0.5, 32)
    again = Predictions.open(tmp_path / "maps")
    assert (again.count, again.skipped, again.said) == (1, [], [])


def test_a_georeferenced_image_stays_in_its_place_and_its_holes_stay_holes(model, tmp_path):
    pixels = picture(2)
    pixels[:, 3:6, 4] = 0
    images.write_image(tmp_path / "scene.tif", pixels, georeference=PLACE)
    made = predict(model, tmp_path / "scene.tif", out=tmp_path / "maps", probabilities=True)
    mask = images.read_image(made.path / "masks/scene.tif")
    assert (mask.georeference.crs, mask.georeference.transform) == (PLACE.crs, PLACE.transform)
    assert mask.georeference.nodata == 255
    expected = truth(pixels)
    expected[3:6, 4] = 255
    assert np.array_equal(mask.pixels[0], expected)
    probability = images.read_image(made.path / "probabilities/scene.tif")
    assert probability.pixels.dtype == np.float32
    assert probability.georeference.transform == PLACE.transform
    assert np.array_equal(np.isnan(probability.pixels[0]), expected == 255)
    assert np.array_equal(probability.pixels[0] >= 0.5, expected == 1)
    assert float(made.rows[0]["no_data"]) == pytest.approx(3 / (20 * 31), rel=1e-5)


def test_an_image_of_nothing_but_no_data_has_no_share(model, tmp_path):
    images.write_image(tmp_path / "void.tif", np.zeros((3, 8, 9), np.uint8), georeference=PLACE)
    made = predict(model, tmp_path / "void.tif", out=tmp_path / "maps")
    assert (images.read_mask(made.mask_path("void")) == 255).all()
    row = made.rows[0]
    assert (row["foreground"], row["mean_probability"], row["no_data"]) == ("", "", "1")


def test_folders_and_data_sets_are_searched_and_files_taken_once(model, tmp_path):
    data = make(tmp_path / "data", "abc")
    save(tmp_path / "loose/z.png", picture(3))
    (tmp_path / "loose/notes.txt").write_text("no image")
    told = []
    made = predict(
        model,
        [tmp_path / "loose", data, data / "images/b.png"],
        out=tmp_path / "maps",
        progress=lambda *args: told.append(args),
    )
    assert [row["name"] for row in made.rows] == ["z", "a", "b", "c"]
    assert told[-1] == ("images", 4, 4)


def test_a_data_set_names_its_channels(tmp_path):
    model = save_pixelwise_model(tmp_path / "m", channels=("nir",))
    pixels = picture(4)
    data = make(tmp_path / "data", "a")
    save(data / "images/a.png", pixels)
    write_toml(data, channels=["green", "nir", "swir"])
    made = predict(model, data, out=tmp_path / "maps")
    assert np.array_equal(images.read_mask(made.mask_path("a")), truth(pixels, channel=1))


def test_a_data_set_with_channels_that_are_no_names_is_refused(model, tmp_path):
    data = make(tmp_path / "data", "a", channels=[1, 2, 3])
    with pytest.raises(InputError, match="channels must be a list of names"):
        predict(model, data, out=tmp_path / "maps")


def test_an_image_of_other_channels_than_its_data_set_declares_is_skipped_and_listed(
    model, tmp_path
):
    (tmp_path / "data").mkdir()
    data = make(tmp_path / "data", "", channels=["nir", "swir", "blue", "green", "red"])
    for name, channels in (("a", 5), ("b", 3), ("c", 6)):
        save(data / f"images/{name}.tif", picture(4, channels=channels))
    made = predict(model, data, out=tmp_path / "maps")
    assert [row["name"] for row in made.rows] == ["a"]
    problems = {path.rsplit("/")[-1]: problem for path, problem in made.skipped}
    assert set(problems) == {"b.tif", "c.tif"}
    assert problems["b.tif"].startswith("has 3 channels, but 5 names are declared (nir, swir, ")
    by_number = predict(model, data, out=tmp_path / "numbered", bands=(3, 2, 1))
    expected = truth(picture(4, channels=3), channel=2)
    assert np.array_equal(images.read_mask(by_number.mask_path("b")), expected)
    assert (by_number.count, by_number.skipped) == (3, [])


def test_bands_are_numbered_from_one(model, tmp_path):
    pixels = picture(5, channels=4)
    save(tmp_path / "scene.tif", pixels)
    made = predict(model, tmp_path / "scene.tif", out=tmp_path / "maps", bands=(4, 1, 2))
    assert np.array_equal(images.read_mask(made.mask_path("scene")), truth(pixels, channel=3))
    assert made.table["bands"] == [4, 1, 2]


def test_an_image_without_names_is_shown_as_the_model_calls_its_bands(tmp_path):
    model = save_pixelwise_model(tmp_path / "m", channels=("blue", "red", "green"))
    ramp = np.tile(np.arange(0, 200, 5, dtype=np.uint8), (30, 1))
    pixels = np.stack([np.full_like(ramp, 7), ramp, np.full_like(ramp, 7)])
    save(tmp_path / "scene.tif", pixels)
    made = predict(model, tmp_path / "scene.tif", out=tmp_path / "maps", bands=(1, 2, 3))
    overlay = np.asarray(PillowImage.open(made.path / "overlays/scene.png")).astype(int)
    brightest = overlay[:, -1].mean(axis=0)
    assert brightest[0] == 255
    assert brightest[1:].max() < 20


@pytest.mark.parametrize("side", [40, 20])
@pytest.mark.parametrize(("dtype", "nodata"), [("int16", -9999.0), ("float32", -3.4e38)])
def test_an_overlay_is_as_bright_as_what_holds_data(tmp_path, monkeypatch, side, dtype, nodata):
    model = save_pixelwise_model(tmp_path / "m", channels=("pan",))
    monkeypatch.setattr("crosspatch.prediction.outputs.LARGEST_OVERLAY", side)
    pixels = np.full((1, 40, 40), 20, dtype)
    pixels[:, :, 20:] = 60
    pixels[:, :9] = nodata  # of the small overlay's fifth row, one half
    place = replace(PLACE, nodata=nodata)
    images.write_image(tmp_path / "scene.tif", pixels, georeference=place)
    made = predict(model, tmp_path / "scene.tif", out=tmp_path / "maps")
    overlay = np.asarray(PillowImage.open(made.path / "overlays/scene.png"))[:, :, 0]
    assert overlay.shape == (side, side)
    known = overlay[9 * side // 40 :]
    assert (known[:, : side // 2].max(), known[:, side // 2 :].min()) == (0, 255)


def test_two_images_of_one_stem_get_names_of_their_own(model, tmp_path):
    first, second = picture(6), picture(7)
    save(tmp_path / "north/bay.png", first)
    save(tmp_path / "south/Bay.tif", second)
    made = predict(model, [tmp_path / "north", tmp_path / "south"], out=tmp_path / "maps")
    assert [row["name"] for row in made.rows] == ["bay", "Bay-2"]
    assert np.array_equal(images.read_mask(made.mask_path("bay")), truth(first))
    assert np.array_equal(images.read_mask(made.mask_path("Bay-2")), truth(second))


def test_names_are_files_on_every_system():
    stems = ["a", "A", "a-2", "con", "Nul.x", "x:y*z", "...", "end. ", "ü 1", "l" * 300]
    names = safe_names(stems)
    assert names == ["a", "A-2", "a-2-2", "_con", "_Nul.x", "x_y_z", "_", "end", "ü 1", "l" * 120]


def test_bad_images_are_skipped_and_listed_and_the_rest_is_done(model, tmp_path):
    folder = tmp_path / "in"
    save(folder / "good.png", picture(8))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    save(folder / "grey.png", picture(8, channels=1))
    save(folder / "deep.tif", picture(8, dtype=np.uint16) * 100)
    made = predict(model, folder, out=tmp_path / "maps")
    assert [row["name"] for row in made.rows] == ["good"]
    assert files_in(made.path / "masks") == ["good.png"]
    with (made.path / "skipped.csv").open(newline="", encoding="utf-8") as file:
        problems = {row["file"].rsplit("/")[-1]: row["problem"] for row in csv.DictReader(file)}
    assert set(problems) == {"broken.png", "grey.png", "deep.tif"}
    assert problems["grey.png"].startswith(
        "has 1 channel, but the model wants 3 (red, green, blue)"
    )
    assert problems["deep.tif"].startswith("is uint16, but the model was trained on uint8 images")
    assert dict(made.skipped).keys() == {str(folder / name) for name in problems}
    assert made.table["skipped"] == 3


def test_what_is_assumed_about_an_image_is_noted(model, tmp_path):
    save(tmp_path / "in/a.tif", picture(9, dtype=np.float32))
    save(tmp_path / "in/b.tif", picture(10, dtype=np.float32))
    made = predict(model, tmp_path / "in", out=tmp_path / "maps")
    assert made.rows[0]["note"].startswith("is float32, but the model was trained on uint8")
    assert len(made.said) == 1
    assert made.said[0].startswith("2 images: each is float32")


def test_where_no_image_can_be_predicted_nothing_is_written(model, tmp_path):
    save(tmp_path / "grey.png", picture(11, channels=1))
    with pytest.raises(InputError, match=r"none of 1 images could be predicted; first .*grey\.png"):
        predict(model, tmp_path / "grey.png", out=tmp_path / "maps")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["grey.png"]


def test_a_wrong_number_of_bands_is_a_wrong_setting_and_nothing_is_written(model, tmp_path):
    save(tmp_path / "bay.png", picture(12))
    with pytest.raises(SettingsError, match="--bands names 2 channels"):
        predict(model, tmp_path / "bay.png", out=tmp_path / "maps", bands=(1, 2))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bay.png"]
    with pytest.raises(SettingsError, match="counts channels from 1"):
        predict(model, tmp_path / "nowhere", out=tmp_path / "maps", bands=(0, 1, 2))


def test_an_existing_folder_is_kept_unless_told_otherwise(model, tmp_path):
    save(tmp_path / "bay.png", picture(13))
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps/mine.txt").write_text("mine")
    with pytest.raises(CrosspatchError, match="exists already"):
        predict(model, tmp_path / "bay.png", out=tmp_path / "maps")
    assert files_in(tmp_path / "maps") == ["mine.txt"]
    predict(model, tmp_path / "bay.png", out=tmp_path / "drawn")
    (tmp_path / "drawn/mine.txt").write_text("mine")
    predict(model, tmp_path / "bay.png", out=tmp_path / "drawn", overwrite=True)
    assert "mine.txt" not in files_in(tmp_path / "drawn")


def test_predictions_never_replace_the_images_they_are_made_of(model, tmp_path):
    save(tmp_path / "bay.png", picture(13))
    predict(model, tmp_path / "bay.png", out=tmp_path / "maps")
    before = files_in(tmp_path / "maps")
    with pytest.raises(CrosspatchError, match="would replace it"):
        predict(model, tmp_path / "maps/masks", out=tmp_path / "maps", overwrite=True)
    assert files_in(tmp_path / "maps") == before


def interrupted_after(count, what="images"):
    """A progress function that stops the run when so many are done."""

    def progress(stage, done, total):
        if (stage, done) == (what, count):
            raise KeyboardInterrupt

    return progress


def test_an_interrupted_prediction_leaves_nothing_that_looks_finished_and_goes_on(
    model, tmp_path, monkeypatch
):
    save(tmp_path / "in/a.png", picture(14))
    save(tmp_path / "in/b.png", picture(15))
    predict(model, tmp_path / "in", out=tmp_path / "expected")
    with pytest.raises(KeyboardInterrupt):
        predict(model, tmp_path / "in", out=tmp_path / "maps", progress=interrupted_after(1))
    assert not (tmp_path / "maps").exists()
    opened = []
    real = workflow.open_raster
    monkeypatch.setattr(
        workflow, "open_raster", lambda path: opened.append(path.name) or real(path)
    )
    told = []
    predict(model, tmp_path / "in", out=tmp_path / "maps", progress=lambda *what: told.append(what))
    assert opened == ["b.png"]
    assert [what for what in told if what[0] == "images"] == [("images", 2, 2)]
    assert same_files(tmp_path / "maps", tmp_path / "expected")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["expected", "in", "maps"]


def test_a_scene_goes_on_in_the_middle_and_is_the_same_to_the_bit(model, tmp_path, monkeypatch):
    monkeypatch.setattr(workflow, "_LARGE", 1)
    monkeypatch.setattr(workflow, "batch_of", lambda layout, device: 2)
    pixels = picture(18, 300, 210)
    pixels[:, 40:60, 100:170] = 0
    images.write_image(tmp_path / "scene.tif", pixels, georeference=PLACE)
    wishes = {"window": 64, "halo": 8, "probabilities": True}
    predict(model, tmp_path / "scene.tif", out=tmp_path / "expected", **wishes)
    with pytest.raises(KeyboardInterrupt):
        predict(
            model, tmp_path / "scene.tif", out=tmp_path / "maps",
            progress=interrupted_after(14, "predicting"), **wishes,
        )  # fmt: skip
    asked = []
    real = engines.window_predictor

    def counting(*args):
        engine = real(*args)
        return lambda windows: asked.append(len(windows)) or engine(windows)

    monkeypatch.setattr(engines, "window_predictor", counting)
    told = []
    predict(
        model, tmp_path / "scene.tif", out=tmp_path / "maps",
        progress=lambda *what: told.append(what), **wishes,
    )  # fmt: skip
    assert next(done for what, done, _ in told if what == "predicting") >= 10  # two rows of five
    # 48 pixels apart: 6 x 5 windows (one of them all holes is not asked); two rows were done
    assert 0 < sum(asked) <= 20
    assert same_files(tmp_path / "maps", tmp_path / "expected")


def test_a_scene_never_goes_on_with_what_another_has_left(model, tmp_path, monkeypatch):
    monkeypatch.setattr(workflow, "batch_of", lambda layout, device: 2)
    for name, seed in (("a", 18), ("b", 19)):
        save(tmp_path / f"in/{name}.png", picture(seed, 150, 110))
    predict(model, tmp_path / "in", out=tmp_path / "expected", window=64, halo=8)
    real = Journal.add

    def add_and_die(self, file, result):
        real(self, file, result)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "add", add_and_die)
        with pytest.raises(KeyboardInterrupt):
            predict(model, tmp_path / "in", out=tmp_path / "maps", window=64, halo=8)
    assert list(tmp_path.glob(".maps.partial-*/unfinished/**/000000.npy"))
    predict(model, tmp_path / "in", out=tmp_path / "maps", window=64, halo=8)
    assert same_files(tmp_path / "maps", tmp_path / "expected")


def same_files(one, other):
    return files_in(one) == files_in(other) and all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in files_in(one)
    )


def test_other_settings_start_anew_and_remove_what_was_stopped(model, tmp_path):
    save(tmp_path / "in/a.png", picture(14))
    save(tmp_path / "in/b.png", picture(15))
    with pytest.raises(KeyboardInterrupt):
        predict(model, tmp_path / "in", out=tmp_path / "maps", progress=interrupted_after(1))
    predict(model, tmp_path / "in", out=tmp_path / "maps", probabilities=True)
    assert sorted(p.name for p in (tmp_path / "maps/probabilities").iterdir()) == ["a.tif", "b.tif"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "maps"]


def test_a_run_that_is_refused_or_stopped_costs_nothing_of_another(model, tmp_path, monkeypatch):
    save(tmp_path / "in/a.png", picture(14))
    save(tmp_path / "in/b.png", picture(15))
    for more in ({}, {"probabilities": True}):
        with pytest.raises(KeyboardInterrupt):
            predict(
                model, tmp_path / "in", out=tmp_path / "maps", progress=interrupted_after(1), **more
            )
    for bands, error in (((1, 2), SettingsError), ((1, 2, 9), InputError)):
        with pytest.raises(error):
            predict(model, tmp_path / "in", out=tmp_path / "maps", bands=bands)
    opened = []
    real = workflow.open_raster
    monkeypatch.setattr(
        workflow, "open_raster", lambda path: opened.append(path.name) or real(path)
    )
    predict(model, tmp_path / "in", out=tmp_path / "maps")
    assert opened == ["b.png"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "maps"]


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_an_input_that_is_not_there_is_said(model, tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"{name}: (does not exist|holds no image)"):
        predict(model, tmp_path / name, out=tmp_path / "maps")


def test_no_input_at_all_is_said():
    with pytest.raises(InputError, match="at least one image"):
        find_inputs([])


def test_a_large_image_has_a_small_overlay_and_progress_of_its_own(model, tmp_path, monkeypatch):
    monkeypatch.setattr("crosspatch.workflows.predict._LARGE", 1000)
    monkeypatch.setattr("crosspatch.prediction.outputs.LARGEST_OVERLAY", 50)
    assert LARGEST_OVERLAY == 2048
    pixels = picture(16, 100, 200)
    save(tmp_path / "scene.png", pixels)
    told = []
    made = predict(
        model, tmp_path / "scene.png", out=tmp_path / "maps", progress=lambda *a: told.append(a)
    )
    assert PillowImage.open(made.path / "overlays/scene.png").size == (50, 25)
    assert np.array_equal(images.read_mask(made.mask_path("scene")), truth(pixels))
    assert told[0][0] == "predicting"
    assert told[-2] == ("predicting", 1, 1)


@pytest.mark.parametrize("name", ["scene.png", "scene.tif"])
def test_a_large_picture_needs_no_extra_for_its_mask(model, tmp_path, monkeypatch, name):
    monkeypatch.setattr("crosspatch.prediction.outputs._LARGE", 100)
    monkeypatch.setitem(sys.modules, "rasterio", None)
    save(tmp_path / name, picture(16))
    made = predict(model, tmp_path / name, out=tmp_path / "maps")
    assert made.rows[0]["mask"] == "masks/scene.png"
    assert np.array_equal(images.read_mask(made.mask_path("scene")), truth(picture(16)))


def test_a_large_tiff_has_a_mask_in_tiles_also_where_it_lies_nowhere(model, tmp_path, monkeypatch):
    pytest.importorskip("rasterio")
    monkeypatch.setattr("crosspatch.prediction.outputs._LARGE", 100)
    save(tmp_path / "scene.tif", picture(16))
    made = predict(model, tmp_path / "scene.tif", out=tmp_path / "maps")
    assert made.rows[0]["mask"] == "masks/scene.tif"


def test_a_folder_that_is_none_of_ours_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not a predictions folder"):
        Predictions.open(tmp_path)


def test_a_name_that_is_not_there_is_said(model, tmp_path):
    save(tmp_path / "bay.png", picture(17))
    made = predict(model, tmp_path / "bay.png", out=tmp_path / "maps")
    with pytest.raises(InputError, match="no prediction called 'cape'"):
        made.mask_path("cape")


def test_uncertainty_is_written_where_the_image_lies_and_changes_no_mask(model, tmp_path):
    pixels = picture(21)
    pixels[:, 3:6, 4] = 0
    images.write_image(tmp_path / "scene.tif", pixels, georeference=PLACE)
    save(tmp_path / "bay.png", picture(22))
    inputs = [tmp_path / "scene.tif", tmp_path / "bay.png"]
    made = predict(model, inputs, out=tmp_path / "maps", uncertainty=True)
    plain = predict(model, inputs, out=tmp_path / "plain")
    for name in ("scene", "bay"):
        said = images.read_mask(made.mask_path(name))
        assert np.array_equal(said, images.read_mask(plain.mask_path(name)))
    scene = images.read_image(made.path / "uncertainty/scene.tif")
    assert scene.georeference.transform == PLACE.transform
    assert scene.pixels.dtype == np.float32
    assert np.array_equal(np.isnan(scene.pixels[0]), said_holes(made, "scene"))
    assert (scene.pixels[0][~said_holes(made, "scene")] < 0.02).all()  # it sees single pixels
    assert images.read_image(made.path / "uncertainty/bay.tif").pixels.shape == (1, 20, 31)
    assert not (plain.path / "uncertainty").exists()


def said_holes(made, name):
    return images.read_mask(made.mask_path(name)) == 255


def test_onnx_draws_the_same_masks(model, tmp_path):
    pytest.importorskip("onnxruntime")
    save(tmp_path / "bay.png", picture(23))
    made = predict(model, tmp_path / "bay.png", out=tmp_path / "maps", engine="onnx")
    assert np.array_equal(images.read_mask(made.mask_path("bay")), truth(picture(23)))
    assert (made.table["engine"], made.table["precision"]) == ("onnx", "fp32")
    with pytest.raises(SettingsError, match="runs on the CPU"):
        predict(model, tmp_path / "bay.png", out=tmp_path / "m", engine="onnx", device="cuda")


def test_polygons_lie_where_the_image_lies(model, tmp_path):
    features = pytest.importorskip("rasterio.features")
    pixels = picture(24, 90, 70)
    images.write_image(tmp_path / "scene.tif", pixels, georeference=PLACE)
    wishes = {"window": 32, "halo": 4, "polygons": True}
    made = predict(model, tmp_path / "scene.tif", out=tmp_path / "maps", **wishes)
    drawn = json.loads((made.path / "polygons/scene.geojson").read_text(encoding="utf-8"))
    assert drawn["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32610"
    outlines = [one["geometry"] for one in drawn["features"]]
    from rasterio import Affine

    back = features.rasterize(outlines, (90, 70), transform=Affine(*PLACE.transform))
    assert np.array_equal(back, images.read_mask(made.mask_path("scene")))
    total = sum(one["properties"]["area_m2"] for one in drawn["features"])
    assert total == pytest.approx(truth(pixels).sum() * 900)
    with pytest.raises(SettingsError, match="--smallest-area -1"):
        predict(
            model, tmp_path / "scene.tif", out=tmp_path / "m", polygons=PolygonSettings(smallest=-1)
        )
    assert not (tmp_path / "m").exists()


def test_a_stack_becomes_a_stack_of_masks_and_one_overlay(model, tmp_path):
    volume = np.stack([picture(seed, channels=3) for seed in range(5)])
    tifffile.imwrite(
        tmp_path / "a.ome.tif", volume, photometric="minisblack",
        metadata={"axes": "ZCYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5},
    )  # fmt: skip
    made = predict(model, tmp_path / "a.ome.tif", out=tmp_path / "maps", probabilities=True)
    assert files_in(made.path)[:3] == ["masks/a.ome.tif", "overlays/a.png", "predictions.csv"]
    masks = tifffile.imread(made.mask_path("a"))
    assert np.array_equal(masks, np.stack([truth(plane) for plane in volume]))
    assert made.rows[0]["planes"] == "5"
    probabilities = tifffile.imread(made.path / "probabilities/a.ome.tif")
    assert np.array_equal(probabilities >= 0.5, masks == 1)


def test_ome_zarr_becomes_ome_zarr(model, tmp_path):
    zarr = pytest.importorskip("zarr")
    volume = np.stack([picture(seed, 90, 70) for seed in range(3)], axis=1)  # (c, z, y, x)
    group = zarr.open_group(tmp_path / "in/a.zarr", mode="w", zarr_format=2)
    group.create_array("0", shape=volume.shape, chunks=(1, 1, 32, 32), dtype="u1")[...] = volume
    scale = {"type": "scale", "scale": [1.0, 3.0, 0.5, 0.5]}
    level = {"path": "0", "coordinateTransformations": [scale]}
    axes = [{"name": name, "unit": "micrometer"} for name in "czyx"]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [level]}]
    made = predict(model, tmp_path / "in", out=tmp_path / "maps", window=64, halo=8)
    assert made.rows[0]["mask"] == "masks/a.ome.zarr"
    masks = zarr.open_group(made.mask_path("a"), mode="r")
    assert np.array_equal(np.asarray(masks["0"]), truth(volume))
    (table,) = masks.attrs["multiscales"]
    assert table["datasets"][0]["coordinateTransformations"][0]["scale"] == [3.0, 0.5, 0.5]


def test_a_scene_that_turns_out_damaged_leaves_no_half_mask(model, tmp_path):
    pixels = np.random.default_rng(3).integers(1, 250, (3, 300, 300)).astype(np.uint8)
    save(tmp_path / "in/good.png", picture(1))
    images.write_image(tmp_path / "in/scene.tif", pixels, georeference=PLACE)
    data = bytearray((tmp_path / "in/scene.tif").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(2000)
    (tmp_path / "in/scene.tif").write_bytes(bytes(data))
    made = predict(model, tmp_path / "in", out=tmp_path / "maps", window=64, halo=8)
    assert [row["name"] for row in made.rows] == ["good"]
    assert files_in(made.path / "masks") == ["good.png"]
    assert "GDAL cannot read it" in made.skipped[0][1]


def test_a_full_disk_is_one_message_and_nothing_that_looks_finished(model, tmp_path, monkeypatch):
    def full(self, block):
        raise CrosspatchError("masks/scene.tif: cannot be written (No space left on device)")

    images.write_image(tmp_path / "scene.tif", picture(2), georeference=PLACE)
    monkeypatch.setattr("crosspatch.prediction.outputs.Layer.take", full)
    with pytest.raises(CrosspatchError, match="No space left on device"):
        predict(model, tmp_path / "scene.tif", out=tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


@pytest.mark.slow
def test_a_cluster_draws_the_same_also_when_a_worker_is_killed(model, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(workflow, "batch_of", lambda layout, device: 2)
    images.write_image(tmp_path / "scene.tif", picture(18, 300, 210), georeference=PLACE)
    wishes = {"window": 64, "halo": 8, "probabilities": True}
    predict(model, tmp_path / "scene.tif", out=tmp_path / "alone", **wishes)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        predict(model, tmp_path / "scene.tif", out=tmp_path / "two", scheduler=address, **wishes)
        killed = []

        def kill(stage, done, total):
            if stage == "predicting" and done >= 6 and not killed:
                killed.append(next(iter(cluster.workers.values())).process.pid)
                os.kill(killed[0], signal.SIGKILL)

        monkeypatch.setattr(workflow, "_LARGE", 1)
        predict(
            model, tmp_path / "scene.tif", out=tmp_path / "killed", scheduler=address,
            progress=kill, **wishes,
        )  # fmt: skip
    assert killed
    for other in ("two", "killed"):
        for name in ("masks/scene.tif", "probabilities/scene.tif"):
            with (
                rasterio_open(tmp_path / "alone" / name) as a,
                rasterio_open(tmp_path / other / name) as b,
            ):
                np.testing.assert_array_equal(a.read(), b.read())


def rasterio_open(path):
    return pytest.importorskip("rasterio").open(path)


def test_a_scheduler_that_is_not_there_is_said(model, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("crosspatch.prediction.cluster._TIMEOUT", 0.2)
    save(tmp_path / "bay.png", picture(17))
    with pytest.raises(CrosspatchError, match=r"--scheduler tcp://127.0.0.1:9: cannot be reached"):
        predict(model, tmp_path / "bay.png", out=tmp_path / "maps", scheduler="tcp://127.0.0.1:9")


def test_a_device_of_too_little_memory_is_said_with_what_to_do(model, tmp_path, monkeypatch):
    def full(windows):
        raise RuntimeError("MPS backend out of memory (MPS allocated: 9 GiB).")

    monkeypatch.setattr(engines, "window_predictor", lambda *_: full)
    save(tmp_path / "bay.png", picture(1))
    with pytest.raises(CrosspatchError, match=r"9 GiB\)\.\): draw with --window 512"):
        predict(model, tmp_path / "bay.png", out=tmp_path / "maps", window=1024)
    assert not (tmp_path / "maps").exists()
