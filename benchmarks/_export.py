"""A freehand export of any size, as classifier 2.0 writes it, made fast from a pool of marks."""

import csv
import io
import json
from pathlib import Path

import numpy as np

COLUMNS = (
    "classification_id,user_name,user_id,user_ip,workflow_id,workflow_name,workflow_version,"
    "created_at,gold_standard,expert,metadata,annotations,subject_data,subject_ids"
)
_SHAPES = 100  # different true objects; every subject has two of them
_VERSIONS = 15  # different hands that draw each


def write_export(
    path: Path, rows: int, side: int, *, points: int = 400, voters: int = 15, seed: int = 0
) -> None:
    """Write ``rows`` classifications of freehand outlines.

    Parameters
    ----------
    path : the CSV file
    rows : classifications
    side : sides of the subjects' images in pixels
    points : points of a mark on average
    voters : classifications a subject, scattered over the whole file
    seed : of everything random
    """
    chance = np.random.default_rng(seed)
    pool = [[_mark(chance, side, points, shape) for _ in range(_VERSIONS)]
            for shape in range(_SHAPES)]  # fmt: skip
    metadata = _metadata(side)
    subjects = max(1, rows // voters)
    order = chance.permutation(np.arange(rows) % subjects)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(COLUMNS + "\n")
        for row, subject in enumerate(order.tolist()):
            hand = int(chance.integers(_VERSIONS))
            marks = [pool[(subject * k) % _SHAPES][hand] for k in (7, 13)][: 1 + subject % 2]
            blank = chance.random() < 0.05
            value = "" if blank else ",".join(marks)
            name = f"volunteer{row % (subjects * 3)}"
            file.write(_row(row, name, subject, value, metadata))


def _mark(chance: np.random.Generator, side: int, points: int, shape: int) -> str:
    """Draw a wobbly loop around a place that the shape decides; doubled quotes, as in a cell."""
    same = np.random.default_rng(shape)  # what is there; the hand's wobble comes on top
    number = int(points * chance.uniform(0.7, 1.3))
    turn = np.linspace(0, 2 * np.pi, number)
    radius = side * same.uniform(0.06, 0.14)
    wave = sum(
        same.normal(0, 0.06) * np.cos(k * turn + same.uniform(0, 6)) for k in range(2, 6)
    ) + chance.normal(0, 0.03) * np.cos(3 * turn)
    radius = radius * (1 + wave) + np.cumsum(chance.normal(0, 0.02, number))
    if chance.random() < 0.85:  # most volunteers close their loop, and the classifier says so
        radius[-1] = radius[0]
    middle = side * same.uniform(0.2, 0.8, 2) + chance.normal(0, side * 0.004, 2)
    mark = {
        "frame": 0,
        "pathX": np.round(middle[0] + radius * np.cos(turn), 2).tolist(),
        "pathY": np.round(middle[1] + radius * np.sin(turn), 2).tolist(),
        "details": [],
        "toolType": "freehandLine",
        "toolIndex": 0,
        "tool_label": None,
    }
    return json.dumps(mark, separators=(",", ":")).replace('"', '""')


def _metadata(side: int) -> str:
    size = {"clientWidth": 700, "clientHeight": 700, "naturalWidth": side, "naturalHeight": side}
    state = {"retired": False, "already_seen": False, "selection_state": "normal"}
    about = {
        "source": "api", "session": "0" * 64, "viewport": {"width": 1715, "height": 1064},
        "started_at": "2025-01-21T16:06:58.517Z", "finished_at": "2025-01-21T16:08:41.259Z",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/134.0", "live_project": True,
        "classifier_version": "2.0", "subject_dimensions": [size],
        "subject_selection_state": state,
    }  # fmt: skip
    return json.dumps(about, separators=(",", ":"))


def _row(row: int, name: str, subject: int, value: str, metadata: str) -> str:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="")
    created = f"2025-01-{1 + row % 28:02} 12:00:{row % 60:02} UTC"
    table.writerow([600000000 + row, name, row % 9973, "", 28090, "Draw", "13.19", created, "", ""])
    cell = metadata.replace('"', '""')
    annotations = f'[{{""task"":""T0"",""task_label"":""Draw."",""value"":[{value}]}}]'
    data = f'{{""{subject + 1000}"":{{""retired"":null,""Filename"":""{subject + 1000}.png""}}}}'
    return f'{text.getvalue()},"{cell}","{annotations}","{data}",{subject + 1000}\n'
