"""What a plan comes to on the groups of a target: fractions, test groups; left out, or said."""

import pytest

from crosspatch.reports.study.account import limits_section
from crosspatch.reports.study.material import read_material
from crosspatch.studies.design import distinct_fractions, few_test_groups
from crosspatch.studies.ground import lay_ground
from crosspatch.studies.outline import outline
from crosspatch.studies.plan import DEFAULT_FRACTIONS, read_plan
from small_study import squares, write_plan
from studied import study, write_study


def alone(count):
    """Subjects that are each a group."""
    return [f"g{number}" for number in range(count)]


@pytest.mark.parametrize(
    ("subjects", "kept", "left_out"),
    [
        (40, DEFAULT_FRACTIONS, ""),  # 1, 2, 4, 10, 20, 30, 40 subjects
        (20, (0.05, 0.1, 0.25, 0.5, 0.75, 1.0), "0.025"),  # 0.5 and 1 subject are one
        (8, (0.1, 0.25, 0.5, 0.75, 1.0), "0.025, 0.05"),
        (4, (0.25, 0.5, 0.75, 1.0), "0.025, 0.05, 0.1"),
        (1, (1.0,), "0.025, 0.05, 0.1, 0.25, 0.5, 0.75"),
        (0, (1.0,), "0.025, 0.05, 0.1, 0.25, 0.5, 0.75"),
    ],
)
def test_of_the_usual_fractions_those_are_kept_that_subjects_allow(subjects, kept, left_out):
    found, said = distinct_fractions([alone(subjects)], DEFAULT_FRACTIONS, (0, 1))
    assert found == kept
    same = "left out, as they come to the subjects of a larger fraction: "
    assert said == ([same + left_out] if left_out else [])


def test_a_fraction_of_no_subject_is_a_whole_group_and_that_is_said():
    """0.1 of 20 is 2 subjects, as near to none as to a group of 4: one group, 0.2 of the labels."""
    groups = [f"g{number // 4}" for number in range(20)]
    found, said = distinct_fractions([groups], (0.1, 0.4, 1.0), (0,))
    assert found == (0.1, 0.4, 1.0)
    assert said == [
        "0.1 of the labels is half a group of subjects or less: a whole one is taken, which is up "
        "to 0.2 of the labels"
    ]


def test_a_group_that_is_nearer_than_none_needs_no_words():
    groups = [f"g{number // 4}" for number in range(20)]
    assert distinct_fractions([groups], (0.11, 0.4, 1.0), (0,)) == ((0.11, 0.4, 1.0), [])


FEW = (
    "the target's own test split has only 2 groups (fewer than 20): let 5-fold cross-validation "
    "test on all of its groups instead (folds = 5)"
)


def said_of(plan):
    """What the dry-run and the study itself say of a plan."""
    return outline(plan).said, lay_ground(read_plan(plan), plan, plan.parent / "out").said


def test_a_small_test_split_is_said_before_and_after_with_what_to_do(data):
    for said in said_of(write_plan(data, sources=None)):
        assert said.count(FEW) == 1


def test_folds_and_twenty_test_groups_need_no_such_words(data):
    for said in said_of(write_plan(data, sources=None, folds=4)):
        assert not any("test split" in one for one in said)
    squares(data / "grey", 44, 1, test=40)  # two subjects a group
    (data / "out").rename(data / "before")
    for said in said_of(write_plan(data, sources=None)):
        assert not any("test split" in one for one in said)


def test_test_groups_are_counted_not_their_subjects():
    assert few_test_groups(alone(20), ["t"]) == []
    assert "only 19 groups" in few_test_groups(alone(19) * 3, ["t"])[0]
    (one,) = few_test_groups(["a", "a"], ["b", "c"])
    assert "only 1 group (" in one
    assert one.endswith("(folds = 3)")  # there are no more groups than these three


@pytest.mark.parametrize(("test", "folds", "words"), [(19, 0, 1), (20, 0, 0), (0, 5, 0)])
def test_declared_images_are_a_group_each(tmp_path, test, folds, words):
    declared = {"train": 40, "test": test, "height": 40, "width": 40, "channels": 1}
    target = {"dataset": "away", "size": 32, "declared": declared}
    planned = outline(write_plan(tmp_path, target=target, sources=None, folds=folds))
    assert sum("test split has only 19 groups" in one for one in planned.said) == words


def test_the_limits_of_the_report_say_it(tmp_path):
    folder = write_study(tmp_path, study({"scratch": {1.0: 0.7}}), said=[FEW])
    material = read_material(folder, resamples=50)
    (text,) = limits_section(material, material.headline).blocks
    assert f"T{FEW[1:]}." in text.paragraphs
