"""One family of errors, written for people: what is wrong, where, and what to do."""


class CrosspatchError(Exception):
    """Anything that stops a command; the command line prints its message and ends with code 1."""


class HeldError(CrosspatchError):
    """Another process works in the folder."""


class InputError(CrosspatchError):
    """A file or folder that was given is not what it should be."""


class LeakError(InputError):
    """A test subject shares its group or its content with training."""


class SettingsError(CrosspatchError):
    """A setting is unknown, out of range, or contradicts another."""


class MissingExtraError(CrosspatchError):
    """An optional library is needed and not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an extra: pip install 'crosspatch[{extra}]'")
        self.what, self.extra = what, extra

    def __reduce__(self) -> tuple[type[CrosspatchError], tuple[str, str]]:
        """Let it travel from a worker process to the one that waits for it."""
        return type(self), (self.what, self.extra)
