"""The subjects that a study's report shows: the same for every model, by a rule, drawn once.

Masks are drawn in windows of the crop size, as they were scored. They are kept in ``pictures/`` of
the study, by run and subject; a run's name holds a hash of all that decides it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from crosspatch import images
from crosspatch.dataset import Dataset, Subject
from crosspatch.errors import CrosspatchError, InputError
from crosspatch.evaluation.subjects import model_method
from crosspatch.files import fingerprint_bytes
from crosspatch.images.pictures import (
    Picture,
    agreement,
    near_infrared_rgb,
    overlay,
    shrink,
    to_rgb,
)
from crosspatch.images.resize import resize_image, resize_mask
from crosspatch.models.storage import Model
from crosspatch.progress import Progress, silent
from crosspatch.reports.gallery import Choice, choose
from crosspatch.reports.page import Block, Gallery, Lattice, Section, Strip, Text, Tile
from crosspatch.reports.study.material import Material, called
from crosspatch.reports.subjects import LEGEND, best_view
from crosspatch.studies.cube import SCRATCH
from crosspatch.studies.savings import percent
from crosspatch.studies.statistics import Findings
from crosspatch.training.run import MODEL, PLAIN

PICTURES = "pictures"
_DRAWN = b"windows of the crop size"  # part of the key: masks drawn in another way are not taken
RULE = (
    "Test subjects with foreground were ordered by their mean IoU over all models of this study "
    "with all shares of the labels: shown are the highest, those nearest the median, and the "
    "lowest, the same for every model. Nobody picked them."
)
_EACH = 2
_SIDE = 224  # pixels of a tile
_COLUMNS = 7

Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class Seen:
    """A subject as it is shown: shrunk, so that a hundred pictures of it stay small."""

    subject: Subject
    pixels: NDArray[Any]
    mask: Mask
    channel_names: tuple[str, ...] | None

    @property
    def views(self) -> list[tuple[str, Picture]]:
        """The image in true colour and, where there is one, in near infrared; and the mask."""
        tiles = [("image", to_rgb(self.pixels, self.channel_names))]
        infrared = near_infrared_rgb(self.pixels, self.channel_names)
        if infrared is not None:
            tiles = [("true colour", tiles[0][1]), ("near infrared", infrared)]
        return [*tiles, ("mask", overlay(self.best, self.mask))]

    @property
    def best(self) -> Picture:
        """The picture that masks are laid over."""
        return best_view(self.pixels, self.channel_names)[1]


def chosen(material: Material, found: Findings) -> list[Choice]:
    """Choose the subjects to show."""
    rows = material.results.filter(
        (pl.col("weights") == found.weights)
        & pl.col("arm").is_in(material.arms)
        & (pl.col("tp") + pl.col("fn") > 0)
    )
    means = rows.group_by("subject").agg(pl.col("iou").mean()).drop_nulls()
    return choose([(str(name), float(iou)) for name, iou in means.iter_rows()], _EACH)


def picture_section(
    material: Material, found: Findings, *, progress: Progress = silent
) -> Section | None:
    """Figure 3: chosen subjects, a row a start, a column a share of the labels."""
    if material.dataset is None:
        return None
    blocks: list[Block] = [
        Text(
            [
                "The paper's Figure 3. " + RULE,
                "Each mask is that of the first seed, over the image in grey; under it, the IoU.",
            ]
        ),
        Gallery([], "", LEGEND),
    ]
    choices = chosen(material, found)
    drawer = Drawer(material, found)
    strips: list[Block] = []
    for done, choice in enumerate(choices, 1):
        try:
            strips.append(_shown(drawer, choice))
        except CrosspatchError as error:
            strips.append(Text([f"{choice.name} cannot be shown: {error}"]))
        progress("drawing subjects", done, len(choices))
    return Section("Typical, best and worst subjects", [*blocks, *strips]) if strips else None


def _shown(drawer: "Drawer", choice: Choice) -> Lattice:
    """Lay out one subject: itself in the first row, then a row a start."""
    seen = see(drawer.dataset, choice.name)
    fractions, views = drawer.fractions, seen.views
    columns = max(len(fractions), len(views))
    rows: list[tuple[str, list[Tile | None]]] = [("", [*views])]
    rows += [
        (called(arm), [drawer.tile(seen, arm, fraction) for fraction in fractions])
        for arm in drawer.material.arms
    ]
    for _, tiles in rows:
        tiles.extend([None] * (columns - len(tiles)))
    title = f"{choice.kind.capitalize()}: {choice.name} (mean IoU of all models {choice.score:.2f})"
    return Lattice(title, [], rows)


def see(dataset: Dataset, name: str) -> Seen:
    """Read a subject, no larger than it is shown.

    Raises
    ------
    InputError
        It is not there, or cannot be read.
    """
    subject = next((one for one in dataset.labelled if one.name == name), None)
    if subject is None:
        raise InputError("the target here holds no labelled subject of this name")
    pixels, mask = dataset.read_image(subject).pixels, dataset.read_mask(subject)
    shape = _small(mask.shape)
    return Seen(
        subject, resize_image(pixels, shape), resize_mask(mask, shape), dataset.channel_names
    )


def _small(shape: Sequence[int]) -> tuple[int, int]:
    factor = min(1.0, _SIDE / max(shape))
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


class Drawer:
    """Draws masks with the models of a study, each once."""

    def __init__(self, material: Material, found: Findings) -> None:
        assert material.dataset is not None
        self.material, self.dataset, self.found = material, material.dataset, found
        fractions = sorted({f for arm in material.arms for f in found.cube.fractions(arm)})
        # A page is so wide: where there are more, the ends stay.
        while len(fractions) > _COLUMNS:
            fractions.pop(len(fractions) // 2)
        self.fractions = fractions
        self._rows = material.results.filter(pl.col("weights") == found.weights)

    def tile(self, seen: Seen, arm: str, fraction: float) -> tuple[str, Picture] | None:
        """Show the mask of a start and a share of the labels; None where there is no model."""
        rows = self._rows.filter(
            (pl.col("subject") == seen.subject.name)
            & (pl.col("arm") == arm)
            & (pl.col("fraction") == fraction)
        ).sort("seed")
        if not len(rows):
            return None
        run, iou = str(rows["run"][0]), rows["iou"][0]
        mask = self.mask(run, seen.subject)
        if mask is None:
            return None
        drawn = resize_mask(mask, seen.mask.shape)
        words = f"{percent(fraction)} of the labels: {'–' if iou is None else f'{iou:.2f}'}"
        return words, shrink(agreement(seen.best, drawn, seen.mask), _SIDE)

    def mask(self, run: str, subject: Subject) -> Mask | None:
        """Draw a subject with a run's model, or take what was drawn before."""
        weights = self.found.weights
        told = (run.encode(), weights.encode(), subject.name.encode())
        key = fingerprint_bytes(*told, _DRAWN)[:20]
        kept = self.material.path / PICTURES / f"{key}.png"
        if kept.is_file():
            try:
                return images.read_mask(kept).astype(np.uint8)
            except InputError:
                kept.unlink()
        folder = self.material.path / "runs" / run
        plain = weights == "plain" and (folder / PLAIN).is_dir()
        try:
            mask = predict(folder / (PLAIN if plain else MODEL), self.dataset, subject)
        except CrosspatchError:
            return None
        images.write_mask(kept, mask)
        return mask


def predict(model: Path, dataset: Dataset, subject: Subject) -> Mask:
    """Draw the mask of a whole subject as scored, on the CPU as reports are made anywhere."""
    opened = Model.open(model)
    method = model_method(
        opened, dataset, device=torch.device("cpu"), window=opened.facts.crop_size
    )
    probability = method.predict(dataset.read_image(subject))
    return (np.nan_to_num(probability) >= method.threshold).astype(np.uint8)


def overview_section(
    material: Material, found: Findings, hidden: Sequence[str], *, progress: Progress = silent
) -> Section | None:
    """Figure 2: image, mask drawn by people, mask drawn by the model; a row a data set."""
    strips = []
    target = _target_strip(material, found)
    if target is not None:
        strips.append(target)
    for done, (name, table) in enumerate(material.plan.get("sources", {}).items(), 1):
        if name not in hidden:
            strip = _source_strip(material, name, table)
            strips += [strip] if strip is not None else []
        progress("drawing sources", done, len(material.plan["sources"]))
    if not strips:
        return None
    caption = (
        "The paper's Figure 2. Target: the subject nearest the median, by a model trained from "
        "scratch with all labels. Sources: the first by name of the subjects that their training "
        "left out."
    )
    left_out = [name for name in hidden if name in material.plan.get("sources", {})]
    if left_out:
        caption += f" Not shown, as asked: {', '.join(left_out)}."
    return Section("The data", [Gallery(strips, caption, LEGEND)])


def _target_strip(material: Material, found: Findings) -> Strip | None:
    if material.dataset is None:
        return None
    typical = [one for one in chosen(material, found) if one.kind == "typical"]
    drawer = Drawer(material, found)
    for choice in typical[:1] or chosen(material, found)[:1]:
        try:
            seen = see(material.dataset, choice.name)
        except CrosspatchError:
            return None
        tile = drawer.tile(seen, SCRATCH, 1.0)
        tiles = [*seen.views, *([("prediction against mask", tile[1])] if tile else [])]
        return Strip(f"{material.target}: {choice.name}", tiles)
    return None


def _source_strip(material: Material, name: str, table: dict[str, Any]) -> Strip | None:
    """Show a source by a subject that its first model was not trained on, if there is one."""
    models = [one / MODEL for one in material.trainings(name) if (one / MODEL).is_dir()]
    for told in table.get("datasets", ()):
        try:
            dataset = Dataset.open(material.folder(str(told)), foreground=table.get("foreground"))
            held_out = dataset.in_split("test") or dataset.in_split("val")
            if not held_out:
                continue
            seen = see(dataset, held_out[0].name)
            tiles = seen.views
            if models and table.get("settings", {}).get("network", {}).get("head") is None:
                drawn = resize_mask(predict(models[0], dataset, held_out[0]), seen.mask.shape)
                tiles = [
                    *tiles,
                    ("prediction against mask", agreement(seen.best, drawn, seen.mask)),
                ]
            return Strip(f"{name}: {held_out[0].name}", tiles)
        except (CrosspatchError, OSError):
            continue
    return None
