"""``crosspatch predict``: a model and images of any size in, a predictions folder out."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import nn

from crosspatch import images
from crosspatch.errors import InputError
from crosspatch.files import PathLike, new_folder, refuse_existing, refuse_inputs_inside, write_toml
from crosspatch.models.runtime import (
    Precision,
    choose_device,
    choose_precision,
    keep_freed_memory,
)
from crosspatch.models.storage import Model
from crosspatch.prediction.folder import (
    Predicted,
    Predictions,
    draw_overlay,
    write_prediction,
    write_tables,
)
from crosspatch.prediction.inputs import Input, find_inputs
from crosspatch.prediction.scene import (
    OVERLAP,
    check_units,
    choose_channels,
    predict_probability,
    to_mask,
)
from crosspatch.progress import Progress, silent

__all__ = ["Predictions", "predict"]

_LARGE = 2**22  # pixels from which on an image has a progress bar of its own


def predict(
    model: PathLike,
    inputs: PathLike | Iterable[PathLike],
    *,
    out: PathLike,
    bands: Sequence[int] | None = None,
    probabilities: bool = False,
    window: int | None = None,
    device: str | None = None,
    precision: Precision = "auto",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Predictions:
    """Draw the masks of images.

    Parameters
    ----------
    model : a model folder, or ``Model``
    inputs : an image, a folder of images, a data set, or several of these
    out : the predictions folder to make
    bands : which channels of the images to show the model, numbered from 1 as in GDAL, in the
        model's order; by itself those of the model's names
    probabilities : also write ``probabilities/NAME.tif``
    window : side of a window in pixels; by itself the size of crops that the model was trained on
    device : cpu, cuda or mps; by itself the best there is
    precision : fp32, bf16, or auto: bf16 where the device has it
    overwrite : replace a predictions folder that stands at ``out``
    progress : told how far the work is

    Returns
    -------
    Predictions. Images that could not be predicted are in its ``skipped``, with the reason.

    Raises
    ------
    InputError, SettingsError
        An input does not exist, a setting is wrong, or no image could be predicted; nothing is
        written.
    """
    refuse_existing(out, kind="predictions", overwrite=overwrite)
    model = model if isinstance(model, Model) else Model.open(model)
    found = find_inputs(inputs)
    refuse_inputs_inside(out, model, *(one.path for one in found))
    where = choose_device(device)
    keep_freed_memory()
    arithmetic = choose_precision(precision, where)
    draw = partial(
        _predict_one,
        model=model,
        network=model.load_generator(where),
        bands=bands,
        window=window,
        precision=arithmetic,
        probabilities=probabilities,
        progress=progress,
    )
    rows: list[Predicted] = []
    skipped: list[tuple[Path, str]] = []
    with new_folder(out, kind="predictions", overwrite=overwrite) as folder:
        for done, given in enumerate(found, 1):
            try:
                rows.append(draw(folder, given))
            except InputError as error:
                skipped.append((given.path, str(error).removeprefix(f"{given.path}: ")))
            progress("images", done, len(found))
        if not rows:
            path, problem = skipped[0]
            raise InputError(
                f"none of {len(found)} images could be predicted; first {path}: {problem}"
            )
        write_tables(folder, rows, skipped)
        table = {
            "model": str(model.path),
            "model_fingerprint": model.fingerprint,
            "foreground": list(model.facts.foreground),
            "threshold": model.facts.threshold,
            "bands": list(bands) if bands is not None else None,
            "window": window or model.facts.crop_size,
            "overlap": OVERLAP,
            "device": where.type,
            "precision": arithmetic,
            "images": len(rows),
            "skipped": len(skipped),
        }
        says = "Masks that a crosspatch model drew: 0 background, 1 foreground, 255 no data."
        write_toml(folder / "predictions.toml", table, says=says)
    return Predictions(Path(out))


def _predict_one(
    folder: Path,
    given: Input,
    *,
    model: Model,
    network: nn.Module,
    bands: Sequence[int] | None,
    window: int | None,
    precision: str,
    probabilities: bool,
    progress: Progress,
) -> Predicted:
    """Read, predict and write one image."""
    facts = model.facts
    image = images.read_image(given.path)
    names = given.channel_names or image.channel_names
    channels = choose_channels(facts.channel_names, names, len(image.pixels), bands=bands)
    pixels = image.pixels[list(channels)]
    note = check_units(facts.dtype, pixels) or ""
    large = pixels[0].size >= _LARGE
    probability = predict_probability(
        model,
        network,
        pixels,
        nodata=image.georeference.nodata if image.georeference else None,
        window=window,
        precision=precision,
        progress=progress if large else silent,
    )
    mask = to_mask(probability, facts.threshold)
    # An image that does not name its channels is shown by what the model calls them.
    shown = (image.pixels, names) if names else (pixels, facts.channel_names)
    row = write_prediction(
        folder,
        given,
        probability,
        mask,
        draw_overlay(*shown, mask),
        place=image.georeference,
        with_probability=probabilities,
    )
    return replace(row, note=note)
