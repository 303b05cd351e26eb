"""Change the size of arrays: images by area, masks by nearest pixel only.

Positions follow pixel areas: pixel (0, 0) covers [0, 1) x [0, 1), so that corners stay corners.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from crosspatch.images.image import NDPixels

Size = tuple[int, int]


def resize_image(pixels: NDPixels, size: Size) -> NDPixels:
    """Resize each channel by itself, without aliasing.

    An axis that shrinks is averaged over areas; one that grows is interpolated linearly between
    pixel centres. Values never leave the range of the channel's own values, so that a constant
    image stays exactly constant.

    Parameters
    ----------
    pixels : (C, H, W) array of numbers
        NaN spreads to the pixels it has a part in, no further.
    size : (height, width)
        Both at least 1.

    Returns
    -------
    (C, height, width) array of the same dtype
        Integers are rounded to nearest, halves to even.

    Raises
    ------
    ValueError
        A size below 1.
    """
    _check(size)
    if pixels.shape[1:] == size:
        return pixels.copy()
    down, across = _weights(pixels.shape[1], size[0]), _weights(pixels.shape[2], size[1])
    resized = np.empty((len(pixels), *size), pixels.dtype)
    for source, target in zip(pixels, resized, strict=True):
        values = (across @ (down @ source.astype(np.float64)).T).T  # (height, width)
        _clip_to_range(values, source)
        target[...] = np.rint(values) if pixels.dtype.kind in "ui" else values
    return resized


def resize_probability(probability: NDArray[Any], size: Size) -> NDArray[np.float32]:
    """Resize a map (H, W) of floats as `resize_image` does; gives (height, width) float32."""
    resized: NDArray[np.float32] = resize_image(probability[np.newaxis].astype(np.float32), size)[0]
    return resized


def resize_mask(mask: NDArray[Any], size: Size) -> NDArray[Any]:
    """Resize a mask by nearest pixel: no value appears that was not there.

    Target pixel i takes the source pixel that holds its centre, (i + 1/2) H / height. Enlarging by
    a whole factor and going back gives the same mask.

    Parameters
    ----------
    mask : (H, W) array
        Any values.
    size : (height, width)
        Both at least 1.

    Returns
    -------
    (height, width) array of the same dtype

    Raises
    ------
    ValueError
        A size below 1.
    """
    _check(size)
    rows, columns = (
        # In whole numbers, so that no rounding moves a centre that falls on a pixel's edge.
        (2 * np.arange(new) + 1) * old // (2 * new)
        for old, new in zip(mask.shape, size, strict=True)
    )
    return np.ascontiguousarray(mask[rows[:, np.newaxis], columns])


def _check(size: Size) -> None:
    if min(size) < 1:
        raise ValueError(f"a picture has at least 1 x 1 pixels, not {size[0]} x {size[1]}")


def _weights(old: int, new: int) -> sparse.csr_array:
    """Weights (new, old) of source pixels in target pixels; each row sums to 1."""
    if new >= old:
        centres = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        first = np.minimum(centres.astype(int), max(old - 2, 0))
        share = centres - first
        rows = np.repeat(np.arange(new), 2)
        columns = np.stack([first, np.minimum(first + 1, old - 1)], axis=1).ravel()
        values = np.stack([1 - share, share], axis=1).ravel()
    else:
        edges = np.arange(new + 1) * old / new
        reach = int(np.ceil(old / new)) + 1  # source pixels that a target pixel can touch
        columns = np.floor(edges[:-1]).astype(int)[:, np.newaxis] + np.arange(reach)
        overlap = np.minimum(columns + 1, edges[1:, np.newaxis]) - np.maximum(
            columns, edges[:-1, np.newaxis]
        )
        values = (np.clip(overlap, 0, None) * new / old).ravel()
        rows = np.repeat(np.arange(new), reach)
        columns = np.minimum(columns, old - 1).ravel()
    weights = sparse.csr_array((values, (rows, columns)), shape=(new, old))
    weights.eliminate_zeros()  # 0 x NaN would be NaN
    return weights


def _clip_to_range(values: NDArray[np.float64], source: NDPixels) -> None:
    """Undo rounding that went past the source's own smallest and largest value, in place."""
    finite = source[np.isfinite(source)] if source.dtype.kind == "f" else source
    if finite.size:
        inside = np.isfinite(values)
        np.clip(values, finite.min(), finite.max(), out=values, where=inside)
