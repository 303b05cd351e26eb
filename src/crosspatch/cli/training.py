"""``crosspatch train``."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from crosspatch.cli.console import Output, progress_bars, say, table
from crosspatch.config import Settings
from crosspatch.errors import SettingsError

if TYPE_CHECKING:
    from crosspatch.training.run import Run

_DEFAULT = Output()


def train(
    crops: Path | None = None,
    *,
    out: Path | None = None,
    resume: Path | None = None,
    source: Annotated[Path | None, Parameter(name="--from")] = None,
    stem: Literal["auto", "skip", "copy", "mean"] | None = None,
    fraction: float | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    seed: int | None = None,
    config: Path | None = None,
    precision: Literal["auto", "fp32", "bf16"] | None = None,
    device: str | None = None,
    devices: int | None = None,
    overwrite: bool = False,
    settings: Annotated[Settings | None, Parameter(name="*")] = None,
    output: Output = _DEFAULT,
) -> None:
    """Train a segmenter on packed crops, or go on with a run that was stopped.

    Parameters
    ----------
    crops
        Crops folder that `crosspatch prepare` made.
    out
        Run folder to make.
    resume
        Run folder to go on with, exactly where it was; nothing else is given then.
    source
        Model, or finished run, to start from instead of random weights. It brings its architecture.
    stem
        Its input layers: skip (fresh), copy or mean (by channel name); see transfer.stem.
    fraction
        Share of the training subjects to use (training.fraction).
    epochs
        Passes over the training samples (training.epochs).
    steps
        Optimiser steps, instead of epochs (training.steps).
    seed
        Seed of weights, subset, order and dropout (training.seed).
    config
        TOML file with any of the settings below; flags win over it.
    precision
        auto, fp32 or bf16 (training.precision).
    device
        cpu, cuda or mps; by default the best there is.
    devices
        How many of them, on all machines together, each with a process of its own; by default one.
    overwrite
        Replace the run folder if it exists.
    """
    from crosspatch.workflows import train as workflow

    overrides = settings.model_dump(exclude_unset=True) if settings else {}
    with progress_bars(output) as progress:
        if resume is not None:
            _refuse_beside_resume(
                {
                    "CROPS": crops, "--out": out, "--from": source, "--stem": stem,
                    "--fraction": fraction, "--epochs": epochs, "--steps": steps, "--seed": seed,
                    "--config": config, "--precision": precision, "--device": device,
                    "--devices": devices, "--overwrite": overwrite or None,
                    **{f"--{name}.*": values or None for name, values in overrides.items()},
                }
            )  # fmt: skip
            run = workflow.resume(resume, progress=progress)
        else:
            if crops is None or out is None:
                raise SettingsError("give CROPS and --out RUN, or --resume RUN")
            if stem is not None and source is None:
                raise SettingsError("--stem says what becomes of a source's: give --from MODEL too")
            run = workflow.train(
                crops,
                out=out,
                source=source,
                stem=stem,
                config=config,
                fraction=fraction,
                epochs=epochs,
                steps=steps,
                seed=seed,
                precision=precision,
                device=device,
                devices=1 if devices is None else devices,
                overwrite=overwrite,
                overrides=overrides,
                progress=progress,
            )
    _report(run, output)


def _refuse_beside_resume(given: Mapping[str, object]) -> None:
    """Refuse what a resumed run would not listen to; None is what was not given."""
    names = [name for name, value in given.items() if value is not None]
    if names:
        raise SettingsError(
            f"--resume RUN goes on with the run as it was set up: leave out {', '.join(names)}"
        )


def _report(run: "Run", output: Output) -> None:
    """Print where the model is, what its start took, how it does on validation crops."""
    model, transfer = run.model, run.transfer
    scores = dict(model.facts.scores)
    result = {"run": str(run.path), "model": str(model.path), **scores}
    if transfer is not None:
        result["transfer"] = transfer.as_table()
    lines = [f"model: {model.path}"]
    if transfer is not None:
        lines += [f"started from {run.table['source']['name']}", *transfer.lines()]
    lines.append(
        table("", ("validation on crops", ""), [*scores.items()])
        if scores
        else "no validation: too few groups to set one aside"
    )
    say(output, result, lines)
