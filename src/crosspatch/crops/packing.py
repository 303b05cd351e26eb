"""Packing: every labelled subject decoded once, resized, cut, and written behind the last one.

Subjects are decoded by threads (decoders release the interpreter lock; processes would have to send
every image back) and written by the caller in the order of their names, so that the pack is the
same with any number of workers, and memory holds a few subjects, never the data set.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch.crops.packed import Crops, Skipped
from crosspatch.crops.planning import Job, Plan, channel_names, make_plan, of_one_kind
from crosspatch.crops.recipes import Recipe
from crosspatch.crops.threads import cores, in_order
from crosspatch.crops.writing import SAYS, Cut, PackWriter, told
from crosspatch.dataset import Dataset, read_pair
from crosspatch.dataset.check import Kind, unlike
from crosspatch.dataset.folder import content_of
from crosspatch.errors import InputError
from crosspatch.files import PathLike, new_folder, read_toml, refuse_existing, write_toml
from crosspatch.images.resize import resize_image, resize_mask
from crosspatch.progress import Progress, silent
from crosspatch.splits import find_leaks


def pack(
    datasets: Sequence[Dataset],
    recipe: Recipe,
    out: PathLike,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    reuse: bool = True,
    progress: Progress = silent,
) -> Crops:
    """Cut the labelled subjects of data sets into a crops folder.

    Parameters
    ----------
    datasets : one or several; several give their names as prefixes (``kelp/scene1``)
    recipe : what to cut
    out : the folder to make
    workers : threads that decode; by itself one a core
    overwrite : replace a crops folder that stands there
    reuse : one that holds these very crops already is opened, whatever ``overwrite`` says; only
        what its data sets say of themselves (licence, origin, notes) is written anew
    progress : told how many subjects were packed

    Returns
    -------
    Crops; its ``skipped`` lists subjects that could not be used

    Raises
    ------
    LeakError
        A group, or the content of an image, stands in two splits.
    InputError
        No subject is left to train on, or the data sets have different channels.
    """
    return pack_planned(
        make_plan(datasets, recipe), out,
        workers=workers, overwrite=overwrite, reuse=reuse, progress=progress,
    )  # fmt: skip


def pack_planned(
    plan: Plan,
    out: PathLike,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    reuse: bool = True,
    progress: Progress = silent,
) -> Crops:
    """Cut what was planned: `pack` for a caller that chooses ``out`` by the plan's fingerprint."""
    out = Path(out)
    ready = _already_there(out, plan) if reuse else None
    if ready is not None:
        return ready
    refuse_existing(out, kind="crops", overwrite=overwrite)
    workers = workers or cores()
    kind, jobs, unlike_others = of_one_kind(plan, workers)
    channels = channel_names(plan.datasets, kind)
    with (
        new_folder(out, kind="crops", overwrite=overwrite) as folder,
        PackWriter(folder, plan.recipe, kind) as writer,
    ):
        unusable = _write(writer, jobs, plan.recipe, kind, workers, progress)
        skipped = [*plan.skipped, *unlike_others, *unusable]
        find_leaks(writer.listed(), refuse=True)
        _refuse_nothing_to_train(writer, skipped)
        writer.finish(plan, channels, skipped)
    return Crops.open(out)


def _write(
    writer: PackWriter,
    jobs: Sequence[Job],
    recipe: Recipe,
    kind: Kind,
    workers: int,
    progress: Progress,
) -> list[Skipped]:
    """Decode, cut and write the jobs in order; return those that could not be used."""
    skipped: list[Skipped] = []
    cuts = in_order(lambda job: _cut(job, recipe, kind), jobs, workers)
    for done, (job, cut) in enumerate(zip(jobs, cuts, strict=True), 1):
        if isinstance(cut, Skipped):
            skipped.append(cut)
        else:
            writer.add(job.name, job.group, job.split, cut)
        progress("packing", done, len(jobs))
    return skipped


def _already_there(out: Path, plan: Plan) -> Crops | None:
    """Open the pack that stands at ``out`` if it is whole and its crops would come out the same."""
    try:
        ready = Crops.open(out)
    except InputError:
        return None
    if ready.fingerprint != plan.fingerprint:
        return None
    table, now = read_toml(out / "crops.toml"), told(plan)
    if all(table.get(key) == value for key, value in now.items()):
        return ready
    del table["format"]
    write_toml(out / "crops.toml", table | now, says=SAYS)
    return Crops.open(out)


def _cut(job: Job, recipe: Recipe, kind: Kind) -> Cut | Skipped:
    """Decode and resize one subject, or say why it cannot be used."""
    try:
        image, mask = read_pair(job.dataset, job.subject)
    except InputError as error:
        return Skipped(job.name, str(error))
    pixels, valid, shape = image.pixels, image.valid, (mask.shape[0], mask.shape[1])
    if other := unlike((pixels.shape[0], pixels.dtype), kind):
        return Skipped(job.name, f"{job.subject.image}: {other}")
    if not valid.any():
        return Skipped(job.name, f"{job.subject.image}: holds no data in any pixel")
    content = content_of(pixels)
    pixels = _filled(pixels, valid)
    wanted = recipe.resize.shape(*shape)
    if wanted != shape:
        pixels, mask = resize_image(pixels, wanted), resize_mask(mask, wanted)
        valid = resize_mask(valid.astype(np.uint8), wanted).astype(np.bool_)
    return Cut(pixels, mask, valid, shape, content)


def _filled(pixels: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[Any]:
    """Put the mean of what a channel shows where the image, (C, H, W), holds nothing.

    The network sees no edge there, and resizing blends no outlandish value into its neighbours.
    """
    if valid.all():
        return pixels
    filled = pixels.copy()
    for plane in filled:
        mean = plane[valid].mean(dtype=np.float64)
        plane[~valid] = np.rint(mean) if plane.dtype.kind in "ui" else mean
    return filled


def _refuse_nothing_to_train(writer: PackWriter, skipped: Sequence[Skipped]) -> None:
    listed = writer.listed()
    if listed["train"]:
        return
    packed = sum(map(len, listed.values()))
    reasons = "".join(f"\n  {one.subject}: {one.why}" for one in skipped[:5])
    raise InputError(
        f"no subject is left to train on: {packed} are in other splits, {len(skipped)} were "
        f"skipped{':' if reasons else ''}{reasons}"
    )
