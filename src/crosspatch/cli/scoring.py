"""``crosspatch evaluate`` and ``crosspatch predict``."""

from pathlib import Path
from typing import Literal

from crosspatch.cli.console import Output, progress_bars, say, table
from crosspatch.errors import SettingsError

_DEFAULT = Output()


def evaluate(
    model: Path,
    dataset: Path,
    *,
    split: str = "test",
    out: Path | None = None,
    baselines: bool = False,
    foreground: str | None = None,
    seed: int = 0,
    device: str | None = None,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    window: int | None = None,
    overwrite: bool = False,
    output: Output = _DEFAULT,
) -> None:
    """Score a model on whole subjects that it was not trained on, at their own resolution.

    Parameters
    ----------
    model
        Model folder, such as RUN/model.
    dataset
        Data set folder.
    split
        test, val or train.
    out
        scores.csv to write: a row a subject.
    baselines
        Also fit and score a threshold on the best band and a random forest on pixel values.
    foreground
        The class to find, where dataset.toml names several.
    seed
        Of the bootstrap, and of the split where the data set has no splits.csv.
    device
        cpu, cuda or mps; by default the best there is.
    precision
        auto, fp32 or bf16.
    window
        Side of the windows in pixels; by default 512, or the model's crops if they are larger.
    overwrite
        Replace the file at --out if it exists.
    """
    from crosspatch.workflows.evaluate import evaluate as workflow

    with progress_bars(output) as progress:
        scores = workflow(
            model,
            dataset,
            split=split,
            out=out,
            baselines=baselines,
            foreground=foreground,
            seed=seed,
            device=device,
            precision=precision,
            window=window,
            overwrite=overwrite,
            progress=progress,
        )
    columns, rows = scores.table()
    lines = [*scores.said]
    if scores.skipped:
        lines += [
            f"{len(scores.skipped)} subjects could not be scored:",
            table("", ("subject", "why"), scores.skipped),
        ]
    lines += [
        f"{scores.model} on {scores.dataset}, split {scores.split}, "
        f"{len(scores.rows)} subjects; [95% interval over groups]",
        table("", columns, rows),
    ]
    say(output, scores.as_dict(), lines)


def predict(
    model: Path,
    *inputs: Path,
    out: Path,
    bands: str | None = None,
    probabilities: bool = False,
    uncertainty: bool = False,
    polygons: bool = False,
    smallest_area: float = 0.0,
    simplify: float = 0.0,
    fill_holes: bool = False,
    window: int | None = None,
    halo: int = 32,
    engine: Literal["torch", "onnx"] = "torch",
    scheduler: str | None = None,
    device: str | None = None,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    overwrite: bool = False,
    output: Output = _DEFAULT,
) -> None:
    """Draw masks of new images, of any size.

    Parameters
    ----------
    model
        Model folder, such as RUN/model.
    inputs
        Images, folders of images, or data set folders.
    out
        Predictions folder to make: masks, overlays, predictions.csv. The same command again goes on
        where a stopped one was.
    bands
        Bands of the images in the order of the model's channels, from 1, such as 3,2,1,4.
    probabilities
        Also write the probability of each pixel, as TIFF.
    uncertainty
        Also write how unsure the model is of each pixel, as TIFF; takes eight times as long.
    polygons
        Also write outlines as GeoJSON, in the image's own reference system.
    smallest_area
        Of polygons, in square metres (pixels where an image has no reference system).
    simplify
        How far a polygon's outline may move to have fewer points, in pixels.
    fill_holes
        Draw polygons without their holes.
    window
        Side of the windows in pixels; by default 512, or the model's crops if they are larger.
    halo
        Pixels of context around what each window draws.
    engine
        torch, or onnx: ONNX Runtime on the CPU.
    scheduler
        Address of a Dask scheduler, such as tcp://node1:8786, whose workers predict.
    device
        cpu, cuda or mps; by default the best there is.
    precision
        auto, fp32 or bf16.
    overwrite
        Replace the predictions folder if it exists.
    """
    from crosspatch.prediction.polygons import PolygonSettings
    from crosspatch.workflows.predict import predict as workflow

    settings = PolygonSettings(smallest_area, simplify, fill_holes)
    if settings != PolygonSettings() and not polygons:
        raise SettingsError("--smallest-area, --simplify and --fill-holes say how --polygons draws")
    with progress_bars(output) as progress:
        made = workflow(
            model,
            inputs,
            out=out,
            bands=_numbers(bands),
            probabilities=probabilities,
            uncertainty=uncertainty,
            polygons=settings if polygons else False,
            window=window,
            halo=halo,
            engine=engine,
            device=device,
            precision=precision,
            scheduler=scheduler,
            overwrite=overwrite,
            progress=progress,
        )
    lines = [*made.said]
    if made.skipped:
        lines += [
            f"{len(made.skipped)} images could not be mapped:",
            table("", ("image", "why"), made.skipped),
        ]
    lines.append(f"{made.path}: {made.count} masks, and an overlay of each to look at")
    result = {
        "predictions": str(made.path),
        "count": made.count,
        "skipped": [{"image": image, "why": why} for image, why in made.skipped],
        "said": list(made.said),
    }
    say(output, result, lines)


def _numbers(bands: str | None) -> tuple[int, ...] | None:
    """Read "3,2,1,4"."""
    if bands is None:
        return None
    try:
        return tuple(int(word) for word in bands.split(","))
    except ValueError:
        raise SettingsError(f"--bands {bands}: write numbers from 1, such as 3,2,1,4") from None
