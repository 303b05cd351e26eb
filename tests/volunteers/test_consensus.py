"""Votes become masks: hand-worked counts, thresholds, shrinkage and weights."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crosspatch.errors import InputError, SettingsError
from crosspatch.volunteers import consensus
from crosspatch.volunteers.consensus import FractionPrior, Votes
from crosspatch.volunteers.patterns import VotePatterns, vote_patterns

# Three volunteers on a 2 x 3 picture; the third drew nothing.
FILLED = np.array(
    [
        [[1, 1, 0], [0, 0, 0]],
        [[0, 1, 1], [0, 1, 0]],
        [[0, 0, 0], [0, 0, 0]],
    ],
    bool,
)
any_filled = arrays(
    np.bool_,
    st.tuples(st.integers(1, 7), st.integers(1, 4), st.integers(1, 5)),
)


def weigh(filled, weights):
    """Paint the weighted fractions, (H, W)."""
    patterns, index = vote_patterns(filled)
    return consensus.weighted_fractions(patterns, weights)[index]


def votes_of(counts, voters):
    return Votes(np.array(counts, np.uint16), voters)


def test_counts_every_volunteer_and_blanks_are_voters():
    votes = consensus.count_votes(FILLED)
    assert votes.counts.tolist() == [[1, 2, 1], [0, 1, 0]]
    assert votes.counts.dtype == np.uint16
    assert votes.voters == 3
    assert votes.histogram().tolist() == [2, 3, 1, 0]
    assert votes.fractions()[0, 1] == pytest.approx(2 / 3)


def test_counting_one_mask_at_a_time_is_the_same():
    streamed = consensus.count_votes(iter(FILLED))
    assert np.array_equal(streamed.counts, consensus.count_votes(FILLED).counts)
    assert streamed.voters == 3


def test_nobody_at_all_gives_votes_only_with_a_size_and_never_fractions():
    with pytest.raises(InputError, match="no size"):
        consensus.count_votes([])
    votes = consensus.count_votes([], shape=(2, 3))
    assert votes.voters == 0
    assert votes.counts.shape == (2, 3)
    with pytest.raises(InputError, match="without voters"):
        votes.fractions()


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(InputError, match=r"\(2, 2\)"):
        consensus.count_votes([np.zeros((3, 3), bool), np.zeros((2, 2), bool)])


def test_at_least_k_marks_what_k_marked():
    votes = consensus.count_votes(FILLED)
    assert consensus.at_least(votes, 1).tolist() == [[1, 1, 1], [0, 1, 0]]
    assert consensus.at_least(votes, 2).tolist() == [[0, 1, 0], [0, 0, 0]]
    assert consensus.at_least(votes, 3).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_a_subject_with_fewer_than_k_voters_gets_no_mask_instead_of_an_empty_one():
    votes = consensus.count_votes(FILLED)
    assert consensus.at_least(votes, 4) is None
    assert consensus.at_threshold(votes_of([[0, 0]], 0)) is None


@pytest.mark.parametrize(
    ("voters", "threshold", "needed"),
    [
        (15, 0.5, 8),
        (4, 0.5, 2),  # a fraction equal to the threshold is foreground
        (15, 4 / 15, 4),
        (100, 0.07, 7),  # 100 x 0.07 is 7.000000000000001 in binary
        (10, 0.3, 3),
        (3, 1.0, 3),
        (3, 0.01, 1),  # never 0: nobody's pixel is background
        (15, 0.21, 4),
    ],
)
def test_votes_needed(voters, threshold, needed):
    assert consensus.votes_needed(voters, threshold) == needed


@pytest.mark.parametrize("threshold", [0, -0.1, 1.01, float("nan")])
def test_thresholds_that_make_no_sense_are_refused(threshold):
    with pytest.raises(SettingsError, match="threshold"):
        consensus.at_threshold(votes_of([[1]], 2), threshold)
    with pytest.raises(SettingsError, match="threshold"):
        consensus.fraction_mask(np.ones((1, 1), np.float32), threshold)
    with pytest.raises(SettingsError, match="threshold"):
        consensus.shrunken_mask(votes_of([[1]], 2), FractionPrior(1, 1), threshold)


def test_at_least_nobody_is_refused():
    with pytest.raises(SettingsError, match="1 or more"):
        consensus.at_least(votes_of([[1]], 2), 0)


@given(any_filled, st.randoms())
def test_the_order_of_volunteers_changes_nothing(filled, random):
    order = list(range(len(filled)))
    random.shuffle(order)
    one, other = consensus.count_votes(filled), consensus.count_votes(filled[order])
    assert np.array_equal(one.counts, other.counts)
    weights = np.arange(1.0, len(filled) + 1)
    assert np.allclose(
        weigh(filled, weights),
        weigh(filled[order], weights[order]),
    )


@given(any_filled)
def test_more_votes_asked_for_never_give_more_foreground(filled):
    votes = consensus.count_votes(filled)
    masks = [consensus.at_least(votes, k) for k in range(1, votes.voters + 1)]
    assert all((after <= before).all() for before, after in pairwise(masks))
    assert np.array_equal(masks[0].astype(bool), filled.any(axis=0))
    assert np.array_equal(masks[-1].astype(bool), filled.all(axis=0))


@given(any_filled, st.floats(0.01, 1))
def test_threshold_is_the_fraction_comparison(filled, threshold):
    votes = consensus.count_votes(filled)
    exact = votes.counts.astype(float) / votes.voters
    clear = np.abs(exact - threshold) > 1e-6
    mask = consensus.at_threshold(votes, threshold)
    assert np.array_equal(mask[clear] == 1, (exact >= threshold)[clear])


@given(any_filled, st.floats(0.01, 1))
def test_equal_weights_decide_as_plain_votes(filled, threshold):
    fractions = weigh(filled, np.full(len(filled), 0.37))
    votes = consensus.count_votes(filled)
    clear = np.abs(votes.counts / votes.voters - threshold) > 2e-6
    plain = consensus.at_threshold(votes, threshold)
    weighted = consensus.fraction_mask(fractions, threshold)
    assert np.array_equal(plain[clear], weighted[clear])


def test_equal_weights_reach_half_exactly():
    """0.1 + 0.1 + ... rounds below 0.5 in binary; the mask must not."""
    filled = np.zeros((10, 1, 1), bool)
    filled[:5] = True
    fractions = weigh(filled, np.ones(10))
    assert consensus.fraction_mask(fractions, 0.5)[0, 0] == 1


def test_weights_by_hand():
    fractions = weigh(FILLED, np.array([3.0, 1.0, 4.0]))
    assert np.allclose(fractions, [[3 / 8, 4 / 8, 1 / 8], [0, 1 / 8, 0]])
    assert consensus.fraction_mask(fractions, 0.375).tolist() == [[1, 1, 0], [0, 0, 0]]


def test_weights_that_are_all_zero_count_as_equal():
    fractions = weigh(FILLED, np.zeros(3))
    assert fractions[0, 1] == pytest.approx(2 / 3)


@pytest.mark.parametrize("weights", [[1, 1], [1, -1, 1], [1, np.nan, 1], [1, np.inf, 1]])
def test_weights_that_make_no_sense_are_refused(weights):
    with pytest.raises(InputError, match="weight"):
        weigh(FILLED, np.array(weights, float))


def test_nobody_cannot_be_weighed():
    with pytest.raises(InputError, match="0 volunteers"):
        consensus.weighted_fractions(
            VotePatterns(np.zeros((1, 0), bool), np.array([4])), np.zeros(0)
        )


def test_prior_by_hand():
    """Two subjects of 4 pixels: m1 = (1/4 + 3/8) / 2 and m2 = (1/6 + 1/4) / 2."""
    two = consensus.count_votes(  # 3 voters; pixel votes 0, 0, 1, 2: m1 = 3/12, m2 = 2/24
        np.array([[[0, 0, 1, 1]], [[0, 0, 0, 1]], [[0, 0, 0, 0]]], bool)
    )
    pair = votes_of([[0, 0, 1, 2]], 2)  # m1 = 3/8, m2 = 2/8
    prior = consensus.fit_prior([two.histogram(), pair.histogram()])
    m1 = (3 / 12 + 3 / 8) / 2
    m2 = (2 / 24 + 2 / 8) / 2
    q = m2 / m1
    strength = (1 - q) / (q - m1)
    assert prior.a == pytest.approx(m1 * strength)
    assert prior.b == pytest.approx((1 - m1) * strength)


def test_prior_finds_the_beta_it_was_drawn_from_whatever_the_number_of_voters():
    random = np.random.default_rng(3)
    histograms = []
    for voters in (2, 3, 5, 15):
        fractions = random.beta(0.4, 1.7, 200_000)
        counts = random.binomial(voters, fractions).astype(np.uint16).reshape(400, 500)
        histograms.append(Votes(counts, voters).histogram())
    prior = consensus.fit_prior(histograms)
    assert prior.a == pytest.approx(0.4, rel=0.03)
    assert prior.b == pytest.approx(1.7, rel=0.03)


def test_prior_needs_two_voters_and_some_foreground():
    lone = votes_of([[0, 1, 1]], 1).histogram()
    blank = votes_of([[0, 0, 0]], 5).histogram()
    everything = votes_of([[5, 5, 5]], 5).histogram()
    for histograms in ([], [lone], [blank], [everything], [lone, blank]):
        with pytest.raises(InputError, match="nothing to shrink"):
            consensus.fit_prior(histograms)


def test_prior_is_held_where_votes_agree_wholly_or_not_at_all():
    unanimous = votes_of([[0, 0, 0, 3]], 3).histogram()
    assert sum(vars(consensus.fit_prior([unanimous])).values()) == pytest.approx(0.01)
    apart = votes_of([[1, 1, 1, 1]], 2).histogram()  # each pixel has exactly one vote
    assert sum(vars(consensus.fit_prior([apart])).values()) == pytest.approx(1000)


def test_shrunken_fraction_by_hand():
    prior = FractionPrior(0.5, 1.5)
    assert np.allclose(prior.shrunken(2), [0.5 / 4, 1.5 / 4, 2.5 / 4])
    assert np.allclose(prior.shrunken(0), [0.25])


def test_certainty_by_hand():
    """Beta(2, 1) has P(x >= t) = 1 - t^2; Beta(1, 2) has (1 - t)^2."""
    sure = FractionPrior(1, 1).certainty(1, 0.4)
    assert np.allclose(sure, [0.6**2, 1 - 0.4**2])


def test_few_voters_leave_pixels_undecided():
    """A uniform prior: P(x >= 0.5) is 1/8, 1/2, 7/8 after 0, 1, 2 of 2 votes."""
    uniform = FractionPrior(1, 1)
    votes = votes_of([[0, 1, 2]], 2)
    assert consensus.shrunken_mask(votes, uniform, 0.5, 0.8).tolist() == [[0, 255, 1]]
    assert consensus.shrunken_mask(votes, uniform, 0.5, 0.9).tolist() == [[255, 255, 255]]


def test_under_a_weak_prior_three_voters_decide_together_and_two_do_not():
    prior = FractionPrior(0.05, 1.0)
    mask = [consensus.shrunken_mask(votes_of([[0, n]], n), prior) for n in (1, 2, 3)]
    assert [one.tolist() for one in mask] == [[[0, 255]], [[0, 255]], [[0, 1]]]


def test_floating_forests_prior_asks_for_nearly_all_of_few_voters():
    prior = FractionPrior(0.01, 0.70)
    needed = {}
    for voters in (1, 2, 3, 5, 15):
        votes = votes_of([range(voters + 1)], voters)
        verdicts = consensus.shrunken_mask(votes, prior)[0].tolist()
        needed[voters] = verdicts.index(1) if 1 in verdicts else None
    assert needed == {1: None, 2: 2, 3: 3, 5: 4, 15: 10}


def test_nobody_voted_is_no_background_even_under_a_strong_prior():
    assert consensus.shrunken_mask(votes_of([[0, 0]], 0), FractionPrior(0.1, 9)) is None


@given(st.integers(1, 30), st.floats(0.05, 3), st.floats(0.05, 3), st.floats(0.05, 0.95))
def test_shrunken_verdicts_rise_with_the_votes(voters, a, b, threshold):
    votes = votes_of([range(voters + 1)], voters)
    mask = consensus.shrunken_mask(votes, FractionPrior(a, b), threshold)[0]
    rank = {0: 0, 255: 1, 1: 2}
    verdicts = [rank[int(value)] for value in mask]
    assert verdicts == sorted(verdicts)


def test_many_voters_are_decided_as_plain_votes_away_from_the_threshold():
    votes = votes_of([[0, 30, 70, 100]], 100)
    assert consensus.shrunken_mask(votes, FractionPrior(0.1, 2)).tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("certainty", [0.49, 1.0])
def test_certainties_that_make_no_sense_are_refused(certainty):
    with pytest.raises(SettingsError, match="certainty"):
        consensus.shrunken_mask(votes_of([[1]], 2), FractionPrior(1, 1), certainty=certainty)
