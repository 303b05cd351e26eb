"""Baselines find what is there to be found, and say what they found."""

import builtins

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosspatch.dataset import Dataset
from crosspatch.errors import InputError, MissingExtraError
from crosspatch.evaluation.baselines import best_cut, fit_threshold
from crosspatch.evaluation.forest import fit_forest
from crosspatch.images import Image
from folders import make, save, write_splits, write_toml

histogram = st.lists(st.integers(0, 5), min_size=1, max_size=8)


def folder_of(path, images, masks, **toml):
    """A data set of given arrays, all for training."""
    for index, (image, mask) in enumerate(zip(images, masks, strict=True)):
        save(path / f"images/s{index}.tif", image)
        save(path / f"masks/s{index}.png", mask)
    write_splits(path, [(f"s{index}", "train", f"g{index}") for index in range(len(images))])
    write_toml(path, mask_values={"background": [0], "foreground": [1], "ignored": [255]}, **toml)
    return Dataset.open(path)


def claimed(method, pixels):
    return method.predict(Image(pixels)) >= method.threshold


class TestBestCut:
    def test_of_a_hand_made_histogram(self):
        # Bins hold 4, 3, 2 and 1 pixels, of which 0, 1, 2 and 1 are foreground. From bin 2 on:
        # 3 right, 3 claimed, 4 true: IoU 3 / 4. From bin 1 on: 4 / 6.
        cut = best_cut(np.array([0, 1, 2, 1]), np.array([4, 3, 2, 1]))
        assert (cut.start, cut.above, cut.iou) == (2, True, 0.75)

    def test_goes_below_where_foreground_is_dark(self):
        cut = best_cut(np.array([3, 2, 0]), np.array([3, 3, 9]))
        assert (cut.start, cut.above) == (2, False)
        assert cut.iou == pytest.approx(5 / 6)
        upwards = best_cut(np.array([3, 2, 0]), np.array([3, 3, 9]), directions=(True,))
        assert (upwards.start, upwards.above) == (0, True)

    @given(histogram, histogram)
    def test_no_other_cut_is_better(self, right, wrong):
        size = min(len(right), len(wrong))
        right, wrong = np.array(right[:size]), np.array(wrong[:size])
        found = best_cut(right, right + wrong)

        def iou(chosen):
            union = right.sum() + wrong[chosen].sum()
            return right[chosen].sum() / union if union else 0.0

        bins = np.arange(size)
        every = [iou(bins >= k) for k in range(size + 1)] + [iou(bins < k) for k in range(size + 1)]
        assert found.iou == pytest.approx(max(every))
        assert iou(bins >= found.start if found.above else bins < found.start) == found.iou


class TestThreshold:
    def test_on_a_band_is_found_exactly(self, tmp_path):
        generator = np.random.default_rng(0)
        images = generator.integers(0, 256, (3, 2, 30, 40)).astype(np.uint8)
        masks = (images[:, 1] < 77).astype(np.uint8)
        masks[0, :5] = 255  # where nobody knows, nothing counts
        images[0, 1, :5] = 200
        method = fit_threshold(dataset := folder_of(tmp_path, images, masks, channels=["a", "b"]),
                               dataset.subjects)  # fmt: skip
        assert method.says == "b < 77, fitted on 3 subjects (IoU 1.000 there)"
        assert np.array_equal(claimed(method, images[1]), masks[1] == 1)

    def test_on_a_normalised_difference_is_found(self, tmp_path):
        generator = np.random.default_rng(1)
        light = generator.integers(40, 2000, (2, 1, 40, 40))  # brightness hides single bands
        index = generator.uniform(-0.9, 0.9, (2, 1, 40, 40))
        pair = np.concatenate([light * (1 + index), light * (1 - index)], axis=1)
        noise = generator.integers(0, 4000, (2, 1, 40, 40))
        images = np.concatenate([noise, pair], axis=1).round().astype(np.uint16)
        masks = (index[:, 0] >= 0.25).astype(np.uint8)
        dataset = folder_of(tmp_path, images, masks)
        method = fit_threshold(dataset, dataset.subjects)
        assert method.says.startswith("(band 2 - band 3) / (band 2 + band 3) >= 0.2")
        assert np.mean(claimed(method, images[0]) != (masks[0] == 1)) < 0.01

    @pytest.mark.parametrize("dtype", [np.int16, np.float32])
    def test_takes_negative_values_and_floats(self, tmp_path, dtype):
        images = np.linspace(-500, 300, 2 * 64).reshape(1, 2, 8, 8).astype(dtype)
        masks = (images[:, 0] < -320).astype(np.uint8)
        dataset = folder_of(tmp_path, images, masks)
        method = fit_threshold(dataset, dataset.subjects)
        assert np.array_equal(claimed(method, images[0]), masks[0] == 1)

    def test_ranks_pixels_by_how_far_they_are_from_the_cut(self, tmp_path):
        images = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
        masks = (images[:, 0] >= 100).astype(np.uint8)
        dataset = folder_of(tmp_path, images, masks)
        said = fit_threshold(dataset, dataset.subjects).predict(Image(images[0])).ravel()
        assert (np.diff(said) > 0).all()
        assert said[99] < 0.01
        assert said[100] >= 0.99
        dark = folder_of(tmp_path / "dark", images, 1 - masks)
        said = fit_threshold(dark, dark.subjects).predict(Image(images[0])).ravel()
        assert (np.diff(said) < 0).all()
        assert said[99] >= 0.99 > 0.01 >= said[100]

    def test_needs_foreground(self, tmp_path):
        images = np.zeros((1, 1, 4, 4), dtype=np.uint8)
        dataset = folder_of(tmp_path, images, images[:, 0])
        with pytest.raises(InputError, match="no training subject has foreground"):
            fit_threshold(dataset, dataset.subjects)

    def test_leaves_out_what_cannot_be_read(self, tmp_path):
        images = np.arange(512, dtype=np.uint16).reshape(2, 1, 16, 16)
        dataset = folder_of(tmp_path, images, (images[:, 0] > 200).astype(np.uint8))
        dataset.subjects[0].image.write_bytes(b"II*\0 broken")
        assert "IoU 1.000" in fit_threshold(dataset, dataset.subjects).says
        dataset.subjects[1].image.write_bytes(b"II*\0 broken")
        with pytest.raises(InputError, match="no training subject can be read"):
            fit_threshold(dataset, dataset.subjects)


class TestForest:
    def test_finds_what_no_threshold_can(self, tmp_path):
        generator = np.random.default_rng(2)
        images = generator.integers(0, 256, (3, 2, 40, 40)).astype(np.uint8)
        masks = ((images[:, 0] > 128) ^ (images[:, 1] > 128)).astype(np.uint8)
        dataset = folder_of(tmp_path, images, masks)
        forest = fit_forest(dataset, dataset.subjects[:2])
        threshold = fit_threshold(dataset, dataset.subjects[:2])
        assert np.mean(claimed(forest, images[2]) == masks[2]) > 0.95
        assert np.mean(claimed(threshold, images[2]) == masks[2]) < 0.7
        assert forest.says == "100 trees on 3200 pixels of 2 subjects"

    def test_threshold_knows_that_foreground_is_rare(self, tmp_path):
        # One pixel in fifty is foreground, and half of what looks like it is not: a forest grown
        # on balanced pixels would claim all that looks alike.
        generator = np.random.default_rng(3)
        images = generator.integers(0, 100, (1, 1, 200, 200)).astype(np.uint8)
        likely = images[:, 0] >= 96
        masks = (likely & (generator.uniform(size=likely.shape) < 0.1)).astype(np.uint8)
        masks |= (images[:, 0] == 99).astype(np.uint8)
        dataset = folder_of(tmp_path, images, masks)
        found = claimed(fit_forest(dataset, dataset.subjects), images[0])
        assert np.array_equal(np.unique(images[0, 0][found]), [99])

    def test_takes_values_beyond_single_precision(self, tmp_path):
        images = np.arange(256, dtype=np.float64).reshape(1, 1, 16, 16)
        images[0, 0, 0] = -1.797e308  # what some programs write where there is no data
        dataset = folder_of(tmp_path, images, (images[:, 0] > 128).astype(np.uint8))
        found = claimed(fit_forest(dataset, dataset.subjects), images[0])
        assert np.mean(found == (images[0, 0] > 128)) > 0.95

    def test_is_the_same_for_the_same_seed(self, tmp_path):
        dataset = Dataset.open(make(tmp_path / "noise"))
        image = dataset.read_image(dataset.subjects[5])
        first, again, other = (
            fit_forest(dataset, dataset.subjects[:4], seed=seed).predict(image)
            for seed in (1, 1, 2)
        )
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)

    def test_needs_both_kinds_of_pixels_and_the_trained_channels(self, tmp_path):
        images = np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8)
        dataset = folder_of(tmp_path / "one", images, np.ones((1, 8, 8), np.uint8))
        with pytest.raises(InputError, match="only one kind of pixel"):
            fit_forest(dataset, dataset.subjects)
        dataset = folder_of(tmp_path / "two", images, (images[:, 0] > 20).astype(np.uint8))
        method = fit_forest(dataset, dataset.subjects)
        with pytest.raises(InputError, match="has 2 channels, the training images 1"):
            method.predict(Image(np.zeros((2, 8, 8), np.uint8)))

    def test_without_its_extra_says_how_to_get_it(self, tmp_path, monkeypatch):
        real = builtins.__import__

        def missing(name, *rest):
            if name.startswith("sklearn"):
                raise ImportError(name)
            return real(name, *rest)

        dataset = Dataset.open(make(tmp_path / "data"))
        monkeypatch.setattr(builtins, "__import__", missing)
        with pytest.raises(MissingExtraError, match=r"pip install 'crosspatch\[baselines\]'"):
            fit_forest(dataset, dataset.subjects)
