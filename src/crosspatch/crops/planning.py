"""Planning a pack: which subjects go in under which names, and what all of them must be like.

Nothing is decoded here; what names and headers show to be wrong is refused or left out early.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from crosspatch import images
from crosspatch.crops.packed import Skipped
from crosspatch.crops.recipes import Recipe
from crosspatch.crops.threads import in_order
from crosspatch.dataset import Dataset, Subject
from crosspatch.dataset.check import Kind, unlike, usual_kind
from crosspatch.errors import InputError
from crosspatch.files import fingerprint_bytes
from crosspatch.splits import SPLITS, find_leaks

PACKING, PACKING_SEVERAL = "crosspatch packing 1", "crosspatch packing 2"
"""Go into the fingerprint of one data set, and of several: raise one when the same inputs give
another pack."""


@dataclass(frozen=True)
class Job:
    """One labelled subject to pack, under the name, group and split that it has in the pack."""

    dataset: Dataset
    subject: Subject
    name: str
    group: str
    split: str


@dataclass(frozen=True)
class Plan:
    """What goes into a pack.

    Attributes
    ----------
    datasets, recipe : as asked for
    jobs : the subjects to pack
    skipped : those that their names or rows rule out
    unplaced : how many labelled subjects are in no split
    fingerprints, fingerprint : of each data set; of all of them with the recipe
    """

    datasets: tuple[Dataset, ...]
    recipe: Recipe
    jobs: tuple[Job, ...]
    skipped: tuple[Skipped, ...]
    unplaced: int
    fingerprints: tuple[str, ...]
    fingerprint: str

    @property
    def problems(self) -> list[str]:
        """What is wrong with names and splits.csv and hits no one subject: an orphaned mask."""
        return [
            f"{data.name}/{one.file}{f', row {one.row}' if one.row else ''}: {one.what}; {one.do}"
            for data in self.datasets
            for one in data.problems
            if one.subject is None and not one.warning
        ]

    @property
    def foreground(self) -> tuple[str, ...]:
        """Names of what the masks call 1, each once."""
        return tuple(dict.fromkeys(name for data in self.datasets for name in data.foreground))


def make_plan(datasets: Sequence[Dataset], recipe: Recipe) -> Plan:
    """List what goes into a pack.

    Raises
    ------
    LeakError
        A group stands in two splits.
    InputError
        Two data sets have one name.
    """
    jobs, skipped, unplaced = _jobs(datasets)
    find_leaks(
        {
            split: [(job.name, job.group, "") for job in jobs if job.split == split]
            for split in SPLITS
        },
        refuse=True,
    )
    fingerprints = tuple(dataset.fingerprint() for dataset in datasets)
    fingerprint = _fingerprint(datasets, fingerprints, recipe)
    return Plan(
        tuple(datasets), recipe, tuple(jobs), tuple(skipped), unplaced, fingerprints, fingerprint
    )


def of_one_kind(plan: Plan, workers: int) -> tuple[Kind, list[Job], list[Skipped]]:
    """Read the headers, and part the images of the usual kind from the others.

    Returns
    -------
    kind : channels and dtype of the pack
    jobs : those of that kind
    skipped : the others, and those whose header cannot be read

    Raises
    ------
    InputError
        No image can be read, or the data sets are of different kinds.
    """
    kinds, skipped = _kinds(plan.jobs, workers)
    kind = _one_kind(plan.datasets, kinds)
    skipped += [Skipped(job.name, why) for job, one in kinds if (why := unlike(one, kind))]
    return kind, [job for job, one in kinds if one == kind], skipped


def channel_names(datasets: Sequence[Dataset], kind: Kind) -> tuple[str, ...]:
    """Return the channel names that the data sets agree on, or numbers from 1.

    Raises
    ------
    InputError
        They disagree.
    """
    named = {
        dataset.channel_names
        for dataset in datasets
        if dataset.channel_names and len(dataset.channel_names) == kind[0]
    }
    if len(named) > 1:
        listed = " and ".join("(" + ", ".join(names) + ")" for names in sorted(named))
        raise InputError(f"the data sets have different channels and cannot be mixed: {listed}")
    return named.pop() if named else tuple(f"band {number + 1}" for number in range(kind[0]))


def _jobs(datasets: Sequence[Dataset]) -> tuple[list[Job], list[Skipped], int]:
    """List labelled subjects that stand in a split, and the ruled out; count those in no split.

    Of several data sets, names are prefixed. Groups are not: a scene may stand in two of them.
    """
    names = [dataset.name for dataset in datasets]
    if len(set(names)) < len(names):
        raise InputError(f"two data sets are called {max(names, key=names.count)!r}: rename one")
    jobs, skipped, unplaced = [], [], 0
    for dataset in datasets:
        prefix = f"{dataset.name}/" if len(datasets) > 1 else ""
        sizes = Counter(subject.group for subject in dataset.subjects)
        for subject in dataset.labelled:
            name, group = prefix + subject.name, subject.group
            if group == subject.name and sizes[group] == 1:
                group = name  # a group of its own, as where splits.csv says nothing
            if subject.name in dataset.ruled_out:
                skipped.append(Skipped(name, dataset.ruled_out[subject.name]))
            elif subject.split is not None:
                jobs.append(Job(dataset, subject, name, group, subject.split))
            else:
                unplaced += 1
    return jobs, skipped, unplaced


def _fingerprint(datasets: Sequence[Dataset], fingerprints: Sequence[str], recipe: Recipe) -> str:
    settings = json.dumps(recipe.as_table(), sort_keys=True)
    several = len(datasets) > 1
    names = [dataset.name for dataset in datasets] if several else []
    parts = [PACKING_SEVERAL if several else PACKING, settings, *names, *fingerprints]
    return fingerprint_bytes(*(part.encode() for part in parts))


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
