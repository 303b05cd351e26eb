"""How long work still takes, judged by what was done since it began, however slow its steps are."""


class Pace:
    """How fast one stage of the work goes, from when it was first told of.

    What was finished by then is no part of it: a study that is gone on with would seem fast.

    Parameters
    ----------
    done, total : steps of the stage
    now : seconds on any clock, the same one throughout
    """

    def __init__(self, done: int, total: int, now: float) -> None:
        self.done, self.total = done, total
        self._before, self._begun = done, now
        self._last, self._ends = now, 0  # when a step ended, how often that was told

    def note(self, done: int, total: int, now: float) -> None:
        """Take in how far the stage is."""
        if done > self.done:
            self._last, self._ends = now, self._ends + 1
        self.done, self.total = done, total

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.done >= self.total

    @property
    def taken(self) -> float:
        """Seconds until the last step that ended."""
        return self._last - self._begun

    def left(self, now: float) -> float | None:
        """Seconds left; None before a step has ended.

        They fall while a step is under way, and hold still where it takes longer than others did.
        """
        if self.ended:
            return 0.0
        if not self._ends:
            return None
        waited = min(now - self._last, self.taken / self._ends)
        each = self.taken / (self.done - self._before)
        return max(0.0, each * (self.total - self.done) - waited)


def in_words(seconds: float) -> str:
    """Say a length of time as a person would: minutes, hours or days."""
    hours = seconds / 3600
    if hours > 72:
        return f"{hours / 24:,.0f} days"
    return f"{hours:.1f} hours" if hours > 1.5 else f"{hours * 60:.0f} minutes"
