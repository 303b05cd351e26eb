"""Replaying a labelled data set: what each way of choosing is worth, label by label.

Some subjects are labelled at random, the same for every arm of a seed. Then each arm chooses a few
more by what its model makes of the rest, trains anew on all that it has, and so on. An arm is a
measure, or one of two kinds of chance:

- ``random``: evenly;
- ``foreground-random``: two of three subjects are drawn with chances in proportion to the
  foreground that the model predicts, the third evenly. Choices that know of foreground are hard to
  beat (Lüth et al. 2025, arXiv:2511.19183).

Disagreement is no arm: a labelled data set has no votes on subjects that nobody has labelled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from crosspatch.errors import SettingsError
from crosspatch.feedback.observe import Seen
from crosspatch.feedback.ranking import By, choose_next

RANDOM, FOREGROUND_RANDOM = "random", "foreground-random"
START = "start"
"""What the models of the first, random labels are called: every arm goes on from there."""
ARMS = (RANDOM, FOREGROUND_RANDOM, *(by for by in get_args(By) if by != "disagreement"))
_AWARE = 2 / 3  # share of a foreground-aware choice that looks at foreground


@dataclass(frozen=True)
class Replay:
    """What is replayed.

    Attributes
    ----------
    pool : names of the subjects that may be labelled, sorted
    arms : ways of choosing
    seeds : how many times, each with other first labels and another training
    share : of the pool, labelled at first and again in each round
    rounds : choices after the first labels
    steps : optimiser steps of every training
    """

    pool: tuple[str, ...]
    arms: tuple[str, ...] = ARMS
    seeds: int = 5
    share: float = 0.05
    rounds: int = 4
    steps: int = 600

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.arms) - set(ARMS)):
            raise SettingsError(f"unknown way of choosing {unknown[0]!r}: {', '.join(ARMS)}")
        if min(self.seeds, self.rounds, self.steps) < 1 or not 0 < self.share < 1:
            raise SettingsError(
                "a simulation needs a share above 0 and below 1, and at least one seed, round and "
                "step"
            )
        if self.labels(self.rounds) >= len(self.pool):
            raise SettingsError(
                f"{self.rounds} rounds after {self.share:.0%} of {len(self.pool)} subjects would "
                "label them all: choose fewer rounds or a smaller share"
            )

    def labels(self, round_: int) -> int:
        """How many subjects are labelled after a round; 0 is the start."""
        return max(1, round(self.share * len(self.pool))) * (round_ + 1)

    def first(self, seed: int) -> list[str]:
        """Return the subjects labelled at first, the same for every arm."""
        return self._order(seed)[: self.labels(0)]

    def choose(self, arm: str, seed: int, round_: int, seen: Sequence[Seen]) -> list[str]:
        """Choose what an arm labels next.

        Parameters
        ----------
        arm : one of ``arms``
        seed, round_ : of this choice; rounds count from 1
        seen : every subject of the pool as the arm's model sees it, those labelled as "trained";
            ``random`` needs none

        Returns
        -------
        list of names
        """
        count = self.labels(round_) - self.labels(round_ - 1)
        if arm == RANDOM:
            return self._order(seed)[self.labels(round_ - 1) : self.labels(round_)]
        waiting = [place for place, one in enumerate(seen) if one.status == "open"]
        if arm == FOREGROUND_RANDOM:
            generator = np.random.default_rng([seed, round_])
            chosen = _aware(seen, waiting, count, generator)
        else:
            chosen = choose_next(seen, waiting, arm, count)  # type: ignore[arg-type]
        return [seen[place].subject.name for place in chosen]

    def as_table(self) -> dict[str, Any]:
        """Return what ``simulation.toml`` says."""
        return {
            "arms": list(self.arms),
            "seeds": self.seeds,
            "share": self.share,
            "rounds": self.rounds,
            "steps": self.steps,
            "pool": len(self.pool),
            "labels": [self.labels(round_) for round_ in range(self.rounds + 1)],
        }

    def _order(self, seed: int) -> list[str]:
        """Return the pool in the order in which chance labels it."""
        order = np.random.default_rng([seed, 0]).permutation(len(self.pool))
        return [self.pool[place] for place in order]


def _aware(
    seen: Sequence[Seen], waiting: Sequence[int], count: int, generator: np.random.Generator
) -> list[int]:
    """Draw most with chances in proportion to predicted foreground, and the rest evenly."""
    chances = np.array([np.nan_to_num(seen[place].foreground) for place in waiting])
    aware = min(round(_AWARE * count), int(np.count_nonzero(chances)))
    drawn: list[int] = []
    if aware:
        places = generator.choice(len(waiting), aware, replace=False, p=chances / chances.sum())
        drawn = [waiting[place] for place in places]
    left = [place for place in waiting if place not in set(drawn)]
    rest = generator.permutation(len(left))[: count - aware]
    return [*drawn, *(left[place] for place in rest)]
