"""From pixels back to outlines: the outer boundary of every object."""

import numpy as np
from contourpy import FillType, contour_generator
from numpy.typing import NDArray

Outline = NDArray[np.float64]


def trace(mask: NDArray[np.uint8] | NDArray[np.bool_]) -> list[Outline]:
    """Trace the objects of a mask.

    Parameters
    ----------
    mask : (H, W) bool, or uint8 of 0, 1, 255
        Objects are where it is 1; ignored pixels are none.

    Returns
    -------
    list of (N, 2) float64, row and column in pixels, pixel (0, 0) covering [0, 1) x [0, 1)
        One closed outline an object, the first point not repeated. It runs half way between the
        centres of inner and outer pixels, so filling it by the pixel-centre rule gives the object
        back with its holes filled: an outline, as people draw it, has no holes.
    """
    return trace_level(np.where(mask == 1, -0.5, 0.5), 0.0)


def trace_level(field: NDArray[np.float64], level: float) -> list[Outline]:
    """Trace the outer boundaries of where a field is below a level, as `trace` does.

    Parameters
    ----------
    field : (H, W) float64
        Values at pixel centres, for example a distance; beyond the frame it counts as above.
    level : float
    """
    outside = max(float(field.max(initial=level)), level + 0.5)
    padded = np.pad(field, 1, constant_values=outside)
    lowest = min(float(field.min(initial=level)), level) - 1
    generator = contour_generator(z=padded, fill_type=FillType.OuterOffset)
    points, offsets, *_ = generator.filled(lowest, level)
    # contourpy gives x, y of padded pixel indices and repeats the first point; what follows an
    # object's first loop are its holes.
    return [
        np.asarray(one[: int(ends[1]) - 1, ::-1] - 0.5, np.float64)
        for one, ends in zip(points, offsets, strict=True)
        if one is not None and ends is not None
    ]
