"""``crosspatch rank``: which source model to start from, before training."""

import logging
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crosspatch import crops
from crosspatch.crops import Crops
from crosspatch.dataset import Dataset
from crosspatch.errors import CrosspatchError, InputError
from crosspatch.files import PathLike
from crosspatch.models.runtime import keep_freed_memory
from crosspatch.models.storage import Model, standardise, to_tensor
from crosspatch.progress import Progress, silent
from crosspatch.studies.measures import Measures, measure
from crosspatch.workflows.train import train

SCRATCH = "from scratch"
STEPS, REPEATS = 150, 3
_MOST_CROPS = 64  # that the measures look at
_LAST = 3  # checks of a probe whose mean is its score


@dataclass(frozen=True)
class Ranked:
    """One source model, or training from scratch, which has no measures.

    Attributes
    ----------
    name : of the model; "from scratch"
    path : of the model
    probe : mean validation IoU at the end of the probes; nan without them
    probes : each of them
    measures : see `crosspatch.studies.measures`
    """

    name: str
    path: Path | None
    probe: float
    probes: tuple[float, ...]
    measures: Measures | None


@dataclass(frozen=True)
class Ranking:
    """Source models, the one to start from first.

    Attributes
    ----------
    rows : in order
    by : "probe", or "distance" where there are too few labels to probe
    skipped : models that cannot be a source for this target, and why
    said : what a reader must know
    """

    rows: tuple[Ranked, ...]
    by: str
    skipped: tuple[tuple[str, str], ...]
    said: tuple[str, ...]


def rank(
    dataset: PathLike,
    *,
    models: PathLike | Sequence[PathLike],
    recipe: str = "windows",
    size: int | None = None,
    scale: float | None = None,
    foreground: str | None = None,
    steps: int = STEPS,
    repeats: int = REPEATS,
    seed: int = 0,
    device: str | None = None,
    progress: Progress = silent,
) -> Ranking:
    """Order source models for a new target by a short probe, and measure them beside it.

    A probe is the beginning of the real thing: training from the source, with a fresh input layer,
    on the target's training labels, for few steps with a schedule of that length; a third of the
    label groups are set aside and scored. Every source, and from scratch, gets the same repeats
    (seeds, subsets, order). Where fewer than three label groups leave nothing to score, models are
    ordered by the distance between domains, which needs no labels.

    Parameters
    ----------
    dataset : a data set folder, or ``Dataset``; only its training split is looked at
    models : a folder that holds model or run folders, at any depth, or several models
    recipe, size, scale : how images become crops; ``size`` is by itself the commonest of the models
    foreground : the class to set against the rest, where dataset.toml has several
    steps, repeats : of the probes; 0 steps: none
    seed : of everything
    device : cpu, cuda or mps; by itself the best there is
    progress : told how far the work is

    Returns
    -------
    Ranking

    Raises
    ------
    InputError
        There is no model that could be a source, or no training subject.
    """
    opened = (
        dataset
        if isinstance(dataset, Dataset) and foreground is None
        else Dataset.open(dataset, foreground=foreground)
    )
    found, skipped = _find(models)
    keep_freed_memory()
    with tempfile.TemporaryDirectory(prefix="crosspatch-rank-") as folder:
        pack = _pack(opened, found, recipe, size, scale, Path(folder) / "crops", progress)
        sources, seen = _unseen(found, pack)
        if not sources:
            raise InputError(_none_left(models, [*skipped, *seen]))
        probes = _probes(pack, sources, steps, repeats, seed, device, Path(folder), progress)
        rows = [
            _row(
                model.name,
                model.path,
                probes.get(str(model.path), ()),
                _measured(model, pack, seed),
            )
            for model in sources
        ]
    if probes:
        rows.append(_row(SCRATCH, None, probes.get(SCRATCH, ()), None))
    by = "probe" if any(row.probes for row in rows) else "distance"
    return Ranking(
        tuple(_ordered(rows, by)), by, (*skipped, *seen), tuple(_said(rows, by, repeats))
    )


def _find(models: PathLike | Sequence[PathLike]) -> tuple[list[Model], list[tuple[str, str]]]:
    """Open every model under the folders; averaged ones only where a run has both."""
    given = [models] if isinstance(models, str | Path | Model) else list(models)  # type: ignore[arg-type]
    places: dict[Path, None] = {}
    for one in map(Path, given):
        if not one.is_dir():
            raise InputError(f"{one}: is no folder of models")
        linked = [child for child in one.iterdir() if child.is_symlink() and child.is_dir()]
        for file in sorted(file for place in (one, *linked) for file in place.rglob("model.toml")):
            if file.parent.name not in ("plain", "best") or file.parent == one:
                places[file.parent] = None
    found, skipped = [], []
    for place in places:
        try:
            model = Model.open(place)
        except CrosspatchError as error:
            skipped.append((str(place), str(error)))
            continue
        network = model.facts.network
        if network.encoder != "paper":
            skipped.append((str(place), "has an ImageNet encoder: no source for the paper's"))
        elif network.head is not None:
            # its probes would run, and nothing could be measured of a network that draws no masks
            skipped.append((str(place), f"has learned {network.head}, no masks: not compared here"))
        else:
            found.append(model)
    if not found:
        raise InputError(_none_left(models, skipped))
    return found, skipped


def _none_left(models: object, skipped: Sequence[tuple[str, str]]) -> str:
    why = f" (first: {skipped[0][0]}: {skipped[0][1]})" if skipped else ""
    return f"{models}: holds no model that could be a source{why}"


def _pack(
    dataset: Dataset,
    models: Sequence[Model],
    recipe: str,
    size: int | None,
    scale: float | None,
    out: Path,
    progress: Progress,
) -> Crops:
    if not dataset.in_split("train"):
        raise InputError(f"{dataset.path}: has no labelled subject in the split 'train'")
    if size is None and recipe == "windows":
        size = Counter(model.facts.crop_size for model in models).most_common(1)[0][0]
    return crops.pack(
        [dataset], crops.recipe(recipe, size=size, scale=scale), out, progress=progress
    )


def _unseen(models: Sequence[Model], pack: Crops) -> tuple[list[Model], list[tuple[str, str]]]:
    """Leave out models that were trained on images of the target: they know the answers."""
    contents = set(pack.contents.values())
    kept, seen = [], []
    for model in models:
        shared = len(model.facts.seen & contents)
        if shared:
            seen.append((str(model.path), f"was trained on {shared} images of this very target"))
        else:
            kept.append(model)
    return kept, seen


def _probes(
    pack: Crops,
    sources: Sequence[Model],
    steps: int,
    repeats: int,
    seed: int,
    device: str | None,
    folder: Path,
    progress: Progress,
) -> dict[str, tuple[float, ...]]:
    """Train a little from each source, and from scratch; give what each repeat came to."""
    train_groups = set(pack.table["group"][pack.table["split"] == "train"])
    if steps < 1 or (len(train_groups) < 3 and not len(pack.in_split("val"))):
        return {}
    starts: list[tuple[str, Model | None]] = [(str(model.path), model) for model in sources]
    starts.append((SCRATCH, None))
    found: dict[str, tuple[float, ...]] = {}
    jobs = [(name, model, repeat) for repeat in range(repeats) for name, model in starts]
    for done, (name, model, repeat) in enumerate(jobs):
        progress("probing", done, len(jobs))
        out = folder / f"probe-{done}"
        score = _probe(pack, model, sources[0], steps, seed + repeat, device, out)
        if score is not None:
            found[name] = (*found.get(name, ()), score)
    progress("probing", len(jobs), len(jobs))
    return found


def _probe(
    pack: Crops,
    model: Model | None,
    like: Model,
    steps: int,
    seed: int,
    device: str | None,
    out: Path,
) -> float | None:
    """Train for a few steps; from scratch with the architecture of ``like``."""
    network = like.facts.network.model_dump() if model is None else {}
    settings: Mapping[str, Mapping[str, Any]] = {
        "network": network,
        "training": {"steps": steps, "seed": seed, "batch": 8, "checks": 10, "threads": 1,
                     "validation_share": 1 / 3},
        "transfer": {"stem": "skip"},
    }  # fmt: skip
    with _quiet():
        run = train(pack, out=out, source=model, overrides=settings, device=device)
    scores = [line.get("averaged_iou", line.get("plain_iou")) for line in run.metrics()[-_LAST:]]
    known = [float(score) for score in scores if score is not None]
    return float(np.mean(known)) if known else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep a dozen short trainings from saying a dozen times what each copied."""
    log = logging.getLogger("crosspatch")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _measured(model: Model, pack: Crops, seed: int) -> Measures:
    rows = pack.in_split("train")
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:_MOST_CROPS])
    images = standardise(to_tensor(np.asarray(pack.images[chosen])), *pack.statistics)
    return measure(model, pack.channel_names, images, np.asarray(pack.masks[chosen]), seed=seed)


def _row(
    name: str, path: Path | None, probes: tuple[float, ...], measures: Measures | None
) -> Ranked:
    return Ranked(name, path, float(np.mean(probes)) if probes else float("nan"), probes, measures)


def _ordered(rows: Sequence[Ranked], by: str) -> list[Ranked]:
    def key(row: Ranked) -> tuple[float, str]:
        if by == "probe":
            return (-row.probe if row.probes else np.inf), row.name
        return (row.measures.distance if row.measures else np.inf), row.name

    return sorted(rows, key=key)


def _said(rows: Sequence[Ranked], by: str, repeats: int) -> list[str]:
    said = [
        "log_me, h_score, leep and distance look at each source with its own input layer, shared "
        "out anew where channels differ; training starts with a fresh one, so what a source knows in its "
        "input layer counts here and is lost there"
    ]
    if by == "distance":
        said.append("too few labelled groups to probe: ordered by the distance between domains")
        return said
    ordered = _ordered(rows, by)
    if ordered[0].name == SCRATCH:
        said.append("from scratch did best in the probes: none of these models may be worth it")
    elif len(ordered) > 1 and ordered[0].probe - ordered[1].probe < _spread(ordered[:2]):
        said.append(
            f"{ordered[0].name} and {ordered[1].name} are nearer to each other than the "
            f"{repeats} repeats of a probe: take either"
        )
    return said


def _spread(rows: Sequence[Ranked]) -> float:
    """Largest standard deviation over repeats."""
    return max(float(np.std(row.probes, ddof=1)) if len(row.probes) > 1 else 0.0 for row in rows)
