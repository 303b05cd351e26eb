"""Publish what several studies say together: which source helps which target, or what purity costs.

    python docs/results/headline/together.py STUDY STUDY ... --out docs/results/domain

Writes the page that ``crosspatch report STUDY STUDY ...`` makes as ``numbers.md``, its figures, its
tables as CSV, and the log of what was opened of the test splits.
"""

import argparse
import csv
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from crosspatch.files import write_text
from crosspatch.reports.page import Drawing, Section, Table, Text
from crosspatch.reports.study.compare import comparison_page
from crosspatch.reports.study.material import read_material


def main() -> None:
    """Write everything anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    wishes = parser.parse_args()
    out: Path = wishes.out
    out.mkdir(parents=True, exist_ok=True)
    page, figures = comparison_page([read_material(one) for one in wishes.studies])
    for name, svg in figures.items():
        write_text(out / f"{name}.svg", svg)
    named = {svg: name for name, svg in figures.items()}
    parts = [f"# {page.title}: the numbers"]
    for section in page.sections:
        parts += [f"## {section.title}", *blocks(section, named, out)]
    write_text(out / "numbers.md", "\n\n".join(parts) + "\n")
    for study in wishes.studies:
        shutil.copy(study / "test_log.csv", out / f"test_log-{study.name}.csv")


def blocks(section: Section, named: dict[str, str], out: Path) -> Iterator[str]:
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
            with (out / f"{name}-{tables}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows([block.columns, *block.rows])


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


if __name__ == "__main__":
    main()
