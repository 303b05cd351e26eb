"""Sections of a report as Markdown, and their tables as CSV files.

``tables.py`` and ``together.py`` write with it, so that nothing is copied by hand.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from crosspatch.reports.page import Drawing, Section, Table, Text


def blocks(section: Section, named: Mapping[str, str], out: Path) -> Iterator[str]:
    """Turn what a section holds into Markdown; tables go into CSV files too."""
    tables = 0
    for block in section.blocks:
        if isinstance(block, Text):
            yield from block.paragraphs
        elif isinstance(block, Drawing):
            yield f"![{block.caption}]({named[block.svg]}.svg)"
            yield block.caption
        elif isinstance(block, Table):
            yield block.caption
            yield table([block.columns, *block.rows])
            tables += 1
            name = "-".join(section.title.lower().replace("?", "").split()[:3])
            write(out / f"{name}-{tables}.csv", [block.columns, *block.rows])


def table(rows: Sequence[Sequence[object]]) -> str:
    """Lay rows out, the first as the head."""
    head, *rest = [[cell(one) for one in row] for row in rows]
    lines: Iterable[Sequence[str]] = [head, ["---"] * len(head), *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: object) -> str:
    """Write a number with three digits after the point, and the rest as it is."""
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value).replace("|", "\\|")


def write(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
