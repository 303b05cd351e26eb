"""How long people wait for ``crosspatch --help`` and programs for ``import crosspatch``."""

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from _bench import Timing, describe_machine, interleave, write_results

HELP, IMPORT = "crosspatch --help", 'python -c "import crosspatch"'
BARE, TRAIN = 'python -c "pass"', "crosspatch train --help"
AT_MOST = {HELP: 0.45, IMPORT: 0.2}


def fresh_process(*words: str) -> Callable[[], object]:
    """Return a function that runs a command in a new process and waits for it to end well."""
    return lambda: subprocess.run(words, stdout=subprocess.DEVNULL, check=True)


def row(name: str, timing: Timing) -> dict[str, object]:
    """Round one case for the table."""
    fastest, slowest = timing.spread
    return {
        "command": f"`{name}`",
        "seconds": round(timing.median, 3),
        "fastest": round(fastest, 3),
        "slowest": round(slowest, 3),
        "at most": AT_MOST.get(name, ""),
    }


def main() -> int:
    """Measure, write the results, and fail if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    program = str(Path(sys.executable).with_name("crosspatch"))
    timings = interleave(
        {
            BARE: fresh_process(sys.executable, "-c", "pass"),
            IMPORT: fresh_process(sys.executable, "-c", "import crosspatch"),
            HELP: fresh_process(program, "--help"),
            TRAIN: fresh_process(program, "train", "--help"),
        },
        repeats,
    )
    write_results(
        "startup",
        f"`{HELP}` takes **{timings[HELP].median:.2f} s** (at most {AT_MOST[HELP]} s), "
        f"`import crosspatch` **{timings[IMPORT].median:.2f} s** with Python itself "
        f"(at most {AT_MOST[IMPORT]} s).",
        [row(name, timing) for name, timing in timings.items()],
        describe_machine("cyclopts", "rich", "crosspatch"),
        [
            f"{repeats} interleaved repeats, each in a new process, wall clock, files in the page "
            "cache; medians, fastest and slowest."
        ],
    )
    for name, timing in timings.items():
        print(f"{timing.median:.3f} s  {name}")
    return 0 if all(timings[name].median <= most for name, most in AT_MOST.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
