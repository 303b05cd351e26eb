"""``crosspatch report``: a study folder in, a page that stands alone out."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crosspatch.errors import SettingsError
from crosspatch.files import PathLike, write_text
from crosspatch.progress import Progress, silent
from crosspatch.reports.page import write_page
from crosspatch.reports.study.compare import comparison_page
from crosspatch.reports.study.material import Material, read_material
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
    study: PathLike | Sequence[PathLike],
    *,
    out: PathLike | None = None,
    hide: Sequence[str] = (),
    pictures: bool = True,
    progress: Progress = silent,
) -> Report:
    """Write ``report.html`` and ``figures/*.svg`` into a study folder; older ones are replaced.

    Parameters
    ----------
    study : a study folder, or ``Study``, finished or still running; or several: their page sets
        sources against targets (domain), and purities of labels against one another
    out : where to write; by itself into the study, and needed for several
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
    SettingsError
        Several studies, and no ``out``; or a name to hide that none of them has.
    """
    given = [study] if isinstance(study, str | os.PathLike) else list(study)
    if not given or (len(given) > 1 and out is None):
        raise SettingsError("name one study; or several, and with --out where their page is to be")
    materials = [read_material(one, progress=progress) for one in given]
    _refuse_unknown(hide, materials)
    if len(materials) > 1:
        page, figures = comparison_page(materials, progress=progress)
    else:
        page, figures = study_page(materials[0], hidden=hide, pictures=pictures, progress=progress)
    folder = materials[0].path if out is None else Path(out)
    places = []
    for name, svg in figures.items():
        places.append(folder / FIGURES / f"{name}.svg")
        write_text(places[-1], svg)
    write_page(page, folder / REPORT)
    return Report(folder / REPORT, tuple(places), "\n".join(map(answer, materials)))


def _refuse_unknown(hide: Sequence[str], materials: Sequence[Material]) -> None:
    """Refuse to hide what is not there: behind a slip of the pen, people would be shown."""
    names = {name: None for one in materials for name in (one.target, *one.plan.get("sources", {}))}
    if unknown := [name for name in hide if name not in names]:
        raise SettingsError(
            f"--hide {unknown[0]}: neither a target nor a source is called that; there are "
            + ", ".join(names)
        )
