"""``crosspatch queue``."""

from pathlib import Path
from typing import Literal

from crosspatch.cli.console import Output, progress_bars, say, table

_DEFAULT = Output()
_SHOWN = 10  # rows printed; the file has all


def queue(
    model: Path,
    dataset: Path,
    *,
    out: Path,
    by: Literal[
        "need", "uncertainty", "verdict", "disagreement", "foreground", "diversity"
    ] = "need",
    count: int = 10,
    foreground: str | None = None,
    device: str | None = None,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    overwrite: bool = False,
    output: Output = _DEFAULT,
) -> None:
    """Say which subjects still need people, which to label next, and which can be retired.

    Parameters
    ----------
    model
        Model folder, such as RUN/model.
    dataset
        Data set folder: images without a mask are open, labelled ones that the model has not seen
        say how often it is wrong.
    out
        queue.csv to write; queue.png and queue.toml are written beside it.
    by
        What to go by: need is uncertainty, verdict and disagreement together.
    count
        How many to label next.
    foreground
        The class to find, where dataset.toml names several.
    device
        cpu, cuda or mps; by default the best there is.
    precision
        auto, fp32 or bf16.
    overwrite
        Replace the files at --out if they exist.
    """
    from crosspatch.workflows.queue import queue as workflow

    with progress_bars(output) as progress:
        made = workflow(
            model,
            dataset,
            out=out,
            by=by,
            count=count,
            foreground=foreground,
            device=device,
            precision=precision,
            overwrite=overwrite,
            progress=progress,
        )
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
