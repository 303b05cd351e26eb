"""Figures of the consensus results: colours of Okabe and Ito, lines as SVG, pixels as PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import legacy
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from crosspatch.volunteers.expert import ExpertReport

COLOURS = {"iou": "#0072b2", "dice": "#d55e00", "matthews": "#009e73"}
WORDS = {"iou": "IoU", "dice": "Dice", "matthews": "Matthews correlation"}
GREY = "#8a8f98"
STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "crosspatch", "font.size": 9.0,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
}  # fmt: skip


def save(figure: Figure, path: Path) -> None:
    """Write the figure, the same bytes every time."""
    nothing = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    figure.savefig(path, dpi=130, metadata=nothing)


def curve(report: ExpertReport, path: Path) -> None:
    """Draw every subject's curve, the mean, the chosen k and its held-out score."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 3.6), layout="constrained")
        for axes, measure in zip(figure.subplots(1, 3, sharey=True), COLOURS, strict=True):
            _one_measure(axes, report, measure)
        save(figure, path)


def _one_measure(axes: Axes, report: ExpertReport, measure: str) -> None:
    for one in report.curves:
        axes.plot(range(1, one.voters + 1), one.scores(measure), color=GREY, lw=0.8, alpha=0.7)
    ks = [point.k for point in report.mean]
    means = [getattr(point, measure) for point in report.mean]
    axes.plot(ks, means, color=COLOURS[measure], lw=2.2, marker="o", ms=3.5)
    choice = report.choices[measure]
    axes.axvline(choice.best + 1, color="black", lw=0.8, ls=":")
    axes.plot(choice.best + 1, choice.nested, marker="D", color="black", ms=5, ls="none")
    axes.set(
        title=f"{WORDS[measure]}\nbest at k = {choice.best + 1}: {choice.in_sample:.2f}, "
        f"held out {choice.nested:.2f}",
        xlabel="marked by at least k volunteers", ylim=(0, 1), xticks=range(1, len(ks) + 1, 2),
    )  # fmt: skip
    axes.title.set_fontsize(9)
    if measure == "iou":
        axes.set_ylabel("agreement with the expert")
        axes.legend(
            handles=[
                Line2D([], [], color=COLOURS[measure], lw=2.2, marker="o", ms=3.5, label="mean"),
                Line2D([], [], color=GREY, lw=0.8, label="one subject"),
                Line2D([], [], color="black", marker="D", ms=5, ls="none", label="held out"),
            ],
            loc="upper right",
        )


def calibration(real: NDArray[np.float64], runs: NDArray[np.float64], path: Path) -> None:
    """Draw the real mean curve of IoU over k, and the simulated ones of several seeds."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.8, 3.2), layout="constrained")
        axes = figure.subplots()
        ks = np.arange(1, len(real) + 1)
        axes.fill_between(ks, runs.min(axis=0), runs.max(axis=0), color="#d55e00", alpha=0.2, lw=0)
        axes.plot(ks, runs.mean(axis=0), color="#d55e00", ls="--", lw=2)
        axes.plot(ks, real, color=COLOURS["iou"], lw=2.2, marker="o", ms=3.5)
        axes.set(xlabel="marked by at least k volunteers", ylabel="mean IoU with the expert",
                 ylim=(0, 0.8), xticks=ks)  # fmt: skip
        axes.legend(
            handles=[
                Line2D([], [], color=COLOURS["iou"], lw=2.2, marker="o", ms=3.5, label="real"),
                Line2D([], [], color="#d55e00", ls="--", lw=2, label="simulated, mean"),
                Patch(
                    facecolor="#d55e00", alpha=0.2, label=f"lowest to highest of {len(runs)} seeds"
                ),
            ],
            loc="upper right",
        )
        save(figure, path)


def strips(scores: Mapping[str, Sequence[float]], path: Path) -> None:
    """Draw one row a method: a dot a subject, a bar at the mean."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 0.6 + 0.34 * len(scores)), layout="constrained")
        axes = figure.subplots()
        for row, values in enumerate(scores.values()):
            for subject, value in enumerate(values):
                height = row + 0.24 * (subject / (len(values) - 1) - 0.5) * 2
                axes.plot(value, height, "o", ms=4, color=COLOURS["iou"], alpha=0.75, mew=0)
            mean = float(np.mean(values))
            axes.plot([mean, mean], [row - 0.36, row + 0.36], color="black", lw=2)
            axes.text(0.76, row, f"{mean:.3f}", va="center")
        axes.set_yticks(range(len(scores)), list(scores))
        axes.set(xlim=(0, 0.82), ylim=(len(scores) - 0.5, -0.5))
        axes.set_xlabel("IoU with the expert; a dot a subject, a bar at the mean")
        axes.grid(axis="x", color="#d8dbdf", lw=0.6)
        axes.set_axisbelow(True)
        save(figure, path)


def maps(subjects: Sequence[legacy.Subject], k: int, path: Path) -> None:
    """Draw votes and the mask of at least k against the expert, one column a subject."""
    verdicts = ListedColormap(["#ffffff", "#56b4e9", "#d55e00", "#e6c700", "#bbbbbb"])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11.5, 3.9), layout="constrained")
        grid = figure.subplots(2, len(subjects))
        for column, one in enumerate(subjects):
            rows, columns = _window(one)
            votes = one.filled.sum(axis=0)
            marked, kelp = votes >= k, one.expert == 1
            verdict = np.select(
                [one.expert == 255, marked & kelp, marked, kelp], [4, 1, 2, 3], default=0
            )
            grid[0, column].imshow(
                votes[rows, columns] / len(one.filled), "inferno", vmin=0, vmax=1
            )
            grid[1, column].imshow(verdict[rows, columns], verdicts, vmin=0, vmax=4)
            grid[0, column].set_title(f"{one.name[-2:]}: {len(one.filled)} volunteers", fontsize=9)
            for axes in grid[:, column]:
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set(visible=True, color="#bbbbbb")
        grid[0, 0].set_ylabel("share of the votes")
        grid[1, 0].set_ylabel(f"at least {k} against expert")
        names = ("both", "volunteers only", "expert only", "expert has no data")
        figure.legend(
            handles=[
                Patch(facecolor=colour, edgecolor="#999999", label=name)
                for colour, name in zip(verdicts.colors[1:], names, strict=True)
            ],
            loc="outside lower center", ncols=4,
        )  # fmt: skip
        save(figure, path)


def _window(one: legacy.Subject) -> tuple[slice, slice]:
    """Frame what anybody marked, squared, with a margin."""
    rows, columns = np.nonzero(one.filled.any(axis=0) | (one.expert == 1))
    half = min(max(np.ptp(rows), np.ptp(columns)) // 2 + 10, min(legacy.SHAPE) // 2)
    slices = []
    for places, side in ((rows, legacy.SHAPE[0]), (columns, legacy.SHAPE[1])):
        middle = (int(places.min()) + int(places.max())) // 2
        start = max(0, min(middle - half, side - 2 * half))
        slices.append(slice(start, min(side, start + 2 * half)))
    return slices[0], slices[1]
