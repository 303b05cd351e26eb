"""Probes of source models: the beginning of a training from each, scored on labels set aside."""

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from crosspatch.crops import Crops
from crosspatch.models.storage import Model
from crosspatch.progress import Progress
from crosspatch.training.loop import StoppedError
from crosspatch.workflows.train import train

SCRATCH = "from scratch"
_LAST = 3  # checks of a probe whose mean is its score
_SIZE = ("width", "depth")
_JUDGE = ("discriminator_width", "discriminator_layers")


def why_none(pack: Crops, steps: int, repeats: int) -> str | None:
    """Say why there is nothing to probe, if so."""
    if steps < 1:
        return "no steps were given to probe"
    if repeats < 1:
        return "no repeats were given to probe"
    if len(set(pack.table["group"])) < 3:
        return "too few labelled groups to probe"
    return None


def probe(
    pack: Crops,
    sources: Sequence[Model],
    *,
    steps: int,
    repeats: int,
    seed: int,
    device: str | None,
    folder: Path,
    progress: Progress,
) -> dict[str, tuple[float, ...]]:
    """Train a little from each source, and from scratch.

    A repeat whose set-aside labels show no foreground has no score where nothing is drawn, and 0
    where anything is: it says nothing, and is left out for all.

    Returns
    -------
    path of the source, or "from scratch" -> score of each repeat that counts
    """
    starts = [*((str(model.path), model) for model in sources), (SCRATCH, None)]
    found: dict[str, tuple[float, ...]] = {name: () for name, _ in starts}
    total = repeats * len(starts)
    for repeat in range(repeats):
        scores: dict[str, float | None] = {}
        for place, (name, model) in enumerate(starts):
            done = repeat * len(starts) + place
            progress("probing", done, total)
            settings = _settings(network_of(model, sources), steps, seed + repeat)
            scores[name] = _score(pack, model, settings, device, folder / f"probe-{done}")
        if None not in scores.values():
            found = {
                name: (*found[name], score) for name, score in scores.items() if score is not None
            }
    progress("probing", total, total)
    return found


def network_of(model: Model | None, sources: Sequence[Model]) -> dict[str, Any]:
    """Give a probe the network settings that its start does not bring, None: from scratch.

    Dropout is the default's for all, as a warm start leaves it. What brings no discriminator gets
    one of the size that the first source with one has.
    """
    told: dict[str, Any] = {}
    if model is None:
        told |= {key: getattr(sources[0].facts.network, key) for key in _SIZE}
    if model is None or not model.has_discriminator:
        judged = [one.facts.network for one in sources if one.has_discriminator]
        told |= {key: getattr(judged[0], key) for key in _JUDGE if judged}
    return told


def _settings(network: Mapping[str, Any], steps: int, seed: int) -> dict[str, Mapping[str, Any]]:
    return {
        "network": network,
        "training": {"steps": steps, "seed": seed, "batch": 8, "checks": 10, "threads": 1,
                     "validation_share": 1 / 3},
        "transfer": {"stem": "skip"},
    }  # fmt: skip


def _score(
    pack: Crops,
    model: Model | None,
    settings: Mapping[str, Mapping[str, Any]],
    device: str | None,
    out: Path,
) -> float | None:
    """Train for a few steps; None where a check had no foreground to find, and found none."""
    try:
        with _quiet():
            run = train(pack, out=out, source=model, overrides=settings, device=device)
    except StoppedError:  # it would say how to go on with a run whose folder goes
        raise StoppedError("stopped") from None
    lines = run.metrics()[-_LAST:]
    shutil.rmtree(out, ignore_errors=True)  # hundreds of megabytes each
    scores = [line.get("averaged_iou", line.get("plain_iou")) for line in lines]
    known = [float(score) for score in scores if score is not None]
    return float(np.mean(known)) if known and len(known) == len(scores) else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep a dozen short trainings from saying a dozen times what each copied."""
    log = logging.getLogger("crosspatch")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
