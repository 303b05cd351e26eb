"""The answer of a study in one sentence, with its interval, or with why there is none."""

import math
from collections.abc import Sequence

from crosspatch.reports.study.bounds import asks, bounds, doubts, listed
from crosspatch.reports.study.material import Material, called
from crosspatch.studies.crossed import Estimate
from crosspatch.studies.cube import SCRATCH, Cell
from crosspatch.studies.savings import Saving, percent
from crosspatch.studies.statistics import Findings
from crosspatch.studies.verdicts import MARGIN, Hurdle, Tenth, digits_beside

_FEW = 3  # starts that fit into one sentence


def answer(material: Material) -> str:
    """Say what the study answers, in one sentence."""
    found, target = material.headline, material.target
    if found is None:
        return f"There is no answer on {target} yet: no run has been scored{_failed(material)}."
    everything = Cell(SCRATCH, 1.0)
    if not asks(material):
        return (
            f"On {target} starts are compared with "
            f"{' and '.join(map(percent, material.plan['fractions']))} of the labels; how many "
            "they save is not asked, since nothing is trained with all of them."
        )
    if everything not in found.scores:
        return (
            f"There is no answer on {target} yet: no training from scratch with all labels has "
            f"been scored on every test subject{_failed(material)}."
        )
    if found.qualification.passed is False:
        return (
            f"On {target} this study cannot say how many labels a good start saves, because "
            f"{_why_unfit(found)}{bounds(material, found)}."
        )
    goal = (
        f"training from scratch with all {_labels(found, everything)}(mean IoU "
        f"{between(found.scores[everything]['iou'])})"
    )
    savings = [one for one in found.savings if not one.slack]
    starts = [one for one in savings if one.arm in found.starts]
    if not starts:
        return (
            f"On {target} no model has been started from another one yet, so there is nothing to "
            f"compare with {goal}{bounds(material, found)}."
        )
    anyway = next(one for one in savings if one.arm == SCRATCH)
    return (
        f"On {target} {_verdict(material, found)}: to score like {goal}, {_needs(starts, anyway)}"
        f"{bounds(material, found)}."
    )


def _failed(material: Material) -> str:
    if not material.broken:
        return ""
    return f"; {len(material.broken)} of {len(material.planned)} runs failed"


def _labels(found: Findings, cell: Cell) -> str:
    spent = found.cube.labels.get(cell, math.nan)
    return "labels " if math.isnan(spent) else f"{spent:.0f} labelled subjects "


def _verdict(material: Material, found: Findings) -> str:
    """Say whether a saving is shown; it only seems so where a rule of evidence is not kept."""
    shown, steps = found.saved, "epochs" in material.plan
    what = "labels or steps" if steps else "labels"
    if None in shown.values():
        return f"it cannot be said without an interval whether a good start saves {what}"
    saving = [arm for arm, one in shown.items() if one]
    if not saving:
        return f"it is not shown that a good start saves {what}"
    many = len(saving) > 1
    verb = (
        ("save" if many else "saves")
        if not doubts(material, found)
        else ("seem to save" if many else "seems to save")
    )
    who = f"{'starts' if many else 'a start'} from {listed(saving)} {verb} {what}"
    if len(shown) > _FEW:
        return f"{len(saving)} of {len(shown)} starts {verb} {what}"
    others = [arm for arm, one in shown.items() if not one]
    return f"{who}, which is not shown of {listed(others)}" if others else who


def _needs(starts: Sequence[Saving], anyway: Saving) -> str:
    scratch = f"from scratch itself {_share(anyway)}"
    if len(starts) <= _FEW:
        first, *rest = starts
        said = [f"a model that starts from {called(first.arm)} needs {_share(first, first=True)}"]
        said += [f"one from {called(one.arm)} {_share(one)}" for one in rest]
        return f"{', '.join(said)}, and one {scratch}"
    ranked = sorted(starts, key=lambda one: one.share.fraction)
    best, worst = ranked[0], ranked[-1]
    return (
        f"the {len(starts)} starts need from {_share(best, first=True)} ({called(best.arm)}, the "
        f"best of them on these very test subjects) to {_share(worst)} ({called(worst.arm)}), and "
        f"one {scratch}"
    )


def _share(one: Saving, *, first: bool = False) -> str:
    said = f"{one.share} of the labels" if first else str(one.share)
    if one.low is None or one.high is None:
        return said
    if not one.share.reached and not one.low.reached:
        return said  # its interval is the same words twice
    return f"{said} ({'95% interval: ' * first}{one.low} to {one.high})"


def _why_unfit(found: Findings) -> str:
    failed = [hurdle for hurdle in found.qualification.hurdles if hurdle.passed is False]
    reasons = " and ".join(f"{_gain(one)} {_over(one)}" for one in failed)
    return (
        f"labels do not matter enough there: training from scratch with all of them is {reasons} "
        f"in mean IoU (at least {MARGIN:g} above is asked for)"
    )


def _gain(hurdle: Hurdle) -> str:
    gain = hurdle.gain.value
    digits = digits_beside(gain, MARGIN)
    return f"only {gain:.{digits}f} above" if gain > 0 else f"{-gain:.{digits}f} below"


def _over(hurdle: Hurdle) -> str:
    if hurdle.over.startswith(SCRATCH):
        return "training with 10% of them"
    return f"the {called(hurdle.over)}"


def tenth(one: Tenth) -> str:
    """Say whether 10% of the labels do the work of all of them, for one start."""
    if math.isnan(one.loss.value):
        return "not run yet"
    if one.stands is None:
        return "cannot be said without an interval"
    if not one.stands:
        return "not shown"
    return "yes, but scratch does too: nothing is saved" if one.saturated else "yes"


def between(one: Estimate, digits: int = 2) -> str:
    """Write a score with its interval, where there is one."""
    if math.isnan(one.value):
        return "–"
    if one.low is None or one.high is None:
        return f"{one.value:.{digits}f}"
    low, high = max(one.low, 0.0), min(one.high, 1.0)
    return f"{one.value:.{digits}f}, {low:.{digits}f} to {high:.{digits}f}"


def signed(one: Estimate, *, beside: float | None = None) -> str:
    """Write a difference with its interval, where there is one.

    ``beside`` is a limit that it is compared with: digits are enough to see on which side it is.
    """
    if math.isnan(one.value):
        return "–"
    ends = [one.value]
    if one.low is not None and one.high is not None:
        ends += [max(one.low, -1.0), min(one.high, 1.0)]
    digits = 3 if beside is None else max(digits_beside(end, beside) for end in ends)
    value, *interval = (_plus(end, digits) for end in ends)
    return f"{value} ({' to '.join(interval)})" if interval else value


def _plus(value: float, digits: int) -> str:
    """Write a difference with its sign; no minus before nothing."""
    return f"{round(value, digits) + 0.0:+.{digits}f}"


def p_value(p: float, *, beside: float | None = None) -> str:
    """Write a p value: no more digits than mean something, or than a limit beside it needs."""
    if math.isnan(p):
        return "–"
    if p < 0.001:
        return "< 0.001"
    return f"{p:.{3 if beside is None else digits_beside(p, beside)}f}"


__all__ = ["answer", "between", "p_value", "percent", "signed", "tenth"]
