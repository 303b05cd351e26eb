"""``crosspatch prepare``, ``import coco-stuff`` and ``info``."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from crosspatch.cli.console import Output, progress_bars, say, table
from crosspatch.crops import Crops
from crosspatch.dataset import Problem
from crosspatch.errors import InputError

_DEFAULT = Output()
_SHOWN = 50  # problems printed; --json gives all


def prepare(
    *datasets: Path,
    recipe: str,
    out: Path,
    size: int | None = None,
    overlap: float | None = None,
    scale: float | None = None,
    foreground: str | None = None,
    seed: int = 0,
    workers: int | None = None,
    overwrite: bool = False,
    output: Output = _DEFAULT,
) -> None:
    """Pack data sets into crops to train on.

    Parameters
    ----------
    datasets
        Data set folders; several give their names as prefixes.
    recipe
        windows for any data, or the paper's floating-forests, fat-checker, coco-person.
    out
        Crops folder to make; left as it is where it already holds the same.
    size
        Side of the crops in pixels (windows).
    overlap
        Share of a crop that its neighbour repeats, 0 to below 1 (windows).
    scale
        Factor on image sides before cutting, such as 0.5.
    foreground
        The class to find, where dataset.toml names several.
    seed
        Divides subjects where a data set has no splits.csv.
    workers
        Threads that decode images; by itself one a core.
    overwrite
        Replace the crops folder if it exists, even by the same crops.
    """
    from crosspatch.workflows.prepare import prepare as workflow

    with progress_bars(output) as progress:
        crops = workflow(
            datasets,
            recipe=recipe,
            out=out,
            size=size,
            overlap=overlap,
            scale=scale,
            foreground=foreground,
            seed=seed,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
    samples = {name: crops.samples(name) for name in ("train", "val", "test")}
    lines = [*crops.said, *_left_out(crops)]
    if crops.skipped:
        lines += [
            f"{len(crops.skipped)} labelled subjects could not be used:",
            table("", ("subject", "why"), [(one.subject, one.why) for one in crops.skipped]),
        ]
    counts = ", ".join(f"{count} {name}" for name, count in samples.items() if count)
    lines.append(f"{crops.path}: {len(crops)} crops, samples: {counts}")
    result = {
        "crops": str(crops.path),
        "count": len(crops),
        "samples": samples,
        "skipped": [{"subject": one.subject, "why": one.why} for one in crops.skipped],
        "unlabelled": crops.unlabelled,
        "unplaced": crops.unplaced,
        "problems": crops.problems,
        "said": crops.said,
    }
    say(output, result, lines)


def _left_out(crops: Crops) -> list[str]:
    """Say what of the data sets no crop shows, and why."""
    lines = [*crops.problems[:_SHOWN]]
    if len(crops.problems) > _SHOWN:
        lines.append(f"... and {len(crops.problems) - _SHOWN} more problems")
    if crops.unplaced:
        lines.append(
            f"not packed: {crops.unplaced} labelled, but in no split (no row in splits.csv, or "
            "one with an empty split)"
        )
    if crops.unlabelled:
        lines.append(f"not packed: {crops.unlabelled} without a mask")
    return lines


def import_coco_stuff(
    *,
    images: Path,
    pixelmaps: Path,
    label: str,
    out: Path,
    seed: int = 0,
    overwrite: bool = False,
    output: Output = _DEFAULT,
) -> None:
    """Make a data set of the COCO photos that hold a label.

    Parameters
    ----------
    images
        Folder of photos, NAME.jpg.
    pixelmaps
        Folder of COCO-Stuff pixel maps, NAME.png.
    label
        A name or number of COCO-Stuff's labels.txt, such as person.
    out
        Data set folder to make.
    seed
        Divides the photos where the folders do not.
    overwrite
        Replace the data set folder if it exists.
    """
    from crosspatch.workflows.import_coco_stuff import import_coco_stuff as workflow

    with progress_bars(output) as progress:
        dataset = workflow(
            images,
            pixelmaps,
            label=label,
            out=out,
            seed=seed,
            overwrite=overwrite,
            progress=progress,
        )
    say(
        output,
        {"dataset": str(dataset.path), "subjects": len(dataset.subjects)},
        [f"{dataset.path}: {len(dataset.subjects)} photos that hold {label}"],
    )


def info(path: Path, *, output: Annotated[Output, Parameter(name="*")] = _DEFAULT) -> None:
    """Say what a folder or file is; a data set is checked, and every problem listed.

    Parameters
    ----------
    path
        A data set, crops, run, model, predictions, study or simulation folder, an image, or a
        queue.csv.
    """
    from crosspatch.workflows.info import info as workflow

    with progress_bars(output) as progress:
        found = workflow(path, progress=progress)
    rows = [*found.facts.items()]
    lines = [f"{path}: {found.kind}", table("", ("", ""), rows)]
    bad = [problem for problem in found.problems if not problem.warning]
    if found.problems:
        lines.append(_problem_table(found.problems))
    result = {
        "kind": found.kind,
        **found.facts,
        "problems": [vars(problem) for problem in found.problems],
    }
    say(output, result, lines)
    if bad:
        raise InputError(f"{path}: {len(bad)} problems, listed above")


def _problem_table(problems: tuple[Problem, ...]) -> str:
    rows = [
        ("warning" if one.warning else "problem", one.file, one.row, one.what, one.do)
        for one in problems[:_SHOWN]
    ]
    more = f"\n... and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return table("", ("", "file", "row", "what is wrong", "what to do"), rows) + more
