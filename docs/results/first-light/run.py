"""First light on real data: water and built-up areas in satellite tiles, from scratch.

    python docs/results/first-light/run.py --data DIR --work DIR

``--data`` holds ``images/`` (4-band TIFF), ``masks/`` (water), ``masks_classes/`` (1 built-up,
2 vegetation, 3 water) and ``splits.csv``; the page beside this file says where they come from.
Finished runs are not trained again; a stopped one goes on. Tables and pictures are written beside
this file.
"""

import argparse
import csv
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

import crosspatch as cp
from crosspatch.evaluation.scores import Scores
from crosspatch.files import new_folder, write_bytes, write_text, write_toml
from crosspatch.images import read_mask
from crosspatch.images.pictures import contact_sheet, to_png_bytes
from crosspatch.reports.figures import Curve, learning_curve
from crosspatch.reports.gallery import choose
from crosspatch.reports.subjects import compared
from crosspatch.training.run import Run

HERE = Path(__file__).parent
CHANNELS = ["blue", "green", "red", "near infrared"]
PAPER_RATE = 5e-4
CHECKS = 25


@dataclass(frozen=True)
class Target:
    """What to find, and where its masks are."""

    name: str
    masks: str
    table: dict[str, object]
    foreground: str | None = None


TARGETS = (
    Target("water", "masks", {"mask_values": {"background": [0], "foreground": [255]}}),
    Target(
        "built-up",
        "masks_classes",
        {"classes": {"built-up": 1, "vegetation": 2, "water": 3}},
        foreground="built-up",
    ),
)


def main() -> None:
    """Train and score every target and seed, then write the tables and pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--train-only", choices=[target.name for target in TARGETS])
    wishes = parser.parse_args()
    if wishes.train_only:  # one process a target: two cores, a thread each
        train_all(next(t for t in TARGETS if t.name == wishes.train_only), wishes)
        return
    rows: list[dict[str, object]] = []
    for target in TARGETS:
        folder, runs = train_all(target, wishes)
        scored = [score(run, folder, target, seed) for seed, run in enumerate(runs)]
        rows += [row for some, _ in scored for row in some]
        write_text(HERE / f"learning-{target.name}.svg", draw_learning(runs))
        write_text(HERE / f"learning-{target.name}.csv", learning_table(runs))
        write_picture(runs[0], scored[0][1], folder, target, wishes.work)
    write_rows(HERE / "scores.csv", rows)


def train_all(target: Target, wishes: argparse.Namespace) -> tuple[Path, list[Run]]:
    """Make the data set and its crops, and train every seed; what is there is not made again."""
    folder = make_dataset(target, wishes.data, wishes.work / "datasets" / target.name)
    crops = cp.prepare(
        folder, recipe="floating-forests", size=128, scale=0.5, foreground=target.foreground,
        out=wishes.work / "crops" / target.name,
    )  # fmt: skip
    return folder, [
        train_once(crops, wishes.work / "runs" / f"{target.name}-{seed}", wishes, seed)
        for seed in range(wishes.seeds)
    ]


def make_dataset(target: Target, data: Path, out: Path) -> Path:
    """Lay the files out as a crosspatch data set, once."""
    if not out.exists():
        with new_folder(out, kind="dataset") as folder:
            shutil.copytree(data / "images", folder / "images")
            shutil.copytree(data / target.masks, folder / "masks")
            shutil.copy(data / "splits.csv", folder / "splits.csv")
            write_toml(
                folder / "dataset.toml",
                {
                    "channels": CHANNELS,
                    **target.table,
                    "licence": "MIT (repository); modified Copernicus Sentinel data",
                    "origin": "sahilsb8/U-Net-Multispectral-Satellite-Image-Segmentation, tiles",
                },
                says=f"Satellite tiles, {target.name}.",
            )
    return out


def train_once(crops: cp.Crops, out: Path, wishes: argparse.Namespace, seed: int) -> Run:
    """Train one seed, or take up what is there."""
    if (out / "run.toml").exists():
        return cp.resume(out)
    return cp.train(
        crops,
        out=out,
        config=HERE.parents[2] / "configs" / "small" / "laptop.toml",
        overrides={"training": {"checks": CHECKS, "threads": 1, "generator_rate": PAPER_RATE}},
        steps=wishes.steps,
        seed=seed,
    )


def score(
    run: Run, dataset: Path, target: Target, seed: int
) -> tuple[list[dict[str, object]], Scores]:
    """Score both weights of a run, and the baselines beside the first seed; log the opening."""
    rows: list[dict[str, object]] = []
    for weights in ("plain", "model"):
        scores = cp.evaluate(
            run.path / weights, dataset, foreground=target.foreground, seed=seed,
            baselines=seed == 0 and weights == "model",
        )  # fmt: skip
        log_opening(target, run, weights)
        name = {"model": "averaged weights", "plain": "plain weights"}[weights]
        rows += summary_rows(scores, target, name, seed)
    return rows, scores


def summary_rows(scores: Scores, target: Target, name: str, seed: int) -> list[dict[str, object]]:
    """Flatten the summaries: a row a method and score."""
    return [
        {
            "target": target.name,
            "method": name if method is scores.methods[0] else method.method,
            "seed": seed,
            "score": key,
            "value": f"{estimate.value:.4f}",
            "low": "" if estimate.low is None else f"{estimate.low:.4f}",
            "high": "" if estimate.high is None else f"{estimate.high:.4f}",
            "subjects": estimate.subjects,
            "groups": estimate.groups,
        }
        for method in scores.methods
        for key, estimate in method.summary.items()
    ]


def log_opening(target: Target, run: Run, weights: str) -> None:
    """Add a line to the log of test openings (rule 1 of the evidence page)."""
    path = HERE / "test_log.csv"
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(["date", "target", "run", "weights", "why"])
        writer.writerow([date.today().isoformat(), target.name, run.path.name, weights, "final"])


def draw_learning(runs: list[Run]) -> str:
    """Draw validation IoU over the steps: averaged weights, and the first seed's plain ones."""
    curves = [_curve(runs[0], "plain_iou", "plain, seed 0")]
    curves += [
        _curve(run, "averaged_iou", f"averaged, seed {seed}") for seed, run in enumerate(runs)
    ]
    return learning_curve(curves, ylabel="validation IoU of crops, pooled")


def _curve(run: Run, key: str, name: str) -> Curve:
    lines = run.metrics()
    return Curve(name, [line["step"] for line in lines], [line[key] for line in lines])


def learning_table(runs: list[Run]) -> str:
    """List every check of every seed."""
    keys = ["step", "tversky", "adversarial", "fake", "real", "plain_iou", "averaged_iou",
            "plain_loss", "averaged_loss", "images_per_second"]  # fmt: skip
    lines = [",".join(["seed", *keys])]
    for seed, run in enumerate(runs):
        lines += [
            ",".join([str(seed), *(f"{line[key]:.6g}" for key in keys)]) for line in run.metrics()
        ]
    return "\n".join(lines) + "\n"


def write_picture(run: Run, scores: Scores, folder: Path, target: Target, work: Path) -> None:
    """Write typical, best and worst test subjects of seed 0, chosen by the report's rule."""
    dataset = cp.Dataset.open(folder, foreground=target.foreground)
    out = work / "predictions" / target.name
    test = dataset.in_split("test")
    cp.predict(run.model, [subject.image for subject in test], out=out, overwrite=True)
    by_name = {subject.name: subject for subject in test}
    tiles, captions = [], []
    for choice in choose([(row.subject, row.iou) for row in scores.rows], each=2):
        subject = by_name[choice.name]
        image = dataset.read_image(subject)
        masks = [path for path in (out / "masks").iterdir() if path.stem == subject.name]
        prediction = (read_mask(masks[0]) == 1).astype(np.uint8)
        strip = compared(
            f"{choice.kind}, IoU {choice.score:.2f}", image.pixels, dataset.channel_names,
            dataset.read_mask(subject), prediction,
        )  # fmt: skip
        tiles += [picture for _, picture in strip.tiles]
        captions += [f"{strip.title}: {label}" if not number else label
                     for number, (label, _) in enumerate(strip.tiles)]  # fmt: skip
    sheet = contact_sheet(tiles, captions, columns=4, cell=200)
    write_bytes(HERE / f"subjects-{target.name}.png", to_png_bytes(sheet))


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    """Write a table."""
    lines = [",".join(rows[0])] + [",".join(str(value) for value in row.values()) for row in rows]
    write_text(path, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
