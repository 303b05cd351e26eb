"""The figure of a simulated queue: a panel a way of choosing, chance in each of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from crosspatch.feedback.simulation import FOREGROUND_RANDOM, RANDOM, START
from crosspatch.feedback.verdicts import Point
from crosspatch.reports.figures import COLOURS, DASHES, INK, MARKERS, STYLE, to_svg

_COLUMNS = 3
_GREYS = ("#5c6670", "#8a949e")


@dataclass(frozen=True)
class ChoiceCurve:
    """Scores of one way of choosing over the subjects labelled.

    ``low`` and ``high`` bound 95%; None in them: no interval can be given.
    """

    name: str
    labels: Sequence[int]
    values: Sequence[float]
    low: Sequence[float | None]
    high: Sequence[float | None]


def choice_curves(
    curves: Sequence[ChoiceCurve], chance: Sequence[ChoiceCurve], *, ylabel: str
) -> str:
    """Draw each way of choosing in a panel of its own, with its interval, over lines of chance.

    Parameters
    ----------
    curves : a panel each
    chance : drawn in every panel, in grey, without their intervals; where there is no other curve,
        a panel of their own
    ylabel : what the score is

    Returns
    -------
    str
        A standalone SVG document.
    """
    with mpl.rc_context(STYLE):
        panels = list(curves) or list(chance)
        columns = min(_COLUMNS, len(panels))
        rows = -(-len(panels) // columns)
        figure = Figure(figsize=(2.9 * columns, 2.5 * rows + 0.5), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for place, axes in enumerate(grid.flat):
            if place >= len(panels):
                axes.set_visible(False)
                continue
            _draw_panel(axes, panels[place], place, chance)
        figure.supxlabel("subjects labelled")
        figure.supylabel(ylabel)
        handles, names = grid.flat[0].get_legend_handles_labels()
        if handles:
            figure.legend(handles, names, loc="outside upper left", ncols=2)
        return to_svg(figure)


def _draw_panel(axes: Axes, curve: ChoiceCurve, place: int, chance: Sequence[ChoiceCurve]) -> None:
    colour = COLOURS[place % 6]
    for number, other in enumerate(chance):
        axes.plot(
            other.labels, other.values, label=other.name, color=_GREYS[number % 2],
            linestyle=DASHES[1 + number % 2], marker="",
        )  # fmt: skip
    if curve not in chance:
        axes.plot(curve.labels, curve.values, color=colour, marker=MARKERS[place % 6], zorder=3)
    low, high = (
        np.array([np.nan if end is None else end for end in ends], dtype=float)
        for ends in (curve.low, curve.high)
    )
    axes.fill_between(curve.labels, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.set_title(curve.name, fontsize=10, color=INK)


def figure_of(points: Sequence[Point]) -> str:
    """Draw what a simulation came to, a panel a way of choosing: a standalone SVG document."""
    arms = dict.fromkeys(one.arm for one in points if one.arm != START)
    curves = [_curve(arm, [one for one in points if one.arm in (START, arm)]) for arm in arms]
    chance = [curve for curve in curves if curve.name in (RANDOM, FOREGROUND_RANDOM)]
    return choice_curves(
        [curve for curve in curves if curve not in chance], chance,
        ylabel="test IoU, mean over subjects",
    )  # fmt: skip


def _curve(arm: str, points: Sequence[Point]) -> ChoiceCurve:
    return ChoiceCurve(
        name=arm,
        labels=[one.labels for one in points],
        values=[one.score.value for one in points],
        low=[one.score.low for one in points],
        high=[one.score.high for one in points],
    )
