"""``crosspatch study``: a plan in, all its runs done, and one table of their scores out."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from crosspatch.errors import InputError, SettingsError
from crosspatch.evaluation.forest import require_forest
from crosspatch.files import (
    PathLike,
    locked,
    new_folder,
    refuse_existing,
    refuse_inputs_inside,
    relative_place,
)
from crosspatch.models.pretrained import require_imagenet
from crosspatch.models.runtime import choose_device, choose_precision, keep_freed_memory
from crosspatch.progress import Progress, silent
from crosspatch.studies.folder import Study, write_study
from crosspatch.studies.ground import Ground, lay_ground
from crosspatch.studies.jobs import Job, arms, jobs_of, steps_of
from crosspatch.studies.plan import (
    DEFAULT_STEPS,
    IMAGENET,
    StudyTable,
    given,
    place,
    read_plan,
    run_settings,
)
from crosspatch.studies.results import Collector, openings, write_openings
from crosspatch.studies.run import State, at_once, dask_pool, in_turn, local_pool
from crosspatch.training.loop import StoppedError
from crosspatch.workflows.study_job import do_job

__all__ = ["Study", "study"]

_DOING = "doing a study"
_WRITE_EVERY = 30.0  # seconds, at least, between two writings of the tables


def study(
    plan: PathLike,
    *,
    out: PathLike,
    workers: int = 1,
    scheduler: str | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Study:
    """Do all runs of a study that are not done yet, and gather their scores.

    Parameters
    ----------
    plan : path
        STUDY.toml. Places in it are from where it is.
    out : path
        The study folder to make, or to go on with: also with a plan that was extended.
    workers : int
        Runs at the same time on this machine; results do not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler, instead; all workers must see ``out`` under the same path.
    overwrite : bool
        Begin anew where a study stands at ``out``.
    progress : Progress

    Returns
    -------
    Study
        With ``.results``, the table, and ``.failed``: runs that failed, and why.

    Raises
    ------
    InputError, SettingsError
        The plan, a data set or a model is not what it should be.
    LeakError
        A source and the target share an image, or training and test do.
    StoppedError
        Ctrl-C: the same command goes on.
    CrosspatchError
        Another process is at this study.
    """
    told = read_plan(plan)
    if workers < 1:
        raise SettingsError(f"--workers {workers}: at least one")
    if "forest" in told.baselines:
        require_forest()
    if any(arm.start == IMAGENET for arm in told.arms.values()):
        require_imagenet()
    path = Path(out)
    refuse_inputs_inside(out, *_inputs(told, plan))
    if overwrite or not (path / "study.toml").is_file():
        _begin(path, told, overwrite=overwrite)
    made = Study.open(path)
    _refuse_other_machine(told, made)
    with locked(path, _DOING):
        keep_freed_memory()
        device, precision = str(made.table["device"]), str(made.table["precision"])
        ground = lay_ground(told, plan, path.absolute(), progress=progress)
        jobs = jobs_of(told, ground, device, precision)
        write_study(path, _resolved(told, plan, path, ground, jobs, device, precision))
        names = [arm.name for arm in arms(told, ground.fractions)]
        tell = _telling(steps_of(jobs, ground), progress)
        _carry_out(made, jobs, Collector(made, jobs, names), workers, scheduler, tell)
    return made


def _refuse_other_machine(told: StudyTable, made: Study) -> None:
    """Refuse a plan that asks for another device or precision than its study was begun with."""
    for name, wanted in (("device", told.device), ("precision", told.precision)):
        if wanted not in ("auto", made.table[name]):
            raise SettingsError(
                f'{name} = "{wanted}", but the study at {made.path} was begun with '
                f"{made.table[name]}, and runs of two kinds do not compare: choose another --out, "
                "or begin anew with --overwrite"
            )


def _inputs(told: StudyTable, plan: PathLike) -> list[PathLike]:
    places: list[PathLike] = [plan, place(plan, told.target.dataset)]
    places += [place(plan, told.target.labels)] if told.target.labels else []
    for source in told.sources.values():
        places += [place(plan, one) for one in (*(source.datasets or ()), source.model) if one]
    return places


def _begin(path: Path, told: StudyTable, *, overwrite: bool) -> None:
    """Make the folder, with what ``auto`` means on this machine."""
    refuse_existing(path, kind="study", overwrite=overwrite)
    if (path / "study.toml").is_file():
        with locked(path, _DOING):
            pass  # nobody is at the study that is about to go
    device = choose_device(told.device)
    precision = choose_precision(told.precision, device)
    with new_folder(path, kind="study", overwrite=overwrite) as folder:
        (folder / "runs").mkdir()
        if opened := openings(path):  # what was seen of test labels stays seen
            write_openings(folder, opened)
        write_study(folder, {"device": device.type, "precision": precision})


def _resolved(
    told: StudyTable,
    plan: PathLike,
    path: Path,
    ground: Ground,
    jobs: list[Job],
    device: str,
    precision: str,
) -> dict[str, Any]:
    """Lay out the plan as it is carried out; places are from the study folder."""

    def here(one: str) -> str:
        return relative_place(place(plan, one), path)

    table = told.model_dump(mode="json", exclude_none=True, exclude={"settings", "sources", "arms"})
    length = {"epochs": told.epochs} if told.epochs else {"steps": told.steps or DEFAULT_STEPS}
    settings = run_settings(told, seed=0).model_dump(mode="json", exclude_none=True)
    for key in ("seed", "fraction", "steps", "epochs", "precision"):
        settings["training"].pop(key, None)
    return {
        "device": device,
        "precision": precision,
        **{key: table[key] for key in ("seeds", "folds", "check_steps", "baselines")},
        "fractions": list(ground.fractions),
        **length,
        "said": list(ground.said),
        "runs": [job.name for job in jobs],
        "target": table["target"] | _target(told, ground, here),
        "settings": settings,
        "sources": _sources(told, ground, here, length),
        "arms": {
            name: arm.model_dump(mode="json", exclude_none=True, exclude={"settings"})
            | {"settings": given(arm.settings)}
            for name, arm in told.arms.items()
        },
    }


def _target(told: StudyTable, ground: Ground, here: Callable[[str], str]) -> dict[str, Any]:
    """Say of the target what a reader needs who does not have its images."""
    table: dict[str, Any] = {
        "name": ground.name,
        "dataset": here(told.target.dataset),
        "fingerprint": ground.folds[0].sources[0]["fingerprint"],
        "images": ground.images,
        "test_subjects": ground.test_subjects,
    }
    if ground.dataset.origin:
        table["origin"] = ground.dataset.origin
    if told.target.labels is not None:
        table |= {"labels": here(told.target.labels), "purity": ground.purity}
    return table


def _sources(
    told: StudyTable, ground: Ground, here: Callable[[str], str], length: Mapping[str, Any]
) -> dict[str, Any]:
    sources: dict[str, Any] = {}
    for name, source in told.sources.items():
        sources[name] = source.model_dump(mode="json", exclude_none=True, exclude={"settings"})
        sources[name]["fingerprint"] = ground.sources[name].fingerprint
        sources[name]["settings"] = given(source.settings)
        if source.datasets:
            if not (source.steps or source.epochs):
                sources[name] |= length
            sources[name]["datasets"] = [here(one) for one in source.datasets]
        if source.model:
            sources[name]["model"] = here(source.model)
    return sources


def _telling(steps: Mapping[str, int], progress: Progress) -> Callable[[State], None]:
    """Tell progress by the steps of the runs, which say better than their number what time is left.

    A run of 5% of the labels is short where epochs are counted, one of twice the steps is long, and
    one that has failed is no longer to be done.
    """

    def tell(state: State) -> None:
        ended = len(state.done) + len(state.failed)
        failed = f", {len(state.failed)} failed" if state.failed else ""
        done, given_up = (sum(map(steps.__getitem__, one)) for one in (state.done, state.failed))
        what = f"runs  {ended} of {len(steps)}{failed}; steps"
        progress(what, done, sum(steps.values()) - given_up)

    return tell


def _carry_out(
    made: Study,
    jobs: list[Job],
    collector: Collector,
    workers: int,
    scheduler: str | None,
    tell: Callable[[State], None],
) -> None:
    by_name = {job.name: job for job in jobs}
    written = time.monotonic()

    def told(state: State) -> None:
        nonlocal written
        tell(state)
        if time.monotonic() - written > _WRITE_EVERY:
            _gather(collector, by_name, state)
            written = time.monotonic()

    state = State(lambda _: None)
    for job in jobs:
        try:
            if collector.look(job):
                state.done.add(job.name)
        except InputError as error:
            state.failed[job.name] = str(error)
    state.told = told
    told(state)
    do = partial(do_job, study=str(made.path.absolute()))
    try:
        if scheduler is not None:
            at_once(jobs, do, state, lambda: dask_pool(scheduler), None)
        elif workers > 1:
            at_once(jobs, do, state, lambda: local_pool(workers), workers)
        else:
            in_turn(jobs, do, state)
    finally:
        _gather(collector, by_name, state)
    if state.stopped:
        raise StoppedError(
            f"stopped: {len(state.done)} of {len(jobs)} runs are done; the same command goes on"
        )


def _gather(collector: Collector, jobs: Mapping[str, Job], state: State) -> None:
    for name in sorted(state.done):
        try:
            collector.look(jobs[name])
        except InputError as error:
            state.done.discard(name)
            state.failed[name] = str(error)
    collector.write(state.failed)
