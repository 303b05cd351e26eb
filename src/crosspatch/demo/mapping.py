"""Stage 4: masks for images that nobody has outlined, which is what the work was for."""

from typing import Any

from numpy.typing import NDArray

from crosspatch import images
from crosspatch.demo.journey import Journey
from crosspatch.reports.page import Gallery, Section, Text
from crosspatch.reports.subjects import mapped
from crosspatch.workflows.predict import Predictions, predict


def map_new_images(journey: Journey) -> Section:
    """Show the masks of the unlabelled subjects."""
    dataset, masks = journey.dataset("kelp"), map_kelp(journey)
    strips = [
        mapped(
            subject.name,
            dataset.read_image(subject).pixels,
            dataset.channel_names,
            masks[subject.name],
        )
        for subject in dataset.unlabelled
    ]
    words = (
        "These images came without masks, from scenes of their own. Nobody knows how good their "
        "masks are: a person has to look, and the folder predictions/ holds an overlay of each."
    )
    return Section("New images, mapped", [Text([words]), Gallery(strips, "All of them are shown.")])


def map_kelp(journey: Journey) -> dict[str, NDArray[Any]]:
    """Predict the held-out and the unlabelled subjects, once; return masks (H, W) by name."""
    dataset, folder = journey.dataset("kelp"), journey.folder / "predictions" / "kelp"
    wanted = [*dataset.in_split("test"), *dataset.unlabelled]
    if folder.exists():
        found = Predictions.open(folder)
    else:
        found = predict(
            journey.run.model,
            [subject.image for subject in wanted],
            out=folder,
            progress=journey.progress,
        )
    return {
        subject.name: images.read_mask(found.mask_path(subject.image.stem)) for subject in wanted
    }
