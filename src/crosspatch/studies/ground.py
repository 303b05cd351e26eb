"""What the runs of a study stand on: crops packed once, folds, sources that share no image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from crosspatch.crops import Crops, pack
from crosspatch.crops.folds import refold
from crosspatch.crops.packing import pack_planned
from crosspatch.crops.planning import make_plan
from crosspatch.dataset import Dataset
from crosspatch.errors import CrosspatchError, InputError, LeakError
from crosspatch.files import PathLike, fingerprint_bytes
from crosspatch.models.storage import Model
from crosspatch.progress import Progress, silent
from crosspatch.splits import grouped_folds
from crosspatch.studies.design import distinct_fractions, few_seeds, few_test_groups
from crosspatch.studies.labels import other_labels
from crosspatch.studies.plan import SourceTable, StudyTable, place, run_settings
from crosspatch.training.samples import choose


@dataclass(frozen=True)
class Ground:
    """The target's crops, one pack a fold, and the sources.

    Attributes
    ----------
    name : of the target
    dataset : of the target
    trained_on : the data set whose labels are trained on: the target, or other labels of its images
    folds : crops whose test split is the fold; a single one where the target's own split is used
    sources : crops to pretrain on, or a model, by name
    fractions : those of the plan that differ from one another on this target
    said : what a reader of the results must know
    """

    name: str
    dataset: Dataset
    trained_on: Dataset
    folds: tuple[Crops, ...]
    sources: Mapping[str, Crops | Model]
    fractions: tuple[float, ...]
    said: tuple[str, ...]
    purity: float | None = None
    """Mean IoU of the training labels with the target's own; None where they are the same."""
    tested: str = ""
    """Fingerprint of the target's own labels, where others are trained on."""

    @property
    def test_subjects(self) -> int:
        """How many subjects a whole run scores: those of all folds."""
        return sum(int((crops.subjects["split"] == "test").sum()) for crops in self.folds)

    @property
    def images(self) -> str:
        """Fingerprint of the target's images, however a study divides them."""
        contents = sorted(self.folds[0].contents.items())
        return fingerprint_bytes(*(f"{name}\0{content}".encode() for name, content in contents))


def lay_ground(
    plan: StudyTable, plan_path: PathLike, study: Path, *, progress: Progress = silent
) -> Ground:
    """Pack what is not packed yet, divide the target into folds, look for leaks.

    Raises
    ------
    LeakError
        A source and the target share an image, or two folds do.
    InputError, SettingsError
        A data set or model is not what it should be; the message says which.
    """
    told = plan.target
    dataset = opened(place(plan_path, told.dataset), told.foreground, "target")
    name = told.name or dataset.name
    trained_on, purity, told_of = _labels(plan, plan_path, dataset)
    folds, said = _target_crops(plan, trained_on, study / "crops", progress)
    said += told_of
    sources = {
        source: _source(source, one, plan_path, study / "crops", progress)
        for source, one in plan.sources.items()
    }
    for source, one in sources.items():
        _refuse_shared(source, one, folds[0])
        if isinstance(one, Model):
            _refuse_other_network(source, one, plan)
            said.append(
                f"{source} is one checkpoint: what is found of it holds for this model, not for "
                "models trained on such images"
            )
    groups = [
        crops.subjects["group"][crops.subjects["split"] == "train"].tolist() for crops in folds
    ]
    fractions, left_out = distinct_fractions(groups, plan.fractions, plan.seeds)
    said += [*left_out, *few_seeds(plan), *_without_foreground(plan, folds, fractions)]
    for pack_of, one in ((name, folds[0]), *sources.items()):
        if isinstance(one, Crops):
            said += [*one.said, *_unused(pack_of, one)]
    told_once = tuple(dict.fromkeys(said))  # two sources may be of one data set
    tested = "" if plan.target.labels is None else dataset.fingerprint()
    return Ground(name, dataset, trained_on, folds, sources, fractions, told_once, purity, tested)


def _unused(name: str, crops: Crops) -> list[str]:
    """Say what of a target's or source's data no crop shows: how much, and the first of it."""
    left_out = [f"{one.subject}: {_without_folder(one.why)}" for one in crops.skipped]
    said = []
    for what, found in (("labelled image{s}", left_out), ("file{s} or row{s}", crops.problems)):
        if found:
            many = "s" * (len(found) > 1)
            first = f"first: {found[0]}" if many else found[0]
            said.append(f"{len(found)} {what.format(s=many)} of {name} left out ({first})")
    return said


def _without_folder(why: str) -> str:
    """Name a file from its data set: what is said here is published, places on a disk are not."""
    file, colon, rest = why.partition(": ")
    return "/".join(Path(file).parts[-2:]) + colon + rest


def _labels(
    plan: StudyTable, plan_path: PathLike, dataset: Dataset
) -> tuple[Dataset, float | None, list[str]]:
    """Find what is trained on: the target, or other labels of its images."""
    if plan.target.labels is None:
        return dataset, None, []
    folder = place(plan_path, plan.target.labels)
    labels = opened(folder, plan.target.foreground, "target.labels")
    trained_on, purity = other_labels(dataset, labels)
    said = (
        f"training labels are those of {labels.name}, whose mean IoU with the target's own is "
        f"{purity:.3f}; tested is on the target's own"
    )
    return trained_on, purity, [said]


def opened(path: Path, foreground: str | None, what: str) -> Dataset:
    """Open a data set; what is wrong is said with ``what``, its place in the plan."""
    try:
        return Dataset.open(path, foreground=foreground)
    except CrosspatchError as error:
        text = str(error).replace("--foreground NAME", 'foreground = "NAME"')
        raise type(error)(f"{what}: {text}") from None


def _target_crops(
    plan: StudyTable, dataset: Dataset, folder: Path, progress: Progress
) -> tuple[tuple[Crops, ...], list[str]]:
    if not plan.folds:
        dataset, said = with_validation(dataset)
        crops = pack([dataset], plan.target.made, folder / "target", overwrite=True,
                     progress=progress)  # fmt: skip
        if not len(crops.in_split("test")):
            raise InputError(
                f"{dataset.path}: has no labelled subject in the split test: name some in "
                "splits.csv, or give folds = 5 for cross-validation"
            )
        split, group = crops.subjects["split"], crops.subjects["group"]
        said += few_test_groups(group[split == "test"].tolist(), group[split == "train"].tolist())
        return (crops,), said
    crops = pack([_all_in_training(dataset, plan.target.subjects)], plan.target.made,
                 folder / "target", overwrite=True, progress=progress)  # fmt: skip
    fold_of = grouped_folds(crops.subjects["group"].tolist(), plan.folds)
    groups = dict(zip(crops.subjects["subject"], crops.subjects["group"], strict=True))
    folds = []
    for fold in range(plan.folds):
        splits = {
            name: "test" if fold_of[group] == fold else "train" for name, group in groups.items()
        }
        folds.append(refold(crops, splits, folder / f"target-fold-{fold}"))
    which = "of the training split " if plan.target.subjects == "train" else ""
    divided = f"{plan.folds}-fold cross-validation over {len(fold_of)} groups {which}of the target"
    return tuple(folds), [divided]


def with_validation(dataset: Dataset) -> tuple[Dataset, list[str]]:
    """Count a ``val`` split as training labels, and say so.

    Validation comes out of each label fraction; used whole, the split would be labels spent beside
    every fraction, and known to the networks but not to the baselines.
    """
    if not dataset.in_split("val"):
        return dataset, []
    subjects = tuple(
        replace(subject, split="train") if subject.split == "val" else subject
        for subject in dataset.subjects
    )
    said = "the target's val split counts as training labels: validation comes out of each fraction"
    return replace(dataset, subjects=subjects), [said]


def _all_in_training(dataset: Dataset, which: str) -> Dataset:
    """Take the labelled subjects into one split, to be packed together and divided later."""
    wanted = ("train", "val", "test") if which == "all" else ("train",)
    return replace(
        dataset,
        subjects=tuple(
            replace(subject, split="train" if subject.split in wanted else None)
            for subject in dataset.subjects
        ),
        said=tuple(said for said in dataset.said if "were chosen for training" not in said),
    )


def _source(
    name: str, told: SourceTable, plan_path: PathLike, folder: Path, progress: Progress
) -> Crops | Model:
    what = f"sources.{name}"
    if told.model is not None:
        try:
            return Model.open(place(plan_path, told.model))
        except InputError as error:
            raise InputError(f"{what}: {error}") from None
    datasets = [opened(place(plan_path, one), told.foreground, what) for one in told.datasets or ()]
    try:
        packing = make_plan(datasets, told.made)
        # Named by what is in it: sources of one data set that are cut alike share one pack, and
        # a pack that a half-done run goes on with stays what it was, whatever else is planned.
        # The names count too, as the pack says them, and copies may be called differently.
        parts = (packing.fingerprint, *(dataset.name for dataset in datasets))
        digest = fingerprint_bytes(*(part.encode() for part in parts))[:10]
        return pack_planned(packing, folder / f"source-{digest}", overwrite=True, progress=progress)
    except CrosspatchError as error:
        raise type(error)(f"{what}: {error}") from None


def _without_foreground(
    plan: StudyTable, folds: Sequence[Crops], fractions: Sequence[float]
) -> list[str]:
    """Say which label fractions teach nothing, since none of their labels shows foreground."""
    share = run_settings(plan, seed=0).training.validation_share
    said = []
    for fold, crops in enumerate(folds):
        for seed in plan.seeds:
            for fraction in fractions:
                chosen = choose(crops, fraction, share, seed)
                if any(bool((crops.masks[row] == 1).any()) for row in chosen.train):
                    break  # and so do all larger ones
                said.append(
                    f"at {fraction:g} of the labels, seed {seed}, fold {fold}, no training label "
                    "shows foreground: the models of all arms learn to draw nothing there"
                )
                held = (*chosen.train, *chosen.validation)  # a baseline is fitted to both
                if plan.baselines and not any((crops.masks[row] == 1).any() for row in held):
                    said[-1] += ", and pixel baselines are scored as drawing nothing"
    return said


def _refuse_shared(name: str, source: Crops | Model, target: Crops) -> None:
    """Refuse a source that has seen images of the target, found by content."""
    if isinstance(source, Model):
        seen = dict.fromkeys(source.facts.seen, "one of its training images")
    else:
        trained = np.isin(source.subjects["split"], ("train", "val"))
        seen = dict(
            zip(source.subjects["content"][trained].tolist(),
                source.subjects["subject"][trained].tolist(), strict=True)
        )  # fmt: skip
    shared = [one for one, content in target.contents.items() if content in seen]
    if shared:
        first, theirs = shared[0], seen[target.contents[shared[0]]]
        raise LeakError(
            f"the source {name} and the target share {len(shared)} images (first: {first} of the "
            f"target is {theirs} of the source): its labels would be spent unseen, and tested on. "
            "Take them out of one of the two"
        )


def _refuse_other_network(name: str, source: Model, plan: StudyTable) -> None:
    """Refuse a source of another architecture: scratch must have the same, to compare with."""
    ours, theirs = run_settings(plan, seed=0).network, source.facts.network
    keys = ["encoder", "width", "depth"]
    if source.has_discriminator:
        keys += ["discriminator_width", "discriminator_layers"]
    for key in keys:
        if getattr(ours, key) != getattr(theirs, key):
            raise InputError(
                f"sources.{name}: its {key} is {getattr(theirs, key)}, the study's "
                f"{getattr(ours, key)}: set settings.network.{key} = {getattr(theirs, key)}, so "
                "that what starts from it compares with from scratch"
            )
