"""The finished part of a map, kept on disk while an image is drawn, so that a stopped run goes on.

What lies here is what the outputs were handed, two bytes a pixel: after a stop the outputs, which
may have been cut off anywhere, are made anew from it, in a small part of the time that the network
took. Probabilities are rounded down to steps of 2^-15 first, in every run, so that a map does not
tell whether its run was stopped; a threshold of 0.5 is on a step, so masks do not change at all.
"""

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from crosspatch.errors import CrosspatchError
from crosspatch.prediction.windows import Map

STEPS = 2**15
_HOLE = 2**16 - 1


def pack(values: Map) -> NDArray[np.uint16]:
    """Round values in [0, 1] down to steps; nan has a number of its own."""
    holes = np.isnan(values)
    steps = np.floor(np.where(holes, np.float32(0.0), values) * np.float32(STEPS))
    packed: NDArray[np.uint16] = np.clip(steps, 0, STEPS).astype(np.uint16)
    packed[holes] = _HOLE
    return packed


def unpack(packed: NDArray[np.uint16]) -> Map:
    """Give back what `pack` was given, rounded down to steps."""
    values: Map = packed.astype(np.float32) / np.float32(STEPS)
    values[packed == _HOLE] = np.nan
    return values


class Spool:
    """A folder of finished units, a file each.

    Parameters
    ----------
    folder : Path
        Made when the first unit is finished.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: BinaryIO | None = None
        self._number = 0
        self._keeps = False

    def open(self, units: int) -> int:
        """Say how many of so many units are finished; they are to be replayed first.

        An image of one unit is not kept: there is nothing to go on with.
        """
        self._keeps = units > 1
        done = 0
        while self._keeps and done < units and self._path(done).exists():
            done += 1
        return done

    def keep(self, cell: Map) -> Map:
        """Write a finished cell (L, h, w); give it back as it will be read."""
        packed = pack(cell)
        if self._keeps:
            self._write(packed)
        return unpack(packed)

    def commit(self, below: Map | None) -> None:
        """Finish a unit; ``below`` is what the blender needs to go on."""
        if self._keeps:
            self._write(np.empty(0, np.float32) if below is None else below)
            assert self._file is not None
            self._file.flush()
            os.fsync(self._file.fileno())
            self.close()
            self._partial.replace(self._path(self._number))
        self._number += 1

    def replay(self) -> Map:
        """Read the next cell of a unit that was finished before."""
        if self._file is None:
            self._file = self._path(self._number).open("rb")
        return unpack(np.load(self._file, allow_pickle=False))

    def replay_below(self) -> Map | None:
        """Read what the blender needs after the unit; the next unit follows."""
        assert self._file is not None
        below: Map = np.load(self._file, allow_pickle=False)
        self.close()
        self._number += 1
        return below if below.size else None

    def close(self) -> None:
        """Let go of the open file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def _partial(self) -> Path:
        return self._folder / "unfinished"

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06}.npy"

    def _write(self, array: NDArray[np.uint16] | Map) -> None:
        try:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = self._partial.open("wb")
            np.save(self._file, array)
        except OSError as error:
            raise CrosspatchError(f"{self._folder}: cannot be written ({error})") from error
