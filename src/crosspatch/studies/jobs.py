"""The runs that a plan comes to: what each is, what it needs, and what its folder is called."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crosspatch.config import Settings, TrainingSettings, merge
from crosspatch.crops import Crops
from crosspatch.files import fingerprint_bytes, to_json
from crosspatch.models.storage import Model
from crosspatch.studies.ground import Ground
from crosspatch.studies.plan import IMAGENET, LONGER, SCRATCH, StudyTable, given, run_settings
from crosspatch.training.schedule import run_length

SOURCE, CHECK = "source", "check"
VERSION = "crosspatch study 3"
"""Goes into every name: raise it when the same job gives another result."""
_ENCODER = {"network": {"encoder": "imagenet"}}


@dataclass(frozen=True)
class Arm:
    """One way to come to a model of the target."""

    name: str
    kind: str
    start: str = SCRATCH
    fractions: tuple[float, ...] = ()
    changes: Settings = field(default_factory=Settings)
    steps: int | None = None
    """Of the check of the study's own steps; None: those of the study."""

    @property
    def source(self) -> str:
        """Name of the source of a transfer."""
        return self.start if self.kind == "transfer" else ""


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes
    ----------
    arm, kind, source, target, fraction, seed, fold : as in results.csv; a run that trains a source
        has the kind "source", and no target
    settings : every setting; empty for a baseline
    data : fingerprint of the crops
    start : what a warm start begins with: the name of the run that makes it, or the fingerprint of
        a model
    device, precision : of training and scoring
    crops, model, dataset, labels, foreground : where to find the crops, a model to start from, the
        test subjects, and the labels that a baseline is fitted to; no part of what decides the
        result, as the fingerprints are
    """

    arm: str
    kind: str
    source: str
    target: str
    fraction: float
    seed: int
    fold: int
    settings: Mapping[str, Any]
    data: str
    device: str
    precision: str
    start: str = ""
    tested: str = ""
    crops: str = field(default="", compare=False)
    model: str = field(default="", compare=False)
    dataset: str = field(default="", compare=False)
    labels: str = field(default="", compare=False)
    foreground: str | None = field(default=None, compare=False)

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides the result."""
        tested = {"tested": self.tested} if self.tested else {}
        return {
            "version": VERSION,
            "arm": self.arm,
            "kind": self.kind,
            "source": self.source,
            "target": self.target,
            "fraction": self.fraction,
            "seed": self.seed,
            "fold": self.fold,
            "data": self.data,
            "start": self.start,
            "device": self.device,
            "precision": self.precision,
            **tested,
            "settings": self.settings,
        }

    @property
    def name(self) -> str:
        """Its folder: what a person wants to know, and a hash of all that decides the result."""
        digest = fingerprint_bytes(to_json(self.identity).encode())[:10]
        if self.kind == SOURCE:
            return f"source-{self.source}-s{self.seed}-{digest}"
        percent = f"{self.fraction * 100:g}"
        return f"{self.arm}-{percent}-s{self.seed}-f{self.fold}-{digest}"

    @property
    def needs(self) -> str | None:
        """Name of the run that must be finished before."""
        return self.start if self.kind == "transfer" and not self.model else None

    @property
    def trains(self) -> bool:
        """Whether a network is trained."""
        return self.kind != "baseline"


def arms(plan: StudyTable, fractions: tuple[float, ...] | None = None) -> list[Arm]:
    """List what is compared, in the order of the tables: scratch first, baselines last.

    Parameters
    ----------
    plan : StudyTable
    fractions : tuple of float, optional
        Those of the plan that the target allows.
    """
    allowed = plan.fractions if fractions is None else fractions
    listed = [Arm(SCRATCH, SCRATCH, fractions=allowed)]
    listed += [Arm(name, "transfer", name, allowed) for name in plan.sources]
    for name, arm in plan.arms.items():
        kind = {SCRATCH: SCRATCH, IMAGENET: "pretrained"}.get(arm.start, "transfer")
        some = tuple(f for f in allowed if arm.fractions is None or f in arm.fractions)
        changes = merge(given(arm.settings), _ENCODER) if kind == "pretrained" else None
        made = arm.settings if changes is None else Settings.model_validate(changes)
        listed.append(Arm(name, kind, arm.start, some, made))
    if plan.longer_steps and 1.0 in allowed:
        listed.append(Arm(LONGER, CHECK, fractions=(1.0,), steps=plan.longer_steps))
    return listed + [Arm(name, "baseline", fractions=allowed) for name in plan.baselines]


def jobs_of(plan: StudyTable, ground: Ground, device: str, precision: str) -> list[Job]:
    """List the runs of a study: sources first, then one seed of everything before the next."""
    on = {"device": device, "precision": precision}
    sources = {
        (name, seed): Job(
            arm="", kind=SOURCE, source=name, target="", fraction=1.0, seed=seed, fold=0,
            settings=source_settings(plan, name, seed, precision), data=crops.fingerprint,
            crops=str(crops.path), **on,
        )
        for seed in plan.seeds
        for name, crops in ground.sources.items()
        if isinstance(crops, Crops)
    }  # fmt: skip
    return [*sources.values(), *_of_target(plan, ground, sources, on)]


def steps_of(jobs: Sequence[Job], ground: Ground) -> dict[str, int]:
    """Count the steps that each run trains, by its name; a baseline, done in seconds, has none.

    Those of epochs are counted without choosing subjects, so they are right to a group or two.
    """
    packs = (*ground.folds, *(one for one in ground.sources.values() if isinstance(one, Crops)))
    of_path = {str(pack.path): pack for pack in packs}
    steps = {}
    for job in jobs:
        steps[job.name] = 0
        if job.trains:
            training = TrainingSettings.model_validate(job.settings["training"])
            pack = of_path[job.crops]
            samples = int((pack.table["split"] == "train").sum()) * job.fraction
            samples *= len(pack.recipe.train_versions) if training.versions else 1
            samples *= 1 - training.validation_share
            steps[job.name] = run_length(training, round(samples))
    return steps


def source_settings(plan: StudyTable, name: str, seed: int, precision: str) -> dict[str, Any]:
    """Every setting of the training of a source."""
    told = plan.sources[name]
    settings = run_settings(plan, told.settings, seed=seed, steps=told.steps, epochs=told.epochs)
    return table(settings, precision)


def table(settings: Settings, precision: str) -> dict[str, Any]:
    """Lay settings out, with the precision that the study has."""
    tables: dict[str, Any] = settings.model_dump(exclude_none=True)
    tables["training"]["precision"] = precision
    return tables


def _of_target(
    plan: StudyTable,
    ground: Ground,
    sources: Mapping[tuple[str, int], Job],
    on: Mapping[str, str],
) -> Iterator[Job]:
    listed = arms(plan, ground.fractions)
    for seed in plan.seeds:
        for fold, crops in enumerate(ground.folds):
            for fraction in ground.fractions:
                for arm in listed:
                    if fraction not in arm.fractions:
                        continue
                    settings: dict[str, Any] = {}
                    if arm.kind != "baseline":
                        made = run_settings(
                            plan, arm.changes, seed=seed, fraction=fraction, steps=arm.steps
                        )
                        settings = table(made, on["precision"])
                    yield Job(
                        arm=arm.name, kind=arm.kind, source=arm.source, target=ground.name,
                        fraction=fraction, seed=seed, fold=fold, settings=settings,
                        data=crops.fingerprint, crops=str(crops.path), tested=ground.tested,
                        dataset=str(ground.dataset.path), labels=str(ground.trained_on.path),
                        foreground=plan.target.foreground,
                        **_start(arm, seed, ground, sources), **on,
                    )  # fmt: skip


def _start(
    arm: Arm, seed: int, ground: Ground, sources: Mapping[tuple[str, int], Job]
) -> dict[str, str]:
    if arm.kind != "transfer":
        return {}
    source = ground.sources[arm.start]
    if isinstance(source, Model):
        return {"start": source.fingerprint, "model": str(source.path)}
    return {"start": sources[arm.start, seed].name}
