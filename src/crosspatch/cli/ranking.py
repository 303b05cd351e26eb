"""``crosspatch rank``."""

from pathlib import Path
from typing import Any

from crosspatch.cli.console import Output, progress_bars, say, table

_DEFAULT = Output()


def rank(
    dataset: Path,
    *,
    models: Path,
    recipe: str = "windows",
    size: int | None = None,
    scale: float | None = None,
    foreground: str | None = None,
    steps: int = 150,
    repeats: int = 3,
    seed: int = 0,
    device: str | None = None,
    output: Output = _DEFAULT,
) -> None:
    """Say which source model to start from on a new target, before training.

    Parameters
    ----------
    dataset
        Data set folder; only labels of its training split are looked at.
    models
        Folder that holds model or run folders, at any depth.
    recipe
        As for prepare: how images become crops.
    size
        Side of the crops in pixels (windows); by itself that of most of the models.
    scale
        Factor on image sides before cutting, such as 0.5.
    foreground
        The class to find, where dataset.toml names several.
    steps
        Of each probe, a short training on the labels there are; 0: no probes.
    repeats
        Probes of each model, with other weights and other subjects set aside.
    seed
        Of everything.
    device
        cpu, cuda or mps; by default the best there is.
    """
    from crosspatch.workflows.rank import rank as workflow

    with progress_bars(output) as progress:
        ranking = workflow(
            dataset,
            models=models,
            recipe=recipe,
            size=size,
            scale=scale,
            foreground=foreground,
            steps=steps,
            repeats=repeats,
            seed=seed,
            device=device,
            progress=progress,
        )
    names = ("log_me", "h_score", "leep", "distance")
    rows = [
        [row.name, row.probe, *(getattr(row.measures, name, None) for name in names)]
        for row in ranking.rows
    ]
    lines = [table("", ("model", "probe, IoU", *names), rows)]
    if ranking.skipped:
        lines += [
            f"{len(ranking.skipped)} models cannot be a source here:",
            table("", ("model", "why"), ranking.skipped),
        ]
    lines += [f"{sentence[:1].upper()}{sentence[1:]}." for sentence in ranking.said]
    lines.append(f"Start from: {ranking.rows[0].path or 'random weights (from scratch)'}")
    result: dict[str, Any] = {
        "by": ranking.by,
        "models": [
            {
                "name": row.name,
                "path": str(row.path) if row.path else None,
                "probe": row.probe,
                "probes": list(row.probes),
                **{name: getattr(row.measures, name, None) for name in (*names, "stem")},
            }
            for row in ranking.rows
        ],
        "skipped": [{"model": model, "why": why} for model, why in ranking.skipped],
        "said": list(ranking.said),
    }
    say(output, result, lines)
