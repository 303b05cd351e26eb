"""``crosspatch evaluate``."""

from pathlib import Path
from typing import Literal

from crosspatch.cli.console import Output, progress_bars, say, table

_DEFAULT = Output()


def evaluate(
    model: Path,
    dataset: Path,
    *,
    split: str = "test",
    out: Path | None = None,
    baselines: bool = False,
    foreground: str | None = None,
    seed: int = 0,
    device: str | None = None,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    overwrite: bool = False,
    output: Output = _DEFAULT,
) -> None:
    """Score a model on whole subjects that it was not trained on, at their own resolution.

    Parameters
    ----------
    model
        Model folder, such as RUN/model.
    dataset
        Data set folder.
    split
        test, val or train.
    out
        scores.csv to write: a row a subject.
    baselines
        Also fit and score a threshold on the best band and a random forest on pixel values.
    foreground
        The class to find, where dataset.toml names several.
    seed
        Of the bootstrap, and of the split where the data set has no splits.csv.
    device
        cpu, cuda or mps; by default the best there is.
    precision
        auto, fp32 or bf16.
    overwrite
        Replace the file at --out if it exists.
    """
    from crosspatch.workflows.evaluate import evaluate as workflow

    with progress_bars(output) as progress:
        scores = workflow(
            model,
            dataset,
            split=split,
            out=out,
            baselines=baselines,
            foreground=foreground,
            seed=seed,
            device=device,
            precision=precision,
            overwrite=overwrite,
            progress=progress,
        )
    columns, rows = scores.table()
    lines = [*scores.said]
    if scores.skipped:
        lines += [
            f"{len(scores.skipped)} subjects could not be scored:",
            table("", ("subject", "why"), scores.skipped),
        ]
    lines += [
        f"{scores.model} on {scores.dataset}, split {scores.split}, "
        f"{len(scores.rows)} subjects; [95% interval over groups]",
        table("", columns, rows),
    ]
    say(output, scores.as_dict(), lines)
