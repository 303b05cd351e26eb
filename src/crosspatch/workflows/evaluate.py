"""``crosspatch evaluate``: a model and a data set in, scores of whole subjects out."""

from collections import Counter
from collections.abc import Mapping, Sequence

from crosspatch.dataset import Dataset, Subject
from crosspatch.errors import InputError
from crosspatch.evaluation.baselines import fit_threshold
from crosspatch.evaluation.forest import fit_forest
from crosspatch.evaluation.intervals import FEWEST_GROUPS
from crosspatch.evaluation.scores import Scores
from crosspatch.evaluation.subjects import (
    Method,
    Skipped,
    contents_of,
    model_method,
    refuse_training_subjects,
    score_methods,
)
from crosspatch.files import PathLike, refuse_existing
from crosspatch.models.runtime import (
    Precision,
    choose_device,
    choose_precision,
    keep_freed_memory,
    memory_explained,
)
from crosspatch.models.storage import Model
from crosspatch.prediction.scene import LESS_MEMORY
from crosspatch.progress import Progress, silent
from crosspatch.splits import check_leak
from crosspatch.training.run import open_model


@memory_explained(LESS_MEMORY)
def evaluate(
    model: PathLike,
    dataset: PathLike,
    *,
    split: str = "test",
    out: PathLike | None = None,
    baselines: bool = False,
    foreground: str | None = None,
    seed: int = 0,
    device: str | None = None,
    precision: Precision = "auto",
    window: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Scores:
    """Score a model on whole subjects, at their own resolution.

    Parameters
    ----------
    model : a model folder, a finished run, or their handles
    dataset : a data set folder, or ``Dataset``
    split : "test", "val" or "train"
    out : the ``scores.csv`` to write, a row a subject
    baselines : also fit and score a threshold and a random forest, on the subjects of this data
        set whose labels the model has seen (where there are none, on its training split)
    foreground : the class to set against the rest, where dataset.toml has several
    seed : of the bootstrap, the forest, and the split where the data set has no splits.csv
    device : cpu, cuda or mps; by itself the best there is
    precision : fp32, bf16, or auto: bf16 where the device has it
    window : side of the windows in pixels; by itself 512, or the model's crops if they are larger
    overwrite : replace a file that stands at ``out``
    progress : told how far the work is

    Returns
    -------
    Scores. Subjects that could not be scored are in its ``skipped``, with the reason.

    Raises
    ------
    LeakError
        A subject to be scored was trained on, or shares a group with one that was; by the model, or
        by those it was started from.
    InputError
        The split holds no labelled subject, or none that can be scored.
    MissingExtraError
        The random forest needs scikit-learn.
    CrosspatchError
        The device has too little memory.
    """
    if out is not None:
        refuse_existing(out, overwrite=overwrite)
    model = open_model(model)
    if not isinstance(dataset, Dataset) or foreground is not None:
        dataset = Dataset.open(dataset, foreground=foreground, seed=seed)
    subjects = dataset.in_split(split)
    if not subjects:
        raise InputError(_no_subjects(dataset, split))
    contents = contents_of(dataset, progress=progress)
    trained = refuse_training_subjects(dataset, subjects, model.facts.seen, contents)
    where = choose_device(device)
    keep_freed_memory()
    methods = [
        model_method(
            model,
            dataset,
            device=where,
            precision=choose_precision(precision, where),
            window=window,
        )
    ]
    if baselines:
        fitted = trained or (dataset.in_split("train") if split != "train" else ())
        methods += _baselines(dataset, fitted, subjects, contents, seed, progress)
    scored, unreadable = score_methods(dataset, subjects, methods, seed=seed, progress=progress)
    scores = Scores(
        dataset=dataset.name,
        split=split,
        model=str(model.path),
        methods=scored,
        skipped=(*_ruled_out(dataset, split), *unreadable),
        said=(*dataset.said, *_said(model, dataset, subjects), *methods[0].said),
    )
    if out is not None:
        scores.write_csv(out)
    return scores


def _baselines(
    dataset: Dataset,
    subjects: Sequence[Subject],
    scored: Sequence[Subject],
    contents: Mapping[str, str],
    seed: int,
    progress: Progress,
) -> list[Method]:
    """Fit both on some subjects, which share no group and no content with those to be scored."""
    if not subjects:
        raise InputError(
            f"{dataset.path}: holds no training subject to fit the baselines on (split 'train')"
        )
    check_leak(
        [(subject.name, subject.group, contents[subject.name]) for subject in subjects],
        [(subject.name, subject.group, contents[subject.name]) for subject in scored],
    )
    return [
        fit_threshold(dataset, subjects, progress=progress),
        fit_forest(dataset, subjects, seed=seed, progress=progress),
    ]


def _ruled_out(dataset: Dataset, split: str) -> list[Skipped]:
    """List the subjects of a split that its names or rows rule out, as ``prepare`` does."""
    return [
        (subject.name, dataset.ruled_out[subject.name])
        for subject in dataset.labelled
        if subject.split == split and subject.name in dataset.ruled_out
    ]


def _no_subjects(dataset: Dataset, split: str) -> str:
    found = Counter(subject.split or "none" for subject in dataset.labelled)
    there = ", ".join(f"{name}: {count}" for name, count in sorted(found.items())) or "none at all"
    return (
        f"{dataset.path}: has no labelled subject in the split {split!r} (labelled subjects by "
        f"split: {there}); choose another --split, or write splits.csv"
    )


def _said(model: Model, dataset: Dataset, subjects: Sequence[Subject]) -> list[str]:
    """Say what a reader of the numbers must know."""
    said = []
    groups = len({subject.group for subject in subjects})
    if groups < FEWEST_GROUPS:
        said.append(
            f"{groups} group{'s' * (groups != 1)} only: no interval is given under {FEWEST_GROUPS}"
        )
    if model.facts.foreground != dataset.foreground:
        said.append(
            f"the model was trained to find {', '.join(model.facts.foreground)}; the masks here "
            f"show {', '.join(dataset.foreground)}"
        )
    return said
