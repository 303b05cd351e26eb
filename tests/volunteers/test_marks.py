"""What each tool of each classifier generation draws, by hand."""

import math

import numpy as np
import pytest

from crosspatch.volunteers.marks import MarkError, draw, is_mark, tool_of
from crosspatch.volunteers.rasterize import area, fill


def drawn(mark, named=None):
    return draw(mark, tool_of(mark, named))


def corners(mark):
    return {tuple(point) for point in np.round(drawn(mark).points, 6).tolist()}


def test_a_v2_freehand_line_is_row_column_and_open_unless_it_returns():
    mark = {"pathX": [1.5, 4, 4], "pathY": [2, 2, 9.25], "toolType": "freehandLine", "toolIndex": 0}
    path = drawn(mark)
    assert path.points.tolist() == [[2, 1.5], [2, 4], [9.25, 4]]
    assert not path.closed
    closed = {**mark, "pathX": [1.5, 4, 4, 1.5], "pathY": [2, 2, 9.25, 2]}
    assert drawn(closed).closed


def test_v1_points_are_read_alike():
    points = [{"x": 1.5, "y": 2}, {"x": 4, "y": 2}, {"x": 4, "y": 9.25}]
    path = drawn({"points": points, "tool": 0, "frame": 0})
    assert path.points.tolist() == [[2, 1.5], [2, 4], [9.25, 4]]
    assert not path.closed


@pytest.mark.parametrize("tool", ["freehandShape", "freehandSegmentShape", "polygon"])
def test_shapes_are_closed_by_their_tool(tool):
    points = [{"x": 1, "y": 2}, {"x": 4, "y": 2}, {"x": 4, "y": 9}]
    assert drawn({"points": points, "tool": 0}, tool).closed


@pytest.mark.parametrize("tool", ["freehandLine", "freehandSegmentLine"])
def test_lines_are_open_until_the_classifier_closed_them(tool):
    points = [{"x": 1, "y": 2}, {"x": 4, "y": 2}, {"x": 4, "y": 9}]
    assert not drawn({"points": points, "tool": 0}, tool).closed
    assert drawn({"points": points, "tool": 0, "auto_closed": True}, tool).closed


def test_a_v1_rectangle_has_its_corner_a_v2_its_centre():
    v1 = {"x": 2, "y": 3, "width": 10, "height": 4, "tool": 0}
    v2 = {"x_center": 2, "y_center": 3, "width": 10, "height": 4, "toolType": "rectangle"}
    assert corners(v1) == {(3, 2), (3, 12), (7, 12), (7, 2)}
    assert corners(v2) == {(1, -3), (1, 7), (5, 7), (5, -3)}


def test_rectangles_turn_clockwise_about_their_centre_in_both_generations():
    # A quarter turn of a 10 wide, 4 high rectangle about (row 5, column 7).
    v1 = {"x": 2, "y": 3, "width": 10, "height": 4, "angle": 90, "tool": 0}
    v2 = {"x_center": 7, "y_center": 5, "width": 10, "height": 4, "angle": 90,
          "toolType": "rotateRectangle"}  # fmt: skip
    assert corners(v1) == corners(v2) == {(0, 5), (0, 9), (10, 9), (10, 5)}
    # 30 degrees clockwise with y down: the right end goes down.
    tilted = drawn({**v2, "angle": 30, "height": 0.002}).points
    right = tilted[tilted[:, 1].argmax()]
    assert right == pytest.approx([5 + 5 * math.sin(math.radians(30)),
                                   7 + 5 * math.cos(math.radians(30))], abs=0.01)  # fmt: skip


def test_the_real_v2_shapes_of_the_formats_page():
    assert area(drawn({"toolType": "rectangle", "x_center": 651, "y_center": 334, "width": 437,
                       "height": 201}).points) == pytest.approx(437 * 201)  # fmt: skip
    tilted = drawn({"toolType": "rotateRectangle", "angle": -35, "height": 84, "width": 217,
                    "x_center": 454, "y_center": 295}).points  # fmt: skip
    assert area(tilted) == pytest.approx(84 * 217)
    assert tilted[tilted[:, 1].argmax()][0] < 295  # anticlockwise: its right end goes up
    ellipse = drawn({"toolType": "ellipse", "angle": 23, "rx": 215, "ry": 81, "x_center": 650,
                     "y_center": 269}).points  # fmt: skip
    assert area(ellipse) == pytest.approx(math.pi * 215 * 81, rel=1e-9)
    assert ellipse[ellipse[:, 1].argmax()][0] > 269  # clockwise: down
    circle = drawn({"toolType": "circle", "r": 103, "x_center": 574, "y_center": 198}).points
    assert area(circle) == pytest.approx(math.pi * 103**2, rel=1e-9)
    assert circle.mean(axis=0) == pytest.approx([198, 574])


def test_ellipses_turn_the_other_way_in_v1():
    v1 = {"x": 650, "y": 269, "rx": 215, "ry": 81, "angle": 23, "tool": 3}
    v2 = {"x_center": 650, "y_center": 269, "rx": 215, "ry": 81, "angle": -23,
          "toolType": "ellipse"}  # fmt: skip
    assert drawn(v1).points == pytest.approx(drawn(v2).points)
    assert drawn(v1, "anchoredEllipse").points == pytest.approx(drawn(v1).points)


def test_an_ellipse_is_never_off_by_a_hundredth_of_a_pixel():
    for r in (0.7, 12.0, 900.0):
        points = drawn({"x": 0, "y": 0, "r": r, "tool": 0, "angle": 0}).points
        middles = (points + np.roll(points, 1, 0)) / 2
        off = np.concatenate([np.hypot(*points.T), np.hypot(*middles.T)]) - r
        assert np.abs(off).max() < 0.01


def test_a_disc_fills_the_pixels_whose_centres_it_holds():
    points = drawn({"x": 10, "y": 8, "r": 5.3, "tool": 0}).points
    row, column = np.mgrid[:20, :20] + 0.5
    assert (fill([points], (20, 20)) == (np.hypot(row - 8, column - 10) < 5.3)).all()


def bezier(points, closed=True):
    return {"points": [{"x": x, "y": y} for x, y in points], "closed": closed, "tool": 4}


def test_bezier_control_points_bend_the_line():
    # From (0, 0) over the control point (4, 8) to (8, 0): a parabola of area 2/3 x 8 x 4.
    arch = bezier([(0, 0), (4, 8), (8, 0), (4, 0)])
    path = drawn(arch, "bezier")
    assert path.closed
    assert area(path.points) == pytest.approx(2 / 3 * 8 * 4, rel=1e-3)
    assert path.points[:, 0].max() == pytest.approx(4, abs=0.01)  # half way to the control point


def test_an_even_number_of_points_bends_back_to_the_start_an_odd_one_goes_straight():
    even = drawn(bezier([(0, 0), (4, 0), (8, 0), (4, 8)]), "bezier").points
    odd = drawn(bezier([(0, 0), (4, 4), (8, 0)]), "bezier").points
    assert area(even) == pytest.approx(2 / 3 * 8 * 4, rel=1e-3)
    assert area(odd) == pytest.approx(2 / 3 * 8 * 2, rel=1e-3)
    assert odd[-1].tolist() == [0, 8]


def test_a_bezier_is_known_by_a_control_point_half_way():
    real = [
        (331.80272108843536, 399.4557823129252), (282.8231292517009, 441.9047619047618),
        (329.6258503401361, 475.6462585034014), (349.21768707483, 453.33333333333337),
        (368.80952380952385, 431.0204081632653), (387.31292517006796, 356.462585034014),
    ]  # fmt: skip
    assert tool_of(bezier(real)) == "bezier"
    assert tool_of(bezier([(0, 0), (9, 1), (8, 8), (1, 9)])) == "polygon"
    assert tool_of(bezier([(0, 0), (9, 1), (8, 8), (1, 9)]), "bezier") == "bezier"
    assert tool_of(bezier([(3, 3), (3, 3), (3, 3), (3, 3)])) == "polygon"


def test_a_floating_forests_path():
    path = drawn({"path": "M 408.296875,142 L 406.296875,141 L 400,137 Z", "tool": 0, "frame": 0})
    assert path.points.tolist() == [[142, 408.296875], [141, 406.296875], [137, 400]]
    assert path.closed
    open_path = drawn({"path": "M-1.5e1 2 3,4L5 .5", "tool": 0})
    assert open_path.points.tolist() == [[2, -15], [4, 3], [0.5, 5]]
    assert not open_path.closed


@pytest.mark.parametrize(
    "text",
    [
        "", "M", "M 1", "M 1,2 C 1,2 3,4 5,6", "M 1,2 Z L 3,4", "M 1,2 L 3", "L 1,2",
        "M 1,2 M 3,4", "M 1,2" + " L 3,4" * 20000 + " ?", "M " + "1" * 100_000,
    ],
)  # fmt: skip
def test_a_broken_path_is_no_outline_and_fails_fast(text):
    with pytest.raises(MarkError, match="SVG path"):
        drawn({"path": text, "tool": 0})


@pytest.mark.parametrize(
    ("mark", "tool"),
    [
        ({"x": 1, "y": 2, "tool": 0}, "point"),
        ({"x1": 1, "y1": 2, "x2": 3, "y2": 4, "tool": 0}, "line"),
        ({"x": 1, "width": 4, "tool": 0}, "unknown"),
        ({"toolType": "temporalPoint", "x": 1, "y": 2, "toolIndex": 0}, "temporalPoint"),
        ({"x": 1, "y": 2, "r": 3, "angle": 0, "tool": 0}, "circle"),
    ],
)
def test_tools_are_told_by_their_fields(mark, tool):
    assert tool_of(mark) == tool


def test_the_workflow_export_decides_between_equal_fields_but_not_over_v2():
    assert tool_of({"x": 1, "y": 2, "r": 3, "angle": 0, "tool": 0}, "triangle") == "triangle"
    assert tool_of({"toolType": "polygon", "points": []}, "freehandLine") == "polygon"


@pytest.mark.parametrize(
    ("mark", "reason"),
    [
        ({"x": 1, "y": 2, "tool": 0}, "a point has no area"),
        ({"x1": 1, "y1": 2, "x2": 3, "y2": 4, "tool": 0}, "a line has no area"),
        ({"toolType": "fan", "x": 1, "y": 2}, "unknown tool 'fan'"),
        ({"toolType": "polygon"}, "coordinates are missing"),
        ({"toolType": "polygon", "points": []}, "no points"),
        ({"toolType": "polygon", "points": [{"x": 1}]}, "coordinates are missing"),
        ({"toolType": "polygon", "points": [[1, 2]]}, "coordinates are missing"),
        ({"toolType": "polygon", "points": [{"x": "1", "y": 2}]}, "not numbers"),
        ({"toolType": "polygon", "points": [{"x": None, "y": 2}]}, "not numbers"),
        ({"toolType": "polygon", "points": [{"x": [1], "y": 2}, {"x": 1, "y": 2}]}, "not numbers"),
        ({"toolType": "freehandLine", "pathX": ["1", "2"], "pathY": [1, 2]}, "not numbers"),
        ({"toolType": "freehandLine", "pathX": [1, 2], "pathY": [1]}, "not equally many"),
        ({"toolType": "freehandLine", "pathX": 1, "pathY": [1]}, "missing"),
        ({"toolType": "freehandLine", "pathX": [1, math.inf], "pathY": [1, 2]}, "not finite"),
        ({"toolType": "freehandLine", "pathX": [1, math.nan], "pathY": [1, 2]}, "not finite"),
        ({"toolType": "freehandLine", "pathX": [1, 10**400], "pathY": [1, 2]}, "not numbers"),
        ({"toolType": "freehandLine", "pathX": [1, 1e12], "pathY": [1, 2]}, "absurdly far"),
        ({"toolType": "freehandLine", "pathX": [0] * 100_001, "pathY": [0] * 100_001}, "more than"),
        ({"toolType": "circle", "x_center": 1, "y_center": 2}, "missing"),
        ({"toolType": "circle", "x_center": 1, "y_center": 2, "r": 0}, "no area"),
        ({"x": 1, "y": 2, "width": 0, "height": 3, "tool": 0}, "no area"),
        ({"toolType": "ellipse", "x_center": True, "y_center": 2, "rx": 1, "ry": 1}, "not numbers"),
        ({"points": [{"x": 1, "y": 2}], "closed": True, "tool": 0}, None),
    ],
)  # fmt: skip
def test_every_damage_has_its_reason(mark, reason):
    if reason is None:
        assert len(drawn(mark).points) == 1  # too few points is for the assembled outline to say
        return
    with pytest.raises(MarkError, match=reason):
        drawn(mark)


def test_a_bezier_of_two_points_is_none():
    with pytest.raises(MarkError, match="fewer than 3 points"):
        drawn(bezier([(0, 0), (1, 1)]), "bezier")


def test_marks_are_told_from_answers():
    assert is_mark({"toolType": "circle"})
    assert is_mark({"tool": 0, "x": 3})
    assert not is_mark({"choice": "CAT", "x": 1})
    assert not is_mark({"value": "a", "option": True})
    assert not is_mark("yes")
    assert not is_mark({})
