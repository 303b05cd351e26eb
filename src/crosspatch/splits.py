"""Who is trained on, who is tested on: always whole groups, always the same for one seed.

Every choice orders the groups by SHA-256 of (purpose, seed, group name) and takes a prefix. That
order is the same on every platform and in every version of every library, and a group that joins
or leaves the data set moves no other.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, combinations

from crosspatch.errors import LeakError, SettingsError

SPLITS = ("train", "val", "test")
DEFAULT_SHARES = {"train": 0.7, "val": 0.0, "test": 0.3}
"""No validation split by itself: validation comes out of the label fraction (``set_aside``)."""

Listed = tuple[str, str, str]
"""(subject name, group, content fingerprint) of one subject; an empty content is not compared."""


def seeded_split(
    names: Sequence[str],
    groups: Sequence[str],
    shares: Mapping[str, float] = DEFAULT_SHARES,
    seed: int = 0,
) -> dict[str, str]:
    """Divide subjects into splits by whole groups.

    Parameters
    ----------
    names, groups : one entry a subject
    shares : share of the subjects that each split should get; they must sum to 1
    seed : another seed, another division

    Returns
    -------
    dict of subject name -> split. Shares are met as closely as whole groups allow; with at least
    as many groups as splits wanted, every split wanted gets a group.
    """
    if set(shares) - set(SPLITS) or any(share < 0 for share in shares.values()):
        raise SettingsError(f"split shares must be named {', '.join(SPLITS)} and not negative")
    if abs(sum(shares.values()) - 1) > 1e-9:
        raise SettingsError(f"split shares must sum to 1, not {sum(shares.values()):g}")
    wanted = [split for split in SPLITS if shares.get(split, 0) > 0]
    order, ends = _ordered_groups(groups, "split", seed)
    placed: dict[str, str] = {}
    start, share = 0, 0.0
    for position, split in enumerate(wanted):
        share += shares[split]
        still_wanted = len(wanted) - position - 1
        end = _nearest(ends, share * len(groups))
        end = max(min(end, len(order) - still_wanted), min(start + 1, len(order)))
        if not still_wanted:
            end = len(order)
        placed |= dict.fromkeys(order[start:end], split)
        start = end
    return {name: placed[group] for name, group in zip(names, groups, strict=True)}


def nested_fraction(groups: Sequence[str], fraction: float, seed: int = 0) -> set[int]:
    """Choose a label fraction of the subjects: whole groups, each fraction inside every larger one.

    Parameters
    ----------
    groups : the group of each training subject
    fraction : share of the *subjects*, in (0, 1]
    seed : another seed, another nesting

    Returns
    -------
    set of kept positions in ``groups``: the prefix of the seeded group order whose number of
    subjects is nearest to ``fraction``, at least one group.
    """
    if not 0 < fraction <= 1:
        raise SettingsError(f"the label fraction must be above 0 and at most 1, not {fraction}")
    order, ends = _ordered_groups(groups, "fraction", seed)
    kept = set(order[: max(1, _nearest(ends, fraction * len(groups)))])
    return {position for position, group in enumerate(groups) if group in kept}


def set_aside(groups: Iterable[str], share: float = 0.15, seed: int = 0) -> set[str]:
    """Choose the validation groups inside a label fraction, nested like the fractions themselves.

    Fixed places of the order of ``nested_fraction`` are for validation (at 15% the 4th, 10th,
    17th, ... group): a group that validates in a small fraction validates in every larger one, so
    what a run trains on is nested too.

    Parameters
    ----------
    groups : the group of each subject inside the fraction
    share : share of the *groups*, in [0, 1)

    Returns
    -------
    set of group names: ``share`` of them, rounded, and never all; none where that rounds to none
    """
    if not 0 <= share < 1:
        raise SettingsError(f"the validation share must be from 0 to below 1, not {share}")
    order = _seeded_order(set(groups), "fraction", seed)
    due = [min(int(taken * share + 0.5), max(taken - 1, 0)) for taken in range(len(order) + 1)]
    return {group for place, group in enumerate(order) if due[place + 1] > due[place]}


def grouped_folds(groups: Sequence[str], folds: int, seed: int = 0) -> dict[str, int]:
    """Divide groups into folds of nearly as many subjects each.

    Parameters
    ----------
    groups : the group of each subject
    folds : at least 2
    seed : another seed, another division

    Returns
    -------
    dict of group -> fold, from 0: the largest group first, each into the fold that has the fewest
    subjects so far (of equals the first); groups of one size in their seeded order

    Raises
    ------
    SettingsError
        There are fewer groups than folds.
    """
    sizes = Counter(groups)
    if not 2 <= folds <= len(sizes):
        raise SettingsError(
            f"{len(sizes)} group{'s' * (len(sizes) != 1)} of labelled subjects cannot be divided "
            f"into {folds} folds"
        )
    held = [0] * folds
    placed = {}
    order = _seeded_order(sizes, "folds", seed)
    for group in sorted(order, key=lambda group: -sizes[group]):
        placed[group] = fold = min(range(folds), key=lambda fold: (held[fold], fold))
        held[fold] += sizes[group]
    return placed


def check_leak(train: Iterable[Listed], test: Iterable[Listed]) -> None:
    """Refuse test subjects that share a group or content with training.

    Raises
    ------
    LeakError
        Names the pairs.
    """
    find_leaks({"train": list(train), "test": list(test)}, refuse=True)


def find_leaks(splits: Mapping[str, Sequence[Listed]], *, refuse: bool = False) -> list[str]:
    """Find groups and contents that stand in more than one split.

    Parameters
    ----------
    splits : subjects of each split, by the split's name
    refuse : raise ``LeakError`` instead of returning what was found

    Returns
    -------
    list of sentences, one a leak
    """
    leaks: list[str] = []
    for first, second in combinations(splits, 2):
        group_of = {group: name for name, group, _ in reversed(splits[first])}
        content_of = {content: name for name, _, content in reversed(splits[first]) if content}
        for name, group, content in splits[second]:
            if content in content_of:
                leaks.append(
                    f"{first} subject {content_of[content]!r} and {second} subject {name!r} "
                    "are the same image"
                )
            elif group in group_of:
                leaks.append(
                    f"{first} subject {group_of[group]!r} and {second} subject {name!r} "
                    f"share the group {group!r}"
                )
    if leaks and refuse:
        shown = "\n  ".join(leaks[:10])
        more = f"\n  and {len(leaks) - 10} more" if len(leaks) > 10 else ""
        raise LeakError(
            f"{len(leaks)} leak{'s' if len(leaks) > 1 else ''} between splits:\n  {shown}{more}\n"
            "Scores on such a test set mean nothing. Put each group, and every copy of an image, "
            "into one split (the columns 'split' and 'group' of splits.csv)."
        )
    return leaks


def _seeded_order(groups: Iterable[str], purpose: str, seed: int) -> list[str]:
    def key(group: str) -> bytes:
        return hashlib.sha256(f"crosspatch {purpose} {seed}\0{group}".encode()).digest()

    return sorted(groups, key=key)


def _ordered_groups(groups: Sequence[str], purpose: str, seed: int) -> tuple[list[str], list[int]]:
    """Order distinct groups; beside them the number of subjects up to and with each group."""
    sizes = Counter(groups)
    order = _seeded_order(sizes, purpose, seed)
    return order, list(accumulate(sizes[group] for group in order))


def _nearest(ends: Sequence[int], target: float) -> int:
    """Return how many groups hold a number of subjects nearest to ``target`` (ties: fewer)."""
    counts = [0, *ends]
    return min(range(len(counts)), key=lambda taken: (abs(counts[taken] - target), taken))
