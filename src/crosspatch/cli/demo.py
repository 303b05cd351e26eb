"""``crosspatch demo``."""

from pathlib import Path

from crosspatch.cli.console import Output, progress_bars, say

_DEFAULT = Output()


def demo(
    *,
    out: Path = Path("crosspatch-demo"),
    quick: bool = False,
    seed: int = 0,
    overwrite: bool = False,
    output: Output = _DEFAULT,
) -> None:
    """Go the whole way on generated data: outlines, consensus, a study, masks, one page.

    Parameters
    ----------
    out
        Folder to make; the page is report.html in it.
    quick
        Fewer images and steps: a minute and a half instead of minutes.
    seed
        Of the data and of the training.
    overwrite
        Replace the folder if it exists.
    """
    from crosspatch.demo import demo as workflow
    from crosspatch.demo.people import REVIEW

    with progress_bars(output) as progress:
        page = workflow(out, quick=quick, seed=seed, overwrite=overwrite, progress=progress)
    lines = [f"open {page}", f"correct masks: crosspatch review {page.parent / REVIEW}"]
    say(output, {"report": str(page), "review": str(page.parent / REVIEW)}, lines)
