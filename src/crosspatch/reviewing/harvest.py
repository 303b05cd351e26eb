"""What a review leaves: a data set of the accepted masks, corrected or not, to train on."""

import os
import shlex
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosspatch import images
from crosspatch.dataset import DatasetWriter, new_dataset
from crosspatch.errors import InputError
from crosspatch.files import PathLike
from crosspatch.progress import Progress, silent
from crosspatch.reviewing.desk import Desk
from crosspatch.reviewing.material import Item

REVIEWED = "reviewed"
"""The data set that the page's button makes, inside the folder that is reviewed."""

SPLIT_COLUMNS = {
    "name": "of the subject",
    "split": "as in the data set that the image is from; `train` where it had none",
    "group": "likewise; its own name where it had none",
    "review": "`corrected` where a person changed the mask, else `accepted` as it was",
    "reviewer": "who accepted it",
    "reviewed": "when, UTC",
    "note": "what they wrote",
}
"""Columns of the ``splits.csv`` of such a data set, in order."""


@dataclass(frozen=True)
class Harvest:
    """A data set that was made of a review.

    path : the folder; count : its subjects; skipped : (subject, why) of accepted ones that could
    not be taken; said : what was assumed or left out, a sentence each
    """

    path: Path
    count: int
    skipped: tuple[tuple[str, str], ...]
    said: tuple[str, ...]


def plan_dataset(desk: Desk) -> dict[str, Any]:
    """Say what the page's button would make, where, and what it would leave out; make nothing.

    Returns
    -------
    dict
        ``path`` of the folder and whether one ``exists`` there; how many subjects there are in
        ``total``, each counted once: ``accepted`` as they are, ``corrected``, ``rejected``,
        ``open``, ``problems``.
    """
    out = _made_in(desk)
    count = Counter(_group(desk, item) for item in desk.material.items)
    groups = ("accepted", "corrected", "rejected", "open", "problems")
    return {
        "path": str(out),
        "exists": out.exists(),
        "total": len(desk.material.items),
        **{group: count[group] for group in groups},
    }


def _group(desk: Desk, item: Item) -> str:
    state = desk.store.state(item.name)
    if item.problem:
        return "problems"
    if state.decision == "accepted":
        return "corrected" if state.corrected else "accepted"
    return state.decision or "open"


def _made_in(desk: Desk) -> Path:
    return desk.material.path.resolve() / REVIEWED


def make_planned(desk: Desk) -> dict[str, Any]:
    """Make what ``plan_dataset`` says.

    Returns
    -------
    dict
        ``path``, ``count``, ``skipped`` and ``said`` of the ``Harvest``; ``next``: the command
        that cuts it into crops.
    """
    made = make_dataset(desk, _made_in(desk), overwrite=True)
    words = ["crosspatch", "prepare", str(made.path), "--recipe", "windows", "--out",
             f"{made.path}-crops"]  # fmt: skip
    typed = subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
    return {"path": str(made.path), "count": made.count, "skipped": made.skipped,
            "said": made.said, "next": typed}  # fmt: skip


def make_dataset(
    desk: Desk, out: PathLike, *, overwrite: bool = False, progress: Progress = silent
) -> Harvest:
    """Write the accepted subjects, images and masks, as a data set.

    Parameters
    ----------
    desk : material and decisions
    out : the data set folder to make
    overwrite : replace a data set that stands there
    progress : told how many subjects were written

    Raises
    ------
    InputError
        Nothing was accepted; nothing is written.
    """
    store, material = desk.store, desk.material
    accepted = [
        number
        for number, item in enumerate(material.items)
        if store.state(item.name).decision == "accepted"
    ]
    if not accepted:
        raise InputError("no mask was accepted yet, so there is nothing to make a data set of")
    skipped: list[tuple[str, str]] = []
    with new_dataset(
        out,
        channels=material.channel_names,
        foreground=material.foreground,
        licence=material.licence,
        origin=material.origin,
        overwrite=overwrite,
    ) as writer:
        for done, number in enumerate(accepted, 1):
            try:
                _add(writer, desk, number)
            except InputError as error:
                skipped.append((material.items[number].name, str(error)))
            progress("subjects", done, len(accepted))
        said = _say(desk, [material.items[number] for number in accepted])
        for sentence in said:
            writer.note(sentence)
        count = len(writer)
    return Harvest(Path(out), count, tuple(skipped), tuple(said))


def _add(writer: DatasetWriter, desk: Desk, number: int) -> None:
    item, state = desk.item(number), desk.store.state(desk.item(number).name)
    if item.problem or item.image is None:
        raise InputError(item.problem or "has no image")
    if desk.material.kind == "dataset":
        desk.material.contained(item.image)
    header = images.read_header(item.image)
    mask = desk.mask_now(item, (header.height, header.width))
    writer.add(
        item.name,
        item.image,
        mask,
        split=item.split or "train",
        group=item.group,
        columns={
            "review": "corrected" if state.corrected else "accepted",
            "reviewer": state.who,
            "reviewed": state.time,
            "note": state.note,
        },
    )


def _say(desk: Desk, accepted: list[Item]) -> list[str]:
    store = desk.store
    states = [store.state(item.name) for item in accepted]
    corrected = sum(state.corrected for state in states)
    model = f" of the model {desk.material.model[:12]}" if desk.material.model else ""
    said = [
        f"masks{model} that people looked at: {len(accepted) - corrected} accepted as is, "
        f"{corrected} corrected"
    ]
    unplaced = sum(item.split is None for item in accepted)
    if unplaced:
        said.append(f"{unplaced} of them had no split and were put into train")
    others = Counter(
        "rejected" if state.decision == "rejected" else "corrected but not yet accepted"
        for item in desk.material.items
        if (state := store.state(item.name)).decision != "accepted"
        and (state.decision == "rejected" or state.corrected)
    )
    said += [f"left out: {count} {why}" for why, count in sorted(others.items())]
    return said
