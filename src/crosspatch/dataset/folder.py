"""A data set folder, opened: its subjects, and their images and masks as arrays."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch import images
from crosspatch.dataset.index import Problem, Subject, index_folder
from crosspatch.dataset.masks import (
    MaskValues,
    class_against_rest,
    declared_classes,
    declared_values,
    values_in,
)
from crosspatch.errors import InputError
from crosspatch.files import PathLike, fingerprint_bytes, fingerprint_file, read_toml


@dataclass(frozen=True)
class Dataset:
    """A folder of images and masks; accepted wherever a path is.

    Attributes
    ----------
    path, name : the folder; its name
    subjects : every image, in the order of names
    channel_names : from dataset.toml, else from the first image; None where neither says
    classes : class name -> stored mask value; empty where dataset.toml has none
    foreground : names of what masks call 1 (("foreground",) where it has no name)
    mask_values : which stored values are background, foreground, ignored
    problems : what was wrong with names and splits.csv (``check`` finds the rest)
    said : what was assumed and must be said aloud, and the notes in dataset.toml
    licence, origin : from dataset.toml
    channels_declared : dataset.toml names the channels, so every image must have as many
    """

    path: Path
    subjects: tuple[Subject, ...]
    channel_names: tuple[str, ...] | None
    classes: dict[str, int]
    mask_values: MaskValues
    problems: tuple[Problem, ...] = ()
    said: tuple[str, ...] = ()
    licence: str | None = None
    origin: str | None = None
    channels_declared: bool = False

    @classmethod
    def open(cls, path: PathLike, *, foreground: str | None = None, seed: int = 0) -> "Dataset":
        """Open a data set folder.

        Parameters
        ----------
        path : folder with ``images/``, and usually ``masks/``, ``splits.csv``, ``dataset.toml``
        foreground : one name of ``[classes]``, to be set against all the rest
        seed : divides the subjects by group where there is no splits.csv

        Raises
        ------
        InputError
            The folder is no data set, its TOML or CSV cannot be read, or it has several classes
            and ``foreground`` does not choose one.
        """
        folder = Path(path)
        index = index_folder(folder, seed)
        said_of = folder / "dataset.toml"
        table = read_toml(said_of) if said_of.exists() else {}
        classes = declared_classes(table, str(said_of))
        values, said = _mask_values(index.subjects, table, classes, foreground, str(said_of))
        return cls(
            path=folder,
            subjects=tuple(index.subjects),
            channel_names=_channel_names(table, index.subjects, str(said_of)),
            classes=classes,
            mask_values=values,
            problems=tuple(index.problems),
            said=(*_notes(table, str(said_of)), *index.said, *said),
            licence=_text(table, "licence", str(said_of)),
            origin=_text(table, "origin", str(said_of)),
            channels_declared="channels" in table,
        )

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        """The folder's name."""
        return Path(os.path.abspath(self.path)).name  # noqa: PTH100 - keeps the name of a link

    @property
    def foreground(self) -> tuple[str, ...]:
        """Names of the classes that masks call 1."""
        named = [
            name for name, value in self.classes.items() if value in self.mask_values.foreground
        ]
        return tuple(named) or ("foreground",)

    @cached_property
    def labelled(self) -> tuple[Subject, ...]:
        """The subjects that have a mask."""
        return tuple(subject for subject in self.subjects if subject.mask is not None)

    @cached_property
    def unlabelled(self) -> tuple[Subject, ...]:
        """The subjects that have none."""
        return tuple(subject for subject in self.subjects if subject.mask is None)

    @cached_property
    def ruled_out(self) -> dict[str, str]:
        """Why subjects can be neither trained nor tested on, by name: two files, a bad row."""
        return {
            problem.subject: f"{problem.file}: {problem.what}"
            for problem in self.problems
            if problem.subject is not None and not problem.warning
        }

    def in_split(self, split: str) -> tuple[Subject, ...]:
        """Return the labelled subjects of one split ("train", "val" or "test") not ruled out."""
        return tuple(
            subject
            for subject in self.labelled
            if subject.split == split and subject.name not in self.ruled_out
        )

    def read_image(self, subject: Subject) -> images.Image:
        """Read a subject's image: ``.pixels`` is (C, H, W) in the dtype of the file.

        Raises
        ------
        InputError
            The file cannot be read, holds NaN or infinite values, or has another number of
            channels than there are channel names.
        """
        image = images.read_image(subject.image)
        if image.pixels.dtype.kind == "f" and not np.isfinite(image.pixels).all():
            bad = int(np.count_nonzero(~np.isfinite(image.pixels)))
            raise InputError(
                f"{subject.image}: {bad} of its values are NaN or infinite: replace them by a "
                "number, and mark the place 255 (ignored) in the mask"
            )
        channels = image.pixels.shape[0]
        if self.channels_declared and channels != len(self.channel_names or ()):
            raise InputError(
                f"{subject.image}: has {channels} channels, but the data set has "
                f"{len(self.channel_names or ())} ({', '.join(self.channel_names or ())})"
            )
        return image

    def read_mask(self, subject: Subject) -> NDArray[np.uint8]:
        """Read a subject's mask: (H, W) uint8, 0 background, 1 foreground, 255 ignored.

        Raises
        ------
        InputError
            The subject has no mask, the file cannot be read, or it holds an undeclared value.
        """
        if subject.mask is None:
            raise InputError(f"{subject.image}: has no mask in {self.path / 'masks'}")
        return self.mask_values.translate(images.read_mask(subject.mask), str(subject.mask))

    def content(self, subject: Subject) -> str:
        """Return the fingerprint of a subject's decoded pixels (see ``content_of``)."""
        return content_of(self.read_image(subject).pixels)

    def fingerprint(self) -> str:
        """Return the fingerprint of everything that crops are made of: bytes, splits, meanings.

        Other problems than those that rule a subject out are not in it: they change no crop.
        """
        paths = [path for subject in self.subjects for path in (subject.image, subject.mask)]
        with ThreadPoolExecutor() as pool:
            contents = list(pool.map(_bytes_of, paths))
        digest = hashlib.sha256()
        for subject, image, mask in zip(self.subjects, contents[::2], contents[1::2], strict=True):
            for part in (subject.name, subject.split or "", subject.group, image, mask):
                digest.update(part.encode() + b"\0")
        for name in sorted(self.ruled_out):
            digest.update(b"ruled out\0" + name.encode() + b"\0")
        settings = repr((self.channel_names, self.foreground, self.mask_values.as_table()))
        return fingerprint_bytes(digest.digest(), settings.encode())


def _bytes_of(path: Path | None) -> str:
    """Fingerprint of a file; a mark where it cannot be read, so that its subject is skipped."""
    try:
        return fingerprint_file(path) if path else ""
    except OSError:
        return "unreadable"


def content_of(pixels: NDArray[Any]) -> str:
    """Return the fingerprint of an image's decoded pixels: two copies in two formats are equal.

    Parameters
    ----------
    pixels : (C, H, W), any dtype; its shape and dtype count too
    """
    little = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    header = f"{little.dtype.str} {little.shape}".encode()
    return fingerprint_bytes(header, np.ascontiguousarray(little).tobytes())


def _mask_values(
    subjects: Sequence[Subject],
    table: dict[str, Any],
    classes: dict[str, int],
    foreground: str | None,
    said_of: str,
) -> tuple[MaskValues, list[str]]:
    """Decide what mask values mean, and say what was not declared but assumed."""
    declared = declared_values(table, said_of)
    if foreground is not None:
        return class_against_rest(classes, foreground, declared, said_of), []
    if declared is not None:
        return declared, []
    if classes:
        choices = [name for name, value in classes.items() if value != 0]
        if len(choices) == 1:
            return class_against_rest(classes, choices[0], None, said_of), []
        raise InputError(
            f"{said_of}: has several classes; choose which one is the foreground "
            f"(--foreground NAME): {', '.join(classes)}"
        )
    return _assumed_values([subject.mask for subject in subjects if subject.mask is not None])


def _assumed_values(masks: Sequence[Path]) -> tuple[MaskValues, list[str]]:
    """Apply the rule for masks that nothing declares: only 0 and 255 means 255 = foreground.

    A mask that holds both 1 and 255 shows what they mean; where none does, the guess is said.
    """
    holds_255, one, odd = False, "", ""
    for path, values in _values_of_masks(masks):
        if {1, 255} <= values:
            return MaskValues(), []
        if 1 in values:
            one = one or path.name
        elif strangers := sorted(values - {0, 255}):
            odd = odd or f"{path.name} holds {strangers[0]}"
        holds_255 = holds_255 or 255 in values
    if not holds_255:
        return MaskValues(), []
    if one:
        return MaskValues(), [
            f"255 is read as ignored because {one} holds 1: declare mask_values in dataset.toml if "
            "it means foreground"
        ]
    if odd:
        return MaskValues(), [
            "255 is read as ignored, not as foreground, because not every mask holds only 0 and "
            f"255 ({odd}): declare mask_values in dataset.toml"
        ]
    meaning = MaskValues(frozenset({0}), frozenset({255}), frozenset())
    return meaning, ["the masks hold only 0 and 255, so 255 is read as foreground"]


def _values_of_masks(masks: Sequence[Path]) -> Iterator[tuple[Path, set[int]]]:
    """Yield each readable mask's values, decoded a few at a time; ``check`` lists the others."""

    def read(path: Path) -> set[int] | None:
        try:
            return values_in(images.read_mask(path))
        except InputError:
            return None

    at_once = 32
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(masks), at_once):
            some = masks[start : start + at_once]
            for path, values in zip(some, pool.map(read, some), strict=True):
                if values is not None:
                    yield path, values


def _channel_names(
    table: dict[str, Any], subjects: Sequence[Subject], said_of: str
) -> tuple[str, ...] | None:
    names = table.get("channels")
    if names is None:
        for subject in subjects:
            try:
                return images.read_image(subject.image).channel_names
            except InputError:
                continue
        return None
    if not isinstance(names, list) or not all(isinstance(n, str) and n for n in names) or not names:
        raise InputError(f"{said_of}: channels must be a list of names, one a channel")
    if len(set(names)) < len(names):
        raise InputError(f"{said_of}: channels names one channel twice")
    return tuple(names)


def _notes(table: dict[str, Any], said_of: str) -> list[str]:
    notes = table.get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise InputError(f"{said_of}: notes must be a list of sentences")
    return notes


def _text(table: dict[str, Any], key: str, said_of: str) -> str | None:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise InputError(f"{said_of}: {key} must be text in quotes")
    return value
