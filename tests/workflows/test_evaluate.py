"""Evaluation of whole subjects: exact where the answer is known, and deaf to training subjects."""

import csv

import numpy as np
import pytest

from crosspatch import images
from crosspatch.dataset import Dataset
from crosspatch.errors import CrosspatchError, InputError, LeakError, SettingsError
from crosspatch.evaluation import subjects
from crosspatch.workflows.evaluate import evaluate
from folders import half, make, save, write_splits, write_toml
from pixelwise import save_pixelwise_model

BINARY = {"background": [0], "foreground": [1], "ignored": [255]}


def kelp(path, subjects=8, *, channels=("red", "green", "blue"), wrong=0):
    """A data set that the pixelwise model gets right, but for ``wrong`` pixels a subject."""
    generator = np.random.default_rng(1)
    rows = []
    for index in range(subjects):
        image = generator.integers(0, 250, (len(channels), 30, 47)).astype(np.uint8)
        mask = (image[list(channels).index("red")] >= 100).astype(np.uint8)
        mask.ravel()[np.flatnonzero(mask)[:wrong]] = 0
        save(path / f"images/s{index}.tif", image)
        save(path / f"masks/s{index}.png", mask)
        split = "test" if index % 4 else "train"
        rows.append((f"s{index}", split, f"g{index}"))
    write_splits(path, rows)
    write_toml(path, channels=list(channels), mask_values=BINARY, classes={"sea": 0, "kelp": 1})
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_pixelwise_model(tmp_path_factory.mktemp("models") / "model")


def test_a_perfect_model_is_perfect(model, tmp_path):
    scores = evaluate(model, kelp(tmp_path / "kelp"))
    assert [row.subject for row in scores.rows] == ["s1", "s2", "s3", "s5", "s6", "s7"]
    assert all(row.iou == row.boundary_f == row.matthews == 1.0 for row in scores.rows)
    assert scores.summary["iou"].value == 1.0
    assert scores.summary["iou"].groups == 6
    assert scores.rows[0].counted == 30 * 47
    assert scores.said == ()
    assert (scores.dataset, scores.split, scores.model) == ("kelp", "test", str(model.path))


def test_mistakes_are_counted_to_the_pixel_and_written(model, tmp_path):
    data = kelp(tmp_path / "kelp", wrong=7)
    out = tmp_path / "scores.csv"
    scores = evaluate(str(model.path), str(data), split="train", out=out)
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["subject"], row["fp"], row["fn"]) for row in rows] == [
        ("s0", "7", "0"),
        ("s4", "7", "0"),
    ]
    assert float(rows[0]["iou"]) == pytest.approx(scores.rows[0].iou, rel=1e-5)
    assert "2 groups only: no interval is given under 5" in scores.said
    assert scores.summary["iou"].low is None


def test_an_existing_table_is_kept_unless_told_otherwise(model, tmp_path):
    data, out = kelp(tmp_path / "kelp"), tmp_path / "scores.csv"
    out.write_text("mine")
    with pytest.raises(CrosspatchError, match="exists already"):
        evaluate(model, data, out=out)
    assert out.read_text() == "mine"
    evaluate(model, data, out=out, overwrite=True)
    assert out.read_text().startswith("method,subject")


def test_windows_are_as_large_as_was_asked_for(model, tmp_path):
    data = kelp(tmp_path / "kelp")
    assert evaluate(model, data, window=16).summary["iou"].value == 1.0
    with pytest.raises(SettingsError, match="at least one pixel a side, not 0"):
        evaluate(model, data, window=0)


def test_channels_are_found_by_name(model, tmp_path):
    data = kelp(tmp_path / "kelp", channels=("nir", "blue", "red", "green"))
    assert evaluate(model, data).summary["pooled_iou"].value == 1.0


def test_ignored_pixels_count_nowhere(model, tmp_path):
    data = kelp(tmp_path / "kelp")
    subject = Dataset.open(data).in_split("test")[0]
    mask = Dataset.open(data).read_mask(subject)
    mask[:10] = 1 - mask[:10]
    mask[:10, 5:] = 255
    mask[:10, :5] = 255
    save(subject.mask, mask)
    row = evaluate(model, data).rows[0]
    assert row.counted == 20 * 47
    assert row.iou == 1.0


class TestLeaks:
    def test_a_training_subject_is_refused(self, tmp_path):
        data = Dataset.open(kelp(tmp_path / "kelp"))
        tested = data.in_split("test")[2]
        model = save_pixelwise_model(tmp_path / "m", contents=frozenset({data.content(tested)}))
        with pytest.raises(LeakError, match=r"'s3' and test subject 's3' are the same image"):
            evaluate(model, data, out=tmp_path / "scores.csv")
        assert not (tmp_path / "scores.csv").exists()

    def test_a_copy_in_another_format_and_data_set_is_refused(self, tmp_path):
        data = Dataset.open(kelp(tmp_path / "kelp"))
        pixels = data.read_image(data.in_split("test")[0]).pixels
        other = make(tmp_path / "other")
        save(other / "images/f.png", pixels)
        save(other / "masks/f.png", half(30, 47))
        model = save_pixelwise_model(
            tmp_path / "m", contents=frozenset({data.content(data.in_split("test")[0])})
        )
        with pytest.raises(LeakError, match="'f' are the same image"):
            evaluate(model, other)

    def test_a_subject_of_a_training_scene_is_refused(self, tmp_path):
        path = kelp(tmp_path / "kelp")
        write_splits(path, [("s0", "train", "bay"), ("s1", "test", "bay"), ("s2", "test", "cape")])
        data = Dataset.open(path)
        model = save_pixelwise_model(
            tmp_path / "m", contents=frozenset({data.content(data.in_split("train")[0])})
        )
        with pytest.raises(LeakError, match="'s0' and test subject 's1' share the group 'bay'"):
            evaluate(model, data)

    def test_a_subject_that_a_warm_start_brings_along_is_refused(self, tmp_path):
        data = Dataset.open(kelp(tmp_path / "kelp"))
        seen = frozenset({data.content(data.in_split("test")[0])})
        model = save_pixelwise_model(tmp_path / "m", source_contents=seen)
        with pytest.raises(LeakError, match="'s1' are the same image"):
            evaluate(model, data)

    def test_training_subjects_beside_the_test_are_no_leak(self, tmp_path):
        data = Dataset.open(kelp(tmp_path / "kelp"))
        contents = frozenset(data.content(subject) for subject in data.in_split("train"))
        model = save_pixelwise_model(tmp_path / "m", contents=contents)
        assert len(evaluate(model, data).rows) == 6


def test_what_prepare_rules_out_is_not_scored_but_listed(model, tmp_path):
    path = kelp(tmp_path / "kelp")
    save(path / "images/s1.png", np.zeros((3, 30, 47), np.uint8))
    with (path / "splits.csv").open("a") as table:
        table.write("s2,test,g2\n")
    scores = evaluate(model, path)
    assert [row.subject for row in scores.rows] == ["s3", "s5", "s6", "s7"]
    assert [name for name, _ in scores.skipped] == ["s1", "s2"]
    assert "several files" in scores.skipped[0][1]
    assert "again" in scores.skipped[1][1]


def test_baselines_are_not_fitted_on_a_copy_of_what_is_scored(model, tmp_path):
    path = kelp(tmp_path / "kelp")
    data = Dataset.open(path)
    (path / "images/s1.tif").unlink()
    save(path / "images/s1.png", data.read_image(data.in_split("train")[0]).pixels)
    with pytest.raises(LeakError, match="'s0' and test subject 's1' are the same image"):
        evaluate(model, path, baselines=True)


def test_a_split_without_subjects_is_said_with_what_there_is(model, tmp_path):
    message = (
        r"no labelled subject in the split 'val' \(labelled subjects by split: test: 6, train: 2"
    )
    with pytest.raises(InputError, match=message):
        evaluate(model, kelp(tmp_path / "kelp"), split="val")


def test_subjects_that_cannot_be_scored_are_listed_and_the_rest_is_scored(model, tmp_path):
    data = kelp(tmp_path / "kelp")
    (data / "images/s1.tif").write_bytes(b"II*\0 broken")
    save(data / "masks/s2.png", half(30, 46))
    save(data / "masks/s3.png", np.full((30, 47), 255, np.uint8))
    scores = evaluate(model, data)
    assert [row.subject for row in scores.rows] == ["s5", "s6", "s7"]
    assert [name for name, _ in scores.skipped] == ["s1", "s2", "s3"]
    assert "30 x 46 pixels (height x width), but its image is 30 x 47" in scores.skipped[1][1]
    assert "ignores every pixel" in scores.skipped[2][1]


def test_a_data_set_of_other_channels_is_refused(model, tmp_path):
    data = kelp(tmp_path / "kelp", channels=("red", "nir"))
    with pytest.raises(
        InputError, match=r"no subject could be scored .*has 2 channels \(red, nir\)"
    ):
        evaluate(model, data)


def test_another_foreground_is_said(tmp_path):
    model = save_pixelwise_model(tmp_path / "m", foreground=("water",))
    said = evaluate(model, kelp(tmp_path / "kelp")).said
    assert said == ("the model was trained to find water; the masks here show kelp",)


def test_another_dtype_is_said(tmp_path):
    model = save_pixelwise_model(tmp_path / "m", dtype="float32")
    said = evaluate(model, kelp(tmp_path / "kelp")).said
    assert said == (
        "an image is uint8, but the model was trained on float32 images: its values are taken as "
        "they are",
    )


def test_what_holds_no_data_is_not_taken_for_a_value(tmp_path):
    pytest.importorskip("rasterio")
    model = save_pixelwise_model(tmp_path / "m", dtype="uint16")
    data = kelp(tmp_path / "kelp")
    place = images.Georeference("EPSG:32610", (30.0, 0.0, 0.0, 0.0, -30.0, 0.0), nodata=-9999.0)
    for path in (data / "images").iterdir():
        pixels = images.read_image(path).pixels.astype(np.int16)
        pixels[:, :5] = -9999
        images.write_image(path, pixels, georeference=place)
    scores = evaluate(model, data)
    assert (len(scores.rows), scores.skipped) == (6, ())
    assert all(row.iou == 1.0 for row in scores.rows)


class TestBaselines:
    def test_are_scored_on_the_same_subjects(self, model, tmp_path):
        scores = evaluate(model, kelp(tmp_path / "kelp"), baselines=True)
        assert [method.method for method in scores.methods] == [
            "model",
            "threshold",
            "random forest",
        ]
        _, threshold, forest = scores.methods
        assert threshold.says == "red >= 100, fitted on 2 subjects (IoU 1.000 there)"
        assert threshold.summary["pooled_iou"].value == 1.0
        assert forest.summary["pooled_iou"].value > 0.97
        assert [row.subject for row in forest.rows] == [row.subject for row in scores.rows]

    def test_spend_the_labels_that_the_model_has_spent(self, tmp_path):
        data = Dataset.open(kelp(tmp_path / "kelp", subjects=9))
        spent = frozenset({data.content(data.in_split("train")[0])})
        model = save_pixelwise_model(tmp_path / "m", contents=spent)
        assert "fitted on 1 subject " in evaluate(model, data, baselines=True).methods[1].says

    def test_are_not_fitted_on_the_scenes_they_are_scored_on(self, model, tmp_path):
        path = kelp(tmp_path / "kelp")
        write_splits(path, [("s0", "train", "bay"), ("s1", "test", "bay")])
        with pytest.raises(LeakError, match="share the group 'bay'"):
            evaluate(model, path, baselines=True)

    def test_need_training_subjects(self, model, tmp_path):
        path = kelp(tmp_path / "kelp")
        write_splits(path, [("s0", "test", "a"), ("s1", "test", "b")])
        with pytest.raises(InputError, match="no training subject to fit the baselines on"):
            evaluate(model, path, baselines=True)


def test_progress_is_told(model, tmp_path):
    told = []
    evaluate(model, kelp(tmp_path / "kelp"), progress=lambda *args: told.append(args))
    assert ("comparing with training", 8, 8) in told
    assert told[-1] == ("scoring", 6, 6)


def test_a_device_of_too_little_memory_is_said_with_what_to_do(model, tmp_path, monkeypatch):
    def full(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 GiB.")

    monkeypatch.setattr(subjects, "predict_probability", full)
    with pytest.raises(CrosspatchError, match=r"9 GiB\.\): draw with --window 512"):
        evaluate(model, kelp(tmp_path / "kelp"))
