"""The section of a study's report on the task: outlines to pretrain on, or clicks.

A source that has learned whether there is any in a crop is set against one of the same images that
has learned to outline, and against the encoder alone of that one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import polars as pl

from crosspatch.errors import CrosspatchError
from crosspatch.reports.page import Section, Table, Text
from crosspatch.reports.study.material import Material, called
from crosspatch.reports.study.numbers import Row
from crosspatch.reports.study.words import p_value, signed
from crosspatch.studies.crossed import Estimate, Resampled, holm, resample
from crosspatch.studies.cube import Cell, cube
from crosspatch.studies.savings import percent
from crosspatch.studies.statistics import Findings
from crosspatch.training.run import Run


@dataclass(frozen=True)
class Against:
    """A start that has learned presence, minus one of the same images that has learned masks."""

    presence: str
    masks: str
    fraction: float
    difference: Estimate


def task_section(material: Material, found: Findings) -> Section | None:
    """Compare the two tasks; None where no source has learned presence, or nothing compares."""
    pairs = _pairs(material)
    if not pairs:
        return None
    rows = material.results.filter(pl.col("weights").is_in([found.weights, "none"]))
    compared = list(_compared(pairs, resample(cube(rows))))
    if not compared:
        return None
    adjusted = holm([one.difference.p for one in compared])
    cells: list[Row] = [
        [called(one.presence), called(one.masks), percent(one.fraction), signed(one.difference),
         p_value(p), one.difference.seeds]
        for one, p in zip(compared, adjusted, strict=True)
    ]  # fmt: skip
    told = (
        'Some sources have learned only to answer "is there any in this crop?", which costs people '
        "a click instead of an outline: the same encoder, the mean of its last features, a linear "
        "layer. What starts from them takes the encoder; decoder and discriminator are fresh. They "
        "are set against starts from the same images that have learned to outline."
    )
    caption = (
        "Mean IoU, paired by seed and test group, with 95% intervals, each by itself; p corrected "
        "by Holm's method for all rows. Negative: outlines were the better lesson."
    )
    columns = ["has learned presence", "has learned masks", "labels", "difference",
               "p, corrected", "seeds"]  # fmt: skip
    return Section(
        "Outlines or clicks?",
        [Text([told, *_own_question(material, pairs)]), Table(columns, cells, caption)],
    )


def _pairs(material: Material) -> list[tuple[str, str]]:
    """Pair each start from a presence source with each from another source of the same images."""
    sources: Mapping[str, Any] = material.plan.get("sources", {})
    starts = {name: name for name in sources} | {
        name: str(arm.get("start")) for name, arm in material.plan.get("arms", {}).items()
    }
    learned = {
        arm: (sources[start].get("datasets"), _asks_presence(sources[start]))
        for arm, start in starts.items()
        if start in sources
    }
    return [
        (arm, other)
        for arm, (images, presence) in learned.items()
        for other, (same, too) in learned.items()
        if presence and not too and images is not None and images == same
    ]


def _asks_presence(source: Mapping[str, Any]) -> bool:
    return bool(source.get("settings", {}).get("network", {}).get("head") == "presence")


def _compared(pairs: list[tuple[str, str]], drawn: Resampled) -> Iterator[Against]:
    for presence, masks in pairs:
        for fraction in drawn.cube.fractions(presence):
            terms = {Cell(presence, fraction): 1.0, Cell(masks, fraction): -1.0}
            if drawn.common(list(terms)):
                yield Against(presence, masks, fraction, drawn.estimate("iou", terms))


def _own_question(material: Material, pairs: list[tuple[str, str]]) -> Iterator[str]:
    """Say how well each presence source answers what it was asked."""
    arms: Mapping[str, Any] = material.plan.get("arms", {})
    starts = dict.fromkeys(str(arms[arm]["start"]) if arm in arms else arm for arm, _ in pairs)
    for name in starts:
        right = []
        for folder in material.trainings(name):
            try:
                lines = Run.open(folder).metrics()
            except CrosspatchError:
                continue
            last = lines[-1] if lines else {}
            value = last.get("averaged_balanced_accuracy", last.get("plain_balanced_accuracy"))
            right += [float(value)] if isinstance(value, int | float) else []
        if right:
            yield (
                f"{name} answers its own question right for {100 * fmean(right):.0f}% of the crops "
                "that it was not trained on (mean of those with and those without, and of its "
                f"{len(right)} trainings; a coin: 50%)."
            )
