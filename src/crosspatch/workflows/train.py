"""``crosspatch train``: crops in, a run with its model out; and the same run taken up again."""

import logging
import platform
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from crosspatch.config import Settings, load_settings, merge, parse_settings
from crosspatch.crops import Crops
from crosspatch.errors import SettingsError
from crosspatch.files import (
    PathLike,
    locked,
    new_folder,
    refuse_existing,
    refuse_inputs_inside,
    relative_place,
)
from crosspatch.models.runtime import (
    choose_device,
    choose_precision,
    keep_freed_memory,
    memory_explained,
)
from crosspatch.models.storage import Model
from crosspatch.models.transfer import WarmStart, adopt_architecture
from crosspatch.progress import Progress, silent
from crosspatch.training.loop import LESS_MEMORY, fit
from crosspatch.training.processes import fit_in_processes, refuse_devices, started_outside
from crosspatch.training.rebuild import on_threads, rebuild, single_device
from crosspatch.training.run import Run, open_model, write_run, write_transfer
from crosspatch.training.work import Work, set_up

log = logging.getLogger("crosspatch")
_RARE = 0.05  # share of crops with one answer under which a question is hardly one
_LIBRARIES = ("crosspatch", "torch", "lightning-fabric", "numpy")


def train(
    crops: PathLike | Crops,
    *,
    out: PathLike,
    source: PathLike | Model | Run | None = None,
    stem: str | None = None,
    config: PathLike | Settings | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    fraction: float | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    seed: int | None = None,
    precision: str | None = None,
    device: str | None = None,
    devices: int = 1,
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
    source : path, Model or Run, optional
        What to start from, instead of random weights: a model folder, or a run's last model.
    stem : "auto", "skip", "copy" or "mean"
        Short form of the setting ``transfer.stem``: what becomes of the source's input layers.
    config : path of a TOML file, or Settings
        Every setting; what follows wins over it.
    overrides : mapping of table to mapping of key to value
        Any settings, such as ``{"network": {"width": 16}}``.
    fraction, epochs, steps, seed, precision
        Short forms of the settings in the table ``training``.
    device : str, optional
        ``cpu``, ``cuda``, ``mps``; by default the best one there is.
    devices : int
        How many of them, each with a process of its own and its part of every batch. A script that
        asks for more than one needs ``if __name__ == "__main__":``.

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
    wins = merge(overrides or {}, {"training": flags, "transfer": {"stem": stem}})
    chosen = _settings(config, wins)
    pack = crops if isinstance(crops, Crops) else Crops.open(crops)
    model = open_model(source) if source is not None else None
    if model is not None:
        chosen = adopt_architecture(chosen, model)
    where = choose_device(device)
    refuse_devices(where, devices)
    run = Run(Path(out), _run_table(pack, Path(out), chosen, model, where, devices))
    outside = started_outside(devices)
    if outside is not None and outside.global_rank() != 0:
        return _go(run, progress)  # the first process writes the folder
    refuse_existing(out, kind="run", overwrite=overwrite)
    refuse_inputs_inside(out, pack, model, config)
    with _held(run.path):
        work = _built(run, pack, model)  # finds what cannot be trained, before any writing
    with new_folder(out, kind="run", overwrite=overwrite) as folder:
        write_run(folder, run.table)
        if model is not None and work.transfer is not None:
            write_transfer(folder, work.transfer, model)
    said = work.chosen.said + _seen_by(model, work) + _hardly_asked(work) + _unchosen(work)
    for sentence in said:
        log.warning(sentence)
    for sentence in work.transfer.lines() if work.transfer else ():
        log.info(sentence)
    return _go(run, progress, work)


def resume(run: PathLike | Run, *, progress: Progress = silent) -> Run:
    """Go on exactly where a run was, on as many devices; a finished run is returned as it is.

    Raises
    ------
    InputError
        The crops are gone or are not those that the run was trained on; or, before the first
        checkpoint, the source model is.
    SettingsError
        This machine has not the device that the run began on.
    """
    run = Run.open(run)
    if run.finished:
        return run
    try:
        where = choose_device(run.table["device"])
    except SettingsError as error:
        raise SettingsError(
            f"{run.path} goes on only where it began, on {run.table['device']}: {error}. Resume it "
            "on such a machine, or train a new run here"
        ) from None
    refuse_devices(where, run.devices)
    return _go(run, progress)


def _settings(
    config: PathLike | Settings | None,
    wins: Mapping[str, Mapping[str, Any]],
) -> Settings:
    """Lay what wins over the configuration; what neither gives stays unset, for a source to set."""
    if isinstance(config, Settings):
        given = config.model_dump(exclude_none=True, exclude_unset=True)
        return parse_settings(merge(given, wins))
    return load_settings(config, wins)


def _built(run: Run, crops: Crops, source: Model | None) -> Work:
    initial = None
    if source is not None:
        initial = WarmStart(source, crops.channel_names, run.settings.transfer)
    with on_threads(run), memory_explained(LESS_MEMORY):
        return set_up(run, crops, single_device(run), initial)


def _held(old: Path) -> AbstractContextManager[None]:
    """Hold the run that is to be replaced, which fails while another process trains it.

    To be let go before the renaming: Windows does not rename a folder with an open file.
    """
    return locked(old, "training") if (old / "run.toml").is_file() else nullcontext()


def _seen_by(source: Model | None, work: Work) -> tuple[str, ...]:
    """Warn of held-out subjects whose labels the source has had."""
    if source is None:
        return ()
    subjects, splits = work.crops.subjects["subject"], work.crops.subjects["split"]
    seen = {name for name in subjects if work.crops.contents[name] in source.facts.seen}
    tested = seen & set(subjects[splits == "test"])
    validated = seen & set(work.crops.table["subject"][work.chosen.validation])
    said = []
    if tested:
        said.append(
            f"the source was trained on {len(tested)} test subjects of these crops: evaluate will "
            "refuse to score this model on them"
        )
    if validated:
        said.append(
            f"the source was trained on {len(validated)} of the validation subjects: validation "
            "scores will flatter"
        )
    return tuple(said)


def _hardly_asked(work: Work) -> tuple[str, ...]:
    """Warn where "is there any in this crop?" has nearly always the same answer."""
    if not work.asks_presence:
        return ()
    rows = work.chosen.train
    some = sum(bool((work.crops.masks[row] == 1).any()) for row in rows) / len(rows)
    if _RARE <= some <= 1 - _RARE:
        return ()
    return (
        f"{100 * some:.0f}% of the training crops show foreground, so there is little to learn "
        "from whether they do: take smaller crops, or images that hold some and none",
    )


def _unchosen(work: Work) -> tuple[str, ...]:
    """Warn where the best weights are asked for and no score will tell which they are."""
    if not work.settings.training.keep_best or len(work.chosen.validation):
        return ()
    return ("training.keep_best has nothing to choose by: without validation no best/ is kept",)


def _run_table(
    crops: Crops,
    out: Path,
    settings: Settings,
    source: Model | None,
    device: torch.device,
    devices: int,
) -> dict[str, Any]:
    """Everything that decides the result, resolved: what ``auto`` meant is written down."""
    free = torch.get_num_threads()
    threads = max(1, free // devices) if device.type == "cpu" else free
    table: dict[str, Any] = {
        "settings": settings.model_dump(exclude_none=True),
        "crops": relative_place(crops.path, out),
        "crops_fingerprint": crops.fingerprint,
        "device": device.type,
        "devices": devices,
        "precision": choose_precision(settings.training.precision, device),
        "threads": settings.training.threads or threads,
        "versions": {name: version(name) for name in _LIBRARIES}
        | {"python": platform.python_version(), "machine": platform.platform()},
        "provenance": {
            "data": _told(crops, "name", "origin"),
            "licence": _told(crops, "licence"),
            "crops_fingerprint": crops.fingerprint,
        },
    }
    if source is not None:
        table["source"] = {
            "path": relative_place(source.path, out),
            "name": source.name,
            "fingerprint": source.fingerprint,
        }
        table["provenance"] |= _inherited(source)
    return table


def _inherited(source: Model) -> dict[str, Any]:
    """Say of a source, and of the sources of that, what the new model's card must say."""
    told = source.facts.provenance
    chain = {key: [told.get(key), told.get(f"source_{key}")] for key in ("data", "licence")}
    return {
        "source": source.name,
        "source_fingerprint": source.fingerprint,
        **{
            f"source_{key}": "; ".join(" ".join(str(text).split()) for text in texts if text)
            for key, texts in chain.items()
        },
    }


def _told(crops: Crops, *keys: str) -> str:
    """Say in one line, for the model card, what the data sets say of themselves."""
    told = [", ".join(source[key] for key in keys if key in source) for source in crops.sources]
    return "; ".join(dict.fromkeys(text for text in told if text))


def _go(run: Run, progress: Progress, work: Work | None = None) -> Run:
    """Train one run in its folder, alone; ``work`` is the same run, built already."""
    keep_freed_memory()
    if started_outside(run.devices) is not None:
        fit_in_processes(run, progress)
        return run
    with locked(run.path, "training"):
        if run.devices > 1:
            fit_in_processes(run, progress)
        else:
            with on_threads(run), memory_explained(LESS_MEMORY):
                fit(work or rebuild(run, single_device(run)), progress)
    return run
