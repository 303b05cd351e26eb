"""Alarms: what is not finite, a discriminator that has won, one that is dead; healthy runs none."""

import math

import numpy as np
import pytest

from crosspatch.training.watch import WINDOW, NotFiniteError, Watch


def feed(watch: Watch, fake: float, real: float, steps: int) -> list[str]:
    losses = {"tversky": 0.5, "adversarial": 1.0, "fake": fake, "real": real}
    return [alarm for step in range(steps) for alarm in watch.look(step, losses)]


def test_a_discriminator_that_has_won_is_said_once():
    alarms = feed(Watch(), 1e-4, 5e-4, 3 * WINDOW)
    assert len(alarms) == 1
    assert "has won" in alarms[0]


def test_a_dead_discriminator_is_said_once():
    alarms = feed(Watch(), math.log(2), math.log(2), 3 * WINDOW)
    assert len(alarms) == 1
    assert "dead" in alarms[0]


def test_a_discriminator_that_is_now_and_then_in_doubt_is_healthy():
    watch = Watch()
    for _ in range(5):
        assert not feed(watch, 0.01, 0.01, 9)
        assert not feed(watch, 0.4, 0.3, 1)


def test_a_short_epoch_is_judged_within_itself():
    assert len(feed(Watch(epoch_steps=12), 1e-3, 1e-3, 12)) == 1
    assert feed(Watch(epoch_steps=12), 1e-3, 1e-3, 11) == []


def test_a_discriminator_at_chance_but_alive_is_healthy():
    watch, random = Watch(), np.random.default_rng(0)
    for step in range(5 * WINDOW):
        wobble = float(random.normal(0, 0.01))
        losses = {"tversky": 0.5, "fake": math.log(2) + wobble, "real": math.log(2) - wobble}
        assert watch.look(step, losses) == []


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_and_names_step_and_loss(value):
    with pytest.raises(NotFiniteError, match=r"step 7: the tversky loss .* start again with"):
        Watch().look(7, {"tversky": value})


def test_a_restored_watch_goes_on_where_it_was():
    first = Watch()
    feed(first, 1e-4, 1e-4, WINDOW - 1)
    second = Watch()
    second.restore(first.facts())
    assert len(feed(second, 1e-4, 1e-4, 1)) == 1
    third = Watch()
    third.restore(second.facts())
    assert feed(third, 1e-4, 1e-4, WINDOW) == [], "said before the restart, so not again"
