"""Model folders come back as they were written; what is hostile or broken is refused, unopened."""

import json
import pickle
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from crosspatch import Model
from crosspatch.config import NetworkSettings
from crosspatch.crops.recipes import Resize
from crosspatch.errors import CrosspatchError, InputError
from crosspatch.models.card import card
from crosspatch.models.facts import ModelFacts
from crosspatch.models.storage import (
    build_discriminator,
    build_generator,
    save_model,
    save_weights,
    standardise,
)

NETWORK = NetworkSettings(width=4, depth=3, discriminator_width=4)


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(1)
    facts = ModelFacts(
        network=NETWORK,
        channel_names=("red", "nir"),
        mean=(10.0, 20.5),
        std=(2.0, 4.0),
        dtype="uint8",
        resize=Resize("scale", factor=0.5),
        crop_size=64,
        foreground=("kelp",),
        provenance={"data": "kelp of a test", "licence": "CC0", "steps": 3, "seed": 1},
        scores={"validation_iou": 0.625},
        contents=frozenset({"aa", "bb"}),
        source_contents=frozenset({"bb", "cc"}),
    )
    generator = build_generator(NETWORK, 2).to(memory_format=torch.channels_last)
    discriminator = build_discriminator(NETWORK, 2)
    save_model(tmp_path / "model", facts, generator, discriminator)
    return tmp_path / "model", facts, generator.eval(), discriminator.eval()


def test_a_saved_model_comes_back_whole(saved):
    path, facts, generator, discriminator = saved
    model = Model.open(path)
    assert model.facts == facts
    image = torch.randn(1, 2, 32, 32)
    assert torch.equal(model.load_generator()(image), generator(image))
    pair = torch.randn(1, 3, 48, 48)
    assert torch.equal(model.load_discriminator()(pair), discriminator(pair))
    assert not model.load_generator().training


def test_weights_are_written_as_safetensors_writes_them(tmp_path):
    network = build_discriminator(NETWORK, 2).to(memory_format=torch.channels_last)
    save_weights(tmp_path / "ours", network)
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, tmp_path / "theirs")
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


@pytest.mark.parametrize("place", ["model", ".model.partial-1234"])
def test_weights_that_cannot_be_written_are_said(tmp_path, place):
    path = tmp_path / place / "generator.safetensors"
    path.mkdir(parents=True)  # stands for a full disk: no file can be written here
    with pytest.raises(CrosspatchError, match=r"generator\.safetensors: could not be written"):
        save_weights(path, build_discriminator(NETWORK, 2))


def test_the_card_says_data_licence_scores_and_limits(saved):
    card = (saved[0] / "README.md").read_text()
    for word in ("kelp of a test", "CC0", "0.625", "Limits", "from scratch", "spent: 2"):
        assert word in card


def test_the_card_of_a_warm_start_says_its_source_and_what_was_taken(saved):
    source = {
        "source": "photos", "source_fingerprint": "0123456789abcdef", "transfer": ["stem: skip"],
        "source_data": "COCO", "source_licence": "CC BY 4.0",
    }  # fmt: skip
    told = replace(saved[1], provenance=source, source_contents=frozenset("xyz"))
    text = card(told)
    assert "Started from: photos (fingerprint 0123456789ab), which had seen 3 labelled" in text
    for word in ("source's data: COCO", "source's data: CC BY 4.0", "- stem: skip"):
        assert word in text
    assert "from scratch" not in text
    assert told.seen == {"aa", "bb", "x", "y", "z"}


def test_standardise_uses_each_channels_own_numbers():
    image = torch.tensor([[[[12]], [[20]]]], dtype=torch.uint8)  # (1, 2, 1, 1)
    out = standardise(image, (10.0, 20.0), (2.0, 0.0))
    assert out.dtype == torch.float32
    assert out.flatten().tolist() == [1.0, 0.0]


def test_the_fingerprint_changes_with_a_weight_of_either_network(saved):
    path, facts, generator, discriminator = saved
    prints = {Model.open(path).fingerprint}
    for layer in (generator.head, discriminator.blocks[0]):
        with torch.no_grad():
            layer.bias.add_(1.0)
        save_model(path, facts, generator, discriminator)
        prints.add(Model.open(path).fingerprint)
    (path / "discriminator.safetensors").unlink()
    prints.add(Model.open(path).fingerprint)
    assert len(prints) == 4


def test_a_pickle_is_refused_and_never_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was opened",))

    (tmp_path / "unet.pth").write_bytes(pickle.dumps(Bomb()))
    for path in (tmp_path / "unet.pth", tmp_path):
        with pytest.raises(InputError, match="pickle"):
            Model.open(path)


def test_a_pickle_under_our_own_name_is_refused(saved):
    path = saved[0]
    (path / "generator.safetensors").write_bytes(pickle.dumps(np.zeros(3)))
    with pytest.raises(InputError, match="not a safetensors file"):
        Model.open(path)


def test_a_header_that_claims_a_terabyte_is_refused(saved):
    path = saved[0]
    header = json.dumps(
        {"head.weight": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}}
    ).encode()
    (path / "generator.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(InputError, match=r"generator\.safetensors"):
        Model.open(path)


@pytest.mark.parametrize("key", ["width", "discriminator_width"])
@pytest.mark.parametrize("claimed", [4097, 10**9, 10**30])
def test_a_description_that_claims_more_than_any_machine_holds_is_refused(saved, key, claimed):
    path = saved[0] / "model.toml"
    path.write_text(path.read_text().replace(f"\n{key} = 4", f"\n{key} = {claimed}", 1))
    with pytest.raises(InputError, match=rf"{key} Input should be less than or equal to 4096"):
        Model.open(saved[0])


def test_the_widest_networks_that_may_be_described_are_compared_without_memory(saved):
    path = saved[0] / "model.toml"
    wide = path.read_text().replace("width = 4", "width = 4096").replace("depth = 3", "depth = 10")
    path.write_text(wide.replace("discriminator_layers = 3", "discriminator_layers = 6"))
    with pytest.raises(InputError, match=r"generator\.safetensors: does not fit"):
        Model.open(saved[0])


def test_weights_of_another_architecture_are_named(saved):
    path = saved[0]
    text = (path / "model.toml").read_text().replace("width = 4", "width = 8", 1)
    (path / "model.toml").write_text(text)
    with pytest.raises(InputError, match="does not fit"):
        Model.open(path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("format = 1", "format = 99", "newer"),
        ('channels = ["red", "nir"]', 'channels = ["red"]', "one entry a channel"),
        ("threshold = 0.5", 'threshold = "high"', "threshold|float"),
        ("width = 4", "width = -4", "width"),
        ('dtype = "uint8"', "", "no 'dtype'"),
        ('dtype = "uint8"', 'dtype = "pixels"', "the dtype 'pixels' is none of ours"),
        ('dtype = "uint8"', 'dtype = ","', "the dtype ',' is none of ours"),
        ('dtype = "uint8"', 'dtype = "object"', "the dtype 'object' is none of ours"),
        ('dtype = "uint8"', 'dtype = "f4,f4"', "the dtype 'f4,f4' is none of ours"),
        ("threshold = 0.5", "threshold = nan", "threshold from 0 to 1"),
        ("threshold = 0.5", "threshold = 50", "threshold from 0 to 1"),
        ("mean = [", "mean = [nan, ", "one entry a channel|no number"),
        ("crop_size = ", "crop_size = -", "crop_size must be from 1 to 16384"),
        ("crop_size = ", "crop_size = 1000", "crop_size must be from 1 to 16384"),
        ("crop_size = 64", "crop_size = inf", "cannot convert float infinity to integer"),
        ("factor = 0.5", f"factor = {10**400}", "int too large to convert to float"),
        ("[provenance]", "[[provenance]]", "dictionary|sequence"),
    ],
)
def test_a_damaged_description_is_said(saved, old, new, says):
    path = saved[0] / "model.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=says):
        Model.open(saved[0])


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_no_numbers_are_refused(saved, value):
    path, facts, generator, _ = saved
    with torch.no_grad():
        generator.head.bias[0] = value
    save_model(path, facts, generator, None)
    with pytest.raises(InputError, match=r"head\.bias holds NaN or infinite values"):
        Model.open(path).load_generator()


def test_a_missing_generator_is_said(saved):
    (saved[0] / "generator.safetensors").unlink()
    with pytest.raises(InputError, match="is missing"):
        Model.open(saved[0])


def test_another_folder_is_no_model(tmp_path):
    with pytest.raises(InputError, match="not a model folder"):
        Model.open(tmp_path)


def test_a_model_fetched_from_a_hub_is_the_same_model(saved, tmp_path):
    """The hub's client lays a snapshot of links into a folder of blobs, named by their content."""
    blobs = tmp_path / "models--them--kelp/blobs"
    snapshot = tmp_path / "models--them--kelp/snapshots/0a1b"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (saved[0] / ".gitattributes").write_text("*.safetensors filter=lfs\n")
    for number, path in enumerate(sorted(saved[0].iterdir())):
        (blobs / str(number)).write_bytes(path.read_bytes())
        try:
            (snapshot / path.name).symlink_to(blobs / str(number))
        except OSError:
            pytest.skip("links need a privilege here; the hub's client then copies")
    fetched = Model.open(snapshot)
    assert fetched.fingerprint == Model.open(saved[0]).fingerprint
    image = torch.rand(1, 2, 16, 16)
    with torch.inference_mode():
        expected = Model.open(saved[0]).load_generator()(image)
        assert torch.equal(fetched.load_generator()(image), expected)
    head = (snapshot / "README.md").read_text().split("---\n")
    assert head[0] == ""
    assert "library_name: crosspatch" in head[1]
