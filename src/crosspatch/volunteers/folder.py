"""The work on one bucket of subjects: votes and masks painted into a data set folder.

A bucket is worked through in a process of its own, so everything here goes in and out by value.
"""

import math
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crosspatch import images
from crosspatch.dataset import FOREGROUND, IGNORED, MaskValues
from crosspatch.errors import InputError
from crosspatch.files import inside
from crosspatch.volunteers.agreement import SubjectAgreement, subject_agreement
from crosspatch.volunteers.consensus import Votes, votes_needed
from crosspatch.volunteers.expert import SubjectCurve, subject_curve
from crosspatch.volunteers.methods import Judge, Learned, Rule
from crosspatch.volunteers.outlines import SubjectOutlines, VolunteerOutlines
from crosspatch.volunteers.runs import VoteRuns, vote_runs
from crosspatch.volunteers.subjects import Frames, ReadSubject, Rules, find_file, subjects_in
from crosspatch.volunteers.tally import Rejected, Tally

MADE = "mask"
"""The status of a subject that got a mask; any other status says why it has none."""

SUBJECT_COLUMNS = (
    "name", "status", "voters", "marks", "dice", "difficulty", "blanks", "anonymous", "foreground",
    "ignored", "gold", "retired", "height", "width", "file",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """One row of subjects.csv; see the reference page for what the columns mean."""

    name: str
    status: str
    voters: int
    marks: int
    dice: float
    difficulty: float
    blanks: float
    anonymous: float
    foreground: float
    ignored: float
    gold: int
    retired: bool | None
    height: int
    width: int
    file: str


@dataclass
class BucketWork:
    """What came of a bucket, beside the files.

    Attributes
    ----------
    rows : one a subject with votes or gold standard
    learned : what the method learns from it
    tally, rejected : the books of its ballots
    repeats : volunteer -> how many ballots did not count because they had voted before
    curves : against expert masks
    said : what is worth saying aloud
    stretched, unsized : see ``ReadSubject``
    """

    rows: list[SubjectRow] = field(default_factory=list)
    learned: Learned = field(default_factory=Learned)
    tally: Tally = field(default_factory=Tally)
    rejected: list[Rejected] = field(default_factory=list)
    repeats: Counter[str] = field(default_factory=Counter)
    curves: list[SubjectCurve] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    stretched: int = 0
    unsized: int = 0

    def book(self, read: ReadSubject) -> None:
        """Take over a subject's books."""
        self.tally.add(read.tally)
        self.rejected += read.rejected
        self.repeats += read.repeats
        self.stretched += read.stretched
        self.unsized += read.unsized

    def merge(self, other: "BucketWork") -> None:
        """Add what came of another bucket, all but its list of rejections."""
        self.rows += other.rows
        self.learned.merge(other.learned)
        self.tally.add(other.tally)
        self.repeats += other.repeats
        self.curves += other.curves
        self.said += other.said
        self.stretched += other.stretched
        self.unsized += other.unsized


@dataclass(frozen=True)
class Desk:
    """Everything that the work on a bucket needs.

    Attributes
    ----------
    folder : Path
        The data set folder, with ``images``, ``masks``, ``votes`` and ``gold`` in it.
    rules, frames : who counts, on which grid
    rule : Rule
        How votes become a mask.
    experts : dict of str to Path
        Subject's file name or stem -> expert mask.
    expert_values : MaskValues
        What those masks call foreground, and what they do not know.
    """

    folder: Path
    rules: Rules
    frames: Frames
    rule: Rule
    experts: Mapping[str, Path] = field(default_factory=dict)
    expert_values: MaskValues = field(default_factory=MaskValues)


def learn_bucket(desk: Desk, bucket: Path) -> Learned:
    """Learn from the subjects of a bucket what the method needs; nothing is written."""
    learned = Learned()
    for read in subjects_in(bucket, desk.rules, desk.frames):
        if read.subject is not None and read.subject.volunteers:
            runs = _runs(read.subject)
            learned.learn(desk.rule, _agreement(read.subject, runs), runs.patterns)
    return learned


def paint_bucket(desk: Desk, judge: Judge, bucket: Path) -> BucketWork:
    """Write votes, masks, gold-standard masks and copies of images for the subjects of a bucket."""
    work = BucketWork()
    for read in subjects_in(bucket, desk.rules, desk.frames):
        work.book(read)
        if read.subject is not None:
            _paint(desk, judge, work, read, read.subject)
    return work


def _runs(subject: SubjectOutlines) -> VoteRuns:
    return vote_runs([one.outlines for one in subject.volunteers], subject.shape)


def _agreement(subject: SubjectOutlines, runs: VoteRuns) -> SubjectAgreement:
    names = [one.volunteer for one in subject.volunteers]
    logged_in = [one.logged_in for one in subject.volunteers]
    return subject_agreement(subject.subject_id, runs.patterns, names, logged_in)


def _paint(
    desk: Desk, judge: Judge, work: BucketWork, read: ReadSubject, subject: SubjectOutlines
) -> None:
    if subject.gold:
        gold = _majority(subject.gold, subject.shape)
        images.write_mask(inside(desk.folder / "gold", f"{subject.name}.png"), gold)
    if not subject.volunteers:
        work.rows.append(_row(read, subject, "nobody voted"))
        return
    runs = _runs(subject)
    agreement = _agreement(subject, runs)
    work.learned.ledger.add(agreement)
    decided = judge.decide(runs.patterns, agreement)
    status = decided if isinstance(decided, str) else MADE
    votes = Votes(runs.paint(runs.counts.astype(np.uint16)), agreement.voters)
    _write_votes(inside(desk.folder / "votes", f"{subject.name}.png"), votes)
    mask = None
    if not isinstance(decided, str):
        mask = _doubted(runs.paint(decided), votes, subject, desk.rule)
        images.write_mask(inside(desk.folder / "masks", f"{subject.name}.png"), mask)
    if read.image is not None:
        name = f"{subject.name}{read.image.suffix.lower()}"
        shutil.copyfile(read.image, inside(desk.folder / "images", name))
    expert = find_file(desk.experts, [subject.subject_id, *read.files])
    if expert is not None:
        _compare(desk, work, subject, votes, expert)
    work.rows.append(_row(read, subject, status, agreement, _shares(mask)))


def _write_votes(path: Path, votes: Votes) -> None:
    """Write counts as 8 bits where they fit, as any viewer shows them."""
    if votes.voters < 256:
        images.write_mask(path, votes.counts.astype(np.uint8))
    else:
        images.write_image(path, votes.counts[np.newaxis])


def _doubted(
    mask: NDArray[np.uint8], votes: Votes, subject: SubjectOutlines, rule: Rule
) -> NDArray[np.uint8]:
    """Leave background open (255) where it rests on people who left a model's proposal standing.

    They did not say that there is nothing. So where their proposals, taken as votes, would reach
    the number that makes foreground, nobody knows.
    """
    if not any(one.standing for one in subject.volunteers):
        return mask
    runs = vote_runs([one.outlines + one.standing for one in subject.volunteers], subject.shape)
    both = runs.paint(runs.counts.astype(np.uint16))
    needed = rule.at_least or votes_needed(votes.voters, rule.threshold)
    doubted = (mask == 0) & (both > votes.counts) & (both >= needed)
    return np.where(doubted, np.uint8(IGNORED), mask)


def _shares(mask: NDArray[np.uint8] | None) -> tuple[float, float]:
    """Return the shares of a mask's pixels that are foreground and that are ignored."""
    if mask is None:
        return math.nan, math.nan
    foreground, ignored = (
        float(np.count_nonzero(mask == value)) / mask.size for value in (FOREGROUND, IGNORED)
    )
    return foreground, ignored


def _majority(gold: list[VolunteerOutlines], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Mark what at least half of the gold-standard classifications marked."""
    runs = vote_runs([one.outlines for one in gold], shape)
    mask: NDArray[np.uint8] = runs.paint((runs.counts * 2 >= len(gold)).astype(np.uint8))
    return mask


def _compare(
    desk: Desk, work: BucketWork, subject: SubjectOutlines, votes: Votes, expert: Path
) -> None:
    """Compare the votes with an expert's mask; one that cannot be compared is said."""
    try:
        mask = desk.expert_values.translate(images.read_mask(expert), str(expert))
        work.curves.append(subject_curve(subject.name, votes, mask))
    except InputError as error:
        work.said.append(f"not compared with the expert: {error}")


def _row(
    read: ReadSubject,
    subject: SubjectOutlines,
    status: str,
    agreement: SubjectAgreement | None = None,
    shares: tuple[float, float] = (math.nan, math.nan),
) -> SubjectRow:
    return SubjectRow(
        name=subject.name,
        status=status,
        voters=len(subject.volunteers),
        marks=read.tally.marks_kept,
        dice=agreement.dice if agreement else math.nan,
        difficulty=agreement.difficulty if agreement else math.nan,
        blanks=agreement.blanks if agreement else math.nan,
        anonymous=agreement.anonymous if agreement else math.nan,
        foreground=shares[0],
        ignored=shares[1],
        gold=len(subject.gold),
        retired=subject.retired,
        height=subject.shape[0],
        width=subject.shape[1],
        file=read.image.name if read.image else next(iter(read.files), ""),
    )
