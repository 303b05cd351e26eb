"""A run in memory again, from what its folder says: settings, crops, source, threads, device."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from lightning_fabric import Fabric

from crosspatch.crops import Crops
from crosspatch.errors import InputError
from crosspatch.models.storage import Model
from crosspatch.models.transfer import WarmStart
from crosspatch.training.checkpoint import has_checkpoint
from crosspatch.training.run import CHECKPOINT, Run
from crosspatch.training.work import Work, set_up

# Fabric announces precision and processes. Here, since new processes load this before they act.
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)

PRECISIONS = {"bf16": "bf16-mixed", "fp32": "32-true"}
"""What Fabric calls ours."""


def rebuild(run: Run, fabric: Fabric) -> Work:
    """Build a run; its source model is needed only until there is a checkpoint.

    Raises
    ------
    InputError
        The crops, or the source, are gone or are not those that the run began with.
    """
    crops = Crops.open(_place(run, run.table["crops"]))
    if crops.fingerprint != run.table["crops_fingerprint"]:
        raise InputError(f"{crops.path}: has changed since {run.path} began; train a new run")
    initial = None
    if run.is_warm and not has_checkpoint(run.path / CHECKPOINT):
        initial = WarmStart(_source(run), crops.channel_names, run.settings.transfer)
    return set_up(run, crops, fabric, initial)


def _source(run: Run) -> Model:
    told = run.table["source"]
    source = Model.open(_place(run, told["path"]))
    if source.fingerprint != told["fingerprint"]:
        raise InputError(
            f"{source.path}: has changed since {run.path} was to start from it; train a new run"
        )
    return source


def _place(run: Run, told: str) -> Path:
    """Find a folder that ``run.toml`` names from inside the run."""
    return Path(os.path.normpath(run.path / told))


def single_device(run: Run) -> Fabric:
    """Set Fabric up in this process; of several devices it stands for none, on the CPU."""
    return Fabric(
        accelerator=run.table["device"] if run.devices == 1 else "cpu",
        devices=1,
        precision=PRECISIONS[run.table["precision"]],  # type: ignore[arg-type]
    )


@contextmanager
def on_threads(run: Run) -> Iterator[None]:
    """Use the run's number of CPU threads, on which its last digits depend, and put it back."""
    before = torch.get_num_threads()
    torch.set_num_threads(int(run.table["threads"]))
    try:
        yield
    finally:
        torch.set_num_threads(before)
