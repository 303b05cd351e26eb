"""Vote patterns stand for pixels without losing one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crosspatch.errors import InputError
from crosspatch.volunteers.patterns import vote_patterns

any_filled = arrays(np.bool_, st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 6)))


def test_patterns_by_hand():
    filled = np.array([[[0, 1, 1, 0]], [[0, 0, 1, 0]]], bool)
    patterns, index = vote_patterns(filled)
    assert patterns.marked.tolist() == [[False, False], [True, False], [True, True]]
    assert patterns.areas.tolist() == [2, 1, 1]
    assert index.tolist() == [[0, 1, 2, 0]]
    assert patterns.union_area == 2
    assert patterns.overlaps().tolist() == [[2, 1], [1, 1]]


@given(any_filled)
def test_painting_the_patterns_gives_every_volunteer_back(filled):
    patterns, index = vote_patterns(filled)
    for volunteer, one in enumerate(filled):
        assert np.array_equal(patterns.marked[:, volunteer][index], one)
    assert np.array_equal(np.bincount(index.ravel(), minlength=len(patterns.areas)), patterns.areas)
    assert len(np.unique(patterns.marked, axis=0)) == len(patterns.marked)


@pytest.mark.parametrize("voters", [63, 64, 65, 130])
def test_more_volunteers_than_a_machine_word_has_bits(voters):
    random = np.random.default_rng(voters)
    filled = random.random((voters, 4, 5)) < 0.5
    filled[:, 0, 0] = filled[:, 3, 4]  # one pattern twice
    filled[:-1, 1, 1] = filled[:-1, 2, 2]  # two that differ in the last volunteer only
    filled[-1, 1, 1], filled[-1, 2, 2] = True, False
    patterns, index = vote_patterns(filled)
    assert index[0, 0] == index[3, 4]
    assert index[1, 1] != index[2, 2]
    assert len(patterns.areas) == 1 + 19  # nobody, and the 19 different ones
    assert np.array_equal(patterns.marked[index], np.moveaxis(filled, 0, -1))


@given(any_filled)
def test_overlaps_count_the_pixels_that_two_share(filled):
    flat = filled.reshape(len(filled), -1).astype(int)
    assert np.array_equal(vote_patterns(filled)[0].overlaps(), flat @ flat.T)


def test_nobody_drew_anything():
    patterns, index = vote_patterns(np.zeros((3, 2, 2), bool))
    assert patterns.areas.tolist() == [4]
    assert patterns.union_area == 0
    assert not index.any()


def test_no_volunteer_is_refused():
    with pytest.raises(InputError, match="V of 1 or more"):
        vote_patterns(np.zeros((0, 2, 2), bool))
