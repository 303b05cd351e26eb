"""A run from end to end: it learns, resumes to the bit, stops cleanly, refuses what cannot work."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from crosspatch.config import load_settings
from crosspatch.errors import CrosspatchError, InputError, SettingsError
from crosspatch.files import locked
from crosspatch.training import loop
from crosspatch.training.loop import StoppedError
from crosspatch.training.run import (
    Run,
    append_metrics,
    keep_metrics_until,
    open_model,
    write_run,
)
from crosspatch.training.samples import choose
from crosspatch.training.watch import NotFiniteError
from crosspatch.workflows.train import resume, train


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {
        f"{folder}/{name}": tensor
        for folder in ("model", "plain")
        for kind in ("generator", "discriminator")
        for name, tensor in load_file(run.path / folder / f"{kind}.safetensors").items()
    }


def same(first: Run, second: Run) -> None:
    mine, theirs = weights(first), weights(second)
    assert mine.keys() == theirs.keys()
    for name in mine:
        assert torch.equal(mine[name], theirs[name]), name
    untimed = [
        [{k: v for k, v in line.items() if k != "images_per_second"} for line in run.metrics()]
        for run in (first, second)
    ]
    assert untimed[0] == untimed[1]


@pytest.fixture(scope="session")
def straight(disc_crops, tmp_path_factory):
    """An uninterrupted run, for others to equal."""
    settings = load_settings(None, SMALL)
    return train(disc_crops, out=tmp_path_factory.mktemp("runs") / "straight", config=settings)


def test_the_speed_is_of_steps_alone(disc_crops, tmp_path, monkeypatch):
    clock, saves = [0.0], []

    def tick():
        clock[0] += 1.0
        return clock[0]

    def save(work):
        saves.append(work.step)
        clock[0] += 1e6  # a slow disk

    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=tick))
    monkeypatch.setattr(loop, "_save", save)
    settings = load_settings(None, SMALL | {"training": SMALL["training"] | {"checks": 3}})
    run = train(disc_crops, out=tmp_path / "run", config=settings)
    assert len(saves) > 1
    assert all(line["images_per_second"] > 1 for line in run.metrics())


SMALL = {
    "network": {"width": 4, "depth": 4, "discriminator_width": 4},
    "training": {
        "steps": 24, "checks": 4, "batch": 4, "threads": 1, "precision": "fp32",
        "generator_rate": 2e-3,
    },
}  # fmt: skip


def test_it_writes_everything_a_run_folder_promises(straight):
    names = {path.name for path in straight.path.iterdir()}
    assert {"run.toml", "metrics.jsonl", "checkpoint", "previews", "model", "plain"} <= names
    lines = straight.metrics()
    assert [line["step"] for line in lines] == [6, 12, 18, 24]
    assert {"tversky", "adversarial", "fake", "real", "plain_iou", "averaged_dice"} <= set(lines[0])
    assert straight.table["precision"] == "fp32"
    assert straight.table["threads"] == 1
    assert straight.model.facts.provenance["data"] == "discs, made by a test"


def test_labels_spent_hold_training_and_validation_but_never_test(straight, disc_crops):
    spent = straight.model.facts.contents
    split = dict(zip(disc_crops.subjects["subject"], disc_crops.subjects["split"], strict=True))
    expected = {disc_crops.contents[name] for name, word in split.items() if word == "train"}
    assert spent == expected
    assert len(spent) == 14


@pytest.mark.slow
def test_the_loss_falls(disc_crops, tmp_path):
    settings = load_settings(None, {**SMALL, "training": {**SMALL["training"], "steps": 120}})
    run = train(disc_crops, out=tmp_path / "run", config=settings)
    lines = run.metrics()
    assert lines[-1]["tversky"] < 0.6 * lines[0]["tversky"]
    assert lines[-1]["averaged_iou"] > 0.7


def test_the_same_seed_gives_the_same_result_and_another_does_not(straight, disc_crops, tmp_path):
    settings = load_settings(None, SMALL)
    same(straight, train(disc_crops, out=tmp_path / "again", config=settings))
    other = train(disc_crops, out=tmp_path / "other", config=settings, seed=1)
    assert not torch.equal(
        weights(other)["model/head.weight"] if "model/head.weight" in weights(other)
        else weights(other)["plain/head.weight"],
        weights(straight)["plain/head.weight"],
    )  # fmt: skip


def test_a_stop_is_clean_and_the_resumed_run_equals_the_straight_one(
    straight, disc_crops, tmp_path
):
    """Ctrl-C between two checks: the step is finished, and the sums of the check live on."""

    def interrupt(what: str, done: int, total: int) -> None:
        if done == 12 and not interrupted:
            interrupted.append(done)
            threading.Timer(0.0, os.kill, (os.getpid(), signal.SIGINT)).start()

    interrupted: list[int] = []
    with pytest.raises(StoppedError, match="--resume"):
        train(
            disc_crops, out=tmp_path / "run", config=load_settings(None, SMALL), progress=interrupt
        )
    assert not Run.open(tmp_path / "run").finished
    with pytest.raises(InputError, match="has not finished"):
        _ = Run.open(tmp_path / "run").model
    same(straight, resume(tmp_path / "run"))


_CHILD = """
import sys
from crosspatch.config import load_settings
from crosspatch.workflows.train import train
if __name__ == "__main__":
    train(sys.argv[1], out=sys.argv[2], config=sys.argv[3])
"""


@pytest.mark.slow
@pytest.mark.parametrize("wait", [0.0, 0.15, 0.3])
def test_after_kill_9_at_any_moment_the_resumed_run_equals_the_straight_one(
    straight, disc_crops, tmp_path, wait
):
    config = tmp_path / "small.toml"
    config.write_text(
        "\n".join(
            f"[{table}]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in values.items())
            for table, values in SMALL.items()
        )
    )
    (tmp_path / "child.py").write_text(_CHILD)
    child = subprocess.Popen(
        [sys.executable, tmp_path / "child.py", disc_crops.path, tmp_path / "run", config]
    )
    metrics = tmp_path / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 90
    while not (metrics.exists() and metrics.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(wait)
    child.kill()
    child.wait()
    same(straight, resume(tmp_path / "run"))


def test_a_finished_run_is_not_trained_again(straight):
    before = (straight.path / "metrics.jsonl").read_bytes()
    assert resume(straight).model.path == straight.path / "model"
    assert (straight.path / "metrics.jsonl").read_bytes() == before


def test_a_run_stands_for_its_last_model_wherever_a_model_is_asked_for(straight, tmp_path):
    model = straight.model
    for given in (model, model.path, straight, straight.path, str(straight.path)):
        assert open_model(given).fingerprint == model.fingerprint
    write_run(tmp_path, straight.table)
    with pytest.raises(InputError, match="has not finished"):
        open_model(tmp_path)


def test_a_torn_last_line_of_metrics_is_left_out(straight, tmp_path):
    run = Run(tmp_path, straight.table)
    (tmp_path / "metrics.jsonl").write_text('{"step": 6}\n{"step": 12, "tv')
    assert run.metrics() == [{"step": 6}]


def test_a_score_that_is_no_number_is_null_in_the_metrics(straight, tmp_path):
    run = Run(tmp_path, straight.table)
    (tmp_path / "metrics.jsonl").write_text(
        '{"step": 3, "plain_iou": NaN}\n'
    )  # by an older version
    append_metrics(run, {"step": 6, "plain_iou": math.nan, "tversky": 0.25})
    keep_metrics_until(run, 6)
    assert run.metrics() == [
        {"step": 3, "plain_iou": None},
        {"step": 6, "plain_iou": None, "tversky": 0.25},
    ]
    assert "NaN" not in (tmp_path / "metrics.jsonl").read_text()


@pytest.mark.parametrize(("iou", "shown"), [(0.25, "  IoU 0.250"), (math.nan, "")])
def test_the_live_line_shows_the_score_that_is_known(iou, shown):
    sums = {"tversky": 1.0, "count": 2.0}
    work = SimpleNamespace(asks_presence=False, sums=sums, scores={"plain_iou": iou})
    assert loop._live(work, 30.0) == f"training  loss 0.500{shown}  30.0 images/s"


@pytest.mark.parametrize(
    ("head", "names"),
    [
        (None, ("averaged_iou", "plain_iou")),
        (None, ("plain_iou", "plain_dice")),
        ("presence", ("averaged_balanced_accuracy", "plain_balanced_accuracy")),
        ("presence", ("plain_balanced_accuracy", "plain_loss")),
    ],
)
def test_the_first_of_the_best_checks_is_kept(monkeypatch, head, names):
    kept = []
    monkeypatch.setattr(loop, "write_model", lambda work, name, _: kept.append((name, work.step)))
    work = SimpleNamespace(
        settings=load_settings(None, {"network": {"head": head}, "training": {"keep_best": True}}),
        asks_presence=head == "presence", judged_by=None, best=-math.inf,
    )  # fmt: skip
    for step, score in enumerate([math.nan, 0.25, 0.5, 0.5, 0.375], start=1):
        work.step, work.scores = step, {names[0]: score, names[1]: 1 - step / 10}
        loop._keep_best(work)
    assert kept == [("best", 2), ("best", 3)]
    assert work.best == 0.5


def test_without_validation_it_is_said_once_that_no_best_is_kept(disc_crops, tmp_path, caplog):
    wins = {"training": {"keep_best": True, "validation_share": 0, "steps": 4, "checks": 2}}
    run = train(disc_crops, out=tmp_path / "run", config=load_settings(None, SMALL), overrides=wins)
    said = [text for text in caplog.messages if "keep_best" in text]
    assert said == ["training.keep_best has nothing to choose by: without validation no best/ is "
                    "kept"]  # fmt: skip
    assert not (run.path / "best").exists()


def test_an_existing_folder_is_kept_unless_overwrite_is_said(straight, disc_crops):
    with pytest.raises(CrosspatchError, match="--overwrite"):
        train(disc_crops, out=straight.path, config=load_settings(None, SMALL))
    assert straight.finished


def test_a_run_that_is_being_trained_is_not_replaced(straight, disc_crops):
    with (
        locked(straight.path, "training"),
        pytest.raises(CrosspatchError, match="another process is training here"),
    ):
        train(disc_crops, out=straight.path, config=load_settings(None, SMALL), overwrite=True)
    assert straight.finished


def test_one_value_in_batch_norm_is_refused_before_anything_is_written(disc_crops, tmp_path):
    with pytest.raises(SettingsError, match="batch norm"):
        train(
            disc_crops, out=tmp_path / "run",
            overrides={"network": {"depth": 6, "width": 2}, "training": {"batch": 1, "steps": 1}},
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_nan_stops_the_run_and_leaves_the_last_checkpoint(disc_crops, tmp_path, monkeypatch):
    real_step = loop.generator_gradients
    calls = []

    def poisoned(*args, **kwargs):
        said = real_step(*args, **kwargs)
        calls.append(1)
        return said | {"tversky": torch.tensor(float("nan"))} if len(calls) > 15 else said

    monkeypatch.setattr(loop, "generator_gradients", poisoned)
    with pytest.raises(NotFiniteError, match="step 16"):
        train(disc_crops, out=tmp_path / "run", config=load_settings(None, SMALL))
    monkeypatch.undo()
    assert [line["step"] for line in Run.open(tmp_path / "run").metrics()] == [6, 12]
    assert resume(tmp_path / "run").finished


def test_changed_crops_are_refused_on_resume(straight, disc_crops, tmp_path):
    table = {**straight.table, "crops_fingerprint": "other", "crops": str(disc_crops.path)}
    (tmp_path / "run").mkdir()
    write_run(tmp_path / "run", table)
    with pytest.raises(InputError, match="has changed"):
        resume(tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"crops": None}, "crops: Field required"),
        ({"threads": None}, "threads: Field required"),
        ({"device": None}, "device: Field required"),
        ({"settings": 5}, "settings: "),
        ({"threads": 0}, "threads: "),
        ({"devices": "two"}, "devices: "),
        ({"precision": "fp64"}, "precision: "),
        ({"source": {"path": "../a"}}, r"source\.name: Field required"),
    ],
)
def test_a_damaged_run_toml_is_named_with_what_to_do(straight, tmp_path, change, says):
    write_run(tmp_path, {**straight.table, **change})  # None is left out
    with pytest.raises(InputError, match=rf"run\.toml: is damaged \({says}.*\); train a new run"):
        resume(tmp_path)


@pytest.fixture
def stopped(straight, disc_crops, tmp_path):
    """The straight run as it stood after its last check, its models not written yet."""
    (tmp_path / "run").mkdir()
    write_run(tmp_path / "run", {**straight.table, "crops": str(disc_crops.path)})
    shutil.copytree(straight.path / "checkpoint", tmp_path / "run/checkpoint")
    return tmp_path / "run"


def rewrite(folder, change=lambda facts: facts, **tensors):
    """Write a checkpoint anew with other facts, and with some tensors more."""
    path = folder / "checkpoint/state.safetensors"
    with safe_open(path, framework="pt") as file:
        facts = change(json.loads(file.metadata()["facts"]))
    save_file(load_file(path) | tensors, path, metadata={"facts": json.dumps(facts)})


def without(name):
    return lambda facts: {key: value for key, value in facts.items() if key != name}


@pytest.mark.parametrize(
    "change",
    [
        without("sums"),
        without("watch"),
        lambda facts: facts | {"watch": {"fake": []}},
        lambda facts: facts | {"sums": 5},
        lambda facts: facts | {"step": "ten"},
        lambda facts: [1, 2],
    ],
)
def test_a_checkpoint_of_damaged_facts_is_named(stopped, change):
    rewrite(stopped, change)
    with pytest.raises(InputError, match=r"state\.safetensors: is not a checkpoint of this run"):
        resume(stopped)


def test_a_checkpoint_of_more_weights_than_there_are_is_named(stopped):
    rewrite(stopped, **{"optimizer/generator/999/exp_avg": torch.zeros(1)})
    with pytest.raises(InputError, match=r"state\.safetensors: is not a checkpoint of this run"):
        resume(stopped)


def test_where_a_damaged_checkpoint_is_deleted_the_run_begins_anew(straight, stopped):
    rewrite(stopped, without("sums"))
    with pytest.raises(InputError, match="where it is deleted, --resume begins the run anew"):
        resume(stopped)
    (stopped / "checkpoint/state.safetensors").unlink()
    same(straight, resume(stopped))


def test_a_device_that_is_not_there_is_named_on_resume(straight, tmp_path, monkeypatch):
    def none_here(*_, **__):
        raise RuntimeError("no CUDA here\nmore of that")

    monkeypatch.setattr(torch, "empty", none_here)
    write_run(tmp_path, {**straight.table, "device": "cuda"})
    with pytest.raises(SettingsError, match=r"began, on cuda: .*\(no CUDA here\)\. Resume it on"):
        resume(tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore of that"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GiB). Tried to allocate 2 GiB."),
    ],
    ids=["CUDA", "MPS"],
)
def test_a_device_of_too_little_memory_is_said_with_what_to_do(
    disc_crops, tmp_path, monkeypatch, error
):
    def full(*_, **__):
        raise error

    monkeypatch.setattr(loop, "generator_gradients", full)
    with pytest.raises(CrosspatchError, match=r"2 GiB\.\): .*--training\.batch.*accumulate 2"):
        train(disc_crops, out=tmp_path / "run", config=load_settings(None, SMALL))


def test_two_processes_do_not_train_one_run(straight, monkeypatch):
    monkeypatch.setattr(Run, "finished", False)
    with locked(straight.path, "training"), pytest.raises(CrosspatchError, match="another process"):
        resume(straight)


@pytest.mark.slow
def test_a_discriminator_that_wins_is_flagged_within_an_epoch(disc_crops, tmp_path):
    """A generator that stands still cannot answer: the discriminator soon is never in doubt."""
    settings = load_settings(
        None,
        {
            **SMALL,
            "training": {
                **SMALL["training"], "steps": 150, "checks": 15, "generator_rate": 1e-12,
                "discriminator_rate": 5e-3, "versions": False,
            },
        },
    )  # fmt: skip
    run = train(disc_crops, out=tmp_path / "run", config=settings)
    alarms = [(line["step"], alarm) for line in run.metrics() for alarm in line["alarms"]]
    assert len(alarms) == 1
    assert "has won" in alarms[0][1]
    won = next(line["step"] for line in run.metrics() if line["fake"] + line["real"] < 0.04)
    assert alarms[0][0] <= won + 20, "flagged within two checks of ten steps"


@pytest.mark.slow
def test_twenty_healthy_short_runs_raise_no_alarm(disc_crops, tmp_path):
    settings = load_settings(None, {**SMALL, "training": {**SMALL["training"], "steps": 60}})
    alarms = {
        seed: [
            alarm
            for line in train(
                disc_crops, out=tmp_path / str(seed), config=settings, seed=seed
            ).metrics()
            for alarm in line["alarms"]
        ]
        for seed in range(20)
    }
    assert not any(alarms.values()), alarms


def test_a_fraction_spends_fewer_labels_and_keeps_them_nested(disc_crops, tmp_path):
    spent = [set(choose(disc_crops, f, 0.15, 3).subjects) for f in (0.25, 0.5, 1.0)]
    assert spent[0] < spent[1] < spent[2]
    for fraction in (0.25, 0.5, 1.0):
        chosen = choose(disc_crops, fraction, 0.15, 3)
        assert not set(chosen.train) & set(chosen.validation)
        names = np.asarray(disc_crops.table["subject"])
        groups = np.asarray(disc_crops.table["group"])
        assert not set(groups[chosen.train]) & set(groups[chosen.validation])
        assert set(names[chosen.train]) | set(names[chosen.validation]) == set(chosen.subjects)
