import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosspatch.errors import InputError
from crosspatch.reviewing.blocks import SIDE, paste


def message(number, *runs):
    """A block by hand: its number, how many runs, then length - 1 and value of each."""
    head = struct.pack("<II", number, len(runs))
    return head + b"".join(struct.pack("<HBB", length - 1, value, 0) for length, value in runs)


def test_a_block_replaces_its_pixels_and_no_others():
    mask = np.zeros((3, SIDE + 2), np.uint8)
    pasted = paste(mask, message(1, (3, 1), (2, 255), (1, 0)))
    assert pasted[:, SIDE:].tolist() == [[1, 1], [1, 255], [255, 0]]
    assert not pasted[:, :SIDE].any()
    assert not mask.any(), "the mask that was given is not written to"


def test_blocks_are_numbered_row_by_row():
    mask = np.zeros((SIDE + 1, SIDE + 2), np.uint8)
    pasted = paste(mask, message(2, (SIDE, 1)) + message(3, (2, 255)))
    assert (pasted[SIDE, :SIDE] == 1).all()
    assert (pasted[SIDE, SIDE:] == 255).all()
    assert not pasted[:SIDE].any()


def test_a_whole_block_is_one_run():
    assert paste(np.zeros((SIDE, SIDE), np.uint8), message(0, (SIDE * SIDE, 1))).all()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (message(0, (12, 1))[:-1], "cut off"),
        (message(0, (12, 1))[:5], "cut off"),
        (message(1, (12, 1)), "does not exist"),
        (message(0, (11, 1)), "holds 11 pixels"),
        (message(0, (13, 1)), "holds 13 pixels"),
        (message(0), "holds 0 pixels"),
        (message(0, (12, 2)), "0, 1 and 255 only"),
        (struct.pack("<II", 0, 2**32 - 1), "cut off"),
    ],
)
def test_a_message_that_does_not_fit_is_refused(changes, why):
    with pytest.raises(InputError, match=why):
        paste(np.zeros((3, 4), np.uint8), changes)


@given(st.binary(max_size=60))
def test_no_message_does_anything_but_paste_or_be_refused(changes):
    mask = np.zeros((2, 3), np.uint8)
    try:
        pasted = paste(mask, changes)
    except InputError:
        return
    assert pasted.shape == mask.shape
    assert np.isin(pasted, (0, 1, 255)).all()
