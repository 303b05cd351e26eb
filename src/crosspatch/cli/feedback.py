"""``crosspatch queue``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from crosspatch.cli.console import Output, progress_bars, say, table
from crosspatch.errors import SettingsError

_DEFAULT = Output()
_SHOWN = 10  # rows printed; the file has all


def queue(
    model: Path,
    dataset: Path | None = None,
    *,
    out: Path,
    by: Literal["need", "uncertainty", "verdict", "disagreement", "foreground", "diversity"]
    | None = None,
    count: int | None = None,
    simulate: bool = False,
    crops: Path | None = None,
    config: Path | None = None,
    seeds: int | None = None,
    share: float | None = None,
    rounds: int | None = None,
    steps: int | None = None,
    foreground: str | None = None,
    device: str | None = None,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    overwrite: bool = False,
    output: Output = _DEFAULT,
) -> None:
    """Say which subjects still need people, which to label next, and which can be retired.

    With --simulate: replay a labelled data set instead, and say what each way of choosing would
    have been worth. The same command goes on with an interrupted simulation.

    Parameters
    ----------
    model
        Model folder, such as RUN/model. With --simulate what every training starts from; leave it
        out to start from random weights.
    dataset
        Data set folder: images without a mask are open, labelled ones that the model has not seen
        say how often it is wrong.
    out
        queue.csv to write, with queue.png and queue.toml beside it; with --simulate a folder.
    by
        What to go by: need (by itself) is uncertainty, verdict and disagreement together.
    count
        How many to label next, 10 by itself.
    simulate
        Replay a labelled data set: a few labels at random, then choose, train anew, choose again.
    crops
        Crops of that data set, made by `crosspatch prepare`; by itself windows of 256 pixels.
    config
        TOML file with settings of the trainings.
    seeds
        How many times to replay, 5 by itself.
    share
        Share of the training split labelled at first and again in each round, 0.05 by itself.
    rounds
        Choices after the first labels, 4 by itself.
    steps
        Optimiser steps of each training, 600 by itself.
    foreground
        The class to find, where dataset.toml names several.
    device
        cpu, cuda or mps; by default the best there is.
    precision
        auto, fp32 or bf16.
    overwrite
        Replace what stands at --out.
    """
    common = {
        "foreground": foreground, "device": device, "precision": precision, "overwrite": overwrite,
    }  # fmt: skip
    replayed = {
        "crops": crops, "config": config, "seeds": seeds, "share": share, "rounds": rounds,
        "steps": steps,
    }  # fmt: skip
    queued = {"by": by, "count": count}
    if simulate:
        _refuse(queued, "--simulate does not take --{}")
        source = model if dataset is not None else None
        _simulate(dataset or model, source, out, common | _given(replayed), output)
        return
    _refuse(replayed, "--{} is for --simulate")
    if dataset is None:
        raise SettingsError("give MODEL and DATASET, or DATASET and --simulate")
    _queue(model, dataset, out, common | _given(queued), output)


def _queue(
    model: Path, dataset: Path, out: Path, settings: Mapping[str, object], output: Output
) -> None:
    from crosspatch.workflows.queue import queue as workflow

    with progress_bars(output) as progress:
        made = workflow(model, dataset, out=out, progress=progress, **settings)  # type: ignore[arg-type]
    lines = [*made.said]
    if made.skipped:
        lines += [
            f"{len(made.skipped)} subjects could not be measured:",
            table("", ("subject", "why"), made.skipped),
        ]
    shown = [(row.rank, row.name, row.decision, row.reason) for row in made.rows[:_SHOWN]]
    lines += [table("", ("rank", "subject", "decision", "why"), shown), ""]
    lines.append(f"retirement: {made.retirement}")
    counts = ", ".join(f"{count} {name}" for name, count in made.table["decisions"].items())
    lines.append(f"{made.path}: {counts}; pictures in {made.sheet}")
    say(output, {"queue": str(made.path), **made.table}, lines)


def _simulate(
    dataset: Path, source: Path | None, out: Path, settings: Mapping[str, object], output: Output
) -> None:
    from crosspatch.workflows.simulate_queue import simulate_queue as workflow

    with progress_bars(output) as progress:
        made = workflow(dataset, out=out, source=source, progress=progress, **settings)  # type: ignore[arg-type]
    lines = [*made.said]
    if made.finished:
        lines.append(f"{made.path}: curve.svg, curve.csv, arms.csv, scores.csv")
    say(output, {"simulation": str(made.path), "finished": made.finished, **made.table}, lines)


def _given(settings: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if value is not None}


def _refuse(settings: Mapping[str, object], message: str) -> None:
    if given := _given(settings):
        raise SettingsError(message.format(next(iter(given))))
