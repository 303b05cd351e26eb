"""Finding everything that is wrong with a data set, at once, before any work is put into it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crosspatch.dataset.folder import Dataset, content_of
from crosspatch.dataset.index import Problem, Subject
from crosspatch.dataset.masks import FOREGROUND
from crosspatch.errors import InputError
from crosspatch.progress import Progress, silent
from crosspatch.splits import SPLITS, find_leaks

Kind = tuple[int, np.dtype[Any]]
"""Channels and dtype of an image: the same for all images of a data set."""


@dataclass(frozen=True)
class _Seen:
    """What one subject turned out to be when its files were decoded."""

    subject: Subject
    kind: Kind | None = None
    content: str = ""
    has_foreground: bool = False
    complaints: tuple[tuple[Path, str], ...] = ()


def check(dataset: Dataset, *, progress: Progress = silent) -> list[Problem]:
    """Decode everything once and list every problem.

    Parameters
    ----------
    dataset : as opened
    progress : told how many subjects were decoded

    Returns
    -------
    list of Problem: names and splits.csv first, then subjects in order, then the data set as a
    whole. Where ``warning`` is false a subject cannot be used, or a leak stops ``prepare``.
    """
    seen: list[_Seen] = []
    with ThreadPoolExecutor() as pool:
        for done, one in enumerate(pool.map(lambda s: _look(dataset, s), dataset.subjects), 1):
            seen.append(one)
            progress("checking", done, len(dataset.subjects))
    usual = usual_kind([one.kind for one in seen if one.kind is not None])
    problems = list(dataset.problems)
    for one in seen:
        problems += [
            Problem(what, "replace the file, or remove it", _inside(dataset, path),
                    subject=one.subject.name)
            for path, what in one.complaints
        ]  # fmt: skip
        if one.kind is not None and (stranger := unlike(one.kind, usual)):
            problems.append(
                Problem(stranger, "convert it or move it into a data set of its own",
                        _inside(dataset, one.subject.image), subject=one.subject.name)
            )  # fmt: skip
    return problems + list(_as_a_whole(dataset, seen))


def usual_kind(kinds: Sequence[Kind]) -> Kind | None:
    """Return the channels and dtype that most images have (the first such, if two tie)."""
    return Counter(kinds).most_common(1)[0][0] if kinds else None


def unlike(kind: Kind, usual: Kind | None) -> str | None:
    """Say how an image differs from the usual kind; None if it does not."""
    if usual is None or kind == usual:
        return None
    return (
        f"has {kind[0]} channel{'s' * (kind[0] != 1)} of {kind[1].name}, "
        f"but most images here have {usual[0]} of {usual[1].name}"
    )


def same_size(image_shape: tuple[int, int], mask_shape: tuple[int, int]) -> str | None:
    """Say that a mask, (H, W), has another size than its image, (H, W); None if it has not."""
    if image_shape == mask_shape:
        return None
    return (
        f"is {mask_shape[0]} x {mask_shape[1]} pixels (height x width), "
        f"but its image is {image_shape[0]} x {image_shape[1]}"
    )


def _look(dataset: Dataset, subject: Subject) -> _Seen:
    complaints: list[tuple[Path, str]] = []
    kind, content, shape, has_foreground = None, "", None, False
    try:
        pixels = dataset.read_image(subject).pixels
        kind, shape, content = (pixels.shape[0], pixels.dtype), pixels.shape[1:], content_of(pixels)
    except InputError as error:
        complaints.append((subject.image, _without_path(error, subject.image)))
    if subject.mask is not None:
        try:
            mask = dataset.read_mask(subject)
            has_foreground = bool((mask == FOREGROUND).any())
            if shape is not None and (other := same_size(shape, mask.shape)):
                complaints.append((subject.mask, other))
        except InputError as error:
            complaints.append((subject.mask, _without_path(error, subject.mask)))
    return _Seen(subject, kind, content, has_foreground, tuple(complaints))


def _as_a_whole(dataset: Dataset, seen: Sequence[_Seen]) -> Iterator[Problem]:
    """Find what no single subject shows: leaks, copies, no foreground, too little of everything."""
    splits = {
        split: [
            (one.subject.name, one.subject.group, one.content)
            for one in seen
            if one.subject.split == split and one.subject.mask is not None
        ]
        for split in SPLITS
    }
    for leak in find_leaks(splits):
        yield Problem(leak, "put both into one split", "splits.csv")
    labelled = [one for one in seen if one.subject.mask is not None]
    if labelled and not any(one.has_foreground for one in labelled):
        yield Problem("no mask holds any foreground", "check what the mask values mean "
                      "(mask_values in dataset.toml)", "masks", warning=True)  # fmt: skip
    if not labelled:
        yield Problem("no subject has a mask", "add masks under the names of the images, or use "
                      "it for prediction only", "masks", warning=True)  # fmt: skip
    for split in ("train", "test"):
        if labelled and not splits[split]:
            yield Problem(f"no labelled subject is in the split {split!r}", "move some there",
                          "splits.csv", warning=True)  # fmt: skip
    groups = {one.subject.group for one in labelled}
    if 0 < len(groups) < 3:
        yield Problem(
            f"there {'is' if len(groups) == 1 else 'are'} only {len(groups)} "
            f"labelled group{'s' * (len(groups) > 1)}: nothing can be said about new places",
            "label subjects of more scenes", "splits.csv", warning=True,
        )  # fmt: skip


def _inside(dataset: Dataset, path: Path) -> str:
    return path.relative_to(dataset.path).as_posix()


def _without_path(error: InputError, path: Path) -> str:
    """Return a message without the path before it: the table has a column for that."""
    return str(error).removeprefix(f"{path}: ")
