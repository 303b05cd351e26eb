"""STAPLE: the mask and the volunteers' reliability, each estimated from the other.

Warfield, Zou and Wells 2004, "Simultaneous truth and performance level estimation (STAPLE)", IEEE
Transactions on Medical Imaging 23(7), 903-921. Each volunteer j has a sensitivity p_j (share of the
true foreground that is marked) and a specificity q_j (share of the true background that is left
out). Three things differ from the textbook, each because volunteers are not radiologists:

- *Pooled.* A volunteer has one p_j and q_j over all subjects, not new ones for every picture; the
  share of foreground stays each subject's own.
- *Held in.* A volunteer seen on one small subject could reach p_j = 1 by luck and then veto all
  others. Each rate is drawn a little towards everyone's, in the spirit of the maximum a posteriori
  form (Commowick and Warfield 2010, MICCAI).
- *Region.* Unmarked pixels far away say nothing, and yet they drive every q_j to 1 and with it the
  mask. All unmarked pixels of a subject carry the same pattern, so *where* they are cannot matter,
  only how many count: as many as the union has pixels, a ring around the outlines. The picture's
  border does not enter, so a tenfold border of background changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crosspatch.errors import InputError
from crosspatch.volunteers.patterns import VotePatterns

MIN_VOTERS = 5
_LIMIT = 1e-6
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """What STAPLE found.

    Attributes
    ----------
    volunteers : names, in the order of the next two
    sensitivity, specificity : (J,) float64 in (0, 1)
        One for each volunteer, over all of their subjects.
    probabilities : subject -> (P,) float64 in [0, 1]
        P(foreground) of each vote pattern; ``probabilities[s][index]`` is the picture.
    steps : how many rounds it took; ``converged`` tells whether that was before the limit
    """

    volunteers: tuple[str, ...]
    sensitivity: Floats
    specificity: Floats
    probabilities: Mapping[str, Floats]
    steps: int
    converged: bool


@dataclass(frozen=True)
class _Subject:
    """One subject as the rounds need it."""

    marked: Floats  # (P, V)
    areas: Floats  # (P,) pixels, the unmarked ones of the region first
    people: NDArray[np.intp]  # (V,) columns of the volunteers in the pooled vectors
    share: float  # P(foreground) before any vote is weighed


def enough_voters(patterns: VotePatterns) -> bool:
    """Tell whether a subject has the 5 voters below which reliability cannot be told from luck."""
    return patterns.voters >= MIN_VOTERS


def staple(
    subjects: Mapping[str, tuple[VotePatterns, Sequence[str]]],
    *,
    background: Mapping[str, int] | None = None,
    pull: float = 0.02,
    steps: int = 500,
    tolerance: float = 1e-7,
) -> Estimate:
    """Estimate masks and volunteers together, by expectation maximisation.

    Parameters
    ----------
    subjects : name -> (vote patterns, the volunteer of each column)
    background : unmarked pixels that count in each subject; the union's area where not given
    pull : each rate is (own + pull x everyone's) / (1 + pull); 0 is the textbook
    steps, tolerance : stop when no probability moves by more than ``tolerance``

    Raises
    ------
    InputError
        A subject has fewer than 5 voters (leave it out and list it as skipped), one volunteer
        twice, or names of another number than its patterns' columns.
    """
    names = sorted({name for _, people in subjects.values() for name in people})
    places = {name: place for place, name in enumerate(names)}
    prepared = {
        subject: _prepare(subject, patterns, people, places, (background or {}).get(subject))
        for subject, (patterns, people) in subjects.items()
    }
    sensitivity, specificity = np.full(len(names), 0.9), np.full(len(names), 0.9)
    before: dict[str, Floats] = {}
    for step in range(1, steps + 1):
        now = {s: _expect(one, sensitivity, specificity) for s, one in prepared.items()}
        moved = max(
            (float(np.abs(now[s] - before[s]).max()) if s in before else 1.0 for s in now),
            default=0.0,
        )
        if moved <= tolerance:
            return Estimate(tuple(names), sensitivity, specificity, now, step, True)
        sensitivity, specificity = _maximise(prepared, now, len(names), pull)
        before = now
    return Estimate(tuple(names), sensitivity, specificity, before, steps, False)


def _prepare(
    subject: str,
    patterns: VotePatterns,
    people: Sequence[str],
    places: Mapping[str, int],
    background: int | None,
) -> _Subject:
    if not enough_voters(patterns):
        raise InputError(
            f"subject {subject}: {patterns.voters} voters; STAPLE needs {MIN_VOTERS} or more to "
            "tell a reliable volunteer from a lucky one"
        )
    if len(people) != patterns.voters or len(set(people)) != len(people):
        raise InputError(f"subject {subject}: STAPLE needs one vote from each named volunteer")
    areas = patterns.areas.astype(np.float64)
    areas[0] = patterns.union_area if background is None else background
    marked = patterns.marked.astype(np.float64)
    total = float(areas.sum()) * patterns.voters
    share = float(areas @ marked.sum(axis=1)) / total if total else 0.0
    return _Subject(
        marked, areas, np.array([places[name] for name in people], np.intp),
        min(max(share, _LIMIT), 1 - _LIMIT),
    )  # fmt: skip


def _expect(one: _Subject, sensitivity: Floats, specificity: Floats) -> Floats:
    """Return P(foreground) of each pattern, (P,): Warfield et al. 2004, eq. 14, as log odds."""
    p, q = sensitivity[one.people], specificity[one.people]
    if_marked, if_not = np.log(p / (1 - q)), np.log((1 - p) / q)  # (V,)
    odds = np.log(one.share / (1 - one.share)) + if_not.sum() + one.marked @ (if_marked - if_not)
    # Beyond +-50 the probability is 0 or 1 in every digit, and exp() must not overflow.
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -50, 50))), np.float64)


def _maximise(
    subjects: Mapping[str, _Subject],
    probabilities: Mapping[str, Floats],
    people: int,
    pull: float,
) -> tuple[Floats, Floats]:
    """Return sensitivities and specificities, (J,) each: eq. 18 and 19, summed over subjects."""
    hit, true = np.zeros(people), np.zeros(people)
    spared, false = np.zeros(people), np.zeros(people)
    for name, one in subjects.items():
        inside = one.areas * probabilities[name]  # (P,) expected foreground pixels
        outside = one.areas - inside
        hit[one.people] += inside @ one.marked  # no volunteer stands twice in one.people
        true[one.people] += inside.sum()
        spared[one.people] += outside @ (1 - one.marked)
        false[one.people] += outside.sum()
    return _rate(hit, true, pull), _rate(spared, false, pull)


def _rate(good: Floats, all_: Floats, pull: float) -> Floats:
    """Return good / all for each volunteer, drawn ``pull`` of the way towards everyone's rate."""
    common = float(good.sum() / all_.sum()) if all_.sum() > 0 else 0.5
    own = np.divide(good, all_, out=np.full_like(good, common), where=all_ > 0)
    return np.clip((own + pull * common) / (1 + pull), _LIMIT, 1 - _LIMIT)
