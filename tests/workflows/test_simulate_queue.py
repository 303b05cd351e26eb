"""A whole simulation on a handful of tiny images: fair, resumable, shared, and refused in time."""

import shutil

import numpy as np
import polars as pl
import pytest

from crosspatch.cli import main
from crosspatch.config import parse_settings
from crosspatch.dataset import Dataset
from crosspatch.errors import CrosspatchError, InputError, LeakError
from crosspatch.files import locked, read_toml
from crosspatch.training.loop import StoppedError
from crosspatch.workflows.info import info
from crosspatch.workflows.prepare import prepare
from crosspatch.workflows.simulate_queue import Simulation, simulate_queue
from folders import save, write_splits, write_toml
from pixelwise import save_pixelwise_model

SETTINGS = parse_settings({
    "network": {"width": 2, "depth": 2, "discriminator_width": 2, "discriminator_layers": 1},
    "training": {"batch": 2, "threads": 1},
})  # fmt: skip
SMALL = {
    "config": SETTINGS, "seeds": 2, "share": 0.1, "rounds": 2, "steps": 2, "device": "cpu",
    "arms": ("random", "foreground-random", "need"),
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "kelp"
    generator, rows = np.random.default_rng(5), []
    for number in range(16):
        image = generator.integers(0, 250, (3, 16, 16)).astype(np.uint8)
        save(path / f"images/s{number:02}.png", image)
        save(path / f"masks/s{number:02}.png", (image[0] > 120).astype(np.uint8))
        rows.append((f"s{number:02}", "train" if number < 10 else "test", f"g{number}"))
    write_splits(path, rows)
    write_toml(path, channels=["red", "green", "blue"],
               mask_values={"background": [0], "foreground": [1], "ignored": [255]})  # fmt: skip
    return Dataset.open(path)


@pytest.fixture(scope="module")
def crops(data, tmp_path_factory):
    return prepare(
        data, recipe="windows", size=16, out=tmp_path_factory.mktemp("crops") / "crops", workers=1
    )


@pytest.fixture(scope="module")
def done(data, crops, tmp_path_factory):
    return simulate_queue(data, crops=crops, out=tmp_path_factory.mktemp("done") / "sim", **SMALL)


def steps(simulation):
    return {path.parent: read_toml(path) for path in simulation.path.glob("seeds/*/*/step.toml")}


def test_every_arm_goes_on_from_the_same_first_labels_and_spends_as_many(done):
    tables = steps(done).values()
    assert len(tables) == 2 * (1 + 3 * 2)
    first = {t["seed"]: set(t["labelled"]) for t in tables if t["arm"] == "start"}
    for table in tables:
        assert len(table["labelled"]) == len(set(table["labelled"])) == table["round"] + 1
        assert first[table["seed"]] <= set(table["labelled"])
        assert set(table["labelled"]) <= {f"s{number:02}" for number in range(10)}


def test_scores_are_of_the_same_test_subjects_for_all(done):
    scores = pl.read_csv(done.path / "scores.csv")
    per_step = scores.group_by("arm", "seed", "round").agg(pl.col("subject").sort())
    assert {tuple(names) for names in per_step["subject"]} == {
        tuple(f"s{number}" for number in range(10, 16))
    }
    assert len(per_step) == 14
    assert scores["iou"].is_between(0, 1).all()


def test_curve_figure_and_verdict_are_written(done):
    assert done.finished
    curve = pl.read_csv(done.path / "curve.csv")
    assert curve.filter(pl.col("arm") == "need")["labels"].to_list() == [2, 3]
    assert (curve["low"] <= curve["iou"]).all()
    svg = (done.path / "curve.svg").read_text(encoding="utf-8")
    assert svg.startswith("<?xml")
    assert "subjects labelled" in svg
    assert "need" in svg
    assert len(done.said) == 2
    assert not list(done.path.glob("seeds/*/run"))


def test_info_says_what_a_simulation_is_and_how_far_it_came(done, tmp_path):
    found = info(done.path)
    assert (found.kind, found.facts["finished"]) == ("simulation", True)
    assert found.facts["trainings done"] == "14 of 14"
    assert found.facts["labels spent"] == [1, 2, 3]
    assert found.facts["note 1"] == done.said[0]
    shutil.copytree(done.path, tmp_path / "half")
    shutil.rmtree(tmp_path / "half/seeds/1")
    (tmp_path / "half/curve.csv").unlink()
    half = info(tmp_path / "half").facts
    assert (half["finished"], half["trainings done"]) == (False, "7 of 14")


def test_a_model_learns_only_what_was_labelled(data, crops, tmp_path, monkeypatch):
    spent = []
    from crosspatch.workflows import simulate_step as module

    train = module.train

    def watched(*args, **settings):
        run = train(*args, **settings)
        spent.append((run.model.facts.contents, run.model.facts.provenance["steps"]))
        return run

    monkeypatch.setattr(module, "train", watched)
    simulation = simulate_queue(
        data, crops=crops, out=tmp_path / "sim", **SMALL | {"seeds": 1, "arms": ("need",)}
    )
    told = sorted(steps(simulation).values(), key=lambda table: table["round"])
    content = {one.name: data.content(one) for one in data.labelled}
    assert [one for one, _ in spent] == [
        frozenset(content[name] for name in table["labelled"]) for table in told
    ]
    assert {count for _, count in spent} == {2}


def test_an_interrupted_simulation_goes_on_to_the_same_result(data, crops, done, tmp_path):
    calls = []

    def interrupt(what, finished, total):
        calls.append(what)
        if what.startswith("training") and finished == 5:
            raise KeyboardInterrupt

    out = tmp_path / "sim"
    with pytest.raises(KeyboardInterrupt):
        simulate_queue(data, crops=crops, out=out, progress=interrupt, **SMALL)
    assert not Simulation(out).finished
    assert len(steps(Simulation(out))) == 5
    again = simulate_queue(data, crops=crops, out=out, **SMALL)
    for name in ("scores.csv", "curve.csv", "arms.csv"):
        assert (again.path / name).read_bytes() == (done.path / name).read_bytes()


def test_a_training_that_is_stopped_says_how_to_go_on(data, crops, tmp_path, monkeypatch):
    def stopped(*args, **settings):
        raise StoppedError("go on with: crosspatch train --resume run")

    monkeypatch.setattr("crosspatch.workflows.simulate_step.train", stopped)
    with pytest.raises(StoppedError, match=r"^stopped; the same command goes on$"):
        simulate_queue(data, crops=crops, out=tmp_path / "sim", **SMALL)


def test_a_seed_that_another_process_works_on_is_left_to_it(data, crops, tmp_path):
    out = tmp_path / "sim"
    small = SMALL | {"arms": ("random",), "rounds": 1}
    half = simulate_queue(data, crops=crops, out=out, **small)
    for path in half.path.glob("seeds/0/*"):
        if path.is_dir():
            (path / "step.toml").unlink()
    (half.path / "curve.csv").unlink()
    with locked(out / "seeds" / "0", "simulating"):
        waiting = simulate_queue(data, crops=crops, out=out, **small)
    assert not waiting.finished
    assert waiting.said[0].startswith("2 of 4 trainings are not done")


def test_another_simulation_is_kept_unless_told_otherwise(data, crops, done):
    before = (done.path / "scores.csv").read_bytes()
    with pytest.raises(CrosspatchError, match="exists already"):
        simulate_queue(data, crops=crops, out=done.path, **SMALL | {"steps": 3})
    assert (done.path / "scores.csv").read_bytes() == before


def test_a_source_that_has_seen_the_labels_is_refused(data, crops, tmp_path):
    seen = frozenset({data.content(data.in_split("train")[0])})
    source = save_pixelwise_model(tmp_path / "m", contents=seen)
    with pytest.raises(LeakError):
        simulate_queue(data, crops=crops, source=source, out=tmp_path / "sim", **SMALL)
    assert not (tmp_path / "sim").exists()


def test_crops_of_another_data_set_are_refused(data, crops, tmp_path):
    save(tmp_path / "other/images/a.png", np.full((3, 16, 16), 7, np.uint8))
    save(tmp_path / "other/masks/a.png", np.ones((16, 16), np.uint8))
    write_splits(tmp_path / "other", [("a", "train", "a")])
    with pytest.raises(InputError, match="no labelled training subject that is in the crops"):
        simulate_queue(tmp_path / "other", crops=crops, out=tmp_path / "sim", **SMALL)


class TestCommand:
    def test_what_is_for_the_simulation_only_is_refused_without_it(self, data, tmp_path, capsys):
        words = ["queue", "model", str(data.path), "--out", str(tmp_path / "q.csv"), "--seeds", "3"]
        assert main(words) == 1
        assert "--seeds is for --simulate" in capsys.readouterr().err

    def test_what_is_for_the_queue_only_is_refused_with_it(self, data, tmp_path, capsys):
        words = ["queue", str(data.path), "--simulate", "--out", str(tmp_path), "--count", "3"]
        assert main(words) == 1
        assert "--simulate does not take --count" in capsys.readouterr().err

    def test_a_queue_needs_model_and_data(self, tmp_path, capsys):
        assert main(["queue", "model", "--out", str(tmp_path / "q.csv")]) == 1
        assert "give MODEL and DATASET" in capsys.readouterr().err

    def test_it_says_what_beats_chance(self, data, crops, done, tmp_path, capsys):
        config = tmp_path / "small.toml"
        config.write_text(
            "[network]\nwidth = 2\ndepth = 2\ndiscriminator_width = 2\ndiscriminator_layers = 1\n"
            "[training]\nbatch = 2\nthreads = 1\n"
        )
        words = [
            "queue", str(data.path), "--simulate", "--out", str(tmp_path / "sim"), "--crops",
            str(crops.path), "--config", str(config), "--seeds", "1", "--rounds", "1", "--share",
            "0.1", "--steps", "2", "--device", "cpu", "--quiet",
        ]  # fmt: skip
        assert main(words) == 0
        printed = capsys.readouterr().out
        assert "beats random choice" in printed
        assert "curve.svg" in printed
