"""Several processes train as one: same samples, same sums, one writer, one end."""

import json
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import nn

from crosspatch.config import load_settings
from crosspatch.errors import CrosspatchError, InputError, SettingsError
from crosspatch.files import locked
from crosspatch.training import processes
from crosspatch.training.batches import Batches
from crosspatch.training.loop import StoppedError
from crosspatch.training.peers import Peers
from crosspatch.training.processes import refuse_devices, started_outside
from crosspatch.training.run import Run
from crosspatch.training.samples import Order
from crosspatch.training.work import refuse_parts
from crosspatch.workflows import train as workflow
from crosspatch.workflows.train import resume, train

CPU = torch.device("cpu")
TABLE = {
    "network": {"width": 4, "depth": 4, "discriminator_width": 4},
    "training": {"steps": 12, "checks": 2, "batch": 4, "threads": 1, "precision": "fp32"},
}


def settings(**training):
    return load_settings(None, {**TABLE, "training": TABLE["training"] | training})


# What needs no second process.


def test_a_process_says_that_its_device_has_too_little_memory(tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(processes, "rebuild", full)
    monkeypatch.setattr(Run, "open", lambda path: Run(path, {"threads": 1}))
    with pytest.raises(CrosspatchError, match=r"--training\.batch"):
        processes._fit_here(SimpleNamespace(global_rank=0), str(tmp_path), print)


@pytest.mark.parametrize(("world", "accumulate"), [(2, 1), (1, 2), (2, 2)])
def test_the_parts_of_a_batch_are_the_batch(disc_crops, world, accumulate):
    order = Order(disc_crops.in_split("train"), (0, 3, 5), 8, seed=4)
    batches = Batches(disc_crops, CPU)
    whole = list(batches.stream(order, range(2, 5)))
    parts = world * accumulate
    ranks = [
        list(
            batches.stream(
                order,
                range(2, 5),
                mine=range(rank * accumulate, (rank + 1) * accumulate),
                parts=parts,
            )
        )
        for rank in range(world)
    ]
    for step, [(images, masks)] in enumerate(whole):
        pieces = [piece for rank in ranks for piece in rank[step]]
        assert len(pieces) == parts
        for number, (image, mask) in enumerate(pieces):
            assert torch.equal(image, images[number::parts])
            assert torch.equal(mask, masks[number::parts])


@pytest.fixture
def other_process(monkeypatch):
    """Pretend that a second process holds twice what this one sends."""
    monkeypatch.setattr(dist, "all_reduce", lambda tensor: tensor.mul_(3.0))
    return Peers(rank=0, world=2, device=CPU)


def test_gradients_and_statistics_are_averaged_in_place(other_process):
    network = nn.Sequential(nn.Conv2d(1, 2, 2).to(memory_format=torch.channels_last),
                            nn.BatchNorm2d(2))  # fmt: skip
    network(torch.randn(3, 1, 5, 5)).square().sum().backward()
    before = {name: p.grad.clone() for name, p in network.named_parameters()}
    mean, seen = network[1].running_mean.clone(), network[1].num_batches_tracked.clone()
    weights = [p.detach().clone() for p in network.parameters()]
    other_process.average(network)
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter.grad, before[name] * 3.0 / 2.0), name
    assert torch.equal(network[1].running_mean, mean * 3.0 / 2.0)
    assert network[1].num_batches_tracked == seen == 1
    assert all(torch.equal(p, w) for p, w in zip(network.parameters(), weights, strict=True))


def test_losses_are_averaged_and_one_wish_to_stop_is_everybodys(other_process, monkeypatch):
    losses = [{"a": torch.tensor(1.0), "b": torch.tensor(4.0)}, {"a": torch.tensor(2.0),
              "b": torch.tensor(6.0)}]  # fmt: skip
    shared, asked = other_process.agree(losses, False)
    assert [{k: v.item() for k, v in step.items()} for step in shared] == [
        {"a": 1.5, "b": 6.0}, {"a": 3.0, "b": 9.0},
    ]  # fmt: skip
    assert not asked
    monkeypatch.setattr(dist, "all_reduce", lambda tensor: tensor[-1].add_(1.0))
    assert other_process.agree(losses, False)[1]


def test_alone_there_is_nobody_to_ask():
    alone = Peers(rank=0, world=1, device=CPU)
    losses = [{"a": torch.tensor(1.0)}]
    assert alone.agree(losses, True) == (losses, True)
    alone.wait()


def test_batches_that_do_not_divide_are_refused():
    with pytest.raises(SettingsError, match=r"batch 4 does not divide by 3"):
        refuse_parts(settings(), 64, devices=3)
    with pytest.raises(SettingsError, match=r"6, which is 2 devices x training\.accumulate 3"):
        refuse_parts(settings(accumulate=3, batch=8), 64, devices=2)
    refuse_parts(settings(accumulate=2, batch=8), 64, devices=2)


def test_batch_norm_must_see_more_than_one_value_in_each_part():
    refuse_parts(settings(), 16, devices=2)
    with pytest.raises(SettingsError, match=r"1 crop of 16 pixels is 1 x 1.*training\.batch 8"):
        refuse_parts(settings(), 16, devices=4)


def test_more_devices_than_there_are_is_refused():
    refuse_devices(CPU, 3)
    refuse_devices(torch.device("mps"), 1)
    with pytest.raises(SettingsError, match=r"--devices 2: this machine has 1 \(mps\)"):
        refuse_devices(torch.device("mps"), 2)
    with pytest.raises(SettingsError, match="at least 1"):
        refuse_devices(CPU, 0)


def test_torchruns_processes_are_counted(monkeypatch):
    assert started_outside(2) is None
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    outside = started_outside(2)
    assert outside is not None
    assert outside.global_rank() == 1
    with pytest.raises(SettingsError, match="--devices 1: but 2 processes were started"):
        started_outside(1)


def test_processes_share_the_threads_of_a_cpu(disc_crops, tmp_path, monkeypatch):
    monkeypatch.setattr(workflow, "_go", lambda run, progress, work: run)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    wish = settings().model_copy(update={"training": settings(threads=None).training})
    tables = [
        train(disc_crops, out=tmp_path / str(n), config=wish, devices=n, device="cpu").table
        for n in (1, 2)
    ]
    assert [(table["devices"], table["threads"]) for table in tables] == [(1, 8), (2, 4)]


def test_batches_taken_in_parts_resume_to_the_bit(disc_crops, tmp_path):
    def stop(what, done, total):
        if done == 12:
            raise KeyboardInterrupt

    parted = settings(accumulate=2)
    straight = train(disc_crops, out=tmp_path / "a", config=parted, device="cpu")
    with pytest.raises(KeyboardInterrupt):
        train(disc_crops, out=tmp_path / "b", config=parted, device="cpu", progress=stop)
    same(straight, resume(tmp_path / "b"))
    whole = train(disc_crops, out=tmp_path / "c", config=settings(), device="cpu")
    assert whole.metrics()[0]["tversky"] != straight.metrics()[0]["tversky"]


def test_what_a_process_says_arrives_where_it_was_started(caplog):
    channel, said = multiprocessing.get_context("spawn").SimpleQueue(), []
    with processes._listening(channel, lambda *word: said.append(word)) as errors:
        channel.put(("training", 3, 12))
        channel.put((logging.WARNING, "step 3: 100% wrong"))
        channel.put(InputError("crops: gone"))
    assert said == [("training", 3, 12)]
    assert caplog.messages == ["step 3: 100% wrong"]
    assert [(type(error), str(error)) for error in errors] == [(InputError, "crops: gone")]


def test_a_process_that_fails_alone_says_why_and_fails(tmp_path, monkeypatch):
    channel = multiprocessing.get_context("spawn").SimpleQueue()
    monkeypatch.setattr(processes, "log", logging.getLogger("a log of a test"))
    first = SimpleNamespace(global_rank=0)
    with pytest.raises(InputError, match="not a run folder"):
        processes._fit_in_child(first, str(tmp_path), channel)
    assert isinstance(channel.get(), InputError)

    def all_stop(*_):
        raise StoppedError("stopped after step 3")

    monkeypatch.setattr(processes, "_fit_here", all_stop)
    processes._fit_in_child(first, str(tmp_path), channel)  # all of them end: none need be killed
    assert isinstance(channel.get(), StoppedError)


# What does; each start of two processes takes several seconds.


def tensors(run, folder="model"):
    return {
        f"{kind}/{name}": tensor
        for kind in ("generator", "discriminator")
        for name, tensor in load_file(run.path / folder / f"{kind}.safetensors").items()
    }


def same(first, second):
    for folder in ("model", "plain"):
        mine, theirs = tensors(first, folder), tensors(second, folder)
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    lines = [[{k: v for k, v in line.items() if k != "images_per_second"} for line in run.metrics()]
             for run in (first, second)]  # fmt: skip
    assert lines[0] == lines[1]


@pytest.fixture(scope="module")
def two(disc_crops, tmp_path_factory):
    """A run of two processes, and what it said of its progress."""
    said = []
    out = tmp_path_factory.mktemp("devices") / "two"
    run = train(
        disc_crops, out=out, config=settings(), devices=2, device="cpu",
        progress=lambda *word: said.append(word),
    )  # fmt: skip
    return run, said


@pytest.mark.slow
def test_two_processes_do_the_sums_of_one(two, disc_crops, tmp_path):
    """One process that takes each batch in two parts normalises the same parts.

    So every weight is equal to the last bit: halves are added in either order to the same sum.
    Batch norm's running statistics are not: one process updates them twice a step. The averaged
    generator's are measured anew, and are equal again.
    """
    run, _ = two
    one = train(disc_crops, out=tmp_path / "one", config=settings(accumulate=2), device="cpu")
    running = ("running_mean", "running_var", "num_batches_tracked")
    for folder in ("model", "plain"):
        mine, theirs = tensors(run, folder), tensors(one, folder)
        for name, tensor in theirs.items():
            measured_anew = folder == "model" and name.startswith("generator")
            if measured_anew or not name.endswith(running):
                assert torch.equal(mine[name], tensor), (folder, name)
    for mine, theirs in zip(run.metrics(), one.metrics(), strict=True):
        for key in ("tversky", "adversarial", "fake", "real", "averaged_iou", "averaged_loss"):
            assert mine[key] == theirs[key], key


@pytest.mark.slow
def test_one_process_writes_and_its_progress_arrives(two):
    run, said = two
    assert [line["step"] for line in run.metrics()] == [6, 12]
    assert said[-1][1:] == (12, 12)
    assert run.table["devices"] == 2
    assert run.model.facts.provenance["steps"] == 12


@pytest.mark.slow
def test_stopped_then_killed_it_goes_on_to_the_same_end(two, disc_crops, tmp_path):
    """Ctrl-C reaches every process between two checks; one that dies takes the other with it."""
    before, done_to = set(multiprocessing.active_children()), []

    def interrupt(what, done, total):
        if done >= 8 and not done_to:
            done_to.append("stopped")
            threading.Timer(0.0, os.kill, (os.getpid(), signal.SIGINT)).start()

    def kill_one(what, done, total):
        if done >= 10 and done_to == ["stopped"]:
            done_to.append("killed")
            children = set(multiprocessing.active_children()) - before
            os.kill(max(child.pid for child in children), signal.SIGKILL)

    out = tmp_path / "run"
    with pytest.raises(StoppedError, match="--resume"):
        train(disc_crops, out=out, config=settings(), devices=2, device="cpu", progress=interrupt)
    started = time.monotonic()
    with pytest.raises(CrosspatchError, match=r"has died.*--resume"):
        resume(out, progress=kill_one)
    assert time.monotonic() - started < 120, "the other process must not wait for the dead one"
    assert set(multiprocessing.active_children()) == before
    with locked(out, "looking"):
        assert not Run.open(out).finished
    same(two[0], resume(out))


_CHILD = """
import sys
from crosspatch.workflows.train import train
train(sys.argv[1], out=sys.argv[2], config=sys.argv[3], devices=2, device="cpu")
"""


@pytest.mark.slow
def test_processes_that_torchrun_has_started_do_the_same(two, disc_crops, tmp_path):
    config = tmp_path / "small.toml"
    config.write_text(
        "\n".join(
            f"[{table}]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in values.items())
            for table, values in TABLE.items()
        )
    )
    (tmp_path / "child.py").write_text(_CHILD)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
               "2", tmp_path / "child.py", disc_crops.path, tmp_path / "run", config]  # fmt: skip
    subprocess.run(command, check=True, timeout=240, capture_output=True)
    same(two[0], Run.open(tmp_path / "run"))
