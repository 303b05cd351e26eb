"""A warm start, tensor by tensor: both networks, both directions, and sources that do not fit."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from crosspatch.config import NetworkSettings, Settings, TransferSettings, parse_settings
from crosspatch.errors import InputError, SettingsError
from crosspatch.files import read_toml, write_toml
from crosspatch.models.stem import plan_stem
from crosspatch.models.storage import build_discriminator, build_generator
from crosspatch.models.transfer import (
    DISCRIMINATOR_STEM,
    GENERATOR_STEM,
    TransferReport,
    WarmStart,
    adopt_architecture,
    carry_over,
)
from sources import BANDS, NETWORK, RGB, make_source

DIRECTIONS = pytest.mark.parametrize(("theirs", "mine"), [(RGB, BANDS), (BANDS, RGB)])


def fresh(channels):
    torch.manual_seed(11)
    return build_generator(NETWORK, len(channels)), build_discriminator(NETWORK, len(channels))


def tensors(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def of_source(source):
    return (
        load_file(source.path / "generator.safetensors"),
        load_file(source.path / "discriminator.safetensors"),
    )


def test_the_stems_are_the_layers_that_see_the_channels():
    generator, discriminator = fresh(BANDS)
    assert generator.get_submodule(GENERATOR_STEM).in_channels == 4
    assert discriminator.get_submodule(DISCRIMINATOR_STEM).in_channels == 4 + 1


@DIRECTIONS
def test_everything_but_the_stem_is_copied_in_both_networks(tmp_path, theirs, mine):
    source, networks = make_source(tmp_path / "s", theirs), fresh(mine)
    before = [tensors(network) for network in networks]
    report = WarmStart(source, mine)(*networks)
    assert report.stem == "skip"
    stems = (GENERATOR_STEM, DISCRIMINATOR_STEM)
    carried = (report.generator, report.discriminator)
    for network, old, saved, stem, said in zip(
        networks, before, of_source(source), stems, carried, strict=True
    ):
        for name, tensor in network.state_dict().items():
            is_stem = name in (f"{stem}.weight", f"{stem}.bias")
            assert torch.equal(tensor, (old if is_stem else saved)[name]), name
            assert (name in said.fresh) == is_stem
            assert (name in said.copied) == (not is_stem)
        assert saved.keys() == network.state_dict().keys()
        assert set(said.fresh.values()) == {f"channels differ: {', '.join(theirs)} -> "
                                            f"{', '.join(mine)}"}  # fmt: skip


@DIRECTIONS
@pytest.mark.parametrize("stem", ["copy", "mean"])
def test_the_stem_goes_channel_by_channel_with_its_bias_in_both_networks(
    tmp_path, theirs, mine, stem
):
    source, networks = make_source(tmp_path / "s", theirs), fresh(mine)
    report = WarmStart(source, mine, TransferSettings(stem=stem))(*networks)
    assert not report.generator.fresh
    assert not report.discriminator.fresh
    layers = (GENERATOR_STEM, DISCRIMINATOR_STEM)
    for network, saved, layer in zip(networks, of_source(source), layers, strict=True):
        got, had = network.state_dict()[f"{layer}.weight"], saved[f"{layer}.weight"]
        for place, name in enumerate(mine):
            if name in theirs:
                expected = had[:, theirs.index(name)]
            else:
                expected = had[:, : len(theirs)].mean(1) if stem == "mean" else 0 * had[:, 0]
            assert torch.equal(got[:, place], expected), name
        assert torch.equal(got[:, len(mine) :], had[:, len(theirs) :]), "the mask's weights"
        assert torch.equal(network.state_dict()[f"{layer}.bias"], saved[f"{layer}.bias"])


def test_the_same_channels_make_the_same_network(tmp_path):
    source, (generator, discriminator) = make_source(tmp_path / "s"), fresh(RGB)
    report = WarmStart(source, RGB)(generator, discriminator)
    assert report.stem == "copy"
    image, pair = torch.randn(1, 3, 32, 32), torch.randn(1, 4, 48, 48)
    assert torch.equal(generator.eval()(image), source.load_generator()(image))
    assert torch.equal(discriminator.eval()(pair), source.load_discriminator()(pair))


def test_at_first_a_new_band_that_starts_at_zero_is_not_seen(tmp_path):
    source, (generator, _) = make_source(tmp_path / "s"), fresh(BANDS)
    WarmStart(source, BANDS, TransferSettings(stem="copy"))(generator, None)
    image = torch.randn(1, 3, 32, 32)
    bands = torch.cat([image[:, [2, 1, 0]], torch.randn(1, 1, 32, 32)], dim=1)
    drawn = generator.eval()(bands)
    assert torch.allclose(drawn, source.load_generator()(image), atol=1e-5)


def test_a_fresh_discriminator_is_left_as_it_was_drawn(tmp_path):
    source, (generator, discriminator) = make_source(tmp_path / "s"), fresh(RGB)
    before = tensors(discriminator)
    wish = TransferSettings(discriminator="fresh")
    report = WarmStart(source, RGB, wish)(generator, discriminator)
    assert all(torch.equal(before[n], t) for n, t in discriminator.state_dict().items())
    assert set(report.discriminator.fresh) == set(before)
    assert report.lines()[-1] == (
        f"discriminator: all {len(before)} tensors fresh (transfer.discriminator = fresh)"
    )
    assert report.copied_parameters("discriminator") == frozenset()
    assert report.copied_parameters("generator") == set(generator.state_dict())


def test_a_source_without_discriminator_is_said(tmp_path):
    source = make_source(tmp_path / "s", discriminator=False)
    report = WarmStart(source, RGB)(*fresh(RGB))
    assert set(report.discriminator.fresh.values()) == {"the source has none"}
    assert WarmStart(source, RGB)(fresh(RGB)[0], None).discriminator is None


def test_unknown_missing_and_misshapen_names_are_listed_and_left():
    generator, _ = fresh(RGB)
    before, other = tensors(generator), tensors(fresh(RGB)[0])
    for tensor in other.values():
        tensor.add_(1)
    del other["head.bias"]
    other["encoder.2.conv.weight"] = torch.ones(3, 3)
    other["attention.weight"] = torch.ones(5)
    other["encoder.0.conv.weight"] = torch.ones(4, 2, 4, 4)  # fewer than the source's channels
    said = carry_over(generator, other, GENERATOR_STEM, plan_stem("copy", RGB, RGB), 3)
    assert said.unknown == ("attention.weight",)
    assert said.fresh == {
        "head.bias": "missing in the source",
        "encoder.2.conv.weight": "3 x 3 in the source, 16 x 8 x 4 x 4 here",
        "encoder.0.conv.weight": "4 x 2 x 4 x 4 in the source, 4 x 3 x 4 x 4 here",
    }
    for name, tensor in generator.state_dict().items():
        assert torch.equal(tensor, before[name] if name in said.fresh else other[name]), name
    assert said.lines("generator")[-1].endswith("not used of the source: attention.weight")


def test_the_report_says_it_in_sentences_and_survives_its_file(tmp_path):
    source = make_source(tmp_path / "s")
    report = WarmStart(source, BANDS, TransferSettings(stem="mean"))(*fresh(BANDS))
    lines = report.lines()
    assert lines[0] == (
        "stem: mean (blue <- blue, green <- green, red <- red, nir <- mean of the source's)"
    )
    assert lines[1] == f"generator: {len(report.generator.copied)} tensors copied, 0 fresh"
    skipped = WarmStart(source, BANDS)(*fresh(BANDS)).lines()
    assert skipped[0] == "stem: skip (blue, green, red, nir)"
    assert skipped[2] == (
        "generator: fresh encoder.0.conv.weight, encoder.0.conv.bias "
        "(channels differ: red, green, blue -> blue, green, red, nir)"
    )
    write_toml(tmp_path / "transfer.toml", report.as_table(), says="A report.")
    assert TransferReport.from_table(read_toml(tmp_path / "transfer.toml"), "t") == report
    with pytest.raises(InputError, match=r"run/transfer\.toml: is not the report"):
        TransferReport.from_table({"stem": "mean"}, "run/transfer.toml")


def test_a_source_whose_weights_are_not_finite_is_refused(tmp_path):
    source = make_source(tmp_path / "s")
    path = source.path / "generator.safetensors"
    weights = load_file(path)
    weights["head.weight"][0, 0, 0, 0] = float("nan")
    save_file(weights, path)
    with pytest.raises(InputError, match=r"head\.weight holds values that are not finite"):
        WarmStart(source, RGB)(*fresh(RGB))


def test_the_architecture_is_the_sources_and_dropout_is_ones_own(tmp_path):
    source = make_source(tmp_path / "s", network=NETWORK.model_copy(update={"dropout": 0.25}))
    adopted = adopt_architecture(parse_settings({"network": {"dropout": 0.1}}), source)
    assert adopted.network == NETWORK.model_copy(update={"dropout": 0.1})
    assert adopt_architecture(Settings(), source).network == NETWORK
    same = parse_settings({"network": {"width": 4, "depth": 4}})
    assert adopt_architecture(same, source).network == NETWORK


def test_settings_that_contradict_the_source_are_all_named(tmp_path):
    source = make_source(tmp_path / "s")
    given = parse_settings({"network": {"width": 8, "discriminator_width": 64, "depth": 4}})
    with pytest.raises(SettingsError) as caught:
        adopt_architecture(given, source)
    assert "network.width is 8, the source's 4" in str(caught.value)
    assert "network.discriminator_width is 64, the source's 4" in str(caught.value)
    assert "depth" not in str(caught.value)


def test_a_source_without_discriminator_does_not_size_ours(tmp_path):
    huge = NetworkSettings(width=4, depth=4, discriminator_width=4096)
    folder = tmp_path / "s"
    source = make_source(folder, discriminator=False)
    text = (folder / "model.toml").read_text()
    (folder / "model.toml").write_text(
        text.replace("discriminator_width = 4", f"discriminator_width = {huge.discriminator_width}")
    )
    source = type(source).open(folder)
    assert source.facts.network == huge
    assert adopt_architecture(Settings(), source).network.discriminator_width == 64
