"""What one classification says: a ballot, and what was found on the way to it."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate

import msgspec
import numpy as np

from crosspatch.volunteers.marks import Outline
from crosspatch.volunteers.tally import Rejected, Tally


@dataclass(frozen=True)
class Choice:
    """Which classifications and marks are wanted; None is all.

    Attributes
    ----------
    workflow : str or None
        Workflow id; None takes the workflow with most rows.
    version : str or None
        ``"11"`` is any 11.x, ``"11.14"`` only that; compared as text.
    task : str or None
        Task key such as ``"T0"``, also inside combo tasks.
    tools : frozenset of int or None
        Positions of the tools within their task, from 0.
    frame : int or None
        The image of the subject that was drawn on, from 0; None where all show the same view.
    blank_answer : (task, answer) or None
        The answer that says "nothing here" and skips the drawing task.
    """

    workflow: str | None = None
    version: str | None = None
    task: str | None = None
    tools: frozenset[int] | None = None
    frame: int | None = 0
    blank_answer: tuple[str, str] | None = None

    def has_version(self, version: str) -> bool:
        """Whether a row's ``workflow_version`` is wanted."""
        if self.version is None or version == self.version:
            return True
        return "." not in self.version and version.split(".")[0] == self.version


class Ballot(msgspec.Struct, array_like=True):
    """What one classification says, small enough to keep on disk by the hundred thousand.

    ``points`` holds all outlines as float64 row, column of the uploaded image, ``lengths`` how many
    points each has, ``sources`` the (task, marks, tool) each came from. ``width`` and ``height``
    are the uploaded image's, 0 where the row does not say. ``untouched`` are the places of
    outlines that a model proposed and the volunteer left as they were.
    """

    line: int
    classification_id: str
    subject_id: str
    workflow: str
    version: str
    volunteer: str
    logged_in: bool
    expert: bool
    gold: bool
    created_at: str
    seen: bool
    width: float
    height: float
    retired: bool | None
    files: list[str]
    answered: list[str]
    said_blank: bool
    unusable: int
    lengths: list[int]
    sources: list[tuple[str, list[int], str]]
    points: bytes
    untouched: list[int] = msgspec.field(default_factory=list)

    def outlines(self) -> list[Outline]:
        """Return the outlines as (N, 2) float64 arrays, read only."""
        together = np.frombuffer(self.points, np.float64).reshape(-1, 2)
        stops = list(accumulate(self.lengths))
        return [
            together[stop - length : stop] for stop, length in zip(stops, self.lengths, strict=True)
        ]


@dataclass
class Reading:
    """What reading a piece of an export found beside its ballots.

    Attributes
    ----------
    tally : Tally
        Rows and marks read, and what was rejected.
    rejected : list of Rejected
        The rejections themselves, in file order.
    region_tasks : set of (workflow, task)
        Tasks in which somebody used a wanted tool that draws areas.
    workflows, versions, tools : Counter
        Rows by workflow; rows by (workflow, version); marks by (task, tool label, tool).
    """

    tally: Tally = field(default_factory=Tally)
    rejected: list[Rejected] = field(default_factory=list)
    region_tasks: set[tuple[str, str]] = field(default_factory=set)
    workflows: Counter[str] = field(default_factory=Counter)
    versions: Counter[tuple[str, str]] = field(default_factory=Counter)
    tools: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def reject(self, rejected: Rejected) -> None:
        """Write a rejection into the books."""
        self.rejected.append(rejected)
        self.tally.reject(rejected)

    def add(self, other: "Reading") -> None:
        """Add what another piece found, all but the list of rejections."""
        self.tally.add(other.tally)
        self.region_tasks |= other.region_tasks
        self.workflows += other.workflows
        self.versions += other.versions
        self.tools += other.tools
