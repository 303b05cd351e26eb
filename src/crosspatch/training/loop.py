"""The loop around the two steps: learning rates, checks, checkpoints, a clean stop, the models."""

import logging
import math
import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from crosspatch.errors import CrosspatchError
from crosspatch.models.storage import halvings
from crosspatch.progress import Progress
from crosspatch.training.averaging import reestimate_batch_norm
from crosspatch.training.checkpoint import (
    has_checkpoint,
    load_checkpoint,
    not_of_this_run,
    save_checkpoint,
)
from crosspatch.training.peers import Losses, Peers
from crosspatch.training.rates import set_rates
from crosspatch.training.results import write_model, write_models
from crosspatch.training.run import BEST, CHECKPOINT, append_metrics, keep_metrics_until
from crosspatch.training.samples import Indices
from crosspatch.training.schedule import rate_factor, step_seed
from crosspatch.training.steps import (
    descend,
    discriminator_gradients,
    generator_gradients,
    judge,
    presence_gradients,
)
from crosspatch.training.stopping import StopAsked
from crosspatch.training.validation import score, score_presence, write_preview
from crosspatch.training.work import Work, fewest_crops

REESTIMATION_CROPS = 256
"""Training crops, at most, that measure batch-norm statistics of the averaged weights."""
LESS_MEMORY = (
    "train anew with a smaller --training.batch, or keep it and add --training.accumulate 2, which "
    "takes each batch in two parts"
)
"""Where the networks and their batches need more than the device has."""
_LOOK_EVERY = 10  # steps between looks at the losses; each look waits for the device
_PREVIEWS = 6

log = logging.getLogger("crosspatch")


class StoppedError(CrosspatchError):
    """The run was asked to stop, did so cleanly, and can go on."""


def fit(work: Work, progress: Progress) -> None:
    """Train from the last checkpoint, or the start, to the end; then write the models.

    Raises
    ------
    StoppedError
        Ctrl-C or SIGTERM: the step under way was finished and a checkpoint written.
    NotFiniteError
        A loss is NaN or infinite.
    """
    peers = Peers.of(work.fabric)
    _restore(work)
    peers.wait()
    pending: Losses = []
    since, first = time.perf_counter(), work.step
    with StopAsked(patient=not peers.alone) as stop:
        for batch in _stream(work, peers):
            pending.append(_step(work, batch, peers))
            work.step += 1
            checking = work.step in work.check_steps
            if not (checking or _is_time_to_look(len(pending), stop.asked, peers)):
                continue
            pending, asked = peers.agree(pending, stop.asked)
            _digest(work, pending)
            pending = []
            speed = (work.step - first) * work.order.batch / (time.perf_counter() - since)
            progress(_live(work, speed), work.step, work.steps)
            if checking:
                _check(work, speed)
            if checking or asked:
                _save(work)
                peers.wait()
                since, first = time.perf_counter(), work.step
            if asked and work.step < work.steps:
                raise StoppedError(
                    f"stopped after step {work.step} of {work.steps}; go on with: "
                    f"crosspatch train --resume {work.run.path}"
                )
    if peers.rank == 0:
        write_models(work)
    peers.wait()


def _stream(work: Work, peers: Peers) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Batches to come: on each process its parts of each, as many as gradients add up over."""
    count = work.settings.training.accumulate
    return work.batches.stream(
        work.order,
        range(work.step, work.steps),
        mine=range(peers.rank * count, (peers.rank + 1) * count),
        parts=peers.world * count,
    )


def _is_time_to_look(waiting: int, asked: bool, peers: Peers) -> bool:
    """Every so often, or at once when a stop was asked for; several processes need to agree on it.

    On a GPU each look waits for the device, on the CPU it costs nothing.
    """
    at_once = asked if peers.alone else peers.device.type == "cpu"
    return at_once or waiting >= _LOOK_EVERY


def _step(work: Work, batch: list[tuple[Tensor, Tensor]], peers: Peers) -> dict[str, Tensor]:
    """Do both networks' steps on one batch, part by part; return its mean losses."""
    settings, share = work.settings, 1.0 / len(batch)
    totals: dict[str, Tensor] = {}
    for number, (image, target) in enumerate(batch, start=peers.rank * len(batch)):
        torch.manual_seed(step_seed(settings.training.seed, work.step, number))
        with work.fabric.autocast():
            said = _gradients(work, image, target, share)
        totals = {name: totals.get(name, 0.0) + loss for name, loss in said.items()}
    factor = rate_factor(settings.training.decay, work.step, work.steps)
    for name, network in work.trained.items():
        set_rates(work.optimizers[name], work.rate(name) * factor, work.step, settings.transfer)
        descend(network, work.optimizers[name], None if peers.alone else peers.average)
    if work.average is not None:
        work.average.follow(work.generator, work.step)
    return {name: total * share for name, total in totals.items()}


def _gradients(work: Work, image: Tensor, target: Tensor, share: float) -> dict[str, Tensor]:
    """Add the gradients of one part of a batch in all networks; return its losses."""
    if work.asks_presence:
        return presence_gradients(work.generator, image, target, share=share)
    judged = judge(work.generator, work.discriminator, image, target)
    said = generator_gradients(judged, work.generator, work.settings.loss, share=share)
    if work.discriminator is not None:
        said |= discriminator_gradients(judged, work.discriminator, share=share)
    return said


def _digest(work: Work, pending: Losses) -> None:
    """Fetch losses from the device, add them to the sums, say what looks wrong."""
    for step, losses in enumerate(pending, start=work.step - len(pending) + 1):
        values = {name: float(value) for name, value in losses.items()}
        for alarm in work.watch.look(step, values):
            log.warning("step %d: %s", step, alarm)
            work.alarms.append(alarm)
        for name, value in {**values, "count": 1.0}.items():
            work.sums[name] = work.sums.get(name, 0.0) + value


def _live(work: Work, speed: float) -> str:
    """One line of what matters now: loss, validation IoU, images a second."""
    loss = work.sums.get("presence" if work.asks_presence else "tversky", math.nan)
    loss /= max(work.sums.get("count", 1.0), 1.0)
    iou = work.scores.get("averaged_iou", work.scores.get("plain_iou"))
    seen = f"  IoU {iou:.3f}" if iou is not None and math.isfinite(iou) else ""
    return f"training  loss {loss:.3f}{seen}  {speed:.1f} images/s"


def _check(work: Work, speed: float) -> None:
    """Validate, write a line of metrics, a preview, and the best weights where asked for."""
    count = work.sums.pop("count")
    losses = {name: total / count for name, total in work.sums.items()}
    work.sums = {}
    if work.average is not None:
        with work.fabric.autocast():
            reestimate_batch_norm(work.average.network, _reestimation_batches(work))
    work.generator.eval()
    work.scores = _score(work)
    if work.fabric.is_global_zero:
        training = work.settings.training
        append_metrics(
            work.run,
            {
                "step": work.step,
                "epoch": work.step * work.order.batch / len(work.order),
                "rate": work.rate("generator")
                * rate_factor(training.decay, work.step - 1, work.steps),
                **losses,
                **work.scores,
                "alarms": work.alarms,
                "images_per_second": round(speed, 2),
            },
        )
        _preview(work)
        _keep_best(work)
    work.generator.train()
    work.alarms = []


def _score(work: Work) -> dict[str, float]:
    """Score the plain weights and, beside them, the averaged ones."""
    rows = work.chosen.validation
    if not len(rows):
        return {}
    batch, precision = work.settings.training.batch, _precision(work)
    scored = score_presence if work.asks_presence else score
    networks = {"plain": work.generator}
    if work.average is not None:
        networks["averaged"] = work.average.network
    return {
        f"{name}_{key}": value
        for name, network in networks.items()
        for key, value in scored(
            network, work.batches, rows, batch=batch, precision=precision
        ).items()
    }


def _preview(work: Work) -> None:
    if work.asks_presence:
        return  # it draws nothing
    rows = work.chosen.validation if len(work.chosen.validation) else work.chosen.train
    some = rows[np.linspace(0, len(rows) - 1, min(_PREVIEWS, len(rows))).astype(np.int64)]
    path = work.run.path / "previews" / f"step-{work.step:07d}.png"
    write_preview(path, work.judged_by, work.batches, some, precision=_precision(work))


def _keep_best(work: Work) -> None:
    name = "balanced_accuracy" if work.asks_presence else "iou"
    found = work.scores.get(f"averaged_{name}", work.scores.get(f"plain_{name}", -math.inf))
    if found > work.best:
        work.best = found
        if work.settings.training.keep_best:
            write_model(work, BEST, work.judged_by)


def _reestimation_batches(work: Work) -> Iterator[Tensor]:
    """Yield training images as they are, the same ones at every check, in batches of one size."""
    rows = work.chosen.train
    batch = min(work.order.batch, len(rows))
    fewest = fewest_crops(work.crops.recipe.size, halvings(work.settings.network))
    drawn = np.random.default_rng([work.settings.training.seed, 1]).permutation(rows)
    some: Indices = drawn[: max(batch, REESTIMATION_CROPS // batch * batch)]
    for start in range(0, len(some) - batch + 1, batch):
        part = some[start : start + batch]
        part = np.resize(part, max(batch, fewest))  # a lone crop twice: batch norm needs two values
        yield work.batches.load(part, np.zeros(len(part), dtype=np.int64))[0]


def _precision(work: Work) -> str:
    return str(work.run.table["precision"])


def _save(work: Work) -> None:
    """Write the checkpoint; all that decides what comes next is in it."""
    if work.fabric.is_global_zero:
        facts = {
            "step": work.step,
            "sums": work.sums,
            "scores": work.scores,
            "alarms": work.alarms,
            "best": work.best,
            "watch": work.watch.facts(),
        }
        save_checkpoint(work.run.path / CHECKPOINT, work.state, facts)


def _restore(work: Work) -> None:
    """Go back to the last checkpoint, if there is one, and forget checks after it.

    Raises
    ------
    InputError
        The checkpoint is damaged, or another run's.
    """
    folder = work.run.path / CHECKPOINT
    if has_checkpoint(folder):
        facts = load_checkpoint(folder, work.state)
        try:
            work.step = int(facts["step"])
            work.sums, work.scores = dict(facts["sums"]), dict(facts["scores"])
            work.alarms, work.best = list(facts["alarms"]), float(facts["best"])
            work.watch.restore(facts["watch"])
        except (LookupError, TypeError, ValueError) as error:
            raise not_of_this_run(folder, error) from None
    if work.fabric.is_global_zero:
        keep_metrics_until(work.run, work.step)
