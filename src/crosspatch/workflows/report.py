"""``crosspatch report``: a study folder in, a page that stands alone out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crosspatch.files import PathLike, write_text
from crosspatch.progress import Progress, silent
from crosspatch.reports.page import write_page
from crosspatch.reports.study.material import read_material
from crosspatch.reports.study.page import study_page
from crosspatch.reports.study.words import answer

REPORT, FIGURES = "report.html", "figures"


@dataclass(frozen=True)
class Report:
    """A report that was written: its page, its figures, and what it answers in one sentence."""

    path: Path
    figures: tuple[Path, ...]
    answer: str

    def __fspath__(self) -> str:
        return str(self.path)


def report(
    study: PathLike,
    *,
    hide: Sequence[str] = (),
    pictures: bool = True,
    progress: Progress = silent,
) -> Report:
    """Write ``report.html`` and ``figures/*.svg`` into a study folder; older ones are replaced.

    Parameters
    ----------
    study : a study folder, or ``Study``, finished or still running
    hide : names of sources, or of the target, whose images are not to be shown (people, images
        that may not be published)
    pictures : False: show no image at all, and use no model
    progress : told how far the work is

    Returns
    -------
    Report

    Raises
    ------
    InputError
        It is no study folder, or a table in it is damaged.
    """
    material = read_material(study, progress=progress)
    page, figures = study_page(material, hidden=hide, pictures=pictures, progress=progress)
    places = []
    for name, svg in figures.items():
        places.append(material.path / FIGURES / f"{name}.svg")
        write_text(places[-1], svg)
    write_page(page, material.path / REPORT)
    return Report(material.path / REPORT, tuple(places), answer(material))
