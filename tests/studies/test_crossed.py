"""Intervals hold the truth as often as they say; false findings are as rare as they say."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from crosspatch.studies.crossed import holm, resample
from crosspatch.studies.cube import Cell, cube
from crosspatch.studies.verdicts import gaps
from studied import cube_of, study

ONE = Cell("scratch", 1.0)
TRUTH = 0.7


def trials(count, seeds, groups, of_group, of_seed, of_both):
    """Mean IoU (1, 1, seeds, groups), drawn anew each time around a known mean."""
    generator = np.random.default_rng([seeds, groups])
    for _ in range(count):
        yield (
            TRUTH
            + generator.normal(0, of_group, (1, 1, 1, groups))
            + generator.normal(0, of_seed, (1, 1, seeds, 1))
            + generator.normal(0, of_both, (1, 1, seeds, groups))
        )


@pytest.mark.parametrize(
    ("seeds", "groups", "of_group", "of_seed", "of_both"),
    [
        (5, 12, 0.1, 0.01, 0.01),  # scenes differ more than trainings
        (5, 12, 0.02, 0.05, 0.01),  # trainings differ more
        (3, 6, 0.05, 0.03, 0.03),
        (2, 5, 0.05, 0.05, 0.02),
        (1, 12, 0.1, 0.0, 0.0),
    ],
)
def test_intervals_cover_the_truth(seeds, groups, of_group, of_seed, of_both):
    hits = 0
    for number, iou in enumerate(trials(300, seeds, groups, of_group, of_seed, of_both)):
        drawn = resample(cube_of(iou, ["scratch"]), resamples=300, seed=number)
        found = drawn.estimate("iou", {ONE: 1.0})
        hits += found.low <= TRUTH <= found.high
    assert 0.915 < hits / 300 < 0.985  # 0.95, three standard errors of 300 trials around it


def test_intervals_err_on_the_wide_side_where_seed_and_scene_act_together():
    hits = 0
    for number, iou in enumerate(trials(200, 5, 12, 0.0, 0.0, 0.1)):
        drawn = resample(cube_of(iou, ["scratch"]), resamples=300, seed=number)
        found = drawn.estimate("iou", {ONE: 1.0})
        hits += found.low <= TRUTH <= found.high
    assert hits / 200 > 0.97


def test_a_family_of_comparisons_finds_something_false_in_at_most_one_of_twenty():
    generator = np.random.default_rng(7)
    false, plain = 0, 0
    arms, fractions = ["scratch", "photos", "em"], (0.1, 0.5, 1.0)
    for number in range(300):
        hard = generator.normal(0, 0.08, 12)
        trained = generator.normal(0, 0.03, (3, 3, 5, 1))
        iou = 0.6 + hard + trained + generator.normal(0, 0.01, (3, 3, 5, 12))
        drawn = resample(cube_of(iou, arms, fractions), resamples=300, seed=number)
        found = gaps(drawn)
        assert len(found) == 6
        false += min(gap.p for gap in found) < 0.05
        plain += min(gap.difference.p for gap in found) < 0.05
    assert false / 300 < 0.07
    assert plain / 300 > 0.1  # without the correction it would happen often


def test_a_real_difference_is_found():
    rows = study({"scratch": {1.0: 0.6}, "photos": {1.0: 0.7}}, of_seed=0.01)
    (gap,) = gaps(resample(cube(rows)))
    assert gap.difference.value == pytest.approx(0.1, abs=0.02)
    assert gap.p < 0.01
    assert gap.difference.low > 0.05


def test_pairing_takes_out_what_is_hard_for_every_model():
    curves = {"scratch": {1.0: 0.6}, "photos": {1.0: 0.6}}
    rows = study(curves, of_group=0.15, of_seed=0.005, of_both=0.005)
    drawn = resample(cube(rows))
    alone = drawn.estimate("iou", {ONE: 1})
    together = drawn.estimate("iou", {Cell("photos", 1.0): 1, ONE: -1})
    assert together.high - together.low < 0.3 * (alone.high - alone.low)


def test_the_numbers_are_those_of_the_textbook_for_one_seed():
    iou = np.random.default_rng(1).normal(0.6, 0.1, (1, 1, 1, 15))
    found = resample(cube_of(iou, ["scratch"]), resamples=40_000).estimate("iou", {ONE: 1})
    theirs = stats.ttest_1samp(iou.ravel(), 0).confidence_interval(0.95)
    assert found.freedom == 14
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.001)


def test_p_and_interval_say_the_same():
    generator = np.random.default_rng(2)
    told = set()
    for number in range(60):
        iou = generator.normal(0.03, 0.05, (1, 1, 3, 8))
        found = resample(cube_of(iou, ["scratch"]), resamples=200, seed=number).estimate(
            "iou", {ONE: 1}
        )
        assert (found.p < 0.05) == (not found.low <= 0 <= found.high)
        told.add(found.p < 0.05)
    assert told == {True, False}


def test_under_five_groups_there_is_no_interval_and_no_p_value():
    few = resample(cube(study({"scratch": {1.0: 0.6}}, groups=4))).estimate("iou", {ONE: 1})
    assert few.value == pytest.approx(0.6, abs=0.15)
    assert (few.low, few.high) == (None, None)
    assert np.isnan(few.p)
    assert few.interval == ""


def empty_but(cube, kept):
    """Take the foreground out of all groups but the first ones: they add to no IoU."""
    sums = cube.sums.copy()
    sums[kept:, ..., 0, :] = 0  # iou stands first
    return replace(cube, sums=sums)


def test_groups_without_foreground_lend_no_certainty():
    iou = np.random.default_rng(3).normal(0.6, 0.1, (2, 1, 3, 23))
    scenes = cube_of(iou, ["scratch", "photos"])
    few = resample(empty_but(scenes, 4)).estimate("iou", {ONE: 1})
    assert (few.low, few.groups) == (None, 4)
    alone = resample(cube_of(iou[..., :6], ["scratch", "photos"])).estimate("iou", {ONE: 1})
    among = resample(empty_but(scenes, 6))
    assert among.estimate("iou", {ONE: 1}) == alone
    assert among.estimate("dice", {ONE: 1}).groups == 23


def test_what_was_not_run_is_nothing():
    drawn = resample(cube(study({"scratch": {1.0: 0.6}})))
    found = drawn.estimate("iou", {Cell("scratch", 0.1): 1, ONE: -1})
    assert np.isnan(found.value)
    assert found.seeds == 0


def test_only_seeds_that_both_have_are_compared():
    iou = np.full((2, 1, 3, 6), 0.5)
    iou[0, 0, 2] = 0.9
    scored = cube_of(iou, ["scratch", "photos"])
    scored.present[1, 2] = False
    drawn = resample(scored, resamples=50)
    found = drawn.estimate("iou", {Cell("photos", 1.0): 1, ONE: -1})
    assert (found.value, found.seeds, found.low, found.p) == (0, 2, 0, 1)


def test_same_seed_same_answer_and_another_seed_nearly_the_same():
    rows = cube(study({"scratch": {1.0: 0.6}}))
    first, again, other = (resample(rows, seed=s).estimate("iou", {ONE: 1}) for s in (1, 1, 2))
    assert first == again
    assert first.low != other.low
    assert first.low == pytest.approx(other.low, abs=0.005)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.02, float("nan")])[0] == 0.02
    assert np.isnan(holm([0.02, float("nan")])[1])
    assert holm([]) == []
