"""A study that is killed, wherever and however often, comes to the same table to the byte."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from crosspatch.workflows.study import study
from small_study import lay_out, write_plan

GO = "import sys; from crosspatch.cli import main; sys.exit(main(sys.argv[1:]))"

KILLS = 3


def finished_runs(out):
    return len(list(out.glob("runs/*/job.toml")))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_random_moments(done, tmp_path, workers):
    made, _ = done
    data = lay_out(tmp_path / "data")
    plan, out = write_plan(data), data / "out"
    words = [sys.executable, "-c", GO, "study", str(plan), "--out", str(out), "--quiet",
             "--workers", str(workers)]  # fmt: skip
    dice = random.Random(workers)
    kills = 0
    while True:
        process = subprocess.Popen(words, start_new_session=True, stderr=subprocess.PIPE)
        target = finished_runs(out) + dice.randint(1, 3)
        while process.poll() is None and (kills == KILLS or finished_runs(out) < target):
            time.sleep(0.05)
        time.sleep(dice.random())
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        kills += 1
    assert process.returncode == 0, process.stderr.read()
    assert kills == KILLS
    for name in ("results.csv", "learning.csv"):
        assert (out / name).read_bytes() == (made.path / name).read_bytes()


@pytest.mark.slow
def test_asked_to_stop_it_stops_cleanly_and_goes_on(done, tmp_path):
    made, _ = done
    data = lay_out(tmp_path / "data")
    plan, out = write_plan(data), data / "out"
    words = [sys.executable, "-c", GO, "study", str(plan), "--out", str(out)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and finished_runs(out) < 3:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "the same command goes on" in said
    assert "Traceback" not in said
    assert study(plan, out=out).results.read_bytes() == made.results.read_bytes()


@pytest.mark.slow
def test_on_dask_with_a_worker_killed_half_way(done, tmp_path):
    distributed = pytest.importorskip("distributed")
    made, _ = done
    data = lay_out(tmp_path / "data")
    out = data / "out"
    killed = []
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        pids = [worker.pid for worker in cluster.workers.values()]  # of the processes themselves

        def kill_one():
            while finished_runs(out) < 4:
                time.sleep(0.05)
            os.kill(pids[0], signal.SIGKILL)
            killed.append(pids[0])

        threading.Thread(target=kill_one, daemon=True).start()
        again = study(write_plan(data), out=out, scheduler=cluster.scheduler_address)
    assert killed
    assert again.failed == {}
    assert again.results.read_bytes() == made.results.read_bytes()
