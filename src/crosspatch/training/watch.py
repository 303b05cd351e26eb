"""Noticing a run that has gone wrong while it still can be stopped.

Two things end adversarial training without an error: a number that is not finite, and a
discriminator that has nothing more to say, because it always wins or always answers the same.
"""

import math
from collections import deque
from collections.abc import Mapping
from statistics import fmean

from crosspatch.errors import CrosspatchError

WINDOW = 50
"""Steps, at most, that must agree before an alarm is raised; fewer where an epoch has fewer."""
_SHORTEST = 10
_WON = 0.02
"""Mean loss of a discriminator that is hardly ever in doubt: its verdict on the generator's masks
is then saturated, and so is what the generator can learn from it. Healthy runs here stay above 0.3.
"""
_CHANCE = math.log(2.0)
_STUCK = 1e-4


class NotFiniteError(CrosspatchError):
    """A loss became NaN or infinite: the weights are lost, the last checkpoint is not."""


class Watch:
    """Looks at the losses of each step and says, once a run, what is wrong."""

    def __init__(self, epoch_steps: int = WINDOW) -> None:
        window = max(_SHORTEST, min(WINDOW, epoch_steps))
        self._fake: deque[float] = deque(maxlen=window)
        self._real: deque[float] = deque(maxlen=window)
        self._said: set[str] = set()

    def look(self, step: int, losses: Mapping[str, float]) -> list[str]:
        """Return new alarms of this step.

        Parameters
        ----------
        step : int
        losses : mapping
            ``tversky`` and, with a discriminator, ``adversarial``, ``fake``, ``real``.

        Raises
        ------
        NotFiniteError
            A loss is NaN or infinite.
        """
        for name, value in losses.items():
            if not math.isfinite(value):
                raise NotFiniteError(
                    f"step {step}: the {name} loss is {value}. Training cannot go on from here, "
                    "and a resumed run keeps its settings: start again with --precision fp32 or "
                    "a lower training.generator_rate"
                )
        if "fake" not in losses:
            return []
        self._fake.append(losses["fake"])
        self._real.append(losses["real"])
        if len(self._fake) < (self._fake.maxlen or 0):
            return []
        return [alarm for alarm in self._alarms() if self._is_new(alarm)]

    def facts(self) -> dict[str, list[float] | list[str]]:
        """Return what a checkpoint must hold for the same alarms to come after it."""
        return {"fake": [*self._fake], "real": [*self._real], "said": sorted(self._said)}

    def restore(self, facts: Mapping[str, list[float] | list[str]]) -> None:
        """Put back what `facts` returned."""
        self._fake.extend(float(value) for value in facts["fake"])
        self._real.extend(float(value) for value in facts["real"])
        self._said.update(str(value) for value in facts["said"])

    def _alarms(self) -> list[str]:
        alarms = []
        if fmean([*self._fake, *self._real]) < _WON:
            alarms.append(
                "the discriminator has won: it is never in doubt, so it no longer teaches the "
                "generator; lower training.discriminator_rate or train with "
                "loss.adversarial_weight = 0"
            )
        if all(abs(loss - _CHANCE) < _STUCK for loss in (*self._fake, *self._real)):
            alarms.append(
                "the discriminator is dead: it gives every patch the same answer; start again "
                "with another training.seed or a lower training.discriminator_rate"
            )
        return alarms

    def _is_new(self, alarm: str) -> bool:
        new = alarm not in self._said
        self._said.add(alarm)
        return new
