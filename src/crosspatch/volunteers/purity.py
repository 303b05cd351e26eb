"""Labels made worse by known amounts, as if fewer, or sloppier, volunteers had drawn them.

The true masks of a data set are outlined by a simulated crowd, and the outlines go through the same
vote as everybody's. How far the result is from the truth is measured, not assumed: its purity is
the mean IoU with the true masks.
"""

from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from crosspatch.dataset import Dataset, new_dataset
from crosspatch.errors import SettingsError
from crosspatch.files import PathLike
from crosspatch.metrics import confusion
from crosspatch.progress import Progress, silent
from crosspatch.volunteers.runs import vote_runs
from crosspatch.volunteers.simulate import VolunteerSettings, simulate

_LENGTHS = ("outward", "outward_spread", "grouping", "jitter", "smoothing", "invented", "missed")


@dataclass(frozen=True)
class Worsened:
    """A data set with worse labels, and how much worse: mean IoU with the true masks."""

    dataset: Dataset
    purity: float


def worsen(
    dataset: PathLike,
    *,
    out: PathLike,
    volunteers: int,
    errors: float = 1.0,
    foreground: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Worsened:
    """Let simulated volunteers draw the masks of a data set anew, and vote.

    Parameters
    ----------
    dataset : a data set folder, or ``Dataset``
    out : the data set folder to make: the same images, splits and groups, with worse masks
    volunteers : who outline each subject; at least half of them make a pixel foreground
    errors : their errors are so many times those of Floating Forests' volunteers
    foreground : the class to set against the rest, where dataset.toml has several
    seed : of the drawings

    Raises
    ------
    SettingsError
        No volunteers, or errors below 0.
    """
    if volunteers < 1 or not 0 <= errors < np.inf:
        raise SettingsError("worse labels need at least one volunteer, and errors of 0 or more")
    opened = (
        dataset
        if isinstance(dataset, Dataset) and foreground is None
        else Dataset.open(dataset, foreground=foreground)
    )
    crowd = _crowd(errors)
    alike: list[float] = []
    with new_dataset(
        out,
        channels=opened.channel_names if opened.channels_declared else None,
        foreground=opened.foreground[0] if len(opened.foreground) == 1 else "foreground",
        licence=opened.licence,
        origin=opened.origin,
        overwrite=overwrite,
    ) as writer:
        for done, subject in enumerate(opened.labelled, 1):
            truth = opened.read_mask(subject)
            worse = redraw(subject.name, truth, volunteers, crowd, seed)
            if (truth == 1).any():
                alike.append(confusion(worse == 1, truth).iou)
            writer.add(subject.name, subject.image, worse, split=subject.split, group=subject.group)
            progress("drawing anew", done, len(opened.labelled))
        purity = fmean(alike) if alike else 1.0
        writer.note(
            f"labels made worse: {volunteers} simulated volunteers a subject, errors times "
            f"{errors:g}, seed {seed}; mean IoU with the true masks {purity:.3f}"
        )
    return Worsened(Dataset.open(out), purity)


def redraw(
    name: str, mask: NDArray[np.uint8], volunteers: int, crowd: VolunteerSettings, seed: int
) -> NDArray[np.uint8]:
    """Draw one mask (H, W) anew by simulated volunteers and their vote; 255 stays ignored."""
    drawn = simulate({name: mask}, volunteers=volunteers, seed=seed, settings=crowd)
    runs = vote_runs([one.outlines for one in drawn], (mask.shape[0], mask.shape[1]))
    votes = runs.paint(runs.counts)
    worse = (2 * votes >= volunteers).astype(np.uint8)
    worse[votes == 0] = 0
    worse[mask == 255] = 255
    return worse


def _crowd(errors: float) -> VolunteerSettings:
    usual = VolunteerSettings()
    changed: dict[str, float] = {name: errors * getattr(usual, name) for name in _LENGTHS}
    changed["missed"] = min(changed["missed"], 1.0)
    changed["outward"] = min(changed["outward"], 0.49)
    return replace(usual, **changed)
