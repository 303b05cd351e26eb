"""Retirement: the bound by numbers from tables, and a promise that is kept when it is tested."""

import numpy as np
import pytest

from crosspatch.feedback.retirement import (
    Held,
    calibrate,
    fewest_subjects,
    independent_subjects,
    upper_bound,
)


def held(ious, *, groups=None, confidences=None):
    count = len(ious)
    groups = groups or [f"g{place}" for place in range(count)]
    confidences = confidences or [1 - place / (2 * count) for place in range(count)]
    return [
        Held(f"s{place:03}", *one)
        for place, one in enumerate(zip(groups, confidences, ious, strict=True))
    ]


def test_the_bound_is_clopper_and_pearsons():
    # No failure: 1 - 0.05^(1/n). One of 46: Beta(2, 45) at 0.95.
    assert upper_bound(0, 29) == pytest.approx(1 - 0.05 ** (1 / 29))
    assert upper_bound(1, 46) == pytest.approx(0.0990, abs=5e-5)
    assert upper_bound(3, 3) == upper_bound(0, 0) == 1
    assert [fewest_subjects(failures) for failures in (0, 1, 2)] == [29, 46, 61]


def test_subjects_of_one_group_count_as_one():
    assert independent_subjects(["a", "b", "c"]) == 3
    assert independent_subjects(["a"] * 9) == 1
    assert independent_subjects(["a", "a", "b"]) == pytest.approx(9 / 5)
    assert independent_subjects([]) == 0


def test_where_all_are_right_all_are_retired_down_to_the_least_sure():
    made = calibrate(held([0.9] * 29))
    assert made.threshold == pytest.approx(1 - 28 / 58)
    assert (made.subjects, made.groups, made.failures) == (29, 29, 0)
    assert made.bound < 0.1
    assert made.retires(0.52)
    assert not made.retires(0.5)
    assert "of 29 such held-out subjects in 29 groups, 0 had an IoU under 0.7" in made.says


def test_one_subject_fewer_can_promise_nothing():
    made = calibrate(held([1.0] * 28))
    assert made.threshold is None
    assert not made.retires(1.0)
    assert "28 groups" in made.says
    assert "needs 29" in made.says


def test_many_subjects_of_few_scenes_can_promise_nothing():
    made = calibrate(held([1.0] * 200, groups=[f"scene{place % 20}" for place in range(200)]))
    assert made.threshold is None
    assert "200 labelled subjects" in made.says
    assert "count for 20 independent ones" in made.says


def test_no_held_out_subject_is_said():
    assert "no labelled subject that the model was not trained on" in calibrate([]).says


def test_the_threshold_stands_where_failures_begin():
    made = calibrate(held([0.9] * 50 + [0.1] * 50))
    # of 50, none failed; one more may (of 46 and more), two may not (61 are needed)
    assert made.subjects == 51
    assert made.failures == 1
    assert made.threshold == pytest.approx(1 - 50 / 200)
    assert made.bound == pytest.approx(upper_bound(1, 51))


def test_a_model_that_is_surely_wrong_retires_nothing():
    made = calibrate(held([0.1, 0.1] + [0.9] * 98))
    assert made.threshold is None
    assert "of the 46 held-out subjects that the model is surest of, 2 have" in made.says


def test_an_iou_of_exactly_seven_tenths_is_good():
    assert calibrate(held([0.7] * 29)).failures == 0


def test_equal_confidences_are_retired_together_or_not_at_all():
    confidences = [0.9] * 50 + [0.8] * 50
    made = calibrate(held([0.9] * 60 + [0.1] * 40, confidences=confidences))
    assert made.threshold == 0.9
    assert made.subjects == 50


def test_a_confidence_of_nan_is_never_retired():
    made = calibrate(held([0.9] * 29))
    assert not made.retires(float("nan"))


@pytest.mark.parametrize("size", [1, 4])
def test_the_promise_is_broken_in_one_of_twenty_cases_at_most(size):
    """Confidence says nothing, and 12% of the groups fail whole: to retire anybody is wrong."""
    generator = np.random.default_rng(0)
    broken = 0
    for _ in range(200):
        groups = [f"g{place}" for place in range(60) for _ in range(size)]
        ious = np.repeat(np.where(generator.random(60) < 0.12, 0.0, 1.0), size)
        confidences = generator.random(60 * size).tolist()
        broken += calibrate(
            held(ious.tolist(), groups=groups, confidences=confidences)
        ).threshold is not None  # fmt: skip
    assert 0 < broken <= 10 + 6  # 5% of 200, and what chance adds to it
