"""What a target must be harder than: the best threshold on a band or band index.

A claim about labels means little where one threshold does the work. All bands and all normalised
differences of two, ``(a - b) / (a + b)`` (NDVI, NDWI and their kin), are tried in both directions;
the one with the highest pooled IoU on training subjects is taken. Histograms make the search exact.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch.dataset import Dataset, Subject, read_pair
from crosspatch.errors import InputError
from crosspatch.evaluation.subjects import Method
from crosspatch.images import Image
from crosspatch.metrics import IGNORED
from crosspatch.progress import Progress, silent

_BINS = 2**16
_SURE = 0.01
"""A threshold knows no doubt: its probabilities stay this near to 0 and 1, only ranked inside."""


class OneKindError(InputError):
    """All training pixels are foreground, or none is: there is nothing to tell apart."""

    def __init__(self, why: str, *, foreground: bool = False) -> None:
        super().__init__(why)
        self.foreground = foreground


@dataclass(frozen=True)
class Feature:
    """A band, or the normalised difference of two, cut into bins.

    first, second : positions of channels; second is None for a band by itself
    low, high : values of the first bin's lower and the last bin's upper edge
    bins : their number
    """

    first: int
    second: int | None
    low: float
    high: float
    bins: int

    def bin_of(self, pixels: NDArray[Any]) -> NDArray[np.intp]:
        """Find the bin of each pixel: (C, H, W) -> (H, W)."""
        values = pixels[self.first].astype(np.float64)
        if self.second is not None:
            other = pixels[self.second].astype(np.float64)
            total = values + other
            values = np.divide(values - other, total, out=np.zeros_like(total), where=total != 0)
        scaled = (values - self.low) * (self.bins / (self.high - self.low))
        binned: NDArray[np.intp] = np.clip(np.floor(scaled), 0, self.bins - 1).astype(np.intp)
        return binned

    def edge(self, index: int) -> float:
        """Value between bin ``index`` and the one before it."""
        return self.low + index * (self.high - self.low) / self.bins

    def name(self, channel_names: Sequence[str] | None) -> str:
        """Say what it is in the data set's words."""
        first = _channel(self.first, channel_names)
        if self.second is None:
            return first
        second = _channel(self.second, channel_names)
        return f"({first} - {second}) / ({first} + {second})"


def _channel(index: int, names: Sequence[str] | None) -> str:
    return names[index] if names else f"band {index + 1}"


@dataclass(frozen=True)
class Cut:
    """Foreground is bin ``start`` and later ones if ``above``, else all before it; iou: there."""

    start: int
    above: bool
    iou: float


def best_cut(
    foreground: NDArray[Any],
    everything: NDArray[Any],
    directions: tuple[bool, ...] = (True, False),
) -> Cut:
    """Find the cut of a histogram with the highest pooled IoU.

    Parameters
    ----------
    foreground, everything : (bins,) counts or weights
        Of foreground pixels, and of all pixels, by bin.
    directions : tuple of bool
        True: foreground lies above the cut; False: below it.

    Returns
    -------
    Cut
        The first of equals.
    """
    total = foreground.sum()
    right_below = np.concatenate([[0], np.cumsum(foreground)])  # (bins + 1,): bins before a start
    claimed_below = np.concatenate([[0], np.cumsum(everything)])
    candidates = []
    for above in directions:
        right = total - right_below if above else right_below
        claimed = everything.sum() - claimed_below if above else claimed_below
        union = total + claimed - right
        iou = np.divide(right, union, out=np.zeros(len(union)), where=union > 0)
        start = int(iou.argmax())
        candidates.append(Cut(start, above, float(iou[start])))
    return max(candidates, key=lambda cut: cut.iou)


def fit_threshold(
    dataset: Dataset, subjects: Sequence[Subject], *, progress: Progress = silent
) -> Method:
    """Fit the best threshold on a band or band index.

    Parameters
    ----------
    dataset : Dataset
    subjects : sequence of Subject
        Training subjects, with masks; those that cannot be read are left out.
    progress : Progress

    Returns
    -------
    Method

    Raises
    ------
    InputError
        No subject can be read.
    OneKindError
        None has foreground.
    """
    features = _features(dataset, subjects)
    counts = [np.zeros((2, feature.bins), dtype=np.int64) for feature in features]
    channels = 1 + max(feature.first for feature in features)
    for done, subject in enumerate(subjects, 1):
        for pixels, mask in readable(dataset, [subject], channels):
            for feature, table in zip(features, counts, strict=True):
                binned = feature.bin_of(pixels)
                for kind in (0, 1):
                    table[kind] += np.bincount(binned[mask == kind], minlength=feature.bins)
        progress("fitting threshold", done, len(subjects))
    if not counts[0][1].any():
        raise OneKindError(
            f"{dataset.path}: no training subject has foreground: there is no baseline to fit"
        )
    cuts = [best_cut(table[1], table.sum(axis=0)) for table in counts]
    best = max(range(len(cuts)), key=lambda index: cuts[index].iou)
    return _threshold_method(features[best], cuts[best], dataset.channel_names, len(subjects))


def one_kind(name: str, error: OneKindError) -> Method:
    """Stand in for a baseline that could not be fitted: it claims no pixel, or every one."""
    claimed = float(error.foreground)

    def predict(image: Image) -> NDArray[np.float32]:
        return np.full(image.pixels.shape[1:], claimed, dtype=np.float32)

    return Method(name, f"draws {'everything' if claimed else 'nothing'}: {error}", predict)


def _features(dataset: Dataset, subjects: Sequence[Subject]) -> list[Feature]:
    """All bands and all pairs, with bins that keep whole numbers of 8 and 16 bits apart."""
    lowest, highest = np.zeros(0), np.zeros(0)
    exact = True
    for pixels, mask in readable(dataset, subjects):
        if not lowest.size:
            lowest, highest = np.full(len(pixels), np.inf), np.full(len(pixels), -np.inf)
        if len(pixels) != len(lowest) or (mask == IGNORED).all():
            continue
        if pixels.dtype.kind in "ui" and pixels.dtype.itemsize <= 2:
            limits = np.iinfo(pixels.dtype)
            lowest, highest = np.minimum(lowest, limits.min), np.maximum(highest, limits.max)
        else:
            exact = False
            counted = pixels[:, mask != IGNORED]  # (C, n)
            lowest = np.minimum(lowest, counted.min(axis=1))
            highest = np.maximum(highest, counted.max(axis=1))
    if not lowest.size:
        raise InputError(f"{dataset.path}: no training subject can be read: no baseline to fit")
    bands = [
        Feature(index, None, low, high + 1, int(high - low) + 1)
        if exact
        else Feature(index, None, low, high if high > low else low + 1, _BINS)
        for index, (low, high) in enumerate(zip(lowest.tolist(), highest.tolist(), strict=True))
    ]
    pairs = combinations(range(len(bands)), 2)
    return bands + [Feature(first, second, -1.0, 1.0, _BINS) for first, second in pairs]


def readable(
    dataset: Dataset, subjects: Sequence[Subject], channels: int | None = None
) -> Iterator[tuple[NDArray[Any], NDArray[np.uint8]]]:
    """Yield pixels (C, H, W) and mask (H, W) of the subjects that can be read.

    Where ``channels`` is given, images of another number are left out.
    """
    for subject in subjects:
        try:
            image, mask = read_pair(dataset, subject)
        except InputError:
            continue
        if channels in (None, len(image.pixels)):
            yield image.pixels, mask


def _threshold_method(
    feature: Feature, cut: Cut, channel_names: Sequence[str] | None, subjects: int
) -> Method:
    def predict(image: Image) -> NDArray[np.float32]:
        binned = feature.bin_of(image.pixels)
        rank = binned / feature.bins if cut.above else 1.0 - (binned + 1) / feature.bins
        claimed = (binned >= cut.start) == cut.above
        return (np.where(claimed, 1.0 - _SURE, 0.0) + _SURE * rank).astype(np.float32)

    sign = ">=" if cut.above else "<"
    says = (
        f"{feature.name(channel_names)} {sign} {feature.edge(cut.start):.4g}, fitted on {subjects} "
        f"subject{'s' * (subjects != 1)} (IoU {cut.iou:.3f} there)"
    )
    return Method("threshold", says, predict)
