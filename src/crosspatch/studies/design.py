"""What a plan's fractions, seeds and test split come to on the groups of a target, and can show."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from crosspatch.splits import nested_fraction
from crosspatch.studies.plan import StudyTable

FEW_TEST_GROUPS = 20
"""Fewer in the target's own test split: small data, to be tested on all of it by folds."""
_FOLDS = 5


def distinct_fractions(
    folds: Sequence[Sequence[str]], fractions: Sequence[float], seeds: Sequence[int]
) -> tuple[tuple[float, ...], list[str]]:
    """Leave out fractions that come to the subjects of a larger one, where groups are few.

    A fraction that comes to no subject is one whole group (see `nested_fraction`): mostly that is a
    larger fraction too. Where it is not, it is said.

    Parameters
    ----------
    folds : the group of each training subject, of each fold
    fractions : rising
    seeds : each chooses other subjects

    Returns
    -------
    The fractions that differ from one another in every fold and for every seed; and sentences where
    some do not, or are a larger share than they say.
    """
    shares: dict[float, list[float]] = {fraction: [] for fraction in fractions}
    for groups in folds:
        for seed in seeds:
            for fraction in fractions:
                taken = len(nested_fraction(groups, fraction, seed))
                shares[fraction].append(taken / max(1, len(groups)))
    dropped = {
        smaller
        for smaller, larger in pairwise(fractions)
        if any(a == b for a, b in zip(shares[smaller], shares[larger], strict=True))
    }
    kept = tuple(fraction for fraction in fractions if fraction not in dropped)
    said = []
    if dropped:
        left_out = ", ".join(f"{fraction:g}" for fraction in sorted(dropped))
        said.append(f"left out, as they come to the subjects of a larger fraction: {left_out}")
    for fraction in kept:
        said += _rounded_up(fraction, max(shares[fraction], default=0.0))
    return kept, said


def _rounded_up(fraction: float, largest: float) -> list[str]:
    """Say that no subject at all would have come nearer to the fraction than a whole group."""
    if largest < 2 * fraction:
        return []
    return [
        f"{fraction:g} of the labels is half a group of subjects or less: a whole one is taken, "
        f"which is up to {largest:.2g} of the labels"
    ]


def few_seeds(plan: StudyTable) -> list[str]:
    """Say what a single seed cannot show."""
    if len(plan.seeds) > 1:
        return []
    return ["one seed: intervals do not show how much a repetition would differ"]


def few_test_groups(tested: Iterable[str], trained: Iterable[str]) -> list[str]:
    """Say that a small test split is better replaced by cross-validation over all groups.

    Parameters
    ----------
    tested, trained : the group of each labelled subject in the target's own splits
    """
    test = set(tested)
    if len(test) >= FEW_TEST_GROUPS:
        return []
    folds = max(2, min(_FOLDS, len(test | set(trained))))
    return [
        f"the target's own test split has only {len(test)} group{'s' * (len(test) != 1)} (fewer "
        f"than {FEW_TEST_GROUPS}): let {folds}-fold cross-validation test on all of its groups "
        f"instead (folds = {folds})"
    ]
