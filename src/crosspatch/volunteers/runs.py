"""A subject's votes as runs of pixels that the same volunteers marked, row after row.

Between two edges of anybody's outlines all pixels of a row have the same answer, so that a subject
of a million pixels and 15 volunteers is some ten thousand runs and a few hundred answers. Votes,
agreement and masks are worked out on the answers and painted once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch.volunteers.patterns import VotePatterns
from crosspatch.volunteers.rasterize import Outline, spans

_BITS = 62


@dataclass(frozen=True)
class VoteRuns:
    """The votes on every pixel of one subject.

    Attributes
    ----------
    patterns : VotePatterns
        The different answers; row 0 is "nobody".
    index : (R,) int64
        Which answer each run has. The runs follow each other in row-major order and cover the
        frame; one may go on into the next row.
    lengths : (R,) int64
        Pixels of each run.
    shape : (H, W)
    """

    patterns: VotePatterns
    index: NDArray[np.int64]
    lengths: NDArray[np.int64]
    shape: tuple[int, int]

    def paint(self, values: NDArray[Any]) -> NDArray[Any]:
        """Paint one value for each answer: (P,) of any dtype becomes (H, W) of it."""
        return np.repeat(values[self.index], self.lengths).reshape(self.shape)

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many volunteers each answer has, (P,)."""
        return np.asarray(self.patterns.marked.sum(axis=1), np.int64)

    def filled(self) -> NDArray[np.bool_]:
        """Paint what each volunteer marked, (V, H, W) bool."""
        painted = [self.paint(column) for column in self.patterns.marked.T]
        return np.stack(painted) if painted else np.zeros((0, *self.shape), np.bool_)


def vote_runs(volunteers: Sequence[Sequence[Outline]], shape: tuple[int, int]) -> VoteRuns:
    """Fill every volunteer's outlines and find the runs of equal answers.

    Parameters
    ----------
    volunteers : V sequences of (N, 2) float64, row and column in pixels
        One a volunteer; an empty one is a blank vote.
    shape : (H, W)
    """
    height, width = shape
    found = spans(volunteers, shape)
    place = found.row * width
    # Position in the flattened frame; a run that ends with its row ends where the next row begins.
    position = np.concatenate([place + found.start, place + found.stop])
    order = np.argsort(position)
    position = position[order]
    edges = np.flatnonzero(np.diff(position, prepend=-1))  # first event at each position
    begins = position[edges]
    words = _words(found.group, order, edges, len(volunteers))  # (runs, words)
    if not len(begins) or begins[0] > 0:
        begins = np.concatenate([[0], begins])
        words = np.concatenate([np.zeros((1, words.shape[1]), np.int64), words])
    inside = begins < height * width
    begins, words = begins[inside], words[inside]
    lengths = np.diff(begins, append=height * width)
    patterns, index = _patterns(words, lengths, len(volunteers))
    return VoteRuns(patterns, index, lengths, shape)


def _words(
    group: NDArray[np.int64], order: NDArray[np.int64], edges: NDArray[np.int64], voters: int
) -> NDArray[np.int64]:
    """Tell who marked the pixels after each position, as bits: (runs, words of 62 volunteers)."""
    words = np.zeros((len(edges), max(1, -(-voters // _BITS))), np.int64)
    for word in range(words.shape[1]):
        mine = (group // _BITS) == word
        bit = np.where(mine, np.int64(1) << (group % _BITS), 0)
        # A volunteer's runs never overlap, so adding and subtracting bits switches them on and off.
        state = np.cumsum(np.concatenate([bit, -bit])[order])
        if len(edges):
            words[:, word] = state[np.append(edges[1:], len(state)) - 1]
    return words


def _patterns(
    words: NDArray[np.int64], lengths: NDArray[np.int64], voters: int
) -> tuple[VotePatterns, NDArray[np.int64]]:
    """Give each different answer a number, "nobody" first, the others in the order of bits."""
    if words.shape[1] == 1:
        unique, index = np.unique(words[:, 0], return_inverse=True)
        unique = unique[:, None]
    else:
        unique, index = np.unique(words, axis=0, return_inverse=True)
        index = index.reshape(-1)
    if unique[0].any():  # every pixel was marked by somebody: "nobody" has area 0
        unique = np.concatenate([np.zeros((1, unique.shape[1]), np.int64), unique])
        index = index + 1
    which = np.arange(voters)
    marked = (unique[:, which // _BITS] >> (which % _BITS)) & 1
    areas = np.bincount(index, weights=lengths, minlength=len(unique)).astype(np.int64)
    return VotePatterns(marked.astype(np.bool_), areas), index
