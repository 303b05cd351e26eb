"""Whose ballots on a subject are votes.

One volunteer has one vote on a subject. Drawing nothing is a vote for background; not having been
asked is none; and a volunteer whose marks all came out unusable meant to draw something, so that
ballot is no vote either. Nor is one that leaves a model's proposals as they were and draws nothing:
it may be agreement, it may be haste, and it is not independent of the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from crosspatch.volunteers.ballots import Ballot
from crosspatch.volunteers.marks import Outline

Repeats = Literal["first", "last", "all"]

GOLD = "gold standard, kept apart"
REPEAT = "another classification by the same volunteer"
SEEN = "the volunteer had seen the subject before"
TWICE = "the same classification again"
UNASKED = "no drawing task was answered"
UNUSABLE = "none of its marks can be used"
UNTOUCHED = "a proposal of the model, left untouched"
ONLY_UNTOUCHED = "nothing drawn but proposals of the model, left untouched"


@dataclass(frozen=True)
class Placed:
    """A ballot with its outlines in the science image.

    Attributes
    ----------
    ballot : Ballot
    outlines : tuple of (N, 2) float64
        Row, column; only those that reach into the image.
    unusable : int
        Marks that were meant to be areas of the wanted kind and could not be used.
    standing : tuple of (N, 2) float64
        Proposals of a model that the volunteer left standing, untouched.
    """

    ballot: Ballot
    outlines: tuple[Outline, ...]
    unusable: int
    standing: tuple[Outline, ...] = ()


@dataclass(frozen=True)
class Counted:
    """The ballots of a subject, sorted; each is in one list, in the order of the export."""

    votes: list[Placed]
    gold: list[Placed]
    rejected: list[tuple[Placed, str]]


def who_counts(
    placed: Sequence[Placed], region_tasks: frozenset[str], repeats: Repeats = "first"
) -> Counted:
    """Decide which ballots on one subject are votes.

    Parameters
    ----------
    placed : in the order of the export
    region_tasks : tasks in which nothing drawn means nothing there
    repeats : "first", "last" or "all"
        Which of a volunteer's ballots counts, by time. "first" also leaves out what the site
        marked as seen before, since the first ballot may be elsewhere; but where that is here and
        counts for nothing, the earliest after it counts. An anonymous name stands for one
        internet address, which is taken for one volunteer.
    """
    counted = Counted([], [], [])
    candidates: list[Placed] = []
    in_vain: list[Placed] = []
    identities: set[str] = set()
    for one in placed:
        reason = _why_not(one, region_tasks, identities)
        identities.add(one.ballot.classification_id)
        if reason is not None:
            counted.rejected.append((one, reason))
            if reason != TWICE:
                in_vain.append(one)
        elif one.ballot.gold:
            counted.gold.append(one)
            counted.rejected.append((one, GOLD))
        else:
            candidates.append(one)
    chosen = _choose(candidates, repeats, in_vain)
    for one in candidates:
        if id(one) in chosen:
            counted.votes.append(one)
        else:
            seen = one.ballot.seen and repeats == "first"
            counted.rejected.append((one, SEEN if seen else REPEAT))
    return counted


def _why_not(one: Placed, region_tasks: frozenset[str], identities: set[str]) -> str | None:
    if one.ballot.classification_id in identities:
        return TWICE
    if one.outlines:
        return None
    if one.unusable:
        return UNUSABLE
    if one.standing:
        return ONLY_UNTOUCHED
    asked = one.ballot.said_blank or not region_tasks.isdisjoint(one.ballot.answered)
    return None if asked else UNASKED


def _choose(candidates: list[Placed], repeats: Repeats, in_vain: Sequence[Placed]) -> set[int]:
    """Choose the ballots that count, by identity; ``in_vain`` are those that count for nothing."""
    if repeats == "all":
        return {id(one) for one in candidates}
    ordered = sorted(candidates, key=_when)
    if repeats == "first":
        began = {
            one.ballot.volunteer: _when(one)
            for one in sorted(in_vain, key=_when, reverse=True)
            if not one.ballot.seen
        }
        again = [one for one in ordered if one.ballot.seen and _is_after(began, one)]
        fresh = [one for one in ordered if not one.ballot.seen]
        ordered = [*again[::-1], *fresh[::-1]]
    return {id(one) for one in {one.ballot.volunteer: one for one in ordered}.values()}


def _when(one: Placed) -> tuple[str, int]:
    return one.ballot.created_at, one.ballot.line


def _is_after(began: Mapping[str, tuple[str, int]], one: Placed) -> bool:
    """Whether a volunteer's first look, which counts for nothing, was before this ballot."""
    return one.ballot.volunteer in began and began[one.ballot.volunteer] < _when(one)
