"""``crosspatch rank``: which source model to start from, before training."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from crosspatch import crops
from crosspatch.crops import Crops
from crosspatch.crops.threads import cores, in_order
from crosspatch.dataset import Dataset, Subject
from crosspatch.errors import CrosspatchError, InputError
from crosspatch.files import PathLike
from crosspatch.models.runtime import keep_freed_memory
from crosspatch.models.storage import Model, standardise, to_tensor
from crosspatch.progress import Progress, silent
from crosspatch.studies.measures import Measures, measure
from crosspatch.workflows.probe import SCRATCH, probe, why_none

STEPS, REPEATS = 150, 3
_MOST_CROPS = 64  # that the measures look at


@dataclass(frozen=True)
class Ranked:
    """One source model, or training from scratch, which has no measures.

    Attributes
    ----------
    name : of the model; "from scratch"
    path : of the model
    probe : IoU at the end of the probes, pooled over the crops set aside; mean of the repeats; nan
        without them
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
    label groups are set aside and scored, by IoU pooled over their crops. Every source, and from
    scratch, gets the same repeats (seeds, subsets, order). Where fewer than three label groups
    leave nothing to score, models are ordered by the distance between domains, which needs no
    labels.

    Parameters
    ----------
    dataset : a data set folder, or ``Dataset``; only labels of its training split are looked at,
        and the images of the others only to leave out models that have seen them
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
    # Windows cannot delete crops that are still mapped.
    with tempfile.TemporaryDirectory(
        prefix="crosspatch-rank-", ignore_cleanup_errors=True
    ) as folder:
        pack = _pack(opened, found, recipe, size, scale, Path(folder) / "crops", progress)
        sources, seen = _unseen(found, {*pack.contents.values(), *_others(opened)})
        if not sources:
            raise InputError(_none_left(models, [*skipped, *seen]))
        unprobed = why_none(pack, steps, repeats)
        probes = {} if unprobed else probe(
            pack, sources, steps=steps, repeats=repeats, seed=seed, device=device,
            folder=Path(folder), progress=progress,
        )  # fmt: skip
        rows = [
            _row(
                model.name,
                model.path,
                probes.get(str(model.path), ()),
                _measured(model, pack, seed),
            )
            for model in sources
        ]
    if any(probes.values()):
        rows.append(_row(SCRATCH, None, probes[SCRATCH], None))
    by = "probe" if any(row.probes for row in rows) else "distance"
    ordered = tuple(_ordered(rows, by))
    return Ranking(ordered, by, (*skipped, *seen), tuple(_said(ordered, unprobed, repeats)))


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
    subjects = tuple(
        subject if subject.split == "train" else replace(subject, split=None)
        for subject in dataset.subjects
    )
    return crops.pack(
        [replace(dataset, subjects=subjects)],
        crops.recipe(recipe, size=size, scale=scale),
        out,
        progress=progress,
    )


def _others(dataset: Dataset) -> Iterator[str]:
    """Fingerprint the images of the other splits; their labels stay shut."""
    others = [subject for split in ("val", "test") for subject in dataset.in_split(split)]
    for found in in_order(partial(_content, dataset), others, cores()):
        yield from found


def _content(dataset: Dataset, subject: Subject) -> list[str]:
    try:
        return [dataset.content(subject)]
    except InputError:
        return []  # no model can have seen what cannot be read


def _unseen(
    models: Sequence[Model], contents: Set[str]
) -> tuple[list[Model], list[tuple[str, str]]]:
    """Leave out models that were trained on images of the target: they know the answers."""
    kept, seen = [], []
    for model in models:
        shared = len(model.facts.seen & contents)
        if shared:
            seen.append((str(model.path), f"was trained on {shared} images of this very target"))
        else:
            kept.append(model)
    return kept, seen


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


def _said(ordered: Sequence[Ranked], unprobed: str | None, repeats: int) -> list[str]:
    said = [
        "log_me, h_score, leep and distance look at each source with its own input layer, shared "
        "out anew where channels differ; training starts with a fresh one, so what a source knows "
        "in its input layer counts here and is lost there"
    ]
    counted = len(ordered[0].probes)
    if not counted:
        why = unprobed or "no labels that were set aside show foreground, so no probe has a score"
        return [*said, f"{why}: ordered by the distance between domains"]
    if counted < repeats:
        said.append(
            f"only {counted} of {repeats} repeats count: in the others, no labels that were set "
            "aside show foreground"
        )
    if ordered[0].name == SCRATCH:
        said.append("from scratch did best in the probes: none of these models may be worth it")
    if ordered[0].probe - ordered[1].probe < _spread(ordered[:2]):
        said.append(
            f"{ordered[0].name} and {ordered[1].name} are nearer to each other than the "
            f"{counted} repeats of a probe: take either"
        )
    return said


def _spread(rows: Sequence[Ranked]) -> float:
    """Largest standard deviation over repeats."""
    return max(float(np.std(row.probes, ddof=1)) if len(row.probes) > 1 else 0.0 for row in rows)
