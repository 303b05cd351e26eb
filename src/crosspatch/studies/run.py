"""Doing many runs: each when what it needs is there, several at once, a failing one by itself."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from crosspatch.errors import CrosspatchError, MissingExtraError
from crosspatch.studies.jobs import Job
from crosspatch.training.stopping import StopAsked

Pool = AbstractContextManager[Executor]
_LOOK_EVERY = 1.0  # seconds between looks whether a stop was asked for
_GRACE = 20.0  # seconds that runs get to save themselves then
_BROKEN = "its process was killed (out of memory?)"


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ``why`` is None where it is done."""

    name: str
    why: str | None = None
    stopped: bool = False


Do = Callable[[Job], Outcome]
"""Does one run in its folder; can be sent to another process, and raises nothing."""


@dataclass
class State:
    """What is done so far; ``told`` is called after each run."""

    told: Callable[["State"], None]
    done: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    stopped: bool = False

    def take(self, outcome: Outcome) -> None:
        """Count one outcome."""
        if outcome.stopped:
            self.stopped = True
        elif outcome.why is not None:
            self.failed[outcome.name] = outcome.why
        else:
            self.done.add(outcome.name)
        self.told(self)

    def left(self, jobs: Iterable[Job]) -> list[Job]:
        """Return what is still to be done, after listing what cannot: its source has failed."""
        left = [job for job in jobs if job.name not in self.done and job.name not in self.failed]
        for job in left:
            if job.needs in self.failed:
                self.take(Outcome(job.name, f"the run that it starts from failed: {job.needs}"))
        return [job for job in left if job.name not in self.failed]


def in_turn(jobs: Sequence[Job], do: Do, state: State) -> None:
    """Do runs in this process, one after another; asked to stop, end after the one under way."""
    with StopAsked() as stop:
        for job in jobs:
            if not state.left([job]):
                continue
            state.stopped = state.stopped or stop.asked
            if not state.stopped:
                state.take(do(job))


def at_once(
    jobs: Sequence[Job], do: Do, state: State, pool: Callable[[], Pool], slots: int | None
) -> None:
    """Do runs on a pool of processes, each when what it needs is done.

    Where a process is killed from outside, all pools known break as a whole. Those that were
    running are then done one at a time, which shows whose fault it was.

    Parameters
    ----------
    jobs, do, state : see `in_turn`
    pool : makes the pool
    slots : runs at the same time; None leaves that to the pool
    """
    suspects: list[Job] = []
    with StopAsked(patient=True) as stop:
        while not state.stopped and (left := state.left(suspects or jobs)):
            running: dict[Future[Outcome], Job] = {}
            try:
                with pool() as executor:
                    _feed(executor, left, do, state, running, 1 if suspects else slots, stop)
                suspects = []
            except BrokenExecutor:
                broken = list(running.values())
                if len(broken) == 1:
                    state.take(Outcome(broken[0].name, _BROKEN))
                suspects = state.left(suspects or broken)


def _feed(
    executor: Executor,
    jobs: Sequence[Job],
    do: Do,
    state: State,
    running: dict[Future[Outcome], Job],
    slots: int | None,
    stop: StopAsked,
) -> None:
    """Keep the pool busy until all jobs are done, or a stop is asked for."""
    waiting = list(jobs)
    while True:
        waiting = state.left(waiting)
        ready = [job for job in waiting if job.needs is None or job.needs in state.done]
        free = len(ready) if slots is None else slots - len(running)
        for job in ready[: max(free, 0)]:
            waiting.remove(job)
            running[executor.submit(do, job)] = job
        if not running:
            return
        ended = wait(running, timeout=_LOOK_EVERY, return_when=FIRST_COMPLETED).done
        _collect(ended, running, state)
        if stop.asked or state.stopped:
            state.stopped = True
            for future in running:
                future.cancel()
            _collect(wait(running, timeout=_GRACE).done, running, state)
            return


def _collect(
    ended: Iterable[Future[Outcome]], running: dict[Future[Outcome], Job], state: State
) -> None:
    for future in ended:
        job = running[future]
        try:
            outcome = Outcome(job.name, stopped=True) if future.cancelled() else future.result()
        except BrokenExecutor:
            raise
        except Exception as error:  # the cluster lost it
            outcome = Outcome(job.name, f"{type(error).__name__}: {error}")
        del running[future]
        state.take(outcome)


@contextmanager
def local_pool(workers: int) -> Iterator[Executor]:
    """Start processes on this machine: new ones that inherit nothing, on every system."""
    from joblib.externals.loky import ProcessPoolExecutor

    pool = ProcessPoolExecutor(workers, timeout=None)
    with warnings.catch_warnings():
        # Between two runs a process that has grown is replaced, and nobody need worry about that.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        try:
            yield pool
        finally:
            pool.shutdown(kill_workers=True)


@contextmanager
def dask_pool(address: str, *, timeout: float = 20.0) -> Iterator[Executor]:
    """Workers of a Dask scheduler, all of which see the study's folder under the same path.

    Raises
    ------
    MissingExtraError
        Dask is not installed.
    CrosspatchError
        Nothing answers at the address.
    """
    try:
        from distributed import Client
    except ImportError:
        raise MissingExtraError("--scheduler", "cluster") from None
    try:
        client = Client(address, timeout=timeout)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise CrosspatchError(f"--scheduler {address}: no answer ({error})") from None
    with client:
        yield client.get_executor(pure=False)  # type: ignore[no-untyped-call]
