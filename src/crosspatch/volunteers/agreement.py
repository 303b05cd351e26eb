"""How alike volunteers are: on a subject, and a volunteer over subjects.

Agreement is not truth: volunteers who make the same mistake agree. It orders subjects by difficulty
and makes visible who draws unlike everyone else; nobody is removed because of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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


_SUMS = 9
_SUBJECTS, _BLANKS, _COMPARED, _DICE, _RELATIVE, _RELATIVES, _AREA, _AREAS, _JUDGED = range(_SUMS)


class Ledger:
    """What every volunteer did, added up subject by subject.

    Memory follows the number of volunteers alone, 72 bytes and a name each: an export may hold
    hundreds of thousands of classifications.
    """

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._sums = np.zeros((16, _SUMS))
        self._outlier_on: dict[str, list[str]] = {}

    def __contains__(self, volunteer: str) -> bool:
        """Whether somebody's vote was added."""
        return volunteer in self._places

    def add(self, one: SubjectAgreement) -> None:
        """Add the volunteers of one more subject."""
        here = np.zeros((one.voters, _SUMS))
        here[:, _SUBJECTS] = 1
        here[:, _BLANKS] = one.areas == 0
        here[:, _JUDGED] = one.voters >= OUTLIER_VOTERS
        median = float(np.median(one.areas)) if one.voters else 0.0
        if median > 0:
            here[:, _AREA], here[:, _AREAS] = one.areas / median, 1
        if one.voters > 1:
            here[:, _DICE], here[:, _COMPARED] = one.with_others, 1
        here[:, _RELATIVE], here[:, _RELATIVES] = _relative(one)
        rows = self._rows_of(one.volunteers)  # may make room first
        np.add.at(self._sums, rows, here)
        for place in np.flatnonzero(one.outliers()):
            self._outlier_on.setdefault(one.volunteers[place], []).append(one.subject)

    def merge(self, other: "Ledger") -> None:
        """Add what was added up over other subjects."""
        rows = self._rows_of(tuple(other._places))
        self._sums[rows] += other._sums[: len(rows)]
        for name, subjects in other._outlier_on.items():
            self._outlier_on.setdefault(name, []).extend(subjects)

    def rows(self) -> Iterator[VolunteerAgreement]:
        """Yield what each volunteer did over all subjects, outliers first, then by name."""
        for name in sorted(self._places, key=self._order):
            yield self._row(name)

    def _order(self, name: str) -> tuple[bool, int, str]:
        on = len(self._outlier_on.get(name, ()))
        return not self._is_outlier(name), -on, name

    def _is_outlier(self, name: str) -> bool:
        judged = self._sums[self._places[name], _JUDGED]
        return bool(2 * len(self._outlier_on.get(name, ())) > judged)

    def weights(self, one: SubjectAgreement, *, usual: float = 1.0) -> Floats:
        """Weigh the volunteers of a subject that was added by what they did on all others, (V,).

        See :func:`weights_elsewhere`.
        """
        rows = self._rows_of(one.volunteers)
        sums = self._sums[rows]
        own, counted = _relative(one)
        elsewhere = np.maximum(sums[:, _RELATIVE] - own, 0)  # the difference may round below 0
        return np.asarray((usual + elsewhere) / (usual + sums[:, _RELATIVES] - counted))

    def _rows_of(self, volunteers: Sequence[str]) -> NDArray[np.intp]:
        """Return the volunteers' rows of the sums, with new ones for newcomers."""
        rows = [self._places.setdefault(name, len(self._places)) for name in volunteers]
        while len(self._places) > len(self._sums):
            self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
        return np.array(rows, np.intp)

    def _row(self, name: str) -> VolunteerAgreement:
        sums = self._sums[self._places[name]].tolist()
        return VolunteerAgreement(
            volunteer=name,
            subjects=round(sums[_SUBJECTS]),
            compared=round(sums[_COMPARED]),
            dice=_mean(sums[_DICE], sums[_COMPARED]),
            relative=_mean(sums[_RELATIVE], sums[_RELATIVES]),
            area=_mean(sums[_AREA], sums[_AREAS]),
            blanks=sums[_BLANKS] / sums[_SUBJECTS],
            outlier_on=tuple(self._outlier_on.get(name, ())),
            outlier=self._is_outlier(name),
        )


def _ledger(subjects: Sequence[SubjectAgreement]) -> Ledger:
    ledger = Ledger()
    for one in subjects:
        ledger.add(one)
    return ledger


def volunteer_table(subjects: Sequence[SubjectAgreement]) -> list[VolunteerAgreement]:
    """Gather what each volunteer did over all subjects, outliers first, then by name."""
    return list(_ledger(subjects).rows())


def _relative(one: SubjectAgreement) -> tuple[Floats, Floats]:
    """Return agreement as a share of the subject's mean, and 1 where there is one, (V,) each."""
    if one.voters < 2 or one.dice == 0:  # nobody overlaps with anybody
        return np.zeros(one.voters), np.zeros(one.voters)
    return one.with_others / one.dice, np.ones(one.voters)


def _mean(total: float, number: float) -> float:
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
