"""What the stages of the demo share: how much of everything, where it lies, how long it took."""

from dataclasses import dataclass, field
from pathlib import Path

from crosspatch.crops.generated import Domain
from crosspatch.dataset import Dataset
from crosspatch.errors import CrosspatchError, InputError
from crosspatch.files import new_folder, read_toml, write_bytes, write_toml
from crosspatch.images.pictures import Picture, to_png_bytes
from crosspatch.progress import Progress, silent

NOTE = "demo.toml"


RATE = 2e-3
"""The generator's learning rate: four times the paper's, for a schedule that is so much shorter.

Of 5e-4, 1e-3 and 2e-3 it did best on scenes set aside (IoU 0.61, 0.76, 0.80 after 300 steps).
"""


@dataclass(frozen=True)
class Plan:
    """How much of everything."""

    subjects: int
    """Labelled kelp subjects; whole scenes of them, a quarter, are held out."""
    unlabelled: int
    sources: int
    """Subjects of each of the other two domains."""
    side: int
    """Of an image, pixels."""
    crop: int
    steps: int
    """Of each of the eight runs."""
    batch: int
    checks: int = 10
    width: int = 16


PER_SCENE = 3
"""Subjects of a scene: even the quick demo then holds out five scenes, enough for an interval."""

FULL = Plan(subjects=150, unlabelled=9, sources=48, side=192, crop=128, steps=500, batch=8)
QUICK = Plan(subjects=75, unlabelled=6, sources=24, side=128, crop=64, steps=120, batch=8, checks=6)


@dataclass
class Journey:
    """The demo so far, in its folder."""

    folder: Path
    quick: bool
    seed: int
    progress: Progress = silent
    seconds: dict[str, float] = field(default_factory=dict)
    """What each stage took when it first did its work."""
    facts: list[tuple[str, str]] = field(default_factory=list)
    """Numbers for the top of the page: (value, what it is)."""

    @property
    def plan(self) -> Plan:
        """How much of everything."""
        return QUICK if self.quick else FULL

    def dataset(self, domain: Domain) -> Dataset:
        """Open a domain's data set."""
        return Dataset.open(self.folder / "datasets" / domain)

    def keep_picture(self, name: str, picture: Picture) -> None:
        """Keep a picture (H, W, 3) uint8 in ``pictures/``, small enough for a README."""
        write_bytes(self.folder / "pictures" / f"{name}.png", to_png_bytes(picture, colours=256))

    def keep_note(self) -> None:
        """Write down which demo this is and how far it came."""
        write_toml(
            self.folder / NOTE,
            {"quick": self.quick, "seed": self.seed, "seconds": self.seconds},
            says="A crosspatch demo on generated data.",
        )


def begin(
    folder: Path, *, quick: bool, seed: int, overwrite: bool, progress: Progress = silent
) -> Journey:
    """Start a demo in a new folder, or go on with one of the same kind that was stopped.

    Raises
    ------
    CrosspatchError
        The folder holds something else; or another demo, and ``overwrite`` is false.
    """
    journey = Journey(folder, quick, seed, progress)
    if not overwrite and (folder / NOTE).is_file():
        note = read_toml(folder / NOTE)
        if (note.get("quick"), note.get("seed")) != (quick, seed):
            raise CrosspatchError(
                f"{folder}: holds another demo (other seed, or --quick): "
                "choose another --out or add --overwrite"
            )
        journey.seconds = _seconds(note.get("seconds", {}), folder)
        return journey
    with new_folder(folder, kind="demo", overwrite=overwrite) as partial:
        Journey(partial, quick, seed).keep_note()
    return journey


def _seconds(table: object, folder: Path) -> dict[str, float]:
    if not isinstance(table, dict) or not all(
        isinstance(value, int | float) for value in table.values()
    ):
        raise InputError(f"{folder / NOTE}: 'seconds' must be a table of numbers")
    return {str(name): float(value) for name, value in table.items()}
