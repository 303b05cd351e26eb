"""The pilot's figures: scores of each start, what each change does, masks side by side."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from data import TARGETS
from matplotlib.figure import Figure

import crosspatch as cp
from crosspatch.files import write_bytes
from crosspatch.images import read_mask
from crosspatch.images.pictures import agreement, contact_sheet, overlay, to_png_bytes
from crosspatch.reports.gallery import choose
from crosspatch.reports.subjects import best_view
from crosspatch.studies.crossed import Resampled
from crosspatch.studies.cube import Cell

COLOURS = {"scratch": "#444444", "photos": "#0072B2", "em": "#D55E00"}
MARKERS = {"scratch": "o", "photos": "s", "em": "^"}
SHOWN = (("scratch", 10), ("photos", 10), ("em", 10), ("scratch", 100))


def draw_arms(drawn: Mapping[str, Resampled]) -> str:
    """Draw IoU of each start at 10% and 100% of the labels, a panel a target; SVG."""
    figure = Figure(figsize=(max(4.4, 2.6 * len(drawn)), 3.2), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, max(1, len(drawn)), sharey=True))
    for axes, (target, one) in zip(panels, drawn.items(), strict=False):
        for number, start in enumerate(COLOURS):
            cells = [Cell(start, share) for share in (0.1, 1.0) if one.has(Cell(start, share))]
            found = [one.estimate("iou", {cell: 1}) for cell in cells]
            places = [cell.fraction * 100 * 1.08 ** (number - 1) for cell in cells]
            axes.plot(places, [f.value for f in found], color=COLOURS[start],
                      marker=MARKERS[start], label=start)  # fmt: skip
            for place, f in zip(places, found, strict=True):
                if f.low is not None and f.high is not None:
                    axes.plot([place] * 2, [f.low, f.high], color=COLOURS[start], linewidth=1)
        for arm, dash in (("threshold", ":"), ("forest", "--")):
            if one.has(Cell(arm, 1.0)):
                value = one.estimate("iou", {Cell(arm, 1.0): 1}).value
                axes.axhline(value, color="#888888", linestyle=dash, linewidth=1, label=arm)
        axes.set_xscale("log")
        axes.set_xticks([10, 100], ["10%", "100%"])
        axes.minorticks_off()
        axes.set_title(target)
        axes.set_xlabel("labels")
        axes.set_ylim(0, 1)
    panels[0].set_ylabel("mean IoU over subjects")
    panels[-1].legend(frameon=False, fontsize=8)
    return _svg(figure)


def draw_ablation(rows: Sequence[Mapping[str, object]]) -> str:
    """Draw the change in IoU of each change, with its interval; SVG."""
    figure = Figure(figsize=(6.5, 0.6 + 0.24 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        colour = COLOURS[str(row["start"])]
        value = float(str(row["iou"]))
        if row["low"] != "":
            ends = [float(str(row["low"])), float(str(row["high"]))]
            axes.plot(ends, [place] * 2, color=colour, linewidth=1.2)
        axes.plot([value], [place], marker=MARKERS[str(row["start"])], color=colour)
    axes.axvline(0, color="#888888", linewidth=0.8)
    names = [f"{row['change']}, {row['start']} {row['percent']}%" for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("change of mean IoU, 95% over groups")
    return _svg(figure)


def draw_masks(path: Path, work: Path, target: str) -> None:
    """Draw the masks of each start side by side, on subjects of fold 0 chosen by a rule."""
    dataset = cp.Dataset.open(
        work / "datasets" / f"{target}-0", foreground=TARGETS[target].foreground
    )
    subjects = {subject.name: subject for subject in dataset.in_split("test")}
    starts = [
        (start, percent)
        for start, percent in SHOWN
        if (work / "runs" / f"{target}-{start}-{percent}-0" / "model").exists()
    ]
    model = work / "runs" / f"{target}-scratch-100-0" / "model"
    scores = cp.evaluate(model, dataset, device="cpu")
    picked = choose([(row.subject, row.iou) for row in scores.rows], each=1)
    images = [subjects[choice.name].image for choice in picked]
    tiles, captions = [], []
    found = {}
    for start, percent in starts:
        out = work / "pictures" / f"{target}-{start}-{percent}"
        model = work / "runs" / f"{target}-{start}-{percent}-0" / "model"
        found[start, percent] = cp.predict(model, images, out=out, device="cpu", overwrite=True)
    for choice in picked:
        subject = subjects[choice.name]
        _, view = best_view(dataset.read_image(subject).pixels, dataset.channel_names)
        mask = dataset.read_mask(subject)
        tiles += [view, overlay(view, mask)]
        captions += [f"{choice.kind}", "mask"]
        for (start, percent), predictions in found.items():
            prediction = read_mask(predictions.mask_path(subject.image.stem)) == 1
            tiles.append(agreement(view, prediction.astype(np.uint8), mask))
            captions.append(f"{start} {percent}%")
    sheet = contact_sheet(tiles, captions, columns=2 + len(starts), cell=180)
    write_bytes(path, to_png_bytes(sheet, colours=256))


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
