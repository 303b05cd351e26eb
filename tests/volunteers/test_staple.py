"""STAPLE finds who is reliable, and what is there, from the votes alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosspatch.errors import InputError
from crosspatch.metrics import confusion
from crosspatch.volunteers import consensus
from crosspatch.volunteers.patterns import vote_patterns
from crosspatch.volunteers.staple import enough_voters, staple

PEOPLE = tuple("abcdefgh")


def truth_of(shape=(40, 60)):
    truth = np.zeros(shape, bool)
    truth[10:25, 12:40] = True
    truth[28:34, 45:52] = True
    return truth


def answers(truth, rates, seed):
    """Each volunteer marks true pixels with chance p and false ones with chance 1 - q."""
    random = np.random.default_rng(seed)
    return np.stack(
        [np.where(truth, random.random(truth.shape) < p, random.random(truth.shape) > q)
         for p, q in rates]
    )  # fmt: skip


def estimate(filled, people=PEOPLE, **options):
    patterns, index = vote_patterns(filled)
    found = staple({"s": (patterns, people[: len(filled)])}, **options)
    return found, found.probabilities["s"][index]


def iou(probability, truth):
    return confusion(probability >= 0.5, truth.astype(np.uint8)).iou


def test_one_round_by_hand():
    """Five volunteers, one pixel marked by all, one by the first alone, three unmarked.

    The first probabilities come from rates of 0.9 and a share of (5 + 1) / 25 = 0.24.
    """
    filled = np.zeros((5, 1, 5), bool)
    filled[:, 0, 0] = True
    filled[0, 0, 1] = True
    patterns, index = vote_patterns(filled)
    found = staple({"s": (patterns, PEOPLE[:5])}, background={"s": 3}, steps=1, pull=0)
    odds = 0.24 / 0.76
    expected = {
        0: odds * (1 / 9) ** 5,
        1: odds * 9 * (1 / 9) ** 4,
        5: odds * 9**5,
    }
    w = {votes: ratio / (1 + ratio) for votes, ratio in expected.items()}
    assert not found.converged
    assert found.probabilities["s"][index][0, :3] == pytest.approx([w[5], w[1], w[0]])
    foreground = w[5] + w[1] + 3 * w[0]
    assert found.sensitivity[0] == pytest.approx((w[5] + w[1]) / foreground)
    assert found.sensitivity[4] == pytest.approx(w[5] / foreground)
    background = 5 - foreground
    assert found.specificity[0] == pytest.approx(3 * (1 - w[0]) / background)
    assert found.specificity[4] == pytest.approx((3 * (1 - w[0]) + 1 - w[1]) / background)


def test_equals_simpleitk():
    """Its STAPLEImageFilter (2.5, until it settles) on the same six pictures, whole frame."""
    rates = [(0.9, 0.95), (0.8, 0.9), (0.7, 0.99), (0.95, 0.7), (0.6, 0.9), (0.85, 0.97)]
    truth = np.zeros((60, 80), bool)
    truth[20:40, 25:60] = True
    random = np.random.default_rng(0)
    filled = np.stack(
        [np.where(truth, random.random(truth.shape) < p, random.random(truth.shape) > q)
         for p, q in rates]
    )  # fmt: skip
    unmarked = int((~filled.any(axis=0)).sum())
    found, _ = estimate(filled, background={"s": unmarked}, pull=0)
    assert found.sensitivity == pytest.approx(
        [0.90934250, 0.77202176, 0.70948188, 0.95380624, 0.56819100, 0.83752107], abs=1e-6
    )
    assert found.specificity == pytest.approx(
        [0.94944214, 0.90650311, 0.99271653, 0.69428949, 0.90409228, 0.97192946], abs=1e-6
    )


def test_planted_rates_are_found():
    rates = [(0.95, 0.97), (0.6, 0.99), (0.9, 0.8), (0.8, 0.9), (0.7, 0.95), (0.99, 0.6)]
    truth = np.kron(truth_of(), np.ones((5, 5), bool))  # a fifth of 200 x 300 pixels
    filled = answers(truth, rates, 0)
    unmarked = int((~filled.any(axis=0)).sum())  # noise is everywhere: so is the region
    found, _ = estimate(filled, background={"s": unmarked}, pull=0)
    assert found.converged
    assert found.sensitivity == pytest.approx([p for p, _ in rates], abs=0.05)
    assert found.specificity == pytest.approx([q for _, q in rates], abs=0.01)


def test_beats_the_majority_where_few_are_good():
    """Two careful volunteers among six who miss half and invent much: votes cannot tell them."""
    rates = [(0.97, 0.99), (0.95, 0.98)] + [(0.5, 0.75)] * 6
    truth = truth_of()
    for seed in range(5):
        filled = answers(truth, rates, seed)
        _, probability = estimate(filled)
        majority = consensus.at_threshold(consensus.count_votes(filled), 0.5)
        assert iou(probability, truth) > iou(majority, truth) + 0.1
        assert iou(probability, truth) > 0.85


@pytest.mark.parametrize("border", [1, 40, 400])
def test_a_border_of_background_changes_nothing_to_the_bit(border):
    rates = [(0.9, 0.98), (0.8, 0.95), (0.7, 0.99), (0.95, 0.9), (0.6, 0.97)]
    filled = answers(truth_of(), rates, 1)
    wide = np.pad(filled, [(0, 0), (border, border), (border, border)])
    found, probability = estimate(filled)
    wider, around = estimate(wide)
    inside = (slice(border, -border), slice(border, -border))
    assert np.array_equal(around[inside], probability)
    assert np.array_equal(wider.sensitivity, found.sensitivity)
    assert np.array_equal(wider.specificity, found.specificity)
    outside = np.ones(around.shape, bool)
    outside[inside] = False
    assert (around[outside] < 0.5).all()


def test_the_textbook_lets_a_border_change_the_answer():
    """Why the region exists: with all of the picture as background, the border decides pixels."""
    rates = [(0.9, 0.98), (0.8, 0.95), (0.7, 0.99), (0.95, 0.9), (0.6, 0.97)]
    filled = answers(truth_of(), rates, 1)
    near, _ = estimate(filled, background={"s": 0})
    far, _ = estimate(filled, background={"s": 10**7})
    assert np.abs(near.specificity - far.specificity).max() > 0.02


def test_a_volunteer_has_one_rate_over_all_subjects():
    """Subject one shows that "a" is poor; subject two, with the others silent about it, profits."""
    truth = truth_of()
    rates = [(0.4, 0.7)] + [(0.95, 0.98)] * 4
    subjects = {
        f"s{seed}": (vote_patterns(answers(truth, rates, seed))[0], PEOPLE[:5]) for seed in range(4)
    }
    found = staple(subjects)
    assert found.volunteers == PEOPLE[:5]
    assert found.sensitivity[0] == pytest.approx(0.4, abs=0.06)
    assert set(found.probabilities) == set(subjects)


def test_pooling_finds_the_better_of_two_who_disagree():
    """Alone, a strange picture cannot say whom to believe; the volunteers' other subjects can."""
    truth = truth_of()
    rates = [(0.96, 0.99)] * 2 + [(0.45, 0.6)] * 4
    filled = answers(truth, rates, 7)
    # On the last subject the four poor ones mark the same wrong block, the two good ones the truth.
    hard = np.zeros_like(filled)
    hard[:2] = truth
    hard[2:, 30:38, 2:30] = True
    patterns, index = vote_patterns(hard)
    alone = staple({"hard": (patterns, PEOPLE[:6])}).probabilities["hard"][index]
    pool = {f"s{seed}": (vote_patterns(answers(truth, rates, seed))[0], PEOPLE[:6])
            for seed in range(3)}  # fmt: skip
    pooled = staple(pool | {"hard": (patterns, PEOPLE[:6])}).probabilities["hard"][index]
    assert iou(alone, truth) < 0.2
    assert iou(pooled, truth) > 0.9


def test_subjects_may_have_different_volunteers_in_any_order():
    truth = truth_of()
    rates = dict(zip(PEOPLE, [(0.95, 0.98)] * 4 + [(0.5, 0.8)] * 4, strict=True))
    groups = [PEOPLE[:5], PEOPLE[3:], PEOPLE[::-1]]
    subjects = {
        str(seed): (vote_patterns(answers(truth, [rates[n] for n in group], seed))[0], group)
        for seed, group in enumerate(groups)
    }
    found = staple(subjects)
    order = np.argsort(found.sensitivity)
    assert {found.volunteers[place] for place in order[:4]} == set("efgh")


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(6)), st.integers(0, 1000))
def test_the_order_of_volunteers_changes_nothing(order, seed):
    rates = [(0.9, 0.95), (0.8, 0.9), (0.7, 0.99), (0.6, 0.8), (0.95, 0.9), (0.5, 0.97)]
    filled = answers(truth_of((12, 45))[:, :45], rates, seed)
    _, straight = estimate(filled)
    patterns, index = vote_patterns(filled[order])
    people = [PEOPLE[place] for place in order]
    mixed = staple({"s": (patterns, people)}).probabilities["s"][index]
    assert np.allclose(straight, mixed, atol=1e-6)


def test_volunteers_who_all_drew_the_same_are_believed():
    truth = truth_of()
    found, probability = estimate(np.stack([truth] * 5))
    assert np.array_equal(probability >= 0.5, truth)
    assert ((found.sensitivity < 1) & (found.specificity < 1)).all()


def test_a_subject_where_all_are_blank_is_background():
    _, probability = estimate(np.zeros((5, 4, 4), bool))
    assert (probability < 0.01).all()


def test_under_five_voters_is_refused_with_the_subject():
    patterns, _ = vote_patterns(np.ones((4, 2, 2), bool))
    assert not enough_voters(patterns)
    with pytest.raises(InputError, match="subject 77: 4 voters"):
        staple({"77": (patterns, PEOPLE[:4])})


def test_one_volunteer_twice_or_unnamed_is_refused():
    patterns, _ = vote_patterns(np.ones((5, 2, 2), bool))
    for people in ("aabcd", "abcd"):
        with pytest.raises(InputError, match="one vote from each"):
            staple({"s": (patterns, people)})


def test_no_subject_gives_an_empty_estimate():
    found = staple({})
    assert found.volunteers == ()
    assert found.converged
