"""A run that starts from another model: wired from the command line to the model's card."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from crosspatch.cli import main
from crosspatch.config import load_settings
from crosspatch.errors import InputError, LeakError, SettingsError
from crosspatch.files import read_toml
from crosspatch.training.run import Run
from crosspatch.workflows import train as workflow
from crosspatch.workflows.evaluate import evaluate
from crosspatch.workflows.info import info
from crosspatch.workflows.train import resume, train
from sources import BANDS, NETWORK, RGB, make_source

STEPS = {"steps": 6, "checks": 2, "batch": 4, "threads": 1, "precision": "fp32"}
SETTINGS = {"training": STEPS}


@pytest.fixture
def source(tmp_path):
    return make_source(tmp_path / "bands", BANDS, contents={"a", "b"})


@pytest.fixture
def built(monkeypatch):
    """Networks of runs that were built, written down, and not trained."""
    works = []
    monkeypatch.setattr(workflow, "_go", lambda run, progress, work: works.append(work) or run)
    return works


def networks(work):
    return {
        f"{kind}/{name}": tensor
        for kind, network in work.trained.items()
        for name, tensor in network.state_dict().items()
    }


def test_at_step_0_it_differs_from_scratch_only_where_the_source_was_copied(
    disc_crops, source, tmp_path, built
):
    scratch = load_settings(None, {"network": NETWORK.model_dump(), **SETTINGS})
    train(disc_crops, out=tmp_path / "scratch", config=scratch)
    train(disc_crops, out=tmp_path / "warm", source=source, overrides=SETTINGS)
    cold, warm = map(networks, built)
    assert cold.keys() == warm.keys()
    stems = {"generator/encoder.0.conv.weight", "generator/encoder.0.conv.bias",
             "discriminator/blocks.0.weight", "discriminator/blocks.0.bias"}  # fmt: skip
    saved = {
        f"{kind}/{name}": tensor
        for kind in ("generator", "discriminator")
        for name, tensor in load_file(source.path / f"{kind}.safetensors").items()
    }
    for name in warm:
        assert torch.equal(warm[name], (cold if name in stems else saved)[name]), name
        assert name in stems or not torch.equal(warm[name], cold[name]), name
    average = built[1].average.network.state_dict()
    assert all(torch.equal(average[n.split("/", 1)[1]], warm[n]) for n in warm if n[0] == "g")
    assert built[1].settings.network == built[0].settings.network


def test_everything_else_of_a_run_is_as_from_scratch(disc_crops, source, tmp_path, built):
    train(disc_crops, out=tmp_path / "scratch", overrides=SETTINGS)
    train(disc_crops, out=tmp_path / "warm", source=source, overrides=SETTINGS)
    cold, warm = built
    assert cold.chosen.subjects == warm.chosen.subjects
    for step in range(3):
        for one, other in zip(cold.order.at(step), warm.order.at(step), strict=True):
            assert (one == other).all()
    settings = [work.settings.model_dump(exclude={"network"}) for work in built]
    assert settings[0] == settings[1]


def test_the_run_and_its_model_say_where_they_come_from(disc_crops, source, tmp_path):
    run = train(disc_crops, out=tmp_path / "runs/warm", source=source, overrides=SETTINGS)
    told = run.table["source"]
    assert told == {"path": "../../bands", "name": "bands", "fingerprint": source.fingerprint}
    assert run.transfer.channels == dict.fromkeys(RGB, "fresh")
    facts = run.model.facts
    assert facts.network == NETWORK
    assert facts.source_contents == {"a", "b"}
    assert not facts.contents & {"a", "b"}
    assert facts.provenance["source"] == "bands"
    assert facts.provenance["source_fingerprint"] == source.fingerprint
    assert facts.provenance["source_licence"] == "CC BY 4.0"
    assert facts.provenance["transfer"] == run.transfer.lines()
    card = (run.model.path / "README.md").read_text()
    assert "Started from: bands" in card
    assert "stem: skip" in card
    assert str(tmp_path) not in card + (run.path / "run.toml").read_text()
    shown = info(run.model.path).facts
    assert shown["labelled subjects its sources had seen"] == 2
    assert shown["source"] == "bands"
    assert "other sensors" in shown["limits"]
    assert info(run.path).facts["started from"] == "bands"


def test_a_source_of_a_source_is_not_forgotten(disc_crops, tmp_path, built):
    told = {"data": "kelp", "licence": "CC0", "source_data": "photos\n# COCO", "source_licence": ""}
    first = make_source(
        tmp_path / "kelp", contents={"k"}, source_contents=frozenset("p"), provenance=told
    )
    run = train(disc_crops, out=tmp_path / "run", source=first, overrides=SETTINGS)
    assert run.source_contents == {"k", "p"}
    assert run.table["provenance"]["source_data"] == "kelp; photos # COCO"
    assert run.table["provenance"]["source_licence"] == "CC0"


@pytest.mark.slow
def test_runs_are_sources_too(disc_crops, tmp_path):
    first = train(
        disc_crops, out=tmp_path / "first",
        overrides={**SETTINGS, "network": NETWORK.model_dump()},
    )  # fmt: skip
    for given in (first, first.path, first.model, str(first.path / "model")):
        out = tmp_path / "second"
        run = train(disc_crops, out=out, source=given, overrides=SETTINGS, overwrite=True)
        assert run.table["source"]["name"] == "first/model"
        assert run.transfer.stem == "copy", "the same channels"
    assert run.model.facts.source_contents == first.model.facts.contents
    again = train(disc_crops, out=out, overrides=SETTINGS | {"network": NETWORK.model_dump()},
                  overwrite=True)  # fmt: skip
    assert again.transfer is None
    assert again.model.facts.source_contents == frozenset()


def stop_at(step):
    def progress(what, done, total):
        if done >= step and what.startswith("training"):
            raise KeyboardInterrupt

    return progress


def test_after_the_first_checkpoint_it_resumes_to_the_bit_without_its_source(
    disc_crops, source, tmp_path
):
    settings = {**SETTINGS, "transfer": {"staged_steps": 2, "copied_rate": 0.5}}
    straight = train(disc_crops, out=tmp_path / "straight", source=source, overrides=settings)
    with pytest.raises(KeyboardInterrupt):
        train(
            disc_crops, out=tmp_path / "run", source=source, overrides=settings,
            progress=stop_at(6),
        )  # fmt: skip
    shutil.rmtree(source.path)
    assert Run.open(tmp_path / "run").metrics()[-1]["step"] == 3
    run = resume(tmp_path / "run")
    for folder in ("model", "plain"):
        for kind in ("generator", "discriminator"):
            mine, theirs = (load_file(one.path / folder / f"{kind}.safetensors")
                            for one in (run, straight))  # fmt: skip
            assert all(torch.equal(mine[name], theirs[name]) for name in theirs), (folder, kind)
    assert run.model.facts.source_contents == {"a", "b"}
    assert run.model.facts.provenance["transfer"] == straight.transfer.lines()


def test_before_it_the_same_source_is_needed(disc_crops, source, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(
            disc_crops, out=tmp_path / "run", source=source, overrides=SETTINGS,
            progress=stop_at(1),
        )  # fmt: skip
    kept = (source.path / "discriminator.safetensors").read_bytes()
    make_source(source.path, BANDS, contents={"other"})
    with pytest.raises(InputError, match=r"bands: has changed since .*run was to start"):
        resume(tmp_path / "run")
    shutil.rmtree(source.path)
    with pytest.raises(InputError, match="bands: is not a model folder"):
        resume(tmp_path / "run")
    again = make_source(source.path, BANDS, contents={"a", "b"})
    assert (again.path / "discriminator.safetensors").read_bytes() == kept
    assert resume(tmp_path / "run").finished


def test_staged_tuning_first_moves_only_fresh_layers_and_batch_norm(disc_crops, source, tmp_path):
    def moved(**transfer):
        run = train(
            disc_crops, out=tmp_path / "run", source=source, overwrite=True,
            overrides={**SETTINGS, "transfer": transfer},
        )  # fmt: skip
        before = {
            "generator": source.load_generator(),
            "discriminator": source.load_discriminator(),
        }
        return {
            f"{kind}/{name}"
            for kind, network in before.items()
            for name, tensor in load_file(run.path / f"plain/{kind}.safetensors").items()
            if name in dict(network.named_parameters())
            and not torch.equal(tensor, network.state_dict()[name])
        }

    before = {"generator": source.load_generator(), "discriminator": source.load_discriminator()}
    free = {
        f"{kind}/{name}.{key}"
        for kind, network in before.items()
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.BatchNorm2d) or name in ("encoder.0.conv", "blocks.0")
        for key in ("weight", "bias")
    }
    assert moved(staged_steps=6) == free
    later = moved(staged_steps=5)
    assert later > free
    assert {"generator/head.weight", "discriminator/blocks.5.weight"} <= later


def test_a_test_subject_that_the_source_was_trained_on_is_a_leak(disc_crops, tmp_path, caplog):
    dataset = disc_crops.path.parent / "discs"
    split = dict(zip(disc_crops.subjects["subject"], disc_crops.subjects["split"], strict=True))
    tested = [disc_crops.contents[name] for name, word in split.items() if word == "test"]
    clean = make_source(tmp_path / "clean")
    leaky = make_source(tmp_path / "leaky", contents=tested[:1])
    run = train(disc_crops, out=tmp_path / "a", source=clean, overrides=SETTINGS)
    assert evaluate(run.model, dataset, device="cpu").rows
    assert "trained on" not in caplog.text
    run = train(disc_crops, out=tmp_path / "b", source=leaky, overrides=SETTINGS)
    assert "the source was trained on 1 test subjects" in caplog.text
    with pytest.raises(LeakError):
        evaluate(run.model, dataset, device="cpu")


def test_validation_that_the_source_has_seen_is_said(disc_crops, tmp_path, caplog, built):
    source = make_source(tmp_path / "all", contents=disc_crops.contents.values())
    train(disc_crops, out=tmp_path / "run", source=source, overrides=SETTINGS)
    assert "2 of the validation subjects: validation scores will flatter" in caplog.text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"network": {"width": 8}}, r"network.width is 8, the source's 4"),
        ({"transfer": {"stem": "copy"}}, None),
    ],
)
def test_what_contradicts_the_source_is_refused_before_anything_is_written(
    disc_crops, tmp_path, changes, says, built
):
    source = make_source(tmp_path / "em", ("em",))
    with pytest.raises(SettingsError, match=says or "no channel of the source"):
        train(disc_crops, out=tmp_path / "run", source=source, overrides=SETTINGS | changes)
    assert not (tmp_path / "run").exists()


def test_a_whole_configuration_counts_as_said_only_where_it_says(
    disc_crops, source, tmp_path, built
):
    train(disc_crops, out=tmp_path / "a", source=source, config=load_settings(None, SETTINGS))
    assert built[0].settings.network.width == 4
    wide = load_settings(None, {"network": {"width": 64}})
    with pytest.raises(SettingsError, match="width is 64"):
        train(disc_crops, out=tmp_path / "b", source=source, config=wide)


def test_sources_that_are_none_are_refused(disc_crops, tmp_path, built):
    (tmp_path / "unet.pth").write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match="holds a pickle"):
        train(disc_crops, out=tmp_path / "run", source=tmp_path / "unet.pth")
    with pytest.raises(InputError, match="not a model folder"):
        train(disc_crops, out=tmp_path / "run", source=disc_crops.path)
    assert not (tmp_path / "run").exists()


FLAGS = ["--training.batch", "4", "--steps", "2", "--precision", "fp32", "--training.threads", "1"]


def test_the_command_shows_what_was_taken_and_keeps_it(disc_crops, source, tmp_path, capsys):
    arguments = ["train", str(disc_crops.path), "--from", str(source.path), "--stem", "mean"]
    out = ["--out", str(tmp_path / "run"), "--overwrite"]
    assert main([*arguments, *out, *FLAGS]) == 0
    said = capsys.readouterr().out
    assert "started from bands" in said
    assert "stem: mean (red <- red, green <- green, blue <- blue)" in said
    assert main([*arguments, *out, *FLAGS, "--json", "--quiet"]) == 0
    shown = json.loads(capsys.readouterr().out)["transfer"]
    kept = read_toml(tmp_path / "run/transfer.toml")
    assert {key: kept[key] for key in shown} == shown
    assert kept["contents"] == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["CROPS", "--out", "OUT", "--stem", "mean"], "give --from MODEL too"),
        (["--resume", "OUT", "--from", "SOURCE"], "leave out --from"),
        (["CROPS", "--out", "OUT", "--from", "SOURCE", "--network.depth", "6"], "depth is 6"),
        (["CROPS", "--out", "OUT", "--devices", "0"], "at least 1"),
    ],
)
def test_what_cannot_be_is_said_by_the_command(
    disc_crops, source, tmp_path, capsys, arguments, says
):
    places = {"CROPS": disc_crops.path, "OUT": tmp_path / "run", "SOURCE": source.path}
    assert main(["train", *(str(places.get(word, word)) for word in arguments)]) == 1
    assert says in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_word_that_is_no_stem_is_a_usage_error(disc_crops, capsys):
    assert main(["train", str(disc_crops.path), "--out", "x", "--stem", "some"]) == 2
