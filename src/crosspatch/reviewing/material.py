"""What there is to review: the subjects of a predictions folder or a data set, in queue order.

A folder may come from somebody else, so its tables are not believed: a name that climbs out, or a
link that leads out, is a problem of that subject, and never opened.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch import images
from crosspatch.dataset import Dataset, MaskValues
from crosspatch.errors import InputError
from crosspatch.files import PathLike, inside
from crosspatch.prediction.folder import Predictions
from crosspatch.reviewing.sources import Source, source_of

QUEUE = "queue.csv"
_END = 3  # parts of a path that must agree at its end: NAME/images/FILE of a data set


@dataclass(frozen=True)
class Item:
    """One subject to review.

    Attributes
    ----------
    name : of its files
    image, mask, probability, votes : what there is of it; None where there is nothing
    channel_names : of the image, as its data set has them; None where unknown
    voters : how many people voted, where that is known
    split, group : as its data set has them; None where unknown
    reason, priority : from queue.csv, else empty and None
    share : of the image that the model drew as foreground; None where no model did
    problem : why it cannot be reviewed; empty where it can
    """

    name: str
    image: Path | None = None
    mask: Path | None = None
    probability: Path | None = None
    votes: Path | None = None
    channel_names: tuple[str, ...] | None = None
    voters: int | None = None
    split: str | None = None
    group: str | None = None
    reason: str = ""
    priority: float | None = None
    share: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Material:
    """A folder to review.

    Attributes
    ----------
    path : the folder; decisions and corrected masks go into its ``reviews/``
    kind : "predictions" or "dataset"
    items : the subjects, those of queue.csv first and in its order
    foreground : what the masks draw
    mask_values : what the numbers stored in the masks mean
    channel_names : of the images, where something names them
    threshold : the probability from which the masks are foreground; None where no model drew them
    model : fingerprint of the model that drew the masks; empty where none did
    image_folders : places outside of ``path`` that images are read from
    said : what is worth saying aloud
    licence, origin : of the images
    """

    path: Path
    kind: str
    items: tuple[Item, ...]
    foreground: str
    mask_values: MaskValues
    channel_names: tuple[str, ...] | None = None
    threshold: float | None = None
    model: str = ""
    image_folders: tuple[Path, ...] = ()
    said: tuple[str, ...] = ()
    licence: str | None = None
    origin: str | None = None

    def contained(self, path: Path) -> Path:
        """Return a path of this folder, refusing one that a link leads out of it."""
        if not path.resolve().is_relative_to(self.path.resolve()):
            raise InputError(f"{path}: is a link that leads out of the folder; it is not followed")
        return path

    def read_mask(self, item: Item) -> NDArray[np.uint8] | None:
        """Read a subject's mask as the folder has it: (H, W) uint8 of 0, 1, 255; None without."""
        if item.mask is None:
            return None
        stored = images.read_mask(self.contained(item.mask))
        return self.mask_values.translate(stored, str(item.mask))


def open_material(
    folder: PathLike,
    *,
    image_folder: PathLike | None = None,
    queue: PathLike | None = None,
    foreground: str | None = None,
) -> Material:
    """Open a folder to review; no pixel is read.

    Parameters
    ----------
    folder : a predictions folder or a data set
    image_folder : where the images of a predictions folder lie now, if they were moved
    queue : table of the order; by itself ``queue.csv`` in the folder, else beside it
    foreground : the class to review, where a data set has several

    Raises
    ------
    InputError
        It is neither, or a table cannot be read.
    """
    path = Path(folder)
    if (path / "predictions.toml").is_file():
        material = _open_predictions(path, Path(image_folder) if image_folder else None)
    elif (path / "images").is_dir():
        material = _open_dataset(path, foreground)
    else:
        raise InputError(
            f"{path}: is neither a predictions folder (predictions.toml) nor a data set (images/)"
        )
    return _in_queue_order(material, Path(queue) if queue else None)


def _open_predictions(path: Path, image_folder: Path | None) -> Material:
    found = Predictions.open(path)
    sources: dict[Path, Source] = {}
    probabilities = _stems(path / "probabilities")
    items, places, seen = [], set(), set()
    for row in found.rows:
        name = row.get("name") or ""
        if problem := _bad_name(name) or ("the table names it twice" if name in seen else ""):
            items.append(Item(name, problem=problem))
            continue
        seen.add(name)
        image, problem = _find_image(row.get("file") or "", path, image_folder)
        item = Item(
            name,
            image,
            _mask_of(path, row.get("mask") or ""),
            probabilities.get(name),
            share=_number(row.get("foreground")),
            problem=problem,
        )
        if image is not None:
            places.add(image.parent)
            item = _from_source(item, image, sources)
        items.append(item)
    table: dict[str, Any] = found.table
    drawn = table.get("foreground")
    threshold = table.get("threshold")
    known = _agreed(source.channel_names for source in sources.values())
    return Material(
        path,
        "predictions",
        tuple(items),
        ", ".join(map(str, drawn)) if isinstance(drawn, list) and drawn else "foreground",
        MaskValues(),
        channel_names=known,
        threshold=float(threshold) if isinstance(threshold, int | float) else None,
        model=str(table.get("model_fingerprint") or ""),
        image_folders=tuple(sorted(places)),
        said=tuple(sentence for source in sources.values() for sentence in source.said),
        licence=_agreed(source.licence for source in sources.values()),
        origin=_agreed(source.origin for source in sources.values()),
    )


def _from_source(item: Item, image: Path, sources: dict[Path, Source]) -> Item:
    """Add what the image's own data set knows: split, group, votes."""
    if image.parent not in sources:
        sources[image.parent] = source_of(image.parent)
    source = sources[image.parent]
    return replace(
        item,
        channel_names=source.channel_names,
        votes=source.votes.get(image.stem),
        voters=source.voters.get(image.stem),
        split=source.split_of(image.stem),
        group=source.groups.get(image.stem),
    )


def _open_dataset(path: Path, foreground: str | None) -> Material:
    dataset = Dataset.open(path, foreground=foreground)
    source = source_of(path / "images")
    probabilities = _stems(path / "probabilities")
    items = [
        Item(
            subject.name,
            subject.image,
            subject.mask,
            probabilities.get(subject.name),
            source.votes.get(subject.name),
            voters=source.voters.get(subject.name),
            split=source.split_of(subject.name),
            group=source.groups.get(subject.name),
        )
        for subject in dataset.subjects
    ]
    return Material(
        path,
        "dataset",
        tuple(items),
        ", ".join(dataset.foreground),
        dataset.mask_values,
        channel_names=dataset.channel_names if dataset.channels_declared else None,
        said=dataset.said,
        licence=dataset.licence,
        origin=dataset.origin,
    )


def _bad_name(name: str) -> str:
    """Say why a name of a table cannot be a file's; empty where it can."""
    try:
        inside(Path("masks"), name)
    except InputError:
        return f"the table names {name!r}, which is no name of a file"
    return f"the table names {name!r}, which lies in another folder" if "/" in name else ""


def _mask_of(folder: Path, written: str) -> Path | None:
    """Find the mask that a row names; None where it is missing or lies elsewhere."""
    try:
        path = inside(folder, written)
    except InputError:
        return None
    return path if path.is_file() else None


def _find_image(written: str, folder: Path, image_folder: Path | None) -> tuple[Path | None, str]:
    """Find an image under the path that the table has for it, or by its name where it lies now."""
    if not written:
        return None, "the table names no image"
    named = Path(written)
    if named.suffix.lower() not in images.SUFFIXES:
        return None, f"{written} is no image"
    if image_folder is not None:
        places = [image_folder / named.name]
    else:
        places = [named] if named.is_absolute() else []
        places += _where_it_may_be(named, folder)
    for place in places:
        if place.is_file():
            return place, ""
    return None, f"its image {written} is not there: say where the images are with --images"


def _where_it_may_be(named: Path, folder: Path) -> list[Path]:
    """List where an image may be of which the table says where it was when predict ran.

    The path was written from the folder that predict ran in, which may be one above this one. And
    all of it may have been moved or renamed together: then the end of the path still holds, from
    the data set's folder on.
    """
    parts = named.parts[1:] if named.is_absolute() else named.parts
    ends = [Path(*parts[first:]) for first in range(len(parts) - _END + 1)]
    above = folder.resolve().parents
    if named.is_absolute():
        return [base / end for end in ends for base in above]
    return [base / end for end in ends or [named] for base in (Path(), folder, *above)]


def _stems(folder: Path) -> dict[str, Path]:
    """Return the images of a folder of ours by name without suffix; empty where there is none."""
    return {path.stem: path for path in images.find_images(folder)} if folder.is_dir() else {}


def _agreed(values: Iterable[Any]) -> Any:
    """Return what all have in common; None where they differ, or there is none."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def _in_queue_order(material: Material, given: Path | None) -> Material:
    """Put the subjects of queue.csv first, in its order; the others keep theirs."""
    beside = material.path.resolve().parent
    path = given or next(
        (place / QUEUE for place in (material.path, beside) if (place / QUEUE).is_file()), None
    )
    if path is None:
        return material
    rows = _read_queue(path)
    ranked = [
        replace(
            item,
            reason=(rows[item.name].get("reason") or "").strip(),
            priority=_number(rows[item.name].get("priority")),
        )
        if item.name in rows
        else item
        for item in material.items
    ]
    place_of = {name: place for place, name in enumerate(rows)}
    ranked.sort(key=lambda item: place_of.get(item.name, len(place_of)))
    known = {item.name for item in material.items}
    strangers = len(rows.keys() - known)
    said = f"the order is that of {path}"
    if strangers:
        said += f"; {strangers} of its {len(rows)} subjects are not in this folder"
    return replace(material, items=tuple(ranked), said=(*material.said, said))


def _read_queue(path: Path) -> dict[str, Mapping[str, str]]:
    """Read queue.csv by name, in the order of its column ``rank`` where it has one."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            if "name" not in (table.fieldnames or ()):
                raise InputError(f"{path}: has no column 'name', so it is no queue")
            rows = [row for row in table if row["name"]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    last = float("inf")
    rows.sort(key=lambda row: rank if (rank := _number(row.get("rank"))) is not None else last)
    return {row["name"]: row for row in rows}


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if np.isfinite(value) else None
