"""``crosspatch zooniverse``: a project's exports in; subjects, proposals and retirements out."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from crosspatch import images as imagery
from crosspatch.errors import CrosspatchError, InputError, SettingsError
from crosspatch.feedback.table import read_queue
from crosspatch.feedback.zooniverse.accounts import find_account
from crosspatch.feedback.zooniverse.connection import Connection
from crosspatch.feedback.zooniverse.exports import Export, Pull
from crosspatch.feedback.zooniverse.ledger import Ledger
from crosspatch.feedback.zooniverse.patience import NotThereError, Patience, ZooniverseError
from crosspatch.feedback.zooniverse.plan import (
    Plan,
    Standing,
    make_plan,
    read_standing,
    write_plan,
)
from crosspatch.feedback.zooniverse.push import Push as Sending
from crosspatch.feedback.zooniverse.push import Pushed
from crosspatch.files import (
    PathLike,
    locked,
    new_folder,
    read_toml,
    refuse_existing,
    write_toml,
)
from crosspatch.prediction.folder import Predictions
from crosspatch.progress import Progress, silent
from crosspatch.volunteers.subjects import index_files


@dataclass(frozen=True)
class Exports:
    """A folder of exports, accepted by ``consensus`` in place of a classification export.

    Attributes
    ----------
    path : Path
    exports : tuple of Export
        What was downloaded.
    """

    path: Path
    exports: tuple[Export, ...]

    def __fspath__(self) -> str:
        return str(self.path)


def pull(
    project: int | str,
    *,
    out: PathLike,
    workflow: int | str | None = None,
    existing: bool = False,
    wait: float = 180,
    overwrite: bool = False,
    patience: Patience | None = None,
    progress: Progress = silent,
) -> Exports:
    """Download a project's classifications, subjects and workflows.

    Parameters
    ----------
    project, workflow : ids; with a workflow, only its classifications
    out : the folder to make; a pull that was stopped goes on when it is called again
    existing : take what was exported last instead of having new exports made
    wait : minutes to wait for exports that are being made
    overwrite : replace a folder of exports
    patience : how often a failing server is asked again
    progress : told how far the work is

    Raises
    ------
    ZooniverseError
        No rights, an export still being made, a server that does not answer.
    """
    project, chosen = _number("project", project), None
    if workflow is not None:
        chosen = _number("workflow", workflow)
    out = Path(out)
    refuse_existing(out, kind="exports", overwrite=overwrite)
    connection = Connection(find_account(), patience)
    slug = _project_slug(connection, project)
    waiting = out.parent / f".{out.name}.pull"
    waiting.mkdir(parents=True, exist_ok=True)
    with locked(waiting, "pulling"):
        work = Pull(
            connection, project, chosen, waiting, existing=existing, wait=wait, progress=progress
        )
        exports = work.run()
        with new_folder(out, kind="exports", overwrite=overwrite) as folder:
            for export in exports:
                export.path.replace(folder / export.path.name)
            table = {
                "place": urlsplit(connection.account.endpoint).hostname,
                "project": project,
                "slug": slug,
                "workflow": chosen,
                "exports": {
                    one.kind: {"made": one.made, "bytes": one.size, "md5": one.md5}
                    for one in exports
                },
            }
            write_toml(folder / "exports.toml", table, says="Exports of a Zooniverse project.")
    shutil.rmtree(waiting, ignore_errors=True)
    return Exports(out, tuple(exports))


def _number(what: str, value: int | str) -> str:
    text = str(value).strip()
    if not text.isdecimal():
        raise SettingsError(f"a {what} is given by its number on Zooniverse, not {text!r}")
    return text


def _project_slug(connection: Connection, project: str) -> str:
    """Look the project up, so that a wrong number is said before anything else happens."""
    try:
        found = connection.get(f"projects/{project}").body.get("projects") or [{}]
    except NotThereError:
        raise ZooniverseError(
            f"there is no project {project}, or {connection.account.name} may not see it"
        ) from None
    return str(found[0].get("slug") or "")


@dataclass(frozen=True)
class Push:
    """A push: what would be, or was, sent.

    Attributes
    ----------
    path : Path
        The folder of the push, with ledger.jsonl and proposals.jsonl; made when something is sent.
    plan : Plan
    done : Pushed or None
        None where nothing was sent.
    said : tuple of str
    """

    path: Path
    plan: Plan
    done: Pushed | None
    said: tuple[str, ...]

    def __fspath__(self) -> str:
        return str(self.path)


def push(
    predictions: PathLike,
    queue: PathLike,
    *,
    project: int | str,
    workflow: int | str,
    out: PathLike,
    subject_set: str | None = None,
    subjects: PathLike | None = None,
    images: PathLike | None = None,
    limit: int | None = None,
    proposals: bool = True,
    yes: bool = False,
    patience: Patience | None = None,
    progress: Progress = silent,
) -> Push:
    """Send what needs people to a project on Zooniverse, and retire what does not.

    Parameters
    ----------
    predictions : folder of `predict`, of the queue's subjects
    queue : queue.csv of `queue`
    project, workflow : their numbers
    out : the push's folder; the same folder again goes on where a push was cut off
    subject_set : its name; by itself that of ``out``
    subjects : the project's subject export, or a pulled folder: what stands there, by number or
        file name, is shown again or retired instead of uploaded
    images : folder of the images, where they are no longer where they were predicted
    limit : show people so many subjects at most
    proposals : send the model's outlines as marks that volunteers correct
    yes : send; without it nothing leaves this machine
    patience : how often a failing server is asked again
    progress : told how far the work is

    Returns
    -------
    Push. What cannot be sent stands in ``plan.left``.

    Raises
    ------
    InputError, SettingsError
        An input cannot be used; nothing is sent.
    ZooniverseError
        Zooniverse refuses or does not answer; the same call goes on from there.
    """
    project, workflow = _number("project", project), _number("workflow", workflow)
    out = Path(out)
    given = Predictions.open(predictions)
    standing, said = _standing(subjects, workflow)
    plan = make_plan(
        given,
        read_queue(queue),
        standing=standing,
        files=None if images is None else _files_in(Path(images)),
        limit=limit,
    )
    if not plan.wanted and not plan.retired:
        raise InputError(f"{Path(queue)}: nothing is to be sent ({_why(plan)})")
    name = subject_set or f"crosspatch {out.absolute().name}"
    table = {
        "project": project,
        "workflow": workflow,
        "subject_set": name,
        "predictions": str(given.path),
        "queue": str(queue),
    }
    if not yes:
        return Push(out, plan, None, tuple(said))
    account = find_account()
    table["place"] = str(urlsplit(account.endpoint).hostname)
    _begin(out, table)
    with locked(out, "pushing"):
        write_plan(out / "plan.csv", plan)
        connection = Connection(account, patience)
        with Ledger(out / "ledger.jsonl") as ledger:
            sending = Sending(
                connection, ledger, project, workflow, folder=out, subject_set=name,
                progress=progress,
            )  # fmt: skip
            done = sending.run(plan, with_proposals=proposals)
    return Push(out, plan, done, (*said, *done.said))


def _standing(subjects: PathLike | None, workflow: str) -> tuple[Standing, list[str]]:
    if subjects is None:
        return Standing(), []
    path = Path(subjects)
    standing = read_standing(path / "subjects.csv" if path.is_dir() else path, workflow)
    if not standing.ambiguous:
        return standing, []
    count, some = len(standing.ambiguous), ", ".join(sorted(standing.ambiguous)[:5])
    return standing, [f"{count} names stand for several subjects and are not used: {some}"]


def _files_in(folder: Path) -> dict[str, Path]:
    files = index_files(imagery.find_images(folder)) if folder.is_dir() else {}
    if not files:
        raise InputError(f"{folder}: is no folder with images ({', '.join(imagery.SUFFIXES)})")
    return files


def _why(plan: Plan) -> str:
    reasons = sorted({why for _, why in plan.left})
    return "; ".join(reasons[:5]) or "the queue is empty"


def _begin(out: Path, table: dict[str, str]) -> None:
    """Make the push's folder, or see that it is of this very push."""
    if not (out / "push.toml").exists():
        refuse_existing(out, kind="push", overwrite=False)
        out.mkdir(parents=True, exist_ok=True)
        write_toml(out / "push.toml", table, says="What crosspatch sent to Zooniverse.")
        return
    before = read_toml(out / "push.toml")
    for key in ("place", "project", "workflow", "subject_set"):
        if before.get(key) != table[key]:
            raise CrosspatchError(
                f"{out}: holds a push with {key} {before.get(key)!r}, not {table[key]!r}: give "
                "another --out for another push"
            )


def summary(plan: Plan, seen: int = 10) -> Sequence[str]:
    """Say a plan in words, the first subjects by name."""
    lines = [
        f"{len(plan.new)} subjects to upload, {len(plan.older)} to show again, "
        f"{len(plan.retired)} to retire, {len(plan.left)} to leave"
    ]
    if plan.folders:
        lines.append(f"images to upload are read from {', '.join(map(str, plan.folders))}")
    lines += [f"  {one.priority}  {one.name}: {one.reason}" for one in plan.wanted[:seen]]
    if len(plan.wanted) > seen:
        lines.append(f"  ... and {len(plan.wanted) - seen} more")
    lines += [f"  retire {name} ({number})" for name, number in plan.retired[:seen]]
    left: dict[str, int] = {}
    for _, why in plan.left:
        left[why] = left.get(why, 0) + 1
    return lines + [f"  leave {count}: {why}" for why, count in left.items()]
