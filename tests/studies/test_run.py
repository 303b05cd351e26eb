"""Runs on a pool: each after what it needs, a crash charged to the run that crashed."""

import signal
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from crosspatch.errors import CrosspatchError, MissingExtraError
from crosspatch.studies.run import Outcome, State, at_once, dask_pool, in_turn, local_pool
from crosspatch.training.stopping import StopAsked


def job(name, needs=None):
    return SimpleNamespace(name=name, needs=needs)


class Pool(Executor):
    """Does a job when it is submitted; from one named "crash" on, all that were submitted break."""

    def __init__(self, at_a_time: list[int]) -> None:
        self._broken, self._open, self._at_a_time = False, [], at_a_time

    def submit(self, do: Callable, one):
        future: Future = Future()
        self._open.append(future)
        if one.name.startswith("crash"):
            self._broken = True
        if self._broken:
            for held in self._open:
                if not held.done():
                    held.set_exception(BrokenExecutor())
        elif one.name != "slow":
            future.set_result(do(one))
        self._at_a_time.append(sum(not held.done() for held in self._open) or 1)
        return future


@contextmanager
def pool(at_a_time):
    yield Pool(at_a_time)


def done_by(jobs, do, slots=2):
    at_a_time: list[int] = []
    state = State(lambda _: None)
    at_once(jobs, do, state, lambda: pool(at_a_time), slots)
    return state


def test_asked_to_stop_when_a_run_has_done_its_last_step_the_next_is_not_begun():
    def do(one):
        with StopAsked():  # as training has it
            signal.raise_signal(signal.SIGINT)
        return Outcome(one.name)

    state = State(lambda _: None)
    in_turn([job("first"), job("second")], do, state)
    assert (state.done, state.stopped) == ({"first"}, True)


def test_asked_to_stop_in_the_last_run_nothing_is_left_to_stop():
    def do(one):
        signal.raise_signal(signal.SIGINT)
        return Outcome(one.name)

    state = State(lambda _: None)
    in_turn([job("only")], do, state)
    assert (state.done, state.stopped) == ({"only"}, False)


def test_a_run_waits_for_what_it_needs():
    order = []

    def do(one):
        order.append(one.name)
        return Outcome(one.name)

    jobs = [job("warm", needs="source"), job("source"), job("scratch")]
    state = done_by(jobs, do)
    assert state.done == {"warm", "source", "scratch"}
    assert order.index("source") < order.index("warm")


@pytest.mark.parametrize("pooled", [True, False])
def test_what_starts_from_a_failed_run_fails_and_nothing_else_does(pooled):
    def do(one):
        return Outcome(one.name, "broken" if one.name == "source" else None)

    jobs = [job("source"), job("warm", needs="source"), job("scratch")]
    if pooled:
        state = done_by(jobs, do)
    else:
        state = State(lambda _: None)
        in_turn(jobs, do, state)
    assert state.done == {"scratch"}
    assert state.failed == {
        "source": "broken", "warm": "the run that it starts from failed: source",
    }  # fmt: skip


def test_a_killed_process_is_charged_to_the_run_that_killed_it():
    jobs = [job("first"), job("crash"), job("second"), job("third")]
    state = done_by(jobs, lambda one: Outcome(one.name))
    assert state.done == {"first", "second", "third"}
    assert list(state.failed) == ["crash"]
    assert "killed" in state.failed["crash"]


def test_a_stop_ends_the_study_and_starts_no_more_runs():
    seen = []

    def do(one):
        seen.append(one.name)
        return Outcome(one.name, stopped=one.name == "second")

    jobs = [job("first"), job("second"), job("third")]
    state = State(lambda _: None)
    in_turn(jobs, do, state)
    assert state.stopped
    assert seen == ["first", "second"]
    seen.clear()
    assert done_by(jobs, do, slots=1).stopped
    assert seen == ["first", "second"]


@pytest.mark.slow
def test_a_process_that_has_grown_is_replaced_without_a_word(recwarn):
    pytest.importorskip("psutil")  # without it none is replaced

    def grow(_):
        import builtins
        import os
        import time

        builtins.kept = getattr(builtins, "kept", b"") + bytes(200 * 2**20)
        time.sleep(1.1)
        return os.getpid()

    with local_pool(1) as pool:
        numbers = list(pool.map(grow, range(4)))
    assert len(set(numbers)) > 1
    assert not list(recwarn)


def test_a_scheduler_that_does_not_answer_is_said():
    pytest.importorskip("distributed")
    silent = dask_pool("tcp://127.0.0.1:9", timeout=0.5)
    with pytest.raises(CrosspatchError, match=r"--scheduler tcp://127.0.0.1:9: no answer"), silent:
        pass


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"crosspatch\[cluster\]"), dask_pool("tcp://x:1"):
        pass
