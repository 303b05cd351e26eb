"""STUDY.toml: what it may say, what is refused and how, what a run's settings come to."""

from pathlib import Path

import pytest

from crosspatch.config import Settings
from crosspatch.errors import InputError, SettingsError
from crosspatch.studies.jobs import arms
from crosspatch.studies.plan import parse_plan, read_plan, run_settings
from small_study import plan_table, write_plan

ROOT = Path(__file__).parents[2]


def test_what_is_not_said_is_sound():
    plan = parse_plan({"target": {"dataset": "kelp"}})
    assert plan.seeds == (0, 1, 2, 3, 4)
    assert plan.fractions == (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
    assert plan.target.made.size == 256
    settings = run_settings(plan, seed=3, fraction=0.1)
    assert (settings.training.steps, settings.training.epochs) == (2000, None)
    assert (settings.training.seed, settings.training.fraction) == (3, 0.1)
    assert (settings.training.threads, settings.transfer.stem) == (1, "skip")


def test_arms_are_scratch_then_sources_then_others_then_baselines():
    plan = parse_plan(
        plan_table(
            arms={
                "alone": {"start": "colour", "settings": {"loss": {"adversarial_weight": 0.0}}},
                "all": {"start": "scratch", "fractions": [1.0]},
                "generic": {"start": "imagenet"},
            }
        )
    )
    listed = [(arm.name, arm.kind, arm.source, arm.fractions) for arm in arms(plan)]
    both = (0.5, 1.0)
    assert listed == [
        ("scratch", "scratch", "", both),
        ("colour", "transfer", "colour", both),
        ("alone", "transfer", "colour", both),
        ("all", "scratch", "", (1.0,)),
        ("generic", "pretrained", "", both),
        ("threshold", "baseline", "", both),
    ]
    assert all(0.5 not in arm.fractions for arm in arms(plan, (1.0,)))


def test_by_itself_scratch_is_also_trained_for_twice_the_steps_with_all_labels():
    (check,) = [
        arm for arm in arms(parse_plan(plan_table(check_steps=True))) if arm.kind == "check"
    ]
    assert (check.name, check.fractions, check.steps) == ("twice-as-long", (1.0,), 6)
    assert parse_plan({"target": {"dataset": "kelp"}}).longer_steps == 4000
    with_epochs = parse_plan({"target": {"dataset": "kelp"}, "epochs": 5})
    assert with_epochs.longer_steps is None
    without_all = plan_table(check_steps=True, fractions=[0.5])
    assert "check" not in {arm.kind for arm in arms(parse_plan(without_all))}


def test_epochs_replace_steps_and_an_arm_changes_what_it_names():
    plan = parse_plan(plan_table(steps=None) | {"epochs": 7})
    changed = Settings.model_validate({"training": {"versions": False}})
    settings = run_settings(plan, changed, seed=0)
    assert (settings.training.epochs, settings.training.steps) == (7, None)
    assert (settings.training.versions, settings.training.batch) == (False, 4)
    own = run_settings(plan, seed=0, steps=9)
    assert (own.training.epochs, own.training.steps) == (None, 9)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seed": [1]}, "unknown setting seed, did you mean seeds?"),
        ({"target": {"datset": "x"}}, "target.datset, did you mean target.dataset?"),
        ({"sources": {"a": {"dataset": "x"}}}, "a.dataset, did you mean sources.a.datasets?"),
        ({"settings": {"training": {"bach": 1}}}, "did you mean settings.training.batch?"),
        ({"sources": {"a": "photos"}}, "sources.a is a table: write [sources.a]"),
        ({"sources": "photos"}, "sources is a table: write [sources.NAME]"),
        ({"sources": {"a": {}}}, "give either datasets to pretrain on, or a model"),
        ({"sources": {"a": {"model": "m", "steps": 3}}}, "a model is trained already"),
        ({"sources": {"scratch": {"model": "m"}}}, "'scratch' is no name for a source"),
        ({"sources": {"a/b": {"model": "m"}}}, "'a/b' is no name for a source"),
        ({"arms": {"x": {"start": "colours"}}}, "arms.x.start is 'colours': no source is called"),
        ({"arms": {"x": {"start": "scratch", "fractions": [0.3]}}}, "0.3 is none of the study's"),
        ({"arms": {"colour": {"start": "scratch"}}}, "the name of a source and of an arm"),
        ({"fractions": [0.0, 1.0]}, "above 0 and at most 1"),
        ({"fractions": []}, "fractions"),
        ({"seeds": [1, 1]}, "seeds are different"),
        ({"epochs": 3}, "give one"),
        ({"folds": 1}, "folds is 0"),
        ({"settings": {"training": {"fraction": 0.5}}}, "a study says fractions = [...]"),
        ({"settings": {"training": {"steps": 5}}}, "a study says steps = N at its top"),
        ({"target": {"dataset": "x", "recipe": "window"}}, "Did you mean windows?"),
        ({"target": {"dataset": "x", "subjects": "train"}}, "needs folds"),
        ({"baselines": ["treshold"]}, "baselines"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_the_file(tmp_path, changes, says):
    path = write_plan(tmp_path, **changes)
    with pytest.raises(SettingsError) as caught:
        read_plan(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_no_plan_is_no_plan(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_plan(tmp_path / "none.toml")


SHIPPED = sorted((ROOT / "configs").rglob("study*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name + "/" + path.stem)
def test_shipped_studies_load(path):
    assert read_plan(path).sources


def test_studies_are_shipped():
    assert {path.parent.name for path in SHIPPED} >= {"paper", "small"}


def test_the_paper_study_has_the_settings_of_the_paper_configuration():
    from crosspatch.config import load_settings

    theirs = load_settings(ROOT / "configs/paper/floating-forests.toml")
    plan = read_plan(ROOT / "configs/paper/study.toml")
    (augmented,) = [arm for arm in arms(plan) if arm.name == "augmented"]
    ours = run_settings(plan, augmented.changes, seed=0)
    assert ours.network == theirs.network
    assert ours.loss == theirs.loss
    assert ours.transfer == theirs.transfer
    assert ours.training.model_copy(update={"threads": None, "checks": None}) == theirs.training
