"""Figures: every name and number is in the drawing, in one colour order, the same each time."""

import math
import re
import xml.etree.ElementTree as ElementTree

import pytest

from crosspatch.reports.figures import (
    COLOURS,
    INK,
    Bar,
    Curve,
    learning_curve,
    score_bars,
    subject_strip,
)

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg):
    """Every word of a drawing."""
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def drawn(svg, colour):
    """How often a colour is used."""
    return len(re.findall(f"(?:stroke|fill): {colour}", svg))


def two_curves():
    return learning_curve(
        [
            Curve("averaged", [10, 20, 30], [0.1, math.nan, 0.4]),
            Curve("plain", [10, 20], [0.2, 0.3]),
        ],
        ylabel="validation IoU",
    )


def test_a_learning_curve_names_its_lines_and_axes():
    said = texts(two_curves())
    assert {"averaged", "plain", "validation IoU", "optimiser steps"} <= set(said)


def test_lines_differ_by_colour_and_by_dashes():
    svg = two_curves()
    assert drawn(svg, COLOURS[0])
    assert drawn(svg, COLOURS[1])
    assert not drawn(svg, COLOURS[2])
    assert "stroke-dasharray" in svg


def test_one_curve_needs_no_legend():
    assert "only" not in texts(learning_curve([Curve("only", [1, 2], [0.5, 0.6])], ylabel="loss"))


def test_the_vertical_axis_ends_where_it_is_told_to():
    curve = [Curve("loss", [0, 10], [3.0, 5.0])]
    assert "4.0" not in texts(learning_curve(curve, ylabel="loss", top=1))
    assert "4.0" in texts(learning_curve(curve, ylabel="loss", top=None))


def test_bars_print_their_numbers_and_intervals():
    said = texts(
        score_bars([Bar("network", 0.714, 0.6, 0.8), Bar("threshold", 0.05)], xlabel="IoU")
    )
    assert "0.71  (0.60 to 0.80)" in said
    assert "0.05" in said
    assert said.index("network") < said.index("threshold")


def test_an_undefined_score_is_called_so():
    svg = score_bars([Bar("network", math.nan)], xlabel="IoU")
    assert "undefined" in texts(svg)
    assert "nan" not in svg


def test_a_strip_has_a_dot_for_every_scored_subject_and_a_bar_at_the_mean():
    svg = subject_strip([("network", [0.25, math.nan, 0.75]), ("forest", [0.5])], xlabel="IoU")
    dots = re.findall(r'<use xlink:href="#m\w+" x="([\d.]+)"[^>]*fill: (#\w+)', svg)
    by_colour = {colour: [float(x) for x, own in dots if own == colour] for _, colour in dots}
    assert len(by_colour[COLOURS[0]]) == 2
    assert len(by_colour[COLOURS[1]]) == 1
    assert sum(by_colour[COLOURS[0]]) / 2 == pytest.approx(by_colour[COLOURS[1]][0], abs=0.01)


def test_a_method_without_any_score_keeps_its_row():
    assert "empty" in texts(subject_strip([("empty", [math.nan])], xlabel="IoU"))


@pytest.mark.parametrize("name", ["$\\alpha$", "a_{b}^{c}", "<script>alert(1)</script>", "$x"])
def test_names_are_shown_as_they_are_written(name):
    assert name in texts(score_bars([Bar(name, 0.5)], xlabel="IoU"))


def test_the_same_figure_is_the_same_text():
    assert two_curves() == two_curves()
    assert INK in two_curves()
