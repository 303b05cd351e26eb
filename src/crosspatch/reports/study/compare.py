"""One page of several studies: which source helps which target, and what worse labels cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from scipy import stats

from crosspatch import __version__
from crosspatch.crops import Crops
from crosspatch.errors import CrosspatchError
from crosspatch.progress import Progress, silent
from crosspatch.reports.page import Block, Drawing, Page, Section, Table, Text
from crosspatch.reports.study.bounds import judged, worth
from crosspatch.reports.study.material import Material, called
from crosspatch.reports.study.numbers import Figures, Row
from crosspatch.reports.study.words import answer, p_value, signed
from crosspatch.reports.study_figures import (
    Line,
    Point,
    domain_matrix,
    gain_by_distance,
    purity_curves,
)
from crosspatch.studies.crossed import holm
from crosspatch.studies.cube import SCRATCH, Cell
from crosspatch.studies.distance import domain_distance
from crosspatch.studies.measures import regrets
from crosspatch.studies.savings import percent
from crosspatch.studies.statistics import Findings
from crosspatch.studies.verdicts import Gap

_TENTH = 0.1
_FEWEST = 4  # pairs that a rank correlation is given for


@dataclass(frozen=True)
class Pair:
    """A source on a target: the gain over scratch, and how far the domains are (nan: unknown)."""

    source: str
    target: str
    gap: Gap
    distance: float


def comparison_page(
    materials: Sequence[Material], *, progress: Progress = silent
) -> tuple[Page, Figures]:
    """Compose the page of several studies.

    Returns
    -------
    page, figures
        The page, and the SVG text of each figure by the name of its file.
    """
    figures: Figures = {}
    told = [one for one in materials if one.headline is not None]
    sections = [_answers(materials)]
    clean = [one for one in told if purity(one) is None]
    if len({one.target for one in clean}) > 1:
        sections += _domain(clean, figures, progress)
    for target in dict.fromkeys(one.target for one in told):
        levels = [one for one in told if one.target == target]
        if any(purity(one) is not None for one in levels) and len(levels) > 1:
            sections.append(_purity(levels, figures))
    names = ", ".join(dict.fromkeys(one.target for one in materials))
    page = Page(
        title=f"{len(materials)} studies: {names}",
        lead="What each study answers by itself stands first; then what they say together.",
        notice=(
            "Each number is of its own targets, seeds and test groups; the report of each study "
            "has the details and the limits."
        ),
        sections=sections,
        footer=f"Made by crosspatch {__version__}. Method: Mantha et al. 2022, arXiv:2211.03937.",
    )
    return page, figures


def _answers(materials: Sequence[Material]) -> Section:
    rows: list[Row] = [
        [one.path.name, one.target, worth(one, materials), answer(one)] for one in materials
    ]
    columns = ["study", "target", "do labels matter?", "answer"]
    return Section("What each study answers", [Table(columns, rows, "From its own report.")])


def purity(material: Material) -> float | None:
    """Mean IoU of the training labels with the true ones; None where they are the true ones."""
    value = material.plan.get("target", {}).get("purity")
    return float(value) if isinstance(value, int | float) else None


def _pure(material: Material) -> float:
    """Purity as a place on an axis: true labels are at its right end."""
    value = purity(material)
    return 1.0 if value is None else value


def _shared_fraction(materials: Sequence[Material]) -> float | None:
    """Choose a tenth where all studies have it, else the smallest share that all have."""
    each = [
        {gap.fraction for gap in one.headline.gaps} if one.headline else set() for one in materials
    ]
    shared = set.intersection(*each)
    return _TENTH if _TENTH in shared else min(shared, default=None)


def _domain(
    materials: Sequence[Material], figures: Figures, progress: Progress
) -> Iterator[Section]:
    fraction = _shared_fraction(materials)
    if fraction is None:
        return
    pairs = list(_pairs(materials, fraction, progress))
    if not pairs:
        return
    sources = list(dict.fromkeys(pair.source for pair in pairs))
    targets = list(dict.fromkeys(pair.target for pair in pairs))
    gains = np.full((len(sources), len(targets)), np.nan)
    for pair in pairs:
        gains[sources.index(pair.source), targets.index(pair.target)] = pair.gap.difference.value
    unfit = [one.target for one in materials if judged(one, materials)[0] is False]
    named = [f"{target} *" if target in unfit else target for target in targets]
    figures["domains"] = domain_matrix(list(map(called, sources)), named, gains.tolist())
    caption = (
        f"Mean IoU above from scratch with {percent(fraction)} of the labels. Blue: the source "
        "helps; orange: it harms; a dash: not run, or the source holds images of the target."
    )
    if unfit:
        caption += " *: labels do not matter enough on this target for a claim."
    blocks: list[Block] = [
        Drawing(figures["domains"], caption, wide=True),
        _pair_table(pairs, fraction),
        _always_table(pairs),
    ]
    known = [pair for pair in pairs if not np.isnan(pair.distance)]
    if known:
        figures["domain-distance"] = gain_by_distance(
            [(called(one.source), one.target, one.distance, one.gap.difference.value)
             for one in known]
        )  # fmt: skip
        blocks += [Drawing(figures["domain-distance"], _correlated(known), wide=True)]
    yield Section("Which source helps which target?", blocks)


def _pairs(materials: Sequence[Material], fraction: float, progress: Progress) -> Iterator[Pair]:
    for done, one in enumerate(materials, 1):
        assert one.headline is not None
        for gap in one.headline.gaps:
            if gap.fraction == fraction and one.headline.cube.kinds[gap.arm] != SCRATCH:
                yield Pair(gap.arm, one.target, gap, _distance(one, gap.arm))
        progress("measuring domains", done, len(materials))


def _distance(material: Material, source: str) -> float:
    """Measure from the packs that the study keeps; nan where they are gone, or of a model."""
    folder = material.path / "crops"
    target = folder / "target-fold-0" if (folder / "target-fold-0").is_dir() else folder / "target"
    wanted = material.plan.get("sources", {}).get(source, {}).get("fingerprint")
    for pack in sorted(folder.glob("source-*")):
        try:
            crops = Crops.open(pack)
            if crops.fingerprint == wanted:
                return domain_distance(crops, Crops.open(target))
        except CrosspatchError:
            continue
    return float("nan")


def _pair_table(pairs: Sequence[Pair], fraction: float) -> Table:
    corrected = holm([pair.gap.difference.p for pair in pairs])
    rows: list[Row] = [
        [called(pair.source), pair.target, signed(pair.gap.difference), p_value(p),
         pair.distance, pair.gap.difference.seeds]
        for pair, p in zip(pairs, corrected, strict=True)
    ]  # fmt: skip
    columns = ["source", "target", "mean IoU above scratch", "p, corrected", "distance", "seeds"]
    caption = (
        f"With {percent(fraction)} of the labels; 95% intervals, each by itself; p corrected by "
        "Holm's method for all rows. Distance: of spectra and brightness of crops that were "
        "standardised channel by channel (Frechet)."
    )
    return Table(columns, rows, caption)


def _always_table(pairs: Sequence[Pair]) -> Table:
    """Say what one would lose by always starting from the same source."""
    scores: dict[str, dict[str, float]] = {pair.target: {SCRATCH: 0.0} for pair in pairs}
    for pair in pairs:
        scores[pair.target][pair.source] = pair.gap.difference.value
    starts = dict.fromkeys([SCRATCH, *(pair.source for pair in pairs)])
    rows: list[Row] = []
    for start in starts:
        lost = regrets({one: start for one in scores if start in scores[one]}, scores).values()
        rows.append([called(start), median(lost), max(lost), len(lost)])
    rows.sort(key=lambda row: (float(row[1] or 0), str(row[0])))
    return Table(
        ["always start from", "median regret", "largest", "targets"], rows,
        "Mean IoU lost against the best start of each target (from scratch among them). The best "
        "of several noisy scores is a little too good, so every regret is a little too large.",
    )  # fmt: skip


def _correlated(pairs: Sequence[Pair]) -> str:
    said = "Gain over scratch against the distance between the images of source and target."
    if len(pairs) < _FEWEST:
        return said
    rho = stats.spearmanr(
        [pair.distance for pair in pairs], [pair.gap.difference.value for pair in pairs]
    ).statistic
    return (
        f"{said} Rank correlation (Spearman) {rho:+.2f} over {len(pairs)} pairs, which share "
        "sources and targets and are no independent cases."
    )


def _purity(levels: Sequence[Material], figures: Figures) -> Section:
    ordered = sorted(levels, key=_pure)
    target = ordered[0].target
    arms = list(dict.fromkeys(arm for one in ordered for arm in one.arms))
    fraction = max(_fractions(ordered), default=1.0)
    lines = [
        Line(called(arm), place, [
            _at(one.headline, arm, fraction, _pure(one))
            for one in ordered if one.headline is not None
        ])
        for place, arm in enumerate(arms)
    ]  # fmt: skip
    name = f"purity-{len(figures)}"
    figures[name] = purity_curves(lines)
    rows: list[Row] = []
    for one in ordered:
        rows += [
            [_pure(one), called(gap.arm), percent(gap.fraction), signed(gap.difference),
             p_value(gap.p)]
            for gap in (one.headline.gaps if one.headline else ())
        ]  # fmt: skip
    told = (
        "Training labels were made worse by simulated volunteers and the consensus of their "
        "outlines; test labels stayed as they are. Purity is the mean IoU of the training labels "
        "with the true ones."
    )
    caption = f"{target}: mean IoU on clean test labels, with {percent(fraction)} of the labels."
    caption += " An arrowhead: the interval goes on beyond the view."
    columns = ["purity", "start", "labels", "mean IoU above scratch", "p, corrected"]
    return Section(
        f"What do worse labels cost? {target}",
        [Text([told]), Drawing(figures[name], caption, wide=True),
         Table(columns, rows, "Against from scratch with the same labels, each purity by itself.")],
    )  # fmt: skip


def _fractions(materials: Sequence[Material]) -> set[float]:
    return set.intersection(
        *({cell.fraction for cell in one.headline.scores if cell.arm == SCRATCH}
          for one in materials if one.headline is not None)
    )  # fmt: skip


def _at(found: Findings, arm: str, fraction: float, place: float) -> Point:
    score = found.scores.get(Cell(arm, fraction), {}).get("iou")
    if score is None:
        return Point(place, float("nan"))
    return Point(place, score.value, score.low, score.high)
