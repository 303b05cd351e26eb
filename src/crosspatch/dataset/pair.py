"""An image and its mask together: what the image does not show, the mask ignores."""

import numpy as np
from numpy.typing import NDArray

from crosspatch.dataset.check import same_size
from crosspatch.dataset.folder import Dataset
from crosspatch.dataset.index import Subject
from crosspatch.dataset.masks import IGNORED
from crosspatch.errors import InputError
from crosspatch.images import Image


def read_pair(dataset: Dataset, subject: Subject) -> tuple[Image, NDArray[np.uint8]]:
    """Read a subject to train, fit or score on: all three count the same pixels.

    Returns
    -------
    Image, and its mask (H, W) uint8 of 0, 1, 255; 255 also where the image holds no data

    Raises
    ------
    InputError
        One cannot be read, or their sizes differ.
    """
    image, mask = dataset.read_image(subject), dataset.read_mask(subject)
    if other := same_size((image.pixels.shape[1], image.pixels.shape[2]), mask.shape):
        raise InputError(f"{subject.mask}: {other}")
    return image, np.where(image.valid, mask, np.uint8(IGNORED))
