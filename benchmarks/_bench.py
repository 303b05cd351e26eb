"""What every benchmark needs: interleaved repeats, medians with their spread, the machine."""

import csv
import gc
import io
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Timing:
    """Seconds of one case over all repeats."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median of the repeats, in seconds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """Fastest and slowest repeat, in seconds."""
        return min(self.seconds), max(self.seconds)

    def rate(self, items: float) -> float:
        """Items a second at the median."""
        return items / self.median

    def rate_spread(self, items: float) -> tuple[float, float]:
        """Items a second of the slowest and of the fastest repeat."""
        fastest, slowest = self.spread
        return items / slowest, items / fastest


def interleave(
    cases: Mapping[str, Callable[[], object]],
    repeats: int,
    *,
    warmups: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Run the cases in turn, again and again, so that a busy moment hits all of them.

    ``clock=time.process_time`` counts the processor's seconds instead of the wall's.
    """
    for _ in range(warmups):
        for case in cases.values():
            case()
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(repeats):
        for name, case in cases.items():
            gc.collect()
            start = clock()
            case()
            seconds[name].append(clock() - start)
    return {name: Timing(tuple(values)) for name, values in seconds.items()}


def ratio_spread(above: Timing, below: Timing) -> tuple[float, float, float]:
    """Median, smallest and largest ratio of two cases, repeat by repeat."""
    ratios = [a / b for a, b in zip(above.seconds, below.seconds, strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


def describe_machine(*packages: str) -> dict[str, str]:
    """Say what the figures were made on: processor, cores, system, versions."""
    machine = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity")
                     else os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }  # fmt: skip
    for package in packages:
        try:
            machine[package] = version(package)
        except PackageNotFoundError:
            machine[package] = "not installed"
    return machine


def write_results(
    name: str,
    claim: str,
    rows: Sequence[Mapping[str, object]],
    machine: Mapping[str, str],
    notes: Sequence[str] = (),
) -> None:
    """Write ``results/NAME.csv`` (the rows) and ``results/NAME.md`` (rows, machine, command)."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.csv").write_text(text.getvalue(), encoding="utf-8", newline="")
    lines = [
        f"# {name}",
        "",
        claim,
        "",
        "| " + " | ".join(columns) + " |",
        "|" + " --- |" * len(columns),
        *("| " + " | ".join(str(row.get(column, "")) for column in columns) + " |" for row in rows),
        "",
        *(f"- {note}" for note in notes),
        "",
        f"Command: `python {shlex.join([_script(), *sys.argv[1:]])}`, {date.today().isoformat()}.",
        "Machine: " + ", ".join(f"{key} {value}" for key, value in machine.items()) + ".",
        "",
    ]
    (RESULTS / f"{name}.md").write_text("\n".join(lines), encoding="utf-8", newline="")


def _script() -> str:
    script = Path(sys.argv[0]).resolve()
    root = Path(__file__).resolve().parent.parent
    return script.relative_to(root).as_posix() if script.is_relative_to(root) else script.name


def _processor() -> str:
    """Name of the processor; Linux hides it in a file."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
