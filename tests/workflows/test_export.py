"""An exported file answers as the model does, whatever the size; or it is not there."""

import json
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from crosspatch.config import NetworkSettings
from crosspatch.crops.recipes import Resize
from crosspatch.errors import CrosspatchError, MissingExtraError
from crosspatch.models import onnx_graph
from crosspatch.models.facts import ModelFacts
from crosspatch.models.generator import Generator
from crosspatch.models.storage import Model, save_model
from crosspatch.prediction.engines import check_graph, load_engine
from crosspatch.prediction.scene import window_predictor
from crosspatch.workflows.export import export
from sources import BANDS, make_source

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny network trained for a moment to find what is bright in a photograph."""
    skimage_data = pytest.importorskip("skimage.data")
    picture = skimage_data.astronaut().transpose(2, 0, 1)  # (3, 512, 512) uint8, ships with skimage
    bright = torch.from_numpy(picture.mean(axis=0) > 120).float()
    pixels = (torch.from_numpy(picture).float() - 110) / 80
    torch.manual_seed(0)
    network = Generator(3, width=8, depth=3)
    adam = torch.optim.Adam(network.parameters(), 3e-3)
    for step in range(40):
        row, col = (step * 97) % 384, (step * 61) % 384
        part = (slice(row, row + 128), slice(col, col + 128))
        logits = network(pixels[None, :, *part])[0, 0]
        adam.zero_grad()
        F.binary_cross_entropy_with_logits(logits, bright[part]).backward()
        adam.step()
    facts = ModelFacts(
        network=NetworkSettings(width=8, depth=3), channel_names=("red", "green", "blue"),
        mean=(110.0,) * 3, std=(80.0,) * 3, dtype="uint8", resize=Resize("scale", factor=0.5),
        crop_size=64, foreground=("bright",), threshold=0.4,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("models") / "model"
    save_model(path, facts, network.eval(), None)
    return Model.open(path), picture, bright.numpy()


def test_weights_held_in_bf16_change_no_bit_of_what_autocast_says(trained):
    model, picture, _ = trained
    held = load_engine(model, precision="bf16", device="cpu")
    cast = window_predictor(model, model.load_generator(), "bf16")
    assert np.array_equal(held.predict(picture[np.newaxis]), cast(picture[np.newaxis]))
    assert not np.array_equal(
        held.predict(picture[np.newaxis]),
        load_engine(model, precision="fp32").predict(picture[None]),
    )


def test_masks_of_real_pictures_are_equal(trained):
    model, picture, bright = trained
    threshold = model.facts.threshold
    one, other = load_engine(model, precision="fp32"), load_engine(model, "onnx")
    for pixels in (picture, np.rot90(picture, axes=(1, 2)), picture[:, 100:333, 17:400]):
        said = one.predict(pixels[np.newaxis])[0]
        again = other.predict(pixels[np.newaxis])[0]
        assert again.shape == said.shape == pixels.shape[1:]
        equal = (said >= threshold) == (again >= threshold)
        assert equal.mean() >= 0.999
        np.testing.assert_allclose(again, said, atol=1e-4)
    said = one.predict(picture[np.newaxis])[0] >= threshold
    assert (said == bright).mean() > 0.8  # it did learn something, on both sides of the threshold
    assert 0.1 < said.mean() < 0.9


def test_the_file_runs_without_crosspatch_on_any_batch_and_size(trained, tmp_path):
    model, picture, _ = trained
    made = export(model, out=tmp_path / "model.onnx")
    assert made.difference < 1e-5
    session = onnxruntime.InferenceSession(str(made.path), providers=["CPUExecutionProvider"])
    (given,), (gives,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == (
        "pixels", "tensor(float)", ["batch", 3, "height", "width"],
    )  # fmt: skip
    assert (gives.name, gives.shape) == ("probability", ["batch", "height", "width"])
    network = model.load_generator()
    for shape in ((1, 64, 64), (3, 70, 131), (2, 1, 5), (1, 33, 8)):
        pixels = np.stack([picture[:, : shape[1], : shape[2]]] * shape[0]).astype(np.float32)
        (said,) = session.run(None, {"pixels": pixels})
        with torch.inference_mode():
            expected = torch.sigmoid(network((torch.from_numpy(pixels) - 110) / 80))[:, 0]
        np.testing.assert_allclose(said, expected.numpy(), atol=1e-5)


def test_the_file_says_what_its_user_must_know(trained, tmp_path):
    model = trained[0]
    made = export(model.path, out=tmp_path / "model.onnx")
    props = {one.key: one.value for one in onnx.load(made.path).metadata_props}
    assert json.loads(props["crosspatch"]) == {
        "format": 1,
        "channels": ["red", "green", "blue"],
        "dtype": "uint8",
        "resize": {"kind": "scale", "factor": 0.5},
        "crop_size": 64,
        "foreground": ["bright"],
        "threshold": 0.4,
        "fingerprint": model.fingerprint,
    }


def test_a_channel_that_never_varied_is_only_centred(tmp_path):
    made = make_source(tmp_path / "m", BANDS, discriminator=False)
    facts = made.facts.__dict__ | {"std": (50.0, 0.0, 50.0, 50.0)}
    save_model(tmp_path / "flat", ModelFacts(**facts), made.load_generator(), None)
    assert export(tmp_path / "flat", out=tmp_path / "flat.onnx").difference < 1e-5


def test_a_graph_that_differs_is_not_left_behind(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_graph, "SLOPE", 0.1)
    with pytest.raises(CrosspatchError, match="differs from the model by"):
        export(trained[0], out=tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_nan_in_a_graph_is_a_difference(tmp_path, monkeypatch):
    model = make_source(tmp_path / "m", ("grey",))
    network = model.load_generator()
    network.head.bias.data.fill_(float("nan"))
    graph = onnx_graph.onnx_bytes(model, network)
    with pytest.raises(CrosspatchError, match="differs"):
        check_graph(model, model.load_generator(), graph)


def test_what_stands_there_is_kept_unless_told_otherwise(tmp_path):
    model = make_source(tmp_path / "m", ("grey",))
    out = tmp_path / "m.onnx"
    out.write_text("mine")
    with pytest.raises(CrosspatchError, match="exists already"):
        export(model, out=out)
    assert out.read_text() == "mine"
    export(model, out=out, overwrite=True)
    onnx.checker.check_model(onnx.load(out))
    with pytest.raises(CrosspatchError, match="is a folder"):
        export(model, out=tmp_path / "m", overwrite=True)
    with pytest.raises(CrosspatchError, match="would replace it"):
        export(model, out=model.path / "model.toml", overwrite=True)


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_extra_it_says_what_to_install(tmp_path, monkeypatch, missing):
    model = make_source(tmp_path / "m", ("grey",))
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'crosspatch\[onnx\]'"):
        export(model, out=tmp_path / "m.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize(("wish", "says"), [({"device": "cuda"}, "CPU"), ({"precision": "bf16"},
                                                                          "fp32")])  # fmt: skip
def test_the_onnx_engine_says_what_it_cannot(tmp_path, wish, says):
    model = make_source(tmp_path / "m", ("grey",))
    with pytest.raises(CrosspatchError, match=says):
        load_engine(model, "onnx", **wish)
