"""The books: what was read, kept and rejected, and why. Kept + rejected = read, always."""

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

REJECTED_COLUMNS = (
    "line", "classification_id", "subject_id", "what", "task", "mark", "tool", "reason",
)  # fmt: skip


class Rejected(NamedTuple):
    """A row or a mark that does not count.

    Attributes
    ----------
    line : int
        Line of the export on which the row begins; the header is line 1.
    classification_id, subject_id : str
        As far as they could be read.
    reason : str
        In few fixed words, so that reasons can be counted.
    task, tool : str
        Empty for a row.
    mark : int
        Position in the task's ``value``, from 0; -1 for a row.
    """

    line: int
    classification_id: str
    subject_id: str
    reason: str
    task: str = ""
    mark: int = -1
    tool: str = ""

    @property
    def is_row(self) -> bool:
        """Whether a whole row is meant."""
        return self.mark < 0


@dataclass
class Tally:
    """Counts of rows and of marks.

    A row that is damaged, or of another workflow, has no marks read. Of a row that is read and then
    set aside, every mark counts as read and rejected.
    """

    rows_read: int = 0
    rows_kept: int = 0
    rows_rejected: Counter[str] = field(default_factory=Counter)
    marks_read: int = 0
    marks_kept: int = 0
    marks_rejected: Counter[str] = field(default_factory=Counter)

    def reject(self, rejected: Rejected) -> None:
        """Count a rejection (its row or mark must be counted as read by whoever read it)."""
        (self.rows_rejected if rejected.is_row else self.marks_rejected)[rejected.reason] += 1

    def add(self, other: "Tally") -> None:
        """Add the counts of another piece of the work."""
        self.rows_read += other.rows_read
        self.rows_kept += other.rows_kept
        self.rows_rejected += other.rows_rejected
        self.marks_read += other.marks_read
        self.marks_kept += other.marks_kept
        self.marks_rejected += other.marks_rejected

    @property
    def balanced(self) -> bool:
        """Whether kept + rejected = read, for rows and for marks."""
        return (
            self.rows_read == self.rows_kept + self.rows_rejected.total()
            and self.marks_read == self.marks_kept + self.marks_rejected.total()
        )

    def sentences(self) -> list[str]:
        """Say it in words, the most frequent reasons first."""
        return [
            _sentence("classifications", self.rows_read, self.rows_kept, self.rows_rejected),
            _sentence("marks", self.marks_read, self.marks_kept, self.marks_rejected),
        ]


def _sentence(what: str, read: int, kept: int, rejected: Counter[str]) -> str:
    reasons = "; ".join(f"{number} {reason}" for reason, number in rejected.most_common())
    return f"{read} {what} read, {kept} kept, {rejected.total()} rejected" + (
        f" ({reasons})" if reasons else ""
    )


class RejectedFile:
    """Writes rejected.csv as the work goes, so that no list of rejections lies in memory."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._table = csv.writer(self._file, lineterminator="\n")
        self._table.writerow(REJECTED_COLUMNS)

    def write(self, rejected: list[Rejected]) -> None:
        """Append rejections."""
        for one in rejected:
            what, mark = ("row", "") if one.is_row else ("mark", str(one.mark))
            self._table.writerow(
                (
                    one.line, plain(one.classification_id), plain(one.subject_id), what,
                    plain(one.task), mark, plain(one.tool), one.reason,
                )
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


def plain(text: str) -> str:
    """Make a stranger's text harmless: one line, short, and no formula for a spreadsheet."""
    flat = "".join(letter if letter.isprintable() else "?" for letter in text[:80])
    return "'" + flat if flat[:1] in "=+-@" and flat[:1] else flat
