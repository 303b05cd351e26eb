"""Environments of their own for the programs that we measure ourselves against."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_HOME = Path(__file__).parent / ".peers"


def peer_python(name: str, *steps: Sequence[str]) -> Path:
    """Make (once) a virtual environment beside the benchmarks; return its Python.

    Each of ``steps`` holds the arguments of one ``pip install``.
    """
    folder = _HOME / name
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not (folder / "ready").exists():
        print(f"making the environment of {name} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        for step in steps:
            subprocess.run([python, "-m", "pip", "install", "--quiet", *step], check=True)
        (folder / "ready").touch()
    return python


class Worker:
    """A program that does one unit of work a line and answers with the seconds it took."""

    def __init__(self, command: Sequence[str | Path], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def ask(self, line: str) -> float:
        """Send one line, wait, and return the seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"a benchmark process died while asked: {line}")
        return float(answer)

    def close(self) -> None:
        """End the program."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=30)
