import csv
import errno

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosspatch import images
from crosspatch.crops import Crops, pack, recipe
from crosspatch.crops import writing as writing_module
from crosspatch.crops.threads import in_order
from crosspatch.crops.writing import Moments, pad
from crosspatch.dataset import Dataset
from crosspatch.dataset.folder import content_of
from crosspatch.errors import CrosspatchError, InputError, LeakError
from crosspatch.files import read_toml
from folders import half, make, noise, save, write_splits, write_toml

WINDOWS = recipe("windows", size=16, overlap=0.0)


def packed(folder, out=None, chosen=WINDOWS, **settings):
    return pack([Dataset.open(folder)], chosen, out or folder.parent / "crops", **settings)


@pytest.fixture
def sound(tmp_path):
    return make(tmp_path / "kelp")


class TestWhatIsPacked:
    def test_crops_are_the_pixels_at_their_place(self, sound):
        crops = packed(sound)
        assert crops.images.dtype == np.uint8
        assert crops.images.shape == (6 * 4, 3, 16, 16)  # 20 x 24: two origins a side
        for row in range(len(crops)):
            number = "abcdef".index(crops.table["subject"][row])
            top, left = crops.table["row"][row], crops.table["col"][row]
            place = (slice(top, top + 16), slice(left, left + 16))
            assert np.array_equal(crops.images[row], noise(number)[:, *place])
            assert np.array_equal(crops.masks[row], half()[place])

    def test_the_table_says_where_crops_come_from(self, sound):
        packed(sound)
        with (sound.parent / "crops/crops.csv").open(newline="") as file:
            rows = list(csv.reader(file))
        assert rows[0] == [
            "crop", "subject", "group", "split", "row", "col", "scale_row", "scale_col",
        ]  # fmt: skip
        assert rows[2] == ["1", "a", "ga", "train", "0", "8", "1.0", "1.0"]
        assert rows[24] == ["23", "f", "gf", "test", "4", "8", "1.0", "1.0"]

    def test_splits_and_samples_are_counted(self, sound):
        crops = packed(sound)
        assert crops.in_split("train").tolist() == list(range(16))
        assert crops.in_split("test").tolist() == list(range(16, 24))
        assert crops.samples("train") == 16 * 8
        assert crops.samples("test") == 8
        assert crops.samples("val") == 0

    def test_a_resized_pack_has_new_sizes_and_their_scales(self, sound):
        crops = packed(sound, chosen=recipe("fat-checker", size=16))
        assert crops.images.shape == (6 * 5, 3, 16, 16)
        assert set(crops.table["scale_row"]) == {32 / 20}
        assert set(crops.table["scale_col"]) == {32 / 24}
        assert set(crops.subjects["height"]) == {20}
        assert set(crops.subjects["width"]) == {24}

    def test_resized_masks_hold_no_value_between(self, tmp_path):
        folder = make(tmp_path / "d", mask_values={"background": [0], "foreground": [200, 1]})
        stripes = np.zeros((20, 24), np.uint8)
        stripes[::3, ::2] = 200
        for name in "abcdef":
            save(folder / f"masks/{name}.png", stripes)
        crops = packed(folder, chosen=recipe("coco-person", size=13))
        assert set(np.unique(crops.masks)) == {0, 1}

    def test_small_images_are_padded_and_the_padding_ignored(self, tmp_path):
        crops = packed(make(tmp_path / "d"), chosen=recipe("windows", size=32))
        assert crops.images.shape == (6, 3, 32, 32)
        assert np.array_equal(crops.images[0, :, :20, :24], noise(0))
        assert np.array_equal(crops.masks[0, :20, :24], half())
        assert (crops.masks[0, 20:] == 255).all()
        assert (crops.masks[0, :, 24:] == 255).all()

    @pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
    def test_the_dtype_of_the_source_is_kept(self, tmp_path, dtype):
        for number, name in enumerate("abc"):
            save(tmp_path / f"d/images/{name}.tif", noise(number, (4, 16, 16), dtype))
            save(tmp_path / f"d/masks/{name}.png", half(16, 16))
        crops = packed(tmp_path / "d")
        assert crops.images.dtype == dtype
        assert np.array_equal(crops.images[0], noise(0, (4, 16, 16), dtype))
        assert crops.channel_names == ("band 1", "band 2", "band 3", "band 4")

    def test_unlabelled_and_unplaced_subjects_are_counted_not_packed(self, sound):
        save(sound / "images/new.png", noise(40))
        save(sound / "images/later.png", noise(41))
        save(sound / "masks/later.png", half())
        crops = packed(sound)
        assert (crops.unlabelled, crops.unplaced) == (1, 1)
        assert len(crops.subjects["subject"]) == 6

    def test_files_and_rows_without_an_image_are_listed(self, sound):
        assert packed(sound, sound.parent / "before").problems == ()
        save(sound / "masks/orphan.png", half())
        with (sound / "splits.csv").open("a") as table:
            table.write("ghost,train,g\n")
        crops = packed(sound)
        assert len(crops.problems) == 2
        assert crops.problems[0].startswith("kelp/masks/orphan.png: mask without an image")
        assert "kelp/splits.csv, row 8: names 'ghost', which has no image" in crops.problems[1]

    def test_contents_are_fingerprints_of_decoded_pixels(self, sound):
        crops = packed(sound)
        assert crops.contents["b"] == content_of(noise(1))
        assert len(crops.contents) == 6

    def test_names_classes_and_notes_come_along(self, tmp_path):
        folder = make(
            tmp_path / "d", value=3, channels=["x", "y", "z"], classes={"sea": 0, "kelp": 3},
            notes=["Mind the tide."], licence="CC0", origin="here",
        )  # fmt: skip
        crops = packed(folder)
        assert crops.channel_names == ("x", "y", "z")
        assert crops.foreground == ("kelp",)
        assert crops.said == ("d: Mind the tide.",)
        assert read_toml(crops.path / "crops.toml")["datasets"][0]["licence"] == "CC0"

    def test_any_number_of_workers_makes_the_same_files(self, sound):
        one = packed(sound, sound.parent / "one", workers=1)
        four = packed(sound, sound.parent / "four", workers=4)
        for name in ("images.npy", "masks.npy", "crops.csv", "subjects.csv", "crops.toml"):
            assert (one.path / name).read_bytes() == (four.path / name).read_bytes()

    def test_progress_goes_to_the_end(self, sound):
        told = []
        packed(sound, progress=lambda *step: told.append(step))
        assert told == [("packing", done, 6) for done in range(1, 7)]


class TestStatistics:
    def test_are_of_the_training_pixels_alone_each_counted_once(self, sound):
        mean, std = packed(sound).statistics
        pixels = np.stack([noise(number) for number in range(4)]).astype(np.float64)
        assert mean == pytest.approx(pixels.mean((0, 2, 3)), rel=1e-12)
        assert std == pytest.approx(pixels.std((0, 2, 3)), rel=1e-12)

    def test_padding_does_not_count(self, tmp_path):
        folder = make(tmp_path / "d")
        mean, _ = packed(folder, chosen=recipe("windows", size=64)).statistics
        pixels = np.stack([noise(number) for number in range(4)]).astype(np.float64)
        assert mean == pytest.approx(pixels.mean((0, 2, 3)), rel=1e-12)

    def test_large_offsets_do_not_cancel(self):
        moments = Moments(1)
        for values in ([0, 1, 2], [10, 11], [5]):
            moments.add(np.array([[values]], dtype=np.float64) + 1e9)
        mean, std = moments.result()
        expected = np.array([0, 1, 2, 10, 11, 5], dtype=np.float64)
        assert mean[0] - 1e9 == pytest.approx(expected.mean(), abs=1e-6)
        assert std[0] == pytest.approx(expected.std(), rel=1e-6)

    @pytest.mark.parametrize("value", [0, 7, 1e9, -3.25])
    def test_a_constant_channel_has_deviation_1(self, value):
        moments = Moments(1)
        moments.add(np.full((1, 5, 5), value))
        moments.add(np.full((1, 7, 3), value))
        assert moments.result() == ([value], [1.0])


class TestNoData:
    """A pixel that the file says holds nothing is not trained on and moves no statistic."""

    NODATA = 60000
    HERE = images.Georeference("", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), float(NODATA))

    @pytest.fixture
    def coast(self, tmp_path):
        """Two subjects of two bands; the left third of the second is empty."""
        pytest.importorskip("rasterio")
        for number, name in enumerate("ab"):
            pixels = noise(number, (2, 16, 18), np.uint16)
            if name == "b":
                pixels[:, :, :6] = self.NODATA
                pixels[0, :, 7] = self.NODATA  # one band alone may hold this value
            (tmp_path / "d/images").mkdir(parents=True, exist_ok=True)
            images.write_image(tmp_path / f"d/images/{name}.tif", pixels, georeference=self.HERE)
            save(tmp_path / f"d/masks/{name}.png", half(16, 18))
        write_splits(tmp_path / "d", [("a", "train", "a"), ("b", "train", "b")])
        return tmp_path / "d"

    def test_its_mask_is_ignored_and_its_value_the_mean_of_the_rest(self, coast):
        crops = packed(coast)
        image, mask = crops.images[2], crops.masks[2]  # the first of b, columns 0 to 15
        assert (mask[:, :6] == 255).all()
        assert np.array_equal(mask[:, 6:], half(16, 18)[:, 6:16])
        seen = noise(1, (2, 16, 18), np.uint16)[:, :, 6:].astype(float)
        seen[0, :, 1] = self.NODATA
        for channel in (0, 1):
            assert set(image[channel, :, :6].ravel()) == {round(seen[channel].mean())}

    def test_statistics_are_of_valid_pixels_alone(self, coast):
        mean, std = packed(coast).statistics
        seen = noise(1, (2, 16, 18), np.uint16)[:, :, 6:].astype(float)
        seen[0, :, 1] = self.NODATA
        whole = noise(0, (2, 16, 18), np.uint16).astype(float)
        values = np.concatenate([whole.reshape(2, -1), seen.reshape(2, -1)], axis=1)
        assert mean == pytest.approx(values.mean(axis=1), rel=1e-12)
        assert std == pytest.approx(values.std(axis=1), rel=1e-12)

    def test_it_does_not_bleed_into_its_neighbours_when_resized(self, coast):
        crops = packed(coast, chosen=recipe("coco-person", size=7))
        assert crops.images[1][1].max() < 250
        assert crops.statistics[0][1] < 250
        assert (crops.masks[1][:, 0] == 255).all()
        assert not (crops.masks[1][:, -1] == 255).any()

    def test_an_image_of_nothing_is_skipped(self, coast):
        empty = np.full((2, 16, 18), self.NODATA, dtype=np.uint16)
        images.write_image(coast / "images/b.tif", empty, georeference=self.HERE)
        crops = packed(coast)
        assert [one.subject for one in crops.skipped] == ["b"]
        assert "holds no data" in crops.skipped[0].why


class TestSkipping:
    """A bad subject is left out, counted and listed; the others are packed."""

    def left_out(self, folder, name, *words):
        crops = packed(folder)
        assert [one.subject for one in crops.skipped] == [name]
        assert all(word in crops.skipped[0].why for word in words), crops.skipped[0].why
        assert len(crops.subjects["subject"]) == 5
        assert Crops.open(crops.path).skipped == crops.skipped

    def test_an_unreadable_image(self, sound):
        (sound / "images/b.png").write_bytes(b"nothing")
        self.left_out(sound, "b", "b.png", "not a PNG")

    @pytest.mark.parametrize("where", ["images", "masks"])
    def test_a_link_to_nothing(self, sound, where):
        (sound / where / "b.png").unlink()
        (sound / where / "b.png").symlink_to(sound / "gone.png")
        self.left_out(sound, "b", f"{where}/b.png", "does not exist")

    def test_a_truncated_image(self, sound):
        path = sound / "images/b.png"
        path.write_bytes(path.read_bytes()[:-30])
        self.left_out(sound, "b", "b.png")

    def test_a_truncated_mask(self, sound):
        path = sound / "masks/b.png"
        path.write_bytes(path.read_bytes()[:-20])
        self.left_out(sound, "b", "masks")

    def test_another_size(self, sound):
        save(sound / "masks/b.png", half(20, 23))
        self.left_out(sound, "b", "20 x 23", "20 x 24")

    def test_other_channels(self, sound):
        save(sound / "images/b.png", noise(30, (20, 24)))
        self.left_out(sound, "b", "has 1 channel", "3 of uint8")

    def test_unexpected_mask_values(self, sound):
        save(sound / "masks/b.png", half(value=4))
        self.left_out(sound, "b", "mask value 4")

    def test_two_files_of_one_name(self, sound):
        save(sound / "images/b.tif", noise(30))
        self.left_out(sound, "b", "several files")

    def test_an_unknown_split(self, sound):
        rows = [(n, "train" if n < "e" else "test", f"g{n}") for n in "abcdef"]
        write_splits(sound, [rows[0], ("b", "trian", "gb"), *rows[2:]])
        self.left_out(sound, "b", "'trian'", "splits.csv")

    def test_nan(self, tmp_path):
        for number, name in enumerate("abcdef"):
            pixels = noise(number, (2, 16, 16), np.float32)
            pixels[0, 0, 0] = np.nan if name == "b" else 0
            save(tmp_path / f"d/images/{name}.tif", pixels)
            save(tmp_path / f"d/masks/{name}.png", half(16, 16))
        self.left_out(tmp_path / "d", "b", "NaN")


class TestRefusing:
    """What cannot be packed is refused, and nothing is written."""

    @pytest.fixture(autouse=True)
    def nothing_is_left(self, tmp_path):
        yield
        assert not (tmp_path / "crops").exists()
        assert list(tmp_path.glob(".*")) == []

    def test_a_group_in_two_splits(self, sound):
        write_splits(sound, [("a", "train", "bay"), ("b", "test", "bay"), ("c", "train", "c")])
        with pytest.raises(LeakError, match="'a' and test subject 'b' share the group 'bay'"):
            packed(sound)

    def test_a_group_in_training_and_validation(self, sound):
        write_splits(sound, [("a", "train", "bay"), ("b", "val", "bay"), ("c", "test", "c")])
        with pytest.raises(LeakError, match="val subject 'b'"):
            packed(sound)

    def test_one_image_under_two_names_in_two_splits(self, sound):
        (sound / "images/f.png").unlink()
        save(sound / "images/f.tif", noise(0))
        with pytest.raises(LeakError, match="'a' and test subject 'f' are the same image"):
            packed(sound)

    def test_one_image_in_two_data_sets(self, tmp_path):
        one, other = make(tmp_path / "one"), make(tmp_path / "other")
        write_splits(other, [(n, "test" if n < "e" else "train", f"g{n}") for n in "abcdef"])
        with pytest.raises(LeakError, match="train subject 'one/a'"):
            pack([Dataset.open(one), Dataset.open(other)], WINDOWS, tmp_path / "crops")

    def test_nothing_to_train_on(self, sound):
        write_splits(sound, [(name, "test", name) for name in "abcdef"])
        with pytest.raises(InputError, match="no subject is left to train on: 6 are in other"):
            packed(sound)

    def test_no_masks(self, tmp_path):
        save(tmp_path / "d/images/a.png", noise(0))
        with pytest.raises(InputError, match="none of the 0 labelled subjects"):
            packed(tmp_path / "d")

    def test_all_subjects_bad_tells_why(self, sound):
        for name in "abcdef":
            save(sound / f"masks/{name}.png", half(value=9))
        with pytest.raises(InputError, match=r"6 were skipped:[\s\S]*mask value 9"):
            packed(sound)

    def test_data_sets_of_different_channels(self, tmp_path):
        one = make(tmp_path / "one")
        other = make(tmp_path / "other")
        for name in "abcdef":
            save(other / f"images/{name}.png", noise(ord(name), (20, 24)))
        with pytest.raises(InputError, match="one: 3 x uint8; other: 1 x uint8"):
            pack([Dataset.open(one), Dataset.open(other)], WINDOWS, tmp_path / "crops")

    def test_data_sets_whose_channels_have_other_names(self, tmp_path):
        one = make(tmp_path / "one", channels=["red", "green", "blue"])
        other = make(tmp_path / "other", channels=["nir", "red", "green"])
        with pytest.raises(InputError, match="nir, red, green"):
            pack([Dataset.open(one), Dataset.open(other)], WINDOWS, tmp_path / "crops")

    def test_data_sets_of_one_name(self, tmp_path):
        one, other = make(tmp_path / "a/kelp"), make(tmp_path / "b/kelp")
        with pytest.raises(InputError, match="two data sets are called 'kelp'"):
            pack([Dataset.open(one), Dataset.open(other)], WINDOWS, tmp_path / "crops")

    def test_a_full_disk(self, sound, monkeypatch):
        def full(self, array):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(writing_module.ArrayFile, "append", full)
        with pytest.raises(CrosspatchError, match="No space left"):
            packed(sound)


class TestSeveralDataSets:
    @pytest.fixture
    def coasts(self, tmp_path):
        """Two data sets of other pixels and the same names."""
        for number, name in enumerate(("north", "south")):
            folder = make(tmp_path / name, "ab")
            for place, subject in enumerate("ab"):
                save(folder / f"images/{subject}.png", noise(10 * number + place))
        return [tmp_path / name for name in ("north", "south")]

    def pack(self, coasts):
        return pack([Dataset.open(one) for one in coasts], WINDOWS, coasts[0].parent / "crops")

    def test_names_are_prefixed_and_so_are_groups_that_nobody_declared(self, coasts):
        for folder in coasts:
            write_splits(folder, [("a", "train", "bay"), ("b", "train", "")])
        crops = self.pack(coasts)
        assert list(crops.subjects["subject"]) == ["north/a", "north/b", "south/a", "south/b"]
        assert list(crops.subjects["group"]) == ["bay", "north/b", "bay", "south/b"]

    def test_a_group_called_as_one_of_its_subjects_is_one_group(self, coasts):
        for folder in coasts:
            write_splits(folder, [("a", "train", "a"), ("b", "train", "a")])
        assert set(self.pack(coasts).subjects["group"]) == {"a"}

    def test_a_group_in_two_data_sets_and_two_splits_is_refused(self, coasts):
        write_splits(coasts[0], [("a", "train", "bay"), ("b", "train", "cape")])
        write_splits(coasts[1], [("a", "test", "bay"), ("b", "test", "point")])
        with pytest.raises(LeakError, match="'north/a' and test subject 'south/a' share the group"):
            self.pack(coasts)
        assert not (coasts[0].parent / "crops").exists()


class TestFewSubjects:
    def test_one_subject_is_trained_on(self, tmp_path):
        crops = packed(make(tmp_path / "d", "a", splits=False))
        assert crops.samples("train") == 4 * 8
        assert crops.samples("test") == 0

    def test_of_two_one_is_tested_on(self, tmp_path):
        crops = packed(make(tmp_path / "d", "ab", splits=False))
        assert len(crops.in_split("train")) == len(crops.in_split("test")) == 4

    def test_no_foreground_is_packed(self, tmp_path):
        assert not (packed(make(tmp_path / "d", value=0)).masks == 1).any()


class TestAgain:
    def test_a_pack_that_would_be_the_same_is_left_as_it_is(self, sound):
        before = packed(sound)
        stamp = (before.path / "images.npy").stat().st_mtime_ns
        told = []
        after = packed(sound, progress=lambda *step: told.append(step))
        assert told == []
        assert (after.path / "images.npy").stat().st_mtime_ns == stamp
        assert after.fingerprint == before.fingerprint

    @pytest.mark.parametrize("change", ["mask", "recipe"])
    def test_another_pack_needs_leave_to_replace(self, sound, change):
        before = packed(sound)
        chosen = WINDOWS
        if change == "mask":
            save(sound / "masks/b.png", half(value=0))
        else:
            chosen = recipe("windows", size=16, overlap=0.5)
        with pytest.raises(CrosspatchError, match="overwrite"):
            packed(sound, chosen=chosen)
        after = packed(sound, chosen=chosen, overwrite=True)
        assert after.fingerprint != before.fingerprint

    def test_a_subject_that_was_put_right_is_packed(self, sound):
        (sound / "images/b.tif").write_bytes(b"")  # .png comes first, so no other file is read
        before = packed(sound)
        assert [one.subject for one in before.skipped] == ["b"]
        (sound / "images/b.tif").unlink()
        with pytest.raises(CrosspatchError, match="overwrite"):
            packed(sound)
        after = packed(sound, overwrite=True)
        assert after.skipped == ()
        assert len(after) == len(before) + 4

    def test_what_data_sets_say_of_themselves_is_brought_up_to_date(self, sound):
        save(sound / "masks/orphan.png", half())
        write_toml(sound, licence="unknown", origin="here", notes=["Mind the tide."])
        before = packed(sound)
        assert len(before.problems) == 1
        stamp = (before.path / "images.npy").stat().st_mtime_ns
        (sound / "masks/orphan.png").unlink()
        write_toml(sound, licence="CC0", notes=["Mind the fog."])
        after = packed(sound)
        assert (after.path / "images.npy").stat().st_mtime_ns == stamp
        assert after.said == ("kelp: Mind the fog.",)
        assert after.problems == ()
        assert after.sources[0]["licence"] == "CC0"
        assert "origin" not in after.sources[0]
        anew = packed(sound, sound.parent / "anew")
        assert read_toml(after.path / "crops.toml") == read_toml(anew.path / "crops.toml")

    def test_it_is_made_again_where_it_is_not_to_be_reused(self, sound):
        told = []
        packed(sound)
        packed(sound, overwrite=True)
        packed(sound, overwrite=True, reuse=False, progress=lambda *step: told.append(step))
        assert told[-1] == ("packing", 6, 6)

    def test_a_damaged_pack_is_made_again_with_leave(self, sound):
        crops = packed(sound)
        (crops.path / "masks.npy").write_bytes(b"")
        with pytest.raises(CrosspatchError, match="overwrite"):
            packed(sound)
        assert len(packed(sound, overwrite=True)) == 24

    def test_a_copy_of_the_data_set_gives_the_same_pack(self, tmp_path):
        one = packed(make(tmp_path / "a/kelp"), tmp_path / "one")
        other = packed(make(tmp_path / "b/kelp"), tmp_path / "other")
        assert one.fingerprint == other.fingerprint


class TestInOrder:
    @given(st.lists(st.integers(), max_size=30), st.integers(1, 5))
    def test_is_map(self, items, workers):
        assert list(in_order(lambda item: item * 2, items, workers)) == [i * 2 for i in items]

    def test_runs_ahead_of_a_slow_caller_by_workers_and_two_at_most(self):
        begun = []
        results = in_order(begun.append, range(100), workers=3)
        next(results)
        assert len(begun) <= 6
        results.close()

    def test_an_error_reaches_the_caller(self):
        def fail(item):
            raise ValueError(item)

        with pytest.raises(ValueError, match="1"):
            list(in_order(fail, [1, 2], workers=2))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 20))
def test_padding_reflects_below_and_right(height, width, size):
    pixels = np.arange(2 * height * width).reshape(2, height, width)
    image, mask = pad(pixels, np.ones((height, width), np.uint8), size)
    assert image.shape == (2, max(height, size), max(width, size))
    assert mask.shape == image.shape[1:]
    assert np.array_equal(image[:, :height, :width], pixels)
    assert int((mask == 255).sum()) == mask.size - height * width
    if size > height > 1:
        assert np.array_equal(image[:, height, :width], pixels[:, height - 2])


def test_several_classes_can_be_packed_one_against_the_rest(tmp_path):
    folder = make(tmp_path / "d", value=3)
    write_toml(folder, classes={"town": 1, "water": 3})
    crops = pack([Dataset.open(folder, foreground="water")], WINDOWS, tmp_path / "crops")
    assert crops.foreground == ("water",)
    assert (crops.masks[:] == 1).any()
