import json
import struct
from pathlib import Path

import numpy as np
import pytest

from crosspatch import images
from crosspatch.errors import CrosspatchError, InputError
from crosspatch.reviewing import store as module
from crosspatch.reviewing.store import LOG, LOG_KEYS, ConflictError, State, Store

SHAPE = (3, 4)


def empty():
    return np.zeros(SHAPE, np.uint8)


def painted(value, pixels=12):
    runs = [(pixels, value), (12 - pixels, 0)] if pixels < 12 else [(12, value)]
    return struct.pack("<II", 0, len(runs)) + b"".join(
        struct.pack("<HBB", length - 1, of, 0) for length, of in runs
    )


@pytest.fixture
def reviews(tmp_path):
    return tmp_path / "maps" / "reviews"


@pytest.fixture
def store(reviews):
    return Store(reviews, who="anna", model="m1")


def lines(folder):
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def test_a_decision_is_a_line_with_who_when_and_which_model(store, reviews):
    store.decide("a", 0, "accepted", "fine")
    (line,) = lines(reviews)
    assert list(line) == list(LOG_KEYS)
    assert line.pop("time").endswith("Z")
    assert line == {
        "who": "anna", "subject": "a", "version": 1, "what": "decision", "decision": "accepted",
        "corrected": False, "threshold": None, "note": "fine", "model": "m1",
    }  # fmt: skip


def test_everything_is_there_again_after_a_restart(store, reviews):
    store.save_mask("a", 0, painted(1, 5), original=empty, threshold=0.25)
    store.decide("a", 1, "accepted", "a note\nof two lines, “quoted”")
    store.decide("b", 0, "rejected", "")
    again = Store(reviews, who="berta")
    assert dict(again.states) == dict(store.states)
    assert again.state("a").threshold == 0.25
    assert again.mask("a").ravel().tolist() == [1] * 5 + [0] * 7
    assert again.state("c") == State()


def test_a_change_of_an_old_version_is_refused_and_changes_nothing(store, reviews):
    store.save_mask("a", 0, painted(1), original=empty)
    with pytest.raises(ConflictError, match="anna") as refused:
        store.save_mask("a", 0, painted(255), original=empty)
    assert refused.value.state.version == 1
    with pytest.raises(ConflictError):
        store.decide("a", 0, "accepted", "")
    assert (images.read_mask(store.mask_path("a")) == 1).all()
    assert len(lines(reviews)) == 1


def test_a_mask_painted_back_to_what_it_was_is_not_corrected(store):
    assert store.save_mask("a", 0, painted(1), original=empty).corrected
    assert not store.save_mask("a", 1, painted(0), original=empty).corrected


def test_later_strokes_build_on_earlier_ones(store):
    store.save_mask("a", 0, painted(1), original=lambda: np.zeros((300, 4), np.uint8)[:3])
    store.save_mask("a", 1, painted(255, 2), original=empty)
    assert images.read_mask(store.mask_path("a")).ravel().tolist() == [255, 255] + [0] * 10


def test_a_disk_that_refuses_leaves_mask_and_log_as_they_were(store, reviews, monkeypatch):
    store.save_mask("a", 0, painted(1), original=empty)

    def full(*_):
        raise CrosspatchError("could not be written (No space left on device)")

    monkeypatch.setattr(images, "write_mask", full)
    with pytest.raises(CrosspatchError, match="No space left"):
        store.save_mask("a", 1, painted(255), original=empty)
    assert (store.mask("a") == 1).all()
    assert (images.read_mask(store.mask_path("a")) == 1).all()
    assert store.state("a").version == 1 == len(lines(reviews))


def test_a_log_line_that_does_not_fit_on_the_disk_is_taken_back(store, reviews, monkeypatch):
    store.decide("a", 0, "accepted", "")
    before = (reviews / LOG).read_bytes()
    sync = module.os.fsync

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(CrosspatchError, match="No space left"):
        store.decide("a", 1, "rejected", "")
    assert (reviews / LOG).read_bytes() == before
    monkeypatch.setattr(module.os, "fsync", sync)
    assert store.decide("a", 1, "rejected", "").version == 2


def test_a_line_that_was_cut_off_costs_only_itself(store, reviews):
    store.decide("a", 0, "accepted", "")
    store.decide("b", 0, "accepted", "")
    log = reviews / LOG
    log.write_bytes(log.read_bytes()[:-20])
    again = Store(reviews, who="anna")
    assert again.state("a").decision == "accepted"
    assert again.state("b") == State()
    assert "1 damaged" in again.said[0]
    again.decide("b", 0, "rejected", "")
    assert Store(reviews, who="anna").state("b").decision == "rejected"


@pytest.mark.parametrize("line", ["[]", "{}", "nul", '{"subject": "a"}', "\xff\x00"])
def test_lines_that_are_none_of_ours_are_passed_over(reviews, line):
    reviews.mkdir(parents=True)
    (reviews / LOG).write_text(line + "\n", encoding="latin-1")
    store = Store(reviews, who="anna")
    assert dict(store.states) == {}
    assert store.said


def test_a_mask_whose_line_was_never_written_is_kept(store, reviews):
    images.write_mask(store.mask_path("a"), np.ones(SHAPE, np.uint8))
    again = Store(reviews, who="anna")
    assert again.state("a").corrected
    assert (again.mask("a") == 1).all()
    again.save_mask("a", 0, painted(255, 1), original=empty)
    assert again.mask("a")[0, 0] == 255


def test_links_that_lead_out_of_the_folder_are_refused(reviews, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    reviews.parent.mkdir()
    reviews.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="leads out"):
        Store(reviews, who="anna")


def test_strokes_on_an_image_that_was_replaced_begin_with_its_own_mask(store):
    """The image has another size than when it was corrected."""
    store.save_mask("a", 0, painted(1), original=lambda: np.zeros((4, 3), np.uint8))
    store.save_mask("a", 1, painted(255, 1), original=empty)
    assert store.mask("a").shape == SHAPE
    assert store.mask("a").ravel().tolist() == [255] + [0] * 11


def test_a_corrected_mask_that_is_a_link_is_not_followed(store, reviews, tmp_path):
    images.write_mask(tmp_path / "secret.png", np.ones(SHAPE, np.uint8))
    store.mask_path("a").symlink_to(tmp_path / "secret.png")
    with pytest.raises(InputError, match="leads out"):
        store.mask("a")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_is_really_full_takes_no_line(store, reviews, monkeypatch):
    opened = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, *a, **k: opened(Path("/dev/full"), "wb", buffering=0)
    )
    with pytest.raises(CrosspatchError, match="could not be written"):
        store.decide("a", 0, "accepted", "")
    monkeypatch.undo()
    assert store.state("a") == State()
    assert store.decide("a", 0, "accepted", "").version == 1
