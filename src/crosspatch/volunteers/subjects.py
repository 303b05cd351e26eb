"""From the ballots on a subject to its votes in the pixels of the science image."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crosspatch import images
from crosspatch.errors import InputError
from crosspatch.volunteers.ballots import Ballot
from crosspatch.volunteers.gather import ballots_in
from crosspatch.volunteers.marks import Outline
from crosspatch.volunteers.outlines import SubjectOutlines, VolunteerOutlines
from crosspatch.volunteers.tally import Rejected, Tally
from crosspatch.volunteers.who_counts import REPEAT, SEEN, UNTOUCHED, Placed, Repeats, who_counts

OTHER_WORKFLOW = "another workflow"
OUTSIDE = "it lies outside the image"
NO_IMAGE = "no image of the subject was given"
BAD_IMAGE = "the image of the subject cannot be read"
NO_SIZE = "the size of the subject's image is unknown"
TOO_LARGE = "the subject's image claims to be absurdly large"

_MOST_PIXELS = 2**26  # of a size that only an export's metadata claim: 8192 x 8192
_SAME_SHAPE = 0.01


def index_files(paths: Iterable[Path]) -> dict[str, Path]:
    """List files by their names and by their stems, in lower case; stems of several files are out.

    Subjects' metadata and locations name files, and nothing but this list is ever opened, so that
    a name with slashes or ".." leads nowhere.
    """
    index: dict[str, Path] = {}
    stems: dict[str, list[Path]] = {}
    for path in paths:
        index[path.name.lower()] = path
        stems.setdefault(path.stem.lower(), []).append(path)
    return {stem: same[0] for stem, same in stems.items() if len(same) == 1} | index


def find_file(index: Mapping[str, Path], names: Iterable[str]) -> Path | None:
    """Find the first of the names among the files, with its suffix or without."""
    for name in names:
        last = name.replace("\\", "/").rsplit("/", 1)[-1].strip().lower()
        found = index.get(last) or index.get(last.rsplit(".", 1)[0])
        if found is not None:
            return found
    return None


@dataclass(frozen=True)
class Frames:
    """Which grid the science images have.

    Attributes
    ----------
    size : (H, W) or None
        The grid of all subjects, where it was given.
    images : dict or None
        From :func:`index_files`; where images were given, a subject without one is left out.
    locations : dict of str to list of str
        Subject id -> names of its files, from a subjects export.
    """

    size: tuple[int, int] | None = None
    images: Mapping[str, Path] | None = None
    locations: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass
class ReadSubject:
    """A subject with its votes, or why it has none, and the books of its ballots.

    Attributes
    ----------
    subject : SubjectOutlines or None
        None where no ballot is a vote and none is gold standard.
    image : Path or None
        Its image, where images were given.
    files : list of str
        Names under which its files may be known, by its metadata and locations.
    tally, rejected
        What of its ballots and their marks was kept and rejected.
    repeats : Counter of str
        Volunteer -> ballots that do not count because of an earlier or later one.
    stretched : bool
        Volunteers saw an image of other proportions than the science image has.
    unsized : int
        Votes whose image size nobody knows, taken as drawn on the science grid.
    """

    subject: SubjectOutlines | None
    image: Path | None = None
    files: list[str] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    rejected: list[Rejected] = field(default_factory=list)
    repeats: Counter[str] = field(default_factory=Counter)
    stretched: bool = False
    unsized: int = 0

    def reject_mark(self, ballot: Ballot, source: int, reason: str) -> None:
        """Write the marks that an outline was made of into the books as rejected."""
        task, marks, tool = ballot.sources[source]
        for mark in marks:
            self._reject(
                Rejected(
                    ballot.line, ballot.classification_id, ballot.subject_id, reason, task, mark,
                    tool,
                )
            )  # fmt: skip

    def reject_row(self, ballot: Ballot, reason: str, sources: Sequence[int]) -> None:
        """Write a whole ballot and those of its outlines into the books as rejected."""
        self._reject(Rejected(ballot.line, ballot.classification_id, ballot.subject_id, reason))
        for source in sources:
            self.reject_mark(ballot, source, reason)

    def _reject(self, rejected: Rejected) -> None:
        self.rejected.append(rejected)
        self.tally.reject(rejected)


@dataclass(frozen=True)
class Rules:
    """What makes a ballot a vote; see :func:`crosspatch.volunteers.who_counts.who_counts`."""

    workflow: str
    region_tasks: frozenset[str]
    repeats: Repeats = "first"


def subjects_in(
    bucket: Path, rules: Rules, frames: Frames, only: str | None = None
) -> Iterator[ReadSubject]:
    """Read the subjects of a bucket, one after another, by id; or only one of them."""
    for subject, ballots in ballots_in(bucket, only):
        yield read_subject(subject, ballots, rules, frames)


def read_subject(
    subject: str, ballots: Sequence[Ballot], rules: Rules, frames: Frames
) -> ReadSubject:
    """Place one subject's ballots in its science image and sort out who counts.

    Parameters
    ----------
    subject : its id
    ballots : all on this subject, in the order of the export
    rules, frames : who counts, and on which grid
    """
    read = ReadSubject(None)
    mine = []
    for ballot in ballots:
        if ballot.workflow == rules.workflow:
            mine.append(ballot)
        else:
            read.reject_row(ballot, OTHER_WORKFLOW, range(len(ballot.sources)))
    if not mine:
        return read
    named = [name for ballot in mine for name in ballot.files]
    read.files = list(dict.fromkeys([*named, *frames.locations.get(subject, ())]))
    natural = Counter((one.height, one.width) for one in mine if one.height).most_common(1)
    seen = natural[0][0] if natural else None
    shape = _shape(read, subject, seen, frames)
    if isinstance(shape, str):
        for ballot in mine:
            read.reject_row(ballot, shape, range(len(ballot.sources)))
        return read
    _count(read, subject, mine, rules, shape, seen)
    return read


def _shape(
    read: ReadSubject,
    subject: str,
    seen: tuple[float, float] | None,
    frames: Frames,
) -> tuple[int, int] | str:
    """Return the science image's (H, W), or why there is none."""
    if frames.images is not None:
        read.image = find_file(frames.images, [subject, *read.files])
        if read.image is None:
            return NO_IMAGE
        try:
            header = images.read_header(read.image)
        except InputError:
            return BAD_IMAGE
        shape = header.height, header.width
    elif frames.size is not None:
        shape = frames.size
    elif seen is None:
        return NO_SIZE
    else:
        shape = (max(1, round(seen[0])), max(1, round(seen[1])))
        if shape[0] * shape[1] > _MOST_PIXELS:
            return TOO_LARGE
    if seen is not None:
        read.stretched = abs(shape[0] * seen[1] / (shape[1] * seen[0]) - 1) > _SAME_SHAPE
    return shape


def _count(
    read: ReadSubject,
    subject: str,
    ballots: Sequence[Ballot],
    rules: Rules,
    shape: tuple[int, int],
    seen: tuple[float, float] | None,
) -> None:
    """Place the ballots, decide who counts, and keep the books."""
    inside: dict[int, list[int]] = {}
    placed = []
    for ballot in ballots:
        outlines, kept, standing = [], [], []
        natural = (ballot.height, ballot.width) if ballot.height else seen
        for source, outline in enumerate(ballot.outlines()):
            scaled = _scaled(outline, natural, shape)
            if _reaches(scaled, shape) and source in ballot.untouched:
                read.reject_mark(ballot, source, UNTOUCHED)
                standing.append(scaled)
            elif _reaches(scaled, shape):
                outlines.append(scaled)
                kept.append(source)
            else:
                read.reject_mark(ballot, source, OUTSIDE)
        unusable = ballot.unusable + len(ballot.lengths) - len(kept) - len(standing)
        placed.append(Placed(ballot, tuple(outlines), unusable, tuple(standing)))
        inside[ballot.line] = kept
    counted = who_counts(placed, rules.region_tasks, rules.repeats)
    for one, reason in counted.rejected:
        read.reject_row(one.ballot, reason, inside[one.ballot.line])
        if reason in (SEEN, REPEAT):
            read.repeats[one.ballot.volunteer] += 1
    for one in counted.votes:
        read.tally.rows_kept += 1
        read.tally.marks_kept += sum(
            len(one.ballot.sources[source][1]) for source in inside[one.ballot.line]
        )
        read.unsized += not one.ballot.height and seen is None
    if counted.votes or counted.gold:
        states = {ballot.retired for ballot in ballots} - {None}
        read.subject = SubjectOutlines(
            subject_id=subject,
            name=subject,
            shape=shape,
            volunteers=[_vote(one) for one in counted.votes],
            gold=[_vote(one) for one in counted.gold],
            retired=True in states if states else None,
        )


def _vote(one: Placed) -> VolunteerOutlines:
    ballot = one.ballot
    return VolunteerOutlines(
        ballot.volunteer,
        ballot.classification_id,
        one.outlines,
        ballot.logged_in,
        ballot.expert,
        one.standing,
    )


def _scaled(
    outline: Outline, natural: tuple[float, float] | None, shape: tuple[int, int]
) -> Outline:
    """Take an outline from the uploaded image to the science image."""
    if natural is None or natural == shape:
        return outline
    return outline * (shape[0] / natural[0], shape[1] / natural[1])


def _reaches(outline: Outline, shape: tuple[int, int]) -> bool:
    """Whether an outline's bounding box has a part inside the frame."""
    height, width = shape
    first_row, first_column = outline[0].tolist()
    if 0 < first_row < height and 0 < first_column < width:
        return True  # nearly always: spares four passes over the points
    row, column = outline.T
    return bool(row.max() > 0 and column.max() > 0 and row.min() < height and column.min() < width)
