"""``crosspatch study``."""

from pathlib import Path

from crosspatch.cli.console import Output, progress_bars, say, table

_DEFAULT = Output()


def study(
    plan: Path,
    *,
    out: Path,
    workers: int = 1,
    scheduler: str | None = None,
    overwrite: bool = False,
    output: Output = _DEFAULT,
) -> int:
    """Train from scratch and from sources, at several label fractions and seeds, and score it all.

    The same command goes on with a study that was stopped: nothing is done twice.

    Parameters
    ----------
    plan
        STUDY.toml: target, sources, fractions, seeds, how long.
    out
        Study folder to make, or to go on with.
    workers
        Runs at the same time on this machine.
    scheduler
        Address of a Dask scheduler, such as tcp://host:8786, instead of this machine.
    overwrite
        Begin anew where a study stands.
    """
    from crosspatch.workflows.study import study as workflow

    with progress_bars(output) as progress:
        made = workflow(
            plan, out=out, workers=workers, scheduler=scheduler, overwrite=overwrite,
            progress=progress,
        )  # fmt: skip
    failed, runs = made.failed, made.table["runs"]
    lines = [*made.table["said"], f"{made.results}: {len(runs) - len(failed)} of {len(runs)} runs"]
    if failed:
        lines.append(table("", ("failed", "why"), [*failed.items()]))
        lines.append("the same command tries these again")
    say(output, {"study": str(made.path), "runs": len(runs), "failed": failed}, lines)
    return 1 if failed else 0
