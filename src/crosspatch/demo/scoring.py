"""Held-out subjects, scored whole beside two baselines, and shown by a stated rule."""

from collections.abc import Sequence

from crosspatch.demo.journey import Journey
from crosspatch.demo.mapping import map_kelp
from crosspatch.demo.study import HAVE_FOREST, rows_of, run_of
from crosspatch.evaluation.scores import MethodScores, Scores
from crosspatch.evaluation.summary import SUMMARY, Estimate, summarise
from crosspatch.images.pictures import contact_sheet
from crosspatch.reports.figures import Bar, score_bars, subject_strip
from crosspatch.reports.gallery import RULE, Choice, choose
from crosspatch.reports.page import Block, Drawing, Gallery, Section, Strip, Table, Text
from crosspatch.reports.subjects import LEGEND, compared
from crosspatch.studies.cube import SCRATCH

_BASELINES = {"threshold": "threshold", "forest": "random forest"}
"""Arms of the study that see one pixel at a time, and what they are called."""


def score_held_out(journey: Journey) -> Section:
    """Set the network beside the baselines, keep ``scores.csv``, and say what came of it."""
    methods = [_method(journey, "model", SCRATCH)]
    methods += [
        _method(journey, says, arm)
        for arm, says in _BASELINES.items()
        if rows_of(journey, arm, 1.0)
    ]
    model = str(run_of(journey, SCRATCH, 1.0).model)
    scores = Scores("kelp", "test", model, tuple(methods))
    scores.write_csv(journey.folder / "scores.csv")
    iou = scores.summary["iou"]
    journey.facts.append((f"{iou.value:.2f}", f"mean IoU on {iou.subjects} held-out subjects"))
    journey.facts += [
        (f"{method.summary['iou'].value:.2f}", f"the same by the {_called(method.method)}")
        for method in scores.methods[1:]
    ]
    with_kelp = [(row.subject, row.iou) for row in scores.rows if row.tp + row.fn]
    strips = _strips(journey, choose(with_kelp))
    _keep_first_look(journey, strips)
    blocks: list[Block] = [
        Text(in_words(scores)),
        *_figures(scores),
        _table(scores),
        Gallery(strips, RULE, LEGEND),
    ]
    return Section("Scenes that were held out", blocks)


def in_words(scores: Scores) -> list[str]:
    """Say what the scores come to, whatever they are."""
    iou = scores.summary["iou"]
    said = [
        f"{iou.subjects} subjects with kelp, of {iou.groups} scenes that no network and no "
        f"baseline was trained on, were scored whole, against the true masks. The network reaches "
        f"a mean IoU of {_between(iou)}."
    ]
    others = {_called(method.method): method.summary["iou"] for method in scores.methods[1:]}
    best = max(others, key=lambda name: others[name].value)
    gain = iou.value - others[best].value
    verdict = (
        f"The network is {gain:.2f} above the better of these."
        if gain >= 0.05
        else "The network is not clearly above them: nothing was gained."
    )
    told = "; ".join(f"{name} {_between(estimate)}" for name, estimate in others.items())
    said.append(
        f"What sees one pixel at a time reaches this: {told}. {verdict} All were fitted to the "
        "same training subjects: the threshold is the best one on any band or normalised "
        "difference of bands, such as NDVI."
    )
    if not HAVE_FOREST:
        said.append(
            "The random forest needs an extra and was left out: pip install "
            "'crosspatch[baselines]'."
        )
    if iou.low is not None:
        said.append(
            "In brackets: where 95% of the means lie when scenes are drawn anew. That is how much "
            "other scenes would move the score, not how much another training would."
        )
    return [*said, *(sentence[:1].upper() + sentence[1:] for sentence in scores.said)]


def _method(journey: Journey, name: str, arm: str) -> MethodScores:
    rows = tuple(rows_of(journey, arm, 1.0))
    return MethodScores(name, "", rows, summarise(rows, seed=journey.seed))


def _called(method: str) -> str:
    return {"model": "network", "threshold": "best threshold"}.get(method, method)


def _between(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


def _figures(scores: Scores) -> list[Block]:
    estimates = [(_called(one.method), one.summary["iou"]) for one in scores.methods]
    bars = [Bar(name, one.value, one.low, one.high) for name, one in estimates]
    rows = [
        (_called(one.method), [row.iou for row in one.rows if row.tp + row.fn])
        for one in scores.methods
    ]
    return [
        Drawing(
            score_bars(bars, xlabel="mean IoU over subjects with kelp"),
            "Mean IoU on held-out subjects; lines: 95% interval over scenes.",
        ),
        Drawing(
            subject_strip(rows, xlabel="IoU of a subject"),
            "The same, a mark a subject; upright bar: the mean. Height means nothing.",
        ),
    ]


def _table(scores: Scores) -> Table:
    rows: list[list[str | float]] = [
        [says, *(method.summary[name].value for method in scores.methods)]
        for name, says in SUMMARY.items()
    ]
    columns = ["score", *(_called(method.method) for method in scores.methods)]
    return Table(columns, rows, "Every score of the held-out subjects; a dash has no meaning.")


def _strips(journey: Journey, choices: Sequence[Choice]) -> list[Strip]:
    dataset, masks = journey.dataset("kelp"), map_kelp(journey)
    subjects = {subject.name: subject for subject in dataset.labelled}
    return [
        compared(
            f"{choice.kind.capitalize()}: {choice.name}, IoU {choice.score:.2f}",
            dataset.read_image(subjects[choice.name]).pixels,
            dataset.channel_names,
            dataset.read_mask(subjects[choice.name]),
            masks[choice.name],
        )
        for choice in choices
    ]


def _keep_first_look(journey: Journey, strips: Sequence[Strip]) -> None:
    """Keep the picture that the README shows: a best, a typical and a worst subject."""
    by_kind = {strip.title.split(":")[0]: strip for strip in reversed(strips)}
    tiles = [tile for strip in reversed(by_kind.values()) for tile in strip.tiles]
    sheet = contact_sheet(
        [picture for _, picture in tiles],
        [caption for caption, _ in tiles],
        columns=len(strips[0].tiles) if strips else 1,
        cell=176,
    )
    journey.keep_picture("first-look", sheet)
