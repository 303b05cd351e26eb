"""What a plan comes to before anything is done: data, runs, labels, steps. Nothing is decoded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crosspatch import images
from crosspatch.config import Settings
from crosspatch.crops.recipes import Recipe
from crosspatch.dataset import Dataset, Subject
from crosspatch.errors import InputError
from crosspatch.files import PathLike
from crosspatch.splits import grouped_folds, nested_fraction
from crosspatch.studies.design import distinct_fractions, few_seeds, few_test_groups
from crosspatch.studies.ground import opened, with_validation
from crosspatch.studies.jobs import Arm, arms
from crosspatch.studies.plan import (
    CropsTable,
    DeclaredImages,
    StudyTable,
    place,
    read_plan,
    run_settings,
)
from crosspatch.training.schedule import run_length


@dataclass(frozen=True)
class Data:
    """Images of the target, or of a source, and the samples that they become.

    Attributes
    ----------
    name, role : "target" or "source"
    subjects, samples : in training: of all of the target where it is divided into folds
    test_subjects, test_samples : in the test split; 0 with folds
    height, width, channels : of the median image
    here : whether the images are here, or only their number is declared
    """

    name: str
    role: str
    subjects: int
    samples: int
    test_subjects: int
    test_samples: int
    height: int
    width: int
    channels: int
    recipe: Recipe
    here: bool


@dataclass(frozen=True)
class Planned:
    """One run to do: what it is called, needs, spends, and how long it trains (0: a baseline)."""

    name: str
    needs: str
    labels: int
    steps: int
    settings: Settings | None
    data: Data
    """Whose crops it trains on."""
    test_subjects: int
    validation: int = 0
    """Crops that each of its checks is validated on."""


@dataclass(frozen=True)
class Outline:
    """All of it."""

    plan: StudyTable
    data: tuple[Data, ...]
    runs: tuple[Planned, ...]
    said: tuple[str, ...]

    @property
    def here(self) -> bool:
        """Whether all images are here."""
        return all(one.here for one in self.data)


@dataclass(frozen=True)
class _Fold:
    """Training subjects of a fold, as groups, and the number of test subjects."""

    groups: tuple[str, ...]
    test: int


def outline(plan_path: PathLike) -> Outline:
    """List what a plan comes to, from names and headers, or from declared numbers of images.

    Raises
    ------
    InputError, SettingsError
        The plan is not what it should be; or images are neither here nor declared.
    """
    plan = read_plan(plan_path)
    target, folds, told = _target(plan, plan_path)
    sources = {
        name: _source(name, plan, plan_path) for name, one in plan.sources.items() if one.datasets
    }
    said = [
        f"{one.name}: the images are not here; counted as declared"
        for one in (target, *sources.values())
        if not one.here
    ]
    groups = [fold.groups for fold in folds]
    fractions, left_out = distinct_fractions(groups, plan.fractions, plan.seeds)
    said += [*told, *left_out, *few_seeds(plan)]
    runs = [*_of_sources(plan, sources), *_of_target(plan, fractions, target, folds)]
    return Outline(plan, (target, *sources.values()), tuple(runs), tuple(said))


def _target(plan: StudyTable, plan_path: PathLike) -> tuple[Data, list[_Fold], list[str]]:
    told = plan.target
    path = place(plan_path, told.dataset)
    if told.declared is not None and not path.exists():
        data = _declared(told.name or path.name, "target", told.declared, told.made)
        return data, _declared_folds(plan, told.declared), _declared_few(plan, told.declared)
    dataset = opened(path, told.foreground, "target")
    wanted = ("train", "val", "test") if told.subjects == "all" else ("train",)
    if not plan.folds:
        dataset, said = with_validation(dataset)
        tested = [subject.group for subject in dataset.in_split("test")]
        fold = _Fold(tuple(one.group for one in dataset.in_split("train")), len(tested))
        said += few_test_groups(tested, fold.groups)
        data = _counted(told.name or dataset.name, "target", [dataset], told, test=True)
        return data, [fold], said
    used = [subject for split in wanted for subject in dataset.in_split(split)]
    fold_of = grouped_folds([subject.group for subject in used], plan.folds)
    folds = []
    for number in range(plan.folds):
        trained = tuple(one.group for one in used if fold_of[one.group] != number)
        folds.append(_Fold(trained, len(used) - len(trained)))
    data = _counted(told.name or dataset.name, "target", [dataset], told, splits=wanted)
    return data, folds, []


def _declared_folds(plan: StudyTable, told: DeclaredImages) -> list[_Fold]:
    """Take each declared image as a group of its own."""
    names = tuple(f"{number}" for number in range(told.train))
    if not plan.folds:
        return [_Fold(names, told.test)]
    tested = told.train // plan.folds
    return [_Fold(names[tested:], tested)] * plan.folds


def _declared_few(plan: StudyTable, told: DeclaredImages) -> list[str]:
    """Count a declared test split, each image as a group of its own."""
    tested = (f"test {number}" for number in range(told.test))
    return [] if plan.folds else few_test_groups(tested, map(str, range(told.train)))


def _source(name: str, plan: StudyTable, plan_path: PathLike) -> Data:
    told = plan.sources[name]
    places = [place(plan_path, one) for one in told.datasets or ()]
    if told.declared is not None and not all(path.exists() for path in places):
        return _declared(name, "source", told.declared, told.made)
    datasets = [opened(path, told.foreground, f"sources.{name}") for path in places]
    return _counted(name, "source", datasets, told, test=True)


def _declared(name: str, role: str, told: DeclaredImages, recipe: Recipe) -> Data:
    size = (told.height, told.width)
    return Data(
        name, role,
        told.train, told.train * recipe.count(*size, training=True),
        told.test, told.test * recipe.count(*size, training=False),
        *size, told.channels, recipe, here=False,
    )  # fmt: skip


def _counted(
    name: str,
    role: str,
    datasets: Sequence[Dataset],
    told: CropsTable,
    *,
    splits: Sequence[str] = ("train",),
    test: bool = False,
) -> Data:
    recipe = told.made
    trained = [one for data in datasets for split in splits for one in data.in_split(split)]
    tested = [one for data in datasets if test for one in data.in_split("test")]
    headers = {subject.image: header for subject, header in _headers([*trained, *tested])}
    if not headers:
        raise InputError(f"{datasets[0].path}: no labelled image can be read")
    usual = sorted(headers.values())[len(headers) // 2]

    def samples(subjects: Sequence[Subject], training: bool) -> int:
        sizes = (headers[one.image][:2] for one in subjects if one.image in headers)
        return sum(recipe.count(*size, training=training) for size in sizes)

    return Data(
        name, role, len(trained), samples(trained, True), len(tested), samples(tested, False),
        *usual, recipe, here=True,
    )  # fmt: skip


def _headers(subjects: Sequence[Subject]) -> Iterator[tuple[Subject, tuple[int, int, int]]]:
    for subject in subjects:
        try:
            header = images.read_header(subject.image)
        except InputError:
            continue  # packing lists it
        yield subject, (header.height, header.width, header.channels)


def _of_sources(plan: StudyTable, sources: Mapping[str, Data]) -> Iterator[Planned]:
    for seed in plan.seeds:
        for name, data in sources.items():
            told = plan.sources[name]
            settings = run_settings(
                plan, told.settings, seed=seed, steps=told.steps, epochs=told.epochs
            )
            steps = run_length(settings.training, _epoch(data, settings, 1.0))
            yield Planned(f"source-{name}-s{seed}", "", data.subjects, steps, settings, data, 0,
                          _validation(data, settings, 1.0))  # fmt: skip


def _of_target(
    plan: StudyTable, fractions: tuple[float, ...], data: Data, folds: Sequence[_Fold]
) -> Iterator[Planned]:
    for seed in plan.seeds:
        for number, fold in enumerate(folds):
            for fraction in fractions:
                kept = nested_fraction(fold.groups, fraction, seed)
                for arm in arms(plan, fractions):
                    if fraction in arm.fractions:
                        yield _planned(plan, data, fold, number, seed, fraction, arm, len(kept))


def _planned(
    plan: StudyTable,
    data: Data,
    fold: _Fold,
    number: int,
    seed: int,
    fraction: float,
    arm: Arm,
    labels: int,
) -> Planned:
    name = f"{arm.name}-{fraction * 100:g}-s{seed}-f{number}"
    if arm.kind == "baseline":
        return Planned(name, "", labels, 0, None, data, fold.test)
    settings = run_settings(plan, arm.changes, seed=seed, fraction=fraction, steps=arm.steps)
    share = labels / max(1, data.subjects)
    steps = run_length(settings.training, _epoch(data, settings, share))
    needs = ""
    if arm.kind == "transfer":
        source = plan.sources[arm.start]
        needs = f"source-{arm.start}-s{seed}" if source.datasets else str(source.model)
    validation = _validation(data, settings, share)
    return Planned(name, needs, labels, steps, settings, data, fold.test, validation)


def _epoch(data: Data, settings: Settings, share: float) -> int:
    """Count the samples of an epoch: what validation takes is out, versions where trained on."""
    versions = len(data.recipe.versions(training=True))
    samples = data.samples if settings.training.versions else data.samples // versions
    return max(1, round(samples * share * (1 - settings.training.validation_share)))


def _validation(data: Data, settings: Settings, share: float) -> int:
    """Count the crops that validation takes; it looks at them as they are, in one version."""
    crops = data.samples // len(data.recipe.versions(training=True))
    return round(crops * share * settings.training.validation_share)
