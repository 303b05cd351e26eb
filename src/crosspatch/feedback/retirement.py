"""Which subjects the model may finish alone: a promise that is tested on subjects it never saw.

The promise: of the retired subjects, the share with an IoU under 0.7 is at most 10%, and that is
the upper end of a 95% bound, not an estimate. Subjects are retired from a confidence on, and that
confidence is found on labelled subjects of groups that share nothing with training.

Groups matter: ten tiles of one scene succeed or fail together, and are not ten proofs. The bound is
Clopper and Pearson's (1934) with subjects counted as if those of a group always shared their fate:
n subjects in groups of sizes m count as (sum m)^2 / sum m^2 of them. Korn and Graubard (1998,
Survey Methodology 24) put an effective number of subjects into the formula in this way; ours is the
worst case, since the few failures that pass at all could not tell how alike groups are. Where each
subject is a group of its own this is Clopper and Pearson's exact bound.

Many thresholds are looked at, so the looking must not spoil the bound: they are tested in a fixed
order, from the surest subjects on, and the first failure ends it (fixed-sequence testing, as in
Angelopoulos, Bates, Candes, Jordan and Lei, "Learn then test", arXiv:2110.01052). Where the order
begins depends on confidences and groups only, never on who failed.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

GOOD_IOU = 0.7
"""A mask under it is a failure, where it was retired."""
MOST_FAILURES = 0.1
"""Share of the retired that may be failures."""
LEVEL = 0.95
_FIRST_FAILURES = 1  # forgiven in the first test, where there are groups enough


@dataclass(frozen=True)
class Held:
    """A labelled subject that the model never saw: how sure the model is, and how right."""

    name: str
    group: str
    confidence: float
    iou: float

    @property
    def failed(self) -> bool:
        """Whether retiring it would have been wrong."""
        return not self.iou >= GOOD_IOU


@dataclass(frozen=True)
class Retirement:
    """What may be retired, and what that rests on.

    Attributes
    ----------
    threshold : confidence from which subjects are retired; None: nothing is
    says : why, in a sentence
    subjects, groups : held-out subjects that would have been retired (all, where none is), and
        their groups
    independent : how many independent subjects they count for
    failures : how many of them have an IoU under `GOOD_IOU`
    bound : upper 95% bound on the share of failures; nan where there is no subject
    """

    threshold: float | None
    says: str
    subjects: int
    groups: int
    independent: float
    failures: int
    bound: float

    def retires(self, confidence: float) -> bool:
        """Say whether a subject is retired."""
        return self.threshold is not None and confidence >= self.threshold


def independent_subjects(groups: Sequence[str]) -> float:
    """(sum m)^2 / sum m^2 over the sizes m of groups: n for groups of one, 1 for one group."""
    sizes = Counter(groups).values()
    return sum(sizes) ** 2 / sum(size**2 for size in sizes) if sizes else 0.0


def upper_bound(failures: float, subjects: float, level: float = LEVEL) -> float:
    """Clopper and Pearson's one-sided upper bound on a share.

    Parameters
    ----------
    failures, subjects : counts, also broken ones; 0 <= failures <= subjects
    level : of the bound

    Returns
    -------
    float in [0, 1]: the share at which so few failures have a chance of 1 - level; 1 without
    subjects
    """
    if failures >= subjects:
        return 1.0
    return float(special.betaincinv(failures + 1, subjects - failures, level))


def fewest_subjects(failures: int = 0) -> int:
    """Return how many independent subjects can pass with so many failures: 29 with none."""
    subjects = failures + 1
    while upper_bound(failures, subjects) > MOST_FAILURES:
        subjects += 1
    return subjects


def calibrate(held: Sequence[Held]) -> Retirement:
    """Find the confidence from which subjects can be retired.

    Parameters
    ----------
    held : labelled subjects of groups that the model was not trained on, with a confidence each

    Returns
    -------
    Retirement
        Of nothing, where the held-out subjects cannot back the promise; ``says`` why.
    """
    known = [one for one in held if not math.isnan(one.confidence)]
    order = sorted(known, key=lambda one: (-one.confidence, one.name))
    total = independent_subjects([one.group for one in order])
    if total < fewest_subjects():
        return _nothing(order, _too_few(order, total))
    # The first test takes subjects enough to forgive a failure, if there are as many.
    first = fewest_subjects(_FIRST_FAILURES)
    first = first if total >= first else fewest_subjects()
    passed: list[Held] = []
    for end in _ends(order):
        surest = order[:end]
        if not passed and independent_subjects([one.group for one in surest]) < first:
            continue
        if _bound(surest) > MOST_FAILURES:
            break
        passed = surest
    if not passed:
        return _nothing(surest, _too_wrong(surest))
    return _made(passed[-1].confidence, _promise(passed), passed)


def _ends(order: Sequence[Held]) -> list[int]:
    """Numbers of subjects that a threshold can cut off: equal confidences go together."""
    values = np.array([one.confidence for one in order])
    return [*(np.flatnonzero(np.diff(values)) + 1).tolist(), len(order)]


def _bound(held: Sequence[Held]) -> float:
    independent = independent_subjects([one.group for one in held])
    failed = sum(one.failed for one in held)
    return upper_bound(failed * independent / len(held), independent) if held else 1.0


def _nothing(held: Sequence[Held], why: str) -> Retirement:
    return _made(None, f"nothing is retired: {why}", held)


def _made(threshold: float | None, says: str, held: Sequence[Held]) -> Retirement:
    groups = [one.group for one in held]
    return Retirement(
        threshold=threshold,
        says=says,
        subjects=len(held),
        groups=len(set(groups)),
        independent=independent_subjects(groups),
        failures=sum(one.failed for one in held),
        bound=_bound(held) if held else math.nan,
    )


def _too_few(held: Sequence[Held], independent: float) -> str:
    needed = fewest_subjects()
    if not held:
        return (
            "there is no labelled subject that the model was not trained on; at least "
            f"{needed} of as many groups are needed to say how often it is wrong"
        )
    groups = len({one.group for one in held})
    return (
        f"the {len(held)} labelled subjects that the model never saw come from {groups} groups and "
        f"count for {independent:.3g} independent ones; a bound of {MOST_FAILURES:.0%} needs "
        f"{needed} even if not one of them fails"
    )


def _too_wrong(held: Sequence[Held]) -> str:
    failed = sum(one.failed for one in held)
    return (
        f"of the {len(held)} held-out subjects that the model is surest of, {failed} "
        f"{'has' if failed == 1 else 'have'} an IoU under {GOOD_IOU:g}, so that up to "
        f"{_bound(held):.0%} could; {MOST_FAILURES:.0%} is allowed"
    )


def _promise(held: Sequence[Held]) -> str:
    failed = sum(one.failed for one in held)
    groups = len({one.group for one in held})
    return (
        f"from a confidence of {held[-1].confidence:.3f} on: of {len(held)} such held-out subjects "
        f"in {groups} groups, {failed} had an IoU under {GOOD_IOU:g} (95% bound: at most "
        f"{_bound(held):.1%} do)"
    )
