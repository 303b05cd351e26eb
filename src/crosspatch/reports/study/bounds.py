"""What a study's numbers cannot be used for, and whether it says anything about labels at all."""

from collections.abc import Iterable, Iterator, Sequence

from crosspatch.reports.study.material import Material, called
from crosspatch.studies.cube import SCRATCH
from crosspatch.studies.statistics import Findings

NOT_ASKED = "not asked in this study (nothing is trained with all labels)"
_PIXELS = {"threshold", "forest"}


def doubts(material: Material, found: Findings) -> list[str]:
    """Say what keeps a saving that shows from being a claim; empty where every rule is kept."""
    said = list(found.limits)
    if "epochs" in material.plan:
        said.append("with equal epochs, so that fewer labels also mean fewer steps")
    elif found.longer is None:
        said.append("whether its steps were enough has not been measured")
    if found.qualification.passed is None:
        said.append(
            "whether the target deserves a claim about labels is not known "
            f"({' and '.join(_not_beaten(found))} not run)"
        )
    if material.missing:
        said.append(f"with {len(material.missing)} of {len(material.planned)} runs still to come")
    if material.broken:
        said.append(f"without {_count(len(material.broken), 'run')} that failed")
    return said


def bounds(material: Material, found: Findings) -> str:
    """Say in the same sentence what the number cannot be used for; empty, or after a semicolon."""
    said = [*doubts(material, found), *_one_checkpoint(material, found)]
    if material.generated:
        said.append("on generated images, which says nothing about real ones")
    return "".join(f"; {one}" for one in said)


def _not_beaten(found: Findings) -> Iterator[str]:
    """Name the hurdles that could not be measured."""
    names = [one.over for one in found.qualification.hurdles if one.passed is None]
    if set(names) >= _PIXELS:
        yield "pixel baselines"
        names = [name for name in names if name not in _PIXELS]
    for name in names:
        yield "training with 10% of them" if name.startswith(SCRATCH) else f"the {called(name)}"


def _one_checkpoint(material: Material, found: Findings) -> Iterator[str]:
    """Name sources that were not trained anew for each seed: all holds for that model alone."""
    sources, arms = material.plan.get("sources", {}), material.plan.get("arms", {})
    starts = dict.fromkeys(str(arms.get(arm, {}).get("start", arm)) for arm in found.starts)
    given = [name for name in starts if sources.get(name, {}).get("model")]
    if given:
        yield f"from one checkpoint of {listed(given)}, for which alone this holds"


def asks(material: Material) -> bool:
    """Whether anything is planned to be trained with all labels: else no saving is asked for."""
    return 1.0 in material.plan.get("fractions", [1.0])


def worth(material: Material, others: Sequence[Material] = ()) -> str:
    """Say whether labels matter on the target; where it cannot, another study of it may."""
    verdict, by = judged(material, others)
    if verdict is None:
        return "not known yet" if asks(material) else NOT_ASKED
    return ("yes" if verdict else "no") + (f" (by {by.path.name})" if by is not material else "")


def judged(material: Material, others: Sequence[Material]) -> tuple[bool | None, Material]:
    """Say whether labels matter on the target, None: not known; and which study says so."""
    for one in (material, *(other for other in others if _same_target(material, other))):
        if one.headline is not None and one.headline.qualification.passed is not None:
            return one.headline.qualification.passed, one
    return None, material


def _same_target(one: Material, other: Material) -> bool:
    def what(material: Material) -> tuple[object, ...]:
        table = material.plan.get("target", {})
        images = table.get("images", table.get("fingerprint"))  # however they are divided
        return material.target, images, table.get("foreground"), table.get("purity")

    return what(one) == what(other)


def variants(found: Findings) -> str:
    """Name what else is trained from scratch, lest it pass for a start; empty, or a sentence."""
    names = [arm for arm in found.cube.arms(SCRATCH) if arm != SCRATCH]
    if not names:
        return ""
    return f" {listed(names)}: from scratch too, with other settings; no start from another model."


def listed(names: Iterable[str]) -> str:
    """Write names as people do: a, b and c."""
    *most, last = map(called, names)
    return f"{', '.join(most)} and {last}" if most else last


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
