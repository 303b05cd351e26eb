"""Runs of equal answers say exactly what filled masks say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosspatch.volunteers.patterns import vote_patterns
from crosspatch.volunteers.rasterize import fill_each
from crosspatch.volunteers.runs import vote_runs

LEFT = np.array([[0, 0], [0, 2], [2, 2], [2, 0]], float)
RIGHT = LEFT + np.array([0, 1])


def answers(patterns):
    """Patterns and their areas in any order, "nobody" apart."""
    listed = zip(map(tuple, patterns.marked[1:].tolist()), patterns.areas[1:].tolist(), strict=True)
    return patterns.areas[0], sorted(listed)


def test_two_overlapping_squares_by_hand():
    runs = vote_runs([[LEFT], [RIGHT]], (3, 4))
    assert runs.paint(runs.counts).tolist() == [[1, 2, 1, 0], [1, 2, 1, 0], [0, 0, 0, 0]]
    assert answers(runs.patterns) == (
        6,
        [((False, True), 2), ((True, False), 2), ((True, True), 2)],
    )


def test_blank_votes_are_columns_that_mark_nothing():
    runs = vote_runs([[], [LEFT], []], (3, 3))
    assert runs.patterns.voters == 3
    assert runs.patterns.marked.any(axis=0).tolist() == [False, True, False]


def test_only_blank_votes():
    runs = vote_runs([[], []], (2, 3))
    assert runs.paint(runs.counts).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert answers(runs.patterns) == (6, [])


def test_no_volunteers():
    runs = vote_runs([], (2, 3))
    assert runs.patterns.voters == 0
    assert runs.filled().shape == (0, 2, 3)


def test_everything_marked_leaves_nobody_an_area_of_0():
    runs = vote_runs([[LEFT * 10]], (2, 3))
    assert answers(runs.patterns) == (0, [((True,), 6)])
    assert runs.paint(runs.counts).min() == 1


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 2, 5, 62, 63, 130]))
def test_equal_to_filling_each_volunteer(seed, volunteers):
    """Also beyond the 62 volunteers of one word."""
    chance = np.random.default_rng(seed)
    shape = tuple(chance.integers(1, 25, 2))
    groups = [
        [chance.uniform(-6, 28, (chance.integers(3, 8), 2)) for _ in range(chance.integers(3))]
        for _ in range(volunteers)
    ]
    filled = fill_each(groups, shape)
    runs = vote_runs(groups, shape)
    assert (runs.filled() == filled).all()
    assert (runs.paint(runs.counts) == filled.sum(axis=0)).all()
    assert answers(runs.patterns) == answers(vote_patterns(filled)[0])
    assert runs.lengths.sum() == shape[0] * shape[1]
    assert not runs.patterns.marked[0].any()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.uint16])
def test_painting_keeps_the_kind_of_number(dtype):
    runs = vote_runs([[LEFT]], (3, 4))
    assert runs.paint(np.array([3, 9], dtype)).dtype == dtype
