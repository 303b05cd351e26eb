"""A model's masks as outlines that volunteers can correct."""

import numpy as np
from numpy.typing import NDArray

from crosspatch.volunteers.proposals import Proposed, ProposedMark
from crosspatch.volunteers.rasterize import area
from crosspatch.volunteers.trace import Outline, simplify, trace

TOLERANCE = 0.98
"""Pixels of the uploaded image; with the rounding to two decimals it stays within one pixel."""

MOST_MARKS = 100
"""Outlines on one subject: nobody corrects more."""

SMALLEST = 16.0
"""Area in pixels of the uploaded image under which an object is a speck that nobody can correct."""

_FEWEST_POINTS = 20  # the classifier takes a freehand line of fewer for a slip of the hand


def propose(mask: NDArray[np.uint8], size: tuple[int, int]) -> tuple[list[ProposedMark], int]:
    """Turn a mask into marks, the largest objects first.

    Parameters
    ----------
    mask : (H, W) uint8
        0 background, 1 foreground, 255 ignored.
    size : (height, width)
        Of the uploaded image, in whose pixels the marks are.

    Returns
    -------
    marks : list of ProposedMark
        Closed by repeating the first point; each within one pixel of the object's outer edge.
    left : int
        Objects without a mark: under `SMALLEST`, or beyond `MOST_MARKS`.
    """
    scale = np.divide(size, mask.shape)
    outlines = [outline * scale for outline in trace(mask)]
    areas = [area(outline) for outline in outlines]
    order = sorted(range(len(outlines)), key=lambda place: -areas[place])
    chosen = [place for place in order if areas[place] >= SMALLEST][:MOST_MARKS]
    marks = [_mark(simplify(outlines[place], TOLERANCE)) for place in chosen]
    return marks, len(outlines) - len(chosen)


def machine_learnt(proposed: Proposed, step: str, task_index: int = 0) -> dict[str, object]:
    """Lay marks out as the classifier reads them from the reduction ``machineLearnt``."""
    return {
        "data": [
            {
                "stepKey": step,
                "taskIndex": task_index,
                "taskKey": proposed.task,
                "taskType": "drawing",
                "toolIndex": proposed.tool,
                "toolType": "freehandLine",
                "frame": proposed.frame,
                "markId": f"crosspatch-{proposed.subject_id}-{number}",
                "pathX": mark.pathX,
                "pathY": mark.pathY,
            }
            for number, mark in enumerate(proposed.marks)
        ]
    }


def _mark(outline: Outline) -> ProposedMark:
    while len(outline) < _FEWEST_POINTS:  # points on the longest side change nothing
        following = np.roll(outline, -1, axis=0)
        longest = int(np.hypot(*(following - outline).T).argmax())
        middle = (outline[longest] + following[longest]) / 2
        outline = np.insert(outline, longest + 1, middle, axis=0)
    closed = np.vstack([outline, outline[:1]]).round(2) + 0.0  # + 0.0 makes -0.0 plain
    return ProposedMark(closed[:, 1].tolist(), closed[:, 0].tolist())
