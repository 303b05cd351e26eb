"""COCO-Stuff: pixel maps and photos of everyday things, made into a data set for one label.

Numbering, as in COCO-Stuff's own list ``labels.txt``: 0 unlabelled, 1 person, ... 182 wood. Its
pixel maps (``stuffthingmaps_trainval2017``) store **the number minus one**, so person is 0, and 255
for unlabelled pixels, which are ignored here. Masks are never resized or interpolated.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch import images
from crosspatch.crops.coco_labels import NAMES
from crosspatch.crops.threads import cores, in_order
from crosspatch.dataset import BACKGROUND, FOREGROUND, IGNORED, Dataset, new_dataset
from crosspatch.dataset.check import same_size
from crosspatch.errors import InputError, SettingsError
from crosspatch.files import PathLike, write_text
from crosspatch.progress import Progress, silent
from crosspatch.splits import seeded_split

UNLABELLED = 255
"""What a pixel map stores where nobody said what is there."""

PARTS = {"train2017": "train", "val2017": "test"}
"""COCO's own folders, and the splits that the paper takes them for."""

LICENCE = "COCO-Stuff annotations: CC BY 4.0; photos: COCO, each under its own Flickr licence"


@dataclass(frozen=True)
class _Pair:
    """A photo, its pixel map, and COCO's split (None where the folders do not say)."""

    photo: Path
    pixelmap: Path
    split: str | None


@dataclass(frozen=True)
class _Read:
    """What became of a pair: a mask, nothing (without the label), or a reason to skip it."""

    mask: NDArray[np.uint8] | None = None
    grey: bool = False
    skipped: str | None = None


def label_number(label: str | int) -> int:
    """Return a label's number in ``labels.txt``, 1 to 182, from its name or the number itself.

    Raises
    ------
    SettingsError
        There is no such label.
    """
    text = str(label).strip().lower()
    if text.isdecimal():
        if 1 <= int(text) < len(NAMES):
            return int(text)
        raise SettingsError(f"COCO-Stuff numbers its labels from 1 (person) to 182, not {text}")
    if text in NAMES[1:]:
        return NAMES.index(text)
    close = get_close_matches(text, NAMES[1:], n=3, cutoff=0.5)
    meant = f": did you mean {', '.join(close)}?" if close else " (person, sea, tree, ...)"
    raise SettingsError(f"COCO-Stuff has no label {str(label)!r}{meant}")


def label_mask(pixelmap: NDArray[Any], number: int) -> NDArray[np.uint8]:
    """Turn a pixel map into a mask of one label.

    Parameters
    ----------
    pixelmap : (H, W) integers as stored: label number minus one, 255 unlabelled
    number : the label's number in ``labels.txt``, 1 to 182

    Returns
    -------
    (H, W) uint8: 1 the label, 0 another label, 255 unlabelled (ignored)

    Raises
    ------
    InputError
        The map holds 182 to 254, which these maps never do; the message says what it may be.
    """
    known = (pixelmap >= 0) & (pixelmap < len(NAMES) - 1) | (pixelmap == UNLABELLED)
    strangers = pixelmap[~known]
    if strangers.size:
        raise InputError(
            f"holds the value {strangers[0]}: pixel maps of COCO-Stuff hold 0 (person) to 181 and "
            "255 (unlabelled). Take stuffthingmaps_trainval2017; the 'stuff only' maps and those "
            "of COCO-Stuff 10K are numbered in another way"
        )
    mask = np.full(pixelmap.shape, BACKGROUND, dtype=np.uint8)
    mask[pixelmap == number - 1] = FOREGROUND
    mask[pixelmap == UNLABELLED] = IGNORED
    return mask


def import_folder(
    photos: PathLike,
    pixelmaps: PathLike,
    label: str | int,
    out: PathLike,
    *,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Dataset:
    """Make a data set of the photos that hold a label.

    Parameters
    ----------
    photos, pixelmaps : folders with ``NAME.jpg`` and ``NAME.png``; or both with the subfolders
        ``train2017`` and ``val2017``, which become the splits train and test as in the paper
    label : name ("person") or number in ``labels.txt`` (1)
    out : data set folder to make. Photos are copied as they are; grey ones become three equal
        channels. Without COCO's subfolders photos are split by ``seed``
    overwrite : replace what stands at ``out``
    progress : told how many pixel maps were read

    Returns
    -------
    Dataset; pairs that could not be read are listed in its skipped.csv

    Raises
    ------
    SettingsError, InputError
        There is no such label, no pixel map goes with a photo, the maps are numbered in another
        way, or no photo holds the label; nothing is written.
    """
    number = label_number(label)
    pairs = _pairs(Path(photos), Path(pixelmaps))
    skipped: list[tuple[str, str]] = []
    with new_dataset(
        out,
        channels=("red", "green", "blue"),
        foreground=NAMES[number],
        licence=LICENCE,
        origin=f"COCO-Stuff pixel maps, label {number} ({NAMES[number]})",
        overwrite=overwrite,
    ) as writer:
        read = in_order(lambda pair: _read(pair, number), pairs, cores())
        for done, (pair, one) in enumerate(zip(pairs, read, strict=True), 1):
            if one.skipped is not None:
                skipped.append((pair.photo.name, one.skipped))
            elif one.mask is not None:
                photo = pair.photo if not one.grey else _in_colour(pair.photo)
                writer.add(pair.photo.stem, photo, one.mask, split=pair.split)
            progress("reading pixel maps", done, len(pairs))
        if not len(writer):
            raise InputError(_nothing_found(Path(pixelmaps), len(pairs), NAMES[number], skipped))
        unplaced = {pair.photo.stem for pair in pairs if pair.split is None} & set(writer.names)
        writer.place(seeded_split(sorted(unplaced), sorted(unplaced), seed=seed))
        if skipped:
            _write_skipped(writer.folder / "skipped.csv", skipped)
            writer.note(f"{len(skipped)} of {len(pairs)} photos were skipped: see skipped.csv")
    return Dataset.open(out)


def _nothing_found(
    pixelmaps: Path, count: int, label: str, skipped: Sequence[tuple[str, str]]
) -> str:
    reasons = "".join(f"\n  {name}: {why}" for name, why in skipped[:5])
    return (
        f"{pixelmaps}: none of {count} photos holds the label {label!r}, "
        f"{len(skipped)} could not be read{':' * bool(skipped)}{reasons}"
    )


def _pairs(photos: Path, pixelmaps: Path) -> list[_Pair]:
    parts = [part for part in PARTS if (photos / part).is_dir() and (pixelmaps / part).is_dir()]
    pairs = list(_pairs_of(photos, pixelmaps, None))
    for part in parts:
        pairs += _pairs_of(photos / part, pixelmaps / part, PARTS[part])
    if not pairs:
        raise InputError(
            f"{pixelmaps}: no pixel map NAME.png goes with a photo NAME.jpg in {photos} "
            "(looked there and in train2017 and val2017)"
        )
    return pairs


def _pairs_of(photos: Path, pixelmaps: Path, split: str | None) -> Iterator[_Pair]:
    maps = {path.stem: path for path in images.find_images(pixelmaps) if path.suffix == ".png"}
    for photo in images.find_images(photos):
        if photo.stem in maps:
            yield _Pair(photo, maps[photo.stem], split)


def _read(pair: _Pair, number: int) -> _Read:
    """Read a pixel map and compare it with its photo's header; a broken file is skipped."""
    try:
        pixelmap = images.read_mask(pair.pixelmap)
        photo = images.read_header(pair.photo)
    except InputError as error:
        return _Read(skipped=str(error))
    if other := same_size((photo.height, photo.width), pixelmap.shape):
        return _Read(skipped=f"{pair.pixelmap}: {other}")
    if photo.channels not in (1, 3):
        return _Read(skipped=f"{pair.photo}: has {photo.channels} channels instead of 1 or 3")
    try:
        mask = label_mask(pixelmap, number)
    except InputError as error:  # the numbering is wrong in all maps: no reason to go on
        raise InputError(f"{pair.pixelmap}: {error}") from None
    holds_label = bool((mask == FOREGROUND).any())
    return _Read(mask=mask if holds_label else None, grey=photo.channels == 1)


def _in_colour(photo: Path) -> NDArray[Any]:
    """Repeat a grey photo's channel: (1, H, W) -> (3, H, W)."""
    return np.repeat(images.read_image(photo).pixels, 3, axis=0)


def _write_skipped(path: Path, skipped: Sequence[tuple[str, str]]) -> None:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("photo", "why"))
    table.writerows(skipped)
    write_text(path, text.getvalue())
