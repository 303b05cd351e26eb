"""What volunteers drew on one subject, as closed outlines in the pixels of the science image."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]


@dataclass(frozen=True)
class VolunteerOutlines:
    """One volunteer's vote on one subject.

    Attributes
    ----------
    volunteer : str
        The account's name; ``not-logged-in-...`` for anonymous ones.
    classification_id : str
        As in the export, so that everything can be traced back.
    outlines : tuple of (N, 2) float64
        Closed outlines, row and column in pixels of the science image; the first point is not
        repeated. Empty is a blank vote: all background.
    logged_in : bool
        False for anonymous volunteers.
    expert : bool
        The export marks the person as an expert of the project.
    standing : tuple of (N, 2) float64
        Outlines that a model proposed and the volunteer left untouched: no vote either way.
    """

    volunteer: str
    classification_id: str
    outlines: tuple[Outline, ...]
    logged_in: bool = True
    expert: bool = False
    standing: tuple[Outline, ...] = ()

    @property
    def blank(self) -> bool:
        """Whether the volunteer saw nothing to outline."""
        return not self.outlines


@dataclass
class SubjectOutlines:
    """All votes on one subject, one a volunteer, repeats resolved.

    Attributes
    ----------
    subject_id : str
        As in the export.
    name : str
        A safe file name (no suffix), unique within the data set.
    shape : (H, W)
        The science image's grid, in which the outlines are.
    volunteers : list of VolunteerOutlines
        In the order of the export.
    gold : list of VolunteerOutlines
        Gold-standard classifications: expert truth, no votes.
    retired : bool or None
        Whether the subject needs no more volunteers; None when the export does not say.
    """

    subject_id: str
    name: str
    shape: tuple[int, int]
    volunteers: list[VolunteerOutlines]
    gold: list[VolunteerOutlines] = field(default_factory=list)
    retired: bool | None = None
