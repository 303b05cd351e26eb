"""``crosspatch study``."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from crosspatch.cli.console import Output, progress_bars, say, table
from crosspatch.cli.pace import in_words
from crosspatch.errors import SettingsError

if TYPE_CHECKING:
    from crosspatch.studies.outline import Outline
    from crosspatch.workflows.study_outline import Estimate

_DEFAULT = Output()


def study(
    plan: Path,
    *,
    out: Path | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    dry_run: bool = False,
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
    dry_run
        Only list every run, what it needs, the counts, and about how long it all takes.
    overwrite
        Begin anew where a study stands.
    """
    if dry_run:
        return _dry_run(plan, output)
    if out is None:
        raise SettingsError("give --out STUDY, the folder to make or to go on with, or --dry-run")
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
    lines.append(f"what it found, as a page: crosspatch report {made.path}")
    say(output, {"study": str(made.path), "runs": len(runs), "failed": failed}, lines)
    return 1 if failed else 0


def _dry_run(plan: Path, output: Output) -> int:
    from crosspatch.workflows.study_outline import dry_run

    made, time = dry_run(plan)
    result = {
        "data": [asdict(one) for one in made.data],
        "runs": [
            {key: getattr(run, key) for key in ("name", "needs", "labels", "steps")}
            | {"tested on": run.test_subjects}
            for run in made.runs
        ],
        "seconds": time.seconds,
        "where": time.where,
        "said": list(made.said),
    }
    say(output, result, [*_lines(made), *made.said, _how_long(made, time)])
    return 0


def _lines(made: "Outline") -> Iterator[str]:
    columns = ("", "data", "subjects", "samples", "test subjects", "test samples")
    rows = [
        (one.role, one.name, one.subjects, one.samples, one.test_subjects, one.test_samples)
        for one in made.data
    ]
    yield table("", columns, rows)
    of_runs = ("run", "needs", "labels", "steps", "tested on")
    runs = [(one.name, one.needs, one.labels, one.steps, one.test_subjects) for one in made.runs]
    yield table("", of_runs, runs)
    steps = sum(one.steps for one in made.runs)
    yield f"{len(made.runs)} runs, {steps} steps"


def _how_long(made: "Outline", time: "Estimate") -> str:
    if time.seconds is None:
        return f"no estimate of the time: {time.where}"
    declared = "" if made.here else " of the declared sizes"
    return (
        f"about {in_words(time.seconds)} on this machine ({time.where}), one run after another, "
        f"by a few steps of each kind on noise{declared} (baselines not counted); --workers N does "
        "several at once"
    )
