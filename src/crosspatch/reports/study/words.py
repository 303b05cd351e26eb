"""The answer of a study in one sentence, with its interval, or with why there is none."""

import math
from collections.abc import Sequence

from crosspatch.reports.study.material import Material, called
from crosspatch.studies.crossed import Estimate
from crosspatch.studies.cube import SCRATCH, Cell
from crosspatch.studies.savings import Saving, percent
from crosspatch.studies.statistics import Findings
from crosspatch.studies.verdicts import MARGIN, Hurdle, Tenth

_FEW = 3  # starts that fit into one sentence


def answer(material: Material) -> str:
    """Say what the study answers, in one sentence."""
    found, target = material.headline, material.target
    if found is None:
        return f"There is no answer on {target} yet: no run has been scored."
    everything = Cell(SCRATCH, 1.0)
    shares = material.plan.get("fractions", [1.0])
    if 1.0 not in shares:
        return (
            f"On {target} starts are compared with {' and '.join(map(percent, shares))} of the "
            "labels; how many they save is not asked, since nothing is trained with all of them."
        )
    if everything not in found.scores:
        return (
            f"There is no answer on {target} yet: no training from scratch with all labels has "
            "been scored on every test subject."
        )
    if found.qualification.passed is False:
        return (
            f"On {target} this study cannot say how many labels a good start saves, because "
            f"{_why_unfit(found)}{_bounds(material, found)}."
        )
    goal = (
        f"what training from scratch reaches with all {_labels(found, everything)}(mean IoU "
        f"{between(found.scores[everything]['iou'])})"
    )
    savings = [one for one in found.savings if not one.slack and one.arm != SCRATCH]
    if not savings:
        return (
            f"On {target} no model has been started from another one yet, so there is nothing to "
            f"compare with {goal}{_bounds(material, found)}."
        )
    return f"On {target}, to reach {goal}, {_needs(savings)}{_bounds(material, found)}."


def _labels(found: Findings, cell: Cell) -> str:
    spent = found.cube.labels.get(cell, math.nan)
    return "labels " if math.isnan(spent) else f"{spent:.0f} labelled subjects "


def _needs(savings: Sequence[Saving]) -> str:
    if len(savings) <= _FEW:
        first, *rest = savings
        said = [f"a model that starts from {called(first.arm)} needs {_share(first)}"]
        said += [f"one from {called(one.arm)} {_share(one)}" for one in rest]
        return said[0] if len(said) == 1 else ", ".join(said[:-1]) + f", and {said[-1]}"
    ranked = sorted(savings, key=lambda one: one.share.fraction)
    best, worst = ranked[0], ranked[-1]
    return (
        f"the {len(savings)} starts need from {_share(best)} ({called(best.arm)}, the best of them "
        f"on these very test subjects) to {_share(worst)} ({called(worst.arm)})"
    )


def _share(one: Saving) -> str:
    if one.low is None or one.high is None:
        return f"{one.share} of the labels" if one.share.reached else "more than there are"
    said = f"{one.share} of the labels" if one.share.reached else "more than there are"
    return f"{said} (95% interval: {one.low} to {one.high})"


def _why_unfit(found: Findings) -> str:
    failed = [hurdle for hurdle in found.qualification.hurdles if hurdle.passed is False]
    reasons = " and ".join(f"{_gain(one)} {_over(one)}" for one in failed)
    return (
        f"labels do not matter enough there: training from scratch with all of them is {reasons} "
        f"in mean IoU (at least {MARGIN:g} above is asked for)"
    )


def _gain(hurdle: Hurdle) -> str:
    gain = hurdle.gain.value
    return f"only {gain:.3f} above" if gain > 0 else f"{-gain:.3f} below"


def _over(hurdle: Hurdle) -> str:
    if hurdle.over.startswith(SCRATCH):
        return "training with 10% of them"
    return f"the {called(hurdle.over)}"


def _bounds(material: Material, found: Findings) -> str:
    """Say in the same sentence what the number cannot be used for."""
    limits = list(found.limits)
    if "epochs" in material.plan:
        limits.append("with equal epochs, so that fewer labels also mean fewer steps")
    elif found.longer is None:
        limits.append("whether its steps were enough has not been measured")
    if material.generated:
        limits.append("on generated images, which says nothing about real ones")
    if material.missing:
        limits.append(f"with {len(material.missing)} of {len(material.planned)} runs still to come")
    return f"; {', and '.join(limits)}" if limits else ""


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


def signed(one: Estimate) -> str:
    """Write a difference with its interval, where there is one."""
    if math.isnan(one.value):
        return "–"
    if one.low is None or one.high is None:
        return _plus(one.value)
    return f"{_plus(one.value)} ({_plus(max(one.low, -1.0))} to {_plus(min(one.high, 1.0))})"


def _plus(value: float) -> str:
    """Write a difference with its sign; no minus before nothing."""
    return f"{round(value, 3) + 0.0:+.3f}"


def p_value(p: float) -> str:
    """Write a p value: no more digits than mean something."""
    if math.isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


__all__ = ["answer", "between", "p_value", "percent", "signed", "tenth"]
