"""Agreement between volunteers: hand-worked overlaps, tables, outliers, weights."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crosspatch.errors import InputError
from crosspatch.volunteers.agreement import (
    Ledger,
    SubjectAgreement,
    pairwise_dice,
    subject_agreement,
    volunteer_table,
    weights_elsewhere,
)
from crosspatch.volunteers.patterns import vote_patterns

# a marks 4 pixels, b 2 of them and 1 more, c and d nothing.
FILLED = np.zeros((4, 2, 4), bool)
FILLED[0, 0, :] = True
FILLED[1, 0, :2] = True
FILLED[1, 1, 0] = True


def compare(subject, filled, people, logged_in=None):
    logged_in = [True] * len(people) if logged_in is None else logged_in
    return subject_agreement(subject, vote_patterns(filled)[0], people, logged_in)


def subject_of(name, with_others, people=None, areas=None):
    """Build a subject of given agreements, without pixels."""
    people = people or "abcdefgh"[: len(with_others)]
    areas = [10] * len(people) if areas is None else areas
    return SubjectAgreement(
        name, tuple(people), np.array(areas, np.int64), np.array(with_others, float), 0.0
    )


def test_pairwise_dice_by_hand():
    dice = pairwise_dice(vote_patterns(FILLED)[0])
    assert dice[0, 1] == dice[1, 0] == pytest.approx(2 * 2 / (4 + 3))
    assert dice[0, 2] == 0
    assert dice[2, 3] == 1  # two who see nothing agree
    assert np.diag(dice).tolist() == [1, 1, 1, 1]


def test_a_subject_by_hand():
    one = compare("7", FILLED, "abcd", [True, False, True, True])
    assert one.areas.tolist() == [4, 3, 0, 0]
    assert one.with_others == pytest.approx([4 / 21, 4 / 21, 1 / 3, 1 / 3])
    assert one.dice == pytest.approx((4 / 7 + 1) / 6)  # two of six pairs overlap at all
    assert one.difficulty == pytest.approx(1 - (4 / 7 + 1) / 6)
    assert one.blanks == 0.5
    assert one.anonymous == 0.25
    assert one.voters == 4


def test_one_voter_agrees_with_nobody_and_nothing_is_claimed():
    one = compare("7", FILLED[:1], "a")
    assert math.isnan(one.dice)
    assert math.isnan(one.difficulty)
    assert one.blanks == 0
    assert not one.outliers().any()


@given(arrays(np.bool_, st.tuples(st.integers(2, 6), st.just(3), st.just(4))), st.randoms())
def test_the_order_of_volunteers_changes_nothing(filled, random):
    order = list(range(len(filled)))
    random.shuffle(order)
    people = "abcdef"[: len(filled)]
    straight = compare("s", filled, people)
    mixed = compare("s", filled[order], [people[place] for place in order])
    assert mixed.with_others == pytest.approx(straight.with_others[order])
    assert mixed.dice == pytest.approx(straight.dice)
    assert 0 <= straight.dice <= 1


def test_numbers_of_names_and_votes_must_match():
    patterns, _ = vote_patterns(FILLED)
    with pytest.raises(InputError, match="subject 9: 3 volunteers, 4 log-ins, 4 votes"):
        subject_agreement("9", patterns, "abc", [True] * 4)


def test_who_agrees_less_than_half_as_well_as_usual_is_an_outlier():
    assert subject_of("s", [0.6, 0.19, 0.5, 0.4]).outliers().tolist() == [False, True, False, False]
    # exactly half of the median 0.5 is not below it
    assert not subject_of("s", [0.5, 0.25, 0.5, 0.5, 0.6]).outliers().any()


def test_of_three_nobody_can_say_who_is_odd():
    assert not subject_of("s", [0.6, 0.0, 0.6]).outliers().any()


def test_drawing_over_open_water_among_five_is_seen():
    """Four outline the same patch a little differently, the fifth half of the picture."""
    filled = np.zeros((5, 40, 40), bool)
    for place in range(4):
        filled[place, 10 : 16 + place, 10:20] = True
    filled[4, :, 20:] = True
    one = compare("s", filled, "abcde")
    assert one.outliers().tolist() == [False] * 4 + [True]
    first = volunteer_table([one])[0]
    assert (first.volunteer, first.outlier, first.outlier_on) == ("e", True, ("s",))
    assert first.area == pytest.approx(800 / 80)  # the median of 60, 70, 80, 90, 800 is 80


def test_table_by_hand():
    subjects = [
        subject_of("s1", [0.6, 0.4], "ab", areas=[30, 10]),
        subject_of("s2", [0.2, 0.3, 0.4, 0.3], "acde", areas=[0, 10, 20, 30]),
        subject_of("s3", [math.nan], "a", areas=[7]),
    ]
    rows = {row.volunteer: row for row in volunteer_table(subjects)}
    a = rows["a"]
    assert (a.subjects, a.compared) == (3, 2)
    assert a.dice == pytest.approx((0.6 + 0.2) / 2)
    assert a.relative == pytest.approx((0.6 / 0.5 + 0.2 / 0.3) / 2)
    assert a.area == pytest.approx((30 / 20 + 0 / 15 + 7 / 7) / 3)
    assert a.blanks == pytest.approx(1 / 3)
    assert rows["b"].relative == pytest.approx(0.8)
    assert not any(row.outlier for row in rows.values())


def test_outlier_flag_needs_more_than_half_of_the_subjects_that_can_tell():
    odd = [0.1, 0.6, 0.6, 0.6]
    fine = [0.6, 0.6, 0.6, 0.6]
    two_of_three = {"1": odd, "2": odd, "3": fine}
    first = volunteer_table([subject_of(name, dice) for name, dice in two_of_three.items()])[0]
    assert (first.volunteer, first.outlier) == ("a", True)
    one_of_two = volunteer_table([subject_of("1", odd), subject_of("2", fine)])
    assert not any(row.outlier for row in one_of_two)
    assert one_of_two[0].volunteer == "a"  # still on top
    assert one_of_two[0].outlier_on == ("1",)  # and still visible
    small = [subject_of(name, [0.6, 0.6, 0.6]) for name in "xyz"]  # three voters cannot tell
    assert volunteer_table([subject_of("1", odd), *small])[0].outlier


def test_nobody_compared_gives_nan_and_not_zero():
    row = volunteer_table([subject_of("s", [math.nan], "a", areas=[0])])[0]
    assert math.isnan(row.dice)
    assert math.isnan(row.relative)
    assert math.isnan(row.area)
    assert row.blanks == 1


def test_weights_by_hand():
    subjects = [
        subject_of("s1", [0.6, 0.4], "ab"),  # relative 1.2 and 0.8
        subject_of("s2", [0.2, 0.4], "ac"),  # relative 2/3 and 4/3
        subject_of("s3", [0.9, 0.5], "ad"),  # relative 9/7 and 5/7
    ]
    weights = weights_elsewhere(subjects)
    assert weights["s1"] == pytest.approx([(1 + 2 / 3 + 9 / 7) / 3, 1])
    assert weights["s2"] == pytest.approx([(1 + 1.2 + 9 / 7) / 3, 1])
    assert weights_elsewhere(subjects, usual=3)["s1"][0] == pytest.approx((3 + 2 / 3 + 9 / 7) / 5)


def test_a_subject_has_no_say_in_its_own_weights():
    """Leave one out: whatever happens on s1 moves the weights elsewhere, never its own."""
    others = [subject_of("s2", [0.2, 0.4], "ab"), subject_of("s3", [0.5, 0.9], "ab")]
    agreed = weights_elsewhere([subject_of("s1", [0.9, 0.9], "ab"), *others])
    fought = weights_elsewhere([subject_of("s1", [0.1, 0.3], "ab"), *others])
    assert agreed["s1"] == pytest.approx(fought["s1"])
    assert agreed["s2"] != pytest.approx(fought["s2"])


def test_subjects_without_any_overlap_say_nothing_about_anybody():
    silent = subject_of("s1", [0.0, 0.0], "ab")
    lone = subject_of("s2", [math.nan], "a")
    weights = weights_elsewhere([silent, lone, subject_of("s3", [0.5, 0.5], "ab")])
    assert weights["s3"] == pytest.approx([1, 1])
    assert weights["s2"] == pytest.approx([1])


def test_a_ledger_of_many_volunteers_equals_its_parts():
    """More than there is room for at first, and one person in both parts."""
    chance = np.random.default_rng(0)
    subjects = [
        subject_of(str(n), chance.random(5), [f"v{n * 4 + k}" for k in range(5)]) for n in range(60)
    ]
    together, apart = Ledger(), [Ledger(), Ledger()]
    for place, one in enumerate(subjects):
        together.add(one)
        apart[place % 2].add(one)
    apart[0].merge(apart[1])
    rows = {row.volunteer: row for row in together.rows()}
    assert len(rows) == 241
    assert rows["v4"].subjects == 2  # the last of subject 0 and the first of subject 1
    assert rows["v4"].dice == pytest.approx(
        (subjects[0].with_others[4] + subjects[1].with_others[0]) / 2
    )
    assert {row.volunteer: row for row in apart[0].rows()} == rows
    assert "v240" in together
    assert "v241" not in together
