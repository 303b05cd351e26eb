"""The tables of a study folder as frames: only the columns that numbers are made of, and small."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from crosspatch.errors import InputError
from crosspatch.files import PathLike
from crosspatch.studies.tables import (
    FAILED,
    FAILED_COLUMNS,
    LEARNING,
    LEARNING_COLUMNS,
    RESULT_COLUMNS,
    RESULTS,
    TEST_LOG,
    TEST_LOG_COLUMNS,
    TIME_COLUMNS,
    TIMES,
)

_NAMES = ("arm", "kind", "source", "target", "weights", "run", "subject", "group")
_COUNTS = ("labels", "seed", "fold", "tp", "fp", "fn", "step", "subjects")
_NUMBERS = (
    "fraction", "foreground", "iou", "dice", "boundary_f", "false_positive_area",
    "average_precision", "loss", "seconds",
)  # fmt: skip


def read_results(study: PathLike) -> pl.DataFrame:
    """Read ``results.csv``: a row a run, kind of weights and subject; empty before the first.

    Raises
    ------
    InputError
        It has other columns, or a cell is no number where one belongs.
    """
    return _read(Path(study) / RESULTS, RESULT_COLUMNS)


def read_learning(study: PathLike) -> pl.DataFrame:
    """Read ``learning.csv``: a row a check of a run."""
    return _read(Path(study) / LEARNING, LEARNING_COLUMNS)


def read_failed(study: PathLike) -> pl.DataFrame:
    """Read ``failed.csv``: a row a run that stopped."""
    return _read(Path(study) / FAILED, FAILED_COLUMNS)


def read_times(study: PathLike) -> pl.DataFrame:
    """Read ``times.csv``: a row a run that ended."""
    return _read(Path(study) / TIMES, TIME_COLUMNS)


def read_test_log(study: PathLike) -> pl.DataFrame:
    """Read ``test_log.csv``: a row each time that test labels were looked at."""
    return _read(Path(study) / TEST_LOG, TEST_LOG_COLUMNS)


def _read(path: Path, columns: Mapping[str, str]) -> pl.DataFrame:
    types = {name: _type(name) for name in columns}
    wanted = [name for name in columns if types[name] is not None]
    schema = {name: kind for name, kind in types.items() if kind is not None}
    if not path.is_file():
        return pl.DataFrame(schema={name: schema[name] for name in wanted})
    _check_header(path, columns)
    try:
        rows = pl.scan_csv(path, schema_overrides=schema, infer_schema=False).select(wanted)
        return rows.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        why = str(error).strip().splitlines()
        raise InputError(f"{path}: cannot be read ({why[0] if why else error})") from None


def _type(name: str) -> "type[pl.DataType] | None":
    """Say how a column is held; None: the statistics do without it."""
    if name in _NAMES:
        return pl.Categorical
    if name in _COUNTS:
        return pl.Int64
    if name in _NUMBERS or name.startswith(("averaged_", "plain_")):
        return pl.Float64
    return pl.String if name in ("why", "opened") else None


def _check_header(path: Path, columns: Iterable[str]) -> None:
    try:
        with path.open(encoding="utf-8") as file:
            header = file.readline(65536).rstrip("\r\n").split(",")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    if header != list(columns):
        raise InputError(f"{path}: its columns are not {', '.join(columns)}")
