"""The rows of an export of any size, one whole row at a time, however damaged its neighbours are.

A classification export has one row a line (its JSON cells hold no line breaks), so the file is cut
into blocks at line ends, and every line is read by itself: a broken quote ends with its line and
never swallows the rows below it. A row that does go over several lines, as other programs write
them, is put together again when its lines make exactly one row.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from crosspatch.errors import InputError

MAX_ROW_BYTES = 16 * 2**20
"""Longer rows are rejected unread; the largest real ones are some hundred kilobytes."""

BLOCK_BYTES = 2 * 2**20
_MOST_LINES_IN_A_ROW = 200
_ID = re.compile(rb'\s*"?([\w-]{1,64})"?,')


@dataclass(frozen=True)
class Header:
    """Where the columns are.

    Attributes
    ----------
    names : tuple of str
        The column names in the order of the file.
    end : int
        Byte at which the first row begins.
    lines : int
        Lines taken by the header.
    """

    names: tuple[str, ...]
    end: int
    lines: int = 1

    def missing(self, wanted: tuple[str, ...]) -> list[str]:
        """Name the wanted columns that are not there."""
        return [name for name in wanted if name not in self.names]


@dataclass(frozen=True)
class Block:
    """A piece of the file that begins and ends with a line.

    Attributes
    ----------
    start, stop : int
        Bytes of the file, start <= byte < stop.
    line : int
        Number of its first line in the file; the header is line 1.
    oversized : bool
        A single row longer than ``MAX_ROW_BYTES``, to be rejected.
    """

    start: int
    stop: int
    line: int
    oversized: bool = False


@dataclass(frozen=True)
class BrokenRow:
    """A row that cannot be taken apart into its columns."""

    line: int
    classification_id: str
    reason: str


@dataclass(frozen=True)
class Row:
    """A row as text cells, one a column."""

    line: int
    cells: list[str]


def read_header(path: Path) -> Header:
    """Read the column names of a CSV file.

    Raises
    ------
    InputError
        The file cannot be read, is empty, or begins with something that is no line of text.
    """
    try:
        with path.open("rb") as file:
            first = file.readline(2**20)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if not first.strip():
        raise InputError(f"{path}: is empty; download the export again")
    try:
        names = _cells(first.decode("utf-8-sig").rstrip("\r\n"))
    except (UnicodeDecodeError, csv.Error):
        names = []
    if len(names) < 2:
        raise InputError(f"{path}: its first line holds no column names; is it a CSV export?")
    return Header(tuple(name.strip() for name in names), len(first))


def blocks(path: Path, header: Header, size: int = BLOCK_BYTES) -> Iterator[Block]:
    """Cut the rows of a file into blocks of about ``size`` bytes, each of whole lines.

    Memory is bounded by ``size`` and ``MAX_ROW_BYTES``, whatever the file holds.
    """
    with path.open("rb") as file:
        file.seek(header.end)
        start, line = header.end, header.lines + 1
        while True:
            data = file.read(size)
            if not data:
                return
            stop, lines, oversized = _whole_lines(file, start, data)
            yield Block(start, stop, line, oversized)
            start, line = stop, line + lines
            file.seek(start)


def _whole_lines(file: BinaryIO, start: int, data: bytes) -> tuple[int, int, bool]:
    """Return where a block that began with ``data`` ends, its number of lines, and if too long."""
    cut = data.rfind(b"\n") + 1
    if not cut:  # the first line is longer than the block: it is a block by itself
        length, ended = len(data), False
        while not ended:
            more = file.readline(2**20)
            length += len(more)
            ended = not more or more.endswith(b"\n")
        return start + length, 1, length > MAX_ROW_BYTES
    # Best is to cut where all quotes are closed, so that no row of several lines is torn.
    best, quotes = cut, data.count(b'"', 0, cut)
    for _ in range(_MOST_LINES_IN_A_ROW):
        if quotes % 2 == 0:
            cut = best
            break
        before = data.rfind(b"\n", 0, best - 1) + 1
        if not before:
            break
        quotes -= data.count(b'"', before, best)
        best = before
    return start + cut, data.count(b"\n", 0, cut), False


def read_block(path: Path, block: Block, header: Header) -> Iterator[Row | BrokenRow]:
    """Read the rows of one block, in order.

    Blank lines are no rows. Everything else gives a ``Row`` with one cell a column, or a
    ``BrokenRow`` that says why not.
    """
    with path.open("rb") as file:
        file.seek(block.start)
        if block.oversized:
            reason = f"the row is longer than {MAX_ROW_BYTES // 2**20} MB"
            yield BrokenRow(block.line, _id_of(file.read(200)), reason)
            return
        data = file.read(block.stop - block.start)
    yield from rows_of(data, block.line, len(header.names))


def rows_of(data: bytes, line: int, columns: int) -> Iterator[Row | BrokenRow]:
    """Take whole lines apart into rows of ``columns`` cells; ``line`` is the first one's number."""
    lines = data.split(b"\n")
    at = 0
    while at < len(lines):
        text = lines[at]
        if not text.strip():
            at += 1
            continue
        cells = _parse(text, columns)
        if isinstance(cells, list):
            yield Row(line + at, cells)
            at += 1
            continue
        used, joined = _join(lines, at, columns) if text.count(b'"') % 2 else (1, None)
        if joined is None:
            yield BrokenRow(line + at, _id_of(text), cells)
        else:
            yield Row(line + at, joined)
        at += used


def _join(lines: list[bytes], at: int, columns: int) -> tuple[int, list[str] | None]:
    """Put a row of several lines together: how many lines it took, and its cells."""
    together, quotes = lines[at], lines[at].count(b'"')
    for used in range(2, _MOST_LINES_IN_A_ROW):
        if at + used > len(lines) or len(together) > MAX_ROW_BYTES:
            break
        following = lines[at + used - 1]
        if isinstance(_parse(following, columns), list):
            break  # a row in its own right: the one above it is damaged
        together += b"\n" + following
        quotes += following.count(b'"')
        if quotes % 2 == 0:
            cells = _parse(together, columns)
            if isinstance(cells, list):
                return used, cells
    return 1, None


def _parse(data: bytes, columns: int) -> list[str] | str:
    """Take a row apart: its cells, or what is wrong with it."""
    try:
        cells = _cells(data.decode().removesuffix("\r"))
        whole = data.count(b'"') % 2 == 0  # csv lets a stray quote pass inside a bare cell
    except UnicodeDecodeError:
        return "the row is not UTF-8 text"
    except csv.Error:
        whole = False
    if not whole:
        return "the row is cut or its quotes do not match"
    if len(cells) != columns:
        return "the row has another number of columns than the header"
    return cells


def _cells(text: str) -> list[str]:
    """Split one row of CSV, strictly; the csv module's limit on a cell is lifted for the call."""
    limit = csv.field_size_limit()
    if len(text) > limit:
        csv.field_size_limit(MAX_ROW_BYTES)
    try:
        rows = list(csv.reader([text], strict=True))
    finally:
        csv.field_size_limit(limit)
    if len(rows) != 1:
        raise csv.Error("not one row")
    return rows[0]


def _id_of(data: bytes) -> str:
    """Return the classification id at the start of a damaged row, if it still has one."""
    found = _ID.match(data)
    return found[1].decode(errors="replace") if found else ""
