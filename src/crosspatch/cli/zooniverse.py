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


def push(
    predictions: Path,
    queue: Path,
    *,
    project: int,
    workflow: int,
    out: Path,
    subject_set: str | None = None,
    subjects: Path | None = None,
    images: Path | None = None,
    limit: int | None = None,
    no_proposals: bool = False,
    yes: bool = False,
    output: Output = _DEFAULT,
) -> None:
    """Send what needs people to a project, and retire what does not.

    Without --yes it prints what it would send, and nothing leaves this machine. A push that was cut
    off goes on when the same command is run again; no subject is uploaded twice.

    Parameters
    ----------
    predictions
        Predictions folder: masks and overlays.
    queue
        The queue.csv of crosspatch queue.
    project
        The project's number on Zooniverse.
    workflow
        The workflow's number.
    out
        Folder that keeps what was sent: ledger and proposals.
    subject_set
        Name of the subject set to make; by itself that of the folder.
    subjects
        The project's subject export, or a pulled folder: subjects that stand there are shown again
        or retired instead of uploaded.
    images
        Folder of the images, where they are no longer where they were predicted.
    limit
        Show people so many subjects at most.
    no_proposals
        Do not send the model's outlines as marks to correct.
    yes
        Send.
    """
    from crosspatch.workflows.zooniverse import push as workflow_function
    from crosspatch.workflows.zooniverse import summary

    with progress_bars(output) as progress:
        made = workflow_function(
            predictions,
            queue,
            project=project,
            workflow=workflow,
            out=out,
            subject_set=subject_set,
            subjects=subjects,
            images=images,
            limit=limit,
            proposals=not no_proposals,
            yes=yes,
            progress=progress,
        )
    lines = [*made.said]
    if made.done is None:
        lines += [*summary(made.plan), "nothing was sent: add --yes to send it"]
    else:
        lines.append(
            f"{made.done.uploaded} subjects uploaded, {made.done.shown_again} shown again, "
            f"{made.done.proposals} outlines proposed, {made.done.retired} retired"
        )
        if made.done.proposals:
            lines.append(f"for the next consensus: --proposals {made.path / 'proposals.jsonl'}")
    result = {
        "push": str(made.path),
        "sent": made.done is not None,
        "upload": [one.name for one in made.plan.new],
        "show_again": [one.name for one in made.plan.older],
        "retire": [name for name, _ in made.plan.retired],
        "leave": [{"name": name, "why": why} for name, why in made.plan.left],
        "said": list(made.said),
    }
    say(output, result, lines)
