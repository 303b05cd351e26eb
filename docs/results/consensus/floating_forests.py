"""Compares consensus masks with experts on Floating Forests, and the methods with each other.

    python docs/results/consensus/floating_forests.py --data DIR/floating_forests

Writes the tables (CSV) and figures (SVG, PNG) beside itself. Nothing is drawn at random but the
volunteers of the table about few voters, whose seeds are fixed. 20 seconds on one core.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import figures
import legacy
import methods
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from crosspatch.images.pictures import to_png_bytes
from crosspatch.metrics import Confusion, confusion
from crosspatch.volunteers.agreement import subject_agreement
from crosspatch.volunteers.consensus import count_votes
from crosspatch.volunteers.expert import MEASURES, ExpertReport, compare_with_expert, subject_curve
from crosspatch.volunteers.patterns import vote_patterns
from crosspatch.volunteers.sheet import SheetRow, contact_sheet, pick_rows

HERE = Path(__file__).parent
FOLDER_KS = range(1, 11)


def write(name: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table; floats with three decimals."""
    with (HERE / name).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(
            [f"{cell:.3f}" if isinstance(cell, float) else cell for cell in row] for row in rows
        )


def pil_fill(outlines: Sequence[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Fill as the folder's table did: Pillow paints the pixels that the outline passes, too."""
    image = Image.new("1", legacy.SHAPE[::-1])
    for outline in outlines:
        if len(outline) > 1:
            ImageDraw.Draw(image).polygon([tuple(xy) for xy in outline[:, ::-1]], fill=1, outline=1)
    return np.asarray(image, bool)


def against_the_folder(subjects: Sequence[legacy.Subject], folder: Path) -> None:
    """Put our IoU at each k beside the folder's, which counted missing expert data as no kelp."""
    with (folder / "consensus_vs_expert_iou.csv").open(newline="", encoding="utf-8") as file:
        theirs = {row["subject_id"]: row for row in csv.DictReader(file)}
    rows, areas = [], []
    for one in subjects:
        kelp = (one.expert == 1).astype(np.uint8)
        ours = one.filled.sum(axis=0)
        painted = np.stack([pil_fill(marks) for marks in one.outlines])
        pillow = painted.sum(axis=0)
        areas.append((one.filled.sum(), painted.sum()))
        for k in FOLDER_KS:
            given = float(theirs[one.name][f"iou_ge{k}"])
            exact, biased = (confusion(votes >= k, kelp).iou for votes in (ours, pillow))
            known = confusion(ours >= k, one.expert).iou
            rows.append([one.name, k, given, biased, exact, exact - given, known])
    header = ["subject", "k", "iou_in_folder", "iou_pillow_here", "iou_exact_fill", "difference",
              "iou_exact_fill_no_data_ignored"]  # fmt: skip
    write("against_folder.csv", header, rows)
    difference = np.array([row[5] for row in rows])
    print(f"pillow here - folder: at most {max(abs(row[3] - row[2]) for row in rows):.4f}")
    print(f"exact - folder: mean {difference.mean():+.4f}, mean absolute "
          f"{np.abs(difference).mean():.4f}, "
          f"{difference.min():+.3f} to {difference.max():+.3f}")  # fmt: skip
    exact_area, pillow_area = np.sum(areas, axis=0)
    print(f"area painted by pillow / exact: {pillow_area / exact_area:.4f}")


def curves(subjects: Sequence[legacy.Subject]) -> ExpertReport:
    """Write the curve of consensus against expert over k, and the choice of k."""
    report = compare_with_expert(
        [subject_curve(one.name, count_votes(one.filled), one.expert) for one in subjects]
    )
    rows: list[list[object]] = [
        ["mean", p.k, p.iou, p.dice, p.matthews, p.subjects] for p in report.mean
    ]
    for one in report.curves:
        scores = [one.scores(measure).tolist() for measure in MEASURES]
        rows += [
            [one.subject, k + 1, *values, 1] for k, values in enumerate(zip(*scores, strict=True))
        ]
    write("curve.csv", ["subject", "k", *MEASURES, "subjects"], rows)
    write(
        "choice_of_k.csv",
        ["measure", "chosen_k", "in_sample", "held_out", "k_chosen_without_each_subject"],
        [
            [name, c.best + 1, c.in_sample, c.nested, " ".join(str(k + 1) for k in c.chosen)]
            for name, c in report.choices.items()
        ],
    )
    figures.curve(report, HERE / "curve.svg")
    return report


def agreement(subjects: Sequence[legacy.Subject]) -> None:
    """Write how alike the volunteers of each subject are, and the contact sheet."""
    rows, difficulty = [], {}
    for one in subjects:
        patterns, _ = vote_patterns(one.filled)
        logged_in = [not name.startswith("not-logged-in") for name in one.volunteers]
        found = subject_agreement(one.name, patterns, one.volunteers, logged_in)
        difficulty[one.name] = found.difficulty
        kelp = int((one.expert == 1).sum()) if one.expert is not None else ""
        marks = sum(len(outlines) for outlines in one.outlines)
        rows.append([one.name, found.voters, marks, found.dice, found.difficulty, found.anonymous,
                     int(found.outliers().sum()), patterns.union_area, kelp])  # fmt: skip
    header = ["subject", "voters", "marks", "dice", "difficulty", "anonymous", "outliers",
              "union_pixels", "expert_pixels"]  # fmt: skip
    write("agreement.csv", header, rows)
    by_name = {one.name: one for one in subjects}
    sheet = [
        SheetRow(
            f"{kind}: {name}",
            by_name[name].filled,
            (2 * by_name[name].filled.sum(axis=0) >= len(by_name[name].filled)).astype(np.uint8),
        )
        for name, kind in pick_rows(
            {name: value for name, value in difficulty.items() if len(by_name[name].filled) > 4},
            each=1,
        )
    ]
    (HERE / "contact_sheet.png").write_bytes(to_png_bytes(contact_sheet(sheet, cell=300)))


def side_by_side(subjects: Sequence[legacy.Subject]) -> None:
    """Write every method's scores, and how many pixels it left undecided."""
    table = methods.all_methods(subjects)
    rows, strips = [], {}
    for name, masks in table.items():
        found = [confusion(masks[s.name] == 1, _known(s, masks[s.name])) for s in subjects]
        values = {measure: [getattr(one, measure) for one in found] for measure in MEASURES}
        undecided = [float((masks[s.name] == 255).sum() / s.filled.any(axis=0).sum())
                     for s in subjects]  # fmt: skip
        pooled = sum(found, Confusion(0, 0, 0, 0))
        means = [float(np.mean(values[measure])) for measure in MEASURES]
        kelp = sum(int((s.expert == 1).sum()) for s in subjects)
        area = (pooled.tp + pooled.fp) / kelp
        rows.append([name, *means, pooled.iou, area, float(np.mean(undecided)), *values["iou"]])
        strips[name] = values["iou"]
    header = ["method", "iou", "dice", "matthews", "pooled_iou", "area_over_expert",
              "undecided_share_of_union"]  # fmt: skip
    write("methods.csv", [*header, *(f"iou_{one.name}" for one in subjects)], rows)
    figures.strips(strips, HERE / "methods.svg")


def _known(subject: legacy.Subject, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Leave out what the expert does not know or the method leaves undecided."""
    return np.where(mask == 255, 255, subject.expert).astype(np.uint8)


def few_voters(subjects: Sequence[legacy.Subject]) -> None:
    """Write how the methods fare with 2 to 7 of the voters, 20 draws each."""
    rows = methods.with_few_voters(subjects, numbers=(1, 2, 3, 4, 5, 7), draws=20)
    header = ["voters", "iou_half", "iou_4_of_15", "iou_shrunken_on_decided",
              "undecided_share_of_union"]  # fmt: skip
    write("few_voters.csv", header, rows)


def main() -> None:
    """Make everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder floating_forests")
    folder = parser.parse_args().data
    everyone = legacy.read(folder)
    subjects = [one for one in everyone if one.expert is not None]
    against_the_folder(subjects, folder)
    report = curves(subjects)
    agreement(everyone)
    side_by_side(subjects)
    few_voters(subjects)
    figures.maps(subjects, report.choices["iou"].best + 1, HERE / "maps.png")


if __name__ == "__main__":
    main()
