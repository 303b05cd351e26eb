"""A coast that nobody photographed, outlined by people whom nobody met.

``truth/kelp`` holds the true masks, which no project has. Simulated volunteers outline them into a
real Panoptes export, ``crosspatch consensus`` makes masks of that, and ``datasets/kelp`` is what a
project would have then: the volunteers' masks to train on, and experts' to test with, which are
the true ones here.
"""

import csv
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crosspatch.dataset import FOREGROUND, Dataset, Subject, new_dataset
from crosspatch.demo.domains import make_domain
from crosspatch.demo.journey import Journey
from crosspatch.images.pictures import agreement, contact_sheet, overlay
from crosspatch.metrics import confusion
from crosspatch.reports.page import Block, Drawing, Gallery, Section, Strip, Text
from crosspatch.reports.subjects import LEGEND, best_view
from crosspatch.volunteers.consensus import count_votes
from crosspatch.volunteers.export import write_export, write_subjects
from crosspatch.volunteers.folder import MADE
from crosspatch.volunteers.runs import vote_runs
from crosspatch.volunteers.sheet import outlines_picture, pick_rows, votes_picture
from crosspatch.volunteers.simulate import SimulatedClassification, simulate
from crosspatch.workflows.consensus import consensus

VOLUNTEERS = 7
"""Classifications of each subject."""

LABELS = "labels"
"""Column of splits.csv: who drew the mask, "volunteers" or "experts"."""


@dataclass(frozen=True)
class Crowd:
    """What the volunteers made of the coast."""

    truth: Dataset
    agreed: Dataset
    rows: Mapping[str, Mapping[str, str]]
    """Name of a true subject -> its row of the consensus's subjects.csv."""

    @cached_property
    def ious(self) -> dict[str, float]:
        """IoU of each consensus mask with the true one, where there is kelp."""
        masks = {one.name: one for one in self.agreed.labelled}
        found = {}
        for name, row in self.rows.items():
            true = self.truth.read_mask(self.subject(name))
            if row["status"] == MADE and (true == FOREGROUND).any():
                drawn = self.agreed.read_mask(masks[row["name"]]) == FOREGROUND
                found[name] = confusion(drawn, true).iou
        return found

    def subject(self, name: str) -> Subject:
        """Find a true subject by its name."""
        return next(one for one in self.truth.labelled if one.name == name)


def outline_kelp(journey: Journey) -> Section:
    """Generate the coast, let volunteers outline it, and agree on masks."""
    truth = make_domain(journey, "kelp", journey.folder / "truth" / "kelp")
    _let_draw(journey, truth)
    agreed = _agree(journey, truth)
    with (agreed.path / "subjects.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["file"].rsplit(".", 1)[0]: row for row in csv.DictReader(file)}
    crowd = Crowd(truth, agreed, rows)
    _put_together(journey, crowd)
    iou = float(np.mean(list(crowd.ious.values())))
    journey.facts.append((f"{iou:.2f}", "mean IoU of the volunteers' masks with the true ones"))
    strips = _strips(journey, crowd)
    _keep_sheet(journey, strips)
    blocks: list[Block] = [
        Text(_in_words(crowd, iou)),
        Gallery(strips, "By how alike the volunteers drew: one of the most, one of the typical, "
                "one of the least. Nobody picked them.", LEGEND),
    ]  # fmt: skip
    curve = agreed.path / "expert_curve.svg"
    if curve.is_file():
        blocks.append(
            Drawing(
                curve.read_text(encoding="utf-8"),
                "Agreement with the experts on the test scenes, if at least k volunteers have to "
                "agree. crosspatch consensus draws this where experts' masks are given.",
            )
        )
    return Section("Volunteers outline kelp", blocks)


def _drawn(journey: Journey, masks: Mapping[str, np.ndarray]) -> list[SimulatedClassification]:
    return simulate(masks, volunteers=VOLUNTEERS, seed=journey.seed)


def _let_draw(journey: Journey, truth: Dataset) -> None:
    """Write the two files that a project owner downloads, and the experts' masks of test scenes."""
    folder = journey.folder / "outlines"
    if (folder / "classifications.csv").exists():
        return
    folder.mkdir(exist_ok=True)
    experts = journey.folder / "experts"
    experts.mkdir(exist_ok=True)
    for subject in truth.in_split("test"):
        assert subject.mask is not None
        shutil.copyfile(subject.mask, experts / subject.mask.name)
    journey.progress("outlining kelp", 0, len(truth.labelled))
    drawn = _drawn(journey, {one.name: truth.read_mask(one) for one in truth.labelled})
    journey.progress("outlining kelp", len(truth.labelled), len(truth.labelled))
    write_subjects(folder / "subjects.csv", drawn)
    write_export(folder / "classifications.csv", drawn)


def _agree(journey: Journey, truth: Dataset) -> Dataset:
    out = journey.folder / "consensus" / "kelp"
    if out.exists():
        return Dataset.open(out)
    out.parent.mkdir(exist_ok=True)
    return consensus(
        journey.folder / "outlines" / "classifications.csv",
        subjects=journey.folder / "outlines" / "subjects.csv",
        images=truth.path / "images",
        expert=journey.folder / "experts",
        out=out,
        workers=1,
        progress=journey.progress,
    )


def _put_together(journey: Journey, crowd: Crowd) -> None:
    """Make the data set that is trained and tested on: who drew a mask stands in splits.csv."""
    folder = journey.folder / "datasets" / "kelp"
    if folder.exists():
        return
    masks = {one.name: one for one in crowd.agreed.labelled}
    with new_dataset(
        folder,
        channels=crowd.truth.channel_names,
        foreground="kelp",
        licence=crowd.truth.licence,
        origin=f"{crowd.truth.origin}; training masks: consensus of simulated volunteers; test "
        "masks: the true ones",
    ) as writer:
        for subject in crowd.truth.subjects:
            mask, by = None, ""
            if subject.split == "test":
                mask, by = crowd.truth.read_mask(subject), "experts"
            elif (row := crowd.rows.get(subject.name)) and row["status"] == MADE:
                mask, by = crowd.agreed.read_mask(masks[row["name"]]), "volunteers"
            writer.add(
                subject.name, subject.image, mask, split=subject.split if by else None,
                group=subject.group, columns={LABELS: by},
            )  # fmt: skip


def _in_words(crowd: Crowd, iou: float) -> list[str]:
    voters = sum(int(row["voters"]) for row in crowd.rows.values())
    marks = sum(int(row["marks"]) for row in crowd.rows.values())
    tests = len(crowd.truth.in_split("test"))
    return [
        "Nobody photographed this coast: a program draws canopies of kelp in four bands, beside "
        "land plants, blooms and clouds. So the true mask of every image is known, which it never "
        "is in a project.",
        f"{VOLUNTEERS} volunteers looked at each of {len(crowd.rows)} images and drew {marks} "
        f"outlines in {voters} classifications. They are simulated too: they draw as the public "
        "drew on Floating Forests, waver, overlook things and see some that are not there. Their "
        "outlines stand in a real Zooniverse export, outlines/classifications.csv, and crosspatch "
        "consensus made masks of it: a pixel is kelp if half of the volunteers marked it.",
        f"These masks overlap with the true ones by a mean IoU of {iou:.2f}. The network learns "
        "from what the volunteers agreed on and from nothing else. Only the "
        f"{tests} images of the test scenes have masks by experts, which are the true masks here: "
        "every score further down is against the truth, not against the volunteers.",
    ]


def _strips(journey: Journey, crowd: Crowd) -> list[Strip]:
    """Lay out an easy, a typical and a hard subject among those that have kelp."""
    difficulty = {
        name: float(crowd.rows[name]["difficulty"] or "nan")
        for name in crowd.ious
        if crowd.subject(name).split == "train"
    }
    chosen = {kind: name for name, kind in pick_rows(difficulty, each=1)}
    return [_strip(journey, crowd, kind, name) for kind, name in chosen.items()]


def _strip(journey: Journey, crowd: Crowd, kind: str, name: str) -> Strip:
    subject = crowd.subject(name)
    true = crowd.truth.read_mask(subject)
    pixels = crowd.truth.read_image(subject).pixels
    _, view = best_view(pixels, crowd.truth.channel_names)
    people = [one.outlines for one in _drawn(journey, {name: true})]
    filled = vote_runs(people, (true.shape[0], true.shape[1])).filled()
    masks = {one.name: one for one in crowd.agreed.labelled}
    mask = crowd.agreed.read_mask(masks[crowd.rows[name]["name"]])
    title = f"{kind.capitalize()}: {name}, IoU with the true mask {crowd.ious[name]:.2f}"
    return Strip(
        title,
        [
            (f"{len(people)} volunteers' outlines", outlines_picture(filled, view)),
            ("votes: black nobody, yellow all", votes_picture(count_votes(filled))),
            ("consensus", overlay(view, mask)),
            ("consensus against the truth", agreement(view, mask, true)),
        ],
    )


def _keep_sheet(journey: Journey, strips: list[Strip]) -> None:
    tiles = [tile for strip in strips for tile in strip.tiles]
    if tiles:
        pictures, captions = [picture for _, picture in tiles], [caption for caption, _ in tiles]
        journey.keep_picture("outlines", contact_sheet(pictures, captions, columns=4, cell=176))
