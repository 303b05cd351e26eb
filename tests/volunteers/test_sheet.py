"""The contact sheet shows who drew what, how the votes fell, and the mask."""

import math

import numpy as np
import pytest

from crosspatch.images import pictures
from crosspatch.volunteers.consensus import count_votes
from crosspatch.volunteers.sheet import (
    SheetRow,
    contact_sheet,
    outlines_picture,
    pick_rows,
    votes_picture,
)


def filled():
    one = np.zeros((3, 40, 60), bool)
    one[0, 5:30, 10:40] = True
    one[1, 8:35, 12:45] = True
    return one


def test_easy_typical_and_hard_are_picked_by_difficulty():
    difficulty = {f"s{n:02d}": n / 20 for n in range(20)} | {"lone": math.nan}
    picked = pick_rows(difficulty, each=2)
    assert picked == [
        ("s00", "easy"), ("s01", "easy"), ("s09", "typical"), ("s10", "typical"),
        ("s18", "hard"), ("s19", "hard"),
    ]  # fmt: skip


@pytest.mark.parametrize("number", [0, 1, 2, 4, 8, 9, 10])
def test_few_subjects_are_all_shown_and_none_twice(number):
    difficulty = {f"s{n}": n / 10 for n in range(number)}
    picked = [name for name, _ in pick_rows(difficulty, each=3)]
    assert picked[: min(number, 9)] == sorted(set(picked))
    assert len(picked) == min(number, 9)


def test_votes_are_black_for_nobody_and_brightest_for_all():
    picture = votes_picture(count_votes(filled()[:2]))
    brightness = picture.sum(axis=2)
    assert picture.dtype == np.uint8
    assert brightness[0, 0] < 10  # nobody
    assert brightness[0, 0] < brightness[6, 11] < brightness[20, 30]


def test_each_volunteer_gets_a_colour_and_blanks_get_none():
    picture = outlines_picture(filled(), None)
    assert tuple(picture[5, 20]) == pictures.ORANGE
    assert tuple(picture[34, 20]) == pictures.SKY_BLUE
    assert not (picture == pictures.GREEN).all(axis=2).any()


def test_a_row_has_three_tiles_and_says_where_there_is_no_mask():
    with_mask = SheetRow("easy: 1", filled(), filled().any(axis=0).astype(np.uint8))
    picture = np.full((40, 60, 3), 200, np.uint8)
    without = SheetRow("hard: 2", filled(), None, picture)
    sheet = contact_sheet([with_mask, without], cell=128)
    alone = contact_sheet([with_mask], cell=128)
    assert sheet.shape[1] == alone.shape[1] > 3 * 128
    assert sheet.shape[0] > 1.5 * alone.shape[0]
    assert sheet.shape[2] == 3
    assert (picture == 200).all()  # the picture that was given is left alone
