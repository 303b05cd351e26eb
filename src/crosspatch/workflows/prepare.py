"""``crosspatch prepare``: data sets and a recipe in, a crops folder out."""

from collections.abc import Iterable
from pathlib import Path

from crosspatch import crops
from crosspatch.crops import Crops
from crosspatch.dataset import Dataset
from crosspatch.errors import SettingsError
from crosspatch.files import PathLike, refuse_inputs_inside
from crosspatch.progress import Progress, silent


def prepare(
    datasets: PathLike | Iterable[PathLike],
    *,
    recipe: str,
    out: PathLike,
    size: int | None = None,
    overlap: float | None = None,
    scale: float | None = None,
    foreground: str | None = None,
    seed: int = 0,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Crops:
    """Pack data sets into crops to train on.

    Parameters
    ----------
    datasets : a data set (folder or ``Dataset``), or several; several give their names as prefixes
    recipe : "floating-forests", "fat-checker", "coco-person", or "windows" for everything else
    out : the crops folder to make; left as it is where it holds the same crops, but for what the
        data sets say of themselves (licence, origin, notes)
    size, overlap, scale : see ``crops.recipe``
    foreground : the class to set against the rest, where dataset.toml has several
    seed : divides subjects by group where a data set has no splits.csv
    workers : threads that decode; by itself one a core
    overwrite : replace a crops folder that stands at ``out``, also one of the same crops
    progress : told how far the work is

    Returns
    -------
    Crops. Subjects that could not be used are in its ``skipped``, with the reason.

    Raises
    ------
    LeakError
        A group or an image stands in two splits; nothing is written.
    InputError, SettingsError
        A data set, or a setting, is not what it should be; nothing is written.
    """
    if workers is not None and workers < 1:
        raise SettingsError(f"--workers {workers}: at least one")
    given = _several(datasets)
    refuse_inputs_inside(out, *given)
    opened = [
        one if isinstance(one, Dataset) and foreground is None
        else Dataset.open(one, foreground=foreground, seed=seed)
        for one in given
    ]  # fmt: skip
    if not opened:
        raise SettingsError("name at least one data set to prepare")
    chosen = crops.recipe(recipe, size=size, overlap=overlap, scale=scale)
    return crops.pack(
        opened, chosen, out,
        workers=workers, overwrite=overwrite, reuse=not overwrite, progress=progress,
    )  # fmt: skip


def _several(datasets: PathLike | Iterable[PathLike]) -> list[PathLike]:
    if isinstance(datasets, str | Path | Dataset):
        return [datasets]
    return list(datasets)  # type: ignore[arg-type]
