"""One process a device: started here, or by torchrun or srun, on one machine or several.

Each process builds the same run from its folder and trains on its part of every batch. The first
one alone writes. One that fails takes the others with it; a wish to stop is passed on to all.
"""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch.multiprocessing.spawn import ProcessException, ProcessRaisedException

from crosspatch.errors import CrosspatchError, SettingsError
from crosspatch.models.runtime import memory_explained
from crosspatch.progress import Progress, silent
from crosspatch.training.loop import LESS_MEMORY, StoppedError, fit
from crosspatch.training.rebuild import PRECISIONS, on_threads, rebuild
from crosspatch.training.run import Run
from crosspatch.training.watch import NotFiniteError

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

    Channel = SimpleQueue[Any]

log = logging.getLogger("crosspatch")


def started_outside(devices: int) -> ClusterEnvironment | None:
    """Tell whether torchrun or srun has started a process for each device, this one among them.

    Raises
    ------
    SettingsError
        They started another number of processes.
    """
    found: ClusterEnvironment | None = None
    if TorchElasticEnvironment.detect():
        found = TorchElasticEnvironment()
    elif devices > 1 and SLURMEnvironment.detect():
        found = SLURMEnvironment()
    if found is not None and found.world_size() != devices:
        raise SettingsError(
            f"--devices {devices}: but {found.world_size()} processes were started; both count "
            "those on all machines together"
        )
    return found


def refuse_devices(device: torch.device, devices: int) -> None:
    """Check that this machine has as many devices as it must start processes for.

    Raises
    ------
    SettingsError
        It has not.
    """
    if devices < 1:
        raise SettingsError(f"--devices {devices}: must be at least 1")
    if started_outside(devices) or devices == 1 or device.type == "cpu":
        return
    there = torch.cuda.device_count() if device.type == "cuda" else 1
    if devices > there:
        raise SettingsError(f"--devices {devices}: this machine has {there} ({device.type})")


def fit_in_processes(run: Run, progress: Progress) -> None:
    """Train a run with one process a device, to its end.

    Raises
    ------
    CrosspatchError
        What a process raised; or one of them died.
    """
    if started_outside(run.devices) is not None:
        _fabric(run, "ddp").launch(partial(_fit_here, path=str(run.path), progress=progress))
        return
    channel: Channel = multiprocessing.get_context("spawn").SimpleQueue()
    failure: ProcessException | None = None
    with _listening(channel, progress) as errors, _passing_on_signals() as stop_asked:
        try:
            _fabric(run, "ddp_spawn").launch(
                partial(_fit_in_child, path=str(run.path), channel=channel)
            )
        except ProcessException as error:
            failure = error
    if errors:
        raise errors[0]
    if failure is not None:
        raise _explained(failure, run, stopped=stop_asked.is_set()) from failure


def _fabric(run: Run, strategy: str) -> Fabric:
    nodes = int(os.environ.get("GROUP_WORLD_SIZE") or os.environ.get("SLURM_NNODES") or 1)
    nodes = nodes if strategy == "ddp" else 1
    return Fabric(
        accelerator=run.table["device"],
        devices=run.devices // nodes,
        num_nodes=nodes,
        strategy=strategy,
        precision=PRECISIONS[run.table["precision"]],  # type: ignore[arg-type]
    )


def _fit_here(fabric: Fabric, path: str, progress: Progress) -> None:
    """Train as one process of several; all of them have come this far, so the folder is there."""
    first = fabric.global_rank == 0
    log.disabled = not first
    try:
        run = Run.open(path)
        with on_threads(run), memory_explained(LESS_MEMORY):
            fit(rebuild(run, fabric), progress if first else silent)
    finally:
        if dist.is_initialized():  # else a later exit may abort
            dist.destroy_process_group()


def _fit_in_child(fabric: Fabric, path: str, channel: "Channel") -> None:
    """Train in a process started here: what it has to say goes through the channel."""

    def progress(what: str, done: int, total: int) -> None:
        channel.put((what, done, total))

    log.addHandler(_Relay(channel))
    log.propagate = False
    try:
        _fit_here(fabric, path, progress)
    except (StoppedError, NotFiniteError) as error:
        channel.put(error)  # every process raises it, after the same step: no need to end the rest
    except CrosspatchError as error:
        channel.put(error)
        raise


class _Relay(logging.Handler):
    """Sends what is logged to the process that waits."""

    def __init__(self, channel: "Channel") -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Send level and text."""
        self._channel.put((record.levelno, record.getMessage()))


@contextmanager
def _listening(channel: "Channel", progress: Progress) -> Iterator[list[CrosspatchError]]:
    """Pass on progress and warnings that come through the channel; yield a list for its errors."""
    errors: list[CrosspatchError] = []
    over = threading.Event()

    def listen() -> None:
        while not (over.is_set() and channel.empty()):
            if channel.empty():
                over.wait(0.05)
                continue
            match channel.get():
                case CrosspatchError() as error:
                    errors.append(error)
                case (str() as what, done, total):
                    progress(what, done, total)
                case (level, text):
                    log.log(level, "%s", text)

    # A daemon: a process that was killed while it wrote must not keep this one waiting.
    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield errors
    finally:
        over.set()
        listener.join(timeout=5)


@contextmanager
def _passing_on_signals() -> Iterator[threading.Event]:
    """Within it the first signal asks all children to stop; a second one kills them.

    From a terminal they get Ctrl-C as well; they take both for one wish.
    """
    others = set(multiprocessing.active_children())
    asked = threading.Event()

    def pass_on(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        for child in set(multiprocessing.active_children()) - others:
            if child.pid is not None and os.name != "nt":  # there, this would end it at once
                os.kill(child.pid, signal.SIGTERM)

    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in (signal.SIGINT, signal.SIGTERM):
            before[name] = signal.signal(name, pass_on)
    try:
        yield asked
    finally:
        for child in set(multiprocessing.active_children()) - others:
            child.kill()
        for name, handler in before.items():
            signal.signal(name, handler)


def _explained(failure: ProcessException, run: Run, *, stopped: bool) -> CrosspatchError:
    """Say what became of a process that raised none of our errors."""
    go_on = f"go on with: crosspatch train --resume {run.path}"
    if stopped:
        return StoppedError(f"stopped before training began; {go_on}")
    if isinstance(failure, ProcessRaisedException):
        log.error("%s", failure.msg.strip())
    last = failure.msg.strip().splitlines()[-1]
    return CrosspatchError(f"a process of the training has died ({last}); {go_on}")
