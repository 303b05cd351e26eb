"""From an export of any size to the ballots of one subject after another.

In an export the rows of a subject are scattered over the whole file, and the file may be larger
than memory. So it is read once, block by block, and every row's ballot (a tenth to a half of the
row) goes into one of many buckets, chosen by its subject. Then a bucket, some 8 MB at most, is
taken into memory at a time: it holds all the rows of its subjects. Memory follows the block and the
bucket and not the file; the disk needs about the size of the export for as long as the work runs.

A bucket is a folder in which each process has a file of its own: ballots go to the disk where they
were read, and only counts and rejections travel between processes.
"""

import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

import msgspec
from joblib import Parallel, delayed

from crosspatch.errors import InputError
from crosspatch.progress import Progress, silent
from crosspatch.volunteers.ballots import Ballot, Choice, Reading
from crosspatch.volunteers.panoptes import NEEDED_COLUMNS, BallotReader
from crosspatch.volunteers.proposals import Proposals
from crosspatch.volunteers.rows import Block, Header, blocks, read_block, read_header
from crosspatch.volunteers.tables import ToolTable
from crosspatch.volunteers.tally import Rejected

# A short export is cut finer, so that every process has its share.
_PIECES = 32
_BLOCK_BYTES = 2**18, 2**21
_BUCKET_BYTES = 2**20, 2**23
_MOST_BUCKETS = 4096
_FRAME = struct.Struct("<II")  # checksum of the subject, length of the ballot

Item = TypeVar("Item")
Done = TypeVar("Done")


@dataclass(frozen=True)
class Gathered:
    """An export taken apart by subject.

    Attributes
    ----------
    buckets : tuple of Path
        Folders for :func:`ballots_in`; a subject is in one of them only.
    found : Reading
        What was read, and what was rejected so far.
    workflow : str
        The workflow whose ballots count.
    region_tasks : frozenset of str
        Its tasks that draw areas: an empty answer to one of them is a blank vote.
    """

    buckets: tuple[Path, ...]
    found: Reading
    workflow: str
    region_tasks: frozenset[str]


def gather(
    export: Path,
    spill: Path,
    choice: Choice,
    *,
    tools: ToolTable | None = None,
    proposals: Proposals | None = None,
    workers: int = 1,
    reject: Callable[[list[Rejected]], None],
    progress: Progress = silent,
) -> Gathered:
    """Read an export into buckets.

    Parameters
    ----------
    export : the CSV file
    spill : an empty folder for the buckets, on a disk with room for about as much as the export
    choice : which workflow, version, task, tools and frame are wanted
    tools : from a workflows export; tells tools of equal fields apart
    proposals : outlines of a model that volunteers were shown
    workers : processes that read at the same time; 1 reads in this one
    reject : called with the rejections of each piece, in the order of the file
    progress : called with megabytes

    Raises
    ------
    InputError
        The file cannot be read, or lacks a column that is needed, or no row is wanted.
    """
    header = _header(export)
    size = export.stat().st_size
    number = min(max(1, -(-size // _share(size, _BUCKET_BYTES))), _MOST_BUCKETS)
    buckets = tuple(spill / f"{place:04}" for place in range(number))
    for bucket in buckets:
        bucket.mkdir()
    found = Reading()
    work = partial(_read, export, header, choice, tools, proposals, buckets)
    for stop, reading in each(work, blocks(export, header, _share(size, _BLOCK_BYTES)), workers):
        reject(reading.rejected)
        found.add(reading)
        progress("reading the export (MB)", stop // 2**20, size // 2**20)
    workflow = _workflow(export, found, choice)
    return Gathered(buckets, found, workflow, _region_tasks(found, choice, workflow, tools))


def each(work: Callable[[Item], Done], items: Iterable[Item], workers: int = 1) -> Iterator[Done]:
    """Do the work on every item in one or more processes; yield what comes out in their order.

    A few items only are taken before they are needed, so that they may be endless.
    """
    # Always the same arguments: others would start the processes anew.
    pool = Parallel(workers, max_nbytes=None, batch_size=1, return_as="generator")
    yield from pool(delayed(work)(item) for item in items)


def _share(size: int, limits: tuple[int, int]) -> int:
    return min(max(size // _PIECES, limits[0]), limits[1])


def _header(export: Path) -> Header:
    header = read_header(export)
    missing = header.missing(NEEDED_COLUMNS)
    if missing:
        raise InputError(
            f"{export}: lacks the columns {', '.join(missing)}; choose 'Request new classification "
            "export' in the project builder's Data Exports, and give that file as it is"
        )
    return header


def _read(
    export: Path,
    header: Header,
    choice: Choice,
    tools: ToolTable | None,
    proposals: Proposals | None,
    buckets: Sequence[Path],
    block: Block,
) -> tuple[int, Reading]:
    """Read one block into the buckets; runs in a worker."""
    reader = BallotReader(header.names, choice, tools, proposals)
    encode = msgspec.msgpack.Encoder().encode
    spilled: dict[Path, list[bytes]] = {}
    for row in read_block(export, block, header):
        ballot = reader.read(row)
        if ballot is not None:
            data = encode(ballot)
            subject = _checksum(ballot.subject_id)
            spilled.setdefault(buckets[subject % len(buckets)], []).extend(
                (_FRAME.pack(subject, len(data)), data)
            )
    for bucket, parts in spilled.items():  # none stays open: systems allow some hundred files only
        with (bucket / str(os.getpid())).open("ab") as file:
            file.write(b"".join(parts))
    return block.stop, reader.found


def _checksum(subject: str) -> int:
    return zlib.crc32(subject.encode())


def bucket_of(gathered: Gathered, subject: str) -> Path:
    """Return the bucket that holds a subject's ballots."""
    return gathered.buckets[_checksum(subject) % len(gathered.buckets)]


def _workflow(export: Path, found: Reading, choice: Choice) -> str:
    """Choose the workflow with most rows, the oldest of equals."""
    if not found.workflows:
        books = "; ".join(found.tally.sentences())
        raise InputError(f"{export}: no classification can be used ({books})")
    return min(found.workflows, key=lambda name: (-found.workflows[name], len(name), name))


def _region_tasks(
    found: Reading, choice: Choice, workflow: str, tools: ToolTable | None
) -> frozenset[str]:
    if choice.task is not None:
        return frozenset({choice.task})
    drawn = {task for where, task in found.region_tasks if where == workflow}
    return frozenset(drawn | tools.region_tasks(workflow, choice.tools) if tools else drawn)


def ballots_in(bucket: Path, only: str | None = None) -> Iterator[tuple[str, list[Ballot]]]:
    """Yield (subject id, its ballots in the order of the export), subjects by id; or only one."""
    subjects: dict[str, list[Ballot]] = {}
    for file in bucket.iterdir():
        for ballot in _ballots(file, only):
            subjects.setdefault(ballot.subject_id, []).append(ballot)
    for name in sorted(subjects):
        yield name, sorted(subjects.pop(name), key=attrgetter("line"))


def _ballots(path: Path, only: str | None) -> Iterator[Ballot]:
    decode = msgspec.msgpack.Decoder(Ballot).decode
    wanted = None if only is None else _checksum(only)
    with path.open("rb") as file:
        while frame := file.read(_FRAME.size):
            subject, length = _FRAME.unpack(frame)
            if wanted not in (None, subject):
                file.seek(length, os.SEEK_CUR)
                continue
            ballot = decode(file.read(length))
            if only in (None, ballot.subject_id):
                yield ballot
