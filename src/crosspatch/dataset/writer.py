"""Writing a data set folder of our own: masks 0/1/255, everything declared, whole or not at all."""

import csv
import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch import images
from crosspatch.dataset.masks import BACKGROUND, FOREGROUND, IGNORED
from crosspatch.errors import InputError
from crosspatch.files import PathLike, inside, new_folder, write_text, write_toml


class DatasetWriter:
    """Takes subjects one by one; made by ``new_dataset``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: list[str] = []
        self._rows: dict[str, dict[str, str]] = {}
        (folder / "images").mkdir()
        (folder / "masks").mkdir()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the subjects, in the order they were added."""
        return tuple(self._rows)

    def __len__(self) -> int:
        """Return how many subjects were added."""
        return len(self._rows)

    def add(
        self,
        name: str,
        image: NDArray[Any] | PathLike,
        mask: NDArray[np.uint8] | None,
        *,
        split: str | None = None,
        group: str | None = None,
        georeference: images.Georeference | None = None,
        columns: Mapping[str, object] | None = None,
    ) -> None:
        """Add a subject.

        Parameters
        ----------
        name : file name without suffix
        image : (C, H, W) pixels (PNG for 1 or 3 channels of 8 bits, else TIFF), or the path of a
            file to copy as it is
        mask : (H, W) uint8 of 0, 1, 255; None for an unlabelled subject
        split, group : as in ``Subject``
        georeference : kept where pixels are given; such an image is a GeoTIFF
        columns : more columns for splits.csv

        Raises
        ------
        InputError
            The name climbs out of the folder or was used before, or the mask has other values.
        """
        self._refuse_name(name)
        if mask is not None:
            self._write_mask(name, mask, georeference)
        if isinstance(image, np.ndarray):
            plain = image.dtype == np.uint8 and image.shape[0] in (1, 3) and georeference is None
            path = inside(self.folder / "images", name + (".png" if plain else ".tif"))
            images.write_image(path, image, georeference=georeference)
        else:
            source = Path(image)
            shutil.copyfile(source, inside(self.folder / "images", name + source.suffix.lower()))
        more = {key: str(value) for key, value in (columns or {}).items()}
        self._rows[name] = {"name": name, "split": split or "", "group": group or name} | more

    def enter(self, name: str, *, split: str | None = None, group: str | None = None) -> None:
        """List a subject whose files somebody else wrote into ``folder``; errors as ``add``."""
        self._refuse_name(name)
        self._rows[name] = {"name": name, "split": split or "", "group": group or name}

    def place(self, splits: Mapping[str, str]) -> None:
        """Put subjects, by name, into splits, once it is known which there are."""
        for name, split in splits.items():
            self._rows[name]["split"] = split

    def note(self, sentence: str) -> None:
        """Keep a sentence in dataset.toml that everybody who opens the data set is told."""
        self.notes.append(sentence)

    def _refuse_name(self, name: str) -> None:
        if not name or "/" in name or "\\" in name or name.startswith("."):
            raise InputError(f"{name!r} cannot be the name of a subject")
        if name in self._rows:
            raise InputError(f"the subject {name!r} was added twice")

    def _write_mask(
        self, name: str, mask: NDArray[np.uint8], georeference: images.Georeference | None
    ) -> None:
        if mask.dtype != np.uint8 or not np.isin(mask, (BACKGROUND, FOREGROUND, IGNORED)).all():
            raise InputError(f"the mask of {name!r} holds other values than 0, 1 and 255")
        suffix = ".png" if georeference is None else ".tif"
        images.write_mask(
            inside(self.folder / "masks", name + suffix), mask, georeference=georeference
        )

    def write_splits(self) -> None:
        """Write splits.csv: name, split, group, then what else was given."""
        columns = list(dict.fromkeys(key for row in self._rows.values() for key in row))
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(self._rows[name] for name in sorted(self._rows))
        write_text(self.folder / "splits.csv", text.getvalue())


@contextmanager
def new_dataset(
    out: PathLike,
    *,
    channels: Sequence[str] | None = None,
    foreground: str = "foreground",
    licence: str | None = None,
    origin: str | None = None,
    overwrite: bool = False,
) -> Iterator[DatasetWriter]:
    """Make a data set folder that appears only when all of it is written.

    Parameters
    ----------
    out : the folder to make
    channels : names of the channels; leave out where the images are of several kinds
    foreground : what the masks' 1 is called
    licence, origin : what a reader must know before using the images
    overwrite : replace a data set of ours (with a dataset.toml) that stands there

    Yields
    ------
    DatasetWriter, to ``add`` subjects to; its ``folder`` takes further files
    """
    with new_folder(out, kind="dataset", overwrite=overwrite) as folder:
        writer = DatasetWriter(folder)
        yield writer
        if not len(writer):
            raise InputError(f"{out}: not made, because no subject is left to put into it")
        writer.write_splits()
        table = {
            "channels": list(channels) if channels is not None else None,
            "mask_values": {
                "background": [BACKGROUND], "foreground": [FOREGROUND], "ignored": [IGNORED],
            },
            "classes": {"background": BACKGROUND, foreground: FOREGROUND},
            "licence": licence,
            "origin": origin,
            "notes": writer.notes or None,
        }  # fmt: skip
        write_toml(folder / "dataset.toml", table, says="A crosspatch data set: images and masks.")
