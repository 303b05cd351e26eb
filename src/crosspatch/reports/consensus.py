"""Pictures of a consensus: the contact sheet, and the curve against an expert."""

import numpy as np

from crosspatch import images
from crosspatch.errors import InputError
from crosspatch.images import pictures
from crosspatch.images.resize import resize_image, resize_mask
from crosspatch.reports.figures import Curve, learning_curve
from crosspatch.volunteers.expert import MEASURES, ExpertReport
from crosspatch.volunteers.folder import MADE, BucketWork, Desk
from crosspatch.volunteers.gather import Gathered, bucket_of
from crosspatch.volunteers.runs import vote_runs
from crosspatch.volunteers.sheet import SheetRow, contact_sheet, pick_rows
from crosspatch.volunteers.subjects import ReadSubject, subjects_in

_SIDE = 512  # pixels: larger subjects are shown smaller
_NAMES = {"iou": "IoU", "dice": "Dice", "matthews": "Matthews correlation"}


def expert_curve(report: ExpertReport) -> str:
    """Draw the mean scores of "at least k volunteers" against the expert, as SVG text."""
    steps = [float(point.k) for point in report.mean]
    curves = [
        Curve(_NAMES[measure], steps, [getattr(point, measure) for point in report.mean])
        for measure in MEASURES
    ]
    return learning_curve(
        curves, ylabel="mean score against the expert", xlabel="volunteers who must agree, k"
    )


def consensus_sheet(desk: Desk, gathered: Gathered, work: BucketWork) -> pictures.Picture | None:
    """Lay out outlines, votes and mask of easy, typical and hard subjects.

    Returns
    -------
    (height, width, 3) uint8, or None where no subject has two voters to compare
    """
    made = {row.name for row in work.rows if row.status == MADE}
    chosen = pick_rows({row.name: row.difficulty for row in work.rows})
    rows = (  # one at a time: the filled outlines of nine subjects are large
        _row(desk, read, f"{kind}: {name}", name in made)
        for name, kind in chosen
        for read in subjects_in(bucket_of(gathered, name), desk.rules, desk.frames, name)
        if read.subject is not None
    )
    return contact_sheet(rows) if chosen else None


def _row(desk: Desk, read: ReadSubject, caption: str, made: bool) -> SheetRow:
    """Show one subject, no larger than the sheet needs."""
    subject = read.subject
    assert subject is not None
    factor = min(1.0, _SIDE / max(subject.shape))
    shape = (max(1, round(subject.shape[0] * factor)), max(1, round(subject.shape[1] * factor)))
    scale = np.divide(shape, subject.shape)
    outlines = [[outline * scale for outline in one.outlines] for one in subject.volunteers]
    mask = None
    if made:
        painted = images.read_mask(desk.folder / "masks" / f"{subject.name}.png")
        mask = resize_mask(painted.astype(np.uint8), shape)
    picture = None
    if read.image is not None:
        try:
            image = images.read_image(read.image)
        except InputError:
            return SheetRow(caption, vote_runs(outlines, shape).filled(), mask)
        picture = pictures.to_rgb(resize_image(image.pixels, shape), image.channel_names)
    return SheetRow(caption, vote_runs(outlines, shape).filled(), mask, picture)
