"""``crosspatch consensus``: a Zooniverse export in, a data set of consensus masks out."""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from crosspatch import images as imagery
from crosspatch.dataset import Dataset, DatasetWriter, MaskValues, new_dataset
from crosspatch.dataset.masks import values_in
from crosspatch.errors import InputError, SettingsError
from crosspatch.files import (
    PathLike,
    refuse_existing,
    refuse_inputs_inside,
    write_bytes,
    write_text,
)
from crosspatch.images.pictures import to_png_bytes
from crosspatch.progress import Progress, silent
from crosspatch.reports.consensus import consensus_sheet, expert_curve
from crosspatch.splits import seeded_split
from crosspatch.volunteers import report
from crosspatch.volunteers.ballots import Choice
from crosspatch.volunteers.expert import compare_with_expert
from crosspatch.volunteers.folder import MADE, BucketWork, Desk, learn_bucket, paint_bucket
from crosspatch.volunteers.gather import Gathered, each, gather
from crosspatch.volunteers.methods import Judge, Learned, Method, Rule, judge
from crosspatch.volunteers.proposals import Proposals, read_proposals
from crosspatch.volunteers.subjects import Frames, Rules, index_files
from crosspatch.volunteers.tables import read_locations, read_tools
from crosspatch.volunteers.tally import RejectedFile
from crosspatch.volunteers.who_counts import Repeats

_SMALL = 48 * 2**20  # bytes of an export for which starting processes does not pay
_SPILL = ".spill"

Done = TypeVar("Done")


def consensus(
    export: PathLike,
    *,
    out: PathLike,
    subjects: PathLike | None = None,
    workflows: PathLike | None = None,
    images: PathLike | None = None,
    all_images: bool = False,
    size: tuple[int, int] | str | None = None,
    workflow: str | int | None = None,
    workflow_version: str | int | None = None,
    task: str | None = None,
    tools: Sequence[int] | None = None,
    frame: int | None = 0,
    method: Method = "vote",
    threshold: float = 0.5,
    at_least: int | None = None,
    repeats: Repeats = "first",
    blank_answer: str | None = None,
    expert: PathLike | None = None,
    proposals: PathLike | None = None,
    seed: int = 0,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Dataset:
    """Make consensus masks of volunteers' outlines.

    Parameters
    ----------
    export : classification export of Panoptes (CSV), of any size; or a folder that ``zooniverse
        pull`` made, whose other exports are then used as well
    out : the data set folder to make
    subjects, workflows : the project's other two exports: names of image files; tools and labels
    images : folder of science images, found by subject id or by a file name in the metadata; their
        sizes are the masks' sizes, and they are copied into the data set
    all_images : copy the images that nobody outlined as well; they are unlabelled, for a queue to
        say which to outline next
    size : (width, height) or "WIDTHxHEIGHT" in pixels of all masks, where there are no images; by
        itself a mask has the size of the image that volunteers saw
    workflow : which one; by itself the one with most classifications
    workflow_version : "11" for any 11.x, or "11.14"; by itself all
    task, tools : only this task; only the tools at these positions, from 0
    frame : the subject's image that was drawn on, from 0; None where all show the same view
    method : "vote", "weighted" (by agreement on other subjects), "staple", or "shrunken" (pixels
        that few voters cannot decide become 255)
    threshold : share of the votes, or probability, that makes foreground
    at_least : votes that make foreground, instead of a share; subjects with fewer voters are
        skipped and listed
    repeats : which classification of a volunteer on a subject counts: "first", "last" or "all"
    blank_answer : "T1=No": this answer, which skips the drawing task, is a vote for background
    expert : folder of expert masks, named like subjects or their images, to compare with
    proposals : proposals.jsonl of ``zooniverse push``: marks that a model proposed and nobody
        touched are listed, and are no votes
    seed : divides the subjects into training and test
    workers : processes; by itself one a core, and one for a small export
    overwrite : replace a data set that stands at ``out``
    progress : told how far the work is

    Returns
    -------
    Dataset
        Ready for ``prepare`` where images were given. Beside masks/ it holds votes/ (counts),
        subjects.csv, volunteers.csv, rejected.csv and contact_sheet.png. Without images it has no
        subjects until files are put into images/; ``said`` tells.

    Raises
    ------
    SettingsError
        Settings that contradict each other; nothing is read.
    InputError
        An export, folder or mask that cannot be used; nothing is written.
    """
    export, subjects, workflows = _exports(export, subjects, workflows)
    choice = Choice(
        workflow=None if workflow is None else str(workflow),
        version=None if workflow_version is None else str(workflow_version),
        task=task,
        tools=None if tools is None else frozenset(tools),
        frame=frame,
        blank_answer=_blank_answer(blank_answer),
    )
    rule = Rule(method, threshold, at_least)
    grid = None if size is None else _grid(size)
    _check(rule, repeats, images, size, all_images=all_images)
    refuse_existing(out, kind="dataset", overwrite=overwrite)
    refuse_inputs_inside(out, export, subjects, workflows, images, expert, proposals)
    shown = Proposals() if proposals is None else Proposals.of(read_proposals(proposals))
    frames = Frames(
        size=grid,
        images=None if images is None else _files_in(images),
        locations={} if subjects is None else read_locations(Path(subjects)),
    )
    experts = {} if expert is None else _files_in(expert)
    values = _expert_values(experts.values())
    table = None if workflows is None else read_tools(Path(workflows))
    crew = _Crew(workers or _workers(Path(export)), progress)
    origin = f"outlines by volunteers in {Path(export).name}, consensus by {rule}"
    with new_dataset(out, origin=origin, overwrite=overwrite) as writer:
        for name in ("votes", "gold", _SPILL):
            (writer.folder / name).mkdir()
        with RejectedFile(writer.folder / "rejected.csv") as rejected:
            gathered = gather(
                Path(export), writer.folder / _SPILL, choice, tools=table, proposals=shown,
                workers=crew.workers,
                reject=rejected.write, progress=progress,
            )  # fmt: skip
            rules = Rules(gathered.workflow, gathered.region_tasks, repeats)
            desk = Desk(writer.folder, rules, frames, rule, experts, values)
            decider = crew.learn(desk, gathered)
            work = crew.paint(desk, decider, gathered, rejected)
        work.tally.add(gathered.found.tally)
        _write_tables(writer.folder, work, decider, expert is not None)
        sheet = consensus_sheet(desk, gathered, work)
        if sheet is not None:
            write_bytes(writer.folder / "contact_sheet.png", to_png_bytes(sheet))
        for sentence in report.sentences(choice, gathered, work, images is not None):
            writer.note(sentence)
        _enter(writer, work, seed)
        if all_images and frames.images is not None:
            _take_along(writer, work, set(frames.images.values()))
        shutil.rmtree(writer.folder / _SPILL)
        if not any((writer.folder / "gold").iterdir()):
            (writer.folder / "gold").rmdir()
    if images is None:
        return Dataset(Path(out), (), None, {}, MaskValues(), said=tuple(writer.notes))
    return Dataset.open(out, seed=seed)


def _exports(
    export: PathLike, subjects: PathLike | None, workflows: PathLike | None
) -> tuple[Path, PathLike | None, PathLike | None]:
    """Take a pulled folder for the exports in it; those that were named come first."""
    folder = Path(export)
    if not folder.is_dir():
        return folder, subjects, workflows
    found = {
        kind: folder / f"{kind}.csv"
        for kind in ("classifications", "subjects", "workflows")
        if (folder / f"{kind}.csv").is_file()
    }
    if "classifications" not in found:
        raise InputError(f"{folder}: holds no classifications.csv; give the classification export")
    return (
        found["classifications"],
        subjects if subjects is not None else found.get("subjects"),
        workflows if workflows is not None else found.get("workflows"),
    )


def _check(
    rule: Rule,
    repeats: str,
    images: PathLike | None,
    size: tuple[int, int] | str | None,
    *,
    all_images: bool,
) -> None:
    """Refuse settings that contradict each other."""
    if repeats not in ("first", "last", "all"):
        raise SettingsError(f"repeats is first, last or all, not {repeats!r}")
    if repeats == "all" and rule.method in ("weighted", "staple"):
        raise SettingsError(
            f"the method {rule.method!r} needs one vote a volunteer: repeats first or last"
        )
    if all_images and images is None:
        raise SettingsError("all images of which folder? Give images as well")
    if size is not None and images is not None:
        raise SettingsError("give a size or images, not both: images have their own sizes")


def _grid(size: tuple[int, int] | str) -> tuple[int, int]:
    """Return the (H, W) of a size given as width and height."""
    sides = re.split("[xX×]", size) if isinstance(size, str) else list(size)
    try:
        width, height = (int(side) for side in sides)
    except ValueError:
        width, height = 0, 0
    if min(width, height) < 1 or width * height > imagery.MAX_PIXELS:
        raise SettingsError(f"a size is WIDTHxHEIGHT in pixels, such as 640x480, not {size!r}")
    return height, width


def _blank_answer(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    task, sign, answer = text.partition("=")
    if not sign or not task.strip() or not answer.strip():
        raise SettingsError(f"a blank answer is TASK=ANSWER, such as T1=No, not {text!r}")
    return task.strip(), answer.strip()


def _files_in(folder: PathLike) -> dict[str, Path]:
    path = Path(folder)
    files = index_files(imagery.find_images(path)) if path.is_dir() else {}
    if not files:
        raise InputError(f"{path}: is no folder with images ({', '.join(imagery.SUFFIXES)})")
    return files


def _expert_values(masks: Iterable[Path]) -> MaskValues:
    """Tell what expert masks mean: 255 is foreground where all of them hold only 0 and 255."""
    values: set[int] = set()
    for mask in set(masks):
        values |= values_in(imagery.read_mask(mask))
    if values and values <= {0, 255}:
        return MaskValues(foreground=frozenset({255}), ignored=frozenset())
    return MaskValues()


def _workers(export: Path) -> int:
    small = not export.exists() or export.stat().st_size < _SMALL
    return 1 if small else os.cpu_count() or 1


@dataclass(frozen=True)
class _Crew:
    """The processes that work on buckets."""

    workers: int
    progress: Progress

    def learn(self, desk: Desk, gathered: Gathered) -> Judge:
        """Let the method learn from all subjects, where it does."""
        if desk.rule.method == "vote":
            return Judge(desk.rule)
        learned = Learned()
        for one in self._each("learning from all subjects", gathered, partial(learn_bucket, desk)):
            learned.merge(one)
        return judge(desk.rule, learned)

    def paint(
        self, desk: Desk, decider: Judge, gathered: Gathered, rejected: RejectedFile
    ) -> BucketWork:
        """Write the masks of all subjects."""
        total = BucketWork()
        for work in self._each("making masks", gathered, partial(paint_bucket, desk, decider)):
            rejected.write(work.rejected)
            total.merge(work)
        return total

    def _each(self, what: str, gathered: Gathered, work: Callable[[Path], Done]) -> Iterator[Done]:
        total = len(gathered.buckets)
        for done, one in enumerate(each(work, gathered.buckets, self.workers), 1):
            yield one
            self.progress(what, done, total)


def _write_tables(folder: Path, work: BucketWork, decider: Judge, experts: bool) -> None:
    report.write_subjects(folder / "subjects.csv", work)
    report.write_volunteers(folder / "volunteers.csv", work, decider.estimate)
    if experts:
        try:
            compared = compare_with_expert(work.curves)
        except InputError as error:
            work.said.append(f"not compared with the expert: {error}")
        else:
            report.write_expert(folder, compared)
            write_text(folder / "expert_curve.svg", expert_curve(compared))


def _enter(writer: DatasetWriter, work: BucketWork, seed: int) -> None:
    """List the subjects that can be used in splits.csv, divided by the seed."""
    names = sorted(row.name for row in work.rows if row.status == MADE)
    for name, split in seeded_split(names, names, seed=seed).items():
        writer.enter(name, split=split)
    for row in work.rows:
        if row.status != MADE:
            writer.enter(row.name)  # an image without a mask: in no split


def _take_along(writer: DatasetWriter, work: BucketWork, files: set[Path]) -> None:
    """Copy the images that nobody classified: unlabelled, and in no split."""
    used, taken = {row.file for row in work.rows}, 0
    for file in sorted(file for file in files if file.name not in used):
        try:
            writer.enter(file.stem)
        except InputError as error:
            writer.note(f"{file.name} is not taken along: {error}")
            continue
        shutil.copyfile(file, writer.folder / "images" / f"{file.stem}{file.suffix.lower()}")
        taken += 1
    writer.note(f"{taken} images that nobody outlined came along without a mask")
