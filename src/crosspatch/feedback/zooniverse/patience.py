"""How long a server is asked, and what became of a request that it did not fulfil."""

import random
from dataclasses import dataclass

from crosspatch.errors import CrosspatchError


class ZooniverseError(CrosspatchError):
    """Zooniverse refused something, or could not be reached."""


class NotAllowedError(ZooniverseError):
    """The account may not do this (401, 403)."""


class NotThereError(ZooniverseError):
    """There is no such thing, or the account may not see it (404, 410)."""


class ChangedError(ZooniverseError):
    """Somebody else has changed it in the meantime (409, 412)."""


class UnansweredError(ZooniverseError):
    """Whether it was done is not known: the answer was lost, or the server failed."""


@dataclass(frozen=True)
class Patience:
    """How long a stubborn server is asked.

    Attributes
    ----------
    tries : int
        Attempts at one request.
    first_wait, longest_wait : float
        Seconds between attempts: doubled each time, with some chance in it.
    timeout : float
        Seconds without a single byte after which a connection counts as dead.
    poll : float
        Seconds between two looks at an export that is being made.
    """

    tries: int = 8
    first_wait: float = 1.0
    longest_wait: float = 60.0
    timeout: float = 60.0
    poll: float = 10.0

    def wait(self, attempt: int) -> float:
        """Seconds to wait after an attempt, counted from 0."""
        wait: float = min(self.first_wait * 2.0**attempt, self.longest_wait)
        return wait * random.uniform(0.75, 1.25)
