"""Figures of a study: scores against labels, differences, labels needed, learning curves.

Each arm keeps one colour, dash and marker in all of them. Shares of the labels stand on a
logarithmic axis, because the step from 5% to 10% matters as much as that from 50% to 100%.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from crosspatch.reports.figures import (
    COLOURS,
    DASHES,
    INK,
    MARKERS,
    RULE,
    STYLE,
    WIDTH,
    open_axes,
    to_svg,
)

_DODGE = 0.035  # of ln(fraction): points of different arms stand beside each other


@dataclass(frozen=True)
class Point:
    """A score at a share of the labels, with its interval where there is one."""

    fraction: float
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """An arm: its name, its place among all arms (which gives it its looks), and its points."""

    name: str
    place: int
    points: Sequence[Point]


@dataclass(frozen=True)
class Level:
    """A score that does not depend on the share of labels: a baseline."""

    name: str
    value: float


@dataclass(frozen=True)
class Needed:
    """Share of the labels an arm needs; ``at_most``: that or less; inf: more than ``most``.

    ``most`` is the largest share the arm was tried with.
    """

    name: str
    place: int
    share: float
    at_most: bool
    low: float | None = None
    high: float | None = None
    most: float = 1.0


@dataclass(frozen=True)
class Band:
    """Learning curve of an arm: mean over runs, and from the lowest to the highest run."""

    name: str
    place: int
    steps: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def looks(place: int) -> dict[str, object]:
    """Colour, dash and marker of an arm: 36 that differ in two ways at least."""
    return {
        "color": COLOURS[place % 6],
        "linestyle": DASHES[(place + place // 6) % 6],
        "marker": MARKERS[(place + place // 6) % 6],
    }


def fraction_curves(
    lines: Sequence[Line],
    levels: Sequence[Level],
    *,
    ylabel: str,
    labels: Sequence[tuple[float, str]] = (),
    wide: bool = True,
    zero: bool = False,
) -> str:
    """Draw scores (or differences) against the share of the labels.

    Parameters
    ----------
    lines : one an arm; intervals as bars
    levels : horizontal lines, dotted and named
    ylabel : what the score is
    labels : (fraction, what to write under it), such as how many subjects that is
    wide : as wide as the page, else half
    zero : draw the line of no difference

    Returns
    -------
    str
        A standalone SVG document.
    """
    with mpl.rc_context(STYLE):
        figure, axes = open_axes(2 * WIDTH if wide else WIDTH, 4.6 if wide else 3.6)
        middle = (len(lines) - 1) / 2
        dodges = [math.exp(_DODGE * (number - middle)) for number in range(len(lines))]
        for line, dodge in zip(lines, dodges, strict=True):
            _draw_line(axes, line, dodge)
        for number, level in enumerate(levels):
            axes.axhline(
                level.value, color=INK, linewidth=1.2, linestyle=(0, (1, 2 + 2 * number)),
                label=level.name,
            )  # fmt: skip
        if zero:
            axes.axhline(0, color=INK, linewidth=1.0)
        fractions = sorted({point.fraction for line in lines for point in line.points})
        _share_axis(axes, fractions, dict(labels), room=0.15 if wide else 0.4)
        points = [point for line in lines for point in line.points]
        _keep_in_view(axes, points, levels, zero=zero)
        for line, dodge in zip(lines, dodges, strict=True):
            _mark_cut(axes, line, dodge)
        axes.set_ylabel(ylabel)
        _legend(figure, axes, len(lines) + len(levels), wide=wide)
        return to_svg(figure)


def _draw_line(axes: Axes, line: Line, dodge: float) -> None:
    shown = [point for point in line.points if not math.isnan(point.value)]
    x = [point.fraction * dodge for point in shown]
    style = looks(line.place)
    axes.plot(x, [point.value for point in shown], label=line.name, markersize=6, **style)  # type: ignore[arg-type]
    for place, point in zip(x, shown, strict=True):
        if point.low is not None and point.high is not None:
            axes.plot(
                [place, place], [point.low, point.high], "-", marker="_", markersize=6,
                color=str(style["color"]), linewidth=1.3,
            )  # fmt: skip


def _keep_in_view(
    axes: Axes, points: Sequence[Point], levels: Sequence[Level], *, zero: bool
) -> None:
    """Let no interval of few seeds, which may be longer than any score, hide the scores."""
    known = [point.value for point in points if not math.isnan(point.value)]
    if not known:
        return
    reach = max(0.1, 1.5 * (max(known) - min(known)), *(3 * abs(one) for one in known if zero))
    known += [level.value for level in levels if not math.isnan(level.value)]
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, min(known) - reach), min(high, max(known) + reach))


def _mark_cut(axes: Axes, line: Line, dodge: float) -> None:
    """Put an arrowhead where the view ends before an interval does."""
    bottom, top = axes.get_ylim()
    for point in line.points:
        for bound, edge, marker in ((point.low, bottom, "v"), (point.high, top, "^")):
            if bound is not None and (bound < edge if marker == "v" else bound > edge):
                axes.plot(
                    point.fraction * dodge, edge, marker, color=str(looks(line.place)["color"]),
                    markersize=6, clip_on=False, gid=f"cut-{line.place}-{point.fraction:g}",
                )  # fmt: skip


def _share_axis(
    axes: Axes, fractions: Sequence[float], labels: dict[float, str], *, room: float
) -> None:
    """Make x logarithmic, with a tick at each fraction and the number of labels under it.

    ``room`` is what the words of a tick need, in ln(fraction); those too near to a larger fraction
    are left out, and the tick stays.
    """
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(FixedLocator(list(fractions)))
    words = [
        f"{100 * one:.3g}%" + (f"\n{labels[one]}" if one in labels else "") for one in fractions
    ]
    for place in range(len(words) - 2, -1, -1):
        following = next(one for one in range(place + 1, len(words)) if words[one])
        if math.log(fractions[following] / fractions[place]) < room:
            words[place] = ""
    axes.set_xticklabels(words)
    if fractions:
        axes.set_xlim(fractions[0] * 0.86, fractions[-1] * 1.16)
    axes.set_xlabel("share of the labels" + (", and labelled subjects" if labels else ""))


def _legend(figure: Figure, axes: Axes, lines: int, *, wide: bool) -> None:
    if lines < 2:
        return
    handles, names = axes.get_legend_handles_labels()
    if wide:
        figure.legend(handles, names, loc="outside right upper", handlelength=3.2)
    else:
        figure.legend(
            handles, names, loc="outside upper left", ncols=min(3, lines), handlelength=3.2
        )


def labels_needed(rows: Sequence[Needed], fractions: Sequence[float]) -> str:
    """Draw what share of the labels each arm needs; arrows where the answer lies outside.

    Returns
    -------
    str
        A standalone SVG document.
    """
    lowest = min(fractions)
    left, right = lowest / 1.6, 1.6
    with mpl.rc_context(STYLE):
        figure, axes = open_axes(WIDTH, 1.1 + 0.42 * len(rows))
        axes.grid(visible=False, axis="y")
        for place, row in enumerate(rows):
            colour = COLOURS[row.place % 6]
            end = right if row.most == 1 else row.most  # "more than" points on from here
            if row.low is not None and row.high is not None:
                ends = [min(max(one, left), end) for one in (row.low, row.high)]
                axes.plot(ends, [place, place], "-", color=colour, linewidth=2)
                marks = ["<" if row.low <= lowest else "|", "|"]
                marks = [">" if math.isinf(one) else mark
                         for one, mark in zip((row.low, row.high), marks, strict=True)]  # fmt: skip
                for at, mark in zip(ends, marks, strict=True):
                    axes.plot(at, place, mark, color=colour, markersize=8, clip_on=False)
            marker = "<" if row.at_most else MARKERS[row.place % 6]
            axes.plot(min(max(row.share, left), end), place,
                      ">" if math.isinf(row.share) else marker,
                      color=colour, markersize=8, clip_on=False, gid=f"needed-{place}")  # fmt: skip
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        _share_axis(axes, [one for one in fractions if one <= 1], {}, room=0.4)
        axes.set_xlim(left, right)
        axes.set_xlabel("share of the labels needed")
        return to_svg(figure)


def learning_bands(bands: Sequence[Band], *, ylabel: str) -> str:
    """Draw validation scores over steps: mean of the runs, and the range of them.

    Returns
    -------
    str
        A standalone SVG document.
    """
    with mpl.rc_context(STYLE):
        figure, axes = open_axes(WIDTH, 3.4)
        for band in bands:
            style = looks(band.place)
            every = max(1, len(band.steps) // 8)
            axes.fill_between(
                band.steps, band.low, band.high, color=str(style["color"]), alpha=0.15, linewidth=0
            )
            axes.plot(band.steps, band.mean, label=band.name, markevery=every, **style)  # type: ignore[arg-type]
        axes.set_ylim(0, 1)
        axes.set_xlim(left=0)
        axes.set_xlabel("optimiser steps")
        axes.set_ylabel(ylabel)
        _legend(figure, axes, len(bands), wide=False)
        return to_svg(figure)


def purity_curves(lines: Sequence[Line]) -> str:
    """Draw scores against the purity of training labels, the true labels at the right end.

    Parameters
    ----------
    lines : one an arm; the ``fraction`` of a point is the purity

    Returns
    -------
    str
        A standalone SVG document.
    """
    with mpl.rc_context(STYLE):
        figure, axes = open_axes(2 * WIDTH, 4.2)
        middle = (len(lines) - 1) / 2
        dodges = [1 + 0.004 * (number - middle) for number in range(len(lines))]
        for line, dodge in zip(lines, dodges, strict=True):
            _draw_line(axes, line, dodge)
        axes.set_xlabel("purity: mean IoU of the training labels with the true ones")
        axes.set_ylabel("mean IoU on clean test labels")
        _keep_in_view(axes, [point for line in lines for point in line.points], [], zero=False)
        for line, dodge in zip(lines, dodges, strict=True):
            _mark_cut(axes, line, dodge)
        _legend(figure, axes, len(lines), wide=True)
        return to_svg(figure)


def domain_matrix(
    sources: Sequence[str], targets: Sequence[str], gains: Sequence[Sequence[float]]
) -> str:
    """Draw a matrix of gains over scratch, source by target; nan is an empty cell.

    Blue is a gain, orange a loss, and each cell holds its number.

    Returns
    -------
    str
        A standalone SVG document.
    """
    values = np.asarray(gains, dtype=float)  # (sources, targets)
    largest: float = np.nanmax(np.abs(values), initial=0.0).item()
    reach = max(largest, 0.01)
    blue, orange = (np.array(mpl.colors.to_rgb(COLOURS[place])) for place in (0, 4))
    with mpl.rc_context(STYLE):
        figure, axes = open_axes(2 * WIDTH, 1.2 + 0.5 * len(sources))
        axes.grid(visible=False)
        for row, column in np.ndindex(*values.shape):
            value = values[row, column]
            if math.isnan(value):
                axes.text(column, row, "–", ha="center", va="center")
                continue
            strength = 0.75 * float(abs(value)) / reach
            colour = (1 - strength) + strength * (blue if value >= 0 else orange)
            axes.add_patch(
                mpl.patches.Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, facecolor=colour)
            )
            axes.text(column, row, f"{value:+.3f}", ha="center", va="center", color="#111111")
        axes.set_xlim(-0.5, len(targets) - 0.5)
        axes.set_ylim(len(sources) - 0.5, -0.5)
        axes.set_xticks(range(len(targets)), targets)
        axes.set_yticks(range(len(sources)), sources)
        axes.tick_params(length=0)
        axes.set_xlabel("target")
        axes.set_ylabel("source")
        for spine in axes.spines.values():
            spine.set_visible(False)
        return to_svg(figure)


def gain_by_distance(points: Sequence[tuple[str, str, float, float]]) -> str:
    """Draw the gain over scratch against the distance between domains.

    Parameters
    ----------
    points : (source, target, distance, gain); a marker and colour each target

    Returns
    -------
    str
        A standalone SVG document.
    """
    targets = list(dict.fromkeys(target for _, target, _, _ in points))
    with mpl.rc_context(STYLE):
        figure, axes = open_axes(2 * WIDTH, 4.0)
        axes.axhline(0, color=RULE, linewidth=1.2)
        for place, target in enumerate(targets):
            some = [point for point in points if point[1] == target]
            style = looks(place) | {"linestyle": "none"}
            axes.plot(
                [point[2] for point in some], [point[3] for point in some],
                label=target, markersize=7, **style,  # type: ignore[arg-type]
            )  # fmt: skip
            for source, _, distance, gain in some:
                axes.annotate(source, (distance, gain), xytext=(6, 3), textcoords="offset points",
                              fontsize=8.5)  # fmt: skip
        axes.set_xlabel("distance between source and target")
        axes.set_ylabel("mean IoU above scratch")
        _legend(figure, axes, len(targets), wide=True)
        return to_svg(figure)
