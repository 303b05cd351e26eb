"""Two other domains, whose generators share no form with the kelp's."""

from pathlib import Path

from crosspatch.crops.generated import Domain, generate
from crosspatch.dataset import Dataset
from crosspatch.demo.journey import PER_SCENE, Journey
from crosspatch.images.pictures import contact_sheet
from crosspatch.reports.page import Block, Gallery, Section, Strip, Text
from crosspatch.reports.subjects import drawn

_SHOWN = 4
SOURCES: dict[Domain, str] = {
    "photos": "Photos: people before busy backgrounds that wear the same colours and patterns",
    "droplets": "Droplets: smooth bodies in electron microscopy, among others as grey and round",
}
"""Where the warm starts come from, and what is to be seen there."""


def make_sources(journey: Journey) -> Section:
    """Generate the data sets, keep a contact sheet of each, and show four subjects of each."""
    strips = []
    for domain, says in SOURCES.items():
        dataset = make_domain(journey, domain, journey.folder / "datasets" / domain)
        strips.append(_strip(journey, dataset, domain, says))
    words = Text(
        [
            "Somebody has outlined other things before: people in photos, droplets under the "
            "microscope. Each domain has a generator of its own, which forms shapes in its own "
            "way: jointed skeletons and thrown circles here, level sets of random fields in the "
            "kelp. Their masks are the true ones.",
            "The kelp was made hard enough that no threshold finds it, and easy enough for a small "
            "network to learn in minutes. Nothing was done to make one domain help another.",
        ]
    )
    blocks: list[Block] = [words, Gallery(strips, "Outlines and tint: the mask. Hatched: ignored.")]
    return Section("Two other domains, outlined before", blocks)


def make_domain(journey: Journey, domain: Domain, folder: Path) -> Dataset:
    """Generate a data set, once."""
    plan, target = journey.plan, domain == "kelp"
    if folder.exists():
        return Dataset.open(folder)
    folder.parent.mkdir(exist_ok=True)
    return generate(
        domain,
        folder,
        subjects=plan.subjects if target else plan.sources,
        unlabelled=plan.unlabelled if target else 0,
        per_scene=PER_SCENE,
        size=(plan.side, plan.side),
        shares={"train": 0.75, "test": 0.25},
        seed=journey.seed,
        progress=journey.progress,
    )


def _strip(journey: Journey, dataset: Dataset, domain: str, says: str) -> Strip:
    """Take the first subject of each scene until enough are shown; prefer none over another."""
    first = {subject.group: subject for subject in reversed(dataset.labelled)}
    shown = [first[group] for group in sorted(first)][: 2 * _SHOWN]
    tiles = [
        tile
        for subject in shown
        for tile in drawn(
            subject.name,
            dataset.read_image(subject).pixels,
            dataset.channel_names,
            dataset.read_mask(subject),
        )
    ]
    pictures, captions = [picture for _, picture in tiles], [caption for caption, _ in tiles]
    journey.keep_picture(domain, contact_sheet(pictures, captions, columns=2 * _SHOWN, cell=160))
    return Strip(says, tiles[: 2 * _SHOWN])
