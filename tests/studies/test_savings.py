"""The share of labels that a good start needs, with answers at the edge of what was tried."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosspatch.studies.crossed import resample
from crosspatch.studies.cube import cube
from crosspatch.studies.savings import Share, crossing, isotonic, percent, saving
from studied import FLAT, FRACTIONS, RISING, cube_of, study


def test_isotonic_by_hand():
    assert isotonic(np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx([1, 2.5, 2.5, 4])
    assert isotonic(np.array([3.0, 2.0, 1.0])) == pytest.approx([2, 2, 2])
    assert isotonic(np.array([0.5, 0.1, 0.9, 0.3, 0.6])) == pytest.approx([0.3, 0.3, 0.6, 0.6, 0.6])
    assert isotonic(np.array([0.7])) == pytest.approx([0.7])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_isotonic_never_falls_keeps_the_mean_and_what_rises_already(scores):
    fitted = isotonic(np.array(scores))
    assert (np.diff(fitted) >= -1e-12).all()
    assert fitted.mean() == pytest.approx(np.mean(scores))
    assert isotonic(np.sort(scores)) == pytest.approx(np.sort(scores))


def test_isotonic_agrees_with_another_implementation():
    regression = pytest.importorskip("sklearn.isotonic").isotonic_regression
    scores = np.random.default_rng(0).normal(0.6, 0.1, (50, 7))
    for row, fitted in zip(scores, isotonic(scores), strict=True):
        assert fitted == pytest.approx(regression(row))


def at(curve, goal, fractions=(0.1, 1.0)):
    return float(crossing(fractions, np.array(curve), np.array(goal)))


def test_crossing_by_hand():
    # Half-way up between 10% and 100% is half-way between their logarithms: 31.6%.
    assert math.exp(at([0.4, 0.6], 0.5)) == pytest.approx(math.sqrt(0.1))
    assert math.exp(at([0.4, 0.6], 0.6)) == pytest.approx(1)
    assert at([0.4, 0.6], 0.4) == -math.inf
    assert at([0.4, 0.6], 0.61) == math.inf
    # A flat stretch that is at the goal: its beginning.
    curve, tried = [0.2, 0.5, 0.5, 0.9], (0.05, 0.1, 0.5, 1.0)
    assert math.exp(at(curve, 0.5, tried)) == pytest.approx(0.1)


def test_shares_in_words():
    assert str(Share(0.25)) == "25%"
    assert str(Share(0.025, at_most=True)) == "at most 2.5%"
    assert str(Share(math.inf)) == "more than all"
    assert str(Share(math.inf, most=0.25)) == "more than 25%"
    assert [percent(share) for share in (0.025, 0.1, 0.333, 1.0)] == ["2.5%", "10%", "33%", "100%"]


def exact(scratch, photos, fractions=(0.1, 0.5, 1.0), **words):
    """A study without any noise."""
    iou = np.array([scratch, photos])[:, :, np.newaxis, np.newaxis] * np.ones((1, 1, 2, 6))
    return saving(
        resample(cube_of(iou, ["scratch", "photos"], fractions), resamples=20), "photos", **words
    )


def test_an_exact_study_gives_the_exact_answer():
    found = exact([0.4, 0.5, 0.6], [0.5, 0.7, 0.8])
    assert found.goal == pytest.approx(0.6)
    assert found.share.fraction == pytest.approx(math.exp((math.log(0.1) + math.log(0.5)) / 2))
    assert found.low == found.share == found.high
    assert str(found) == "22% (95% interval: 22% to 22%)"


def test_better_with_the_fewest_labels_is_at_most_that():
    assert str(exact([0.4, 0.5, 0.6], [0.7, 0.7, 0.8]).share) == "at most 10%"


def test_worse_with_all_labels_is_not_reached():
    assert str(exact([0.4, 0.5, 0.6], [0.3, 0.4, 0.55]).share) == "more than all"


def test_a_dip_of_scratch_at_the_end_lowers_no_goal_below_its_rising_curve():
    assert exact([0.4, 0.7, 0.6], [0.5, 0.65, 0.8]).goal == pytest.approx(0.65)


def test_with_slack_fewer_labels_do():
    found = exact([0.4, 0.5, 0.6], [0.5, 0.7, 0.8], slack=0.03)
    assert found.goal == pytest.approx(0.57)
    assert found.share.fraction < exact([0.4, 0.5, 0.6], [0.5, 0.7, 0.8]).share.fraction


def test_the_interval_holds_the_true_share():
    curve = {fraction: 0.5 + 0.2 * math.log(fraction / 0.025) / math.log(40)
             for fraction in FRACTIONS}  # fmt: skip
    warm = {fraction: score + 0.05 for fraction, score in curve.items()}
    truth = math.exp(math.log(0.025) + 0.15 / 0.2 * math.log(40))  # where warm reaches 0.7
    hits = 0
    for number in range(40):
        rows = study({"scratch": curve, "photos": warm}, per_group=1, random=number)
        found = saving(resample(cube(rows), resamples=300, seed=number), "photos")
        hits += found.low.fraction <= truth <= found.high.fraction
    assert hits >= 35


def test_scratch_on_a_saturated_target_needs_few_labels_too():
    drawn = resample(cube(study({"scratch": FLAT, "photos": FLAT}, of_seed=0.002)))
    assert saving(drawn, "scratch", slack=0.03).share == Share(0.025, at_most=True)


def test_few_groups_give_an_answer_without_interval():
    found = saving(resample(cube(study({"scratch": RISING, "photos": RISING}, groups=4))), "photos")
    assert found.low is found.high is None
    assert "interval" not in str(found)


def test_without_scratch_at_all_labels_there_is_no_answer():
    some = {fraction: score for fraction, score in RISING.items() if fraction < 1}
    assert saving(resample(cube(study({"scratch": some, "photos": RISING}))), "photos") is None


def test_the_noisy_study_reads_as_one():
    words = str(saving(resample(cube(study({"scratch": RISING, "photos": RISING}))), "photos"))
    assert "95% interval" in words


def test_cells_that_share_no_seed_leave_an_answer_by_those_that_do():
    rows = study({"scratch": {0.1: 0.5, 0.25: 0.6, 1.0: 0.75}, "photos": RISING}, seeds=2)
    failed = (pl.col("arm") == "scratch") & (
        ((pl.col("fraction") == 0.1) & (pl.col("seed") == 0))
        | ((pl.col("fraction") == 0.25) & (pl.col("seed") == 1))
    )
    drawn = resample(cube(rows.filter(~failed)), resamples=50)
    scratch, photos = saving(drawn, "scratch"), saving(drawn, "photos")
    assert (scratch.fractions, scratch.seeds) == ((0.25, 1.0), 1)
    assert (photos.fractions, photos.seeds) == (FRACTIONS, 2)
