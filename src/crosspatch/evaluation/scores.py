"""What a model reaches on a data set: rows, summaries, and the files and tables made of them."""

import csv
import io
import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from crosspatch.evaluation.rows import COLUMNS, SubjectScore
from crosspatch.evaluation.summary import SUMMARY, Estimate
from crosspatch.files import PathLike, write_text


@dataclass(frozen=True)
class MethodScores:
    """What one method reaches: ``method`` is its name, ``says`` what it does, in a sentence."""

    method: str
    says: str
    rows: tuple[SubjectScore, ...]
    summary: dict[str, Estimate]


@dataclass(frozen=True)
class Scores:
    """What a model reaches on a split of a data set, beside baselines where asked for.

    Attributes
    ----------
    dataset, split, model : str
        Name of the data set, the split, and the model's path.
    methods : tuple of MethodScores
        The model first.
    skipped : tuple of (subject, why)
        Subjects that could not be scored.
    said : tuple of str
        What must be read beside the numbers.
    """

    dataset: str
    split: str
    model: str
    methods: tuple[MethodScores, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    said: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[SubjectScore, ...]:
        """The model's own rows."""
        return self.methods[0].rows

    @property
    def summary(self) -> dict[str, Estimate]:
        """The model's own scores, by the names of `SUMMARY`."""
        return self.methods[0].summary

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Lay the summary out for people: column names, and a row a score."""
        rows = [
            [says, *(str(method.summary[name]) for method in self.methods)]
            for name, says in SUMMARY.items()
        ]
        return ["score", *(method.method for method in self.methods)], rows

    def as_dict(self) -> dict[str, Any]:
        """Give everything as JSON holds it: nan becomes None."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "model": self.model,
            "methods": [
                {
                    "method": method.method,
                    "says": method.says,
                    "summary": {
                        name: _without_nan(asdict(estimate))
                        for name, estimate in method.summary.items()
                    },
                    "subjects": [_without_nan(asdict(row)) for row in method.rows],
                }
                for method in self.methods
            ],
            "skipped": [{"subject": name, "why": why} for name, why in self.skipped],
            "said": list(self.said),
        }

    def write_csv(self, path: PathLike) -> None:
        """Write ``scores.csv``, a row a method and subject, whole or not at all; see `COLUMNS`."""
        text = io.StringIO(newline="")
        table = csv.writer(text, lineterminator="\n")
        table.writerow(COLUMNS)
        names = [field.name for field in fields(SubjectScore)]
        for method in self.methods:
            for row in method.rows:
                cells = (getattr(row, name) for name in names)
                table.writerow([method.method, *(_cell(value) for value in cells)])
        write_text(path, text.getvalue())


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value


def _without_nan(table: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in table.items()
    }
