"""Training labels other than the target's own: the same images, worse masks, and how much worse."""

from dataclasses import replace
from statistics import fmean

from crosspatch.dataset import Dataset
from crosspatch.errors import InputError
from crosspatch.metrics import confusion


def other_labels(target: Dataset, labels: Dataset) -> tuple[Dataset, float]:
    """Take training labels from another data set of the same images.

    Parameters
    ----------
    target : whose splits and groups count, and whose own labels are tested on
    labels : the same images under the same names, with other masks

    Returns
    -------
    dataset, purity
        The labels, in the target's splits and groups; and the mean IoU of its masks with the
        target's own, over subjects with foreground.

    Raises
    ------
    InputError
        A labelled subject of the target is missing, or is another image.
    """
    theirs = {subject.name: subject for subject in labels.labelled}
    subjects, alike = [], []
    for mine in target.labelled:
        other = theirs.get(mine.name)
        if other is None:
            raise InputError(f"{labels.path}: has no labels for {mine.name!r} of {target.path}")
        if target.content(mine) != labels.content(other):
            raise InputError(
                f"{labels.path}: {mine.name!r} is another image than that of {target.path}: labels "
                "of other images cannot stand in"
            )
        truth, drawn = target.read_mask(mine), labels.read_mask(other)
        if truth.shape != drawn.shape:
            raise InputError(f"{other.mask}: is of another size than {mine.mask}")
        if (truth == 1).any():
            alike.append(confusion(drawn == 1, truth).iou)
        subjects.append(replace(other, split=mine.split, group=mine.group))
    return replace(labels, subjects=tuple(subjects)), fmean(alike) if alike else 1.0
