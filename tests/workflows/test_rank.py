"""Source models are ordered for a new target, and what cannot be a source is said."""

import json
from pathlib import Path

import numpy as np
import pytest

from crosspatch.cli import main
from crosspatch.dataset import Dataset
from crosspatch.errors import InputError
from crosspatch.workflows import rank as module
from crosspatch.workflows.rank import SCRATCH, rank
from folders import make, save, write_splits, write_toml
from sources import NETWORK, RGB, make_source


@pytest.fixture
def target(tmp_path):
    """Squares on noise; three label groups and more."""
    folder = tmp_path / "target"
    generator = np.random.default_rng(0)
    for number in range(9):
        mask = np.zeros((64, 64), dtype=np.uint8)
        row, column = generator.integers(0, 32, 2)
        mask[row : row + 32, column : column + 32] = 1
        image = generator.integers(0, 80, (3, 64, 64)) + 120 * mask
        save(folder / f"images/s{number}.png", image.astype(np.uint8))
        save(folder / f"masks/s{number}.png", mask)
    write_splits(folder, [(f"s{n}", "train" if n < 8 else "test", f"g{n}") for n in range(9)])
    write_toml(folder, channels=list(RGB))
    return folder


@pytest.fixture
def models(tmp_path):
    for name in ("photos", "em"):
        make_source(tmp_path / "models" / name, RGB)
    return tmp_path / "models"


def test_every_model_and_scratch_is_probed_and_the_best_stands_first(target, models):
    ranking = rank(target, models=models, steps=4, repeats=2, device="cpu")
    assert ranking.by == "probe"
    assert {row.name for row in ranking.rows} == {"photos", "em", SCRATCH}
    assert [len(row.probes) for row in ranking.rows] == [2, 2, 2]
    probes = [row.probe for row in ranking.rows]
    assert probes == sorted(probes, reverse=True)
    assert all(row.measures.stem == "copy" for row in ranking.rows if row.measures)


def test_the_same_seed_gives_the_same_ranking(target, models):
    first, again = (rank(target, models=models, steps=3, repeats=1, device="cpu") for _ in "ab")
    assert first == again


def test_probes_say_nothing_of_each_training(target, models, capsys):
    words = ["--steps", "2", "--repeats", "1", "--device", "cpu"]
    assert main(["rank", str(target), "--models", str(models), *words]) == 0
    told = capsys.readouterr()
    assert "tensors copied" not in told.err + told.out


def test_without_probes_the_nearest_domain_stands_first(target, models):
    ranking = rank(target, models=models, steps=0)
    assert ranking.by == "distance"
    distances = [row.measures.distance for row in ranking.rows]
    assert distances == sorted(distances)
    assert "no steps were given to probe: ordered by the distance between domains" in ranking.said


def test_two_label_groups_are_too_few_to_probe(target, models):
    write_splits(target, [(f"s{n}", "train", f"g{n % 2}") for n in range(9)])
    ranking = rank(target, models=models, steps=5)
    assert ranking.by == "distance"
    assert any("too few labelled groups" in sentence for sentence in ranking.said)


def stub_probes(monkeypatch, **scores):
    """Let probes come to these scores, by name of the model; of from scratch: ``scratch``."""

    def probe(pack, sources, **_):
        stub_probes.pack = pack
        found = {str(model.path): scores[model.name] for model in sources}
        return found | {SCRATCH: scores["scratch"]}

    monkeypatch.setattr(module, "probe", probe)


def test_from_scratch_ahead_by_less_than_the_repeats_differ_is_both_said(
    target, models, monkeypatch
):
    stub_probes(monkeypatch, scratch=(0.5, 0.7), em=(0.45, 0.65), photos=(0.1, 0.1))
    said = " ".join(rank(target, models=models, repeats=2).said)
    assert "none of these models may be worth it" in said
    assert "from scratch and em are nearer to each other than the 2 repeats" in said


def test_repeats_that_say_nothing_are_told(target, models, monkeypatch):
    stub_probes(monkeypatch, scratch=(0.5,), em=(0.6,), photos=(0.1,))
    assert any("only 1 of 3 repeats" in one for one in rank(target, models=models).said)
    stub_probes(monkeypatch, scratch=(), em=(), photos=())
    ranking = rank(target, models=models)
    assert (ranking.by, len(ranking.rows)) == ("distance", 2)
    assert any("show foreground, so no probe has a score" in one for one in ranking.said)


def test_only_labels_of_the_training_split_are_looked_at(target, models, monkeypatch):
    splits = ["train"] * 5 + ["val"] * 2 + ["test"] * 2
    write_splits(target, [(f"s{n}", split, f"g{n}") for n, split in enumerate(splits)])
    for number in range(5, 9):
        (target / f"masks/s{number}.png").write_bytes(b"shut")
    (target / "images/s8.png").write_bytes(b"no picture")
    dataset = Dataset.open(target)
    make_source(models / "leaky", RGB, contents=[dataset.content(dataset.in_split("test")[0])])
    stub_probes(monkeypatch, scratch=(0.5,), em=(0.6,), photos=(0.1,))
    ranking = rank(target, models=models)
    assert set(stub_probes.pack.subjects["subject"]) == {f"s{n}" for n in range(5)}
    assert [Path(path).name for path, _ in ranking.skipped] == ["leaky"]


def test_a_model_that_has_seen_the_target_is_left_out(target, models):
    dataset = Dataset.open(target)
    make_source(models / "leaky", RGB, contents=[dataset.content(dataset.labelled[0])])
    ranking = rank(target, models=models, steps=0)
    ((path, why),) = ranking.skipped
    assert path.endswith("leaky")
    assert "1 images of this very target" in why


def test_a_damaged_model_is_skipped_with_its_reason(target, models):
    (models / "em" / "generator.safetensors").write_bytes(b"no")
    ranking = rank(target, models=models, steps=0)
    assert [row.name for row in ranking.rows] == ["photos"]
    assert "em" in ranking.skipped[0][0]


def test_a_model_that_has_learned_clicks_is_left_out_before_anything_is_done(target, models):
    presence = NETWORK.model_copy(update={"head": "presence"})
    make_source(models / "clicks", RGB, network=presence, discriminator=False)
    ranking = rank(target, models=models, steps=0)
    assert [row.name for row in ranking.rows if row.name != SCRATCH] == ["em", "photos"]
    ((path, why),) = ranking.skipped
    assert path.endswith("clicks")
    assert "has learned presence" in why


def test_runs_count_once_by_their_averaged_model(target, models):
    make_source(models / "run" / "model", RGB)
    make_source(models / "run" / "plain", RGB)
    found, _ = module._find(models)
    assert [model.path.parent.name for model in found if model.path.name == "model"] == ["run"]
    assert all(model.path.name != "plain" for model in found)


def test_models_may_be_links_to_folders_elsewhere(models, tmp_path):
    (tmp_path / "chosen").mkdir()
    try:
        (tmp_path / "chosen" / "em").symlink_to(models / "em", target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    found, _ = module._find(tmp_path / "chosen")
    assert len(found) == 1


def test_no_model_is_an_error(target, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no model"):
        rank(target, models=tmp_path / "empty")


def test_a_target_without_training_labels_is_an_error(tmp_path, models):
    folder = make(tmp_path / "unlabelled")
    write_splits(folder, [(name, "test", name) for name in "abcdef"])
    with pytest.raises(InputError, match="no labelled subject in the split 'train'"):
        rank(folder, models=models)


def test_the_command_prints_a_table_and_what_to_start_from(target, models, capsys):
    assert main(["rank", str(target), "--models", str(models), "--steps", "0"]) == 0
    text = capsys.readouterr().out
    assert "Start from: " in text
    assert "fresh one" in text


def test_the_command_speaks_json(target, models, capsys):
    words = ["rank", str(target), "--models", str(models), "--steps", "0", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["by"] == "distance"
    assert [model["probe"] for model in told["models"]] == [None, None]


def test_a_model_with_another_encoder_is_no_source(target, models):
    path = models / "em" / "model.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('encoder = "paper"', 'encoder = "imagenet"'), encoding="utf-8")
    assert 'encoder = "imagenet"' in path.read_text(encoding="utf-8")
    ranking = rank(target, models=models, steps=0)
    assert [row.name for row in ranking.rows] == ["photos"]
    assert "em" in ranking.skipped[0][0]
