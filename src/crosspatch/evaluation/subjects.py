"""From subjects to scores: every method sees the same images, and is scored on the same pixels."""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from crosspatch.dataset import Dataset, Subject, read_pair
from crosspatch.errors import InputError
from crosspatch.evaluation.rows import SubjectScore, score_subject
from crosspatch.evaluation.scores import MethodScores
from crosspatch.evaluation.summary import summarise
from crosspatch.images import Image
from crosspatch.metrics import IGNORED
from crosspatch.models.storage import Model
from crosspatch.prediction.scene import (
    check_units,
    choose_channels,
    predict_probability,
)
from crosspatch.progress import Progress, silent
from crosspatch.splits import check_leak

Map = NDArray[np.float32]
Skipped = tuple[str, str]


@dataclass(frozen=True)
class Method:
    """Something that maps foreground.

    name : for the table; says : what it does, in a sentence; predict : an image -> (H, W) float32
    probability; threshold : foreground is claimed from it on; said : what predict had to assume
    """

    name: str
    says: str
    predict: Callable[[Image], Map]
    threshold: float = 0.5
    said: dict[str, None] = field(default_factory=dict)


def model_method(
    model: Model,
    dataset: Dataset,
    *,
    device: torch.device,
    precision: str = "fp32",
    window: int | None = None,
) -> Method:
    """Make a method of a model: windows over whole subjects, at their own resolution."""
    network = model.load_generator(device)
    facts = model.facts
    said: dict[str, None] = {}

    def predict(image: Image) -> Map:
        names = dataset.channel_names if dataset.channels_declared else image.channel_names
        channels = choose_channels(facts.channel_names, names, len(image.pixels))
        pixels = image.pixels[list(channels)]
        if assumed := check_units(facts.dtype, pixels, image.nodata):
            said[f"an image {assumed}"] = None
        return predict_probability(
            model, network, pixels, nodata=image.nodata, window=window, precision=precision
        )

    labels = f"{len(facts.contents)} labelled subjects"
    return Method("model", f"{model.path} ({labels})", predict, facts.threshold, said)


def contents_of(dataset: Dataset, *, progress: Progress = silent) -> dict[str, str]:
    """Fingerprint every labelled image of a data set, by subject; "" where it cannot be read."""

    def content(subject: Subject) -> str:
        try:
            return dataset.content(subject)
        except InputError:
            return ""  # `score_methods` lists it

    contents: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:
        found = pool.map(content, dataset.labelled)
        for done, (subject, one) in enumerate(zip(dataset.labelled, found, strict=True), 1):
            contents[subject.name] = one
            progress("comparing with training", done, len(dataset.labelled))
    return contents


def refuse_training_subjects(
    dataset: Dataset,
    subjects: Sequence[Subject],
    seen: Collection[str],
    contents: Mapping[str, str],
) -> tuple[Subject, ...]:
    """Refuse to test on what a model was trained on.

    All labelled images of the data set are compared by content with those whose labels the model
    has seen; where some are found, their groups are the model's training groups.

    Parameters
    ----------
    dataset : Dataset
    subjects : sequence of Subject
        Those to be scored.
    seen : collection of str
        Content fingerprints of the training and validation subjects of the model and its sources.
    contents : mapping of str to str
        Of this data set, by `contents_of`.

    Returns
    -------
    tuple of Subject
        The subjects of this data set whose labels the model has seen.

    Raises
    ------
    LeakError
        A subject to be scored is one of them, or shares a group with one.
    """
    trained = tuple(one for one in dataset.labelled if contents[one.name] in seen)
    check_leak(
        [(one.name, one.group, contents[one.name]) for one in trained],
        [(one.name, one.group, contents[one.name]) for one in subjects],
    )
    return trained


def score_methods(
    dataset: Dataset,
    subjects: Sequence[Subject],
    methods: Sequence[Method],
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[tuple[MethodScores, ...], tuple[Skipped, ...]]:
    """Score methods on whole subjects, all on the same ones.

    Parameters
    ----------
    dataset : Dataset
    subjects : sequence of Subject
        With masks.
    methods : sequence of Method
    seed : int
        Of the bootstrap.
    progress : Progress

    Returns
    -------
    scores, skipped
        A `MethodScores` each, in order; and the subjects that could not be scored, with reasons.

    Raises
    ------
    InputError
        No subject could be scored.
    """
    rows, skipped = score_rows(dataset, subjects, methods, progress=progress)
    scores = (
        MethodScores(method.name, method.says, kept, summarise(kept, seed=seed))
        for method, kept in zip(methods, rows, strict=True)
    )
    return tuple(scores), skipped


def score_rows(
    dataset: Dataset,
    subjects: Sequence[Subject],
    methods: Sequence[Method],
    *,
    progress: Progress = silent,
) -> tuple[tuple[tuple[SubjectScore, ...], ...], tuple[Skipped, ...]]:
    """Score as `score_methods` does, without summing up: rows of each method, and the skipped."""
    rows: list[list[SubjectScore]] = [[] for _ in methods]
    skipped: list[Skipped] = []
    for done, subject in enumerate(subjects, 1):
        try:
            for kept, row in zip(rows, _score(dataset, subject, methods), strict=True):
                kept.append(row)
        except InputError as error:
            skipped.append((subject.name, str(error)))
        progress("scoring", done, len(subjects))
    if subjects and len(skipped) == len(subjects):
        name, why = skipped[0]
        raise InputError(f"{dataset.path}: no subject could be scored (first {name}: {why})")
    return tuple(map(tuple, rows)), tuple(skipped)


def _score(dataset: Dataset, subject: Subject, methods: Sequence[Method]) -> list[SubjectScore]:
    image, mask = read_pair(dataset, subject)
    if (mask == IGNORED).all():
        raise InputError(f"{subject.mask}: ignores every pixel, so nothing can be scored")
    return [
        score_subject(
            subject.name, subject.group, method.predict(image), mask, threshold=method.threshold
        )
        for method in methods
    ]
