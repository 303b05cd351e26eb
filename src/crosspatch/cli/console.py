"""What commands print: progress and warnings to standard error, results to standard output."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from crosspatch.cli.pace import Pace, in_words
from crosspatch.files import to_json
from crosspatch.progress import Progress, silent

_LINE_EVERY = 300.0  # seconds, at least, from the start to a line of progress, and between two


@Parameter(name="*")
@dataclass(frozen=True)
class Output:
    """How a command speaks."""

    quiet: Annotated[bool, Parameter(help="Print results only, no progress.")] = False
    json: Annotated[bool, Parameter(help="Print the result as JSON, for programs.")] = False


@contextmanager
def progress_bars(output: Output) -> Iterator[Progress]:
    """Yield a progress function that draws a bar on standard error, with the time left.

    Without a terminal (nohup, a scheduler) it writes a plain line there instead, every few minutes:
    nothing of what is quicker than that.
    """
    console = Console(stderr=True, quiet=output.quiet)
    handler = RichHandler(console=Console(stderr=True), show_path=False, show_time=False)
    log = logging.getLogger("crosspatch")
    log.addHandler(handler)
    log.setLevel(logging.WARNING if output.quiet else logging.INFO)
    try:
        if output.quiet:
            yield silent
        elif not console.is_terminal:
            yield _lines()
        else:
            with _bar(console) as bar:
                yield _drawn(bar)
    finally:
        log.removeHandler(handler)


class _Paces:
    """The pace of each stage of a command."""

    def __init__(self) -> None:
        self._of: dict[str, Pace] = {}

    def note(self, what: str, done: int, total: int, now: float) -> tuple[str, Pace]:
        """Take in how far a stage is; return its name and pace. One that falls back is another."""
        stage = what.split("  ", 1)[0]  # what follows two spaces changes while the stage goes on
        pace = self._of.get(stage)
        if pace is None or done < pace.done:
            pace = self._of[stage] = Pace(done, total, now)
        pace.note(done, total, now)
        return stage, pace


class _TimeLeft(ProgressColumn):
    """Hours, minutes and seconds left; what it took where nothing is."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        pace: Pace = task.fields["pace"]
        if pace.ended:
            return Text(_clock(pace.taken), style="progress.elapsed")
        left = pace.left(monotonic())
        return Text("-:--:--" if left is None else _clock(left), style="progress.remaining")


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def _bar(console: Console) -> Bar:
    return Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        _TimeLeft(),
        console=console,
    )


def _drawn(bar: Bar) -> Progress:
    """Draw a line of the bar for each stage."""
    paces, tasks = _Paces(), dict[str, TaskID]()

    def show(what: str, done: int, total: int) -> None:
        stage, pace = paces.note(what, done, total, monotonic())
        if stage not in tasks:
            tasks[stage] = bar.add_task(what, total=total, completed=done, pace=pace)
        bar.update(tasks[stage], description=what, completed=done, total=total, pace=pace)

    return show


def _lines() -> Progress:
    """Write a line now and then, for a night's log."""
    paces, said = _Paces(), monotonic()

    def show(what: str, done: int, total: int) -> None:
        nonlocal said
        now = monotonic()
        _, pace = paces.note(what, done, total, now)
        if now - said < _LINE_EVERY:
            return
        said = now
        left = None if pace.ended else pace.left(now)
        about = "" if left is None else f", about {in_words(left)} left"
        with suppress(
            OSError
        ):  # a log that takes no more (full disk, closed) must not end the work
            sys.stderr.write(f"{what}: {done} of {total}{about}\n")

    return show


def say(output: Output, result: Mapping[str, Any], lines: Sequence[str] = ()) -> None:
    """Print a result: as JSON where asked for, else as the lines for people."""
    if output.json:
        sys.stdout.write(to_json(result) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Lay out rows as a plain text table; numbers stand right."""
    drawn = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    drawn.show_header = any(columns)
    for index, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        drawn.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(_cell(value) for value in row))
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(drawn, markup=False)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) >= 0.001 or value == 0 else f"{value:.3g}"
    return str(value)
