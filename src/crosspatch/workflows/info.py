"""``crosspatch info``: say what a folder or a file is, and what is wrong with it."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosspatch import images
from crosspatch.crops import Crops
from crosspatch.dataset import Dataset, Problem, check
from crosspatch.errors import InputError
from crosspatch.files import PathLike, read_toml
from crosspatch.images.ngff import is_zarr
from crosspatch.images.raster import open_raster
from crosspatch.images.reading import is_tiff
from crosspatch.progress import Progress, silent


@dataclass(frozen=True)
class Info:
    """What something is.

    Attributes
    ----------
    kind : "dataset", "crops", "run", "model", "predictions", "study", "simulation", "queue",
        "exports", "push" or "image"
    facts : what there is to know, in the order to print it
    problems : what is wrong with a data set
    """

    kind: str
    facts: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()


def info(path: PathLike, *, progress: Progress = silent) -> Info:
    """Find out what a path holds.

    Parameters
    ----------
    path : a folder that crosspatch made, a data set folder, an image, or a queue.csv
    progress : a data set is checked whole, which reads every image

    Raises
    ------
    InputError
        Nothing that crosspatch knows, or something damaged.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: does not exist")
    if path.is_file():
        return _queue(path) if path.suffix.lower() == ".csv" else _image(path)
    for name, describe in _FOLDERS.items():
        if (path / f"{name}.toml").is_file():
            return describe(path)
    if is_zarr(path):
        return _scene(path)
    if (path / "images").is_dir() or (path / "dataset.toml").is_file():
        return _dataset(path, progress)
    raise InputError(
        f"{path}: is no folder that crosspatch knows: it has neither images/ nor one of "
        + ", ".join(f"{name}.toml" for name in ("dataset", *_FOLDERS))
    )


def _dataset(path: Path, progress: Progress) -> Info:
    table = read_toml(path / "dataset.toml") if (path / "dataset.toml").is_file() else {}
    several = [name for name in table.get("classes", {}) if name != "background"]
    foreground = several[0] if len(several) > 1 else None
    dataset = Dataset.open(path, foreground=foreground)
    splits = Counter(subject.split or "none" for subject in dataset.labelled)
    facts = {
        "subjects": len(dataset.subjects),
        "labelled": len(dataset.labelled),
        "unlabelled": len(dataset.unlabelled),
        **{f"labelled, split {name}": splits[name] for name in sorted(splits)},
        "groups": len({subject.group for subject in dataset.subjects}),
        "channels": ", ".join(dataset.channel_names or ()) or "not named",
        "classes": ", ".join(dataset.classes) or "foreground",
        "licence": dataset.licence or "not said",
        "origin": dataset.origin or "not said",
        **{f"note {number}": said for number, said in enumerate(dataset.said, 1)},
    }
    return Info("dataset", facts, tuple(check(dataset, progress=progress)))


def _crops(path: Path) -> Info:
    crops = Crops.open(path)
    return Info(
        "crops",
        {
            "crops": len(crops),
            **{f"samples, {name}": crops.samples(name) for name in ("train", "val", "test")},
            "recipe": crops.recipe.name,
            "size": crops.recipe.size,
            "channels": ", ".join(crops.channel_names),
            "dtype": crops.images.dtype.name,
            "foreground": ", ".join(crops.foreground),
            "data sets": ", ".join(source["name"] for source in crops.sources),
            "skipped subjects": len(crops.skipped),
            "fingerprint": crops.fingerprint,
        },
    )


def _run(path: Path) -> Info:
    from crosspatch.training.run import Run

    run = Run.open(path)
    last = run.metrics()[-1:]
    return Info(
        "run",
        {
            "finished": run.finished,
            "started from": run.table["source"]["name"] if run.is_warm else "random weights",
            "checks": len(run.metrics()),
            **(last[0] if last else {}),
            "device": run.table["device"],
            "precision": run.table["precision"],
            "settings": run.table["settings"],
        },
    )


def _model(path: Path) -> Info:
    from crosspatch.models.card import limits
    from crosspatch.models.storage import Model

    facts = Model.open(path).facts
    return Info(
        "model",
        {
            "foreground": ", ".join(facts.foreground),
            "channels": ", ".join(facts.channel_names),
            "dtype": facts.dtype,
            "network": facts.network.model_dump(),
            "crop size": facts.crop_size,
            "resize": facts.resize.as_table(),
            "threshold": facts.threshold,
            "labelled subjects spent": len(facts.contents),
            "labelled subjects its sources had seen": len(facts.source_contents),
            **facts.scores,
            **facts.provenance,
            "limits": limits(facts),
        },
    )


def _predictions(path: Path) -> Info:
    return Info("predictions", read_toml(path / "predictions.toml"))


def _study(path: Path) -> Info:
    from crosspatch.studies.folder import Study

    study = Study.open(path)
    table, failed = study.table, study.failed
    return Info(
        "study",
        {
            "runs": len(study.runs),
            "done": sum(study.is_done(name) for name in study.runs),
            "failed": len(failed),
            "target": table.get("target", {}).get("name", "not said"),
            "sources": ", ".join(table.get("sources", {})) or "none",
            "further arms": ", ".join(table.get("arms", {})) or "none",
            "fractions": table.get("fractions", []),
            "seeds": table.get("seeds", []),
            "folds": table.get("folds", 0),
            "device": table.get("device"),
            "precision": table.get("precision"),
            **{f"note {number}": said for number, said in enumerate(table.get("said", []), 1)},
            **{f"failed {name}": why for name, why in failed.items()},
        },
    )


def _simulation(path: Path) -> Info:
    from crosspatch.workflows.simulate_queue import Simulation

    simulation = Simulation(path)
    done, total = simulation.steps
    settings = simulation.table["settings"]
    return Info(
        "simulation",
        {
            "finished": simulation.finished,
            "trainings done": f"{done} of {total}",
            "ways of choosing": ", ".join(settings["arms"]),
            "pool": settings["pool"],
            "labels spent": settings["labels"],
            "seeds": settings["seeds"],
            "steps of each training": settings["steps"],
            "started from": settings["source_fingerprint"],
            **{f"note {number}": said for number, said in enumerate(simulation.said, 1)},
        },
    )


def _queue(path: Path) -> Info:
    from crosspatch.feedback.table import DECISIONS, read_queue

    rows = read_queue(path)
    beside = path.with_suffix(".toml")
    table = read_toml(beside) if beside.is_file() else {}
    first = next((row for row in rows if row.decision == "next"), None)
    return Info(
        "queue",
        {
            "subjects": len(rows),
            **{name: sum(row.decision == name for row in rows) for name in DECISIONS},
            **({"first": f"{first.name}: {first.reason}"} if first else {}),
            **{key: table[key] for key in ("model", "dataset", "by") if key in table},
            "retirement": table.get("retirement", {}).get("says", f"{beside.name} is missing"),
            "skipped subjects": len(table.get("skipped", [])),
        },
    )


def _exports(path: Path) -> Info:
    return Info("exports", read_toml(path / "exports.toml"))


def _push(path: Path) -> Info:
    return Info("push", read_toml(path / "push.toml"))


def _image(path: Path) -> Info:
    try:
        header = images.read_header(path)
    except InputError:
        if not is_tiff(path):
            raise
        return _scene(path)
    return Info(
        "image",
        {
            "format": header.format,
            "channels": header.channels,
            "height": header.height,
            "width": header.width,
            "dtype": str(header.dtype),
        },
    )


def _scene(path: Path) -> Info:
    """Describe what is read by windows: a stack, or what is too large to be read whole."""
    with open_raster(path) as raster:
        facts = raster.facts
    place, size = facts.georeference, facts.pixel_size
    said: dict[str, Any] = {
        "format": _FORMATS[facts.format],
        "planes": ", ".join(f"{length} of {name}" for name, length in facts.axes) or None,
        "channels": facts.channels,
        "channel names": ", ".join(facts.channel_names or ()) or None,
        "height": facts.height,
        "width": facts.width,
        "dtype": str(facts.dtype),
        "pixel size": f"{size.z:g} x {size.y:g} x {size.x:g} {size.unit}".strip() if size else None,
        "reference system": place.crs if place and place.crs else None,
        "no data": facts.nodata,
        **{f"note {number}": note for number, note in enumerate(facts.said, 1)},
    }
    return Info("image", {name: fact for name, fact in said.items() if fact is not None})


_FORMATS = {"image": "TIFF", "geotiff": "TIFF", "stack": "TIFF stack", "zarr": "OME-Zarr"}

_FOLDERS: dict[str, Callable[[Path], Info]] = {
    "crops": _crops,
    "run": _run,
    "model": _model,
    "predictions": _predictions,
    "exports": _exports,
    "push": _push,
    "study": _study,
    "simulation": _simulation,
}
