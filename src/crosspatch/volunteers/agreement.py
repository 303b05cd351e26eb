"""How alike volunteers are: on a subject, and a volunteer over subjects.

Agreement is not truth: volunteers who make the same mistake agree. It orders subjects by difficulty
and makes visible who draws unlike everyone else; nobody is removed because of it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from crosspatch.errors import InputError
from crosspatch.volunteers.patterns import VotePatterns

OUTLIER_BELOW = 0.5
OUTLIER_VOTERS = 4
Floats = NDArray[np.float64]


def pairwise_dice(patterns: VotePatterns) -> Floats:
    """Return the Dice overlap of each two volunteers, (V, V) float64 in [0, 1].

    2 |A and B| / (|A| + |B|) in pixels. Two who both marked nothing agree: 1. The diagonal is 1.
    """
    both = patterns.overlaps().astype(np.float64)
    sums = np.add.outer(np.diag(both), np.diag(both))
    return np.divide(2 * both, sums, out=np.ones_like(both), where=sums > 0)


@dataclass(frozen=True)
class SubjectAgreement:
    """How alike one subject's volunteers are.

    Attributes
    ----------
    subject : its id
    volunteers : names, (V)
    areas : (V,) int64
        Pixels that each marked; 0 is a blank.
    with_others : (V,) float64 in [0, 1]
        Mean Dice of each with all others; nan where there is no other.
    anonymous : share of volunteers who were not logged in
    """

    subject: str
    volunteers: tuple[str, ...]
    areas: NDArray[np.int64]
    with_others: Floats
    anonymous: float

    @property
    def voters(self) -> int:
        """Number of volunteers."""
        return len(self.volunteers)

    @property
    def dice(self) -> float:
        """Mean Dice over all pairs, [0, 1]; nan under 2 voters."""
        return float(self.with_others.mean()) if self.voters else float("nan")

    @property
    def difficulty(self) -> float:
        """1 - ``dice``: 0 where all drew the same, 1 where no two overlap; nan under 2 voters."""
        return 1 - self.dice

    @property
    def blanks(self) -> float:
        """Share of volunteers who marked nothing; nan where nobody voted."""
        return float((self.areas == 0).mean()) if self.voters else float("nan")

    def outliers(self) -> NDArray[np.bool_]:
        """Tell who agrees with the others less than half as well as the median volunteer, (V,).

        Needs 4 voters: of two who differ nobody can say which is odd, and of three hardly.
        """
        if self.voters < OUTLIER_VOTERS:
            return np.zeros(self.voters, np.bool_)
        usual = float(np.median(self.with_others))
        return np.asarray(self.with_others < OUTLIER_BELOW * usual, np.bool_)


def subject_agreement(
    subject: str,
    patterns: VotePatterns,
    volunteers: Sequence[str],
    logged_in: Sequence[bool],
) -> SubjectAgreement:
    """Compare the volunteers of one subject.

    Parameters
    ----------
    patterns : VotePatterns
        Column v is what ``volunteers[v]`` marked.
    logged_in : one for each volunteer

    Raises
    ------
    InputError
        The numbers of names, log-ins and columns differ.
    """
    if not len(volunteers) == len(logged_in) == patterns.voters:
        raise InputError(
            f"subject {subject}: {len(volunteers)} volunteers, {len(logged_in)} log-ins, "
            f"{patterns.voters} votes"
        )
    dice = pairwise_dice(patterns)
    others = len(volunteers) - 1
    with_others = (dice.sum(axis=1) - 1) / others if others else np.full(1, np.nan)
    return SubjectAgreement(
        subject,
        tuple(volunteers),
        np.diag(patterns.overlaps()).copy(),
        with_others,
        1 - sum(logged_in) / len(logged_in),
    )


@dataclass(frozen=True, slots=True)
class VolunteerAgreement:
    """One volunteer over all subjects: a row of the table of volunteers.

    Attributes
    ----------
    volunteer : name
    subjects : how many they voted on
    compared : on how many of them there was somebody else to compare with
    dice : mean Dice with the others, [0, 1]; nan where never compared
    relative : mean of (their Dice with the others / the subject's mean), 1 is usual; nan likewise
    area : mean of (pixels they marked / the subject's median), 1 is usual; nan where no median
    blanks : share of their subjects on which they marked nothing
    outlier_on : subjects on which they are an outlier (``SubjectAgreement.outliers``)
    outlier : they are one on more than half of the subjects with enough voters to tell
    """

    volunteer: str
    subjects: int
    compared: int
    dice: float
    relative: float
    area: float
    blanks: float
    outlier_on: tuple[str, ...]
    outlier: bool


@dataclass(slots=True)
class _Sums:
    """What one volunteer's subjects add up to; the means are taken at the end."""

    subjects: int = 0
    blanks: int = 0
    compared: int = 0
    dice: float = 0.0
    relative: float = 0.0
    relatives: int = 0
    area: float = 0.0
    areas: int = 0
    judged: int = 0


class Ledger:
    """What every volunteer did, added up subject by subject: memory follows volunteers alone."""

    def __init__(self) -> None:
        self._sums: dict[str, _Sums] = defaultdict(_Sums)
        self._outlier_on: dict[str, list[str]] = {}

    def add(self, one: SubjectAgreement) -> None:
        """Add the volunteers of one more subject."""
        median = float(np.median(one.areas)) if one.voters else 0.0
        odd = one.outliers()
        for place, name in enumerate(one.volunteers):
            sums = self._sums[name]
            sums.subjects += 1
            sums.blanks += int(one.areas[place] == 0)
            if median > 0:
                sums.area += one.areas[place] / median
                sums.areas += 1
            if one.voters > 1:
                sums.dice += float(one.with_others[place])
                sums.compared += 1
            for relative in _relative(one, place):
                sums.relative += relative
                sums.relatives += 1
            sums.judged += one.voters >= OUTLIER_VOTERS
            if odd[place]:
                self._outlier_on.setdefault(name, []).append(one.subject)

    def __contains__(self, volunteer: str) -> bool:
        """Whether somebody's vote was added."""
        return volunteer in self._sums

    def merge(self, other: "Ledger") -> None:
        """Add what was added up over other subjects."""
        for name, theirs in other._sums.items():
            mine = self._sums[name]
            for each in fields(_Sums):
                setattr(mine, each.name, getattr(mine, each.name) + getattr(theirs, each.name))
        for name, subjects in other._outlier_on.items():
            self._outlier_on.setdefault(name, []).extend(subjects)

    def rows(self) -> Iterator[VolunteerAgreement]:
        """Yield what each volunteer did over all subjects, outliers first, then by name."""
        odd = [self._row(name) for name in self._outlier_on]
        odd.sort(key=lambda row: (not row.outlier, -len(row.outlier_on), row.volunteer))
        yield from odd
        for name in sorted(self._sums):
            if name not in self._outlier_on:
                yield self._row(name)

    def _row(self, name: str) -> VolunteerAgreement:
        sums, outlier_on = self._sums[name], tuple(self._outlier_on.get(name, ()))
        return VolunteerAgreement(
            volunteer=name,
            subjects=sums.subjects,
            compared=sums.compared,
            dice=_mean(sums.dice, sums.compared),
            relative=_mean(sums.relative, sums.relatives),
            area=_mean(sums.area, sums.areas),
            blanks=sums.blanks / sums.subjects,
            outlier_on=outlier_on,
            outlier=2 * len(outlier_on) > sums.judged,
        )

    def weights(self, one: SubjectAgreement, *, usual: float = 1.0) -> Floats:
        """Weigh the volunteers of a subject that was added by what they did on all others, (V,).

        See :func:`weights_elsewhere`.
        """
        here = np.empty(one.voters)
        for place, name in enumerate(one.volunteers):
            own, sums = _relative(one, place), self._sums[name]
            elsewhere = max(sums.relative - sum(own), 0.0)  # the difference may round below 0
            here[place] = (usual + elsewhere) / (usual + sums.relatives - len(own))
        return here


def _ledger(subjects: Sequence[SubjectAgreement]) -> Ledger:
    ledger = Ledger()
    for one in subjects:
        ledger.add(one)
    return ledger


def volunteer_table(subjects: Sequence[SubjectAgreement]) -> list[VolunteerAgreement]:
    """Gather what each volunteer did over all subjects, outliers first, then by name."""
    return list(_ledger(subjects).rows())


def _relative(one: SubjectAgreement, place: int) -> list[float]:
    """Agreement as a share of the subject's mean; nothing where nobody overlaps with anybody."""
    return [float(one.with_others[place]) / one.dice] if one.voters > 1 and one.dice > 0 else []


def _mean(total: float, number: int) -> float:
    return total / number if number else float("nan")


def weights_elsewhere(
    subjects: Sequence[SubjectAgreement], *, usual: float = 1.0
) -> Mapping[str, Floats]:
    """Weigh each subject's volunteers by how they agreed with others on *other* subjects.

    The weight of volunteer j on subject s is (usual + sum of r) / (usual + number of r), where the
    sum goes over j's other subjects and r is j's mean Dice with the others there, divided by that
    subject's mean (hard subjects are nobody's fault). So a newcomer weighs 1, and nobody gains on
    a subject by agreeing with its majority. It may be large only where j earned it elsewhere.

    Parameters
    ----------
    usual : how many subjects' worth of an average volunteer everyone starts with, above 0

    Returns
    -------
    subject -> (V,) float64, in the order of its volunteers
    """
    ledger = _ledger(subjects)
    return {one.subject: ledger.weights(one, usual=usual) for one in subjects}
