"""STUDY.toml: one target, sources, label fractions, seeds, how long, on which folds."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from crosspatch.config import Settings, Table, merge, parse_settings, parse_table
from crosspatch.crops.recipes import Recipe, recipe
from crosspatch.errors import SettingsError
from crosspatch.files import PathLike, read_plain_toml

SCRATCH, IMAGENET, LONGER = "scratch", "imagenet", "twice-as-long"
Baseline = Literal["threshold", "forest"]
BASELINES: tuple[Baseline, ...] = ("threshold", "forest")
DEFAULT_FRACTIONS = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
"""Of which those are trained on that come to different subjects of the target."""
DEFAULT_STEPS = 2000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_SET_BY_THE_STUDY = {
    "network": {
        "encoder": 'start = "imagenet" in an arm',
        "head": "presence in the settings of a source only, as the target needs masks",
    },
    "training": {
        "fraction": "fractions = [...] at its top",
        "seed": "seeds = [...] at its top",
        "steps": "steps = N at its top",
        "epochs": "epochs = N at its top",
        "precision": "precision = ... at its top",
    },
}


class DeclaredImages(Table):
    """How many images there are, and how large: what --dry-run counts where they are not here."""

    train: int = Field(ge=1, description="Training subjects.")
    test: int = Field(0, ge=0, description="Test subjects.")
    height: int = Field(ge=1, description="Of an image, pixels.")
    width: int = Field(ge=1, description="Of an image, pixels.")
    channels: int = Field(3, ge=1, description="Of an image.")


class CropsTable(Table):
    """How images become crops, as for `crosspatch prepare`."""

    recipe: str = Field("windows", description="As for prepare.")
    size: int | None = Field(None, ge=1, description="Side of the crops in pixels.")
    overlap: float | None = Field(None, ge=0, lt=1, description="As for prepare.")
    scale: float | None = Field(None, gt=0, description="As for prepare.")
    foreground: str | None = Field(None, description="The class to find, where there are several.")
    declared: DeclaredImages | None = Field(None, description="Images that are not here yet.")

    @property
    def made(self) -> Recipe:
        """The recipe."""
        return recipe(self.recipe, size=self.size, overlap=self.overlap, scale=self.scale)


class TargetTable(CropsTable):
    """What is to be segmented."""

    dataset: str = Field(description="Data set folder, from the place of this file.")
    name: str | None = Field(None, description="What to call it; by itself the folder's name.")
    labels: str | None = Field(
        None,
        description="Data set folder of the same images with other masks, to train on instead; "
        "tested is on the target's own.",
    )
    subjects: Literal["all", "train"] = Field(
        "all", description="Of which labelled subjects folds are made: all, or split train only."
    )


class SourceTable(CropsTable):
    """Where a warm start comes from: data sets to pretrain on for each seed, or one model."""

    datasets: tuple[str, ...] | None = Field(None, description="Data set folders to pretrain on.")
    model: str | None = Field(None, description="Model folder: one checkpoint for all seeds.")
    steps: int | None = Field(None, ge=1, description="Of its training; else the study's.")
    epochs: int | None = Field(None, ge=1, description="Instead of steps.")
    settings: Settings = Field(
        default_factory=Settings, description="What its training does differently."
    )

    @field_validator("datasets", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _either(self) -> Self:
        if bool(self.datasets) == bool(self.model):
            raise ValueError("give either datasets to pretrain on, or a model")
        if self.model and (self.steps or self.epochs or self.settings.model_fields_set):
            raise ValueError(
                "a model is trained already: steps, epochs, settings do not go with it"
            )
        if self.steps and self.epochs:
            raise ValueError("epochs and steps are two ways to say how long: give one")
        return self


class ArmTable(Table):
    """A further way to train on the target, beside scratch and one for each source."""

    start: str = Field(description="scratch, imagenet, or the name of a source.")
    fractions: tuple[float, ...] | None = Field(None, description="By itself all of the study.")
    settings: Settings = Field(default_factory=Settings, description="What it does differently.")


class StudyTable(Table):
    """STUDY.toml."""

    target: TargetTable = Field(description="What is to be segmented.")
    sources: dict[str, SourceTable] = Field(
        default_factory=dict, description="Where warm starts come from, by name."
    )
    arms: dict[str, ArmTable] = Field(default_factory=dict, description="Further ways to train.")
    fractions: tuple[float, ...] = Field(
        DEFAULT_FRACTIONS, min_length=1, description="Label fractions."
    )
    seeds: tuple[int, ...] = Field((0, 1, 2, 3, 4), min_length=1, description="Repetitions.")
    folds: int = Field(
        0, ge=0, le=100, description="Of cross-validation by group; 0: the target's own test split."
    )
    steps: int | None = Field(
        None, ge=1, description=f"Optimiser steps of every run, {DEFAULT_STEPS} by itself."
    )
    epochs: int | None = Field(
        None, ge=1, description="Instead of steps: fewer labels then also mean fewer updates."
    )
    check_steps: bool = Field(
        True,
        description="Also train from scratch with all labels for twice the steps, to see whether "
        "the steps were enough.",
    )
    baselines: tuple[Baseline, ...] = Field(
        BASELINES, description="Pixel baselines to stand beside the models."
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="Of every run.")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="Of every run.")
    settings: Settings = Field(
        default_factory=Settings, description="Settings of every run, as for train."
    )

    @field_validator("fractions")
    @classmethod
    def _shares(cls, fractions: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < fraction <= 1 for fraction in fractions):
            raise ValueError("label fractions are above 0 and at most 1")
        return tuple(sorted(set(fractions)))

    @field_validator("seeds")
    @classmethod
    def _different(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds) or not all(0 <= seed < 2**31 for seed in seeds):
            raise ValueError("seeds are different whole numbers from 0 to 2147483647")
        return seeds

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.steps and self.epochs:
            raise ValueError("epochs and steps are two ways to say how long: give one")
        if self.folds == 1:
            raise ValueError("folds is 0 (the target's own test split) or at least 2")
        if not self.folds and self.target.subjects == "train":
            raise ValueError("target.subjects = train needs folds: it leaves the test split shut")
        for name in (*self.sources, *self.arms):
            if not _NAME.fullmatch(name) or name in (SCRATCH, IMAGENET, LONGER, *BASELINES):
                raise ValueError(
                    f"{name!r} is no name for a source or arm: letters, digits, - and _, and none "
                    "that the study uses itself"
                )
        if both := set(self.sources) & set(self.arms):
            raise ValueError(f"{sorted(both)[0]!r} is the name of a source and of an arm")
        for name, arm in self.arms.items():
            if arm.start not in (SCRATCH, IMAGENET, *self.sources):
                raise ValueError(f"arms.{name}.start is {arm.start!r}: no source is called so")
            if unknown := set(arm.fractions or ()) - set(self.fractions):
                raise ValueError(f"arms.{name}.fractions: {min(unknown)} is none of the study's")
        for where, one in self._settings_by_place().items():
            _refuse_what_the_study_sets(where, one)
        return self

    @property
    def longer_steps(self) -> int | None:
        """Steps of the check of their number; None where there is none, as with epochs."""
        if not self.check_steps or self.epochs:
            return None
        return 2 * (self.steps or DEFAULT_STEPS)

    def _settings_by_place(self) -> dict[str, Settings]:
        tables = {"settings": self.settings}
        tables |= {f"sources.{name}.settings": one.settings for name, one in self.sources.items()}
        return tables | {f"arms.{name}.settings": one.settings for name, one in self.arms.items()}


def _refuse_what_the_study_sets(where: str, settings: Settings) -> None:
    given = settings.model_dump(exclude_unset=True, exclude_none=True)
    for table, keys in _SET_BY_THE_STUDY.items():
        for key in given.get(table, {}):
            if key in keys and not (key == "head" and where.startswith("sources.")):
                raise ValueError(f"{where}.{table}.{key}: a study says {keys[key]}")


def read_plan(path: PathLike) -> StudyTable:
    """Read STUDY.toml; places stay as they are written there.

    Raises
    ------
    InputError, SettingsError
        It is no TOML, has an unknown key (with a suggestion), or contradicts itself.
    """
    return parse_plan(read_plain_toml(path), f"{path}: ")


def parse_plan(table: Mapping[str, Any], where: str = "") -> StudyTable:
    """Check the tables of STUDY.toml; ``where`` opens the error message."""
    plan = parse_table(StudyTable, table, where)
    for name, one in {"target": plan.target, **plan.sources}.items():
        try:
            _ = one.made
        except SettingsError as error:
            raise SettingsError(f"{where}{name}: {error}") from None
    return plan


def run_settings(
    plan: StudyTable,
    *changes: Settings,
    seed: int,
    fraction: float = 1.0,
    steps: int | None = None,
    epochs: int | None = None,
) -> Settings:
    """Resolve the settings of one run: the study's, what is changed, what makes it this run.

    One thread where nothing is said: networks of a study's size gain little from two, and results
    do not depend on how many cores there are.
    """
    table: dict[str, Any] = {"training": {"threads": 1}, "transfer": {"stem": "skip"}}
    for one in (plan.settings, *changes):
        table = merge(table, given(one))
    if steps is None and epochs is None:
        steps, epochs = plan.steps, plan.epochs
        steps = DEFAULT_STEPS if steps is None and epochs is None else steps
    this = {"seed": seed, "fraction": fraction, "steps": steps, "epochs": epochs}
    return parse_settings(merge(table, {"training": this}))


def given(settings: Settings) -> dict[str, Any]:
    """Return the tables of what was set, without what was left to its default."""
    table: dict[str, Any] = settings.model_dump(exclude_unset=True, exclude_none=True)
    return {name: values for name, values in table.items() if values}


def place(plan_path: PathLike, told: str) -> Path:
    """Find a folder that STUDY.toml names, from where that file is."""
    return Path(plan_path).absolute().parent / told
