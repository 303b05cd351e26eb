"""Figures as SVG text: told apart by colour-blind readers, printed without loss, same every time.

Colours are Okabe and Ito's (2008). Lines also differ by their dashes and markers, so that a figure
in grey can still be read. Text stays text: a page gives it its own font and colour.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK = "#22262b"
"""Colour of text and axes; a page replaces it by its own, light on dark."""
RULE = "#c4c8cd"
"""Colour of grid lines, replaced likewise."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
WIDTH = 5.4
"""Inches: half the width of a page, so that a figure's words are of one size with the page's."""
MARKERS = ("o", "s", "^", "D", "v", "P")

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "crosspatch",
    "text.parse_math": False,  # a subject may be called "$x$"
    "font.family": "sans-serif",
    "font.size": 10.0,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 3.5,
}


@dataclass(frozen=True)
class Curve:
    """One line: values over steps; nan leaves a gap."""

    name: str
    steps: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True)
class Bar:
    """One score, with its interval where there are groups enough to say one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


def learning_curve(
    curves: Sequence[Curve], *, ylabel: str, xlabel: str = "optimiser steps", top: float | None = 1
) -> str:
    """Draw scores or losses over the steps of a run.

    Parameters
    ----------
    curves : one line each
    ylabel, xlabel : what the axes mean, with units
    top : upper end of the vertical axis, which begins at 0; None lets the values decide both

    Returns
    -------
    str
        A standalone SVG document.
    """
    with mpl.rc_context(STYLE):
        figure, axes = open_axes(WIDTH, 3.0)
        for number, curve in enumerate(curves):
            axes.plot(
                curve.steps, curve.values, label=curve.name, color=COLOURS[number % 6],
                linestyle=DASHES[number % 6], marker=MARKERS[number % 6],
            )  # fmt: skip
        if top is not None:
            axes.set_ylim(0, top)
        axes.set_xlim(left=0)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        if len(curves) > 1:
            axes.legend(loc="best")
        return to_svg(figure)


def score_bars(bars: Sequence[Bar], *, xlabel: str) -> str:
    """Draw scores in [0, 1] side by side, the number beside each bar, whiskers where intervals are.

    Parameters
    ----------
    bars : from top to bottom; a value that is nan has no bar and is called "undefined"
    xlabel : what the score is

    Returns
    -------
    str
        A standalone SVG document.
    """
    with mpl.rc_context(STYLE):
        figure, axes = open_axes(WIDTH, 0.75 + 0.42 * len(bars))
        axes.grid(visible=False, axis="y")
        for place, bar in enumerate(bars):
            known = not np.isnan(bar.value)
            axes.barh(place, bar.value if known else 0, 0.62, color=COLOURS[place % 6])
            text, end = f"{bar.value:.2f}" if known else "undefined", bar.value if known else 0.0
            if bar.low is not None and bar.high is not None:
                axes.plot([bar.low, bar.high], [place, place], "|-", color=INK, linewidth=1.4)
                text, end = f"{text}  ({bar.low:.2f} to {bar.high:.2f})", max(bar.high, bar.value)
            axes.text(end + 0.015, place, text, va="center", fontsize=9)
        axes.set_yticks(range(len(bars)), [bar.name for bar in bars])
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.0)
        axes.set_xlabel(xlabel)
        return to_svg(figure)


def subject_strip(rows: Sequence[tuple[str, Sequence[float]]], *, xlabel: str) -> str:
    """Draw one dot a subject in one row a method, with a bar at the mean: what a mean hides.

    Parameters
    ----------
    rows : (name of the method, score of each subject in [0, 1]); nan, a subject without a score,
        has no dot
    xlabel : what the score is

    Returns
    -------
    str
        A standalone SVG document.
    """
    with mpl.rc_context(STYLE):
        figure, axes = open_axes(WIDTH, 0.75 + 0.55 * len(rows))
        axes.grid(visible=False, axis="y")
        for place, (_, scores) in enumerate(rows):
            values = np.asarray(scores, dtype=float)
            values = values[~np.isnan(values)]
            # Neighbours in value stand apart in height, the same way every time.
            height = place + 0.26 * (np.argsort(np.argsort(values)) * 0.618 % 1 - 0.5) * 2
            axes.plot(
                values, height, linestyle="none", marker=MARKERS[place % 6], alpha=0.8,
                color=COLOURS[place % 6], markersize=4.5, markeredgewidth=0,
            )  # fmt: skip
            if values.size:
                mean = float(values.mean())
                axes.plot([mean, mean], [place - 0.36, place + 0.36], color=INK, linewidth=2)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel(xlabel)
        return to_svg(figure)


def open_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """Open a figure of its own, in inches; pyplot would keep every one in memory."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def to_svg(figure: Figure) -> str:
    """Write a figure out, the same text every time."""
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()
