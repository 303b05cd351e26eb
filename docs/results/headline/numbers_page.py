"""The numbers of a study as a page: the program's own sentence, and its tables.

``tables.py`` calls this; nothing of what it writes is copied by hand.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from sections import blocks

from crosspatch.reports.study.material import Material, called
from crosspatch.reports.study.task import task_section
from crosspatch.reports.study.words import answer, between, p_value, signed, tenth
from crosspatch.studies.cube import SCRATCH, Cell
from crosspatch.studies.savings import percent
from crosspatch.studies.statistics import Findings

_VERDICTS = {True: "passed", False: "failed", None: "open"}


def page(material: Material, command: str, out: Path) -> str:
    """Write the page of one study.

    Parameters
    ----------
    material : Material
        Of a study with at least one score.
    command : str
        What made this page.
    out : Path
        Where tables go that stand in the page and have no file of their own.
    """
    found = material.headline
    assert found is not None, "a study without scores has no page"
    done = material.done
    parts = [
        f"# {material.target.capitalize()}: the numbers",
        f"Written by `{command}`; [the words](../index.md) are elsewhere. {done} of "
        f"{len(material.planned)} runs are done. Intervals are 95%, over seeds and test groups "
        f"({len(found.cube.groups)}) together; averaged weights.",
        f"> {answer(material)}",
        "## Scores",
        "Mean IoU of the test subjects; in brackets the seeds.",
        _scores(found),
        "![Scores against labels](figure-4.svg)",
        *_differences(found),
        *_hurdles(found),
        *_savings(found),
        *_tenths(found),
        *_settled(found),
        *_tasks(material, found, out),
    ]
    return "\n\n".join(parts) + "\n"


def _scores(found: Findings) -> str:
    shares = sorted({cell.fraction for cell in found.scores if cell.arm == SCRATCH})
    head = ["start"]
    for share in shares:
        labels = found.cube.labels[Cell(SCRATCH, share)]
        head.append(f"{percent(share)} ({labels:.0f})")
    arms = dict.fromkeys(cell.arm for cell in found.cube.cells)
    rows = [[called(arm), *(_score(found, Cell(arm, share)) for share in shares)] for arm in arms]
    return _table(head, [row for row in rows if set(row[1:]) != {"–"}])


def _score(found: Findings, cell: Cell) -> str:
    if cell not in found.scores:
        return "–"
    iou = found.scores[cell]["iou"]
    return f"{between(iou, 3)} ({iou.seeds})"


def _differences(found: Findings) -> Iterable[str]:
    if not found.gaps:
        return
    rows = [
        [called(gap.arm), percent(gap.fraction), signed(gap.difference), p_value(gap.p),
         str(gap.difference.seeds)]
        for gap in found.gaps
    ]  # fmt: skip
    yield "## Minus scratch with the same labels"
    yield "p values are corrected for all rows together (Holm)."
    yield _table(["start", "labels", "mean IoU above scratch", "p", "seeds"], rows)
    yield "![Differences to from scratch](differences.svg)"


def _hurdles(found: Findings) -> Iterable[str]:
    yield "## Do labels matter here, and were the steps enough?"
    yield "From scratch with all labels, minus each hurdle; 0.05 is asked for."
    rows = [
        [called(one.over), signed(one.gain, beside=0.05), _VERDICTS[one.passed]]
        for one in found.qualification.hurdles
    ]
    yield _table(["hurdle", "mean IoU above it", "verdict"], rows)
    if found.longer is not None:
        yield (
            f"Twice the steps, from scratch with all labels: {signed(found.longer, beside=0.01)} "
            f"(seeds: {found.longer.seeds}); less than 0.01 is asked for."
        )


def _savings(found: Findings) -> Iterable[str]:
    if not found.savings:
        return
    yield "## Labels needed"
    yield (
        "To score like from scratch with all labels, and to come within 0.03 mean IoU of it, by a "
        "curve that never falls."
    )
    rows = [
        [called(one.arm), "within 0.03" if one.slack else "like all", str(one.share),
         f"{one.low} to {one.high}" if one.low is not None else "–", str(one.seeds)]
        for one in found.savings
    ]  # fmt: skip
    yield _table(["start", "goal", "labels needed", "95% interval", "seeds"], rows)


def _tenths(found: Findings) -> Iterable[str]:
    if not found.tenths:
        return
    yield "## Do 10% do the work of all?"
    rows = [
        [called(one.arm), signed(one.loss), signed(one.scratch_loss), p_value(one.p), tenth(one)]
        for one in found.tenths
    ]
    head = ["start", "10% minus scratch, 100%", "scratch, 10% minus 100%", "p", "verdict"]
    yield _table(head, rows)


def _settled(found: Findings) -> Iterable[str]:
    counts: dict[str, tuple[int, int]] = {}
    for one in found.settled:
        if one.weights == found.weights:
            within, runs = counts.get(one.arm, (0, 0))
            counts[one.arm] = within + one.within, runs + one.runs
    if counts:
        said = ", ".join(f"{called(arm)} {a} of {b}" for arm, (a, b) in counts.items())
        yield "## Had training settled?"
        yield (
            "Runs whose validation IoU moved by at most 0.03 over the last ten checks, as a "
            f"headline asks of all: {said}."
        )


def _tasks(material: Material, found: Findings, out: Path) -> Iterable[str]:
    section = task_section(material, found)
    if section is not None:
        yield f"## {section.title}"
        yield from blocks(section, {}, out)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
