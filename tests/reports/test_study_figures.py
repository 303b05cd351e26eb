"""Figures of a study that its page alone would not show to be wrong."""

import re
import xml.etree.ElementTree as ElementTree

from crosspatch.reports.study_figures import (
    Level,
    Line,
    Needed,
    Point,
    fraction_curves,
    labels_needed,
)


def ticks(svg: str) -> list[float]:
    """Numbers beside the vertical axis."""
    return [float(text) for text in re.findall(r">(0\.\d+)</text>", svg)]


def test_a_baseline_far_below_the_curves_is_in_view():
    points = [Point(0.1, 0.70, 0.65, 0.75), Point(1.0, 0.76, 0.72, 0.80)]
    line = Line("from scratch", 0, points)
    near = fraction_curves([line], [], ylabel="mean IoU")
    far = fraction_curves([line], [Level("best threshold", 0.3)], ylabel="mean IoU")
    assert min(ticks(near)) > 0.5
    assert min(ticks(far)) <= 0.3


def test_an_interval_that_is_cut_by_the_view_is_marked_at_that_end():
    points = [Point(0.1, 0.70, -2.0, 0.75), Point(1.0, 0.76, 0.72, 0.80)]
    svg = fraction_curves([Line("from scratch", 0, points)], [], ylabel="mean IoU")
    marks = [one for one in ElementTree.fromstring(svg).iter() if "cut-" in one.get("id", "")]
    assert [one.get("id") for one in marks] == ["cut-0-0.1"]
    whole = [Point(0.1, 0.70, 0.65, 0.75), Point(1.0, 0.76, 0.72, 0.80)]
    assert "cut-" not in fraction_curves([Line("from scratch", 0, whole)], [], ylabel="mean IoU")


def test_more_than_the_largest_share_tried_points_on_from_there():
    def across(row: Needed) -> float:
        """Place of the mark of the only row, from the left."""
        svg = ElementTree.fromstring(labels_needed([row], [0.1, 1.0]))
        mark = next(one for one in svg.iter() if one.get("id") == "needed-0")
        return next(float(one.get("x")) for one in mark.iter() if one.get("x"))

    never = float("inf")
    found, few, more = Needed("a", 0, 0.1, False), Needed("a", 0, never, False, most=0.1), 1.0
    assert across(few) == across(found)
    assert across(Needed("a", 0, never, False)) > across(Needed("a", 0, more, False))
