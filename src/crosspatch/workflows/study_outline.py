"""``crosspatch study --dry-run``: what a plan comes to, and how long it would take here."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch.config import Settings
from crosspatch.dataset import Dataset, new_dataset
from crosspatch.evaluation.subjects import model_method, score_rows
from crosspatch.files import PathLike
from crosspatch.models.runtime import choose_device, choose_precision
from crosspatch.studies.outline import Data, Outline, outline
from crosspatch.workflows.prepare import prepare
from crosspatch.workflows.train import train

__all__ = ["Outline", "dry_run", "outline"]

_STEPS, _CHECKS, _CROPS = 6, 3, 8


def dry_run(plan: PathLike) -> tuple[Outline, float | None]:
    """List what a plan comes to, and estimate its seconds on this machine, one run after another.

    The estimate trains a few steps on noise of the same size; None where images are not here.
    """
    made = outline(plan)
    if not made.here:
        return made, None
    return made, estimate(made)


def estimate(made: Outline) -> float:
    """Measure a step and the scoring of a subject, and add up; baselines are left out."""
    device = choose_device(made.plan.device)
    precision = choose_precision(made.plan.precision, device)
    measured: dict[tuple[str, str], tuple[float, float]] = {}
    total = 0.0
    for run in made.runs:
        if run.settings is None:
            continue
        key = (run.data.name, run.settings.network.model_dump_json())
        if key not in measured:
            measured[key] = measure(run.settings, run.data, device.type, precision)
        step, subject = measured[key]
        total += run.steps * step + 2 * run.test_subjects * subject  # both weights are scored
    return total


def measure(settings: Settings, data: Data, device: str, precision: str) -> tuple[float, float]:
    """Measure seconds a training step and seconds a subject scored, on noise of the same size."""
    few = {"steps": _STEPS, "checks": _CHECKS, "fraction": 1.0, "validation_share": 0.0}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        noise = _noise(Path(place) / "noise", data)
        crops = prepare(noise, recipe="windows", size=data.recipe.size, out=Path(place) / "crops")
        run = train(
            crops,
            out=Path(place) / "run",
            config=settings,
            overrides={"training": few | {"precision": precision}},
            device=device,
        )
        speeds = [line["images_per_second"] for line in run.metrics()[1:]]  # the first warms up
        step = settings.training.batch / statistics.median(speeds)
        if settings.network.head is not None:
            return step, 0.0  # it draws no masks, so it is not scored
        method = model_method(run.model, noise, device=choose_device(device), precision=precision)
        before = time.perf_counter()
        score_rows(noise, noise.in_split("test"), [method])
        subject = time.perf_counter() - before
    return step, subject


def _noise(out: Path, data: Data) -> Dataset:
    """Write a batch of crops of noise to train on, and one subject of the data's size to score."""
    random = np.random.default_rng(0)
    side, channels = data.recipe.size, data.channels

    def pair(height: int, width: int, some: bool) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        mask = (random.random((height, width)) < 0.5 * some).astype(np.uint8)
        return random.integers(0, 256, (channels, height, width)).astype(np.uint8), mask

    with new_dataset(out) as writer:
        for number in range(_CROPS):
            writer.add(f"crop-{number}", *pair(side, side, number % 2 == 0), split="train")
        # Scored at the scale that the recipe resizes to, as the data's own subjects are.
        size = data.recipe.resize.shape(data.height, data.width)
        writer.add("subject", *pair(*size, True), split="test")
    return Dataset.open(out)
