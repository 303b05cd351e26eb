"""``crosspatch train``."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from crosspatch.cli.console import Output, progress_bars, say, table
from crosspatch.config import Settings
from crosspatch.errors import SettingsError

_DEFAULT = Output()


def train(
    crops: Path | None = None,
    *,
    out: Path | None = None,
    resume: Path | None = None,
    fraction: float | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    seed: int | None = None,
    config: Path | None = None,
    precision: Literal["auto", "fp32", "bf16"] | None = None,
    device: str | None = None,
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
    overwrite
        Replace the run folder if it exists.
    """
    from crosspatch.workflows import train as workflow

    with progress_bars(output) as progress:
        if resume is not None:
            if crops is not None or out is not None:
                raise SettingsError(
                    "--resume RUN takes crops and folder from the run: give neither"
                )
            run = workflow.resume(resume, progress=progress)
        else:
            if crops is None or out is None:
                raise SettingsError("give CROPS and --out RUN, or --resume RUN")
            run = workflow.train(
                crops,
                out=out,
                config=config,
                fraction=fraction,
                epochs=epochs,
                steps=steps,
                seed=seed,
                precision=precision,
                device=device,
                overwrite=overwrite,
                overrides=settings.model_dump(exclude_unset=True) if settings else None,
                progress=progress,
            )
    scores = dict(run.model.facts.scores)
    say(
        output,
        {"run": str(run.path), "model": str(run.model.path), **scores},
        [
            f"model: {run.model.path}",
            table("", ("validation on crops", ""), [*scores.items()])
            if scores
            else "no validation: too few groups to set one aside",
        ],
    )
