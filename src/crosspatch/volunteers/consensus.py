"""From what each volunteer filled to one mask: counts, thresholds, shrinkage, weights.

Everything takes arrays. A volunteer who drew nothing is a voter for background like any other; a
volunteer who was never asked is no voter at all, so missing votes are never background.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from crosspatch.errors import InputError, SettingsError
from crosspatch.volunteers.patterns import VotePatterns

BACKGROUND, FOREGROUND, IGNORED = 0, 1, 255

Filled = NDArray[np.bool_]
Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class Votes:
    """How many of a subject's volunteers marked each pixel.

    Attributes
    ----------
    counts : (H, W) uint16
        Volunteers whose outlines hold the pixel's centre, 0 to ``voters``.
    voters : int
        Volunteers who were asked, those who drew nothing included.
    """

    counts: NDArray[np.uint16]
    voters: int

    def fractions(self) -> NDArray[np.float32]:
        """Return the share of the voters who marked each pixel, (H, W) in [0, 1].

        Raises
        ------
        InputError
            Nobody voted: there is no share of nobody.
        """
        if self.voters < 1:
            raise InputError("a subject without voters has no vote fractions")
        return (self.counts / np.float32(self.voters)).astype(np.float32)

    def histogram(self) -> NDArray[np.int64]:
        """Return how many pixels got 0, 1, ..., ``voters`` votes, (voters + 1,)."""
        return np.bincount(self.counts.ravel(), minlength=self.voters + 1).astype(np.int64)


def count_votes(filled: Filled | Iterable[Filled], shape: tuple[int, int] | None = None) -> Votes:
    """Count the votes for each pixel.

    Parameters
    ----------
    filled : (V, H, W) bool, or V times (H, W) bool
        What each volunteer marked. An iterable is consumed one mask at a time, so that a subject
        with many voters need not lie in memory whole.
    shape : (H, W); needed only where there may be no volunteer at all

    Raises
    ------
    InputError
        The masks differ in size, or there is none and no ``shape``.
    """
    counts = None if shape is None else np.zeros(shape, np.uint16)
    voters = 0
    for one in filled:
        if counts is None:
            counts = np.zeros(one.shape, np.uint16)
        if one.shape != counts.shape:
            raise InputError(f"a filled mask is {one.shape}, the others {counts.shape}")
        counts += one
        voters += 1
    if counts is None:
        raise InputError("no volunteer and no size: votes cannot be counted")
    return Votes(counts, voters)


def at_least(votes: Votes, k: int) -> Mask | None:
    """Mark what at least ``k`` volunteers marked.

    Returns
    -------
    (H, W) uint8 of 0 and 1, or None where the subject has fewer than ``k`` voters: it could not
    have reached ``k``, and an empty mask would say "nothing here". The caller lists it as skipped.
    """
    if k < 1:
        raise SettingsError(f"at least {k} votes would mark everything; give 1 or more")
    if votes.voters < k:
        return None
    return (votes.counts >= k).astype(np.uint8)


def votes_needed(voters: int, threshold: float) -> int:
    """Return the smallest count whose share of ``voters`` is at least ``threshold``.

    Half a billionth of a vote is forgiven, since 0.07 x 100 is a little over 7 in binary.
    """
    if not 0 < threshold <= 1:
        raise SettingsError(f"the threshold is a share above 0 and up to 1, not {threshold}")
    return max(1, math.ceil(voters * threshold - 5e-10))


def at_threshold(votes: Votes, threshold: float = 0.5) -> Mask | None:
    """Mark what at least a share of the volunteers marked; None where nobody voted.

    Parameters
    ----------
    threshold : share in (0, 1]; a fraction equal to it is foreground
    """
    needed = votes_needed(votes.voters, threshold)
    return at_least(votes, needed) if votes.voters else None


@dataclass(frozen=True)
class FractionPrior:
    """What the vote fraction of a pixel is like before its own votes are seen: Beta(a, b).

    With ``c`` of ``n`` votes the fraction that infinitely many volunteers would give has the
    posterior Beta(a + c, b + n - c) (the beta-binomial model: Gelman et al., Bayesian Data
    Analysis, 3rd edition, section 2.4). So ``a + b`` counts as that many earlier volunteers.
    """

    a: float
    b: float

    def shrunken(self, voters: int) -> NDArray[np.float64]:
        """Return the posterior mean (c + a) / (n + a + b) for c = 0 ... n votes, (n + 1,)."""
        count = np.arange(voters + 1)
        return np.asarray((count + self.a) / (voters + self.a + self.b), np.float64)

    def certainty(self, voters: int, threshold: float) -> NDArray[np.float64]:
        """Return P(fraction >= threshold | c of n votes) for c = 0 ... n, (n + 1,)."""
        count = np.arange(voters + 1)
        return np.asarray(
            1 - betainc(self.a + count, self.b + voters - count, threshold), np.float64
        )


def fit_prior(histograms: Sequence[NDArray[np.int64]]) -> FractionPrior:
    """Fit the prior to other subjects, by the method of moments.

    Parameters
    ----------
    histograms : one ``Votes.histogram()`` a subject, (n + 1,), n may differ
        Subjects with fewer than 2 voters say nothing about agreement and are passed over. Every
        subject weighs the same, however many pixels it has.

    Notes
    -----
    m1 = mean of c / n and m2 = mean of c (c - 1) / (n (n - 1)) do not depend on n; for Beta(a, b)
    they are a / s and a (a + 1) / (s (s + 1)) with s = a + b. So with q = m2 / m1:
    s = (1 - q) / (q - m1), a = m1 s. Votes that agree more than a beta-binomial can (q = 1) or
    no more than chance (q <= m1) are held at s = 0.01 and s = 1000.

    Raises
    ------
    InputError
        No subject has 2 voters and any foreground vote: nothing to learn from.
    """
    first, second = [], []
    for histogram in histograms:
        n, pixels = len(histogram) - 1, histogram.sum()
        if n < 2 or not pixels:
            continue
        count = np.arange(n + 1)
        first.append(float(histogram @ count) / (n * pixels))
        second.append(float(histogram @ (count * (count - 1))) / (n * (n - 1) * pixels))
    m1 = float(np.mean(first)) if first else 0.0
    if not 0 < m1 < 1:
        raise InputError(
            "no subject with two or more voters holds both marked and unmarked pixels: there is "
            "nothing to shrink towards; use a plain threshold"
        )
    q = float(np.mean(second)) / m1
    strength = (1 - q) / (q - m1) if q > m1 else math.inf
    strength = min(max(strength, 0.01), 1000.0)
    return FractionPrior(m1 * strength, (1 - m1) * strength)


def shrunken_mask(
    votes: Votes, prior: FractionPrior, threshold: float = 0.5, certainty: float = 0.8
) -> Mask | None:
    """Decide only the pixels that few voters suffice to decide; the others become 255.

    A pixel is foreground where P(fraction >= threshold) is at least ``certainty`` given its votes
    and the prior, background where it is at most 1 - ``certainty``, and ignored between. Under a
    weak prior and the defaults, three voters decide foreground together, two never do.

    Parameters
    ----------
    prior : fitted on *other* subjects (``fit_prior``)
    certainty : in [0.5, 1)

    Returns
    -------
    (H, W) uint8 of 0, 1 and 255; None where nobody voted
    """
    if not 0.5 <= certainty < 1:
        raise SettingsError(f"the certainty is in [0.5, 1), not {certainty}")
    votes_needed(votes.voters, threshold)  # refuses a threshold outside (0, 1]
    if not votes.voters:
        return None
    sure = prior.certainty(votes.voters, threshold)  # (n + 1,)
    verdict = np.full(votes.voters + 1, IGNORED, np.uint8)
    verdict[sure <= 1 - certainty] = BACKGROUND
    verdict[sure >= certainty] = FOREGROUND
    return verdict[votes.counts]


def weighted_fractions(patterns: VotePatterns, weights: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the weighted share of volunteers who gave each answer.

    Parameters
    ----------
    patterns : VotePatterns
        P different answers of V volunteers.
    weights : (V,) float, at least 0
        Learned on *other* subjects (``agreement.weights_elsewhere``); scaled to sum to 1. Weights
        that are all 0 count as equal.

    Returns
    -------
    (P,) float32 in [0, 1]; ``fractions[index]`` is the picture

    Raises
    ------
    InputError
        No volunteer, another number of weights, or a negative or unknown weight.
    """
    weights = np.asarray(weights, np.float64)
    if not patterns.voters or weights.shape != (patterns.voters,):
        raise InputError(f"{patterns.voters} volunteers and weights of shape {weights.shape}")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise InputError("a volunteer's weight is negative or not a number")
    if not weights.any():
        weights = np.ones_like(weights)
    share = patterns.marked @ (weights / weights.sum())  # (P,)
    return np.asarray(np.minimum(share, 1), np.float32)


def fraction_mask(fractions: NDArray[np.float32], threshold: float = 0.5) -> Mask:
    """Mark where weighted fractions or probabilities, of any shape, are at least ``threshold``.

    A millionth is forgiven, so that equal weights decide as plain votes do.
    """
    if not 0 < threshold <= 1:
        raise SettingsError(f"the threshold is a share above 0 and up to 1, not {threshold}")
    return (fractions >= threshold - 1e-6).astype(np.uint8)
