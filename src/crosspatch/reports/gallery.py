"""Which subjects a page shows: by a rule that is printed beside them, not by who looks best."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

RULE = (
    "Subjects with foreground, ordered by IoU: the highest, the ones nearest the median, the "
    "lowest. Nobody picked them."
)


@dataclass(frozen=True)
class Choice:
    """A subject to show, and why: "best", "typical" or "worst"."""

    kind: str
    name: str
    score: float


def choose(scores: Sequence[tuple[str, float]], each: int = 2) -> list[Choice]:
    """Choose the best, the most typical and the worst subjects.

    Parameters
    ----------
    scores : (name, IoU); subjects with foreground; those whose IoU is nan are left out
    each : how many of each kind

    Returns
    -------
    list of Choice
        Best, typical, worst, none twice; fewer where there are not enough subjects. Ties go by
        name. Typical: those nearest the median in rank, of what is left.
    """
    ranked = sorted(
        ((name, score) for name, score in scores if not math.isnan(score)),
        key=lambda pair: (-pair[1], pair[0]),
    )
    each = min(each, max(len(ranked) // 3, 1))
    best = ranked[:each]
    worst = ranked[max(len(ranked) - each, len(best)) :]
    between = ranked[len(best) : len(ranked) - len(worst)]
    start = max((len(between) - each) // 2, 0)
    typical = between[start : start + each]
    kinds = (("best", best), ("typical", typical), ("worst", worst))
    return [Choice(kind, name, score) for kind, chosen in kinds for name, score in chosen]
