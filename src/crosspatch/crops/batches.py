"""Batches straight from the packed files: no decoding, no conversion, one copy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from crosspatch.crops.packed import Crops


def gather(
    crops: "Crops", indices: Sequence[int] | NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Copy crops out of a pack.

    Parameters
    ----------
    crops : an open pack
    indices : (B,) rows of the pack, in any order; a row may come more than once

    Returns
    -------
    images : (B, C, H, W) in the dtype of the source
    masks : (B, H, W) uint8

    Notes
    -----
    Rows are copied in the order of the file, whatever their order in the batch: a cold disk then
    reads forwards.
    """
    rows = np.asarray(indices, dtype=np.int64)
    images = np.empty((len(rows), *crops.images.shape[1:]), dtype=crops.images.dtype)
    masks = np.empty((len(rows), *crops.masks.shape[1:]), dtype=np.uint8)
    for place in np.argsort(rows, kind="stable"):
        images[place] = crops.images[rows[place]]
        masks[place] = crops.masks[rows[place]]
    return images, masks
