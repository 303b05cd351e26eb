"""Which images a prediction is asked for, and under which names its files are written."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crosspatch import images
from crosspatch.errors import InputError
from crosspatch.files import PathLike, read_toml
from crosspatch.images.ngff import is_zarr

_LONGEST = 120  # characters of a name: room for a suffix within what file systems allow
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{p}{n}" for p in ("com", "lpt") for n in range(1, 10)}


@dataclass(frozen=True)
class Input:
    """An image to predict.

    name : unique among all, a safe file name without suffix; path : the file; channel_names : as
    its data set declares them, else None
    """

    name: str
    path: Path
    channel_names: tuple[str, ...] | None = None


def find_inputs(given: PathLike | Iterable[PathLike]) -> list[Input]:
    """List the images of files, folders of images, and data sets.

    Parameters
    ----------
    given : path, or several
        A folder that holds a folder ``images`` is a data set, one that is a Zarr group is an image;
        any other is searched itself, not its subfolders.

    Returns
    -------
    list of Input
        In the order given, each file once. Two files of one stem get names of their own.

    Raises
    ------
    InputError
        A path does not exist, or a folder holds no image.
    """
    several = [given] if isinstance(given, str | os.PathLike) else list(given)
    found: dict[Path, tuple[Path, tuple[str, ...] | None]] = {}
    for path in map(Path, several):
        for file, channels in _images_of(path):
            found.setdefault(file.resolve(), (file, channels))
    if not found:
        raise InputError("name at least one image, folder of images, or data set to predict")
    names = safe_names([_stem(file) for file, _ in found.values()])
    return [
        Input(name, file, channels)
        for name, (file, channels) in zip(names, found.values(), strict=True)
    ]


def _images_of(path: Path) -> list[tuple[Path, tuple[str, ...] | None]]:
    if not path.is_dir() or is_zarr(path):
        if not path.exists():
            raise InputError(f"{path}: does not exist")
        return [(path, None)]
    is_dataset = (path / "images").is_dir()
    files = images.find_images(path / "images" if is_dataset else path)
    if not is_dataset:
        files = sorted([*files, *(child for child in path.iterdir() if is_zarr(child))])
    if not files:
        raise InputError(f"{path}: holds no image ({', '.join(images.SUFFIXES)}, .zarr)")
    names = _declared_channels(path) if is_dataset else None
    return [(file, names) for file in files]


def _declared_channels(dataset: Path) -> tuple[str, ...] | None:
    """Channel names of dataset.toml; a data set without masks needs nothing else of it."""
    table = dataset / "dataset.toml"
    names = read_toml(table).get("channels") if table.exists() else None
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{table}: channels must be a list of names")
    return tuple(names)


def _stem(path: Path) -> str:
    """Name without suffix; ``.ome.tif`` and ``.ome.zarr`` are one."""
    return path.stem[:-4] if path.stem.lower().endswith(".ome") else path.stem


def safe_names(stems: Sequence[str]) -> list[str]:
    """Turn stems into names that are distinct, and files on every system.

    Case alone does not tell two files apart on Windows and macOS, so it does not here.
    """
    taken: set[str] = set()
    names = []
    for stem in stems:
        clean = _clean(stem)
        name, number = clean, 2
        while name.casefold() in taken:
            name, number = f"{clean}-{number}", number + 1
        taken.add(name.casefold())
        names.append(name)
    return names


def _clean(stem: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter in " ._-+=()[]" else "_" for letter in stem)
    kept = kept[:_LONGEST].strip(" .")
    reserved = kept.split(".")[0].casefold() in _RESERVED
    return f"_{kept}" if reserved or not kept else kept
