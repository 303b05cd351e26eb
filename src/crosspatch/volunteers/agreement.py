"""How alike volunteers are: on a subject, and a volunteer over subjects.

Agreement is not truth: volunteers who make the same mistake agree. It orders subjects by difficulty
and makes visible who draws unlike everyone else; nobody is removed because of it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True)
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
    outlier : they are one on at least half of the subjects with enough voters to tell
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


@dataclass
class _Tally:
    """What one volunteer's subjects add up to."""

    areas: list[int]
    dice: list[float]
    relative: list[float]
    area: list[float]
    outlier_on: list[str]
    judged: int = 0


def volunteer_table(subjects: Sequence[SubjectAgreement]) -> list[VolunteerAgreement]:
    """Gather what each volunteer did over all subjects, outliers first, then by name."""
    tallies: dict[str, _Tally] = defaultdict(lambda: _Tally([], [], [], [], []))
    for one in subjects:
        median = float(np.median(one.areas)) if one.voters else 0.0
        odd = one.outliers()
        for place, name in enumerate(one.volunteers):
            tally = tallies[name]
            tally.areas.append(int(one.areas[place]))
            if median > 0:
                tally.area.append(one.areas[place] / median)
            if one.voters > 1:
                tally.dice.append(float(one.with_others[place]))
                tally.relative.extend(_relative(one, place))
            tally.judged += one.voters >= OUTLIER_VOTERS
            if odd[place]:
                tally.outlier_on.append(one.subject)
    rows = [_row(name, tally) for name, tally in tallies.items()]
    return sorted(rows, key=lambda row: (not row.outlier, -len(row.outlier_on), row.volunteer))


def _relative(one: SubjectAgreement, place: int) -> list[float]:
    """Agreement as a share of the subject's mean; nothing where nobody overlaps with anybody."""
    return [float(one.with_others[place]) / one.dice] if one.voters > 1 and one.dice > 0 else []


def _row(name: str, tally: _Tally) -> VolunteerAgreement:
    return VolunteerAgreement(
        volunteer=name,
        subjects=len(tally.areas),
        compared=len(tally.dice),
        dice=_mean(tally.dice),
        relative=_mean(tally.relative),
        area=_mean(tally.area),
        blanks=sum(area == 0 for area in tally.areas) / len(tally.areas),
        outlier_on=tuple(tally.outlier_on),
        outlier=len(tally.outlier_on) > 0 and 2 * len(tally.outlier_on) >= tally.judged,
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


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
    sums: dict[str, float] = defaultdict(float)
    numbers: dict[str, int] = defaultdict(int)
    for one in subjects:
        for place, name in enumerate(one.volunteers):
            for r in _relative(one, place):
                sums[name] += r
                numbers[name] += 1
    weights = {}
    for one in subjects:
        here = np.empty(one.voters)
        for place, name in enumerate(one.volunteers):
            own = _relative(one, place)
            elsewhere = max(sums[name] - sum(own), 0.0)  # the difference may round below 0
            here[place] = (usual + elsewhere) / (usual + numbers[name] - len(own))
        weights[one.subject] = here
    return weights
