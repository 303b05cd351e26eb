"""Stage 1: three data sets, made by three generators that share no form."""

from crosspatch.crops.generated import Domain, generate
from crosspatch.dataset import Dataset
from crosspatch.demo.journey import PER_SCENE, Journey
from crosspatch.images.pictures import contact_sheet
from crosspatch.reports.page import Block, Gallery, Section, Strip, Text
from crosspatch.reports.subjects import drawn

_SHOWN = 4
_SAYS: dict[Domain, str] = {
    "photos": "Photos: people before busy backgrounds that wear the same colours and patterns",
    "droplets": "Droplets: smooth bodies in electron microscopy, among others as grey and round",
    "kelp": "Kelp: canopies off a coast in four bands, beside land plants, blooms and clouds",
}


def make_domains(journey: Journey) -> Section:
    """Generate the data sets, keep a contact sheet of each, and show four subjects of each."""
    plan = journey.plan
    strips = []
    for domain, says in _SAYS.items():
        target = domain == "kelp"
        folder = journey.folder / "datasets" / domain
        if not folder.exists():
            generate(
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
        strips.append(_strip(journey, journey.dataset(domain), domain, says))
    words = Text(
        [
            "Nobody photographed any of this. Each domain has a generator of its own, which forms "
            "shapes in its own way: jointed skeletons, thrown circles, level sets of random "
            "fields. Subjects come in scenes that share a style, and scenes are never divided "
            "between training and test.",
            "The kelp was made hard enough that no threshold finds it, and easy enough for a small "
            "network to learn in minutes. Nothing was done to make one domain help another.",
        ]
    )
    blocks: list[Block] = [words, Gallery(strips, "Outlines and tint: the mask. Hatched: ignored.")]
    return Section("Three generated domains", blocks)


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
