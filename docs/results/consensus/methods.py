"""Every way from votes to a mask, each learning from the other subjects only."""

from collections.abc import Mapping, Sequence

import legacy
import numpy as np
from numpy.typing import NDArray

from crosspatch.metrics import confusion
from crosspatch.volunteers import consensus
from crosspatch.volunteers.agreement import subject_agreement, weights_elsewhere
from crosspatch.volunteers.consensus import Votes, count_votes
from crosspatch.volunteers.expert import choose
from crosspatch.volunteers.patterns import vote_patterns
from crosspatch.volunteers.staple import staple

Masks = dict[str, NDArray[np.uint8]]
SHRUNKEN = "shrunken, half, prior from the others"
FRACTIONS = tuple(np.arange(1, 20) / 20)


def all_methods(subjects: Sequence[legacy.Subject]) -> dict[str, Masks]:
    """Return method -> subject -> mask."""
    votes = {one.name: count_votes(one.filled) for one in subjects}
    found = {
        "half of the votes": _each(votes, lambda v: consensus.at_threshold(v, 0.5)),
        "4 of 15": _each(votes, lambda v: consensus.at_threshold(v, 4 / 15)),
        "at least k, k from the others": _held_out(
            subjects,
            {n: [_or_empty(consensus.at_least(v, k), v) for k in range(1, 15)]
             for n, v in votes.items()},
        ),
        "a share of the votes from the others": _held_out(
            subjects,
            {n: [consensus.at_threshold(v, f) for f in FRACTIONS] for n, v in votes.items()},
        ),
        SHRUNKEN: _shrunken(votes),
    }  # fmt: skip
    undecided = {name: mask == 255 for name, mask in found[SHRUNKEN].items()}
    found["half of the votes, on the pixels that shrunken decides"] = {
        name: np.where(undecided[name], 255, mask).astype(np.uint8)
        for name, mask in found["half of the votes"].items()
    }
    weighted = _weighted(subjects)
    found["weighted, half, weights from the others"] = {
        n: consensus.fraction_mask(f, 0.5) for n, f in weighted.items()
    }
    found["weighted, share from the others"] = _held_out(
        subjects,
        {n: [consensus.fraction_mask(f, t) for t in FRACTIONS] for n, f in weighted.items()},
    )
    found["STAPLE, one rate a volunteer"] = _staple(subjects, pooled=True)
    found["STAPLE, each subject alone"] = _staple(subjects, pooled=False)
    found["STAPLE, textbook: whole frame, alone"] = _staple(subjects, pooled=False, textbook=True)
    return found


def _each(votes: Mapping[str, Votes], decide) -> Masks:  # noqa: ANN001 - a lambda a line above
    return {name: decide(one) for name, one in votes.items()}


def _or_empty(mask: NDArray[np.uint8] | None, votes: Votes) -> NDArray[np.uint8]:
    """Score a subject that cannot reach k as one without a mask."""
    return np.zeros(votes.counts.shape, np.uint8) if mask is None else mask


def _held_out(
    subjects: Sequence[legacy.Subject], masks: Mapping[str, Sequence[NDArray[np.uint8]]]
) -> Masks:
    """For each subject take the setting with the best mean IoU on the other subjects."""
    table = np.nan_to_num(
        [[confusion(m == 1, one.expert).iou for m in masks[one.name]] for one in subjects]
    )
    chosen = choose(table).chosen
    return {
        one.name: masks[one.name][setting] for one, setting in zip(subjects, chosen, strict=True)
    }


def _shrunken(votes: Mapping[str, Votes]) -> Masks:
    masks = {}
    for name, one in votes.items():
        prior = consensus.fit_prior([v.histogram() for n, v in votes.items() if n != name])
        masks[name] = consensus.shrunken_mask(one, prior)
    return masks


def _weighted(subjects: Sequence[legacy.Subject]) -> dict[str, NDArray[np.float32]]:
    patterns = {one.name: vote_patterns(one.filled) for one in subjects}
    weights = weights_elsewhere(
        [
            subject_agreement(s.name, patterns[s.name][0], s.volunteers, [True] * len(s.volunteers))
            for s in subjects
        ]
    )
    return {
        name: consensus.weighted_fractions(one, weights[name])[index]
        for name, (one, index) in patterns.items()
    }


def _staple(subjects: Sequence[legacy.Subject], *, pooled: bool, textbook: bool = False) -> Masks:
    patterns = {one.name: vote_patterns(one.filled) for one in subjects}
    given = {one.name: (patterns[one.name][0], one.volunteers) for one in subjects}
    batches = [given] if pooled else [{name: one} for name, one in given.items()]
    masks = {}
    for batch in batches:
        unmarked = {name: int(one.areas[0]) for name, (one, _) in batch.items()}
        estimate = staple(batch, background=unmarked, pull=0) if textbook else staple(batch)
        for name, probability in estimate.probabilities.items():
            painted = probability[patterns[name][1]].astype(np.float32)
            masks[name] = consensus.fraction_mask(painted, 0.5)
    return masks


def with_few_voters(
    subjects: Sequence[legacy.Subject], *, numbers: Sequence[int], draws: int
) -> list[list[object]]:
    """Return the mean IoU over subjects and draws of n voters, for the plain and shrunken vote.

    The prior of a subject comes from all voters of the other subjects.
    """
    rows: list[list[object]] = []
    full = {one.name: count_votes(one.filled).histogram() for one in subjects}
    for number in numbers:
        scores = []
        for draw in range(draws):
            random = np.random.default_rng([number, draw])
            for one in subjects:
                picked = random.choice(len(one.filled), number, replace=False)
                votes = count_votes(one.filled[picked])
                prior = consensus.fit_prior([h for n, h in full.items() if n != one.name])
                scores.append(_scores(one, votes, consensus.shrunken_mask(votes, prior)))
        # A draw in which nothing is sure enough to be foreground has no score.
        means = [float(column[~np.isnan(column)].mean()) if not np.isnan(column).all() else ""
                 for column in np.array(scores).T]  # fmt: skip
        rows.append([number, *means])
    return rows


def _scores(
    one: legacy.Subject, votes: Votes, shrunken: NDArray[np.uint8]
) -> tuple[float, float, float, float]:
    half, four = (consensus.at_threshold(votes, t) for t in (0.5, 4 / 15))
    decided = np.where(shrunken == 255, 255, one.expert)
    return (
        confusion(half == 1, one.expert).iou,
        confusion(four == 1, one.expert).iou,
        confusion(shrunken == 1, decided).iou if (shrunken == 1).any() else float("nan"),
        float((shrunken == 255).sum() / max((votes.counts > 0).sum(), 1)),
    )
