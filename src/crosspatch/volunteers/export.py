"""Writes simulated classifications as Panoptes exports: the files a project owner downloads."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from crosspatch.files import PathLike, write_text
from crosspatch.volunteers.simulate import SimulatedClassification
from crosspatch.volunteers.trace import Outline

CLASSIFICATION_COLUMNS = (
    "classification_id", "user_name", "user_id", "user_ip", "workflow_id", "workflow_name",
    "workflow_version", "created_at", "gold_standard", "expert", "metadata", "annotations",
    "subject_data", "subject_ids",
)  # fmt: skip
SUBJECT_COLUMNS = (
    "subject_id", "project_id", "workflow_id", "subject_set_id", "metadata", "locations",
    "classifications_count", "retired_at", "retirement_reason", "created_at", "updated_at",
)  # fmt: skip
WORKFLOW_ID, WORKFLOW_VERSION = "28090", "11.14"
_PROJECT_ID, _SUBJECT_SET_ID = "2864", "4880"
_SECONDS_AT_WORK = 37


def write_export(
    path: PathLike,
    classifications: Sequence[SimulatedClassification],
    *,
    retired_after: int | None = None,
) -> None:
    """Write a classification export, freehandLine marks of classifier 2.0.

    Parameters
    ----------
    path : the CSV file
    classifications : in the order of rows
    retired_after : classifications of a subject with which the project has retired it; None: it
        has retired none yet

    Raises
    ------
    CrosspatchError
        The file cannot be written; then nothing is.
    """
    counts = Counter(one.subject_id for one in classifications)
    rows = (
        [*_identity(one), *_cells(one, _retired(one, counts[one.subject_id], retired_after))]
        for one in classifications
    )
    write_text(path, _csv(CLASSIFICATION_COLUMNS, rows))


def write_subjects(path: PathLike, classifications: Sequence[SimulatedClassification]) -> None:
    """Write the subjects export that belongs to it; each subject's picture is NAME.png.

    Parameters
    ----------
    path : the CSV file
    classifications : every subject that stands in one of them is written once, by number
    """
    firsts = {one.subject_id: one for one in reversed(classifications)}
    counts = dict.fromkeys(firsts, 0)
    for one in classifications:
        counts[one.subject_id] += 1
    rows = (_subject(firsts[subject], counts[subject]) for subject in sorted(firsts))
    write_text(path, _csv(SUBJECT_COLUMNS, rows))


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(rows)
    return text.getvalue()


def _identity(one: SimulatedClassification) -> list[object]:
    user_id = "" if one.user_id is None else one.user_id
    return [
        one.classification_id, one.volunteer, user_id, "", WORKFLOW_ID, "Outline",
        WORKFLOW_VERSION, f"{one.created_at:%Y-%m-%d %H:%M:%S} UTC", "", "",
    ]  # fmt: skip


def _retired(
    one: SimulatedClassification, count: int, retired_after: int | None
) -> dict[str, Any] | None:
    """Say what Panoptes says of a subject's retirement; None where it was not retired."""
    if retired_after is None or count < retired_after:
        return None
    return {
        "workflow_id": int(WORKFLOW_ID),
        "classifications_count": count,
        "retired_at": "2025-03-01T00:00:00.000Z",
        "subject_id": one.subject_id,
        "retirement_reason": "classification_count",
    }


def _cells(one: SimulatedClassification, retired: dict[str, Any] | None) -> list[str]:
    annotations = [
        {
            "task": "T0",
            "task_label": "Outline everything that you see.",
            "value": [_mark(outline) for outline in one.outlines],
        }
    ]
    subject = {str(one.subject_id): {"retired": retired, "Filename": f"{one.name}.png"}}
    return [_json(_metadata(one)), _json(annotations), _json(subject), str(one.subject_id)]


def _mark(outline: Outline) -> dict[str, Any]:
    """Write an outline as the classifier does: two decimals, closed by its first point."""
    closed = np.vstack([outline, outline[:1]]).round(2) + 0.0  # + 0.0 makes -0.0 plain
    return {
        "frame": 0,
        "pathX": closed[:, 1].tolist(),
        "pathY": closed[:, 0].tolist(),
        "details": [],
        "toolType": "freehandLine",
        "toolIndex": 0,
        "tool_label": None,
    }


def _metadata(one: SimulatedClassification) -> dict[str, Any]:
    height, width = one.shape
    began = one.created_at - timedelta(seconds=_SECONDS_AT_WORK)
    return {
        "source": "api",
        "viewport": {"width": 1846, "height": 968},
        "started_at": _moment(began),
        "utc_offset": "0",
        "finished_at": _moment(one.created_at),
        "live_project": True,
        "user_language": "en",
        "user_group_ids": [],
        "classifier_version": "2.0",
        "subject_dimensions": [
            {
                "clientWidth": width,
                "clientHeight": height,
                "naturalWidth": width,
                "naturalHeight": height,
            }
        ],
        "subject_selection_state": {
            "retired": False,
            "selected_at": _moment(began),
            "already_seen": False,
            "selection_state": "normal",
            "finished_workflow": False,
            "user_has_finished_workflow": False,
        },
    }


def _subject(one: SimulatedClassification, count: int) -> list[object]:
    created = "2025-01-30 09:00:00 UTC"
    return [
        one.subject_id, _PROJECT_ID, WORKFLOW_ID, _SUBJECT_SET_ID,
        _json({"Filename": f"{one.name}.png"}),
        _json({"0": f"https://panoptes-uploads.example.org/{one.name}.png"}),
        count, "", "", created, created,
    ]  # fmt: skip


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%S}.000Z"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
