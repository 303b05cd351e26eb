"""What a plan comes to on the groups of a target: fractions that are left out, or said."""

import pytest

from crosspatch.studies.design import distinct_fractions
from crosspatch.studies.plan import DEFAULT_FRACTIONS


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
