import numpy as np
import pytest

from crosspatch.dataset import Dataset
from crosspatch.dataset.folder import content_of
from crosspatch.errors import InputError
from folders import half, make, noise, save, write_splits, write_toml

LAND = {"undefined": 0, "built-up": 1, "water": 3}


def subject_of(dataset, name):
    return next(subject for subject in dataset.subjects if subject.name == name)


class TestOpening:
    def test_pairs_images_with_masks_and_rows(self, tmp_path):
        save(tmp_path / "images/b.PNG", noise(1))
        save(tmp_path / "images/a.tif", noise(2, (4, 20, 24)))
        save(tmp_path / "masks/a.png", half())
        write_splits(
            tmp_path,
            [("a", "train", "bay", "x"), ("b", "", "cape", "y")],
            ("name", "split", "group", "note"),
        )
        dataset = Dataset.open(tmp_path)
        first, second = dataset.subjects
        assert (first.name, first.split, first.group) == ("a", "train", "bay")
        assert first.image.name == "a.tif"
        assert first.mask is not None
        assert (second.name, second.split, second.group) == ("b", None, "cape")
        assert dataset.labelled == (first,)
        assert dataset.unlabelled == (second,)
        assert dataset.problems == ()

    def test_is_a_path_and_has_the_folders_name(self, tmp_path):
        dataset = Dataset.open(make(tmp_path / "kelp"))
        assert dataset.name == "kelp"
        assert Dataset.open(dataset).path == tmp_path / "kelp"

    def test_a_folder_without_images_is_no_data_set(self, tmp_path):
        with pytest.raises(InputError, match="no folder 'images'"):
            Dataset.open(tmp_path)
        (tmp_path / "images").mkdir()
        with pytest.raises(InputError, match="holds no image"):
            Dataset.open(tmp_path)

    def test_images_only_make_a_data_set_to_predict_on(self, tmp_path):
        save(tmp_path / "images/a.png", noise(1))
        dataset = Dataset.open(tmp_path)
        assert len(dataset.unlabelled) == 1
        assert dataset.subjects[0].split is None
        assert dataset.said == ()

    def test_licence_origin_notes_and_channels_come_from_the_toml(self, tmp_path):
        make(tmp_path, channels=["r", "g", "b"], licence="CC0", origin="here", notes=["Mind this."])
        dataset = Dataset.open(tmp_path)
        assert dataset.channel_names == ("r", "g", "b")
        assert (dataset.licence, dataset.origin) == ("CC0", "here")
        assert "Mind this." in dataset.said

    def test_colour_images_name_their_channels_themselves(self, tmp_path):
        assert Dataset.open(make(tmp_path)).channel_names == ("red", "green", "blue")

    @pytest.mark.parametrize(
        ("toml", "complaint"),
        [
            ({"channels": "rgb"}, "list of names"),
            ({"channels": ["r", "g", "r"]}, "twice"),
            ({"channels": []}, "list of names"),
            ({"licence": 4}, "licence must be text"),
            ({"notes": "x"}, "notes must be"),
            ({"format": 2}, "newer"),
        ],
    )
    def test_refuses_a_toml_that_makes_no_sense(self, tmp_path, toml, complaint):
        make(tmp_path)
        write_toml(tmp_path, **toml)
        with pytest.raises(InputError, match=complaint):
            Dataset.open(tmp_path)


class TestSplits:
    def test_without_a_table_labelled_subjects_are_split_by_seed_and_that_is_said(self, tmp_path):
        make(tmp_path, "abcdefghij", splits=False)
        save(tmp_path / "images/unlabelled.png", noise(99))
        dataset = Dataset.open(tmp_path, seed=7)
        # the order of groups for this seed is held in test_splits.py: a c e i j d b | g h f
        assert [s.name for s in dataset.in_split("test")] == ["f", "g", "h"]
        assert len(dataset.in_split("train")) == 7
        assert subject_of(dataset, "unlabelled").split is None
        assert any("7 labelled subjects" in said and "seed 7" in said for said in dataset.said)

    def test_a_table_of_groups_alone_is_split_by_those_groups(self, tmp_path):
        make(tmp_path, "abcdef")
        write_splits(tmp_path, [(n, "bay" if n < "d" else "cape") for n in "abcdef"],
                     ("name", "group"))  # fmt: skip
        dataset = Dataset.open(tmp_path)
        assert {s.group for s in dataset.in_split("train")} != {
            s.group for s in dataset.in_split("test")
        }
        assert len(dataset.in_split("train")) == len(dataset.in_split("test")) == 3

    def test_a_subject_without_a_group_is_its_own(self, tmp_path):
        make(tmp_path, "ab")
        write_splits(tmp_path, [("a", "train"), ("b", "test")], ("name", "split"))
        assert [s.group for s in Dataset.open(tmp_path).subjects] == ["a", "b"]

    def test_a_labelled_subject_without_a_row_is_in_no_split(self, tmp_path):
        make(tmp_path, "ab")
        write_splits(tmp_path, [("a", "train", "g")])
        dataset = Dataset.open(tmp_path)
        assert subject_of(dataset, "b").split is None
        assert any("'b' has no row" in p.what and p.warning for p in dataset.problems)

    def test_so_it_is_where_a_table_of_groups_is_split_by_seed(self, tmp_path):
        make(tmp_path, "abcdefg")
        write_splits(tmp_path, [(n, "bay" if n < "d" else "cape") for n in "abcdef"],
                     ("name", "group"))  # fmt: skip
        dataset = Dataset.open(tmp_path)
        assert subject_of(dataset, "g").split is None
        assert len(dataset.in_split("train")) == len(dataset.in_split("test")) == 3
        assert "3 labelled subjects were chosen for training and 3 for testing" in dataset.said[0]

    def test_names_are_read_with_a_byte_order_mark_and_spaces(self, tmp_path):
        make(tmp_path, "ab")
        (tmp_path / "splits.csv").write_bytes(
            "\ufeffname,split,group\r\na, test ,g\r\nb,train,h\r\n".encode()
        )
        assert [s.split for s in Dataset.open(tmp_path).subjects] == ["test", "train"]

    @pytest.mark.parametrize("table", [b"title,split\na,train\n", b"", b"\xff\xfe\x00name"])
    def test_refuses_a_table_without_names(self, tmp_path, table):
        make(tmp_path, "ab")
        (tmp_path / "splits.csv").write_bytes(table)
        with pytest.raises(InputError, match=r"splits\.csv"):
            Dataset.open(tmp_path)


class TestMeaningOfMasks:
    def read(self, folder, **choice):
        dataset = Dataset.open(folder, **choice)
        return dataset, dataset.read_mask(dataset.subjects[0])

    def test_0_and_255_everywhere_means_foreground_and_is_said(self, tmp_path):
        dataset, mask = self.read(make(tmp_path, value=255))
        assert np.array_equal(mask, half())
        assert any("255 is read as foreground" in said for said in dataset.said)

    def test_one_mask_with_a_1_makes_255_ignored_and_that_is_said(self, tmp_path):
        make(tmp_path, value=255)
        save(tmp_path / "masks/f.png", half(value=1))
        dataset, mask = self.read(tmp_path)
        assert np.array_equal(mask, half(value=255))
        assert dataset.said == (
            "255 is read as ignored because f.png holds 1: declare mask_values in dataset.toml if "
            "it means foreground",
        )

    def test_a_mask_of_both_shows_what_255_means(self, tmp_path):
        make(tmp_path)
        both = half()
        both[-1] = 255
        save(tmp_path / "masks/f.png", both)
        save(tmp_path / "masks/a.png", half(value=255))
        dataset, mask = self.read(tmp_path)
        assert np.array_equal(mask, half(value=255))
        assert dataset.said == ()

    def test_masks_of_0_and_1_need_no_words(self, tmp_path):
        dataset, mask = self.read(make(tmp_path))
        assert np.array_equal(mask, half())
        assert dataset.said == ()

    def test_an_odd_mask_among_0_and_255_is_said_and_not_guessed_over(self, tmp_path):
        make(tmp_path, value=255)
        save(tmp_path / "masks/c.png", half(value=17))
        dataset, mask = self.read(tmp_path)
        assert np.array_equal(mask, half(value=255))
        assert any("c.png holds 17" in said and "ignored" in said for said in dataset.said)

    def test_declared_values_need_no_guess(self, tmp_path):
        values = {"background": [0], "foreground": [1], "ignored": [255]}
        dataset, mask = self.read(make(tmp_path, value=255, mask_values=values))
        assert np.array_equal(mask, half(value=255))
        assert dataset.said == ()

    def test_a_single_class_beside_background_is_the_foreground(self, tmp_path):
        folder = make(tmp_path, value=3, classes={"background": 0, "water": 3})
        dataset, mask = self.read(folder)
        assert dataset.foreground == ("water",)
        assert np.array_equal(mask, half())

    def test_several_classes_need_a_choice_and_the_message_lists_them(self, tmp_path):
        make(tmp_path, value=3, classes=LAND)
        with pytest.raises(InputError, match="undefined, built-up, water"):
            Dataset.open(tmp_path)
        dataset, mask = self.read(tmp_path, foreground="water")
        assert dataset.foreground == ("water",)
        assert np.array_equal(mask, half())
        assert not self.read(tmp_path, foreground="built-up")[1].any()

    def test_several_classes_with_declared_meanings_need_no_choice(self, tmp_path):
        values = {"background": [1], "foreground": [3], "ignored": [0]}
        folder = make(tmp_path, value=3, classes=LAND, mask_values=values)
        dataset, mask = self.read(folder)
        assert dataset.foreground == ("water",)
        assert set(mask.ravel().tolist()) == {1, 255}

    def test_an_unnamed_foreground_is_called_foreground(self, tmp_path):
        assert Dataset.open(make(tmp_path)).foreground == ("foreground",)

    def test_an_unlabelled_subject_has_no_mask_to_read(self, tmp_path):
        save(tmp_path / "images/a.png", noise(0))
        dataset = Dataset.open(tmp_path)
        with pytest.raises(InputError, match=r"a\.png: has no mask"):
            dataset.read_mask(dataset.subjects[0])


class TestReadingImages:
    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_refuses_values_that_are_no_numbers(self, tmp_path, bad):
        pixels = noise(0, (2, 8, 9), np.float32)
        pixels[1, 3, 4] = bad
        save(tmp_path / "images/a.tif", pixels)
        dataset = Dataset.open(tmp_path)
        with pytest.raises(InputError, match=r"a\.tif: 1 of its values are NaN or infinite"):
            dataset.read_image(dataset.subjects[0])

    def test_refuses_another_number_of_channels_than_declared(self, tmp_path):
        make(tmp_path, channels=["blue", "green", "red", "nir"])
        dataset = Dataset.open(tmp_path)
        with pytest.raises(InputError, match="has 3 channels, but the data set has 4"):
            dataset.read_image(dataset.subjects[0])


class TestFingerprints:
    def test_two_formats_of_one_image_have_one_content(self, tmp_path):
        save(tmp_path / "images/a.png", noise(4))
        save(tmp_path / "images/b.tif", noise(4))
        dataset = Dataset.open(tmp_path)
        contents = [dataset.content(subject) for subject in dataset.subjects]
        assert contents[0] == contents[1] == content_of(noise(4))

    def test_shape_and_dtype_are_content(self):
        flat = np.zeros((1, 2, 8), np.uint8)
        others = [flat.reshape(1, 4, 4), flat.reshape(2, 1, 8), flat.view(np.uint16)]
        assert len({content_of(flat), *map(content_of, others)}) == 4

    def test_byte_order_is_not(self):
        pixels = noise(1, (1, 3, 3), np.uint16)
        assert content_of(pixels) == content_of(pixels.astype(">u2"))

    def test_the_data_sets_fingerprint_does_not_depend_on_where_it_lies(self, tmp_path):
        one, other = make(tmp_path / "here"), make(tmp_path / "there")
        assert Dataset.open(one).fingerprint() == Dataset.open(other).fingerprint()

    def test_names_of_finished_study_runs_are_made_of_it(self, tmp_path):
        # A golden value: unreadable files, since libraries write images differently.
        for name in ("images/a.png", "images/b.png", "masks/a.png", "masks/b.png"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(name.encode())
        (tmp_path / "splits.csv").write_bytes(b"name,split,group\na,train,bay\nb,test,cape\n")
        found = Dataset.open(tmp_path).fingerprint()
        assert found == "6c0a84311420c4e4f776d6127a2fd2cdea3b6f2a53f72702ee36f32731de9141"

    def test_a_subject_that_is_ruled_out_is_in_it_and_other_problems_are_not(self, tmp_path):
        sound = Dataset.open(make(tmp_path)).fingerprint()
        save(tmp_path / "masks/orphan.png", half())
        (tmp_path / "images/notes.txt").write_text("no image")
        assert Dataset.open(tmp_path).fingerprint() == sound
        save(tmp_path / "images/b.tif", noise(1))
        assert Dataset.open(tmp_path).fingerprint() != sound

    @pytest.mark.parametrize("change", ["image", "mask", "split", "group", "meaning", "channels"])
    def test_it_changes_with_everything_that_crops_are_made_of(self, tmp_path, change):
        before = Dataset.open(
            make(tmp_path, "abc", mask_values={"foreground": [1], "background": [0]})
        )
        print_before = before.fingerprint()
        rows = [("a", "train", "ga"), ("b", "train", "gb"), ("c", "test", "gc")]
        values = {"foreground": [1], "background": [0]}
        match change:
            case "image":
                save(tmp_path / "images/b.png", noise(50))
            case "mask":
                save(tmp_path / "masks/b.png", half(value=0))
            case "split":
                write_splits(tmp_path, [*rows[:2], ("c", "val", "gc")])
            case "group":
                write_splits(tmp_path, [*rows[:2], ("c", "test", "other")])
            case "meaning":
                write_toml(tmp_path, mask_values={"foreground": [0], "background": [1]})
            case "channels":
                write_toml(tmp_path, mask_values=values, channels=["x", "y", "z"])
        assert Dataset.open(tmp_path).fingerprint() != print_before
