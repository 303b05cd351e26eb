"""The changed blocks of a mask, as the page sends them: only what changed crosses the wire.

A mask is divided into blocks of ``SIDE`` x ``SIDE`` pixels, row by row; those at the right and
lower edge may be smaller. A message is a sequence of blocks, all numbers little-endian::

    uint32 number of the block, uint32 number of runs, then each run:
    uint16 pixels - 1, uint8 value (0, 1 or 255), uint8 0

Runs go through the block row by row and fill it exactly.
"""

import struct

import numpy as np
from numpy.typing import NDArray

from crosspatch.dataset import BACKGROUND, FOREGROUND, IGNORED
from crosspatch.errors import InputError

SIDE = 256
_HEAD = struct.Struct("<II")
_RUN = np.dtype([("less_one", "<u2"), ("value", "u1"), ("zero", "u1")])


def paste(mask: NDArray[np.uint8], changes: bytes) -> NDArray[np.uint8]:
    """Return a copy of a mask, (H, W) uint8, with the blocks of a message in it.

    Raises
    ------
    InputError
        The message is cut off, names a block that is not there, or does not fill one exactly.
    """
    pasted = mask.copy()
    across = -(-mask.shape[1] // SIDE)
    down = -(-mask.shape[0] // SIDE)
    start = 0
    while start < len(changes):
        if start + _HEAD.size > len(changes):
            raise InputError("a block of the mask is cut off")
        number, runs = _HEAD.unpack_from(changes, start)
        start += _HEAD.size
        if number >= across * down or start + runs * _RUN.itemsize > len(changes):
            raise InputError(f"block {number} of the mask does not exist, or is cut off")
        table = np.frombuffer(changes, _RUN, runs, start)
        start += runs * _RUN.itemsize
        top, left = number // across * SIDE, number % across * SIDE
        region = pasted[top : top + SIDE, left : left + SIDE]
        lengths = table["less_one"].astype(np.int64) + 1
        if not np.isin(table["value"], (BACKGROUND, FOREGROUND, IGNORED)).all():
            raise InputError("a mask holds 0, 1 and 255 only")
        if lengths.sum() != region.size:
            raise InputError(f"block {number} of the mask holds {lengths.sum()} pixels")
        region[...] = np.repeat(table["value"], lengths).reshape(region.shape)
    return pasted
