"""The bones of a data set folder: which files belong together, and what splits.csv says of them.

Nothing here decodes a pixel. Whatever is wrong is kept as a ``Problem`` instead of raised, so that
a check can show everything at once.
"""

import csv
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from crosspatch import images
from crosspatch.errors import InputError
from crosspatch.files import inside
from crosspatch.splits import SPLITS, seeded_split

MASK_SUFFIXES = (".png", ".tif", ".tiff")


@dataclass(frozen=True)
class Subject:
    """One image of a data set, and its mask if it has one.

    Attributes
    ----------
    name : the file name without its suffix
    image, mask : paths; ``mask`` is None for an unlabelled subject
    split : "train", "val", "test", or None (in no split: neither trained nor tested on)
    group : what must stay together (a scene, a volume, a place); its own name where none is given
    """

    name: str
    image: Path
    mask: Path | None
    split: str | None
    group: str


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a data set.

    Attributes
    ----------
    what, do : what is wrong; what to do about it
    file : path inside the data set folder
    row : line of that file, counted from 1 with the header, where the file is a table
    subject : the subject that cannot be used because of it; None where no single one is hit
    warning : the data set can be used all the same
    """

    what: str
    do: str
    file: str
    row: int | None = None
    subject: str | None = None
    warning: bool = False


@dataclass
class Index:
    """The subjects of a folder, the problems met, and what is worth saying aloud."""

    subjects: list[Subject]
    problems: list[Problem] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def index_folder(folder: Path, seed: int) -> Index:
    """Pair images with masks and read splits.csv.

    Raises
    ------
    InputError
        There is no ``images`` folder, it holds no image, or splits.csv is no such table.
    """
    image_folder = folder / "images"
    if not image_folder.is_dir():
        raise InputError(
            f"{folder}: is not a data set: it has no folder 'images' (see 'dataset' in the docs)"
        )
    index = Index([])
    pictures = _by_stem(index, image_folder, images.SUFFIXES)
    masks = _by_stem(index, folder / "masks", MASK_SUFFIXES)
    if not pictures:
        raise InputError(f"{image_folder}: holds no image ({', '.join(sorted(images.SUFFIXES))})")
    for stem in sorted(set(masks) - set(pictures)):
        index.problems.append(
            Problem("mask without an image", "add the image or remove the mask",
                    f"masks/{masks[stem].name}")
        )  # fmt: skip
    index.subjects = [
        Subject(stem, path, masks.get(stem), None, stem) for stem, path in pictures.items()
    ]
    table = folder / "splits.csv"
    if table.exists():
        _apply_table(index, table, seed)
    else:
        everyone = {subject.name for subject in index.subjects}
        _split_by_seed(index, everyone, seed, "there is no splits.csv")
    return index


def _by_stem(index: Index, folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """Return the files of a folder by name without suffix, in the order of names."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith(".") or path.is_dir():
            continue
        if path.suffix.lower() in suffixes:
            found[path.stem].append(path)
        else:
            index.problems.append(
                Problem(
                    f"is no {' or '.join(sorted(suffixes))} file, so it is not read",
                    "save masks as PNG or TIFF: JPEG changes their values"
                    if path.suffix.lower() in images.SUFFIXES
                    else "convert it or move it elsewhere",
                    f"{folder.name}/{path.name}",
                    warning=True,
                )
            )
    index.problems += _collisions(folder.name, found)
    return {stem: paths[0] for stem, paths in sorted(found.items())}


def _collisions(folder_name: str, found: dict[str, list[Path]]) -> Iterator[Problem]:
    by_fold: dict[str, list[str]] = defaultdict(list)
    for stem, paths in found.items():
        by_fold[stem.casefold()].append(stem)
        if len(paths) > 1:
            names = " and ".join(path.name for path in paths)
            yield Problem(
                f"the subject {stem!r} has several files: {names}",
                "keep one of them",
                f"{folder_name}/{paths[1].name}",
                subject=stem,
            )
    for stems in by_fold.values():
        if len(stems) > 1:
            yield Problem(
                f"the names {' and '.join(map(repr, stems))} differ only in case",
                "rename one: on Windows and macOS they are the same file",
                f"{folder_name}/{found[stems[1]][0].name}",
                warning=True,
            )


def _split_by_seed(index: Index, names: Container[str], seed: int, because: str) -> None:
    """Divide the labelled ones of ``names`` by whole groups; the others stay in no split."""
    labelled = [
        subject for subject in index.subjects if subject.mask is not None and subject.name in names
    ]
    if not labelled:
        return
    split_of = seeded_split(
        [subject.name for subject in labelled], [subject.group for subject in labelled], seed=seed
    )
    index.subjects = [
        replace(subject, split=split_of.get(subject.name)) for subject in index.subjects
    ]
    counts = {split: list(split_of.values()).count(split) for split in ("train", "test")}
    index.said.append(
        f"{because}: {counts['train']} labelled subjects were chosen for training and "
        f"{counts['test']} for testing, by group, with seed {seed}"
    )


@dataclass(frozen=True)
class _Row:
    number: int
    split: str | None
    group: str | None


def _apply_table(index: Index, path: Path, seed: int) -> None:
    """Give every subject the split and group of its row."""
    columns, rows = _read_table(index, path, {subject.name for subject in index.subjects})
    for position, subject in enumerate(index.subjects):
        row = rows.get(subject.name)
        if row is not None:
            index.subjects[position] = replace(
                subject, split=row.split, group=row.group or subject.name
            )
        elif subject.mask is not None:
            index.problems.append(
                Problem(
                    f"the labelled subject {subject.name!r} has no row, so it is in no split",
                    "add a row (an empty split says that this is meant)",
                    path.name,
                    warning=True,
                )
            )
    if "split" not in columns:
        # Without a row a subject's group is not known: by its own it might stand in two splits.
        _split_by_seed(index, rows, seed, "splits.csv has no column 'split'")


def _read_table(index: Index, path: Path, known: set[str]) -> tuple[list[str], dict[str, _Row]]:
    rows: dict[str, _Row] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval=None)
            columns = list(reader.fieldnames or [])
            if "name" not in columns:
                raise InputError(f"{path}: has no column 'name' (it needs name,split,group)")
            for record in reader:
                _read_row(index, path, reader.line_num, record, known, rows)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: is not a CSV table in UTF-8 ({error})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return columns, rows


def _read_row(
    index: Index,
    path: Path,
    number: int,
    record: dict[str, str | None],
    known: set[str],
    rows: dict[str, _Row],
) -> None:
    def problem(what: str, do: str, subject: str | None = None) -> None:
        index.problems.append(Problem(what, do, path.name, number, subject))

    name = (record.get("name") or "").strip()
    if name not in known:
        try:
            inside(path.parent, name)
            problem(f"names {name!r}, which has no image", "correct the name or remove the row")
        except InputError:
            problem(f"names {name!r}, which is no name of a file", "correct the name")
        return
    if None in record.values() or None in record:
        problem("has too few or too many cells", "complete the row", name)
        return
    split = (record.get("split") or "").strip() or None
    group = (record.get("group") or "").strip() or None
    if split is not None and split not in SPLITS:
        problem(f"has the split {split!r}", f"write one of {', '.join(SPLITS)}, or nothing", name)
        split = None
    if name in rows:
        problem(f"names {name!r} again (first in row {rows[name].number})", "remove one", name)
        return
    rows[name] = _Row(number, split, group)
