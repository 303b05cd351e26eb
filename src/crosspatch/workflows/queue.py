"""``crosspatch queue``: which subjects need people most, and which the model may finish alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from crosspatch.dataset import Dataset
from crosspatch.errors import InputError, SettingsError
from crosspatch.feedback.observe import Observer, Seen, observer
from crosspatch.feedback.ranking import MEASURES, By, make_queue
from crosspatch.feedback.retirement import (
    GOOD_IOU,
    LEVEL,
    MOST_FAILURES,
    Held,
    Retirement,
    calibrate,
)
from crosspatch.feedback.sheet import draw_sheet
from crosspatch.feedback.table import DECISIONS, QueueRow, read_queue, write_queue
from crosspatch.files import PathLike, read_toml, refuse_existing, write_bytes, write_toml
from crosspatch.images import pictures
from crosspatch.models.runtime import (
    Precision,
    choose_device,
    choose_precision,
    keep_freed_memory,
)
from crosspatch.progress import Progress, silent
from crosspatch.training.run import open_model

Skipped = tuple[str, str]


@dataclass(frozen=True)
class Queue:
    """A ``queue.csv`` with its picture sheet and ``queue.toml``, accepted wherever a path is."""

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    @cached_property
    def rows(self) -> list[QueueRow]:
        """The subjects, the most urgent first."""
        return read_queue(self.path)

    @cached_property
    def table(self) -> dict[str, Any]:
        """What ``queue.toml`` says: model, retirement and what it rests on, what was skipped."""
        return read_toml(self.path.with_suffix(".toml"))

    @property
    def sheet(self) -> Path:
        """The picture sheet."""
        return self.path.with_suffix(".png")

    @property
    def retirement(self) -> str:
        """What is retired, and why; or why nothing is."""
        return str(self.table["retirement"]["says"])

    @property
    def said(self) -> list[str]:
        """What must be read beside the queue."""
        return list(self.table["said"])

    @property
    def skipped(self) -> list[Skipped]:
        """Subjects that could not be measured, and why not."""
        return [(one["subject"], one["why"]) for one in self.table["skipped"]]

    def count(self, decision: str) -> int:
        """How many subjects have a decision: "next", "people", "retire" or "labelled"."""
        return sum(row.decision == decision for row in self.rows)


def queue(
    model: PathLike,
    dataset: PathLike,
    *,
    out: PathLike,
    by: By = "need",
    count: int = 10,
    foreground: str | None = None,
    device: str | None = None,
    precision: Precision = "auto",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Queue:
    """Say which subjects still need people, which to label next, and which can be retired.

    Open subjects are those without a mask, and those that Zooniverse still shows to volunteers
    (``retired`` is "no" in subjects.csv), also where the model was trained on the mask so far, but
    those are not retired. Where there is none, every labelled subject that the
    model has not seen is treated as open, to be given a second look.

    Parameters
    ----------
    model : a model folder, a finished run, or their handles
    dataset : a data set folder, or ``Dataset``
    out : the ``queue.csv`` to write; queue.png and queue.toml stand beside it
    by : "need" (uncertainty, verdict and disagreement together, and a diverse choice to label
        next), or one of "uncertainty", "verdict", "disagreement", "foreground", "diversity"
    count : how many to label next
    foreground : the class to set against the rest, where dataset.toml has several
    device : cpu, cuda or mps; by itself the best there is
    precision : fp32, bf16, or auto: bf16 where the device has it
    overwrite : replace what stands at ``out``
    progress : told how far the work is

    Returns
    -------
    Queue. Subjects that could not be measured are in its ``skipped``, with the reason.

    Raises
    ------
    InputError, SettingsError
        No subject could be measured, or a setting is wrong; nothing is written.
    """
    path = _checked(out, by, count, overwrite=overwrite)
    model = open_model(model)
    if by == "verdict" and not model.has_discriminator:
        raise SettingsError(f"--by verdict needs a discriminator, and {model.path} has none")
    if not isinstance(dataset, Dataset) or foreground is not None:
        dataset = Dataset.open(dataset, foreground=foreground)
    where = choose_device(device)
    keep_freed_memory()
    watch = observer(model, dataset, device=where, precision=choose_precision(precision, where))
    seen, skipped = _look(watch, progress)
    retirement = calibrate(held_out(seen))
    second_look = not any(one.status == "open" for one in seen)
    if second_look:
        seen = [replace(one, status="open") if one.status == "labelled" else one for one in seen]
    rows = make_queue(seen, retirement, by=by, count=count)
    sheet = draw_sheet(watch, rows, {one.subject.name: one.subject for one in seen})
    write_bytes(path.with_suffix(".png"), pictures.to_png_bytes(sheet))
    said = [*_said(watch, second_look=second_look), *watch.said]
    table = _table(watch, rows, retirement, by=by, said=said, skipped=skipped)
    write_toml(path.with_suffix(".toml"), table, says="What a crosspatch queue rests on.")
    write_queue(path, rows)
    return Queue(path)


def held_out(seen: Sequence[Seen]) -> list[Held]:
    """List the labelled subjects that can say how often the model is wrong.

    They are finished, and of no group of which the model has seen a label.
    """
    trained = {one.subject.group for one in seen if one.trained}
    return [
        Held(one.subject.name, one.subject.group, one.confidence, one.iou)
        for one in seen
        if one.status == "labelled" and one.subject.group not in trained and one.iou == one.iou
    ]


def _checked(out: PathLike, by: str, count: int, *, overwrite: bool) -> Path:
    path = Path(out)
    if by not in MEASURES:
        raise SettingsError(f"--by {by}: choose {', '.join(MEASURES)}")
    if path.suffix.lower() != ".csv":
        raise SettingsError(f"--out {path}: name a file that ends in .csv")
    if count < 0:
        raise SettingsError(f"--count {count}: cannot be negative")
    for suffix in (".csv", ".png", ".toml"):
        refuse_existing(path.with_suffix(suffix), overwrite=overwrite)
    return path


def _look(watch: Observer, progress: Progress) -> tuple[list[Seen], list[Skipped]]:
    """Measure every subject; one that cannot be measured costs no other."""
    dataset = watch.dataset
    seen: list[Seen] = []
    skipped: list[Skipped] = []
    for done, subject in enumerate(dataset.subjects, 1):
        try:
            if subject.name in dataset.ruled_out:
                raise InputError(dataset.ruled_out[subject.name])
            seen.append(watch.look(subject))
        except InputError as error:
            skipped.append((subject.name, str(error)))
        progress("subjects", done, len(dataset.subjects))
    if not seen:
        name, why = skipped[0]
        raise InputError(f"{dataset.path}: no subject could be measured (first {name}: {why})")
    return seen, skipped


def _said(watch: Observer, *, second_look: bool) -> list[str]:
    model, dataset = watch.model.facts, watch.dataset
    said = [*dataset.said]
    if second_look:
        said.append(
            "every subject has a mask already: the queue says which of those that the model has "
            "not seen need a second look"
        )
    if dataset.labelled and model.foreground != dataset.foreground:
        said.append(
            f"the model was trained to find {', '.join(model.foreground)}; the masks here show "
            f"{', '.join(dataset.foreground)}"
        )
    if watch.witness.discriminator is None:
        said.append("the model has no discriminator: there is no verdict on its masks")
    return said


def _table(
    watch: Observer,
    rows: Sequence[QueueRow],
    retirement: Retirement,
    *,
    by: By,
    said: Sequence[str],
    skipped: Sequence[Skipped],
) -> dict[str, Any]:
    decisions = Counter(row.decision for row in rows)
    rests_on = {key: value for key, value in asdict(retirement).items() if value == value}
    return {
        "model": str(watch.model.path),
        "model_fingerprint": watch.model.fingerprint,
        "foreground": list(watch.model.facts.foreground),
        "dataset": str(watch.dataset.path),
        "by": by,
        "decisions": {name: decisions[name] for name in DECISIONS},
        "said": list(said),
        "skipped": [{"subject": name, "why": why} for name, why in skipped],
        "retirement": {key: value for key, value in rests_on.items() if value is not None}
        | {"good_iou": GOOD_IOU, "most_failures": MOST_FAILURES, "level": LEVEL},
    }
