import csv

import numpy as np
import pytest

from crosspatch import images
from crosspatch.errors import InputError
from crosspatch.volunteers.proposals import (
    Proposals,
    Proposed,
    ProposedMark,
    read_proposals,
    write_proposals,
)
from crosspatch.volunteers.who_counts import ONLY_UNTOUCHED, UNTOUCHED
from crosspatch.workflows.consensus import consensus
from exports import box, freehand, row, write

SQUARE = box(2, 2, 8, 6)  # columns 2 to 7, rows 2 to 5


def proposed(*marks, subject="7", frame=0):
    listed = [ProposedMark(mark["pathX"], mark["pathY"]) for mark in marks]
    return Proposed("scene", subject, frame, "T0", 0, 20, 10, listed)


def made(tmp_path, rows, *marks, **settings):
    """Masks of an export whose volunteers were shown marks, and its rejected.csv."""
    write(tmp_path / "export.csv", rows)
    write_proposals(tmp_path / "proposals.jsonl", [proposed(*marks)])
    dataset = consensus(
        tmp_path / "export.csv",
        out=tmp_path / "masks",
        proposals=tmp_path / "proposals.jsonl",
        **settings,
    )
    with (tmp_path / "masks/rejected.csv").open(newline="") as file:
        rejected = [(one["what"], one["reason"]) for one in csv.DictReader(file)]
    masks = list((tmp_path / "masks/masks").iterdir())
    return dataset, rejected, images.read_mask(masks[0]) if masks else None


def test_what_is_written_is_read_again(tmp_path):
    write_proposals(tmp_path / "p.jsonl", [proposed(SQUARE), proposed(subject="8", frame=1)])
    again = read_proposals(tmp_path / "p.jsonl")
    assert again == [proposed(SQUARE), proposed(subject="8", frame=1)]


@pytest.mark.parametrize("line", ["{}", "[1]", "no json", '{"name": 3}', "[" * 100000])
def test_a_line_that_is_no_proposal_is_named(tmp_path, line):
    write_proposals(tmp_path / "p.jsonl", [proposed(SQUARE)])
    with (tmp_path / "p.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(InputError, match="line 2"):
        read_proposals(tmp_path / "p.jsonl")


def test_untouched_is_equal_to_rounding_on_the_same_subject_and_frame():
    shown = Proposals.of([proposed(SQUARE)])
    points = np.array([SQUARE["pathY"], SQUARE["pathX"]], float).T
    assert shown.hold("7", 0, points)
    assert shown.hold("7", 0, points[:-1])  # closed or not
    assert shown.hold("7", 0, points + 0.01)
    moved = points.copy()
    moved[1] += 0.1
    assert not shown.hold("7", 0, moved)
    assert not shown.hold("7", 0, points[1:])
    assert not shown.hold("8", 0, points)
    assert not shown.hold("7", 1, points)
    assert not shown.hold("7", ["0"], points)


def test_who_only_leaves_proposals_standing_has_no_vote(tmp_path):
    rows = [
        row(1, "ann", marks=[box(2, 2, 12, 8)]),
        row(2, "bob", marks=[SQUARE]),  # untouched
        row(3, "cid", marks=[]),  # deleted it: a vote for background
    ]
    dataset, rejected, mask = made(tmp_path, rows, SQUARE, at_least=1)
    assert sorted(rejected) == [("mark", UNTOUCHED), ("row", ONLY_UNTOUCHED)]
    assert any("3 classifications read, 2 kept, 1 rejected" in one for one in dataset.said)
    assert any("1 marks are proposals of the model that nobody touched" in one
               for one in dataset.said)  # fmt: skip
    assert set(np.unique(mask)) == {0, 1}
    assert mask.sum() == 10 * 6


def test_a_mark_that_was_changed_or_added_counts(tmp_path):
    changed = freehand((2, 2), (9, 2), (9, 6), (2, 6), (2, 2))
    rows = [row(1, "ann", marks=[changed]), row(2, "bob", marks=[changed, box(12, 1, 16, 4)])]
    _, rejected, mask = made(tmp_path, rows, SQUARE)
    assert rejected == []
    assert (mask == 1).sum() == 7 * 4 + 4 * 3


def test_what_rests_on_standing_proposals_is_undecided_not_background(tmp_path):
    """Ann drew it herself, Bob left it and added something: nobody said it is background."""
    added = box(12, 1, 16, 4)
    rows = [row(1, "ann", marks=[SQUARE | {"pathX": [2.5, 8, 8, 2, 2.5]}]),
            row(2, "bob", marks=[SQUARE, added]), row(3, "cid", marks=[SQUARE, added])]  # fmt: skip
    _, rejected, mask = made(tmp_path, rows, SQUARE)
    assert rejected == [("mark", UNTOUCHED)] * 2
    assert (mask[2:6, 3:8] == 255).all()
    assert (mask[1:4, 12:16] == 1).all()
    assert (mask == 255).sum() + (mask == 1).sum() + (mask == 0).sum() == mask.size
    assert mask[8, 18] == 0


def test_enough_people_who_deleted_a_proposal_outvote_those_who_left_it(tmp_path):
    rows = [row(1, "ann", marks=[box(12, 1, 16, 4)]), row(2, "bob", marks=[]),
            row(3, "cid", marks=[SQUARE, box(12, 1, 16, 4)])]  # fmt: skip
    _, _, mask = made(tmp_path, rows, SQUARE)
    assert (mask[2:6, 3:8] == 0).all()
    assert (mask[1:4, 12:16] == 1).all()


def test_without_proposals_nothing_changes(tmp_path):
    rows = [row(1, "ann", marks=[SQUARE]), row(2, "bob", marks=[])]
    _, rejected, mask = made(tmp_path, rows)
    assert rejected == []
    assert (mask == 1).sum() == 24
