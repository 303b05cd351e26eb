"""``crosspatch zooniverse pull``: a project's exports into a folder that ``consensus`` takes."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from crosspatch.errors import SettingsError
from crosspatch.feedback.zooniverse.accounts import find_account
from crosspatch.feedback.zooniverse.connection import (
    Connection,
    NotThereError,
    Patience,
    ZooniverseError,
)
from crosspatch.feedback.zooniverse.exports import Export, Pull
from crosspatch.files import PathLike, locked, new_folder, refuse_existing, write_toml
from crosspatch.progress import Progress, silent


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
