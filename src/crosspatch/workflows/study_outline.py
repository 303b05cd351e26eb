"""``crosspatch study --dry-run``: what a plan comes to, and how long it would take here."""

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from crosspatch.config import Settings
from crosspatch.crops import Crops
from crosspatch.dataset import Dataset, new_dataset
from crosspatch.errors import SettingsError
from crosspatch.evaluation.subjects import model_method, score_rows
from crosspatch.files import PathLike
from crosspatch.models.runtime import choose_device, choose_precision
from crosspatch.models.storage import halvings
from crosspatch.studies.outline import Data, Outline, Planned, outline
from crosspatch.training.loop import REESTIMATION_CROPS, StoppedError
from crosspatch.training.rebuild import on_threads, rebuild, single_device
from crosspatch.training.run import Run
from crosspatch.training.schedule import when_to_check
from crosspatch.training.validation import score, score_presence
from crosspatch.training.work import fewest_crops, has_adversary
from crosspatch.workflows.prepare import prepare
from crosspatch.workflows.train import train

__all__ = ["Estimate", "Outline", "Speed", "dry_run", "outline"]

_STEPS, _CHECKS, _CROPS = 6, 3, 2
_FEW = 2
_QUICK = 5.0  # seconds that `_STEPS` whole batches may take; else `_FEW` of the smallest are taken


@dataclass(frozen=True)
class Speed:
    """What was measured of one kind of run, in seconds.

    step : of a step of training, with the whole batch
    look : of a crop that a check of a run shows to a network
    subject : of a test subject scored; 0 of a run that scores none
    """

    step: float
    look: float
    subject: float


@dataclass(frozen=True)
class Estimate:
    """Seconds of all runs, one after another, without baselines; None where ``where`` says why."""

    seconds: float | None
    where: str


def dry_run(plan: PathLike) -> tuple[Outline, Estimate]:
    """List what a plan comes to, and estimate its seconds on this machine, one run after another.

    The estimate trains a few steps on noise of the size of the images, also where only that size
    is declared.

    Raises
    ------
    StoppedError
        Ctrl-C while a few steps were trained.
    """
    made = outline(plan)
    try:
        device = choose_device(made.plan.device)
    except SettingsError as error:
        return made, Estimate(None, str(error))
    try:
        return made, estimate(made, device)
    except StoppedError:  # it would say how to go on with a run whose folder is gone
        raise StoppedError("stopped") from None


def estimate(made: Outline, device: torch.device) -> Estimate:
    """Measure each kind of run once, and add up; baselines are left out."""
    precision = choose_precision(made.plan.precision, device)
    measured: dict[tuple[Any, ...], Speed] = {}
    total = 0.0
    for run in made.runs:
        if run.settings is None:
            continue
        kind = _kind(run, run.settings)
        if kind not in measured:
            scored = run.test_subjects > 0
            measured[kind] = measure(run.settings, run.data, device.type, precision, scored=scored)
        total += _seconds(run, run.settings, measured[kind])
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return Estimate(total, f"{name}, {precision}")


def _kind(run: Planned, settings: Settings) -> tuple[Any, ...]:
    """Name all that the time of a step, a check's look and a scored subject depends on."""
    data, training = run.data, settings.training
    pixels = (data.recipe, data.channels)
    scored = (data.height, data.width) if run.test_subjects else None
    learns = (settings.network.model_dump_json(), has_adversary(settings))
    steps = (training.batch, training.accumulate, training.threads, training.averaging > 0)
    return (*pixels, scored, *learns, *steps)


def _seconds(run: Planned, settings: Settings, speed: Speed) -> float:
    """Add up the steps of one run, what its checks look at, and its test subjects."""
    weights = 2 if settings.training.averaging else 1
    looked = weights * run.validation + REESTIMATION_CROPS * (weights - 1)
    checks = len(when_to_check(settings.training, run.steps))
    scoring = weights * run.test_subjects * speed.subject
    return run.steps * speed.step + checks * looked * speed.look + scoring


def measure(settings: Settings, data: Data, device: str, precision: str, *, scored: bool) -> Speed:
    """Measure a step, a look and, if ``scored``, a subject on noise of the data's size.

    Where whole batches take long, steps of the fewest crops stand for them, in proportion.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        noise = _noise(place / "noise", data)
        crops = prepare(noise, recipe="windows", size=data.recipe.size, out=place / "crops")
        training = settings.training
        few = min(training.batch, fewest_crops(data.recipe.size, halvings(settings.network)))

        def trained(name: str, **more: int) -> tuple[Run, float]:
            wins = {"fraction": 1.0, "validation_share": 0.0, "precision": precision} | more
            run = train(crops, out=place / name, config=settings, overrides={"training": wins},
                        device=device)  # fmt: skip
            speeds = [line["images_per_second"] for line in run.metrics()[1:]]  # the first warms up
            return run, training.batch / statistics.median(speeds)

        run, step = trained("few", steps=_FEW, checks=_FEW, batch=few, accumulate=1)
        if _STEPS * step < _QUICK:
            run, step = trained("whole", steps=_STEPS, checks=_CHECKS)
        subject = _subject(run, noise, device, precision) if scored else 0.0
        return Speed(step, _look(run, crops, precision), subject)


def _look(run: Run, crops: Crops, precision: str) -> float:
    """Measure seconds a crop of validation, the second time."""
    with on_threads(run):
        work = rebuild(run, single_device(run))
        looks = score_presence if work.asks_presence else score
        network = work.generator.eval()
        for _ in range(2):
            before = time.perf_counter()
            looks(network, work.batches, work.chosen.train, batch=_CROPS, precision=precision)
            taken = time.perf_counter() - before
    return taken / len(work.chosen.train)


def _subject(run: Run, noise: Dataset, device: str, precision: str) -> float:
    """Measure seconds a subject scored, as a study scores: in windows of the crops' size."""
    model = run.model
    with on_threads(run):
        method = model_method(model, noise, device=choose_device(device), precision=precision,
                              window=model.facts.crop_size)  # fmt: skip
        before = time.perf_counter()
        score_rows(noise, noise.in_split("test"), [method])
        return time.perf_counter() - before


def _noise(out: Path, data: Data) -> Dataset:
    """Write crops of noise to train on, and one subject of the data's size to score."""
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
