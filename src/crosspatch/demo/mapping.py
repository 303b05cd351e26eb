"""Masks for images that nobody has outlined, which is what the work was for."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from crosspatch import images
from crosspatch.dataset import Subject
from crosspatch.demo.journey import Journey
from crosspatch.demo.study import run_of
from crosspatch.reports.page import Gallery, Section, Text
from crosspatch.reports.subjects import mapped
from crosspatch.studies.cube import SCRATCH
from crosspatch.workflows.predict import Predictions, predict

Masks = dict[str, NDArray[Any]]

_SHOWN = 4


def map_new_images(journey: Journey) -> Section:
    """Show the masks of the unlabelled subjects."""
    dataset, masks = journey.dataset("kelp"), map_kelp(journey)
    shown = dataset.unlabelled[:_SHOWN]
    strips = [
        mapped(
            subject.name,
            dataset.read_image(subject).pixels,
            dataset.channel_names,
            masks[subject.name],
        )
        for subject in shown
    ]
    words = (
        "These images came without masks, from scenes of their own. The network from scratch with "
        "all labels drew them. Nobody knows how good its masks are: a person has to look, and the "
        "folder predictions/kelp holds an overlay of each."
    )
    which = "All of them are shown." if len(strips) == len(dataset.unlabelled) else (
        f"The first {len(strips)} of {len(dataset.unlabelled)}."
    )  # fmt: skip
    return Section("New images, mapped", [Text([words]), Gallery(strips, which)])


def map_kelp(journey: Journey) -> Masks:
    """Predict the held-out and the unlabelled subjects; return masks (H, W) by name."""
    dataset = journey.dataset("kelp")
    return _maps(journey, "kelp", SCRATCH, 1.0, [*dataset.in_split("test"), *dataset.unlabelled])


def maps_of(journey: Journey, arm: str, fraction: float, subjects: Sequence[Subject]) -> Masks:
    """Predict a few subjects by one run of the study; return masks (H, W) by name."""
    return _maps(journey, f"{arm}-{fraction:.0%}".rstrip("%"), arm, fraction, subjects)


def _maps(
    journey: Journey, name: str, arm: str, fraction: float, subjects: Sequence[Subject]
) -> Masks:
    """Predict once, into a folder of predictions/."""
    folder = journey.folder / "predictions" / name
    if folder.exists():
        found = Predictions.open(folder)
    else:
        found = predict(
            run_of(journey, arm, fraction).model,
            [subject.image for subject in subjects],
            out=folder,
            probabilities=True,  # for the review page's threshold
            progress=journey.progress,
        )
    return {
        subject.name: images.read_mask(found.mask_path(subject.image.stem)) for subject in subjects
    }
