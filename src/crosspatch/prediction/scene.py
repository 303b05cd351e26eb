"""The map that a model draws of one image: probability of foreground at the image's own pixels."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from crosspatch.errors import InputError, SettingsError
from crosspatch.images import holds_data
from crosspatch.models.facts import ModelFacts
from crosspatch.models.runtime import autocast
from crosspatch.models.storage import Model, to_tensor
from crosspatch.prediction.reader import Engine, Pixels, Reader
from crosspatch.prediction.stream import IGNORED, Block, draw, locally, to_mask
from crosspatch.prediction.windows import TILE, Axis, Grid, axis, grid
from crosspatch.progress import Progress, silent

__all__ = [
    "HALO",
    "IGNORED",
    "LESS_MEMORY",
    "WINDOW",
    "batch_of",
    "check_bands",
    "check_units",
    "choose_channels",
    "lay_out",
    "predict_probability",
    "to_mask",
    "window_predictor",
]  # fmt: skip

WINDOW = 512
"""Side of a window, in pixels of the resized image: the network sees no more at once."""

HALO = 32
"""Pixels of context around the cell that a window draws."""

LESS_MEMORY = (
    f"draw with --window {WINDOW} (smaller ones are drawn more at a time, and save nothing) or on "
    "another --device, or free what other programs hold"
)
"""Where windows need more than the device has."""

_PIXELS = {"cpu": 4 * WINDOW**2, "cuda": 32 * WINDOW**2}
_FEW_PIXELS = 8 * WINDOW**2


def lay_out(
    facts: ModelFacts,
    height: int,
    width: int,
    *,
    window: int | None = None,
    halo: int | None = None,
    multiple: int = 1,
) -> Grid:
    """Lay windows over an image, as the model's resize rule has it.

    An image smaller than the model's crops is mirrored to their size, as it was in training
    (`crosspatch.crops.writing.pad`): cut close, it would show the network another picture, with
    other statistics than it has learned.

    Parameters
    ----------
    facts : ModelFacts
    height, width : int
        Of the image, pixels.
    window, halo : int, optional
        In pixels of the resized image; by themselves `WINDOW` (or the model's crop size, where that
        is larger) and `HALO`.
    multiple : int
        The network's grid, see `crosspatch.prediction.windows.grid`.
    """
    window = max(WINDOW, facts.crop_size) if window is None else window
    halo = HALO if halo is None else halo
    resized = facts.resize.shape(height, width)
    if resized == (height, width):
        layout = grid(height, width, size=window, halo=halo, multiple=multiple)
        return _mirrored(layout, resized, facts.crop_size)
    grid(1, 1, size=window, halo=halo)  # refuses what is impossible
    sides = []
    for length, small in zip((height, width), resized, strict=True):
        scale = 1 / facts.resize.factor if facts.resize.kind == "scale" else length / small
        sides.append(_resized_axis(length, small, scale, window, halo, multiple))
    (rows, shown_height), (cols, shown_width) = sides
    return _mirrored(Grid(rows, cols, (shown_height, shown_width)), resized, facts.crop_size)


def _mirrored(layout: Grid, resized: tuple[int, int], crop: int) -> Grid:
    """Where one window holds a side that is shorter than a crop, mirror it to a crop's length."""
    sides, shown, more = [layout.rows, layout.cols], list(layout.shown), [0, 0]
    for index, length in enumerate(resized):
        if length < crop and len(sides[index]) == 1:
            whole = sides[index].length
            sides[index] = Axis(whole, whole, whole, (0,))
            shown[index], more[index] = length, crop - length
    return Grid(sides[0], sides[1], (shown[0], shown[1]), (more[0], more[1]))


def _resized_axis(
    length: int, resized: int, scale: float, window: int, halo: int, multiple: int
) -> tuple[Axis, int]:
    """Windows along a side that is resized, and the pixels that each is resized to."""
    if resized <= window:
        return Axis(length, length, length, (0,)), resized
    on_grid = multiple * scale  # as the network's grid lies on the image itself
    step = round(on_grid) if on_grid >= 1 and math.isclose(on_grid, round(on_grid)) else TILE
    one = axis(length, round(window * scale), math.ceil(halo * scale), step)
    return one, max(1, round(one.size / scale))


def batch_of(layout: Grid, device: str) -> int:
    """Say how many windows a device predicts together, within the memory that it is given."""
    return max(1, _PIXELS.get(device, _FEW_PIXELS) // layout.pixels)


def predict_probability(
    model: Model,
    network: nn.Module,
    pixels: Pixels,
    *,
    nodata: float | None = None,
    window: int | None = None,
    halo: int | None = None,
    batch: int | None = None,
    precision: str = "fp32",
    progress: Progress = silent,
) -> NDArray[np.float32]:
    """Predict an image that is in memory, by the same windows as a scene of any size.

    Each window is resized by the model's own rule, its channels are standardised by the model's own
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
    window, halo : int, optional
        See `lay_out`.
    batch : int, optional
        Windows predicted together.
    precision : "fp32" or "bf16"
        Of the convolutions.
    progress : Progress
        Told how many windows are done.

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
    layout = lay_out(
        facts,
        *pixels.shape[1:],
        window=window,
        halo=halo,
        multiple=int(getattr(network, "multiple", 1)),
    )
    device = next(network.parameters()).device.type
    reader = Reader(_InMemory(pixels), layout, facts, nodata)
    whole = _Whole(pixels.shape[1:])
    draw(
        reader,
        locally(reader, window_predictor(model, network, precision)),
        [whole],
        batch=batch_of(layout, device) if batch is None else batch,
        progress=progress,
    )
    return whole.probability


class _InMemory:
    """Pixels (C, H, W) as a `Source`."""

    planes = 1

    def __init__(self, pixels: Pixels) -> None:
        self._pixels = pixels
        self.height, self.width = pixels.shape[1:]

    def read(self, plane: int, rows: tuple[int, int], cols: tuple[int, int]) -> Pixels:
        return self._pixels[:, slice(*rows), slice(*cols)]

    def hidden(self, plane: int, rows: tuple[int, int], cols: tuple[int, int]) -> None:
        return None


class _Whole:
    """The map in one piece, as an `Output`."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.probability = np.empty(shape, dtype=np.float32)

    def take(self, block: Block) -> None:
        height, width = block.probability.shape
        self.probability[block.row : block.row + height, block.col : block.col + width] = (
            block.probability
        )

    def finish(self) -> None:
        pass

    def close(self) -> None:
        pass


def window_predictor(model: Model, network: nn.Module, precision: str = "fp32") -> Engine:
    """Make an engine of a network.

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
        The image does not have what is wanted, or another number of channels than names (as a
        data set's, which stand for all its images); the message says what both have.
    """
    if bands is not None:
        return _by_number(wanted, count, bands)
    if names and len(names) != count:
        raise InputError(
            f"has {_channels(count)}, but {len(names)} names are declared ({', '.join(names)}), so "
            "nobody knows which is which: name those to use with --bands, numbered from 1"
        )
    ours = [_plain(name) for name in wanted]
    theirs = [_plain(name) for name in names or ()]
    if len(set(ours)) == len(ours) and all(theirs.count(name) == 1 for name in ours):
        return tuple(theirs.index(name) for name in ours)
    if count == len(ours) and not set(ours) & set(theirs):
        return tuple(range(count))
    raise InputError(_other_channels(wanted, names, count))


def check_bands(wanted: Sequence[str], bands: Sequence[int]) -> None:
    """Refuse numbers that fit the model's channels with no image; see `choose_channels`."""
    if len(bands) != len(wanted):
        raise SettingsError(
            f"--bands names {len(bands)} channels, but the model wants {len(wanted)} "
            f"({', '.join(wanted)})"
        )
    if min(bands) < 1:
        raise SettingsError("--bands counts channels from 1, as GDAL does")


def _by_number(wanted: Sequence[str], count: int, bands: Sequence[int]) -> tuple[int, ...]:
    check_bands(wanted, bands)
    if max(bands) > count:
        raise InputError(f"has {_channels(count)}, but --bands asks for number {max(bands)}")
    return tuple(band - 1 for band in bands)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _other_channels(wanted: Sequence[str], names: Sequence[str] | None, count: int) -> str:
    named = f" ({', '.join(names)})" if names else ""
    return (
        f"has {_channels(count)}{named}, but the model wants {len(wanted)} "
        f"({', '.join(wanted)}): name those to use with --bands, numbered from 1"
    )


def _channels(count: int) -> str:
    return f"{count} channel{'s' * (count != 1)}"


def check_units(dtype: str, pixels: Pixels, nodata: float | None = None) -> str | None:
    """Compare an image's type with that of the training images; nothing is rescaled by guess.

    Parameters
    ----------
    dtype : type of the training images, such as "uint8"
    pixels : (C, H, W) or (C, N) array
        Some of the image's, or all.
    nodata : float, optional
        Value of pixels that hold nothing, which may be any; see `crosspatch.images.holds_data`.

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
        known = pixels[:, holds_data(pixels, nodata)]
        if known.size and (known.min() < limits.min or known.max() > limits.max):
            raise InputError(
                f"{different} and this one holds values from {known.min():g} to "
                f"{known.max():g}: convert it as the training images were"
            )
    return f"{different}: its values are taken as they are"
