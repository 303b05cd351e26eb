"""The map that a model draws of one image: probability of foreground at the image's own pixels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from crosspatch.errors import InputError, SettingsError
from crosspatch.images import holds_data
from crosspatch.images.resize import resize_image, resize_probability
from crosspatch.models.facts import ModelFacts
from crosspatch.models.runtime import autocast
from crosspatch.models.storage import Model, to_tensor
from crosspatch.prediction.windows import Predict, grid, stitch
from crosspatch.progress import Progress, silent

Pixels = NDArray[Any]

IGNORED = 255
"""Value of a mask where the image holds no data."""

OVERLAP = 0.25
"""Share of a window that the next one repeats."""


def predict_probability(
    model: Model,
    network: nn.Module,
    pixels: Pixels,
    *,
    nodata: float | None = None,
    window: int | None = None,
    overlap: float = OVERLAP,
    batch: int = 8,
    precision: str = "fp32",
    progress: Progress = silent,
) -> NDArray[np.float32]:
    """Predict an image of any size by overlapping, blended windows.

    The image is resized by the model's own rule, each channel is standardised by the model's own
    statistics, and the map is resized back.

    Parameters
    ----------
    model : Model
        Whose rule, statistics and channels count.
    network : module
        `Model.load_generator`, in evaluation mode, on the device that is to work. Its attribute
        ``multiple``, if it has one, is the grid that windows start on.
    pixels : (C, H, W) array
        Channels in the model's order (see `choose_channels`), in the units of the training images.
    nodata : float, optional
        Value of pixels that hold nothing; see `crosspatch.images.holds_data`.
    window : int, optional
        Side of a window, in pixels of the resized image; by itself the model's crop size.
    overlap : float
        Least share of a window that the next one repeats, in [0, 0.75].
    batch : int
        Windows predicted together.
    precision : "fp32" or "bf16"
        Of the convolutions.
    progress : Progress
        Told how many rows of the (resized) image are done.

    Returns
    -------
    (H, W) float32 array in [0, 1]; nan where the image holds no data

    Raises
    ------
    InputError
        The image has another number of channels than the model.
    """
    facts = model.facts
    if len(pixels) != len(facts.channel_names):
        raise InputError(_other_channels(facts.channel_names, None, len(pixels)))
    height, width = pixels.shape[1:]
    valid = holds_data(pixels, nodata)
    if not valid.any():
        return np.full((height, width), np.nan, dtype=np.float32)
    shape = facts.resize.shape(height, width)
    shown = resize_image(_filled(pixels, valid, facts), shape)
    layout = grid(
        *shape,
        size=facts.crop_size if window is None else window,
        overlap=overlap,
        multiple=int(getattr(network, "multiple", 1)),
    )
    drawn = np.empty(shape, dtype=np.float32)
    predict = window_predictor(model, network, precision)
    for first, rows in stitch(layout, lambda a, b: shown[:, a:b], predict, batch=batch):
        drawn[first : first + len(rows)] = rows
        progress("predicting", first + len(rows), shape[0])
    said = resize_probability(drawn, (height, width))
    said[~valid] = np.nan
    return said


def window_predictor(model: Model, network: nn.Module, precision: str = "fp32") -> Predict:
    """Make of a network what `crosspatch.prediction.windows.stitch` calls.

    Returns
    -------
    callable : windows (B, C, h, w) of any dtype -> probability (B, h, w) float32
    """
    device = next(network.parameters()).device
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def predict(windows: Pixels) -> NDArray[np.float32]:
        image = model.normalise(to_tensor(windows).to(device))
        with autocast(device, precision):
            logits = network(image.contiguous(memory_format=torch.channels_last))
        said: NDArray[np.float32] = torch.sigmoid(logits[:, 0].float()).cpu().numpy()
        return said

    return predict


def _filled(pixels: Pixels, valid: NDArray[np.bool_], facts: ModelFacts) -> Pixels:
    """Put the training images' mean, which is 0 for the network, where the image holds nothing."""
    if valid.all():
        return pixels
    mean = np.array(facts.mean)[:, None, None]
    if pixels.dtype.kind in "ui":
        limits = np.iinfo(pixels.dtype)
        mean = np.clip(np.rint(mean), limits.min, limits.max)
    return np.where(valid, pixels, mean.astype(pixels.dtype))


def to_mask(probability: NDArray[np.float32], threshold: float = 0.5) -> NDArray[np.uint8]:
    """Turn probabilities (H, W) into a mask: 1 from ``threshold`` on, 0 below, 255 where nan."""
    mask = (probability >= threshold).astype(np.uint8)
    mask[np.isnan(probability)] = IGNORED
    return mask


def choose_channels(
    wanted: Sequence[str],
    names: Sequence[str] | None,
    count: int,
    *,
    bands: Sequence[int] | None = None,
) -> tuple[int, ...]:
    """Say which channels of an image a model is to see, and in which order.

    ``bands`` decides where it is given. Else channels are taken by name where the image names all
    that the model wants, and as they stand where their number fits and no name contradicts.

    Parameters
    ----------
    wanted : the model's channel names
    names : the image's channel names, if it has any
    count : its number of channels
    bands : numbers of the image's channels, from 1 as in GDAL, in the order of ``wanted``

    Returns
    -------
    tuple of positions in the image, from 0

    Raises
    ------
    SettingsError
        ``bands`` has another length than the model has channels, or a number below 1.
    InputError
        The image does not have what is wanted; the message says what both have.
    """
    if bands is not None:
        return _by_number(wanted, count, bands)
    ours = [_plain(name) for name in wanted]
    theirs = [_plain(name) for name in names or ()]
    if len(set(ours)) == len(ours) and all(theirs.count(name) == 1 for name in ours):
        return tuple(theirs.index(name) for name in ours)
    if count == len(ours) and not set(ours) & set(theirs):
        return tuple(range(count))
    raise InputError(_other_channels(wanted, names, count))


def _by_number(wanted: Sequence[str], count: int, bands: Sequence[int]) -> tuple[int, ...]:
    if len(bands) != len(wanted):
        raise SettingsError(
            f"--bands names {len(bands)} channels, but the model wants {len(wanted)} "
            f"({', '.join(wanted)})"
        )
    if min(bands) < 1:
        raise SettingsError("--bands counts channels from 1, as GDAL does")
    if max(bands) > count:
        raise InputError(
            f"has {count} channel{'s' * (count != 1)}, but --bands asks for number {max(bands)}"
        )
    return tuple(band - 1 for band in bands)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _other_channels(wanted: Sequence[str], names: Sequence[str] | None, count: int) -> str:
    named = f" ({', '.join(names)})" if names else ""
    return (
        f"has {count} channel{'s' * (count != 1)}{named}, but the model wants {len(wanted)} "
        f"({', '.join(wanted)}): name those to use with --bands, numbered from 1"
    )


def check_units(dtype: str, pixels: Pixels) -> str | None:
    """Compare an image's type with that of the training images; nothing is rescaled by guess.

    Parameters
    ----------
    dtype : type of the training images, such as "uint8"
    pixels : (C, H, W) array

    Returns
    -------
    None where the types are the same; else a sentence to be said aloud

    Raises
    ------
    InputError
        The image holds values that no training image could hold.
    """
    if pixels.dtype == dtype:
        return None
    different = f"is {pixels.dtype}, but the model was trained on {dtype} images"
    trained = np.dtype(dtype)
    if trained.kind in "ui":
        limits = np.iinfo(trained)
        finite = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
        if finite.size and (finite.min() < limits.min or finite.max() > limits.max):
            raise InputError(
                f"{different} and this one holds values from {finite.min():g} to "
                f"{finite.max():g}: convert it as the training images were"
            )
    return f"{different}: its values are taken as they are"
