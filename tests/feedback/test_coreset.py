"""A diverse batch: by hand on a line, and what must hold for any features."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crosspatch.feedback.coreset import distances_to, k_centre, standardised

LINE = np.array([[0.0], [1.0], [10.0], [4.0], [9.5]])


def test_each_choice_is_the_farthest_from_all_before():
    assert k_centre(LINE, range(1, 5), 3, centres=[0]) == [2, 3, 1]
    assert distances_to(LINE, [0, 2]).tolist() == [0, 1, 0, 4, 0.5]


def test_without_a_centre_the_first_candidate_begins():
    assert k_centre(LINE, [3, 0, 2], 2) == [3, 2]


def test_more_than_there_are_gives_all():
    assert sorted(k_centre(LINE, [1, 3], 9, centres=[0])) == [1, 3]
    assert k_centre(LINE, [], 2, centres=[0]) == []


def test_no_feature_outweighs_and_a_constant_one_counts_for_nothing():
    features = np.array([[0, 5, 0], [1, 5, 1000], [2, 5, 2000]], dtype=np.float32)
    level = standardised(features)
    assert np.allclose(level[:, 0], level[:, 2])
    assert (level[:, 1] == 0).all()


@given(
    arrays(np.float64, (7, 2), elements=st.floats(-100, 100)), st.integers(0, 6), st.integers(1, 6)
)
def test_what_is_left_out_lies_no_farther_than_what_was_taken_last(features, centre, count):
    others = [place for place in range(7) if place != centre]
    chosen = k_centre(features, others, count, [centre])
    assert len(set(chosen)) == count
    last = distances_to(features, [centre, *chosen[:-1]])[chosen[-1]]
    left = [place for place in others if place not in chosen]
    assert all(distances_to(features, [centre, *chosen])[left] <= last + 1e-9)
