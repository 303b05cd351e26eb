"""The ways from votes to a mask, chosen by name, each deciding the answers of a subject at once.

A plain vote looks at one subject. The others learn from all subjects first: what volunteers are
like (``weighted``, ``staple``), or what vote fractions are like (``shrunken``).
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from crosspatch.errors import InputError, SettingsError
from crosspatch.volunteers.agreement import Ledger, SubjectAgreement
from crosspatch.volunteers.consensus import (
    FractionPrior,
    Votes,
    at_least,
    at_threshold,
    fit_prior,
    fraction_mask,
    shrunken_mask,
    votes_needed,
    weighted_fractions,
)
from crosspatch.volunteers.patterns import VotePatterns
from crosspatch.volunteers.staple import MIN_VOTERS, Estimate, enough_voters, staple

Method = Literal["vote", "weighted", "staple", "shrunken"]
METHODS: tuple[Method, ...] = ("vote", "weighted", "staple", "shrunken")

_FOLDS = 20


@dataclass(frozen=True)
class Rule:
    """How votes become a mask.

    Attributes
    ----------
    method : "vote", "weighted", "staple" or "shrunken"
    threshold : share of the votes, or probability, in (0, 1]
    at_least : votes instead of a share, for "vote" alone
    """

    method: Method = "vote"
    threshold: float = 0.5
    at_least: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be decided by.

        Raises
        ------
        SettingsError
            An unknown method, a threshold outside (0, 1], or a count of votes that does not fit.
        """
        if self.method not in METHODS:
            raise SettingsError(f"unknown method {self.method!r}; choose {', '.join(METHODS)}")
        votes_needed(1, self.threshold)
        if self.at_least is not None and self.at_least < 1:
            raise SettingsError(f"at least {self.at_least} votes would mark everything; give 1 up")
        if self.at_least is not None and self.method != "vote":
            raise SettingsError(
                f"the method {self.method!r} has no count of votes: give a threshold instead of "
                "'at least', or take the method 'vote'"
            )

    def __str__(self) -> str:
        if self.at_least is not None:
            return f"at least {self.at_least} votes"
        return f"{self.method}, threshold {self.threshold:g}"


@dataclass
class Learned:
    """What all subjects together say; a plain vote needs none of it.

    Attributes
    ----------
    ledger : Ledger
        What each volunteer did over all subjects.
    histograms : dict of str to (V + 1,) int64
        Subject -> pixels by number of votes.
    voted : dict of str to (VotePatterns, names)
        Subject -> its answers and the volunteer of each column.
    """

    ledger: Ledger = field(default_factory=Ledger)
    histograms: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    voted: dict[str, tuple[VotePatterns, tuple[str, ...]]] = field(default_factory=dict)

    def learn(self, rule: Rule, one: SubjectAgreement, patterns: VotePatterns) -> None:
        """Add a subject, keeping no more than the method needs."""
        self.ledger.add(one)
        if rule.method == "shrunken":
            counts = patterns.marked.sum(axis=1)
            pixels = np.bincount(counts, weights=patterns.areas, minlength=patterns.voters + 1)
            self.histograms[one.subject] = pixels.astype(np.int64)
        if rule.method == "staple" and enough_voters(patterns):
            self.voted[one.subject] = patterns, one.volunteers

    def merge(self, other: "Learned") -> None:
        """Add what was learned from other subjects."""
        self.ledger.merge(other.ledger)
        self.histograms |= other.histograms
        self.voted |= other.voted


@dataclass(frozen=True)
class Judge:
    """A rule with what it learned, ready to decide subjects.

    Attributes
    ----------
    rule : Rule
    ledger : for "weighted"
    priors : for "shrunken", one for each fold of subjects, fitted on all the other folds
    estimate : for "staple"
    """

    rule: Rule
    ledger: Ledger | None = None
    priors: tuple[FractionPrior, ...] = ()
    estimate: Estimate | None = None

    def decide(self, patterns: VotePatterns, one: SubjectAgreement) -> NDArray[np.uint8] | str:
        """Decide every answer of a subject.

        Returns
        -------
        (P,) uint8 of 0, 1 and 255, or in words why the subject gets no mask
        """
        rule = self.rule
        if not patterns.voters:
            return "nobody voted"
        counts = patterns.marked.sum(axis=1).astype(np.uint16)
        votes = Votes(counts[None], patterns.voters)  # the answers as a picture of one row
        if rule.method == "weighted" and self.ledger is not None:
            fractions = weighted_fractions(patterns, self.ledger.weights(one))
            return fraction_mask(fractions, rule.threshold)
        if rule.method == "staple" and self.estimate is not None:
            if one.subject not in self.estimate.probabilities:
                return f"fewer than {MIN_VOTERS} voters, too few for STAPLE"
            probability = self.estimate.probabilities[one.subject].astype(np.float32)
            return fraction_mask(probability, rule.threshold)
        if rule.method == "shrunken":
            mask = shrunken_mask(votes, self.priors[_fold(one.subject)], rule.threshold)
        elif rule.at_least is not None:
            mask = at_least(votes, rule.at_least)
        else:
            mask = at_threshold(votes, rule.threshold)
        return f"fewer than {rule.at_least} voters" if mask is None else np.asarray(mask[0])


def judge(rule: Rule, learned: Learned) -> Judge:
    """Turn what was learned from all subjects into what decides each.

    Raises
    ------
    InputError
        There is nothing to learn from.
    """
    if rule.method == "weighted":
        return Judge(rule, ledger=learned.ledger)
    if rule.method == "shrunken":
        return Judge(rule, priors=_priors(learned.histograms))
    if rule.method == "staple":
        if not learned.voted:
            raise InputError(f"no subject has {MIN_VOTERS} voters or more: STAPLE needs them")
        return Judge(rule, estimate=staple(learned.voted))
    return Judge(rule)


def _fold(subject: str) -> int:
    return zlib.crc32(subject.encode()) % _FOLDS


def _priors(histograms: Mapping[str, NDArray[np.int64]]) -> tuple[FractionPrior, ...]:
    """Fit a prior for each fold on the subjects of all other folds; alone, a fold uses itself."""

    def others(fold: int) -> Sequence[NDArray[np.int64]]:
        elsewhere = [one for subject, one in histograms.items() if _fold(subject) != fold]
        return elsewhere or list(histograms.values())

    return tuple(fit_prior(others(fold)) for fold in range(_FOLDS))
