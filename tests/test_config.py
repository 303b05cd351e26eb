"""Settings: every shipped file loads, unknown keys are refused with a suggestion, flags win."""

import tomllib
from pathlib import Path

import pytest

from crosspatch.config import Settings, load_settings, merge, parse_settings, schema_fields
from crosspatch.errors import InputError, SettingsError

CONFIGS = Path(__file__).parent.parent / "configs"
STUDIES = sorted(CONFIGS.rglob("study*.toml"))  # of another schema: tests/studies/test_plan.py
SHIPPED = sorted(set(CONFIGS.rglob("*.toml")) - set(STUDIES))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.relative_to(CONFIGS).as_posix())
def test_every_shipped_configuration_loads(path):
    assert isinstance(load_settings(path), Settings)


def test_configurations_are_shipped():
    assert len(SHIPPED) >= 4


@pytest.mark.parametrize(
    "path", [path for path in SHIPPED if path.parent.name == "paper"], ids=lambda p: p.stem
)
def test_paper_configurations_are_complete_and_the_papers(path):
    table = tomllib.loads(path.read_text())
    missing = {
        f"{section}.{key}"
        for section, key, default, _ in schema_fields()
        if key not in table.get(section, {}) and default is not None
    }
    assert not missing
    settings = load_settings(path)
    assert (settings.loss.fn_weight, settings.loss.fp_weight, settings.loss.gamma) == (
        0.7, 0.3, 0.75,
    )  # fmt: skip
    training = settings.training
    assert (training.generator_rate, training.discriminator_rate) == (5e-4, 1e-4)
    assert (training.epochs, training.decay) == (50, 0.95)
    assert (settings.network.width, settings.network.depth) == (64, 6)


def test_flags_win_over_the_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[training]\nbatch = 4\nseed = 3\n")
    settings = load_settings(path, {"training": {"batch": 8, "seed": None}})
    assert (settings.training.batch, settings.training.seed) == (8, 3)


@pytest.mark.parametrize("overrides", [None, {"training": {"steps": 30}}])
def test_a_value_where_a_table_belongs_is_refused_with_its_file(tmp_path, overrides):
    path = tmp_path / "mine.toml"
    path.write_text("training = 3\n")
    with pytest.raises(SettingsError, match=r"mine\.toml: training is a table: write \[training\]"):
        load_settings(path, overrides)


def test_steps_given_by_a_flag_replace_epochs_of_the_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[training]\nepochs = 7\n")
    settings = load_settings(path, {"training": {"steps": 30}})
    assert (settings.training.steps, settings.training.epochs) == (30, None)
    back = parse_settings(
        merge(settings.model_dump(exclude_none=True), {"training": {"epochs": 2}})
    )
    assert (back.training.steps, back.training.epochs) == (None, 2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[training]\nepoch = 3\n", "training.epoch, did you mean training.epochs?"),
        ("[trainng]\nepochs = 3\n", "trainng, did you mean training?"),
        ("training = 3\n", "is a table"),
        ("[training]\nepochs = 0\n", "training.epochs"),
        ("[training]\nepochs = 3\nsteps = 3\n", "give one"),
        ("[loss]\ngamma = nan\n", "loss.gamma"),
        ("[network]\nwidth = 'wide'\n", "network.width"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path, text, says):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_or_broken_file_is_said(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_settings(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("[training\n")
    with pytest.raises(InputError, match="not valid TOML"):
        load_settings(tmp_path / "broken.toml")


def test_every_setting_has_a_sentence():
    for section, key, _, description in schema_fields():
        assert description.endswith("."), f"{section}.{key}"
