"""Run the pilot: does a warm start help, on which targets, and what helps beside it.

    python docs/results/transfer-pilot/run.py --data DIR --work DIR --stage qualify

Stages: ``settings`` (rate and length of the schedule, from scratch, one repeat), ``qualify`` (from
scratch at 10% and 100% of the labels, every target, beside baselines), ``sources``, ``transfer``
(the same from each source, on ``--targets``), ``ablate`` (one setting changed at a time,
``--targets``). Three repeats each: repeat r trains with seed r on two thirds of
the training groups and is scored on the third, fold r; a source is trained anew for each seed.
Every run is a folder under ``--work``; a finished one is not done again, a stopped one goes on.
``--part 0/2`` takes every second run, so that two processes share the work, a thread each.
"""

import argparse
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data import FOLDS, SOURCES, TARGETS, source_crops, target_crops

import crosspatch as cp
from crosspatch.files import write_text
from crosspatch.models.storage import read_weights, save_weights
from crosspatch.training.run import Run

HERE = Path(__file__).parent
CONFIG = HERE.parents[2] / "configs" / "small" / "laptop.toml"
STEPS, SOURCE_STEPS = 600, 1000
PAPER_RATE, RATE = 5e-4, 2e-3
BASE: dict[str, dict[str, Any]] = {
    "training": {"batch": 8, "threads": 1, "checks": 20, "generator_rate": RATE}
}
"""The rate came out of the stage ``settings``, which trained from scratch only."""


@dataclass(frozen=True)
class Job:
    """One run: a target, what it starts from, how many labels, a seed, and what is changed."""

    target: str
    start: str
    percent: int
    seed: int
    change: str = "none"
    settings: dict[str, dict[str, Any]] = field(default_factory=dict, compare=False)

    @property
    def name(self) -> str:
        """Name of its folder."""
        change = "" if self.change == "none" else f"-{self.change}"
        return f"{self.target}-{self.start}-{self.percent}-{self.seed}{change}"


CHANGES: dict[str, tuple[dict[str, dict[str, Any]], tuple[str, ...]]] = {
    "no-adversary": ({"loss": {"adversarial_weight": 0.0}}, ("scratch", "warm")),
    "adversary-1-to-20": ({"loss": {"adversarial_weight": 10.0}}, ("scratch", "warm")),
    "discriminator-fresh": ({"transfer": {"discriminator": "fresh"}}, ("warm",)),
    "stem-mapped": ({"transfer": {"stem": "mean"}}, ("warm",)),
    "copied-rate-0.3": ({"transfer": {"copied_rate": 0.3}}, ("warm",)),
    "staged-100": ({"transfer": {"staged_steps": 100}}, ("warm",)),
    "paper-rate": ({"training": {"generator_rate": PAPER_RATE}}, ("scratch", "warm")),
    "decay-0.7": ({"training": {"decay": 0.7}}, ("scratch", "warm")),
    "steps-x-2": ({"training": {"steps": 2 * STEPS}}, ("scratch", "warm")),
    "paper-rate-steps-x-2": (
        {"training": {"generator_rate": PAPER_RATE, "steps": 2 * STEPS}}, ("scratch", "warm"),
    ),
}  # fmt: skip
SETTINGS = ("steps-x-2", "paper-rate", "paper-rate-steps-x-2")
"""One setting changed at a time, and the starts on which the change is tried."""


def main() -> None:
    """Do the part of a stage that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument(
        "--stage", choices=["settings", "qualify", "sources", "transfer", "ablate"], required=True
    )
    parser.add_argument("--targets", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument("--changes", nargs="+", choices=list(CHANGES), default=list(CHANGES))
    parser.add_argument("--warm", choices=list(SOURCES), default="photos", help="of the ablation")
    parser.add_argument("--percents", nargs="+", type=int, default=[10, 100])
    parser.add_argument("--part", default="0/1")
    wishes = parser.parse_args()
    number, parts = (int(text) for text in wishes.part.split("/"))
    if wishes.stage == "sources":
        pairs = [(source, seed) for seed in range(FOLDS) for source in SOURCES]
        for source, seed in pairs[number::parts]:
            train_source(source, seed, wishes)
        return
    for job in jobs(wishes)[number::parts]:
        do(job, wishes)


def jobs(wishes: argparse.Namespace) -> list[Job]:
    """List the runs of a stage, one repeat of everything before the next."""
    listed = []
    for seed in range(FOLDS):
        for target in wishes.targets:
            if wishes.stage == "settings":
                listed += [
                    Job(target, "scratch", 100, seed, change, CHANGES[change][0])
                    for change in SETTINGS * (seed == 0)
                ]
                continue
            if wishes.stage == "ablate":
                listed += [
                    Job(target, wishes.warm if start == "warm" else start, percent, seed, change,
                        CHANGES[change][0])
                    for percent in wishes.percents
                    for change in wishes.changes
                    for start in CHANGES[change][1]
                ]  # fmt: skip
                continue
            starts = ["scratch"] if wishes.stage == "qualify" else list(SOURCES)
            listed += [
                Job(target, start, percent, seed) for percent in wishes.percents for start in starts
            ]
    return listed


def train_source(source: str, seed: int, wishes: argparse.Namespace) -> Run:
    """Train a source once, or take up what is there."""
    out = wishes.work / "runs" / f"source-{source}-{seed}"
    if (out / "run.toml").exists():
        return cp.resume(out)
    crops = source_crops(source, wishes.data, wishes.work)
    return cp.train(
        crops, out=out, config=CONFIG, overrides=BASE, steps=SOURCE_STEPS, seed=seed, device="cpu"
    )


def do(job: Job, wishes: argparse.Namespace) -> None:
    """Train and score one run; nothing where its scores are there."""
    table = wishes.work / "scores" / f"{job.name}.averaged.csv"
    if table.exists():
        return
    dataset, crops = target_crops(TARGETS[job.target], job.seed, wishes.data, wishes.work)
    run = _trained(job, crops, wishes)
    if job.change == "none" and job.percent == 10:
        _score(_unestimated(run), dataset, job, table.with_suffix("").with_suffix(".norms.csv"))
    _score(run.path / "plain", dataset, job, table.with_suffix("").with_suffix(".plain.csv"))
    baselines = job.start == "scratch" and job.percent == 100 and job.change == "none"
    _score(run.path / "model", dataset, job, table, baselines=baselines)
    print(job.name, flush=True)


def _trained(job: Job, crops: cp.Crops, wishes: argparse.Namespace) -> Run:
    out = wishes.work / "runs" / job.name
    if (out / "run.toml").exists():
        return cp.resume(out)
    overrides: dict[str, dict[str, Any]] = {"training": dict(BASE["training"], steps=STEPS)}
    source = None
    if job.start != "scratch":
        source = train_source(job.start, job.seed, wishes).model
        overrides["transfer"] = {"stem": "skip"}
    for name, values in job.settings.items():
        overrides[name] = overrides.get(name, {}) | values
    return cp.train(
        crops, out=out, source=source, config=CONFIG, overrides=overrides,
        fraction=job.percent / 100, seed=job.seed, device="cpu",
    )  # fmt: skip


def _score(model: Path, dataset: Path, job: Job, out: Path, *, baselines: bool = False) -> None:
    out.parent.mkdir(exist_ok=True)
    cp.evaluate(
        model, dataset, foreground=TARGETS[job.target].foreground, seed=job.seed, out=out,
        baselines=baselines, device="cpu", overwrite=True,
    )  # fmt: skip


def _unestimated(run: Run) -> Path:
    """Copy the averaged model, with the running statistics of the plain weights in its norms."""
    out = run.path.with_name(f"{run.path.name}-norms")
    if not out.exists():
        shutil.copytree(run.path / "model", out)
    network = cp.Model.open(run.path / "model").load_generator()
    plain = read_weights(run.path / "plain" / "generator.safetensors")
    moved = {name: values for name, values in plain.items() if ".running_" in name}
    network.load_state_dict(network.state_dict() | moved)
    save_weights(out / "generator.safetensors", network)
    write_text(out / "README.md", "Averaged weights, running statistics of the plain ones.\n")
    return out


if __name__ == "__main__":
    main()
