"""Claims are made where the evidence holds, refused where it does not, open where it is missing."""

import polars as pl
import pytest

from crosspatch.studies.crossed import resample
from crosspatch.studies.cube import cube
from crosspatch.studies.savings import saving
from crosspatch.studies.statistics import analyse
from crosspatch.studies.verdicts import (
    digits_beside,
    qualification,
    saved,
    settled,
    tenths,
    unvalidated,
)
from studied import FLAT, RISING, learning_of, study

BASELINES = {"threshold": 0.4, "forest": 0.5}


def judged(**arms):
    return resample(cube(study(arms, of_seed=0.003, of_both=0.003, baselines=BASELINES)))


def test_a_target_where_labels_matter_qualifies():
    found = qualification(judged(scratch=RISING))
    assert found.passed is True
    assert [hurdle.over for hurdle in found.hurdles] == ["threshold", "forest", "scratch with 10%"]


def test_a_saturated_target_does_not():
    found = qualification(judged(scratch=FLAT))
    assert [hurdle.passed for hurdle in found.hurdles] == [True, True, False]
    assert found.passed is False


def test_a_target_that_a_threshold_solves_does_not():
    rows = study({"scratch": RISING}, baselines={"threshold": 0.74, "forest": 0.5})
    assert qualification(resample(cube(rows))).passed is False


def test_a_missing_baseline_leaves_it_open():
    found = qualification(resample(cube(study({"scratch": RISING}, baselines={"threshold": 0.4}))))
    assert [hurdle.passed for hurdle in found.hurdles] == [True, None, True]
    assert found.passed is None


def test_a_tenth_that_does_the_work_of_all():
    (found,) = tenths(judged(scratch=RISING, photos=dict.fromkeys(RISING, 0.75)))
    assert found.stands is True
    assert found.saturated is False
    assert found.scratch_loss.value == pytest.approx(-0.25, abs=0.01)


def test_a_tenth_that_does_not():
    (found,) = tenths(judged(scratch=RISING, photos=RISING))
    assert found.stands is False


def longer_gain(share_of_all, **words):
    rows = study(
        {"scratch": RISING, "twice-as-long": {1.0: RISING[1.0] + share_of_all}},
        of_seed=0.001, of_both=0.001, baselines=BASELINES, **words,
    )  # fmt: skip
    return analyse(rows, resamples=200)


def test_twice_the_steps_that_gain_nothing_were_not_needed():
    found = longer_gain(0.004)
    assert found.longer.value == pytest.approx(0.004, abs=0.002)
    assert found.limits == ()


def test_twice_the_steps_that_gain_are_said_in_the_same_sentence():
    found = longer_gain(0.03)
    assert found.longer.value == pytest.approx(0.03, abs=0.003)
    assert any(said.startswith("with too few steps") for said in found.limits)


def test_a_check_of_the_steps_by_one_seed_says_so():
    rows = study(
        {"scratch": RISING, "twice-as-long": {1.0: RISING[1.0] + 0.03}},
        of_seed=0.001, of_both=0.001, baselines=BASELINES,
    ).filter((pl.col("arm") != "twice-as-long") | (pl.col("seed") == 0))  # fmt: skip
    (said,) = analyse(rows, resamples=200).limits
    assert said.endswith("from twice as many (one seed)")
    assert "(one seed)" not in longer_gain(0.03).limits[0]


def test_the_check_of_the_steps_is_compared_with_nothing_else():
    found = longer_gain(0.03)
    assert [gap.arm for gap in found.gaps] == []
    assert {one.arm for one in found.savings} == {"scratch"}
    assert analyse(study({"scratch": RISING}), resamples=50).longer is None


def test_saturation_does_not_pass_for_savings():
    (found,) = tenths(judged(scratch=FLAT, photos=FLAT))
    assert found.stands is True
    assert found.saturated is True


def test_for_one_source_the_claim_is_the_lower_bound_of_the_interval():
    told = set()
    for number in range(12):
        curve = dict.fromkeys(RISING, 0.733)
        rows = study({"scratch": RISING, "photos": curve}, of_seed=0.01, random=number)
        (found,) = tenths(resample(cube(rows), resamples=200))
        assert found.stands == (found.loss.low > -0.03)
        told.add(found.stands)
    assert told == {True, False}


def test_under_five_groups_the_claim_stays_open():
    (found,) = tenths(resample(cube(study({"scratch": RISING, "photos": RISING}, groups=3))))
    assert found.stands is None


def learning(values, name="averaged_iou"):
    return pl.DataFrame(
        {
            "arm": "scratch", "fraction": 1.0, "seed": 0, "fold": 0,
            "step": [10 * place for place in range(len(values))], name: values,
        }
    )  # fmt: skip


def test_only_the_last_ten_checks_count():
    (found,) = settled(learning([0.1, 0.3, *[0.70, 0.72] * 5]))
    assert found.widest == pytest.approx(0.02)
    assert (found.within, found.runs) == (1, 1)
    (early,) = settled(learning([0.1, 0.3, *[0.70, 0.72] * 4]))
    assert early.widest == pytest.approx(0.62)
    assert (early.within, early.runs) == (0, 1)


def test_fewer_than_ten_checks_show_nothing():
    assert settled(learning([0.7] * 9)) == []
    assert unvalidated(learning([0.7] * 9), "averaged") == 1
    assert unvalidated(learning([0.7] * 10), "averaged") == 0


def test_the_widest_run_of_a_cell_is_named():
    steady, wild = learning([0.7] * 10), learning([0.5, 0.8] * 5).with_columns(seed=pl.lit(1))
    (found,) = settled(pl.concat([steady, wild]))
    assert (found.median, found.widest, found.within) == pytest.approx((0.15, 0.3, 1))


def test_runs_without_validation_are_left_out():
    assert settled(learning([None] * 10).cast({"averaged_iou": pl.Float64})) == []


def test_plain_and_averaged_weights_are_both_measured():
    table = learning([0.7] * 10).with_columns(plain_iou=pl.Series([0.3, 0.8] * 5))
    assert [(one.weights, one.within) for one in settled(table)] == [("averaged", 1), ("plain", 0)]


def test_findings_hold_everything_for_each_kind_of_weights():
    rows = study(
        {"scratch": RISING, "photos": RISING}, baselines=BASELINES, weights=("averaged", "plain")
    )
    for weights in ("averaged", "plain"):
        found = analyse(rows, learning([0.7] * 10), weights=weights, resamples=100)
        assert found.target == "kelp"
        assert len(found.scores) == 16
        assert len(found.gaps) == 7
        assert [one.arm for one in found.savings] == ["scratch", "photos"] * 2
        unknown = (
            () if weights == "averaged" else ("whether its trainings had settled is not known",)
        )
        assert found.limits == unknown  # the curves are of averaged weights
        assert found.has_intervals


def test_few_groups_and_one_seed_are_said():
    found = analyse(study({"scratch": RISING}, groups=3, seeds=1), resamples=50)
    assert "3 test groups only" in found.limits[0]
    assert "one seed only" in found.limits[1]
    assert not found.has_intervals


def test_a_number_that_rests_on_one_seed_of_several_says_so():
    rows = study({"scratch": RISING, "photos": RISING}, seeds=2)
    failed = (pl.col("arm") == "photos") & (pl.col("fraction") == 0.25) & (pl.col("seed") == 1)
    assert not analyse(rows, resamples=50).limits
    assert "one seed only" in analyse(rows.filter(~failed), resamples=50).limits[0]


def test_digits_show_on_which_side_of_a_limit_a_value_lies():
    assert digits_beside(0.0123, 0.01) == 3
    assert digits_beside(0.0096, 0.01) == 4
    assert digits_beside(0.05, 0.05) == 3
    assert digits_beside(0.0498, 0.05) == 4


def test_a_saving_is_seldom_shown_where_there_is_none():
    shown = 0
    for random in range(40):
        drawn = resample(
            cube(study({"scratch": RISING, "a": RISING}, random=random)), resamples=200
        )
        shown += saved([saving(drawn, "a")])["a"]
    # One in forty by the level that is asked for; six or more would be a chance of one in a
    # thousand.
    assert shown < 6


def test_a_curve_that_has_flattened_out_is_no_saving():
    flat = RISING | {0.25: 0.75, 0.5: 0.75}
    drawn = resample(cube(study({"scratch": flat, "a": flat}, of_both=0.005)), resamples=400)
    assert saving(drawn, "a").share.fraction < 1
    assert saved([saving(drawn, "a")]) == {"a": False}


def test_without_an_interval_no_saving_can_be_shown():
    drawn = resample(cube(study({"scratch": RISING, "a": RISING}, groups=3)), resamples=50)
    assert saved([saving(drawn, "a")]) == {"a": None}


def test_trainings_without_validation_are_counted():
    curves = learning_of(study({"scratch": {0.1: 0.5, 1.0: 0.7}}, seeds=3))
    few = pl.when(pl.col("fraction") < 1).then(None).otherwise(pl.col("averaged_iou"))
    assert unvalidated(curves, "averaged") == 0
    assert unvalidated(curves.with_columns(averaged_iou=few), "averaged") == 3
    assert unvalidated(curves.with_columns(averaged_iou=few), "plain") == 0
