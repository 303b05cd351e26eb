"""How long ``crosspatch demo`` takes, the whole journey and ``--quick``.

Each once, in a process of its own: minutes in which a machine's mood evens out.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _bench import describe_machine, write_results

QUICK, WHOLE = "crosspatch demo --quick", "crosspatch demo"
AT_MOST = {QUICK: 90.0, WHOLE: 480.0}


def seconds_of(command: str, folder: Path) -> float:
    """Run a demo into a new folder; return the seconds until its page is there."""
    program = str(Path(sys.executable).with_name("crosspatch"))
    words = [program, *command.split()[1:], "--out", str(folder)]
    start = time.perf_counter()
    subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
    seconds = time.perf_counter() - start
    if not (folder / "report.html").is_file():
        raise SystemExit(f"{command}: made no report.html")
    return seconds


def main() -> int:
    """Measure, write the results, and fail if a target is missed."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as place:
        took = {
            command: seconds_of(command, Path(place) / f"demo-{number}")
            for number, command in enumerate(AT_MOST)
        }
    write_results(
        "demo",
        f"`{WHOLE}` takes **{took[WHOLE]:.0f} s** (at most {AT_MOST[WHOLE]:.0f} s), `{QUICK}` "
        f"**{took[QUICK]:.0f} s** (at most {AT_MOST[QUICK]:.0f} s).",
        [
            {"command": f"`{command}`", "seconds": round(seconds, 1), "at most": AT_MOST[command]}
            for command, seconds in took.items()
        ],
        describe_machine("crosspatch", "torch"),
        ["Each once, wall clock, from the start of its process to its end; seed 0."],
    )
    for command, seconds in took.items():
        print(f"{seconds:.1f} s  {command}")
    return 0 if all(took[command] <= most for command, most in AT_MOST.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
