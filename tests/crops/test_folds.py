"""Folds of a pack: the same crops, other splits, the statistics of those now in training."""

import numpy as np
import pytest

from crosspatch.crops import Crops
from crosspatch.crops.folds import refold
from crosspatch.errors import LeakError, SettingsError
from crosspatch.workflows.prepare import prepare
from folders import half, make, noise, save, write_splits, write_toml

NAMES = "abcdef"


def splits(*tested):
    return {name: "test" if name in tested else "train" for name in NAMES}


@pytest.fixture
def packed(tmp_path):
    """Images of 20 x 24 in overlapping crops of 16, all in training."""
    make(tmp_path / "data", NAMES, splits=False)
    write_splits(tmp_path / "data", [(name, "train", f"g{name}") for name in NAMES])
    return prepare(tmp_path / "data", recipe="windows", size=16, out=tmp_path / "crops")


@pytest.mark.parametrize("size", [16, 32])  # crops that overlap, and crops padded
def test_a_fold_is_what_packing_with_those_splits_gives(tmp_path, size):
    make(tmp_path / "data", NAMES, splits=False)
    save(tmp_path / "data/images/c.png", noise(9, (3, 40, 30)))
    save(tmp_path / "data/masks/c.png", half(40, 30))
    write_splits(tmp_path / "data", [(name, "train", f"g{name}") for name in NAMES])
    whole = prepare(tmp_path / "data", recipe="windows", size=size, scale=0.8, out=tmp_path / "a")
    fold = refold(whole, splits("b", "e"), tmp_path / "fold")
    write_splits(
        tmp_path / "data", [(name, split, f"g{name}") for name, split in splits("b", "e").items()]
    )
    other = prepare(tmp_path / "data", recipe="windows", size=size, scale=0.8, out=tmp_path / "b")
    assert fold.statistics == other.statistics
    assert fold.fingerprint != other.fingerprint
    for name in ("crops.csv", "subjects.csv"):
        assert (tmp_path / "fold" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert np.array_equal(fold.images, other.images)
    assert np.array_equal(fold.masks, other.masks)


def test_folds_share_the_disk_of_the_pack(packed, tmp_path):
    refold(packed, splits("a"), tmp_path / "fold")
    for name in ("images.npy", "masks.npy"):
        assert (tmp_path / "fold" / name).stat().st_ino == (packed.path / name).stat().st_ino


def test_where_the_disk_cannot_link_it_copies(packed, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(1, "no links here")

    monkeypatch.setattr("os.link", refuse)
    fold = refold(packed, splits("a"), tmp_path / "fold")
    assert (tmp_path / "fold/images.npy").stat().st_ino != (
        packed.path / "images.npy"
    ).stat().st_ino
    assert np.array_equal(fold.images, packed.images)


def test_the_same_fold_is_left_as_it_is_and_another_replaces_it(packed, tmp_path):
    first = refold(packed, splits("a"), tmp_path / "fold")
    stamp = (tmp_path / "fold/crops.toml").stat().st_mtime_ns
    assert refold(packed, splits("a"), tmp_path / "fold").fingerprint == first.fingerprint
    assert (tmp_path / "fold/crops.toml").stat().st_mtime_ns == stamp
    refold(packed, splits("b"), tmp_path / "fold")
    assert set(Crops.open(tmp_path / "fold").subjects["subject"][1:2]) == {"b"}
    assert Crops.open(tmp_path / "fold").subjects["split"].tolist().index("test") == 1


def test_a_fold_says_of_the_data_what_its_pack_says_now(packed, tmp_path):
    first = refold(packed, splits("a"), tmp_path / "fold")
    write_toml(tmp_path / "data", licence="CC0")
    again = prepare(tmp_path / "data", recipe="windows", size=16, out=tmp_path / "crops")
    fold = refold(again, splits("a"), tmp_path / "fold")
    assert fold.fingerprint == first.fingerprint
    assert fold.sources[0]["licence"] == "CC0"


def test_a_subject_without_a_fold_is_missed(packed, tmp_path):
    with pytest.raises(SettingsError, match="'f' is in no fold"):
        refold(packed, dict.fromkeys("abcde", "train"), tmp_path / "fold")


def test_copies_of_an_image_in_two_folds_are_a_leak(tmp_path):
    make(tmp_path / "data", NAMES, splits=False)
    save(tmp_path / "data/images/f.png", noise(0))  # the pixels of a
    write_splits(tmp_path / "data", [(name, "train", f"g{name}") for name in NAMES])
    packed = prepare(tmp_path / "data", recipe="windows", size=16, out=tmp_path / "crops")
    refold(packed, splits("a", "f"), tmp_path / "together")
    with pytest.raises(LeakError, match="'f' are the same image"):
        refold(packed, splits("f"), tmp_path / "fold")
    assert not (tmp_path / "fold").exists()
