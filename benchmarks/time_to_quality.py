"""Wall time until the score that the authors' package reaches from scratch, ours beside it.

    python benchmarks/time_to_quality.py [--dataset DATASET --source MODEL]

The authors' package, ``patchgan`` 0.2, trains the paper's networks with its own trainer for a
fixed number of epochs; its score at the end is the target. Ours trains the same networks on the
same crops, from scratch and from a warm start, with a schedule of as many samples as the authors'
trainer saw, and the clock stops at its first check that reaches the target. The score is the IoU of
all pixels of held-out crops at threshold 0.5. The authors' clock runs only while its trainer
trains; ours runs from the first step to the end of the check, with batch-norm statistics
re-estimated and everything scored that a check scores.

Without ``--dataset``, data and source are generated. ``--dataset`` is a data set folder with a
``val`` split to be scored on; ``--source`` a model to start from, whose width then is everybody's.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import crosspatch as cp
from _bench import describe_machine, write_results
from _peers import Worker, peer_python
from crosspatch.crops.generated import generate
from crosspatch.training import loop
from crosspatch.training.run import Run

SOURCE = Path(__file__).resolve().parent.parent / "src"
BATCH, SIDE = 16, 128
SOURCE_STEPS = 400
Reached = list[tuple[float, dict[str, float | None]]]
"""Seconds since the start, and the scores of the check that ended then."""


class _ReachedError(Exception):
    """Raised out of a run that has nothing left to show."""


@dataclass(frozen=True)
class Case:
    """One way of ours: what it changes."""

    says: str
    settings: dict[str, dict[str, object]]
    warm: bool = False


def cases(wishes: argparse.Namespace) -> dict[str, Case]:
    """List our ways; from one to the next a single thing changes."""
    fast: dict[str, object] = {"generator_rate": wishes.rate}
    half = fast | {"batch": BATCH // 2}
    return {
        "paper": Case("the paper's rates, bf16", {}),
        "rate": Case(f"generator's rate {wishes.rate:g}, bf16", {"training": fast}),
        "fp32": Case("the same in fp32", {"training": fast | {"precision": "fp32"}}),
        "batch": Case(f"the same in bf16, batch {BATCH // 2}", {"training": half}),
        "warm": Case("the same, from a warm start", {"training": half}, warm=True),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--epochs", type=int, default=10, help="of the authors' trainer")
    parser.add_argument("--epoch-crops", type=int, default=800, help="samples of one epoch")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--checks", type=int, default=20, help="of each of our runs")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        dataset, source = _data(wishes, work)
        crops = cp.prepare(dataset, recipe="windows", size=SIDE, out=work / "crops")
        rows = [
            row
            for seed in range(wishes.seeds)
            for row in _repeat(wishes, work, crops, source, seed)
        ]
        _write(wishes, rows, crops, source)


def _data(wishes: argparse.Namespace, work: Path) -> tuple[Path, cp.Model]:
    """Take what is given, or generate kelp to find and photos to start from."""
    if wishes.dataset is not None:
        if wishes.source is None:
            raise SystemExit("--dataset needs a --source to start from")
        return wishes.dataset, cp.Model.open(wishes.source)
    shares = {"train": 0.8, "val": 0.2}
    generate("kelp", work / "kelp", subjects=120, per_scene=3, size=(192, 192), shares=shares)
    generate("photos", work / "photos", subjects=120, per_scene=3, size=(192, 192), shares=shares)
    photos = cp.prepare(work / "photos", recipe="windows", size=SIDE, out=work / "photo-crops")
    run = cp.train(
        photos, out=work / "source", steps=SOURCE_STEPS, overrides=_settings(wishes, 16, {})
    )
    return work / "kelp", run.model


def _settings(
    wishes: argparse.Namespace, width: int, more: dict[str, dict[str, object]]
) -> dict[str, dict[str, object]]:
    base: dict[str, dict[str, object]] = {
        "network": {"width": width, "discriminator_width": width},
        "training": {"batch": BATCH, "threads": wishes.threads, "checks": wishes.checks},
    }
    return {name: table | more.get(name, {}) for name, table in base.items()}


def _repeat(
    wishes: argparse.Namespace, work: Path, crops: cp.Crops, source: cp.Model, seed: int
) -> list[dict[str, object]]:
    """Train the authors' way once, then each of ours, with one seed."""
    width = source.facts.network.width
    samples = wishes.epochs * (wishes.epoch_crops // BATCH) * BATCH
    target, spent = _authors(wishes, crops, width, seed)
    found = [_row(seed, "patchgan 0.2, its own trainer", "plain", target, spent, spent)]
    for name, case in cases(wishes).items():
        overrides = _settings(wishes, width, case.settings)
        checks = _ours(
            crops,
            target,
            out=work / f"{name}-{seed}",
            source=source if case.warm else None,
            stem="skip" if case.warm else None,
            steps=samples // int(str(overrides["training"]["batch"])),
            seed=seed,
            overrides=overrides,
        )
        for weights in ("plain", "averaged"):
            scores = [(seconds, said[f"{weights}_iou"] or 0.0) for seconds, said in checks]
            reached = next((seconds for seconds, iou in scores if iou >= target), None)
            best = max(iou for _, iou in scores)
            found.append(_row(seed, case.says, weights, best, reached, spent))
            print(found[-1], file=sys.stderr)
    return found


def _row(
    seed: int, case: str, weights: str, iou: float, reached: float | None, authors: float
) -> dict[str, object]:
    return {
        "seed": seed,
        "case": case,
        "weights": weights,
        "best IoU": iou,
        "seconds": reached,
        "times less": authors / reached if reached else None,
    }


def _authors(
    wishes: argparse.Namespace, crops: cp.Crops, width: int, seed: int
) -> tuple[float, float]:
    """Train with the authors' trainer; return its IoU at the end, and its seconds of training."""
    python = peer_python(
        "patchgan",
        ["torch==2.13.0", "numpy", "tqdm", "pyyaml", "matplotlib", "pydantic", "tomlkit"],
        ["--no-deps", "patchgan==0.2"],
    )
    packages = next(python.parent.parent.glob("lib/python*/site-packages"))
    worker = Worker(
        [sys.executable, Path(__file__).with_name("_quality_worker.py"), crops.path, packages,
         str(width), str(BATCH), str(wishes.epoch_crops), str(wishes.threads)],
        {**os.environ, "PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    seconds = worker.ask(f"train {seed} {wishes.epochs}")
    score = worker.ask("score")
    worker.close()
    return score, seconds


def _ours(crops: cp.Crops, target: float, **wishes: Any) -> Reached:
    """Train our way until the target is reached; return what each check said, and when."""
    checks: Reached = []
    append, start = loop.append_metrics, time.perf_counter()

    def timed(run: Run, line: dict[str, float | None]) -> None:
        append(run, line)
        checks.append((time.perf_counter() - start, line))
        best = [
            max(said[f"{weights}_iou"] or 0.0 for _, said in checks)
            for weights in ("plain", "averaged")
        ]
        if min(best) >= target:
            raise _ReachedError

    loop.append_metrics = timed  # type: ignore[assignment]
    try:
        cp.train(crops, device="cpu", **wishes)
    except _ReachedError:
        pass
    finally:
        loop.append_metrics = append
    return checks


def _claims(wishes: argparse.Namespace, rows: list[dict[str, object]]) -> Iterator[str]:
    """Say of each of our ways how many times less it took: the median over seeds, and the range."""
    for case in cases(wishes).values():
        for weights in ("plain", "averaged"):
            mine = [row for row in rows if (row["case"], row["weights"]) == (case.says, weights)]
            known = [float(str(row["times less"])) for row in mine if row["times less"]]
            if known:
                text = f"{statistics.median(known):.1f} ({min(known):.1f}-{max(known):.1f})"
            else:
                text = "never reached"
            if 0 < len(known) < len(mine):
                text += f", not reached with {len(mine) - len(known)} of {len(mine)} seeds"
            yield f"{case.says}, {weights} weights: **{text}**"


def _write(
    wishes: argparse.Namespace, rows: list[dict[str, object]], crops: cp.Crops, source: cp.Model
) -> None:
    def shown(value: object) -> object:
        return f"{value:.3g}" if isinstance(value, float) else value or "not reached"

    network = source.facts.network
    names = ", ".join(str(told.get("origin", told.get("name"))) for told in crops.sources)
    write_results(
        "time_to_quality",
        "How many times less wall time until the IoU that the authors' trainer ends with (median "
        "over seeds, range): " + "; ".join(_claims(wishes, rows)) + ". Target: 3 from scratch.",
        [
            {key: value if key == "seed" else shown(value) for key, value in row.items()}
            for row in rows
        ],
        describe_machine("torch", "crosspatch") | {"threads": str(wishes.threads)},
        [
            f"{len(crops)} crops of {SIDE} x {SIDE} ({names}); scored on those of the val split.",
            f"The paper's networks, width {network.width}, discriminator "
            f"{network.discriminator_width}; batch {BATCH}; {wishes.epochs} epochs of "
            f"{wishes.epoch_crops} samples.",
            "The authors' trainer with its own rates (1e-3, both networks), loss and NAdam.",
            f"Warm start from {source.name}; the seconds that trained it are not counted.",
        ],
    )


if __name__ == "__main__":
    main()
