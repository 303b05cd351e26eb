"""The encoder that learns only whether there is any: its loss by hand, its folder, its use."""

import math

import pytest
import torch

from crosspatch.config import load_settings
from crosspatch.errors import InputError, SettingsError
from crosspatch.models.generator import Generator
from crosspatch.models.presence import PresenceNetwork, presence_loss, present
from crosspatch.models.storage import Model
from crosspatch.training.run import Run
from crosspatch.workflows.prepare import prepare
from crosspatch.workflows.train import train
from folders import half, noise, save, write_splits, write_toml

SETTINGS = {
    "network": {"width": 4, "depth": 3, "discriminator_width": 2, "discriminator_layers": 1},
    "training": {"steps": 60, "checks": 3, "batch": 4, "threads": 1, "precision": "fp32",
                 "generator_rate": 5e-3, "averaging": 0.9},
}  # fmt: skip
PRESENCE = SETTINGS | {"network": SETTINGS["network"] | {"head": "presence"}}


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    """Crops of 24 images, bright where there is any foreground; every second one holds none."""
    folder = tmp_path_factory.mktemp("presence") / "some"
    for number in range(24):
        some = number % 2 == 0
        image = noise(number, (3, 32, 32)) // 3 + (120 if some else 0)
        save(folder / f"images/s{number:02d}.png", image)
        save(folder / f"masks/s{number:02d}.png", half(32, 32) if some else half(32, 32) * 0)
    write_splits(folder, [(f"s{n:02d}", "train", f"g{n // 2}") for n in range(24)])
    write_toml(folder, channels=["red", "green", "blue"])
    return prepare(folder, recipe="windows", size=32, out=folder.parent / "crops", workers=1)


@pytest.fixture(scope="module")
def run(crops, tmp_path_factory):
    out = tmp_path_factory.mktemp("presence-run") / "run"
    return train(crops, out=out, overrides=PRESENCE, device="cpu")


def test_answers_are_read_off_masks():
    target = torch.zeros(4, 2, 2, dtype=torch.uint8)
    target[1, 0, 1] = 1
    target[2] = 255
    target[3, 0] = 255
    answer, known = present(target)
    assert answer.tolist() == [0, 1, 0, 0]
    assert known.tolist() == [True, True, False, True]


def test_the_loss_is_the_mean_cross_entropy_of_what_is_known():
    target = torch.zeros(3, 2, 2, dtype=torch.uint8)
    target[0, 0, 0] = 1
    target[2] = 255
    logits = torch.tensor([math.log(3.0), math.log(4.0), 7.0])  # odds 3 : 1 and 4 : 1
    expected = (math.log(4 / 3) + math.log(5)) / 2
    assert presence_loss(logits, target).item() == pytest.approx(expected)
    assert presence_loss(logits[2:], target[2:]).item() == 0


def test_its_encoder_is_the_generators():
    mine = PresenceNetwork(3, 4, 3).encoder.state_dict()
    theirs = Generator(3, 4, 3).encoder.state_dict()
    assert {name: one.shape for name, one in mine.items()} == {
        name: one.shape for name, one in theirs.items()
    }
    assert PresenceNetwork(2, 4, 3)(torch.zeros(5, 2, 19, 30)).shape == (5,)


def test_it_learns_to_answer_and_says_how_well(run):
    last = run.metrics()[-1]
    assert last["averaged_balanced_accuracy"] > 0.9
    assert last["plain_loss"] < math.log(2)
    assert "presence" in last
    assert not run.model.has_discriminator
    assert run.model.facts.scores["validation_balanced_accuracy"] > 0.9


def test_the_weights_that_answer_best_are_kept(crops, tmp_path):
    wins = {"keep_best": True, "steps": 12, "checks": 4}
    settings = PRESENCE | {"training": PRESENCE["training"] | wins}
    run = train(crops, out=tmp_path / "run", overrides=settings, device="cpu")
    scores = {line["step"]: line["averaged_balanced_accuracy"] for line in run.metrics()}
    best = Model.open(run.path / "best").facts
    assert best.provenance["steps"] == max(scores, key=scores.__getitem__)
    assert best.scores["validation_balanced_accuracy"] == max(scores.values())


def test_the_same_seed_comes_to_the_same_weights(run, crops, tmp_path):
    again = train(crops, out=tmp_path / "again", overrides=PRESENCE, device="cpu")
    assert again.model.fingerprint == run.model.fingerprint


def test_it_draws_no_mask_and_says_what_it_is_for(run):
    model = Model.open(run.path / "model")
    with pytest.raises(InputError, match="whether a crop shows any foreground, not where"):
        model.load_generator()
    text = (run.path / "model/README.md").read_text(encoding="utf-8")
    assert "Says whether crops show any **foreground**" in text


def test_a_mask_drawer_takes_its_encoder_but_for_the_input_layer(run, crops, tmp_path):
    warm = train(
        crops, out=tmp_path / "warm", source=run, stem="skip", steps=1,
        overrides=SETTINGS, device="cpu",
    )  # fmt: skip
    took = warm.transfer.generator
    assert {name.split(".")[0] for name in took.copied} == {"encoder"}
    assert {"presence.weight", "presence.bias"} <= set(took.unknown)
    assert took.fresh["head.weight"] == "missing in the source"
    assert set(warm.transfer.discriminator.fresh.values()) == {"the source has none"}
    assert warm.model.facts.network.head is None


def test_the_encoder_alone_can_be_asked_for(crops, tmp_path):
    source = train(crops, out=tmp_path / "source", steps=1, overrides=SETTINGS, device="cpu")
    alone = SETTINGS | {"transfer": {"layers": "encoder"}}
    warm = train(crops, out=tmp_path / "warm", source=source, steps=1, overrides=alone,
                 device="cpu")  # fmt: skip
    assert {name.split(".")[0] for name in warm.transfer.generator.copied} == {"encoder"}
    why = set(warm.transfer.generator.fresh.values())
    why |= set(warm.transfer.discriminator.fresh.values())
    assert why == {"transfer.layers = encoder"}
    assert Run.open(warm.path).settings.transfer.layers == "encoder"


def test_a_question_with_one_answer_is_warned_of(tmp_path, caplog):
    for number in range(8):
        save(tmp_path / f"all/images/s{number}.png", noise(number, (3, 32, 32)))
        save(tmp_path / f"all/masks/s{number}.png", half(32, 32))
    write_splits(tmp_path / "all", [(f"s{n}", "train", f"g{n}") for n in range(8)])
    write_toml(tmp_path / "all", channels=["red", "green", "blue"])
    crops = prepare(tmp_path / "all", recipe="windows", size=32, out=tmp_path / "c", workers=1)
    train(crops, out=tmp_path / "run", steps=1, overrides=PRESENCE, device="cpu")
    assert "100% of the training crops show foreground" in caplog.text


def test_it_goes_with_the_papers_encoder_only():
    with pytest.raises(SettingsError, match="goes with the paper's encoder"):
        load_settings(None, {"network": {"head": "presence", "encoder": "imagenet"}})
