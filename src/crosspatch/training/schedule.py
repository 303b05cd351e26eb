"""How many steps, when to validate, how the learning rate falls, what a step's dropout draws."""

import numpy as np

from crosspatch.config import TrainingSettings

_CHECKS_OF_STEPS = 20


def run_length(training: TrainingSettings, samples: int) -> int:
    """Optimiser steps of the whole schedule, where an epoch has ``samples`` samples."""
    if training.steps is not None:
        return training.steps
    assert training.epochs is not None
    return max(1, round(training.epochs * samples / training.batch))


def when_to_check(training: TrainingSettings, steps: int) -> frozenset[int]:
    """Numbers of done steps after which to validate: evenly spread, the last step among them."""
    checks = min(training.checks or training.epochs or _CHECKS_OF_STEPS, steps)
    return frozenset(round(steps * (i + 1) / checks) for i in range(checks))


def rate_factor(decay: float, step: int, steps: int) -> float:
    """Factor on the learning rates at ``step`` (from 0): ``decay`` more at each tenth of ``steps``.

    For 50 epochs this is the paper's 0.95 every 5 epochs; a shorter schedule falls as far.
    """
    return float(decay ** (10 * step // steps))


def step_seed(seed: int, step: int, rank: int) -> int:
    """Seed of the random numbers (dropout) of one step on one process.

    They depend on nothing before the step, so a resumed run draws the same ones.
    """
    state = np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)
    return int(state[0] >> 1)  # torch takes 63 bits
