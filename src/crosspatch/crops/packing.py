"""Packing: every labelled subject decoded once, resized, cut, and written behind the last one.

Subjects are decoded by threads (decoders release the interpreter lock) and written by the caller in
the order of their names, so that the pack is the same with any number of workers, and memory holds
a few subjects, never the data set.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from crosspatch import images
from crosspatch.crops.packed import Crops, Skipped
from crosspatch.crops.recipes import Recipe
from crosspatch.crops.writing import Cut, PackWriter
from crosspatch.dataset import Dataset, Subject
from crosspatch.dataset.check import Kind, same_size, unlike, usual_kind
from crosspatch.dataset.folder import content_of
from crosspatch.errors import InputError
from crosspatch.files import PathLike, fingerprint_bytes, new_folder, refuse_existing
from crosspatch.images.resize import resize_image, resize_mask
from crosspatch.progress import Progress, silent
from crosspatch.splits import SPLITS, find_leaks

PACKING = "crosspatch packing 1"
"""Goes into the fingerprint: raise it when the same inputs give another pack."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Job:
    """One labelled subject to pack, under the name that it has in the pack."""

    dataset: Dataset
    subject: Subject
    name: str
    group: str
    split: str


def pack(
    datasets: Sequence[Dataset],
    recipe: Recipe,
    out: PathLike,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Crops:
    """Cut the labelled subjects of data sets into a crops folder.

    Parameters
    ----------
    datasets : one or several; several give their names as prefixes (``kelp/scene1``)
    recipe : what to cut
    out : the folder to make; one that holds this very pack already is opened and left as it is
    workers : threads that decode; by itself one a core
    overwrite : replace another folder that stands there
    progress : told how many subjects were packed

    Returns
    -------
    Crops; its ``skipped`` lists subjects that could not be used

    Raises
    ------
    LeakError
        A group, or the content of an image, stands in two splits.
    InputError
        No subject is left to train on, or the data sets have different channels.
    """
    out = Path(out)
    workers = workers or os.cpu_count() or 1
    jobs, skipped, unplaced = _plan(datasets)
    find_leaks(_listed(jobs), refuse=True)
    fingerprints = [dataset.fingerprint() for dataset in datasets]
    fingerprint = _fingerprint(datasets, fingerprints, recipe)
    ready = _already_there(out, fingerprint)
    if ready is not None:
        return ready
    refuse_existing(out, overwrite=overwrite)
    kinds, unreadable = _kinds(jobs, workers)
    kind = _one_kind(datasets, kinds)
    skipped += unreadable
    skipped += [Skipped(job.name, why) for job, one in kinds if (why := unlike(one, kind))]
    good = [job for job, one in kinds if one == kind]
    channels = _channel_names(datasets, kind)
    with (
        new_folder(out, overwrite=overwrite) as folder,
        PackWriter(folder, recipe, kind) as writer,
    ):
        cuts = in_order(lambda job: _cut(job, recipe, kind), good, workers)
        for done, (job, cut) in enumerate(zip(good, cuts, strict=True), 1):
            if isinstance(cut, Skipped):
                skipped.append(cut)
            else:
                writer.add(job.name, job.group, job.split, cut)
            progress("packing", done, len(good))
        find_leaks(writer.listed(), refuse=True)
        _refuse_nothing_to_train(writer, skipped)
        writer.finish(
            channels=channels,
            foreground=tuple(dict.fromkeys(n for d in datasets for n in d.foreground)),
            fingerprint=fingerprint,
            datasets=datasets,
            fingerprints=fingerprints,
            unplaced=unplaced,
            skipped=skipped,
        )
    return Crops.open(out)


def in_order(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Map by threads, in order, with at most ``workers`` + 2 results waiting for the caller."""
    remaining = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[R]] = deque(
            pool.submit(function, item) for item in islice(remaining, workers + 2)
        )
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in islice(remaining, 1))
        finally:
            for future in waiting:
                future.cancel()


def _plan(datasets: Sequence[Dataset]) -> tuple[list[Job], list[Skipped], int]:
    """List labelled subjects that stand in a split, and the ruled out; count those in no split."""
    names = [dataset.name for dataset in datasets]
    if len(set(names)) < len(names):
        raise InputError(f"two data sets are called {max(names, key=names.count)!r}: rename one")
    jobs, skipped, unplaced = [], [], 0
    for dataset in datasets:
        prefix = f"{dataset.name}/" if len(datasets) > 1 else ""
        ruled_out = {
            problem.subject: f"{problem.file}: {problem.what}"
            for problem in dataset.problems
            if problem.subject is not None and not problem.warning
        }
        for subject in dataset.labelled:
            if subject.name in ruled_out:
                skipped.append(Skipped(prefix + subject.name, ruled_out[subject.name]))
            elif subject.split is not None:
                jobs.append(
                    Job(dataset, subject, prefix + subject.name, prefix + subject.group,
                        subject.split)
                )  # fmt: skip
            else:
                unplaced += 1
    return jobs, skipped, unplaced


def _listed(jobs: Sequence[Job]) -> dict[str, list[tuple[str, str, str]]]:
    return {
        split: [(job.name, job.group, "") for job in jobs if job.split == split] for split in SPLITS
    }


def _fingerprint(datasets: Sequence[Dataset], fingerprints: Sequence[str], recipe: Recipe) -> str:
    settings = json.dumps(recipe.as_table(), sort_keys=True)
    names = [dataset.name for dataset in datasets] if len(datasets) > 1 else []
    parts = [PACKING, settings, *names, *fingerprints]
    return fingerprint_bytes(*(part.encode() for part in parts))


def _already_there(out: Path, fingerprint: str) -> Crops | None:
    """Open the pack that stands at ``out`` if it is whole and would come out the same."""
    try:
        ready = Crops.open(out)
    except InputError:
        return None
    return ready if ready.fingerprint == fingerprint else None


def _kinds(jobs: Sequence[Job], workers: int) -> tuple[list[tuple[Job, Kind]], list[Skipped]]:
    """Read the headers: channels and dtype of every image, without decoding any."""

    def read(job: Job) -> Kind | Skipped:
        try:
            header = images.read_header(job.subject.image)
        except InputError as error:
            return Skipped(job.name, str(error))
        return header.channels, header.dtype

    found = list(zip(jobs, in_order(read, jobs, workers), strict=True))
    kinds = [(job, kind) for job, kind in found if not isinstance(kind, Skipped)]
    return kinds, [kind for _, kind in found if isinstance(kind, Skipped)]


def _one_kind(datasets: Sequence[Dataset], kinds: Sequence[tuple[Job, Kind]]) -> Kind:
    """Return the channels and dtype that the pack will have."""
    of_each = {
        dataset.name: usual
        for dataset in datasets
        if (usual := usual_kind([kind for job, kind in kinds if job.dataset is dataset]))
    }
    if not of_each:
        raise InputError(_nothing(datasets))
    if len(set(of_each.values())) > 1:
        listed = "; ".join(f"{name}: {c} x {dtype.name}" for name, (c, dtype) in of_each.items())
        raise InputError(f"the data sets have different channels and cannot be mixed ({listed})")
    return next(iter(of_each.values()))


def _nothing(datasets: Sequence[Dataset]) -> str:
    where = ", ".join(str(dataset.path) for dataset in datasets)
    labelled = sum(len(dataset.labelled) for dataset in datasets)
    return (
        f"{where}: none of the {labelled} labelled subjects can be packed; "
        "'crosspatch info' on the data set says what is wrong with each"
    )


def _channel_names(datasets: Sequence[Dataset], kind: Kind) -> tuple[str, ...]:
    """Return the channel names that the data sets agree on, or numbers from 1."""
    named = {
        dataset.channel_names
        for dataset in datasets
        if dataset.channel_names and len(dataset.channel_names) == kind[0]
    }
    if len(named) > 1:
        listed = " and ".join("(" + ", ".join(names) + ")" for names in sorted(named))
        raise InputError(f"the data sets have different channels and cannot be mixed: {listed}")
    return named.pop() if named else tuple(f"band {number + 1}" for number in range(kind[0]))


def _cut(job: Job, recipe: Recipe, kind: Kind) -> Cut | Skipped:
    """Decode and resize one subject, or say why it cannot be used."""
    try:
        pixels = job.dataset.read_image(job.subject).pixels
        mask = job.dataset.read_mask(job.subject)
    except InputError as error:
        return Skipped(job.name, str(error))
    shape = (pixels.shape[1], pixels.shape[2])
    if other := same_size(shape, mask.shape):
        return Skipped(job.name, f"{job.subject.mask}: {other}")
    if other := unlike((pixels.shape[0], pixels.dtype), kind):
        return Skipped(job.name, f"{job.subject.image}: {other}")
    content = content_of(pixels)
    wanted = recipe.resize.shape(*shape)
    if wanted != shape:
        pixels, mask = resize_image(pixels, wanted), resize_mask(mask, wanted)
    return Cut(pixels, mask, shape, content)


def _refuse_nothing_to_train(writer: PackWriter, skipped: Sequence[Skipped]) -> None:
    listed = writer.listed()
    if listed["train"]:
        return
    packed = sum(map(len, listed.values()))
    reasons = "".join(f"\n  {one.subject}: {one.why}" for one in skipped[:5])
    raise InputError(
        f"no subject is left to train on: {packed} are in other splits, {len(skipped)} were "
        f"skipped{':' if reasons else ''}{reasons}"
    )
