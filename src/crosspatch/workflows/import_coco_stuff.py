"""``crosspatch import coco-stuff``: pixel maps and photos in, a data set of one label out."""

from crosspatch.crops import coco_stuff
from crosspatch.dataset import Dataset
from crosspatch.files import PathLike, refuse_inputs_inside
from crosspatch.progress import Progress, silent


def import_coco_stuff(
    images: PathLike,
    pixelmaps: PathLike,
    *,
    label: str | int,
    out: PathLike,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Dataset:
    """Make a data set of the COCO photos that hold a label.

    Parameters
    ----------
    images : folder of photos (``NAME.jpg``), or of COCO's ``train2017`` and ``val2017``
    pixelmaps : folder of COCO-Stuff pixel maps (``NAME.png``), laid out alike
    label : a name ("person") or a number of COCO-Stuff's labels.txt (1)
    out : the data set folder to make
    seed : divides the photos where the folders do not
    overwrite : replace a data set that stands at ``out``
    progress : told how far the work is

    Returns
    -------
    Dataset. Photos that could not be used are in its skipped.csv, with the reason.

    Raises
    ------
    SettingsError, InputError
        See ``crops.coco_stuff.import_folder``; nothing is written.
    """
    refuse_inputs_inside(out, images, pixelmaps)
    return coco_stuff.import_folder(
        images, pixelmaps, label, out, seed=seed, overwrite=overwrite, progress=progress
    )
