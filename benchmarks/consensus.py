"""Classifications a second from an export to consensus masks, and the memory that takes.

Freehand outlines of about 400 points, 15 volunteers a subject, a subject's rows scattered over the
file. Beside us, in the same run: the script that anybody would write (json, PIL, a numpy sum), and
``panoptes_aggregation`` 5.3.1, extract and reduce, in an environment of its own and on a slice that
it can finish. Times are of the work itself, in processes that have done a small export before.
Beside the clock stands the processors' time of all processes of a case (Linux): that a busy machine
lengthens little, while the clock punishes those who use two processes more than those who use one.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from _bench import Timing, describe_machine, ratio_spread, write_results
from _export import write_export
from _peers import Worker, peer_python

HERE = Path(__file__).resolve().parent
CASES = {
    "ours": "crosspatch consensus, everything",
    "arrays": "crosspatch, without pictures",
    "naive": "json + PIL + numpy sum, without pictures",
    "aggregation": "panoptes_aggregation 5.3.1",
}
_KNOWN = Path("/proc/self/stat").exists()  # what processes spend, and their memory
SLOW_REPEATS = 3
BESIDE = ("naive", "arrays", "ours")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parent / "src")}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=15000, help="classifications at 350 x 350")
    parser.add_argument("--large-rows", type=int, default=4500, help="at 1200 x 1200")
    parser.add_argument("--slice", type=int, default=1995, help="for panoptes_aggregation; 0: none")
    parser.add_argument("--memory-rows", type=int, nargs="*", default=[10_000, 300_000])
    parser.add_argument("--peer-python", type=Path, help="with panoptes_aggregation; made if none")
    parser.add_argument("--work", type=Path, help="a folder with some gigabytes of room")
    wishes = parser.parse_args()
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    with tempfile.TemporaryDirectory(dir=wishes.work) as work:
        rows = race(Path(work), 350, wishes.rows, list(BESIDE), wishes.repeats)
        rows += race(
            Path(work), 1200, wishes.large_rows, ["naive", "arrays", "ours"], wishes.repeats
        )
        if wishes.slice:
            peer = wishes.peer_python or peer_python(
                "panoptes_aggregation", ["panoptes_aggregation==5.3.1", "numpy<2.3", "pandas<3"]
            )
            slow = min(wishes.repeats, SLOW_REPEATS)
            rows += race(
                Path(work), 350, wishes.slice, ["aggregation", "arrays", "ours"], slow, peer
            )
        notes = [remember(Path(work), rows) for rows in wishes.memory_rows]
    write_results(
        "consensus",
        "From a freehand export to consensus masks, two processes. Targets: 50 times "
        "panoptes_aggregation; 2 times the naive script at 350 x 350 and 5 times at 1200 x 1200; "
        "5,000 classifications a second without pictures; memory flat within 20% from 10,000 to "
        "300,000 rows, and under 1 GB.",
        rows,
        describe_machine("crosspatch", "numpy", "msgspec", "pillow"),
        [
            f"{wishes.repeats} interleaved repeats (beside panoptes_aggregation: "
            f"{min(wishes.repeats, SLOW_REPEATS)}) after a warm-up on "
            "300 rows; medians, slowest and fastest; ratios repeat by repeat, with their range.",
            "'everything' writes masks, votes, tables and the contact sheet; 'without pictures' "
            "ends with votes and masks as arrays. The naive script counts repeats twice and "
            "paints boundary pixels.",
            f"Processes that wanted a core when it began, this one not counted: {busy:.1f}. By a "
            "processor's second all processes of a case are counted: two free cores do up to "
            "twice that a second.",
            *notes,
        ],
    )


def race(
    work: Path, side: int, rows: int, cases: list[str], repeats: int, peer: Path | None = None
) -> list[Mapping[str, object]]:
    """Run the cases in turn on one export; the first is what the others are compared with."""
    export, small = work / f"{side}-{rows}.csv", work / "small.csv"
    write_export(export, rows, side)
    write_export(small, 300, side)
    script = HERE / "_consensus_worker.py"
    workers = {
        case: Worker([peer if case == "aggregation" and peer else sys.executable, script, case],
                     {} if case == "aggregation" else ENVIRONMENT)
        for case in cases
    }  # fmt: skip
    seconds: dict[str, list[float]] = {case: [] for case in cases}
    spent: dict[str, list[float]] = {case: [] for case in cases}
    try:
        for repeat in range(repeats + 1):
            for case, worker in workers.items():
                out = work / f"out-{case}"
                before = _spent(worker.pid)
                took = worker.ask(f"{export if repeat else small}\t{out}")
                shutil.rmtree(out, ignore_errors=True)
                if repeat:
                    seconds[case].append(took)
                    spent[case].append(_spent(worker.pid) - before)
                    print(f"{side} {rows} {case} {rows / took:.0f}/s", file=sys.stderr)
    finally:
        for worker in workers.values():
            worker.close()
        export.unlink()
    clock = {case: Timing(tuple(taken)) for case, taken in seconds.items()}
    processors = {case: Timing(tuple(taken)) for case, taken in spent.items()}
    return [_row(side, rows, case, cases[0], clock, processors) for case in cases]


def _row(
    side: int,
    rows: int,
    case: str,
    other: str,
    clock: Mapping[str, Timing],
    processors: Mapping[str, Timing],
) -> Mapping[str, object]:
    slowest, fastest = clock[case].rate_spread(rows)
    return {
        "pixels": f"{side} x {side}",
        "classifications": rows,
        "case": CASES[case],
        "classifications a second": f"{clock[case].rate(rows):.0f}",
        "slowest": f"{slowest:.0f}",
        "fastest": f"{fastest:.0f}",
        "a processor's second": f"{processors[case].rate(rows):.0f}" if _KNOWN else "",
        "times": _times(clock, other, case),
        "times, processors": _times(processors, other, case) if _KNOWN else "",
        "than": CASES[other] if case != other else "",
    }


def _times(taken: Mapping[str, Timing], other: str, case: str) -> str:
    if case == other:
        return ""
    ratio, low, high = ratio_spread(taken[other], taken[case])
    return f"{ratio:.1f} ({low:.1f}-{high:.1f})"


def remember(work: Path, rows: int) -> str:
    """Run the whole command on ``rows`` classifications and say its peak memory."""
    export, out = work / "memory.csv", work / "memory"
    write_export(export, rows, 350)
    size = export.stat().st_size
    begin = "import sys; from crosspatch.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", begin, "consensus", export, "--out", out, "--workers", "2"]
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in command], env=ENVIRONMENT, stdout=subprocess.DEVNULL
    )
    peak = _Peak(process.pid)
    code = process.wait()
    took = time.perf_counter() - start
    together, alone = peak.stop()
    if code:
        raise SystemExit(f"crosspatch consensus ended with {code}")
    shutil.rmtree(out)
    export.unlink()
    return (
        f"{rows} rows ({size / 1e9:.2f} GB): {rows / took:.0f} classifications a second with "
        f"everything; peak memory of all processes together {together / 1e6:.0f} MB, of the "
        f"largest {alone / 1e6:.0f} MB."
    )


class _Peak:
    """Watches the resident memory of a process and its children, 20 times a second (Linux)."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peaks = 0, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> tuple[int, int]:
        """Return the peak of all together and of the largest one, in bytes."""
        self._over.set()
        self._thread.join()
        return self._peaks

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            sizes = [_resident(pid) for pid in _family(self._pid)]
            together, alone = self._peaks
            self._peaks = max(together, sum(sizes)), max(alone, *sizes)


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        except OSError:
            continue
        found += map(int, children)
    return found


def _spent(pid: int) -> float:
    """Return the processors' seconds of a process and its children so far."""
    if not _KNOWN:
        return 0.0
    ticks = 0
    for one in _family(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))  # its own, and those of children that have ended
    return ticks / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
