"""Figures of a study that its page alone would not show to be wrong."""

import re

from crosspatch.reports.study_figures import Level, Line, Point, fraction_curves


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
