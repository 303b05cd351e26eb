import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crosspatch.dataset.masks import (
    MaskValues,
    class_against_rest,
    declared_classes,
    declared_values,
    values_in,
)
from crosspatch.errors import InputError

ODD = MaskValues(frozenset({7, 0}), frozenset({3, 200}), frozenset({9}))
LAND = {"undefined": 0, "built-up": 1, "vegetation": 2, "water": 3}


def rest(name, classes=LAND, declared=None):
    return class_against_rest(classes, name, declared, "dataset.toml")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_translates_each_value_to_its_meaning(dtype):
    stored = np.array([[0, 7, 3], [200, 9, 0]], dtype=dtype)
    ours = ODD.translate(stored, "m.png")
    assert ours.dtype == np.uint8
    assert ours.tolist() == [[0, 0, 1], [1, 255, 0]]


def test_values_above_255_have_meanings_too():
    meaning = MaskValues(frozenset({0}), frozenset({1000}), frozenset({65535}))
    stored = np.array([[0, 1000, 65535]], dtype=np.uint16)
    assert meaning.translate(stored, "m.tif").tolist() == [[0, 1, 255]]


def test_an_undeclared_value_is_refused_with_file_and_remedy():
    with pytest.raises(InputError, match=r"m\.png: holds the mask values 4, 5, but only 0, 1, 255"):
        MaskValues().translate(np.array([[0, 5], [4, 1]], dtype=np.uint8), "m.png")


def test_a_mask_full_of_strangers_is_told_shortly():
    mask = np.arange(100, dtype=np.uint8).reshape(10, 10)
    with pytest.raises(InputError, match=r"2, 3, 4, 5, 6, 7, 8, 9 and 90 more"):
        MaskValues().translate(mask, "m.png")


@given(arrays(np.uint8, (5, 4)), st.sampled_from([np.uint8, np.int16, np.uint32]))
def test_distinct_values_are_those_of_a_set(mask, dtype):
    assert values_in(mask.astype(dtype)) == set(mask.ravel().tolist())


def test_a_table_without_mask_values_declares_none():
    assert declared_values({"channels": ["a"]}, "dataset.toml") is None


def test_reads_what_it_writes():
    assert declared_values({"mask_values": ODD.as_table()}, "dataset.toml") == ODD


@pytest.mark.parametrize(
    ("declared", "complaint"),
    [
        ([0, 1], "must be a table"),
        ({"foreground": 1}, "must be a list of numbers"),
        ({"foreground": [1.5]}, "1.5"),
        ({"foreground": [True]}, "True"),
        ({"foreground": [-1]}, "0 to 65535"),
        ({"foreground": []}, "names no value"),
        ({"foreground": [1], "background": [1]}, "two meanings"),
        ({"foreground": [1], "forground": [2]}, "forground"),
    ],
)
def test_refuses_mask_values_that_make_no_sense(declared, complaint):
    with pytest.raises(InputError, match=complaint):
        declared_values({"mask_values": declared}, "dataset.toml")


@pytest.mark.parametrize(
    ("classes", "complaint"),
    [(["a"], "NAME = VALUE"), ({"a": "1"}, "whole numbers"), ({"a": 1, "b": 1}, "two names")],
)
def test_refuses_classes_that_make_no_sense(classes, complaint):
    with pytest.raises(InputError, match=complaint):
        declared_classes({"classes": classes}, "dataset.toml")


class TestClassAgainstRest:
    stored = np.array([[0, 1, 2, 3, 255]], dtype=np.uint8)

    def test_one_class_is_foreground_and_the_others_background(self):
        assert rest("built-up").translate(self.stored, "m").tolist() == [[0, 1, 0, 0, 255]]

    def test_value_zero_is_foreground_when_asked_for_by_name(self):
        assert rest("undefined").translate(self.stored, "m").tolist() == [[1, 0, 0, 0, 255]]

    def test_value_zero_is_background_though_no_class_has_it(self):
        meaning = rest("water", {"water": 3})
        assert meaning.translate(np.array([[0, 3]], np.uint8), "m").tolist() == [[0, 1]]

    def test_declared_ignored_values_stay_ignored(self):
        declared = MaskValues(frozenset(), frozenset({1, 2, 3}), frozenset({0}))
        meaning = rest("water", declared=declared)
        assert meaning.translate(self.stored[:, :4], "m").tolist() == [[255, 0, 0, 1]]

    def test_255_is_a_class_where_it_is_named(self):
        meaning = rest("cloud", {"land": 1, "cloud": 255})
        assert meaning.translate(np.array([[1, 255]], np.uint8), "m").tolist() == [[0, 1]]

    def test_an_unnamed_value_is_still_a_stranger(self):
        with pytest.raises(InputError, match="mask value 4"):
            rest("water").translate(np.array([[4]], np.uint8), "m")

    def test_a_misspelt_class_is_answered_with_the_right_one(self):
        with pytest.raises(InputError, match=r"no class 'builtup' \(did you mean 'built-up'\?\)"):
            rest("builtup")

    def test_a_data_set_without_classes_says_so(self):
        with pytest.raises(InputError, match=r"no class 'water'.*no \[classes\]"):
            rest("water", {})
