import csv

import numpy as np
import pytest

from crosspatch.dataset import Dataset, check, new_dataset
from crosspatch.errors import CrosspatchError, InputError
from crosspatch.files import read_toml
from crosspatch.images import read_mask
from folders import half, noise, save


def test_what_is_written_is_read_back(tmp_path):
    mask = half()
    mask[0, 0] = 255
    with new_dataset(
        tmp_path / "kelp", channels=["b", "g", "r", "n"], foreground="kelp", licence="CC0"
    ) as writer:
        writer.add("two", noise(2, (4, 20, 24)), mask, split="train", group="bay")
        writer.add("one", noise(1, (4, 20, 24)), None)
        writer.note("Clouds were cut out.")
        assert len(writer) == 2
    dataset = Dataset.open(tmp_path / "kelp")
    one, two = dataset.subjects
    assert (two.name, two.split, two.group) == ("two", "train", "bay")
    assert (one.name, one.split, one.group, one.mask) == ("one", None, "one", None)
    assert np.array_equal(dataset.read_image(two).pixels, noise(2, (4, 20, 24)))
    assert np.array_equal(dataset.read_mask(two), mask)
    assert dataset.channel_names == ("b", "g", "r", "n")
    assert dataset.foreground == ("kelp",)
    assert dataset.licence == "CC0"
    assert dataset.said == ("Clouds were cut out.",)


def test_masks_are_stored_as_0_1_255_and_their_values_declared(tmp_path):
    with new_dataset(tmp_path / "d") as writer:
        writer.add("a", noise(1), half())
    assert np.array_equal(read_mask(tmp_path / "d/masks/a.png"), half())
    declared = read_toml(tmp_path / "d/dataset.toml")["mask_values"]
    assert declared == {"background": [0], "foreground": [1], "ignored": [255]}


def test_a_given_file_is_copied_to_the_byte(tmp_path):
    save(tmp_path / "source/photo.PNG", noise(3))
    with new_dataset(tmp_path / "d") as writer:
        writer.add("a", tmp_path / "source/photo.PNG", half())
    copied = tmp_path / "d/images/a.png"
    assert copied.read_bytes() == (tmp_path / "source/photo.PNG").read_bytes()


def test_more_columns_go_into_the_table_in_the_order_of_names(tmp_path):
    with new_dataset(tmp_path / "d") as writer:
        writer.add("b", noise(1), half(), columns={"depth": 3})
        writer.add("a", noise(2), half(), split="test", columns={"cloud": 0.5})
    with (tmp_path / "d/splits.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["name", "split", "group", "depth", "cloud"],
            ["a", "test", "a", "", "0.5"],
            ["b", "", "b", "3", ""],
        ]
    assert not [problem for problem in check(Dataset.open(tmp_path / "d")) if not problem.warning]


def test_splits_can_be_given_at_the_end(tmp_path):
    with new_dataset(tmp_path / "d") as writer:
        for number, name in enumerate("ba"):
            writer.add(name, noise(number), half())
        assert writer.names == ("b", "a")
        writer.place({"a": "train", "b": "test"})
    assert [subject.split for subject in Dataset.open(tmp_path / "d").subjects] == ["train", "test"]


def test_files_that_others_wrote_are_entered_under_the_same_rules(tmp_path):
    with new_dataset(tmp_path / "d") as writer:
        save(writer.folder / "images/a.png", noise(1))
        writer.enter("a", split="train", group="bay")
        for name in ("a", "../b"):
            with pytest.raises(InputError):
                writer.enter(name)
    (subject,) = Dataset.open(tmp_path / "d").subjects
    assert (subject.name, subject.split, subject.group) == ("a", "train", "bay")


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", ".hidden", ""])
def test_a_name_cannot_climb_out(tmp_path, name):
    with pytest.raises(InputError), new_dataset(tmp_path / "d") as writer:
        writer.add(name, noise(1), half())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mask", [half(value=2), half().astype(np.int64)])
def test_a_mask_of_other_values_is_refused_and_nothing_is_left(tmp_path, mask):
    with pytest.raises(InputError, match="0, 1 and 255"), new_dataset(tmp_path / "d") as writer:
        writer.add("a", noise(1), mask)
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_used_once(tmp_path):
    with new_dataset(tmp_path / "d") as writer:
        writer.add("a", noise(1), half())
        with pytest.raises(InputError, match="twice"):
            writer.add("a", noise(2), half())


def test_an_empty_data_set_is_not_made(tmp_path):
    with pytest.raises(InputError, match="no subject"), new_dataset(tmp_path / "d"):
        pass
    assert not (tmp_path / "d").exists()


def test_a_folder_that_stands_is_replaced_only_on_demand(tmp_path):
    with new_dataset(tmp_path / "d") as writer:
        writer.add("old", noise(1), half())
    with pytest.raises(CrosspatchError, match="overwrite"), new_dataset(tmp_path / "d") as writer:
        writer.add("a", noise(1), half())
    with new_dataset(tmp_path / "d", overwrite=True) as writer:
        writer.add("a", noise(1), half())
    assert [subject.name for subject in Dataset.open(tmp_path / "d").subjects] == ["a"]
