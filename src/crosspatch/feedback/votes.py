"""What volunteers said of a consensus data set's subjects: ``votes/NAME.png``, ``subjects.csv``."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crosspatch import images
from crosspatch.errors import InputError
from crosspatch.files import inside


@dataclass(frozen=True)
class VoteTable:
    """Who voted on which subject of a data set; empty where it was not made of votes.

    Attributes
    ----------
    folder : of the data set
    voters : how many voted, by the subject's name
    retired : the subjects that Zooniverse has retired, or not; those that it does not say are out
    """

    folder: Path
    voters: dict[str, int] = field(default_factory=dict)
    retired: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "VoteTable":
        """Read ``subjects.csv``; rows without a number of voters are passed over.

        Raises
        ------
        InputError
            The file is there and cannot be read.
        """
        table, path = cls(folder), folder / "subjects.csv"
        if not path.exists():
            return table
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                for row in csv.DictReader(file):
                    name, voters = row.get("name") or "", row.get("voters") or ""
                    if name and voters.isdecimal():
                        table.voters[name] = int(voters)
                        if (said := row.get("retired")) in ("yes", "no"):
                            table.retired[name] = said == "yes"
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: cannot be read ({error})") from None
        return table

    def unfinished(self, name: str) -> bool:
        """Say whether Zooniverse still shows a subject to volunteers."""
        return self.retired.get(name) is False

    def fractions(self, name: str) -> NDArray[np.float32] | None:
        """Read the share of the volunteers who marked each pixel.

        Returns
        -------
        (H, W) float32 in [0, 1]; None where nobody voted, or no votes are kept

        Raises
        ------
        InputError
            The file cannot be read, or counts more votes than there are voters.
        """
        voters = self.voters.get(name, 0)
        path = inside(self.folder / "votes", f"{name}.png")
        if voters < 1 or not path.exists():
            return None
        counts = images.read_mask(path)
        if counts.max() > voters:
            raise InputError(
                f"{path}: counts {counts.max()} votes on a pixel, but subjects.csv says that "
                f"{voters} voted"
            )
        return (counts / np.float32(voters)).astype(np.float32)
