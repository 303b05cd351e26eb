"""A study can train on worse labels than it tests on, and says how much worse they are."""

import shutil

import numpy as np
import pytest

from crosspatch.crops import Crops
from crosspatch.dataset import Dataset
from crosspatch.errors import InputError
from crosspatch.images import read_mask
from crosspatch.studies.labels import other_labels
from crosspatch.studies.tables import RESULT_COLUMNS, read_table
from crosspatch.volunteers.purity import worsen
from crosspatch.workflows.study import study
from folders import half, make, save, write_toml
from small_study import lay_out, write_plan


@pytest.fixture
def both(tmp_path):
    target, labels = make(tmp_path / "target"), make(tmp_path / "labels", splits=False)
    write_toml(labels, mask_values={"background": [0], "foreground": [7], "ignored": [255]})
    for name in "abcdef":
        mask = half(value=7)
        mask[5:] = 0  # half of what is true
        save(labels / f"masks/{name}.png", mask)
    return target, labels


def test_masks_are_the_others_and_splits_and_groups_the_targets(both):
    target, labels = map(Dataset.open, both)
    made, purity = other_labels(target, labels)
    assert purity == pytest.approx(0.5)
    for mine, theirs in zip(target.labelled, made.labelled, strict=True):
        assert (mine.name, mine.split, mine.group) == (theirs.name, theirs.split, theirs.group)
        assert (made.read_mask(theirs) == 1).sum() * 2 == (target.read_mask(mine) == 1).sum()


def test_the_same_labels_are_pure(both):
    target = Dataset.open(both[0])
    assert other_labels(target, target)[1] == 1


def test_a_missing_subject_is_named(both):
    (both[1] / "masks/c.png").unlink()
    with pytest.raises(InputError, match="no labels for 'c'"):
        other_labels(*map(Dataset.open, both))


def test_another_image_under_the_same_name_is_refused(both):
    save(both[1] / "images/b.png", np.zeros((3, 20, 24), dtype=np.uint8))
    with pytest.raises(InputError, match="'b' is another image"):
        other_labels(*map(Dataset.open, both))


def test_a_study_trains_on_them_and_tests_on_the_targets_own(tmp_path):
    folder = lay_out(tmp_path / "data")
    worsen(folder / "grey", out=folder / "worse", volunteers=1, errors=4.0)
    changes = {"seeds": [0], "fractions": [1.0], "sources": {}, "baselines": []}
    target = {"dataset": "grey", "size": 32}
    clean = study(write_plan(folder, **changes, target=target), out=tmp_path / "clean")
    worse = study(
        write_plan(folder, **changes, target=target | {"labels": "worse"}), out=tmp_path / "worse"
    )
    assert worse.failed == {}
    told = worse.table["target"]
    assert told["labels"].endswith("worse")
    assert told["purity"] < 0.9
    rows = [read_table(one.results, RESULT_COLUMNS) for one in (clean, worse)]
    truth = [[(row["subject"], int(row["tp"]) + int(row["fn"])) for row in some] for some in rows]
    assert truth[0] == truth[1]  # the same test labels
    packs = [Crops.open(one.path / "crops" / "target") for one in (clean, worse)]
    assert not np.array_equal(*(pack.masks for pack in packs))
    assert any("mean IoU with the target's own" in said for said in worse.table["said"])


def test_a_baseline_has_no_better_labels_than_the_networks(tmp_path):
    folder = lay_out(tmp_path / "data")
    shutil.copytree(folder / "grey", folder / "inside-out")
    for path in (folder / "inside-out/masks").iterdir():
        save(path, 1 - read_mask(path))
    changes = {"seeds": [0], "fractions": [1.0], "sources": {}, "baselines": ["threshold"]}
    found = {}
    for labels in ("grey", "inside-out"):
        target = {"dataset": "grey", "size": 32, "labels": labels}
        made = study(write_plan(folder, **changes, target=target), out=tmp_path / labels)
        assert made.failed == {}
        rows = read_table(made.results, RESULT_COLUMNS)
        found[labels] = [float(row["iou"]) for row in rows if row["arm"] == "threshold"]
    assert min(found["grey"]) > 0.5
    assert max(found["inside-out"]) < 0.2


def test_a_change_of_the_targets_own_labels_is_noticed(tmp_path):
    folder = lay_out(tmp_path / "data")
    shutil.copytree(folder / "grey", folder / "theirs")
    changes = {"seeds": [0], "fractions": [1.0], "sources": {}, "baselines": ["threshold"]}
    plan = write_plan(folder, **changes, target={"dataset": "grey", "size": 32, "labels": "theirs"})
    before = study(plan, out=tmp_path / "out").runs
    assert study(plan, out=tmp_path / "out").runs == before
    path = folder / "grey/masks/s15.png"  # a test subject
    save(path, 1 - read_mask(path))
    assert not set(study(plan, out=tmp_path / "out").runs) & set(before)
