"""Lengths, checks, learning rates and seeds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosspatch.config import TrainingSettings
from crosspatch.training.schedule import rate_factor, run_length, step_seed, when_to_check


def test_epochs_are_counted_in_samples():
    assert run_length(TrainingSettings(epochs=50, batch=16), 320) == 1000
    assert run_length(TrainingSettings(epochs=1, batch=16), 5) == 1
    assert run_length(TrainingSettings(steps=7, epochs=None), 320) == 7


def test_the_rate_falls_as_in_the_paper_every_5_of_50_epochs():
    per_epoch = 20
    factors = [rate_factor(0.95, epoch * per_epoch, 50 * per_epoch) for epoch in (0, 4, 5, 49)]
    assert factors == pytest.approx([1.0, 1.0, 0.95, 0.95**9])


def test_a_short_schedule_falls_as_far():
    assert rate_factor(0.95, 9, 10) == pytest.approx(0.95**9)


@given(st.integers(1, 500), st.one_of(st.none(), st.integers(1, 60)))
def test_the_last_step_is_always_checked(steps, checks):
    chosen = when_to_check(TrainingSettings(steps=steps, epochs=None, checks=checks), steps)
    assert steps in chosen
    assert all(1 <= step <= steps for step in chosen)
    assert len(chosen) == min(checks or 20, steps)


def test_step_seeds_differ_by_seed_step_and_process():
    seeds = {step_seed(a, b, c) for a in range(3) for b in range(3) for c in range(2)}
    assert len(seeds) == 18
    assert all(0 <= seed < 2**63 for seed in seeds)
