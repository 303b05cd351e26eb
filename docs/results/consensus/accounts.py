"""Accounts for every row and mark of four real Panoptes exports.

    python docs/results/consensus/accounts.py --data DIR

Runs ``crosspatch consensus`` on each and writes ``exports.csv``: what became of how many rows and
marks. The total is counted a second time, by csv and json alone; the script stops where the two
differ. Also writes ``panoptes_volunteers.csv`` of the Floating Forests export. Five seconds.
"""

import argparse
import csv
import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import crosspatch as cp

HERE = Path(__file__).parent
KELP = "floating_forests/classifications_panoptes.csv"
EXPORTS = (
    "drawing_exports/cat_freehand_polygon_classifications.csv",
    "drawing_exports/andromeda_circle_classifications.csv",
    "drawing_exports/cat_manytools_classifications.csv",
    KELP,
)
MARK = {"points", "pathX", "path", "r", "rx", "x", "x1", "x_center"}


def counted(export: Path) -> tuple[int, int]:
    """Count rows and marks without crosspatch."""
    csv.field_size_limit(2**30)
    with export.open(encoding="utf-8", newline="") as file:
        rows = [json.loads(row["annotations"]) for row in csv.DictReader(file)]
    values = [task["value"] for tasks in rows for task in tasks if isinstance(task["value"], list)]
    marks = [item for value in values for item in value if isinstance(item, dict)]
    return len(rows), sum(not MARK.isdisjoint(mark) for mark in marks)


def accounted(export: Path, folder: Path) -> list[tuple[str, str, int]]:
    """Run the consensus; list (row or mark, what became of it, how many)."""
    made = cp.consensus(export, out=folder, workers=1)
    read = {"row": 0, "mark": 0}
    for sentence in made.said:
        words = sentence.split()
        if words[1:3] in (["classifications", "read,"], ["marks", "read,"]):
            read["row" if words[1] == "classifications" else "mark"] = int(words[0])
    if (read["row"], read["mark"]) != counted(export):
        raise SystemExit(f"{export.name}: {read} read, {counted(export)} in the file")
    with (folder / "rejected.csv").open(encoding="utf-8", newline="") as file:
        rejected = Counter((row["what"], row["reason"]) for row in csv.DictReader(file))
    rows = []
    for what, number in read.items():
        left = {reason: n for (kind, reason), n in rejected.items() if kind == what}
        rows.append((what, "kept", number - sum(left.values())))
        rows += [(what, reason, n) for reason, n in sorted(left.items())]
    return rows


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the four exports")
    data = parser.parse_args().data
    with (
        tempfile.TemporaryDirectory() as work,
        (HERE / "exports.csv").open("w", encoding="utf-8", newline="") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["export", "what", "became", "number"])
        for name in EXPORTS:
            folder = Path(work) / Path(name).stem
            table.writerows((Path(name).name, *row) for row in accounted(data / name, folder))
            if name == KELP:
                shutil.copyfile(folder / "volunteers.csv", HERE / "panoptes_volunteers.csv")


if __name__ == "__main__":
    main()
