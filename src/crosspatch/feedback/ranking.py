"""From measures to a queue: who needs people, whom to label next, whom to retire, and why.

The places of subjects are compared, not their numbers: spreads and shares of patches have no common
unit. A subject's need is the mean of its places by each measure that is known of it.

The few to label next are chosen in two steps, as Yang et al. 2017, "Suggestive annotation"
(arXiv:1706.04737), do for biomedical images: first the needy ones, some for each that is wanted;
among those the ones that differ from what is labelled and from each other (see `coreset`).
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from crosspatch.errors import SettingsError
from crosspatch.feedback.coreset import distances_to, k_centre, standardised
from crosspatch.feedback.observe import Seen
from crosspatch.feedback.retirement import GOOD_IOU, Retirement
from crosspatch.feedback.table import Decision, QueueRow

By = Literal["need", "uncertainty", "verdict", "disagreement", "foreground", "diversity"]
MEASURES: tuple[By, ...] = get_args(By)
CANDIDATES = 4
"""Needy subjects that are looked at for each that is chosen."""
_HIGH = 0.75  # a place from which a measure is worth a word

Values = NDArray[np.float64]


def urgency(seen: Sequence[Seen], by: By) -> Values:
    """Say how urgent each open subject is, (N,): higher is more; nan where it has no such measure.

    Raises
    ------
    SettingsError
        No subject has the measure; the message says what it needs.
    """
    if by == "need":
        return need(seen)
    values = np.array([_MEASURED[by](one) for one in seen], dtype=np.float64)
    if np.isnan(values).all() and by in _NEEDED:
        raise SettingsError(f"--by {by} {_NEEDED[by]}")
    return values


_MEASURED: dict[str, Callable[[Seen], float]] = {
    "uncertainty": lambda one: one.uncertainty,
    "verdict": lambda one: 1 - one.verdict,
    "disagreement": lambda one: one.disagreement,
    "foreground": lambda one: one.foreground,
}
_NEEDED = {
    "verdict": "needs images as large as the discriminator's patches",
    "disagreement": "needs votes or masks of the open subjects, and there are none",
}


def need(seen: Sequence[Seen]) -> Values:
    """Mean place of each subject among all by uncertainty, verdict and disagreement, (N,)."""
    columns = [
        places([_MEASURED[name](one) for one in seen])
        for name in ("uncertainty", "verdict", "disagreement")
    ]
    known = ~np.isnan(columns)
    counted = known.sum(axis=0)
    total = np.where(known, columns, 0).sum(axis=0)
    mean: Values = np.divide(total, counted, out=np.full(len(seen), np.nan), where=counted > 0)
    return mean


def places(values: Sequence[float]) -> Values:
    """Place of each value among all, (N,): 0 the lowest, 1 the highest; equals share one.

    nan has none; a single value stands in the middle.
    """
    given = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(given)
    ordered = np.sort(given[known])
    below = np.searchsorted(ordered, given, side="left")
    upto = np.searchsorted(ordered, given, side="right")
    middle = (below + upto - 1) / 2
    last = len(ordered) - 1
    return np.where(known, middle / last if last > 0 else 0.5, np.nan)


def novelty(seen: Sequence[Seen], wanted: Sequence[int]) -> Values:
    """Distance of each subject's features from the nearest labelled subject's, (N,).

    In units of the median over ``wanted`` (positions); nan where nothing is labelled.
    """
    if not seen:
        return np.empty(0)
    centres = _centres(seen)
    if not centres:
        return np.full(len(seen), np.nan)
    distances = distances_to(_features(seen), centres)
    usual = float(np.median(distances[list(wanted)])) if len(wanted) else 0.0
    return distances / usual if usual > 0 else distances


def choose_next(seen: Sequence[Seen], among: Sequence[int], by: By, count: int) -> list[int]:
    """Choose the few to label next.

    Parameters
    ----------
    seen : all subjects; those that are not open are what is labelled
    among : positions that may be chosen
    by : what to go by: need and diversity together, diversity alone, or one measure alone
    count : how many

    Returns
    -------
    list of positions, in the order of choice; fewer where there are not as many
    """
    if by == "diversity":
        return k_centre(_features(seen), _by_name(seen, among), count, _centres(seen))
    values = dict(zip(among, urgency([seen[place] for place in among], by), strict=True))
    order = sorted(among, key=lambda place: (-_or(values[place], -1), seen[place].subject.name))
    if by != "need":
        return order[:count]
    return k_centre(_features(seen), order[: CANDIDATES * count], count, _centres(seen))


def make_queue(
    seen: Sequence[Seen], retirement: Retirement, *, by: By = "need", count: int = 10
) -> list[QueueRow]:
    """Put subjects in the order in which people should see them.

    First the few to label next; then those that still need people, the most urgent first; then
    those to retire, the least sure first; then the labelled, those first that model and mask
    disagree on.

    Parameters
    ----------
    seen : every subject
    retirement : which open ones may be retired
    by : what to go by
    count : how many to label next
    """
    waiting = [place for place, one in enumerate(seen) if one.status == "open"]
    retired = [place for place in waiting if _may_go(seen[place], retirement)]
    asked = [place for place in waiting if place not in set(retired)]
    first = choose_next(seen, asked, by, count) if asked else []
    chosen = set(first)
    news = novelty(seen, waiting)
    if by == "diversity":
        urgent = {place: float(news[place]) for place in waiting}
    else:
        urgent = dict(zip(waiting, urgency([seen[p] for p in waiting], by), strict=True))
    sections: list[tuple[Decision, list[int]]] = [
        ("next", first),
        ("people", _sorted(seen, [p for p in asked if p not in chosen], urgent)),
        ("retire", _sorted(seen, retired, {p: -seen[p].confidence for p in retired})),
        ("labelled", _sorted(
            seen, [p for p, one in enumerate(seen) if one.status != "open"],
            {p: one.disagreement for p, one in enumerate(seen)},
        )),
    ]  # fmt: skip
    return _rows(seen, sections, waiting, news, retirement, diverse=by in ("need", "diversity"))


def _may_go(one: Seen, retirement: Retirement) -> bool:
    """Whoever the model is sure of may go, unless the people who saw it say otherwise.

    Nor on the word of a model that has learnt the answer: that it is sure of it says nothing.
    """
    contradicted = one.disagreement > 1 - GOOD_IOU
    return retirement.retires(one.confidence) and not contradicted and not one.trained


def _rows(
    seen: Sequence[Seen],
    sections: Sequence[tuple[Decision, list[int]]],
    waiting: Sequence[int],
    news: Values,
    retirement: Retirement,
    *,
    diverse: bool,
) -> list[QueueRow]:
    among = [seen[place] for place in waiting]
    needs = dict(zip(waiting, need(among), strict=True))
    unsure = dict(zip(waiting, places([one.uncertainty for one in among]), strict=True))
    doubted = dict(zip(waiting, places([1 - one.verdict for one in among]), strict=True))
    rows: list[QueueRow] = []
    for decision, section in sections:
        for place in section:
            one = seen[place]
            ranked = (unsure.get(place, math.nan), doubted.get(place, math.nan))
            reason = _reason(one, decision, ranked, retirement)
            if decision == "next" and diverse:
                new = "" if math.isnan(news[place]) else f" (novelty {news[place]:.2g})"
                reason += f"; unlike what is labelled or stands before it{new}"
            rows.append(
                QueueRow(
                    name=one.subject.name,
                    rank=len(rows) + 1,
                    priority=len(rows) + 1,
                    decision=decision,
                    reason=reason,
                    need=float(needs.get(place, math.nan)),
                    uncertainty=one.uncertainty,
                    confidence=one.confidence,
                    verdict=one.verdict,
                    disagreement=one.disagreement,
                    foreground=one.foreground,
                    novelty=float(news[place]),
                    group=one.subject.group,
                    status=one.status,
                    file=f"images/{one.subject.image.name}",
                )
            )
    return rows


def _reason(
    one: Seen,
    decision: Decision,
    ranked: tuple[float, float],
    retirement: Retirement,
) -> str:
    """Say in words why a subject stands where it stands."""
    if decision == "retire":
        return (
            f"confidence {one.confidence:.2f} (retired from {retirement.threshold:.2f} on): the "
            "model's mask will do" + ("; it finds nothing here" if one.foreground == 0 else "")
        )
    if decision == "labelled":
        said = "the model was trained on it" if one.status == "trained" else "has a mask"
        if math.isnan(one.disagreement):
            return said
        word = "differs much from" if one.disagreement > 0.5 else "is near"
        return f"{said}; the model {word} it (disagreement {one.disagreement:.2f})"
    return "; ".join(_why(one, ranked, retirement))


def _why(one: Seen, ranked: tuple[float, float], retirement: Retirement) -> list[str]:
    unsure, doubted = ranked
    said = []
    if math.isnan(one.confidence):
        return ["the image holds no data"]
    if one.disagreement > 1 - GOOD_IOU:
        said.append(f"people and model differ (disagreement {one.disagreement:.2f})")
    if unsure >= _HIGH:
        said.append(
            f"the model is unsure (uncertainty {one.uncertainty:.2g}, more than for {unsure:.0%} "
            "of the open subjects)"
        )
    if doubted >= _HIGH:
        said.append(
            f"its mask does not look like a person's (the discriminator believes "
            f"{one.verdict:.0%} of the patches)"
        )
    if one.trained:
        said.append("volunteers are not done, and the model was trained on what they had so far")
    if not said:
        found = "the model finds nothing here, and" if one.foreground == 0 else "the model"
        enough = "nothing can be retired" if retirement.threshold is None else "that is not enough"
        said.append(f"{found} promises a Dice of {one.confidence:.2f}, but {enough}")
    return said


def _sorted(seen: Sequence[Seen], which: Sequence[int], urgent: dict[int, float]) -> list[int]:
    """Most urgent first, unknown last, then by name."""
    return sorted(
        which, key=lambda place: (-_or(urgent[place], -math.inf), seen[place].subject.name)
    )


def _by_name(seen: Sequence[Seen], which: Sequence[int]) -> list[int]:
    return sorted(which, key=lambda place: seen[place].subject.name)


def _or(value: float, other: float) -> float:
    return other if math.isnan(value) else float(value)


def _centres(seen: Sequence[Seen]) -> list[int]:
    return [place for place, one in enumerate(seen) if one.status != "open" or one.trained]


def _features(seen: Sequence[Seen]) -> Values:
    return standardised(np.stack([one.features for one in seen]))
