"""Unique vote patterns: who marked a pixel together, and how many pixels share that answer.

A subject of 350 x 350 pixels and 15 volunteers has 122,500 pixels but a few hundred patterns, and
everything that compares volunteers (Dice, STAPLE) needs no more than the patterns and their areas.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crosspatch.errors import InputError

_WORD = 64


@dataclass(frozen=True)
class VotePatterns:
    """The different answers that pixels of one subject got.

    Attributes
    ----------
    marked : (P, V) bool
        Row p tells which of the V volunteers marked the pixels of pattern p. Row 0 is "nobody".
    areas : (P,) int64
        Pixels of each pattern; the first may be 0.
    """

    marked: NDArray[np.bool_]
    areas: NDArray[np.int64]

    @property
    def voters(self) -> int:
        """Number of volunteers, those who marked nothing included."""
        return int(self.marked.shape[1])

    @property
    def union_area(self) -> int:
        """Pixels that at least one volunteer marked."""
        return int(self.areas[1:].sum())

    def overlaps(self) -> NDArray[np.int64]:
        """Return the pixels that two volunteers both marked, (V, V); the diagonal is each one's."""
        marked = self.marked[1:].astype(np.float64)  # sums of pixels are exact in float64
        return np.rint(marked.T @ (marked * self.areas[1:, None])).astype(np.int64)


def vote_patterns(filled: NDArray[np.bool_]) -> tuple[VotePatterns, NDArray[np.int32]]:
    """Find the unique vote patterns of a subject.

    Parameters
    ----------
    filled : (V, H, W) bool

    Returns
    -------
    patterns : VotePatterns
    index : (H, W) int32
        Row of ``patterns`` that each pixel has, so that ``values[index]`` paints a value for each
        pattern as a picture. The order of patterns depends on ``filled`` alone.
    """
    if filled.ndim != 3 or not len(filled):
        raise InputError(f"vote patterns need (V, H, W) with V of 1 or more, not {filled.shape}")
    voters, height, width = filled.shape
    touched = np.flatnonzero(filled.any(axis=0))  # the pixels of the union
    answers = filled.reshape(voters, -1)[:, touched]  # (V, N)
    labels = _labels(answers)
    _, first, inverse, areas = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    index = np.zeros(height * width, np.int32)
    index[touched] = inverse + 1
    marked = np.vstack([np.zeros((1, voters), np.bool_), answers[:, first].T])
    nobody = height * width - len(touched)
    return (
        VotePatterns(marked, np.concatenate([[nobody], areas]).astype(np.int64)),
        index.reshape(height, width),
    )


def _labels(answers: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Give equal columns of (V, N) the same number, 64 volunteers at a time."""
    labels = np.zeros(answers.shape[1], np.int64)
    for start in range(0, len(answers), _WORD):
        bits = np.packbits(answers[start : start + _WORD], axis=0)  # (up to 8, N)
        word = np.zeros((answers.shape[1], _WORD // 8), np.uint8)
        word[:, : len(bits)] = bits.T
        values, inverse = np.unique(word.view(np.uint64).ravel(), return_inverse=True)
        # Renumbering after each word keeps labels below the number of pixels: no overflow.
        labels = np.unique(labels * len(values) + inverse, return_inverse=True)[1]
    return labels
