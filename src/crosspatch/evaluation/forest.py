"""What a target must be harder than: a random forest that sees one pixel at a time."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch.dataset import Dataset, Subject
from crosspatch.errors import InputError, MissingExtraError
from crosspatch.evaluation.baselines import OneKindError, best_cut, readable
from crosspatch.evaluation.subjects import Method
from crosspatch.images import Image
from crosspatch.progress import Progress, silent

PER_CLASS = 20_000
"""Most pixels of foreground, and of background, that the forest is grown on."""

TREES = 100
_LEAF = 5  # fewest pixels in a leaf
_BINS = 1_000
_AT_ONCE = 2**18  # pixels classified together: bounds memory


def fit_forest(
    dataset: Dataset,
    subjects: Sequence[Subject],
    *,
    seed: int = 0,
    threads: int = -1,
    progress: Progress = silent,
) -> Method:
    """Fit a random forest (Breiman 2001) on pixel values.

    It is grown on as many foreground as background pixels, drawn evenly from all training pixels.
    Its threshold is the one with the highest IoU on pixels that a tree has not seen (out of bag),
    weighted to how often foreground really is; the probabilities are shifted so that it is at 0.5.

    Parameters
    ----------
    dataset : Dataset
    subjects : sequence of Subject
        Training subjects, with masks; those that cannot be read are left out.
    seed : int
        Of the drawn pixels and the trees.
    threads : int
        That grow it and classify; -1: one a core. The result does not depend on it.
    progress : Progress

    Returns
    -------
    Method

    Raises
    ------
    MissingExtraError
        scikit-learn is not installed.
    InputError
        No subject can be read.
    OneKindError
        There is only foreground, or only background.
    """
    try:
        from sklearn.ensemble import RandomForestClassifier
    except ImportError:
        raise MissingExtraError("the random forest", "baselines") from None
    values, kinds, weights = _draw(dataset, subjects, seed, progress)
    forest = RandomForestClassifier(
        TREES, min_samples_leaf=_LEAF, oob_score=True, n_jobs=threads, random_state=seed
    )
    forest.fit(values, kinds)
    unseen = np.nan_to_num(forest.oob_decision_function_[:, 1], nan=0.5)
    threshold = _threshold(unseen, kinds, weights)
    progress("fitting forest", len(subjects), len(subjects))

    def predict(image: Image) -> NDArray[np.float32]:
        channels, height, width = image.pixels.shape
        if channels != values.shape[1]:
            raise InputError(f"has {channels} channels, the training images {values.shape[1]}")
        pixels = _single(image.pixels.reshape(channels, -1).T)  # (n, C)
        parts = [
            _of_values(forest, pixels[start : start + _AT_ONCE])
            for start in range(0, len(pixels), _AT_ONCE)
        ]
        said = np.interp(np.concatenate(parts), (0.0, threshold, 1.0), (0.0, 0.5, 1.0))
        probability: NDArray[np.float32] = said.reshape(height, width).astype(np.float32)
        return probability

    says = (
        f"{TREES} trees on {len(values)} pixels of {len(subjects)} "
        f"subject{'s' * (len(subjects) != 1)}"
    )
    return Method("random forest", says, predict)


def _single(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Cast to what trees are grown on: values beyond its range (no data) become its ends."""
    if pixels.dtype.kind == "f":  # scikit-learn refuses the infinite ones that a cast would make
        limits = np.finfo(np.float32)
        pixels = np.clip(pixels, limits.min, limits.max)
    return pixels.astype(np.float32)


def _of_values(forest: Any, pixels: NDArray[np.float32]) -> NDArray[np.float64]:
    """Classify pixels (n, C), each value once: an image repeats most of them."""
    values, places = np.unique(pixels, axis=0, return_inverse=True)
    probability: NDArray[np.float64] = forest.predict_proba(values)[:, 1]
    return probability[places.ravel()]


def require_forest() -> None:
    """Raise ``MissingExtraError`` where scikit-learn is not installed, without loading it."""
    if find_spec("sklearn") is None:
        raise MissingExtraError("the random forest", "baselines")


def _threshold(probability: NDArray[Any], kinds: NDArray[Any], weights: NDArray[Any]) -> float:
    """Probability from which on claiming foreground gives the highest IoU, inside (0, 1)."""
    binned = np.minimum((probability * _BINS).astype(int), _BINS - 1)
    foreground = np.bincount(binned, weights * kinds, _BINS)
    cut = best_cut(foreground, np.bincount(binned, weights, _BINS), directions=(True,))
    return float(np.clip(cut.start, 1, _BINS - 1)) / _BINS


def _draw(
    dataset: Dataset, subjects: Sequence[Subject], seed: int, progress: Progress
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float64]]:
    """Draw pixels of both kinds evenly from all subjects.

    Returns
    -------
    values (n, C) float32, kinds (n,) of 0 and 1, weights (n,): how many pixels each stands for
    """
    generator = np.random.default_rng(seed)
    kept: list[NDArray[np.float32] | None] = [None, None]
    keys = [np.zeros(0), np.zeros(0)]
    totals = [0, 0]
    channels = None
    for done, subject in enumerate(subjects, 1):
        for pixels, mask in readable(dataset, [subject], channels):
            channels = len(pixels)
            for kind in (0, 1):
                found = _single(pixels[:, mask == kind].T)  # (n, C)
                totals[kind] += len(found)
                before = kept[kind]
                values = found if before is None else np.concatenate([before, found])
                drawn = np.concatenate([keys[kind], generator.random(len(found))])
                # Every pixel gets a random key, and the smallest stay: an even draw in one pass.
                stay = np.argsort(drawn)[:PER_CLASS]
                kept[kind], keys[kind] = values[stay], drawn[stay]
        progress("fitting forest", done - 1, len(subjects))
    background, foreground = kept
    if background is None or foreground is None:
        raise InputError(f"{dataset.path}: no training subject can be read: no forest to fit")
    if not totals[0] or not totals[1]:
        raise OneKindError(
            f"{dataset.path}: the training subjects hold only one kind of pixel: no forest to fit",
            foreground=totals[1] > 0,
        )
    sizes = [len(background), len(foreground)]
    weights = np.repeat([totals[0] / sizes[0], totals[1] / sizes[1]], sizes)
    return np.concatenate([background, foreground]), np.repeat([0, 1], sizes), weights
