"""``crosspatch train``: crops in, a run with its model out; and the same run taken up again."""

import logging
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from crosspatch.config import Settings, load_settings, merge, parse_settings
from crosspatch.crops import Crops
from crosspatch.errors import InputError
from crosspatch.files import PathLike, locked, new_folder, refuse_existing
from crosspatch.models.runtime import choose_device, choose_precision, keep_freed_memory
from crosspatch.progress import Progress, silent
from crosspatch.training.loop import fit
from crosspatch.training.run import Run, write_run
from crosspatch.training.work import Work, set_up

log = logging.getLogger("crosspatch")
_LIBRARIES = ("crosspatch", "torch", "lightning-fabric", "numpy")


def train(
    crops: PathLike | Crops,
    *,
    out: PathLike,
    config: PathLike | Settings | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    fraction: float | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    seed: int | None = None,
    precision: str | None = None,
    device: str | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Run:
    """Train a segmenter on packed crops.

    Parameters
    ----------
    crops : path or Crops
        What `crosspatch.prepare` made.
    out : path
        The run folder to make.
    config : path of a TOML file, or Settings
        Every setting; what follows wins over it.
    overrides : mapping of table to mapping of key to value
        Any settings, such as ``{"network": {"width": 16}}``.
    fraction, epochs, steps, seed, precision
        Short forms of the settings in the table ``training``.
    device : str, optional
        ``cpu``, ``cuda``, ``mps``; by default the best one there is.

    Returns
    -------
    Run
        With ``.model``, and ``.metrics()`` of every validation.

    Raises
    ------
    InputError, SettingsError
        Before anything is written.
    StoppedError
        Ctrl-C: `resume` goes on.
    """
    flags = {
        "fraction": fraction, "epochs": epochs, "steps": steps, "seed": seed,
        "precision": precision,
    }  # fmt: skip
    chosen = _settings(config, overrides or {}, flags)
    pack = crops if isinstance(crops, Crops) else Crops.open(crops)
    where = choose_device(device)
    out = Path(out)
    refuse_existing(out, overwrite=overwrite)
    run = Run(out, _run_table(pack, out, chosen, where))
    with _on_threads(run):
        work = set_up(run, pack, _fabric(run))  # finds what cannot be trained, before any writing
        with new_folder(out, overwrite=overwrite) as folder:
            write_run(folder, run.table)
        return _go(work, progress)


def resume(run: PathLike | Run, *, progress: Progress = silent) -> Run:
    """Go on exactly where a run was; a finished run is returned as it is.

    Raises
    ------
    InputError
        The crops are gone or are not those that the run was trained on.
    """
    run = Run.open(run)
    if run.finished:
        return run
    crops = Crops.open(Path(os.path.normpath(run.path / run.table["crops"])))
    if crops.fingerprint != run.table["crops_fingerprint"]:
        raise InputError(f"{crops.path}: has changed since {run.path} began; train a new run")
    with _on_threads(run):
        return _go(set_up(run, crops, _fabric(run)), progress)


def _settings(
    config: PathLike | Settings | None,
    overrides: Mapping[str, Mapping[str, Any]],
    flags: Mapping[str, Any],
) -> Settings:
    """Lay flags over overrides over the configuration."""
    wins = merge(overrides, {"training": flags})
    if isinstance(config, Settings):
        return parse_settings(merge(config.model_dump(exclude_none=True), wins))
    return load_settings(config, wins)


def _run_table(crops: Crops, out: Path, settings: Settings, device: torch.device) -> dict[str, Any]:
    """Everything that decides the result, resolved: what ``auto`` meant is written down."""
    threads = settings.training.threads or torch.get_num_threads()
    return {
        "settings": settings.model_dump(exclude_none=True),
        "crops": _relative(crops.path, out),
        "crops_fingerprint": crops.fingerprint,
        "device": device.type,
        "precision": choose_precision(settings.training.precision, device),
        "threads": threads,
        "versions": {name: version(name) for name in _LIBRARIES}
        | {"python": platform.python_version(), "machine": platform.platform()},
        "provenance": {
            "data": _told(crops, "name", "origin"),
            "licence": _told(crops, "licence"),
            "crops_fingerprint": crops.fingerprint,
        },
    }


def _told(crops: Crops, *keys: str) -> str:
    """Say in one line, for the model card, what the data sets say of themselves."""
    told = [", ".join(source[key] for key in keys if key in source) for source in crops.sources]
    return "; ".join(dict.fromkeys(text for text in told if text))


def _relative(crops: Path, out: Path) -> str:
    """Name the crops from inside the run folder, so that both can move together."""
    try:
        return Path(os.path.relpath(crops.absolute(), out.absolute())).as_posix()
    except ValueError:  # another drive
        return crops.absolute().as_posix()


def _fabric(run: Run) -> Fabric:
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces the precision
    return Fabric(
        accelerator=run.table["device"],
        devices=1,
        precision="bf16-mixed" if run.table["precision"] == "bf16" else "32-true",
    )


@contextmanager
def _on_threads(run: Run) -> Iterator[None]:
    """Use the run's number of CPU threads, on which its last digits depend, and put it back."""
    before = torch.get_num_threads()
    torch.set_num_threads(int(run.table["threads"]))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _go(work: Work, progress: Progress) -> Run:
    """Train one run in its folder, alone."""
    keep_freed_memory()
    for sentence in work.chosen.said:
        log.warning(sentence)
    with locked(work.run.path, "training"):
        fit(work, progress)
    return work.run
