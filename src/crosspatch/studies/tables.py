"""The tables of a study folder and their columns: what statistics and reports read."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from crosspatch.errors import InputError
from crosspatch.evaluation.rows import COLUMNS as SCORE_COLUMNS
from crosspatch.files import write_text

RESULTS, LEARNING, FAILED, TIMES, TEST_LOG = (
    "results.csv", "learning.csv", "failed.csv", "times.csv", "test_log.csv",
)  # fmt: skip

KINDS = ("scratch", "transfer", "pretrained", "check", "baseline")

_RUN = {
    "arm": "what is compared: `scratch`, a source, `imagenet`, an arm of the plan's own, "
    "`twice-as-long` (scratch with twice the steps), or a pixel baseline: `threshold`, `forest`",
    "kind": "`scratch`, `transfer`, `pretrained`, `check` or `baseline`",
    "source": "the source of a transfer; else empty",
    "target": "name of the target",
    "fraction": "share of the training subjects that was asked for, (0, 1]",
    "labels": "subjects whose labels were spent, those of validation among them",
    "seed": "of subset, weights and order",
    "fold": "of the target's groups that was tested on, from 0; 0 too where its own split is used",
    "weights": "`averaged` or `plain`; `none` of a baseline",
    "run": "name of its folder in runs/",
}

RESULT_COLUMNS = _RUN | {key: says for key, says in SCORE_COLUMNS.items() if key != "method"}
"""Columns of results.csv: a row a run, weights and test subject."""

_SCORES = {
    f"{weights}_{score}": f"{says} on the validation crops, of the {weights} weights"
    for weights in ("averaged", "plain")
    for score, says in {
        "loss": "the paper's loss", "iou": "IoU of all pixels", "dice": "Dice of all pixels",
    }.items()
}  # fmt: skip

LEARNING_COLUMNS = {
    **{key: _RUN[key] for key in ("arm", "fraction", "seed", "fold")},
    "step": "updates of the weights so far",
    **_SCORES,
    "run": _RUN["run"],
}
"""Columns of learning.csv: a row a check of a run; empty where nothing could be validated."""

FAILED_COLUMNS = {"run": _RUN["run"], "why": "what stopped it; it is tried again next time"}
"""Columns of failed.csv."""

TIME_COLUMNS = {"run": _RUN["run"], "seconds": "of training and scoring, wall clock"}
"""Columns of times.csv."""

TEST_LOG_COLUMNS = {
    "opened": "when, UTC",
    "run": "which run looked at test labels",
    "fold": "of the target that they are of",
    "subjects": "how many it was scored on",
}
"""Columns of test_log.csv: a row each time that test labels were looked at."""


def write_table(
    path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, object] | Sequence[object]]
) -> None:
    """Write a CSV table whole or not at all; ``rows`` by column name, or in order."""
    names = list(columns)
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(names)
    for row in rows:
        table.writerow([row[name] for name in names] if isinstance(row, Mapping) else row)
    write_text(path, text.getvalue())


def read_table(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """Read a CSV table of ours; no rows where there is no file.

    Raises
    ------
    InputError
        Its columns are others, or a row has too few or too many cells.
    """
    names = list(columns)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except FileNotFoundError:
        return []
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: is not a CSV table in UTF-8 ({error})") from None
    if not rows or rows[0] != names:
        raise InputError(f"{path}: its columns are not {', '.join(names)}")
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(names):
            raise InputError(f"{path}, row {number}: has {len(row)} cells, not {len(names)}")
    return [dict(zip(names, row, strict=True)) for row in rows[1:]]
