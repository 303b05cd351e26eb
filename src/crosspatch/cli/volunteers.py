"""``crosspatch consensus``."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from crosspatch.cli.console import Output, progress_bars, say
from crosspatch.errors import SettingsError

_DEFAULT = Output()


def consensus(
    export: Path,
    *,
    out: Path,
    subjects: Path | None = None,
    workflows: Path | None = None,
    images: Path | None = None,
    size: str | None = None,
    workflow: str | None = None,
    workflow_version: str | None = None,
    task: str | None = None,
    tool: Annotated[tuple[int, ...] | None, Parameter(consume_multiple=True)] = None,
    frame: int = 0,
    method: Literal["vote", "weighted", "staple", "shrunken"] = "vote",
    threshold: float | None = None,
    at_least: int | None = None,
    repeats: Literal["first", "last", "all"] = "first",
    blank_answer: str | None = None,
    expert: Path | None = None,
    seed: int = 0,
    workers: int | None = None,
    overwrite: bool = False,
    output: Output = _DEFAULT,
) -> None:
    """Make consensus masks of the outlines in a Zooniverse classification export.

    Parameters
    ----------
    export
        Classification export, CSV.
    out
        Data set folder to make.
    subjects
        The project's subject export: names of image files.
    workflows
        The project's workflow export: which tools there are.
    images
        Folder of science images: copied, and their sizes are the masks' sizes.
    size
        WIDTHxHEIGHT in pixels of all masks, where there are no images, such as 350x350.
    workflow
        Which workflow; by itself the one with most classifications.
    workflow_version
        11 for any 11.x, or 11.14 exactly; by itself all versions.
    task
        Only this task, such as T0.
    tool
        Only the tools at these positions, from 0.
    frame
        The subject's image that was drawn on, from 0.
    method
        vote, weighted (by agreement on other subjects), staple, or shrunken.
    threshold
        Share of the votes that makes foreground; 0.5 where not given.
    at_least
        Number of votes that makes foreground, instead of a share.
    repeats
        Which classification of a volunteer on a subject counts: first, last or all.
    blank_answer
        An answer that skips the drawing task and is a vote for background, such as T1=No.
    expert
        Folder of expert masks to compare with.
    seed
        Divides the subjects into training and test.
    workers
        Processes; by itself one a core, and one for a small export.
    overwrite
        Replace the data set folder if it exists.
    """
    from crosspatch.workflows.consensus import consensus as workflow_function

    if threshold is not None and at_least is not None:
        raise SettingsError("--threshold is a share, --at-least a number of votes: give one")
    with progress_bars(output) as progress:
        dataset = workflow_function(
            export,
            out=out,
            subjects=subjects,
            workflows=workflows,
            images=images,
            size=_width_and_height(size),
            workflow=workflow,
            workflow_version=workflow_version,
            task=task,
            tools=tool,
            frame=frame,
            method=method,
            threshold=0.5 if threshold is None else threshold,
            at_least=at_least,
            repeats=repeats,
            blank_answer=blank_answer,
            expert=expert,
            seed=seed,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
    say(output, {"dataset": str(dataset.path), "said": list(dataset.said)}, dataset.said)


def _width_and_height(size: str | None) -> tuple[int, int] | None:
    """Read "350x350"."""
    if size is None:
        return None
    width, cross, height = size.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise SettingsError(f"--size {size}: write WIDTHxHEIGHT in pixels, such as 350x350")
    return int(width), int(height)
