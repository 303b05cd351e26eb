"""Measures of a source on a target: right by hand, and ordered as they should be."""

import math

import numpy as np
import pytest
import torch

from crosspatch.models.storage import Model, save_model
from crosspatch.studies.measures import (
    adapted,
    divergence,
    draw_pixels,
    h_score,
    leep,
    log_me,
    measure,
    regrets,
)
from sources import BANDS, NETWORK, RGB, make_source


def clouds(apart, *, n=400, d=5, seed=0):
    """Features of two classes whose means lie ``apart`` standard deviations from one another."""
    generator = np.random.default_rng(seed)
    labels = np.repeat([0, 1], n // 2)
    features = generator.normal(0, 1, (n, d))
    features[:, 0] += apart * labels
    return features, labels


def evidence(features, labels, alpha, beta):
    """Log evidence a sample of a linear model with these precisions, by the textbook."""
    x, y = features - features.mean(axis=0), labels - labels.mean()
    covariance = np.eye(len(y)) / beta + x @ x.T / alpha
    _, log_determinant = np.linalg.slogdet(covariance)
    fit = y @ np.linalg.solve(covariance, y)
    return -(len(y) * math.log(2 * math.pi) + log_determinant + fit) / 2 / len(y)


def test_log_me_is_the_highest_evidence_of_a_linear_model():
    features, labels = clouds(1.0, n=60, d=3)
    grid = np.exp(np.linspace(-3, 6, 80))
    best = max(evidence(features, labels, a, b) for a in grid for b in grid)
    assert log_me(features, labels) == pytest.approx(best, abs=0.002)


def test_log_me_with_more_features_than_pixels_is_the_same_evidence():
    features, labels = clouds(1.0, n=12, d=20)
    grid = np.exp(np.linspace(-3, 6, 80))
    best = max(evidence(features, labels, a, b) for a in grid for b in grid)
    assert log_me(features, labels) == pytest.approx(best, abs=0.01)


def test_h_score_by_hand():
    # One feature: variance between the classes over the whole variance.
    features, labels = np.array([[0.0], [2.0], [4.0], [6.0]]), np.array([0, 0, 1, 1])
    assert h_score(features, labels) == pytest.approx(4 / 5)


def test_leep_by_hand():
    # A head that is always right, and one that knows nothing.
    labels = np.array([0, 0, 1, 1])
    assert leep(np.array([0.0, 0.0, 1.0, 1.0]), labels) == pytest.approx(0)
    assert leep(np.full(4, 0.5), labels) == pytest.approx(math.log(0.5))
    # A head that is always wrong is as useful as one that is right.
    assert leep(np.array([1.0, 1.0, 0.0, 0.0]), labels) == pytest.approx(0)


@pytest.mark.parametrize("of", [log_me, h_score])
def test_classes_that_lie_apart_are_better_features(of):
    scores = [of(*clouds(apart)) for apart in (0, 0.5, 1, 2, 4)]
    assert scores == sorted(scores)


def test_divergence_by_hand():
    assert divergence(*map(np.array, ([1.0], [2.0], [1.0], [2.0]))) == pytest.approx(0)
    # N(0, 1) and N(1, 1): (1 + 1) / 2 + (1 + 1) / 2 - 1 = 1
    assert divergence(*map(np.array, ([0.0], [1.0], [1.0], [1.0]))) == pytest.approx(1)
    assert np.isfinite(divergence(*map(np.array, ([0.0], [0.0], [1.0], [1.0]))))


def test_as_many_pixels_of_both_kinds_are_drawn_and_none_that_is_ignored():
    masks = np.full((2, 8, 8), 255, dtype=np.uint8)
    masks[0, :2], masks[1, :4] = 1, 0
    drawn = masks[draw_pixels(masks, 0)]
    assert sorted(drawn) == [0] * 16 + [1] * 16
    assert draw_pixels(np.zeros((1, 8, 8), dtype=np.uint8), 0) is None


def test_regret_is_what_a_choice_lost():
    scores = {"kelp": {"photos": 0.7, "em": 0.75}, "roads": {"photos": 0.5, "em": 0.4}}
    assert regrets({"kelp": "photos", "roads": "photos"}, scores) == pytest.approx(
        {"kelp": 0.05, "roads": 0}
    )


def test_same_channels_keep_their_input_layer_and_new_ones_add_nothing(tmp_path):
    model = make_source(tmp_path / "photos", RGB)
    same, how = adapted(model, RGB)
    other, otherwise = adapted(model, BANDS)
    theirs = model.load_generator().encoder[0].conv.weight
    assert (how, otherwise) == ("copy", "mean")
    assert torch.equal(same.encoder[0].conv.weight, theirs)
    weight = other.encoder[0].conv.weight
    assert not weight[:, 3].any()  # near infrared: all that the source knows is given away
    assert torch.equal(weight[:, 0], theirs[:, 2])  # blue, wherever it stands
    assert torch.equal(other.encoder[1].conv.weight, model.load_generator().encoder[1].conv.weight)


@pytest.mark.parametrize(
    ("source", "target", "weights"),
    [
        (RGB, ("grey",), [9]),  # the source's are 2, 3 and 4
        (("grey",), RGB, [2 / 3] * 3),
        (RGB, ("red", "nir", "swir"), [2, 3.5, 3.5]),
        (RGB, ("green", "red"), [5, 4]),  # blue is shared by the two that are left
    ],
)
def test_the_sum_of_the_input_weights_stays_whatever_the_channels(
    tmp_path, source, target, weights
):
    model = make_source(tmp_path / "a", source)
    network = model.load_generator()
    for place, value in enumerate((2.0, 3.0, 4.0)[: len(source)]):
        network.encoder[0].conv.weight.data[:, place] = value
    save_model(model.path, model.facts, network, model.load_discriminator())
    found, how = adapted(Model.open(model.path), target)
    assert how == "mean"
    assert found.encoder[0].conv.weight[0, :, 0, 0].tolist() == pytest.approx(weights)


def test_grey_images_are_as_near_in_one_channel_as_in_three(tmp_path):
    grey = crops_of(1)[:, :1]
    source = settle(tmp_path / "a", grey.repeat(1, 3, 1, 1))
    assert measure(source, ("grey",), grey, masks_of()).distance == pytest.approx(0, abs=1e-3)
    assert measure(source, ("grey",), grey / 3, masks_of()).distance > 0.1


def crops_of(seed, spread=1.0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((4, 3, 32, 32), generator=generator) * spread


def masks_of():
    masks = np.zeros((4, 32, 32), dtype=np.uint8)
    masks[:, :16] = 1
    return masks


def settle(path, images):
    """Make a source whose batch norm has seen these images."""
    model = make_source(path, RGB)
    network = model.load_generator().train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
            module.reset_running_stats()
    with torch.no_grad():
        network(images)
    save_model(path, model.facts, network, model.load_discriminator())
    return Model.open(path)


def test_a_source_that_has_seen_such_images_is_near(tmp_path):
    source = settle(tmp_path / "a", crops_of(1))
    near = measure(source, RGB, crops_of(2), masks_of()).distance
    far = measure(source, RGB, crops_of(2, spread=3.0), masks_of()).distance
    assert 5 * near < far


def test_measures_repeat_and_do_not_depend_on_the_batch(tmp_path):
    source = make_source(tmp_path / "a", RGB, network=NETWORK)
    first = measure(source, RGB, crops_of(1), masks_of())
    assert measure(source, RGB, crops_of(1), masks_of()) == first
    small = measure(source, RGB, crops_of(1), masks_of(), batch=1)
    assert small.distance == pytest.approx(first.distance, rel=1e-3)
    assert small.log_me == pytest.approx(first.log_me, abs=1e-3)


def test_without_labels_there_is_the_distance(tmp_path):
    source = make_source(tmp_path / "a", RGB)
    empty = np.full((4, 32, 32), 255, dtype=np.uint8)
    found = measure(source, RGB, crops_of(1), empty)
    assert math.isnan(found.log_me)
    assert math.isfinite(found.distance)
