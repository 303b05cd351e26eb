"""Back to the people. Which images need them most, and where to correct masks."""

from pathlib import Path

import numpy as np
from PIL import Image

from crosspatch.demo.journey import Journey
from crosspatch.demo.study import run_of
from crosspatch.reports.page import Block, Commands, Photo, Section, Table, Text
from crosspatch.studies.cube import SCRATCH
from crosspatch.workflows.queue import Queue, queue

REVIEW = Path("predictions") / "kelp"
"""The folder that the review page is opened on; the queue stands beside it."""

_NEXT = 3
_SHOWN = 8


def queue_up(journey: Journey) -> Section:
    """Make the queue of the images without a mask, show its top, and say what to do with it."""
    out = journey.folder / REVIEW.with_name("queue.csv")
    run = run_of(journey, SCRATCH, 1.0)
    if out.exists():
        made = Queue(out)
    else:
        made = queue(
            run.model,
            journey.folder / "datasets" / "kelp",
            out=out,
            count=_NEXT,
            progress=journey.progress,
        )
    with Image.open(made.sheet) as sheet:
        picture = np.asarray(sheet.convert("RGB"))
    blocks: list[Block] = [
        Text(_in_words(journey, made)),
        _table(made),
        Photo(picture, "The network's masks, in the order of the queue."),
        Text(
            [
                "These are the commands: the first makes the queue; the second opens a page in the "
                "browser, where masks are looked at in that order, accepted, rejected or "
                "corrected. Corrected masks become a data set to train on, which is the next round."
            ]
        ),
        Commands(
            f"crosspatch queue {run.model.path.relative_to(journey.folder).as_posix()} "
            f"datasets/kelp --out {out.relative_to(journey.folder).as_posix()} --count {_NEXT}\n"
            f"crosspatch review {REVIEW.as_posix()}"
        ),
    ]
    return Section("Back to the people", blocks)


def _in_words(journey: Journey, made: Queue) -> list[str]:
    new = len(journey.dataset("kelp").unlabelled)
    return [
        f"{new} images have no mask by people. Which of them should people look at first? The "
        "queue puts those in front of which the network is least sure, by what its answers to "
        "turned and mirrored views have in common, by what the patch discriminator says of the "
        "masks, and by how unlike they are to what was outlined before.",
        f"Can any of them do without people? {_sentence(made.retirement)}",
    ]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."


def _table(made: Queue) -> Table:
    waiting = [row for row in made.rows if row.decision != "labelled"][:_SHOWN]
    return Table(
        ["place", "image", "decision", "why", "#priority"],
        [[row.rank, row.name, row.decision, row.reason, row.priority] for row in waiting],
        "The top of the queue. Zooniverse serves the lowest #priority first.",
    )
