"""One mark as exported, of either classifier generation, turned into the path it draws.

Panoptes writes x to the right and y down in pixels of the uploaded image; here everything becomes
row, column. The two generations name and place things differently (read in the sources of
Panoptes-Front-End, "v1", and front-end-monorepo, "v2"):

==================  =====================================  =====================================
tool                v1                                     v2
==================  =====================================  =====================================
freehandLine        ``points``                             ``pathX``, ``pathY``
freehandShape,      ``points``                             (none)
freehandSegment...
polygon             ``points``, ``closed``                 ``points``
bezier              ``points``, ``closed``; every second   (none)
                    point is a quadratic control point
rectangle           ``x, y`` the top-left corner           ``x_center, y_center``
rotateRectangle     corner before turning, clockwise       centre, clockwise
ellipse, circle     ``x, y`` the centre, anticlockwise     ``x_center, y_center``, clockwise
anchoredEllipse     as ellipse, x, y the image's centre    (none)
path                an SVG path (Floating Forests)         (none)
==================  =====================================  =====================================

v1 does not name its tools. Without a workflow export they are told by their fields; a ``points``
mark with ``closed`` is a bezier where a second point lies exactly half way between its neighbours,
as that tool places its control points until they are dragged, and a polygon otherwise.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]

REGION_TOOLS = frozenset(
    {
        "freehandLine", "freehandShape", "freehandSegmentLine", "freehandSegmentShape", "polygon",
        "bezier", "rectangle", "rotateRectangle", "ellipse", "anchoredEllipse", "circle", "path",
    }
)  # fmt: skip
"""Tools that draw an area."""

NO_AREA = frozenset({"point", "line"})
"""Tools that draw none: who used only these saw no area."""

_OPEN_TOOLS = frozenset({"freehandLine", "freehandSegmentLine", "path"})
_MOST_POINTS = 100_000
_FARTHEST = 1e9  # pixels; beyond it, products of coordinates lose the pixel
_SMOOTHNESS = 0.005  # pixels between an ellipse and the polygon of equal area
_CHORD = 0.001  # pixels between a bezier and its chords, which all lie on its inner side
_SAYS_MARK = frozenset(
    {"tool", "toolIndex", "toolType", "points", "path", "pathX", "pathY", "x", "x1", "x_center"}
)
_SAYS_ANSWER = frozenset({"choice", "option", "start"})  # survey, drop-down, highlighter

_NUMBER = r"[-+]?+(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][-+]?+\d++)?+"
_PAIR = rf"{_NUMBER}(?:\s*+,\s*+|\s++){_NUMBER}"
# Possessive throughout: a hostile path fails in time linear in its length.
_STRAIGHT_PATH = re.compile(rf"\s*+M\s*+{_PAIR}(?:[\s,]*+L?+\s*+{_PAIR})*+\s*+(Z?+)\s*+")
_LETTERS_TO_SPACES = str.maketrans("MLZ,", "    ")


class MarkError(Exception):
    """A mark that gives no outline; the message is the reason that is counted and listed."""


@dataclass(frozen=True)
class Path:
    """What one mark draws.

    Attributes
    ----------
    points : (N, 2) float64
        Row and column in pixels of the uploaded image, N >= 1, finite.
    closed : bool
        Whether the tool closed it; an open path may be one piece of an outline.
    """

    points: Outline
    closed: bool


def is_mark(item: object) -> bool:
    """Whether an item of a task's ``value`` is a mark, and not the answer to a question."""
    return isinstance(item, dict) and (
        not _SAYS_MARK.isdisjoint(item) and _SAYS_ANSWER.isdisjoint(item)
    )


def tool_of(mark: Mapping[str, Any], named: str | None = None) -> str:
    """Name a mark's tool as Panoptes does.

    Parameters
    ----------
    mark : the exported object
    named : what the workflow export calls the tool; it decides between v1 tools of equal fields
    """
    said = mark.get("toolType")
    if isinstance(said, str) and said:
        return said
    if "path" in mark:
        return "path"
    if named is not None:
        return named
    return _tool_by_fields(mark)


def _tool_by_fields(mark: Mapping[str, Any]) -> str:
    centred = "x_center" in mark
    if "pathX" in mark:
        return "freehandLine"
    if "points" in mark:
        if "closed" not in mark:
            return "freehandLine"
        return "bezier" if _has_untouched_control_point(mark["points"]) else "polygon"
    if "rx" in mark:
        return "ellipse"
    if "r" in mark:
        return "circle"
    if "width" in mark and "height" in mark and (centred or "x" in mark):
        return "rotateRectangle" if "angle" in mark else "rectangle"
    if "x1" in mark:
        return "line"
    return "point" if "x" in mark and "width" not in mark else "unknown"


def _has_untouched_control_point(points: object) -> bool:
    """Whether some odd point lies half way between its neighbours, to rounding."""
    if not isinstance(points, list) or len(points) < 4:
        return False
    try:
        xy = _from_dicts(points)
    except MarkError:
        return False
    after = np.roll(xy, -1, axis=0)
    middle = (np.roll(xy, 1, axis=0) + after) / 2
    length = np.abs(after - xy).max(axis=1)
    near = np.abs(xy - middle).max(axis=1) <= 1e-9 * np.abs(xy).max(axis=1)
    return bool((near & (length > 0))[1::2].any())


def draw(mark: Mapping[str, Any], tool: str) -> Path:
    """Turn a mark into the path it draws.

    Parameters
    ----------
    mark : the exported object
    tool : from :func:`tool_of`

    Raises
    ------
    MarkError
        The tool draws no area or is unknown, or the mark's numbers are missing, no numbers, not
        finite, or make no sense.
    """
    if tool in NO_AREA:
        raise MarkError(f"a {tool} has no area")
    if tool not in REGION_TOOLS:
        raise MarkError(f"unknown tool {tool[:40]!r}")
    if tool in ("rectangle", "rotateRectangle"):
        return Path(_rectangle(mark), closed=True)
    if tool in ("ellipse", "anchoredEllipse", "circle"):
        return Path(_ellipse(mark), closed=True)
    if tool == "path":
        return _svg_path(mark.get("path"))
    points = _points(mark)
    if tool == "bezier":
        points = _bezier(points)
    closed = tool not in _OPEN_TOOLS or bool(mark.get("auto_closed"))
    return Path(points, closed or _meets_itself(points))


def _meets_itself(points: Outline) -> bool:
    return len(points) > 2 and points[0].tolist() == points[-1].tolist()


def _points(mark: Mapping[str, Any]) -> Outline:
    """Read a list of points in either way of writing it: (N, 2) row, column."""
    if "pathX" in mark or "pathY" in mark:
        xs, ys = mark.get("pathX"), mark.get("pathY")
        if not isinstance(xs, list) or not isinstance(ys, list):
            raise MarkError("coordinates are missing")
        if len(xs) != len(ys):
            raise MarkError("x and y are not equally many")
        _check_number_of_points(len(xs))
        return _outline(ys, xs)
    listed = mark.get("points")
    if not isinstance(listed, list):
        raise MarkError("coordinates are missing")
    _check_number_of_points(len(listed))
    return _from_dicts(listed)


def _check_number_of_points(number: int) -> None:
    if number == 0:
        raise MarkError("it has no points")
    if number > _MOST_POINTS:
        raise MarkError(f"it has more than {_MOST_POINTS} points")


def _from_dicts(listed: list[Any]) -> Outline:
    try:
        ys = [point["y"] for point in listed]
        xs = [point["x"] for point in listed]
    except (TypeError, KeyError, IndexError):
        raise MarkError("coordinates are missing") from None
    return _outline(ys, xs)


def _outline(ys: list[Any], xs: list[Any]) -> Outline:
    points = np.empty((len(ys), 2))
    points[:, 0], points[:, 1] = _numbers(ys), _numbers(xs)
    return _checked(points)


def _numbers(values: list[Any]) -> NDArray[Any]:
    """Turn a list of JSON numbers into an array; text that looks like a number is none."""
    try:
        array = np.array(values)
    except (ValueError, OverflowError):  # lists among the numbers
        raise MarkError("coordinates are not numbers") from None
    if array.dtype.kind not in "fiu" or array.ndim != 1:
        raise MarkError("coordinates are not numbers")
    return array


def _checked(points: Outline) -> Outline:
    if not (points.max() < _FARTHEST and points.min() > -_FARTHEST):  # NaN is neither
        raise MarkError("coordinates are not finite or absurdly far away")
    return points


def _field(mark: Mapping[str, Any], *names: str) -> float:
    """Read one finite number under the first of the names that is there."""
    for name in names:
        if name in mark:
            return float(_checked(_numbers([mark[name]]))[0])
    raise MarkError("coordinates are missing")


def _turned(offsets: Outline, angle: float, row: float, column: float) -> Outline:
    """Turn offsets (row, column) clockwise on the screen by ``angle`` degrees about a centre."""
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    down, right = offsets[:, 0], offsets[:, 1]
    return _checked(
        np.stack([row + right * sine + down * cosine, column + right * cosine - down * sine], 1)
    )


def _rectangle(mark: Mapping[str, Any]) -> Outline:
    width, height = _field(mark, "width"), _field(mark, "height")
    if width == 0 or height == 0:
        raise MarkError("it has no area")
    if "x_center" in mark:
        row, column = _field(mark, "y_center"), _field(mark, "x_center")
    else:
        row, column = _field(mark, "y") + height / 2, _field(mark, "x") + width / 2
    angle = _field(mark, "angle") if "angle" in mark else 0.0
    corners = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
    return _turned(corners * (height / 2, width / 2), angle, row, column)


def _ellipse(mark: Mapping[str, Any]) -> Outline:
    """Stand in a polygon of the same area, never off by more than ``_SMOOTHNESS`` pixels."""
    across = abs(_field(mark, "rx", "r"))
    along = abs(_field(mark, "ry", "r"))
    if across == 0 or along == 0:
        raise MarkError("it has no area")
    angle = _field(mark, "angle") if "angle" in mark else 0.0
    if "x_center" in mark:
        row, column = _field(mark, "y_center"), _field(mark, "x_center")
    else:
        row, column, angle = _field(mark, "y"), _field(mark, "x"), -angle
    number = math.ceil(math.pi * math.sqrt(max(across, along) / (2 * _SMOOTHNESS)))
    number = min(max(number, 16), 4096)
    turn = np.arange(number) * (2 * math.pi / number)
    # An inscribed polygon has n / (2 pi) sin(2 pi / n) of the area: push it out by the root.
    out = 1 / math.sqrt(number / (2 * math.pi) * math.sin(2 * math.pi / number))
    offsets = np.stack([np.sin(turn) * along * out, np.cos(turn) * across * out], axis=1)
    return _turned(offsets, angle, row, column)


def _bezier(points: Outline) -> Outline:
    """Follow quadratic curves: end point, control point, end point, ... (see the module).

    An even number of points ends with the control point of the curve back to the start; an odd
    number was closed by the classifier with a straight line.
    """
    if len(points) < 3:
        raise MarkError("it has fewer than 3 points")
    ends, controls = points[::2], points[1::2]
    starts = ends[: len(controls)]
    stops = np.roll(ends, -1, axis=0)[: len(controls)]
    parts = []
    for start, control, stop in zip(starts, controls, stops, strict=True):
        bend = float(np.abs(start - 2 * control + stop).max())
        number = min(max(math.ceil(math.sqrt(bend / (4 * _CHORD))), 1), 1000)
        t = (np.arange(number) / number)[:, None]
        parts.append((1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * stop)
    if len(ends) > len(controls):
        parts.append(ends[-1:])
    return _checked(np.concatenate(parts))


def _svg_path(text: object) -> Path:
    """Read an SVG path of straight lines, as Floating Forests writes it: ``M x,y L x,y ... Z``."""
    if not isinstance(text, str):
        raise MarkError("coordinates are missing")
    form = _STRAIGHT_PATH.fullmatch(text)
    if form is None:
        raise MarkError("its SVG path is broken or not made of M, L and Z alone")
    numbers = list(map(float, text.translate(_LETTERS_TO_SPACES).split()))
    _check_number_of_points(len(numbers) // 2)
    points = _checked(np.array(numbers).reshape(-1, 2)[:, ::-1].copy())
    return Path(points, form[1] == "Z" or _meets_itself(points))
