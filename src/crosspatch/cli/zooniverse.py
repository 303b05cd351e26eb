"""``crosspatch zooniverse pull`` and ``push``."""

from pathlib import Path

from crosspatch.cli.console import Output, progress_bars, say

_DEFAULT = Output()


def pull(
    *,
    project: int,
    out: Path,
    workflow: int | None = None,
    existing: bool = False,
    wait: float = 180,
    overwrite: bool = False,
    output: Output = _DEFAULT,
) -> None:
    """Download a project's classifications, subjects and workflows.

    Signs in by PANOPTES_USERNAME and PANOPTES_PASSWORD, or as "panoptes configure" set up. A pull
    that was stopped goes on when the same command is run again.

    Parameters
    ----------
    project
        The project's number on Zooniverse.
    out
        Folder to make, which crosspatch consensus takes.
    workflow
        Only the classifications of this workflow.
    existing
        Take what was exported last, instead of having new exports made.
    wait
        Minutes to wait for exports that are being made.
    overwrite
        Replace the folder if it holds exports.
    """
    from crosspatch.workflows.zooniverse import pull as workflow_function

    with progress_bars(output) as progress:
        made = workflow_function(
            project,
            out=out,
            workflow=workflow,
            existing=existing,
            wait=wait,
            overwrite=overwrite,
            progress=progress,
        )
    exports = [{"export": one.kind, "bytes": one.size, "made": one.made} for one in made.exports]
    lines = [f"{one.kind}: {one.size / 1024:.0f} kB, made {one.made}" for one in made.exports]
    lines.append(f"{made.path}: give it to crosspatch consensus")
    say(output, {"exports": str(made.path), "files": exports}, lines)
