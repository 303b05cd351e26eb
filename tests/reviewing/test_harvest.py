import csv
import struct

import numpy as np
import pytest

from crosspatch.dataset import Dataset
from crosspatch.errors import CrosspatchError, InputError
from crosspatch.workflows.prepare import prepare
from crosspatch.workflows.review import reviewed


def stripe(value):
    """A change that paints the upper half of an image of 96 x 80 pixels."""
    half = 48 * 80
    return struct.pack("<IIHBBHBB", 0, 2, half - 1, value, 0, half - 1, 0, 0)


@pytest.fixture
def decided(maps, open_desk):
    """Subject 0 accepted as it was, 1 corrected, 2 rejected, 3 drawn on but not decided, 6 new."""
    desk = open_desk(maps)
    desk.decide(0, 0, "accepted", "")
    desk.save_mask(1, 0, stripe(1), 0.4)
    desk.decide(1, 1, "accepted", "half, of all things")
    desk.decide(2, 0, "rejected", "")
    desk.save_mask(3, 0, stripe(255), None)
    desk.decide(6, 0, "accepted", "")
    return desk


def test_accepted_masks_become_a_data_set(decided, maps, kelp_once, tmp_path):
    made = reviewed(maps, out=tmp_path / "reviewed")
    assert (made.count, made.skipped) == (3, ())
    dataset = Dataset.open(tmp_path / "reviewed")
    of = {subject.name: subject for subject in dataset.subjects}
    names = [item.name for item in decided.material.items]
    assert list(of) == sorted([names[0], names[1], names[6]])
    assert dataset.foreground == ("kelp",)
    assert dataset.channel_names == kelp_once.channel_names
    assert np.array_equal(dataset.read_mask(of[names[0]]), decided.original(0))
    assert (dataset.read_mask(of[names[1]])[:48] == 1).all()
    assert not dataset.read_mask(of[names[1]])[48:].any()
    image = next(subject for subject in kelp_once.subjects if subject.name == names[1])
    assert of[names[1]].image.read_bytes() == image.image.read_bytes()


def test_splits_and_groups_are_kept_and_what_is_new_is_trained_on(
    decided, maps, kelp_once, tmp_path
):
    made = reviewed(maps, out=tmp_path / "reviewed")
    with (tmp_path / "reviewed/splits.csv").open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    names = [item.name for item in decided.material.items]
    before = {subject.name: subject for subject in kelp_once.subjects}
    for number in (0, 1):
        assert rows[names[number]]["split"] == before[names[number]].split
        assert rows[names[number]]["group"] == before[names[number]].group
    assert rows[names[6]]["split"] == "train"
    assert rows[names[6]]["group"] == before[names[6]].group
    assert rows[names[1]]["review"] == "corrected"
    assert rows[names[1]]["note"] == "half, of all things"
    assert rows[names[0]]["review"] == "accepted"
    said = " / ".join(made.said)
    assert "2 accepted as is, 1 corrected" in said
    assert "1 of them had no split" in said
    assert "1 rejected" in said
    assert "1 corrected but not yet accepted" in said
    assert tuple(Dataset.open(tmp_path / "reviewed").said)[: len(made.said)] == made.said


def test_prepare_takes_it(decided, maps, tmp_path):
    reviewed(maps, out=tmp_path / "reviewed")
    crops = prepare(tmp_path / "reviewed", recipe="windows", size=64, out=tmp_path / "crops")
    assert len(crops) > 0
    assert not crops.skipped


def test_an_unlabelled_subject_takes_the_split_of_its_group(maps, open_desk, rewrite, kelp_once):
    """Else a scene that is tested on would be trained on as well."""
    desk = open_desk(maps)
    tested = [s for s in kelp_once.subjects if s.split == "test"]
    source = kelp_once.path / "splits.csv"
    kept = source.read_text()
    try:
        rewrite(source, lambda row: row["name"] == tested[0].name and row.update(split=""))
        again = open_desk(maps)
    finally:
        source.write_text(kept)
    number = [item.name for item in desk.material.items].index(tested[0].name)
    assert again.item(number).split == "test"


def test_nothing_accepted_makes_nothing(maps, tmp_path):
    with pytest.raises(InputError, match="no mask was accepted"):
        reviewed(maps, out=tmp_path / "reviewed")
    assert not (tmp_path / "reviewed").exists()


def test_an_image_that_went_missing_costs_only_itself(decided, maps, rewrite, tmp_path):
    name = decided.material.items[0].name
    rewrite(
        maps / "predictions.csv", lambda row: row["name"] == name and row.update(file="gone.png")
    )
    made = reviewed(maps, out=tmp_path / "reviewed")
    assert made.count == 2
    assert made.skipped[0][0] == name


def test_what_stands_there_is_not_replaced_unasked(decided, maps, tmp_path):
    reviewed(maps, out=tmp_path / "reviewed")
    with pytest.raises(CrosspatchError, match="exists already"):
        reviewed(maps, out=tmp_path / "reviewed")
    assert reviewed(maps, out=tmp_path / "reviewed", overwrite=True).count == 3
    with pytest.raises(CrosspatchError, match="not even --overwrite"):
        reviewed(maps, out=maps.parent, overwrite=True)
