"""One row of a Panoptes classification export, read into a ballot: who drew what on which subject.

What cannot be used is rejected with its reason; nothing is guessed.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from crosspatch.volunteers.assemble import assemble
from crosspatch.volunteers.ballots import Ballot, Choice, Reading
from crosspatch.volunteers.cells import (
    RowError,
    decoded,
    is_true,
    metadata_of,
    natural_size,
    says,
    seen_before,
    status_and_files,
    subject_id_of,
    tasks_of,
)
from crosspatch.volunteers.marks import (
    NO_AREA,
    REGION_TOOLS,
    MarkError,
    Path,
    draw,
    is_mark,
    tool_of,
)
from crosspatch.volunteers.proposals import Proposals
from crosspatch.volunteers.rows import BrokenRow, Row
from crosspatch.volunteers.tables import ToolTable
from crosspatch.volunteers.tally import Rejected

NEEDED_COLUMNS = ("classification_id", "user_name", "annotations", "subject_ids")
"""Without these an export cannot be read; all others are read by name where they are there."""

_OTHER_COLUMNS = (
    "workflow_id", "workflow_version", "created_at", "gold_standard", "expert", "metadata",
    "subject_data",
)  # fmt: skip


class BallotReader:
    """Reads rows of one export into ballots.

    Parameters
    ----------
    columns : names of the export's columns
    choice : what is wanted
    tools : from a workflows export, if there is one; tells tools of equal fields apart
    proposals : outlines of a model that volunteers were shown
    """

    def __init__(
        self,
        columns: tuple[str, ...],
        choice: Choice,
        tools: ToolTable | None = None,
        proposals: Proposals | None = None,
    ) -> None:
        self._at = {name: columns.index(name) for name in columns}
        self._missing = {name for name in _OTHER_COLUMNS if name not in self._at}
        self.choice = choice
        self._tools = tools or ToolTable()
        self._proposals = proposals or Proposals()
        self.found = Reading()

    def read(self, row: Row | BrokenRow) -> Ballot | None:
        """Read a row; None if it was rejected, which stands in ``found`` then."""
        self.found.tally.rows_read += 1
        if isinstance(row, BrokenRow):
            self.found.reject(Rejected(row.line, row.classification_id, "", row.reason))
            return None
        try:
            return self._read(row)
        except RowError as error:
            identity = self._cell(row, "classification_id"), self._cell(row, "subject_ids")
            self.found.reject(Rejected(row.line, *identity, str(error)))
            return None

    def _cell(self, row: Row, name: str) -> str:
        return "" if name in self._missing else row.cells[self._at[name]].strip()

    def _read(self, row: Row) -> Ballot:
        workflow, version = self._cell(row, "workflow_id"), self._cell(row, "workflow_version")
        if self.choice.workflow not in (None, workflow):
            raise RowError("another workflow")
        if not self.choice.has_version(version):
            raise RowError("another workflow version")
        identity = self._cell(row, "classification_id")
        volunteer = self._cell(row, "user_name")
        if not identity:
            raise RowError("the classification id is missing")
        if not volunteer:
            raise RowError("the user name is missing")
        subject = subject_id_of(self._cell(row, "subject_ids"))
        metadata = metadata_of(self._cell(row, "metadata"))
        status, files = status_and_files(self._cell(row, "subject_data"), subject)
        tasks = list(tasks_of(decoded(self._cell(row, "annotations"), "annotations")))
        width, height = natural_size(metadata.subject_dimensions, self.choice.frame or 0)
        ballot = Ballot(
            line=row.line,
            classification_id=identity,
            subject_id=subject,
            workflow=workflow,
            version=version,
            volunteer=volunteer,
            logged_in=not volunteer.startswith("not-logged-in"),
            expert=is_true(self._cell(row, "expert")),
            gold=is_true(self._cell(row, "gold_standard")),
            created_at=self._cell(row, "created_at"),
            seen=seen_before(metadata),
            width=width,
            height=height,
            retired=status,
            files=files,
            answered=[],
            said_blank=says(tasks, self.choice.blank_answer),
            unusable=0,
            lengths=[],
            sources=[],
            points=b"",
        )
        self.found.workflows[workflow] += 1
        self.found.versions[workflow, version] += 1
        self._draw_tasks(ballot, tasks)
        return ballot

    def _draw_tasks(self, ballot: Ballot, tasks: list[tuple[str, Any]]) -> None:
        """Read the marks of all tasks into the ballot."""
        parts: list[bytes] = []
        for task, value in tasks:
            if not isinstance(value, list) or (value and not any(map(is_mark, value))):
                continue  # the answer to a question
            if self.choice.task in (None, task):
                ballot.answered.append(task)
            drawn: dict[tuple[int, str, int], list[tuple[int, Path]]] = {}
            proposed: set[int] = set()
            for position, mark in enumerate(value):
                self.found.tally.marks_read += 1
                try:
                    index, tool, path = self._draw(ballot, task, mark)
                    frame = mark.get("frame") or 0
                    key = index, tool, frame if isinstance(frame, int) else 0
                    drawn.setdefault(key, []).append((position, path))
                    if self._proposals.hold(ballot.subject_id, frame, path.points):
                        proposed.add(position)
                except MarkError as error:
                    tool = tool_of(mark) if is_mark(mark) else ""
                    self._reject_mark(ballot, task, position, tool, str(error))
            for (_, tool, _), marks in drawn.items():
                parts += self._close(ballot, task, tool, marks, proposed)
        ballot.points = b"".join(parts)

    def _draw(self, ballot: Ballot, task: str, mark: Any) -> tuple[int, str, Path]:
        """Draw one mark, if it is wanted: its tool's position and name, and its path."""
        if not is_mark(mark):
            raise MarkError("it is no mark")
        index = mark.get("toolIndex", mark.get("tool"))
        index = index if isinstance(index, int) else -1
        listed = self._tools.tool(ballot.workflow, ballot.version, task, index)
        tool = tool_of(mark, listed.kind if listed else None)
        label = mark.get("tool_label") or (listed.label if listed else "")
        self.found.tools[task, label[:80] if isinstance(label, str) else "", tool[:40]] += 1
        if self.choice.task not in (None, task):
            raise MarkError("another task")
        if self.choice.tools is not None and index not in self.choice.tools:
            raise MarkError("another tool")
        if self.choice.frame not in (None, mark.get("frame") or 0):
            raise MarkError("another frame")
        if tool in REGION_TOOLS:
            self.found.region_tasks.add((ballot.workflow, task))
        try:
            return index, tool, draw(mark, tool)
        except MarkError:
            ballot.unusable += tool not in NO_AREA  # an unknown tool may well draw areas
            raise

    def _close(
        self,
        ballot: Ballot,
        task: str,
        tool: str,
        marks: list[tuple[int, Path]],
        proposed: set[int],
    ) -> Iterator[bytes]:
        """Close the paths of one tool and frame into outlines, and note where each came from."""
        whole, dropped = assemble([path for _, path in marks])
        for part, reason in dropped:
            ballot.unusable += 1
            self._reject_mark(ballot, task, marks[part][0], tool, reason)
        for one in whole:
            if proposed.issuperset(marks[part][0] for part in one.parts):
                ballot.untouched.append(len(ballot.sources))
            ballot.lengths.append(len(one.outline))
            ballot.sources.append((task, [marks[part][0] for part in one.parts], tool))
            yield np.ascontiguousarray(one.outline).tobytes()

    def _reject_mark(
        self, ballot: Ballot, task: str, position: int, tool: str, reason: str
    ) -> None:
        self.found.reject(
            Rejected(
                ballot.line, ballot.classification_id, ballot.subject_id, reason, task, position,
                tool[:40],
            )
        )  # fmt: skip
