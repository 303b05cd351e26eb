"""The page of a study: the answer first."""

from collections.abc import Sequence

from crosspatch import __version__
from crosspatch.progress import Progress, silent
from crosspatch.reports.page import Page, Section
from crosspatch.reports.study.account import (
    account_section,
    limits_section,
    network_section,
    settings_section,
    transfer_section,
)
from crosspatch.reports.study.bounds import worth
from crosspatch.reports.study.material import Material
from crosspatch.reports.study.numbers import (
    Figures,
    difference_section,
    score_section,
    worth_section,
)
from crosspatch.reports.study.pictures import overview_section, picture_section
from crosspatch.reports.study.savings import answer_section
from crosspatch.reports.study.task import task_section
from crosspatch.reports.study.training import training_section
from crosspatch.reports.study.words import answer


def study_page(
    material: Material,
    *,
    hidden: Sequence[str] = (),
    pictures: bool = True,
    progress: Progress = silent,
) -> tuple[Page, Figures]:
    """Compose the report of a study, finished or not.

    Parameters
    ----------
    material : Material
    hidden : names of sources, or of the target, whose images are not to be shown
    pictures : False: no image at all
    progress : Progress

    Returns
    -------
    page, figures
        The page, and the SVG text of each figure by the name of its file.
    """
    figures: Figures = {}
    found = material.headline
    sections: list[Section | None] = []
    if found is not None:
        sections += [
            answer_section(material, found, figures),
            worth_section(material, found),
            difference_section(material),
            task_section(material, found),
        ]
        if pictures and material.target not in hidden:
            sections += [
                overview_section(material, found, hidden, progress=progress),
                picture_section(material, found, progress=progress),
            ]
        sections += [training_section(material, found, figures), score_section(material)]
    sections += [
        network_section(material, figures),
        transfer_section(material),
        settings_section(material),
        account_section(material, found),
        limits_section(material, found),
    ]
    page = Page(
        title=f"{material.target}: how many labels does a good start save?",
        lead=answer(material),
        notice=_notice(material),
        sections=[section for section in sections if section is not None],
        footer=(
            f"Made by crosspatch {__version__} from the tables in this folder. The method: Mantha "
            "et al. 2022, arXiv:2211.03937. What a claim about labels needs is checked by the "
            "program, not left to the reader: intervals over seeds and independent groups, "
            "corrected comparisons, baselines, no choosing on test data."
        ),
    )
    return page, figures


def _notice(material: Material) -> str:
    found = material.headline
    if found is None:
        failed = f" {len(material.broken)} runs failed." if material.broken else ""
        return f"Nothing has been scored yet: this page says what is planned.{failed}"
    parts = []
    if material.missing:
        parts.append(
            f"This study is still running: {len(material.missing)} of {len(material.planned)} runs "
            "are missing, and every number may change."
        )
    if material.broken:
        parts.append(
            f"{len(material.broken)} of {len(material.planned)} runs failed; they are listed near "
            "the end, and tried again when the study goes on."
        )
    if found.qualification.passed is None:
        parts.append(f"Whether labels matter on this target is {worth(material)}.")
    if found.longer is None:
        parts.append("Whether training was long enough was not measured.")
    seeds = len(found.cube.seeds)
    parts.append(
        f"These numbers are of one target, {found.cube.with_foreground} test subjects with "
        f"foreground in {found.cube.groups_of()} groups, taken as independent, and {seeds} "
        f"seed{'s' * (seeds != 1)}. The limits stand at the end."
    )
    return " ".join(parts)
