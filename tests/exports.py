"""Small Panoptes exports for tests: rows of both classifier generations, damaged or not."""

import csv
import json
from pathlib import Path

HEADER = [
    "classification_id", "user_name", "user_id", "user_ip", "workflow_id", "workflow_name",
    "workflow_version", "created_at", "gold_standard", "expert", "metadata", "annotations",
    "subject_data", "subject_ids",
]  # fmt: skip


def freehand(*xy, frame=0, tool=0):
    """A v2 freehandLine through (x, y) points."""
    return {
        "frame": frame,
        "pathX": [x for x, _ in xy],
        "pathY": [y for _, y in xy],
        "details": [],
        "toolType": "freehandLine",
        "toolIndex": tool,
        "tool_label": None,
    }


def box(left, top, right, bottom, **more):
    """A closed freehandLine round a rectangle."""
    return freehand((left, top), (right, top), (right, bottom), (left, bottom), (left, top), **more)


def row(number=1, user="ann", subject="7", marks=None, *, annotations=None, **cells):
    """One row as a dict of cells; ``marks`` draws in task T0, or give ``annotations`` whole.

    ``size`` is the natural (width, height) or None, ``seen`` sets already_seen, ``retired`` the
    subject's status, ``metadata`` more metadata, ``files`` more subject data.
    """
    size = cells.pop("size", (20, 10))
    dimension = size and {"naturalWidth": size[0], "naturalHeight": size[1]}
    metadata = {
        "classifier_version": "2.0",
        "subject_dimensions": [dimension],
        "subject_selection_state": {"already_seen": cells.pop("seen", False)},
    } | cells.pop("metadata", {})
    data = {"retired": cells.pop("retired", None)} | cells.pop("files", {})
    if annotations is None:
        annotations = [{"task": "T0", "task_label": "Draw.", "value": marks or []}]
    plain = {
        "classification_id": str(number),
        "user_name": user,
        "user_id": "" if user.startswith("not-logged-in") else "1",
        "workflow_id": "5",
        "workflow_name": "Draw",
        "workflow_version": "3.1",
        "created_at": f"2025-01-01 00:{number // 60 % 60:02}:{number % 60:02} UTC",
        "metadata": json.dumps(metadata),
        "annotations": json.dumps(annotations),
        "subject_data": json.dumps({subject: data}),
        "subject_ids": subject,
    }
    return dict.fromkeys(HEADER, "") | plain | cells


def write(path: Path, rows, header=HEADER) -> Path:
    """Write rows as an export."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, header, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    return path
