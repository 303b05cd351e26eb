"""The run folder: every setting in ``run.toml``, a line a check in ``metrics.jsonl``, models."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from crosspatch.config import Settings, parse_settings
from crosspatch.errors import InputError
from crosspatch.files import PathLike, read_toml, to_json, write_text, write_toml
from crosspatch.models.storage import Model
from crosspatch.models.transfer import TransferReport

METRICS, CHECKPOINT, MODEL, PLAIN, BEST = "metrics.jsonl", "checkpoint", "model", "plain", "best"
TRANSFER = "transfer.toml"


class _Source(BaseModel):
    path: str
    name: str
    fingerprint: str


class _Table(BaseModel):
    """What ``run.toml`` must hold for a run to be taken up again; it may hold more."""

    settings: dict[str, Any]
    crops: str
    crops_fingerprint: str
    device: str
    devices: int = 1
    precision: Literal["fp32", "bf16"]
    threads: int = Field(ge=1)
    provenance: dict[str, Any]
    source: _Source | None = None


@dataclass(frozen=True)
class Run:
    """A run folder, finished or not, accepted wherever a path is."""

    path: Path
    table: Mapping[str, Any]

    def __fspath__(self) -> str:
        return str(self.path)

    @classmethod
    def open(cls, path: PathLike) -> "Run":
        """Read ``run.toml``.

        Raises
        ------
        InputError
            Not a run folder, or its table does not hold what a run's must.
        """
        path = Path(path)
        if not (path / "run.toml").is_file():
            raise InputError(f"{path}: is not a run folder (it has no run.toml)")
        table = read_toml(path / "run.toml")
        try:
            _Table.model_validate(table)
        except ValidationError as error:
            first = error.errors()[0]
            where, what = ".".join(map(str, first["loc"])), first["msg"]
            raise InputError(
                f"{path / 'run.toml'}: is damaged ({where}: {what}); train a new run"
            ) from None
        return cls(path, table)

    @property
    def settings(self) -> Settings:
        """Every setting of the run."""
        return parse_settings(self.table["settings"], f"{self.path / 'run.toml'}: ")

    @property
    def finished(self) -> bool:
        """Whether it trained to its end: the model is written last."""
        return (self.path / MODEL / "model.toml").is_file()

    @property
    def model(self) -> Model:
        """The last weights: averaged ones where the settings ask for averaging."""
        if not self.finished:
            raise InputError(
                f"{self.path}: has not finished; go on with: crosspatch train --resume {self.path}"
            )
        return Model.open(self.path / MODEL)

    @property
    def devices(self) -> int:
        """Processes that it is trained by, each on a device of its own."""
        return int(self.table.get("devices", 1))

    @property
    def transfer(self) -> TransferReport | None:
        """What a warm start took from its source; None from scratch."""
        if not self.is_warm:
            return None
        path = self.path / TRANSFER
        return TransferReport.from_table(read_toml(path), str(path))

    @property
    def source_contents(self) -> frozenset[str]:
        """Content fingerprints of the subjects that the source, and those before it, had seen."""
        if not self.is_warm:
            return frozenset()
        return frozenset(map(str, read_toml(self.path / TRANSFER).get("contents", ())))

    @property
    def is_warm(self) -> bool:
        """Whether it started from another model."""
        return "source" in self.table

    def metrics(self) -> list[dict[str, Any]]:
        """One dictionary a check, in order; a line cut off by a kill is left out.

        A score that was undefined is None.
        """
        path = self.path / METRICS
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [parsed for line in lines if (parsed := _parse(line)) is not None]


def open_model(given: PathLike | Model | Run) -> Model:
    """Open a model folder, or the last model of a finished run.

    Raises
    ------
    InputError
        It is neither, or the run has not finished.
    """
    if isinstance(given, Model):
        return given
    if isinstance(given, Run) or (Path(given) / "run.toml").is_file():
        return Run.open(given).model
    return Model.open(given)


def write_run(folder: Path, table: Mapping[str, Any]) -> None:
    """Write ``run.toml`` into a folder that is being made."""
    write_toml(folder / "run.toml", table, says="A crosspatch training run.")


def write_transfer(folder: Path, report: TransferReport, source: Model) -> None:
    """Write ``transfer.toml``: what was taken, and whose labels had a say in it."""
    contents = {"contents": sorted(source.facts.seen)}
    write_toml(
        folder / TRANSFER, contents | report.as_table(), says="What a warm start took, and left."
    )


def append_metrics(run: Run, line: Mapping[str, Any]) -> None:
    """Add one line; what a kill cuts off is dropped by the reader and by the resumed run.

    What is no number becomes null.
    """
    with (run.path / METRICS).open("a", encoding="utf-8", newline="\n") as file:
        file.write(to_json(line) + "\n")


def keep_metrics_until(run: Run, step: int) -> None:
    """Drop the lines of checks after ``step``: the resumed run writes them again."""
    kept = [to_json(line) for line in run.metrics() if line["step"] <= step]
    write_text(run.path / METRICS, "".join(f"{line}\n" for line in kept))


def _parse(line: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(line)
    except json.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) and "step" in parsed else None
