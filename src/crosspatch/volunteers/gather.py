"""From an export of any size to the ballots of one subject after another.

In an export the rows of a subject are scattered over the whole file, and the file may be larger
than memory. So it is read once, block by block, and every row's ballot (a tenth to a half of the
row) goes into one of many bucket files, chosen by its subject. Then a bucket, some 8 MB, is taken
into memory at a time: it holds all the rows of its subjects. Memory follows the block and the
bucket and not the file; the disk needs about the size of the export for as long as the work runs.
"""

import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

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

_BUCKET_BYTES = 8 * 2**20
_MOST_BUCKETS = 4096
_BLOCKS_AT_ONCE = 4
_FRAME = struct.Struct("<II")  # checksum of the subject, length of the ballot


@dataclass(frozen=True)
class Gathered:
    """An export taken apart by subject.

    Attributes
    ----------
    buckets : tuple of Path
        Files for :func:`ballots_in`; a subject is in one of them only.
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
    number = min(max(1, -(-size // _BUCKET_BYTES)), _MOST_BUCKETS)
    buckets = tuple(spill / f"{place:04}.bucket" for place in range(number))
    found = Reading()
    for bucket in buckets:
        bucket.touch()
    with Parallel(n_jobs=workers, max_nbytes=None) as pool:
        pieces = blocks(export, header)
        # A handful at a time: an endless queue of results would not have bounded memory.
        while piece := list(islice(pieces, _BLOCKS_AT_ONCE * workers)):
            work = (
                delayed(_read)(export, header, one, choice, tools, proposals, number)
                for one in piece
            )
            done = pool(work)
            for reading, _ in done:
                reject(reading.rejected)
                found.add(reading)
            _append(buckets, [spilled for _, spilled in done])
            progress("reading the export (MB)", piece[-1].stop // 2**20, size // 2**20)
    workflow = _workflow(export, found, choice)
    return Gathered(buckets, found, workflow, _region_tasks(found, choice, workflow, tools))


def _append(buckets: Sequence[Path], spilled: Sequence[dict[int, bytes]]) -> None:
    """Add ballots to their buckets; none stays open, as systems allow some hundred files only."""
    for place in sorted({place for one in spilled for place in one}):
        with buckets[place].open("ab") as file:
            file.writelines(one[place] for one in spilled if place in one)


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
    block: Block,
    choice: Choice,
    tools: ToolTable | None,
    proposals: Proposals | None,
    buckets: int,
) -> tuple[Reading, dict[int, bytes]]:
    """Read one block; runs in a worker."""
    reader = BallotReader(header.names, choice, tools, proposals)
    encode = msgspec.msgpack.Encoder().encode
    spilled: dict[int, list[bytes]] = {}
    for row in read_block(export, block, header):
        ballot = reader.read(row)
        if ballot is not None:
            data = encode(ballot)
            subject = _checksum(ballot.subject_id)
            spilled.setdefault(subject % buckets, []).extend(
                (_FRAME.pack(subject, len(data)), data)
            )
    return reader.found, {place: b"".join(parts) for place, parts in spilled.items()}


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
    decode = msgspec.msgpack.Decoder(Ballot).decode
    wanted = None if only is None else _checksum(only)
    subjects: dict[str, list[Ballot]] = {}
    with bucket.open("rb") as file:
        while frame := file.read(_FRAME.size):
            subject, length = _FRAME.unpack(frame)
            if wanted not in (None, subject):
                file.seek(length, os.SEEK_CUR)
                continue
            ballot = decode(file.read(length))
            if only in (None, ballot.subject_id):
                subjects.setdefault(ballot.subject_id, []).append(ballot)
    for name in sorted(subjects):
        yield name, subjects.pop(name)
