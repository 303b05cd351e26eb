"""What the data set that an image comes from knows of it: split, group, votes, channel names."""

import csv
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from crosspatch import images
from crosspatch.dataset.index import index_folder
from crosspatch.errors import InputError
from crosspatch.files import read_toml


@dataclass(frozen=True)
class Source:
    """A data set whose images are reviewed; all empty where the images lie in a plain folder."""

    splits: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    votes: dict[str, Path] = field(default_factory=dict)
    voters: dict[str, int] = field(default_factory=dict)
    channel_names: tuple[str, ...] | None = None
    licence: str | None = None
    origin: str | None = None
    said: tuple[str, ...] = ()

    @cached_property
    def _split_of_group(self) -> dict[str, str]:
        """The split of each group that is in one split only."""
        found: dict[str, set[str]] = defaultdict(set)
        for name, split in self.splits.items():
            found[self.groups.get(name, name)].add(split)
        return {group: splits.pop() for group, splits in found.items() if len(splits) == 1}

    def split_of(self, name: str) -> str | None:
        """Return a subject's split; where it has none, that of its group, so that none leaks."""
        return self.splits.get(name) or self._split_of_group.get(self.groups.get(name, name))


def source_of(image_folder: Path) -> Source:
    """Read the tables of the data set that ``image_folder`` is the ``images/`` of."""
    folder = image_folder.parent
    if image_folder.name != "images":
        return Source()
    try:
        table = read_toml(folder / "dataset.toml") if (folder / "dataset.toml").is_file() else {}
        index = index_folder(folder, 0) if (folder / "splits.csv").is_file() else None
        voters = _voters(folder / "subjects.csv")
    except InputError as error:
        return Source(said=(f"splits, groups and votes are not known: {error}",))
    names = table.get("channels")
    licence, origin = table.get("licence"), table.get("origin")
    subjects = index.subjects if index else []
    votes = folder / "votes"
    return Source(
        {subject.name: subject.split for subject in subjects if subject.split},
        {subject.name: subject.group for subject in subjects},
        {path.stem: path for path in images.find_images(votes)} if votes.is_dir() else {},
        voters,
        tuple(map(str, names)) if isinstance(names, list) and names else None,
        licence if isinstance(licence, str) else None,
        origin if isinstance(origin, str) else None,
    )


def _voters(path: Path) -> dict[str, int]:
    """Read how many people voted on each subject, from a consensus data set's subjects.csv."""
    if not path.is_file():
        return {}
    counts: dict[str, int] = defaultdict(int)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if (row.get("voters") or "").isdigit():
                    counts[row.get("name") or ""] = int(row["voters"])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    return dict(counts)
