"""Training at the edges of what it takes: odd types, tiny crops, one crop, crops of no label."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from crosspatch.config import load_settings
from crosspatch.crops import Crops
from crosspatch.errors import InputError, SettingsError
from crosspatch.models.discriminator import Discriminator, verdict_side
from crosspatch.models.losses import focal_tversky_loss
from crosspatch.training.batches import Batches
from crosspatch.training.samples import choose
from crosspatch.training.validation import score
from crosspatch.training.work import fewest_crops, refuse_small_crops
from crosspatch.workflows.prepare import prepare
from crosspatch.workflows.train import train
from folders import half, noise, save

CPU = torch.device("cpu")


def tiny(depth, **training):
    return load_settings(
        None,
        {
            "network": {"width": 4, "depth": depth, "discriminator_width": 4},
            "training": {"steps": 2, "checks": 1, "batch": 2, "threads": 1, "precision": "fp32"}
            | training,
        },
    )


class Loaded:
    """Stands for `Batches`: crops and masks that are there already."""

    def __init__(self, images, masks):
        self.images, self.masks = images, masks

    def load(self, rows, versions):
        return self.images[rows], self.masks[rows]


class TestValidationLoss:
    @pytest.fixture
    def crops(self):
        torch.manual_seed(3)
        masks = torch.zeros(5, 8, 8, dtype=torch.uint8)
        masks[:, :3] = 1
        return torch.randn(5, 1, 8, 8), masks

    def loss(self, images, masks, batch):
        rows = np.arange(len(images))
        return score(nn.Identity(), Loaded(images, masks), rows, batch=batch, precision="fp32")[
            "loss"
        ]

    @pytest.mark.parametrize("batch", [1, 2, 5])
    def test_a_crop_of_no_label_does_not_count(self, crops, batch):
        images, masks = crops
        masks[[1, 4]] = 255
        kept = [0, 2, 3]
        expected = focal_tversky_loss(torch.sigmoid(images[kept, 0]), masks[kept]).item()
        assert self.loss(images, masks, batch) == pytest.approx(expected, rel=1e-6)

    def test_without_any_label_there_is_no_loss(self, crops):
        images, masks = crops
        assert np.isnan(self.loss(images, torch.full_like(masks, 255), 2))

    def test_where_all_count_it_is_the_mean_over_crops_to_the_bit(self, crops):
        images, masks = crops
        parts = [
            focal_tversky_loss(torch.sigmoid(images[a:b, 0]), masks[a:b]).double().item() * (b - a)
            for a, b in ((0, 2), (2, 4), (4, 5))
        ]
        assert self.loss(images, masks, 2) == sum(parts) / 5


class TestTypes:
    @pytest.mark.parametrize(
        "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32",
                  "float64"],
    )  # fmt: skip
    def test_every_type_that_is_packed_is_trained_on(self, dtype):
        pixels = noise(4, (3, 2, 8, 8)).astype(np.uint8) // 2
        masks = np.zeros((3, 8, 8), np.uint8)
        crops = SimpleNamespace(
            images=pixels.astype(dtype), masks=masks, statistics=((3.0, 5.0), (2.0, 4.0))
        )
        image, _ = Batches(crops, CPU).load(np.array([2, 0]), np.array([0, 5]))
        expected = torch.from_numpy(
            (pixels[[2]] - np.array([3.0, 5.0])[:, None, None]).astype("f4")
        )
        assert image.dtype == torch.float32
        assert torch.equal(image[:1] * torch.tensor([2.0, 4.0]).view(1, 2, 1, 1), expected)


class OneByOne:
    """Masks that note which of them were looked at."""

    def __init__(self, masks):
        self.masks, self.looked = masks, []

    def __getitem__(self, row):
        self.looked.append(int(row))
        return self.masks[row]


class TestWhatTheMasksKnow:
    """Four crops of a subject each; the last one is for validation."""

    def choose(self, masks):
        names = np.array(list("abcd"))
        table = {"subject": names, "group": names, "split": np.array(["train"] * 3 + ["val"])}
        crops = SimpleNamespace(path="pack", table=table, masks=OneByOne(masks))
        try:
            return choose(crops, 1.0, 0.25, 0)
        finally:
            self.looked = crops.masks.looked

    @pytest.fixture
    def ignored(self):
        return np.full((4, 2, 2), 255, np.uint8)

    def test_training_crops_that_know_no_pixel_are_refused(self, ignored):
        ignored[3] = 1  # what validation knows teaches nothing
        with pytest.raises(InputError, match=r"all pixels of the 3 training crops .* are ignored"):
            self.choose(ignored)

    def test_one_pixel_of_background_is_enough_and_said(self, ignored):
        ignored[1, 0, 1] = 0
        assert self.choose(ignored).said == (
            "no training crop holds foreground: the model will learn to draw nothing",
        )
        assert self.looked == [0, 1, 2, 0, 1]

    def test_no_crop_is_looked_at_after_the_first_with_foreground(self, ignored):
        ignored[1, 0, 1] = 1
        assert self.choose(ignored).said == ()
        assert self.looked == [0, 1]


@pytest.mark.parametrize(("device", "ahead"), [("cuda", True), ("mps", False), ("cpu", False)])
def test_only_cuda_is_not_waited_for(monkeypatch, device, ahead):
    def to(tensor, where, **how):
        moved.extend((str(where), wish) for wish in how.values())
        return tensor

    moved = []
    crops = SimpleNamespace(
        images=np.zeros((1, 2, 8, 8), np.uint16), masks=np.zeros((1, 8, 8), np.uint8),
        statistics=((0.0, 0.0), (1.0, 1.0)),
    )  # fmt: skip
    monkeypatch.setattr(torch.Tensor, "to", to)
    Batches(crops, torch.device(device)).load(np.array([0]), np.array([0]))
    assert moved == [(device, ahead)] * 2


class TestSmallCrops:
    @pytest.mark.parametrize("layers", [1, 2, 3])
    @pytest.mark.parametrize("size", [13, 24, 31, 64])
    def test_verdicts_are_counted_as_the_network_gives_them(self, size, layers):
        expected = verdict_side(size, layers)
        network = Discriminator(2, 4, layers).eval()
        if expected < 1:
            with pytest.raises(RuntimeError):
                network(torch.zeros(1, 2, size, size))
        else:
            assert network(torch.zeros(1, 2, size, size)).shape[-1] == expected

    def test_too_small_for_the_discriminator_is_said(self):
        refuse_small_crops(tiny(4), 24)
        with pytest.raises(SettingsError, match=r"crops of 23 pixels .* 3 layers, which needs 24"):
            refuse_small_crops(tiny(4), 23)

    def test_without_an_adversary_any_size_will_do(self):
        alone = load_settings(None, {"loss": {"adversarial_weight": 0}})
        refuse_small_crops(alone, 16)


@pytest.mark.parametrize(("size", "depth", "fewest"), [(64, 6, 2), (65, 6, 1), (64, 5, 1)])
def test_one_crop_is_enough_where_the_bottleneck_is_larger_than_a_pixel(size, depth, fewest):
    assert fewest_crops(size, depth) == fewest


def test_one_subject_of_one_crop_is_trained_on(tmp_path):
    save(tmp_path / "d/images/a.png", noise(0, (3, 64, 64)))
    save(tmp_path / "d/masks/a.png", half(64, 64))
    crops = prepare(tmp_path / "d", recipe="windows", size=64, out=tmp_path / "crops")
    assert len(Crops.open(crops)) == 1
    run = train(crops, out=tmp_path / "run", config=tiny(6))
    assert run.metrics()[-1]["step"] == 2
    weights = run.model.load_generator().state_dict()
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())
