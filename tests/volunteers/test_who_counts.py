"""One volunteer, one vote: repeats, blanks, gold standard, people who were never asked."""

from dataclasses import replace

import numpy as np
import pytest

from crosspatch.volunteers.ballots import Ballot
from crosspatch.volunteers.who_counts import (
    GOLD,
    ONLY_UNTOUCHED,
    REPEAT,
    SEEN,
    TWICE,
    UNASKED,
    UNUSABLE,
    Placed,
    who_counts,
)

OUTLINE = np.array([[0, 0], [0, 4], [4, 4]], float)
TASKS = frozenset({"T0"})


def placed(line, volunteer="ann", drawn=True, created="", unusable=0, **more):
    """A ballot on line ``line``; its id is the line."""
    ballot = Ballot(
        line=line,
        classification_id=more.pop("identity", str(line)),
        subject_id="7",
        workflow="5",
        version="3.1",
        volunteer=volunteer,
        logged_in=not volunteer.startswith("not-"),
        expert=False,
        gold=more.pop("gold", False),
        created_at=created,
        seen=more.pop("seen", False),
        width=20,
        height=10,
        retired=None,
        files=[],
        answered=more.pop("answered", ["T0"]),
        said_blank=more.pop("said_blank", False),
        unusable=unusable,
        lengths=[],
        sources=[],
        points=b"",
    )
    return Placed(ballot, (OUTLINE,) if drawn else (), unusable)


def lines(ballots):
    return [one.ballot.line for one in ballots]


def why(counted):
    return {one.ballot.line: reason for one, reason in counted.rejected}


@pytest.mark.parametrize(
    ("repeats", "votes"), [("first", [3, 4]), ("last", [4, 5]), ("all", [3, 4, 5])]
)
def test_repeats_by_line_where_no_time_is_given(repeats, votes):
    counted = who_counts([placed(3), placed(4, "bob"), placed(5)], TASKS, repeats)
    assert lines(counted.votes) == votes
    assert set(why(counted).values()) <= {REPEAT}


def test_time_goes_before_the_order_of_the_file():
    early, late = "2025-01-01 00:00:09 UTC", "2025-01-02 00:00:01 UTC"
    ballots = [placed(3, created=late), placed(4, created=early)]
    assert lines(who_counts(ballots, TASKS, "first").votes) == [4]
    assert lines(who_counts(ballots, TASKS, "last").votes) == [3]


def test_what_the_site_calls_seen_before_is_not_the_first():
    ballots = [placed(3, seen=True), placed(4), placed(5, "bob", seen=True)]
    counted = who_counts(ballots, TASKS, "first")
    assert lines(counted.votes) == [4]
    assert why(counted) == {3: SEEN, 5: SEEN}
    assert lines(who_counts(ballots, TASKS, "last").votes) == [4, 5]
    assert lines(who_counts(ballots, TASKS, "all").votes) == [3, 4, 5]


def test_anonymous_names_have_one_vote_too():
    counted = who_counts([placed(3, "not-logged-in-0a"), placed(4, "not-logged-in-0a"),
                          placed(5, "not-logged-in-0b")], TASKS)  # fmt: skip
    assert lines(counted.votes) == [3, 5]


def test_drawing_nothing_is_a_vote_and_not_being_asked_is_none():
    ballots = [
        placed(3, "a", drawn=False),
        placed(4, "b", drawn=False, answered=["T1"]),
        placed(5, "c", drawn=False, answered=[]),
        placed(6, "d", drawn=False, answered=[], said_blank=True),
    ]
    counted = who_counts(ballots, TASKS)
    assert lines(counted.votes) == [3, 6]
    assert why(counted) == {4: UNASKED, 5: UNASKED}


def test_who_drew_only_what_cannot_be_used_is_no_vote_for_background():
    ballots = [placed(3, drawn=False, unusable=1), placed(4)]
    counted = who_counts(ballots, TASKS)
    assert lines(counted.votes) == [4]  # the usable second ballot of the same volunteer
    assert why(counted) == {3: UNUSABLE}


IN_VAIN = [({"unusable": 1}, UNUSABLE), ({"answered": ["T1"]}, UNASKED), ({}, ONLY_UNTOUCHED)]


@pytest.mark.parametrize(("first", "reason"), IN_VAIN)
def test_a_first_look_that_counts_for_nothing_gives_the_next_the_vote(first, reason):
    """The site marks the second as seen before, which is true, and no reason against it here."""
    vain = placed(3, drawn=False, **first)
    if reason == ONLY_UNTOUCHED:
        vain = replace(vain, standing=(OUTLINE,))
    ballots = [vain, placed(4, seen=True), placed(5, seen=True), placed(6, "bob", seen=True)]
    counted = who_counts(ballots, TASKS, "first")
    assert lines(counted.votes) == [4]
    assert why(counted) == {3: reason, 5: SEEN, 6: SEEN}
    assert lines(who_counts(ballots, TASKS, "last").votes) == [5, 6]


@pytest.mark.parametrize(
    "vain",
    [
        placed(5, drawn=False, unusable=1),  # after it: the first look was elsewhere
        placed(3, drawn=False, unusable=1, seen=True),  # likewise
        placed(3, "bob", drawn=False, unusable=1),
        placed(3, gold=True),
    ],
)
def test_what_was_seen_elsewhere_stays_out(vain):
    assert lines(who_counts([vain, placed(4, seen=True)], TASKS, "first").votes) == []


def test_a_ballot_not_seen_before_goes_before_one_that_was():
    ballots = [placed(3, drawn=False, unusable=1), placed(4, seen=True), placed(5)]
    assert lines(who_counts(ballots, TASKS, "first").votes) == [5]


def test_some_usable_marks_are_enough():
    assert lines(who_counts([placed(3, unusable=2)], TASKS).votes) == [3]


def test_gold_standard_stands_apart_and_takes_nobodys_vote():
    counted = who_counts([placed(3, gold=True), placed(4)], TASKS)
    assert lines(counted.gold) == [3]
    assert lines(counted.votes) == [4]
    assert why(counted) == {3: GOLD}


@pytest.mark.parametrize("repeats", ["first", "last", "all"])
def test_the_same_classification_counts_once(repeats):
    ballots = [placed(3), placed(4, identity="3"), placed(5, "bob", identity="3")]
    counted = who_counts(ballots, TASKS, repeats)
    assert lines(counted.votes) == [3]
    assert why(counted) == {4: TWICE, 5: TWICE}


@pytest.mark.parametrize("repeats", ["first", "last", "all"])
def test_every_ballot_is_a_vote_or_rejected_never_both(repeats):
    chance = np.random.default_rng(0)
    ballots = [
        placed(
            line,
            f"v{chance.integers(4)}",
            drawn=bool(chance.integers(2)),
            unusable=int(chance.integers(2)),
            seen=bool(chance.integers(2)),
            gold=bool(chance.integers(5) == 0),
            answered=["T0"] if chance.integers(2) else [],
            identity=str(chance.integers(40)),
        )
        for line in range(60)
    ]
    counted = who_counts(ballots, TASKS, repeats)
    assert sorted(lines(counted.votes) + list(why(counted))) == list(range(60))
    assert set(lines(counted.gold)) <= set(why(counted))
    if repeats != "all":
        people = [one.ballot.volunteer for one in counted.votes]
        assert len(set(people)) == len(people)
