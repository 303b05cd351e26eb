"""``crosspatch report``."""

from pathlib import Path

from crosspatch.cli.console import Output, progress_bars, say

_DEFAULT = Output()


def report(
    *study: Path,
    out: Path | None = None,
    hide: tuple[str, ...] = (),
    no_pictures: bool = False,
    output: Output = _DEFAULT,
) -> None:
    """Write the report of a study, or of several: a page that stands alone, and its figures.

    Parameters
    ----------
    study
        Study folder, finished or still running; several make a page of sources against targets.
    out
        Folder to write to; by itself the study's, and needed for several.
    hide
        A source, or the target, whose images are not to be shown; may be given several times. A
        name that no study has is refused.
    no_pictures
        Show no subject at all, and use no model.
    """
    from crosspatch.workflows.report import report as workflow

    with progress_bars(output) as progress:
        made = workflow(study, out=out, hide=hide, pictures=not no_pictures, progress=progress)
    result = {
        "report": str(made.path),
        "figures": [str(path) for path in made.figures],
        "answer": made.answer,
    }
    say(output, result, [made.answer, f"{made.path}: open it in a browser"])
