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


def simplify(outline: Outline, tolerance: float) -> Outline:
    """Leave out points of a closed outline that the line passes within a tolerance.

    Parameters
    ----------
    outline : (N, 2) float64
        Row, column; the first point not repeated.
    tolerance : float
        Pixels. No point of either line is farther than this from the other one (Douglas and
        Peucker 1973, with distances to the segment and not to its line).

    Returns
    -------
    (M, 2) float64, some of the points in their order; 3 at least, where there are 3
    """
    if len(outline) < 4:
        return outline
    closed = np.vstack([outline, outline[:1]])
    far = int(_lengths(outline - outline[0]).argmax())
    keep = {0, far}
    todo = [(0, far), (far, len(outline))]
    while todo:
        first, last = todo.pop()
        if last - first < 2:
            continue
        away = _from_segment(closed[first + 1 : last], closed[first], closed[last])
        worst = first + 1 + int(away.argmax())
        if away.max() > tolerance:
            keep.add(worst)
            todo += [(first, worst), (worst, last)]
    if len(keep) < 3:  # thinner than the tolerance, and still an area
        keep.add(int(_from_segment(outline, outline[0], outline[far]).argmax()))
    return outline[sorted(keep)]


def _lengths(vectors: Outline) -> NDArray[np.float64]:
    return np.hypot(vectors[:, 0], vectors[:, 1])


def _from_segment(points: Outline, start: Outline, stop: Outline) -> NDArray[np.float64]:
    """Distances of points (N, 2) from the segment between two points."""
    along = stop - start
    length = float(along @ along)
    share = np.clip((points - start) @ along / length, 0, 1) if length else np.zeros(len(points))
    return _lengths(points - start - share[:, None] * along)
