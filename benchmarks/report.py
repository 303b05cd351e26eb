"""How long ``crosspatch report`` takes for a study of ten thousand subjects, and how much memory.

The study is whole: images and models on the disk, both kinds of weights, learning curves, baselines
(see `_report_worker.py`), so that its pictures are drawn by its networks. Made twice: masks that
were drawn are kept, and not drawn again.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from _bench import describe_machine, write_results

SECONDS, BYTES = 60.0, 2e9
FIRST, AGAIN = "for the first time", "again, masks kept"
WORKER = Path(__file__).with_name("_report_worker.py")


class Measured(NamedTuple):
    """What a command took: seconds on the wall, seconds of the processor, bytes at its peak."""

    seconds: float
    processor: float
    peak: int


def measured(*words: str) -> Measured:
    """Run a command in a process of its own."""
    start = time.perf_counter()
    process = subprocess.Popen(words)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)}: ended with {process.returncode}")
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Measured(seconds, used.ru_utime + used.ru_stime, peak)


def main() -> int:
    """Measure, write the results, and fail if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=10_000)
    subjects = parser.parse_args().subjects
    if not hasattr(os, "wait4"):
        print("not measured: needs a system that counts a process's memory (Linux, macOS)")
        return 0
    program = str(Path(sys.executable).with_name("crosspatch"))
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([sys.executable, str(WORKER), place, str(subjects)], check=True)
        study = Path(place) / "study"
        found = {case: measured(program, "report", str(study)) for case in (FIRST, AGAIN)}
        masks = len(list((study / "pictures").iterdir()))
        with (study / "results.csv").open("rb") as file:
            rows = sum(1 for _ in file) - 1
        page = (study / "report.html").stat().st_size
    seconds = max(one.seconds for one in found.values())
    memory = max(one.peak for one in found.values())
    write_results(
        "report",
        f"The report of a study of {subjects:,} subjects takes **{seconds:.0f} s** (at most "
        f"{SECONDS:.0f} s) and **{memory / 1e9:.2f} GB** (at most {BYTES / 1e9:.0f} GB).",
        [
            {
                "case": case, "subjects": subjects, "rows": rows, "seconds": round(one.seconds, 1),
                "at most": SECONDS, "of the processor": round(one.processor, 1),
                "peak, GB": round(one.peak / 1e9, 2), "at most, GB": BYTES / 1e9,
            }
            for case, one in found.items()
        ],
        describe_machine("crosspatch", "polars", "torch"),
        [
            "One process each, wall clock from its start to its end; beside it the seconds that it "
            "had of the processor (of all cores together), as the machine may be busy; peak "
            "resident memory.",
            f"Generated images of 64 x 64 pixels and four bands, each a file; {masks} masks are "
            "drawn by networks of width 16 for the pictures; both kinds of weights, learning "
            f"curves of every training. The page is {page / 1e6:.1f} MB.",
        ],
    )  # fmt: skip
    for case, one in found.items():
        print(f"{one.seconds:.1f} s  {one.peak / 1e9:.2f} GB  {case}")
    return 0 if seconds <= SECONDS and memory <= BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
