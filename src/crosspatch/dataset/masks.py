"""What the numbers in a data set's masks mean, and turning them into ours: 0, 1, 255."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch.errors import InputError

BACKGROUND, FOREGROUND, IGNORED = 0, 1, 255
_LARGEST = 65_535


@dataclass(frozen=True)
class MaskValues:
    """Which stored values are background, foreground and ignored; any other value is an error."""

    background: frozenset[int] = frozenset({0})
    foreground: frozenset[int] = frozenset({1})
    ignored: frozenset[int] = frozenset({255})

    def translate(self, mask: NDArray[Any], said_of: str) -> NDArray[np.uint8]:
        """Turn stored values into 0 background, 1 foreground, 255 ignored.

        Parameters
        ----------
        mask : (H, W) integers, as stored
        said_of : the file that the mask came from, for the message

        Returns
        -------
        (H, W) uint8 in {0, 1, 255}

        Raises
        ------
        InputError
            The mask holds a value that is not declared.
        """
        strangers = self.unexpected(mask)
        if strangers:
            raise InputError(f"{said_of}: {self.complaint(strangers)}")
        if mask.dtype == np.uint8:
            return np.asarray(self._table()[mask], dtype=np.uint8)
        ours = np.full(mask.shape, BACKGROUND, dtype=np.uint8)
        ours[np.isin(mask, list(self.foreground))] = FOREGROUND
        ours[np.isin(mask, list(self.ignored))] = IGNORED
        return ours

    def unexpected(self, mask: NDArray[Any]) -> list[int]:
        """Return the values of ``mask``, (H, W) integers, that are not declared, in order."""
        return sorted(values_in(mask) - self.background - self.foreground - self.ignored)

    def complaint(self, strangers: list[int]) -> str:
        """Say which values were found, which are known, and what to do."""
        known = sorted(self.background | self.foreground | self.ignored)
        return (
            f"holds the mask value{'s' if len(strangers) > 1 else ''} {_listed(strangers)}, "
            f"but only {_listed(known)} are declared: name them under [classes] in dataset.toml "
            "(classes.NAME = VALUE), or correct the mask"
        )

    def as_table(self) -> dict[str, list[int]]:
        """Return ``mask_values`` as dataset.toml holds it."""
        return {
            "background": sorted(self.background),
            "foreground": sorted(self.foreground),
            "ignored": sorted(self.ignored),
        }

    def _table(self) -> NDArray[np.uint8]:
        table = np.full(256, BACKGROUND, dtype=np.uint8)
        table[[value for value in self.foreground if value < 256]] = FOREGROUND
        table[[value for value in self.ignored if value < 256]] = IGNORED
        return table


def values_in(mask: NDArray[Any]) -> set[int]:
    """Return the distinct values of an integer mask, (H, W)."""
    if mask.dtype == np.uint8:
        return set(np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist())
    return set(np.unique(mask).tolist())


def declared_values(table: Mapping[str, Any], said_of: str) -> MaskValues | None:
    """Read ``mask_values`` from a dataset.toml table; None when it has none.

    Raises
    ------
    InputError
        A key is unknown, a value is no integer in 0..65535, a value means two things, or no
        value is foreground.
    """
    declared = table.get("mask_values")
    if declared is None:
        return None
    if not isinstance(declared, dict):
        raise InputError(f"{said_of}: mask_values must be a table of lists of numbers")
    meanings = ("background", "foreground", "ignored")
    if unknown := sorted(set(declared) - set(meanings)):
        raise InputError(f"{said_of}: mask_values has the unknown key {unknown[0]!r}")
    lists = {
        key: _numbers(declared.get(key, []), f"{said_of}: mask_values.{key}") for key in meanings
    }
    if sum(map(len, lists.values())) > len(frozenset().union(*lists.values())):
        raise InputError(f"{said_of}: mask_values gives one value two meanings")
    if not lists["foreground"]:
        raise InputError(f"{said_of}: mask_values.foreground names no value")
    return MaskValues(**lists)


def declared_classes(table: Mapping[str, Any], said_of: str) -> dict[str, int]:
    """Read ``[classes]`` (name = value) from a dataset.toml table; empty when it has none."""
    declared = table.get("classes", {})
    if not isinstance(declared, dict):
        raise InputError(f"{said_of}: [classes] must hold NAME = VALUE lines")
    values = list(declared.values())
    _numbers(values, f"{said_of}: [classes]")
    if len(set(values)) < len(values):
        raise InputError(f"{said_of}: [classes] gives one value two names")
    return dict(declared)


def class_against_rest(
    classes: Mapping[str, int], name: str, declared: MaskValues | None, said_of: str
) -> MaskValues:
    """Make one class the foreground and all others background.

    Value 0 is background unless it is the class asked for. Ignored stay the values that
    ``mask_values`` declares so, else 255 (unless a class has that number).

    Raises
    ------
    InputError
        There is no such class; the message lists the classes.
    """
    if name not in classes:
        close = difflib.get_close_matches(name, classes, n=1)
        meant = f" (did you mean {close[0]!r}?)" if close else ""
        known = ", ".join(classes) if classes else "none: dataset.toml has no [classes]"
        raise InputError(f"{said_of}: has no class {name!r}{meant}; its classes: {known}")
    chosen = frozenset({classes[name]})
    if declared is not None:
        ignored = declared.ignored - chosen
    else:
        ignored = frozenset({IGNORED}) - frozenset(classes.values())
    others = frozenset(classes.values()) | {BACKGROUND}
    if declared is not None:
        others |= declared.background | declared.foreground
    return MaskValues(others - chosen - ignored, chosen, ignored)


def _numbers(values: object, said_of: str) -> frozenset[int]:
    if not isinstance(values, list):
        raise InputError(f"{said_of} must be a list of numbers")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
            raise InputError(
                f"{said_of} holds {value!r}: mask values are whole numbers, 0 to 65535"
            )
    return frozenset(values)


def _listed(values: Iterable[int]) -> str:
    values = list(values)
    shown = ", ".join(map(str, values[:8]))
    return f"{shown} and {len(values) - 8} more" if len(values) > 8 else shown
