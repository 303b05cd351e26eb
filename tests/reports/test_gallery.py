"""Which subjects are shown: by the printed rule."""

import math

import hypothesis.strategies as st
from hypothesis import given

from crosspatch.reports.gallery import Choice, choose

SCORES = [("a", 0.9), ("b", 0.1), ("c", 0.5), ("d", 0.7), ("e", 0.3), ("f", 0.6), ("g", math.nan)]


def test_best_typical_and_worst_by_rank():
    assert choose(SCORES, each=1) == [
        Choice("best", "a", 0.9),
        Choice("typical", "f", 0.6),
        Choice("worst", "b", 0.1),
    ]
    assert [(one.kind, one.name) for one in choose(SCORES, each=2)] == [
        ("best", "a"), ("best", "d"), ("typical", "f"), ("typical", "c"),
        ("worst", "e"), ("worst", "b"),
    ]  # fmt: skip


def test_ties_go_by_name():
    assert [one.name for one in choose([("z", 0.5), ("y", 0.5), ("x", 0.5)], each=1)] == list("xyz")


def test_few_subjects_are_shown_once_each():
    assert [one.name for one in choose(SCORES[:1])] == ["a"]
    assert [(one.kind, one.name) for one in choose(SCORES[:2])] == [("best", "a"), ("worst", "b")]
    assert choose([("g", math.nan)]) == []


@given(st.lists(st.floats(0, 1) | st.just(math.nan), max_size=30), st.integers(1, 5))
def test_nobody_twice_and_best_never_below_worst(scores, each):
    named = [(f"{number:02d}", score) for number, score in enumerate(scores)]
    chosen = choose(named, each)
    assert len({one.name for one in chosen}) == len(chosen)
    known = sum(not math.isnan(score) for score in scores)
    assert len(chosen) >= min(known, 1)
    values = [one.score for one in chosen]
    assert values == sorted(values, reverse=True)
