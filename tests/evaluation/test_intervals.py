"""Intervals go by group, agree with another implementation, and are absent where meaningless."""

import numpy as np
import pytest
from scipy import stats

from crosspatch.evaluation.intervals import group_draws, group_interval, sums_by_group


def mean(sums):
    return sums[..., 0] / sums[..., 1]


def columns_of(values):
    return np.stack([np.asarray(values, dtype=float), np.ones(len(values))], axis=1)


def test_agrees_with_scipy_where_each_subject_is_a_group():
    values = np.random.default_rng(1).exponential(size=30)  # skewed: BCa is not the percentiles
    ours = group_interval(columns_of(values), [f"g{i}" for i in range(30)], mean, resamples=60_000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=60_000, method="BCa", rng=np.random.default_rng(2)
    ).confidence_interval
    percentile = stats.bootstrap(
        (values,), np.mean, n_resamples=60_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=0.01)
    assert ours.high == pytest.approx(theirs.high, abs=0.01)
    assert abs(percentile.high - theirs.high) > 0.03


def test_copies_inside_a_group_make_no_interval_narrower():
    values = np.random.default_rng(3).uniform(size=12)
    names = [f"scene{i}" for i in range(12)]
    once = group_interval(columns_of(values), names, mean)
    often = group_interval(columns_of(np.repeat(values, 20)), list(np.repeat(names, 20)), mean)
    assert (often.low, often.high) == pytest.approx((once.low, once.high))


def test_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(4)
    hits = 0
    for _ in range(200):
        scenes = np.repeat(generator.normal(0.7, 0.1, 20), 3)  # alike inside a scene
        values = scenes + generator.normal(0, 0.02, 60)
        groups = list(np.repeat(np.arange(20).astype(str), 3))
        interval = group_interval(columns_of(values), groups, mean, resamples=500)
        hits += interval.low <= 0.7 <= interval.high
    assert 0.87 < hits / 200 < 0.99


def test_is_absent_under_five_groups():
    values = np.arange(40.0)
    groups = [f"g{i % 4}" for i in range(40)]
    assert group_interval(columns_of(values), groups, mean) is None
    assert group_interval(columns_of(values), [*groups[:-1], "g4"], mean) is not None


def test_of_equal_scores_is_a_point():
    interval = group_interval(columns_of([0.25] * 6), list("abcdef"), mean)
    assert (interval.low, interval.high) == (0.25, 0.25)


def test_of_a_score_without_meaning_is_absent():
    columns = np.zeros((6, 2))
    with np.errstate(invalid="ignore"):
        assert group_interval(columns, list("abcdef"), mean) is None


def test_resamples_without_meaning_are_left_out():
    columns = np.zeros((6, 2))
    columns[:2] = [[0.5, 1], [0.7, 1]]  # four of six groups add nothing: some draws hold nothing
    with np.errstate(invalid="ignore"):
        interval = group_interval(columns, list("abcdef"), mean)
    assert 0.5 <= interval.low < 0.6 < interval.high <= 0.7


def test_draws_are_the_same_for_one_seed_and_hold_every_group_once_on_average():
    draws = group_draws(7, resamples=4000, seed=5)
    assert np.array_equal(draws, group_draws(7, resamples=4000, seed=5))
    assert not np.array_equal(draws, group_draws(7, resamples=4000, seed=6))
    assert (draws.sum(axis=1) == 7).all()
    np.testing.assert_allclose(draws.mean(axis=0), 1.0, atol=0.06)


def test_sums_are_added_by_name():
    columns = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    assert sums_by_group(columns, ["b", "a", "b"]).tolist() == [[2.0, 20.0], [5.0, 50.0]]
