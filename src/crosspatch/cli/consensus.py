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
    all_images: bool = False,
    size: str | None = None,
    workflow: str | None = None,
    workflow_version: str | None = None,
    task: str | None = None,
    tool: Annotated[list[int] | None, Parameter(consume_multiple=True)] = None,
    frame: str = "0",
    method: Literal["vote", "weighted", "staple", "shrunken"] = "vote",
    threshold: float = 0.5,
    at_least: int | None = None,
    repeats: Literal["first", "last", "all"] = "first",
    blank_answer: str | None = None,
    expert: Path | None = None,
    proposals: Path | None = None,
    seed: int = 0,
    workers: int | None = None,
    overwrite: bool = False,
    output: Output = _DEFAULT,
) -> None:
    """Turn volunteers' outlines into consensus masks.

    Parameters
    ----------
    export
        Classification export of a Zooniverse project, as downloaded.
    out
        Data set folder to make.
    subjects
        The project's subject export: finds images by their uploaded names.
    workflows
        The project's workflow export: names the tools of the old classifier.
    images
        Folder of the science images; masks get their sizes.
    all_images
        Take the images that nobody outlined along, without a mask.
    size
        WIDTHxHEIGHT of all masks, where there are no images. By itself a mask has the size of the
        image that volunteers saw.
    workflow
        Id of the workflow; by itself the one with most classifications.
    workflow_version
        Only this version: 11 for any 11.x, or 11.14.
    task
        Only this task, such as T0.
    tool
        Only the tools at these positions in the task, from 0.
    frame
        The subject's image that was drawn on, from 0; "all" where all show the same view.
    method
        How votes become a mask: vote, weighted (by agreement on other subjects), staple, or
        shrunken (pixels that few voters cannot decide become 255).
    threshold
        Share of the votes that makes foreground.
    at_least
        Number of votes that makes foreground, instead of a share.
    repeats
        Which classification of one volunteer on one subject counts.
    blank_answer
        TASK=ANSWER, such as T1=No, that skips the drawing task and means "nothing here".
    expert
        Folder of expert masks to compare the votes with.
    proposals
        The proposals.jsonl of crosspatch zooniverse push: outlines of the model that nobody touched
        are no votes.
    seed
        Divides the subjects into training and test.
    workers
        Processes; by itself one a core.
    overwrite
        Replace the data set folder if it exists.
    """
    from crosspatch.workflows.consensus import consensus as workflow_function

    if frame != "all" and not frame.isdecimal():
        raise SettingsError(f"the frame is a number from 0, or all, not {frame!r}")
    with progress_bars(output) as progress:
        dataset = workflow_function(
            export,
            out=out,
            subjects=subjects,
            workflows=workflows,
            images=images,
            all_images=all_images,
            size=size,
            workflow=workflow,
            workflow_version=workflow_version,
            task=task,
            tools=tool,
            frame=None if frame == "all" else int(frame),
            method=method,
            threshold=threshold,
            at_least=at_least,
            repeats=repeats,
            blank_answer=blank_answer,
            expert=expert,
            proposals=proposals,
            seed=seed,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
    result = {
        "dataset": str(dataset.path),
        "subjects": len(dataset.subjects),
        "said": list(dataset.said),
    }
    say(output, result, [*dataset.said, f"{dataset.path}: look at contact_sheet.png first"])
