"""The order of a queue and its words, on subjects whose measures are given."""

import math
from pathlib import Path

import numpy as np
import pytest

from crosspatch.dataset import Subject
from crosspatch.errors import SettingsError
from crosspatch.feedback.observe import Seen
from crosspatch.feedback.ranking import choose_next, make_queue, need, novelty, places
from crosspatch.feedback.retirement import calibrate

NAN = math.nan
NOBODY = calibrate([])


def seen(name, status="open", *, uncertainty=0.1, confidence=0.5, verdict=0.5, disagreement=NAN,
         foreground=0.2, features=(0.0, 0.0), trained=False):  # fmt: skip
    subject = Subject(name, Path(f"images/{name}.png"), None, None, f"g-{name}")
    return Seen(
        subject, status, uncertainty, confidence, verdict, disagreement, foreground,
        np.array(features, dtype=np.float32), trained=trained,
    )  # fmt: skip


def retiring(threshold):
    made = calibrate([])
    return type(made)(threshold, "because", 50, 50, 50.0, 0, 0.06)


def names(rows):
    return [row.name for row in rows]


def test_places_run_from_the_lowest_to_the_highest():
    assert places([0.2, 0.9, 0.5, 0.5]).tolist() == [0, 1, 0.5, 0.5]
    assert places([7.0]).tolist() == [0.5]
    assert places([NAN, 1.0, 2.0])[1:].tolist() == [0, 1]
    assert math.isnan(places([NAN, 1.0])[0])


def test_need_is_the_mean_place_by_what_is_known():
    some = [
        seen("a", uncertainty=0.1, verdict=0.9),
        seen("b", uncertainty=0.2, verdict=0.1),
        seen("c", uncertainty=0.3, verdict=NAN),
    ]
    # uncertainty: 0, 1/2, 1. Doubt: a 0, b 1.
    assert need(some).tolist() == [0, 0.75, 1]
    some = [seen("a", disagreement=0.9), seen("b", disagreement=0.1), seen("c")]
    assert need(some) == pytest.approx([(0.5 + 0.5 + 1) / 3, (0.5 + 0.5 + 0) / 3, 0.5])


def test_the_next_are_needy_and_unlike_each_other():
    # Four candidates of each that is wanted: the last two are too sure to be looked at.
    near = [seen(f"n{i}", uncertainty=0.9 - i / 100, features=(5, 5)) for i in range(7)]
    far = [seen("far", uncertainty=0.7, features=(-5, 5))]
    sure = [seen("sure1", uncertainty=0.1, features=(90, 0)), seen("sure2", uncertainty=0.1)]
    done = [seen("done", "labelled", features=(5, 4))]
    everybody = near + far + sure + done
    assert [everybody[i].subject.name for i in choose_next(everybody, range(10), "need", 2)] == [
        "far", "n0",
    ]  # fmt: skip
    by_measure = choose_next(everybody, range(10), "uncertainty", 2)
    assert [everybody[i].subject.name for i in by_measure] == ["n0", "n1"]
    diverse = choose_next(everybody, range(10), "diversity", 1)
    assert everybody[diverse[0]].subject.name == "sure1"


def test_the_queue_goes_from_next_over_people_and_retired_to_labelled():
    some = [
        seen("sure", confidence=0.99, uncertainty=0.01),
        seen("surer", confidence=0.999, uncertainty=0.001),
        seen("doubtful", uncertainty=0.9, confidence=0.2),
        seen("middle", uncertainty=0.3, confidence=0.7),
        seen("odd", "labelled", disagreement=0.8),
        seen("fine", "trained", disagreement=0.1),
    ]
    rows = make_queue(some, retiring(0.9), count=1)
    assert names(rows) == ["doubtful", "middle", "sure", "surer", "odd", "fine"]
    assert [row.decision for row in rows] == [
        "next", "people", "retire", "retire", "labelled", "labelled",
    ]  # fmt: skip
    assert [row.rank for row in rows] == [row.priority for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row.status for row in rows][-2:] == ["labelled", "trained"]
    assert math.isnan(rows[-1].need)


def test_nobody_retires_what_people_contradict():
    some = [seen("a", confidence=0.99, disagreement=0.31), seen("b", confidence=0.99,
            disagreement=0.3)]  # fmt: skip
    decided = {row.name: row.decision for row in make_queue(some, retiring(0.9), count=0)}
    assert decided == {"a": "people", "b": "retire"}


def test_every_subject_has_a_reason_in_words():
    some = [
        seen("unsure", uncertainty=0.8, confidence=0.3),
        seen("odd", verdict=0.1),
        seen("empty", foreground=0.0, verdict=0.9, confidence=0.6),
        seen("contested", disagreement=0.7),
        seen("blank", confidence=NAN, uncertainty=NAN, verdict=NAN, foreground=NAN),
        seen("sure", confidence=0.95),
        seen("done", "trained", disagreement=0.04),
        seen("wrong", "labelled", disagreement=0.9),
    ]
    why = {row.name: row.reason for row in make_queue(some, retiring(0.9), count=0)}
    assert why["unsure"] == (
        "the model is unsure (uncertainty 0.8, more than for 100% of the open subjects)"
    )
    assert why["odd"] == (
        "its mask does not look like a person's (the discriminator believes 10% of the patches)"
    )
    assert why["empty"] == (
        "the model finds nothing here, and promises a Dice of 0.60, but that is not enough"
    )
    assert why["contested"] == "people and model differ (disagreement 0.70)"
    assert why["blank"] == "the image holds no data"
    unpromised = make_queue([seen("a", verdict=NAN), seen("b", verdict=NAN)], NOBODY, count=0)
    assert unpromised[0].reason == "the model promises a Dice of 0.50, but nothing can be retired"
    assert why["sure"].startswith("confidence 0.95 (retired from 0.90 on)")
    assert why["done"] == "the model was trained on it; the model is near it (disagreement 0.04)"
    assert why["wrong"] == "has a mask; the model differs much from it (disagreement 0.90)"


def test_novelty_is_measured_from_what_is_labelled_in_usual_distances():
    some = [seen("a", features=(2, 0)), seen("b", features=(4, 0)), seen("c", features=(6, 0)),
            seen("l", "labelled")]  # fmt: skip
    assert novelty(some, [0, 1, 2]) == pytest.approx([0.5, 1, 1.5, 0])
    assert np.isnan(novelty(some[:3], [0, 1, 2])).all()


def test_a_measure_that_nobody_has_is_refused():
    with pytest.raises(SettingsError, match="--by disagreement needs votes or masks"):
        make_queue([seen("a"), seen("b")], NOBODY, by="disagreement")
    with pytest.raises(SettingsError, match="--by verdict needs"):
        make_queue([seen("a", verdict=NAN)], NOBODY, by="verdict")


def test_the_same_subjects_in_another_order_give_the_same_queue():
    generator = np.random.default_rng(3)
    some = [seen(f"s{i}", uncertainty=float(i % 3), features=generator.normal(size=2))
            for i in range(12)]  # fmt: skip
    for by in ("need", "diversity", "uncertainty"):
        rows = make_queue(some, NOBODY, by=by, count=3)
        assert names(make_queue(some[::-1], NOBODY, by=by, count=3)) == names(rows)


def test_all_labelled_and_nobody_waiting_is_a_queue_too():
    rows = make_queue([seen("a", "trained"), seen("b", "labelled")], NOBODY)
    assert {row.decision for row in rows} == {"labelled"}


def test_an_open_subject_that_the_model_was_trained_on_is_neither_retired_nor_new():
    rows = make_queue(
        [
            seen("known", confidence=0.99, features=(9, 0), trained=True),
            seen("sure", confidence=0.99, features=(9, 0)),
            seen("unlike", confidence=0.1, features=(0, 0)),
        ],
        retiring(0.9), count=1,
    )  # fmt: skip
    assert [(row.name, row.decision) for row in rows] == [
        ("unlike", "next"), ("known", "people"), ("sure", "retire"),
    ]  # fmt: skip
    assert {row.name: row.novelty for row in rows if row.name != "unlike"} == {
        "known": 0, "sure": 0,
    }  # fmt: skip
    assert "trained on what they had so far" in rows[1].reason
