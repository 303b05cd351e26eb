"""A batch that teaches much: subjects unlike those that are labelled, and unlike each other.

Greedy k-centre on features of the generator's bottleneck: Sener and Savarese 2018, "Active learning
for convolutional neural networks: a core-set approach" (arXiv:1708.00489), algorithm 1. Each step
takes the subject that lies farthest from all that are labelled or taken.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]
Distances = NDArray[np.float64]


def standardised(features: NDArray[np.float32]) -> Features:
    """Give each feature, (N, F), mean 0 and spread 1 over the subjects, so that none outweighs.

    A feature that never varies becomes 0.
    """
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    spread = centred.std(axis=0)
    level: Features = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-12)
    return level


def distances_to(features: Features, centres: Sequence[int]) -> Distances:
    """Distance of each subject from its nearest centre, (N,); infinite where there is none.

    Parameters
    ----------
    features : (N, F)
    centres : positions in ``features``
    """
    nearest = np.full(len(features), np.inf)
    for centre in centres:
        np.minimum(nearest, _distances(features, centre), out=nearest)
    return nearest


def k_centre(
    features: Features, candidates: Sequence[int], count: int, centres: Sequence[int] = ()
) -> list[int]:
    """Choose ``count`` of the candidates, one after the other, each the farthest from all before.

    Parameters
    ----------
    features : (N, F)
    candidates : positions that may be chosen; the earlier wins a tie, and is first where there is
        no centre to be far from
    count : how many
    centres : positions that are labelled already

    Returns
    -------
    list of positions, in the order of choice; all candidates where there are no more
    """
    left = list(candidates)
    nearest = distances_to(features, centres)
    chosen: list[int] = []
    while left and len(chosen) < count:
        farthest = left.pop(int(np.argmax(nearest[left])))
        chosen.append(farthest)
        np.minimum(nearest, _distances(features, farthest), out=nearest)
    return chosen


def _distances(features: Features, centre: int) -> Distances:
    # One centre at a time: all pairs of a hundred thousand subjects would fill the memory.
    distances: Distances = np.sqrt(((features - features[centre]) ** 2).sum(axis=1))
    return distances
