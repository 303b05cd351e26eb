"""What commands print: progress and warnings to standard error, results to standard output."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from crosspatch.files import to_json
from crosspatch.progress import Progress


@Parameter(name="*")
@dataclass(frozen=True)
class Output:
    """How a command speaks."""

    quiet: Annotated[bool, Parameter(help="Print results only, no progress.")] = False
    json: Annotated[bool, Parameter(help="Print the result as JSON, for programs.")] = False


@contextmanager
def progress_bars(output: Output) -> Iterator[Progress]:
    """Yield a progress function that draws a bar on standard error, with the time left."""
    console = Console(stderr=True, quiet=output.quiet)
    handler = RichHandler(console=Console(stderr=True), show_path=False, show_time=False)
    log = logging.getLogger("crosspatch")
    log.addHandler(handler)
    log.setLevel(logging.WARNING if output.quiet else logging.INFO)
    bar = Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
        disable=output.quiet or not console.is_terminal,
    )
    tasks: dict[str, Any] = {}

    def show(what: str, done: int, total: int) -> None:
        stage = what.split("  ", 1)[0]  # what follows two spaces changes while the stage goes on
        if stage not in tasks:
            tasks[stage] = bar.add_task(what, total=total)
        bar.update(tasks[stage], description=what, completed=done, total=total)

    try:
        with bar:
            yield show
    finally:
        log.removeHandler(handler)


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
