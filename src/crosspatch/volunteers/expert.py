"""Consensus against experts: the curve over k, the best k, and what it is worth on a new subject.

The best of fifteen thresholds on the subjects that chose it flatters itself. So the choice comes
with a nested score: for each subject the setting is chosen on the *other* subjects only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crosspatch.errors import InputError
from crosspatch.metrics import IGNORED, Confusion
from crosspatch.volunteers.consensus import Votes

MEASURES = ("iou", "dice", "matthews")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SubjectCurve:
    """One subject's consensus against its expert, for every k its voters can reach.

    Attributes
    ----------
    subject : its id
    confusions : of k = 1, 2, ..., number of voters
    """

    subject: str
    confusions: tuple[Confusion, ...]

    @property
    def voters(self) -> int:
        """Number of volunteers."""
        return len(self.confusions)

    def scores(self, measure: str) -> Floats:
        """Return ``iou``, ``dice`` or ``matthews`` for k = 1 ... voters; nan becomes 0."""
        values = [float(getattr(one, measure)) for one in self.confusions]
        return np.nan_to_num(np.array(values, np.float64))

    @property
    def empty(self) -> bool:
        """The expert sees nothing here: no k can overlap with nothing, so none can be scored."""
        return all(one.tp + one.fn == 0 for one in self.confusions)


def subject_curve(subject: str, votes: Votes, expert: NDArray[np.uint8]) -> SubjectCurve:
    """Compare "at least k volunteers" with an expert's mask for each k.

    Parameters
    ----------
    votes : Votes
        (H, W)
    expert : (H, W) uint8
        0 background, 1 foreground, 255 where the expert does not know: counts nowhere.

    Raises
    ------
    InputError
        The sizes differ.
    """
    if votes.counts.shape != expert.shape:
        raise InputError(
            f"subject {subject}: the expert's mask has (height, width) {expert.shape}, "
            f"the votes have {votes.counts.shape}"
        )
    bins = votes.voters + 1
    inside = np.bincount(votes.counts[expert == 1], minlength=bins)  # pixels by number of votes
    outside = np.bincount(votes.counts[(expert != 1) & (expert != IGNORED)], minlength=bins)
    tp, fp = inside[::-1].cumsum()[::-1], outside[::-1].cumsum()[::-1]  # of at least k votes
    return SubjectCurve(
        subject,
        tuple(
            Confusion(int(tp[k]), int(fp[k]), int(tp[0] - tp[k]), int(fp[0] - fp[k]))
            for k in range(1, bins)
        ),
    )


@dataclass(frozen=True)
class CurvePoint:
    """The mean over subjects at one k, and on how many subjects k can be reached at all."""

    k: int
    iou: float
    dice: float
    matthews: float
    subjects: int


def mean_curve(curves: Sequence[SubjectCurve]) -> list[CurvePoint]:
    """Average the subjects' curves for each k up to the largest number of voters.

    A subject with fewer than k voters gets no mask at k (it is skipped, see ``at_least``), so it
    scores 0 there: otherwise a k that only the best-covered subjects reach would look better than
    it is. ``subjects`` tells how many were reached.
    """
    means = {measure: score_table(curves, measure).mean(axis=0) for measure in MEASURES}
    return [
        CurvePoint(
            k=k + 1,
            iou=float(means["iou"][k]),
            dice=float(means["dice"][k]),
            matthews=float(means["matthews"][k]),
            subjects=sum(one.voters > k for one in curves),
        )
        for k in range(max(one.voters for one in curves))
    ]


def score_table(curves: Sequence[SubjectCurve], measure: str) -> Floats:
    """Return (subjects, largest k) of ``measure``; 0 where a subject has fewer than k voters."""
    table = np.zeros((len(curves), max((one.voters for one in curves), default=0)))
    for row, one in zip(table, curves, strict=True):
        row[: one.voters] = one.scores(measure)
    return table


@dataclass(frozen=True)
class Choice:
    """A setting chosen on subjects with expert masks, and what the choosing is worth.

    Attributes
    ----------
    best : column of the table that is best on all subjects
    in_sample : its mean score on the subjects that chose it: too good
    held_out : (S,) float64
        Each subject's score under the setting that the *other* subjects chose.
    chosen : (S,) columns that were chosen so
    """

    best: int
    in_sample: float
    held_out: Floats
    chosen: tuple[int, ...]

    @property
    def nested(self) -> float:
        """Mean of ``held_out``: what to expect of a new subject of the same kind."""
        return float(self.held_out.mean())


def choose(table: Floats) -> Choice:
    """Choose the column with the best mean score, in sample and leaving one subject out.

    Parameters
    ----------
    table : (S, K) float
        Score of each subject under each setting. Of equal columns the first is taken, within a
        billionth.

    Raises
    ------
    InputError
        Fewer than 2 subjects: nothing can be held out.
    """
    if len(table) < 2 or not table.shape[1]:
        raise InputError(
            f"{len(table)} subjects with an expert mask: choosing a threshold and testing the "
            "choice needs 2 or more"
        )
    best = _first_best(table.mean(axis=0))
    chosen = tuple(
        _first_best(np.delete(table, row, axis=0).mean(axis=0)) for row in range(len(table))
    )
    held_out = table[np.arange(len(table)), chosen]
    return Choice(best, float(table[:, best].mean()), held_out, chosen)


def _first_best(means: Floats) -> int:
    return int(np.flatnonzero(means >= means.max() - 1e-9)[0])


@dataclass(frozen=True)
class ExpertReport:
    """Everything that ``--expert`` shows.

    Attributes
    ----------
    curves : one a subject, in the order of names
    empty : subjects where the expert sees nothing; they are in no mean and no choice
    mean : one point for each k
    choices : measure -> Choice, where the chosen k is ``best + 1``; none under 2 subjects
    """

    curves: tuple[SubjectCurve, ...]
    empty: tuple[str, ...]
    mean: tuple[CurvePoint, ...]
    choices: Mapping[str, Choice]


def compare_with_expert(curves: Sequence[SubjectCurve]) -> ExpertReport:
    """Put the curves, their mean and the chosen k of each measure together.

    Raises
    ------
    InputError
        No subject has both voters and expert foreground.
    """
    ordered = tuple(sorted(curves, key=lambda one: one.subject))
    scored = [one for one in ordered if not one.empty]
    if not scored:
        raise InputError("no subject has both volunteers and something that the expert marked")
    choices = {
        measure: choose(score_table(scored, measure)) for measure in MEASURES if len(scored) > 1
    }
    empty = tuple(one.subject for one in ordered if one.empty)
    return ExpertReport(ordered, empty, tuple(mean_curve(scored)), choices)
