"""How long work tells its caller how far it is: commands draw it, libraries say nothing."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""``progress(what, done, total)``: called with done from 0 to total, from the caller's thread."""


def silent(what: str, done: int, total: int) -> None:
    """Say nothing."""
