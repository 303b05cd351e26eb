"""``crosspatch review``: a folder in, a page to look at its masks and correct them."""

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from crosspatch.errors import MissingExtraError
from crosspatch.files import PathLike, locked, refuse_existing, refuse_inputs_inside
from crosspatch.progress import Progress, silent
from crosspatch.reviewing.desk import Desk
from crosspatch.reviewing.harvest import Harvest, make_dataset
from crosspatch.reviewing.material import open_material
from crosspatch.reviewing.store import FOLDER, Store

if TYPE_CHECKING:
    import uvicorn


def review(
    folder: PathLike,
    *,
    port: int = 8765,
    who: str | None = None,
    image_folder: PathLike | None = None,
    queue: PathLike | None = None,
    foreground: str | None = None,
    ready: Callable[[str, Desk], None],
    started: Callable[["uvicorn.Server"], None] = lambda server: None,
) -> None:
    """Serve the page until the process is interrupted.

    Parameters
    ----------
    folder : a predictions folder or a data set; decisions go into its ``reviews/``
    port : of this machine; 0 takes any that is free
    who : the name that decisions are signed with; by itself the name of the account
    image_folder, queue, foreground : see ``open_material``
    ready : called with the link to open, and the desk, once the page can be opened
    started : given the server, whose ``should_exit`` ends it

    Raises
    ------
    CrosspatchError
        The folder cannot be reviewed or written to, another process reviews it, or the port is in
        use.
    MissingExtraError
        The extra ``review`` is not installed.
    """
    try:
        from crosspatch.reviewing.server import serve
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"the review page ({error.name} is missing)", "review") from None
    material = open_material(folder, image_folder=image_folder, queue=queue, foreground=foreground)
    with locked(material.contained(material.path / FOLDER), "reviewing"):
        store = Store(material.path / FOLDER, who=who or _account(), model=material.model)
        desk = Desk(material, store)
        serve(desk, port=port, ready=lambda link: ready(link, desk), started=started)


def reviewed(
    folder: PathLike,
    *,
    out: PathLike,
    image_folder: PathLike | None = None,
    foreground: str | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Harvest:
    """Make a data set of what was accepted in a review.

    Parameters
    ----------
    folder : that was reviewed
    out : the data set folder to make
    image_folder, foreground : as for ``review``
    overwrite : replace a data set that stands at ``out``
    progress : told how many subjects were written

    Raises
    ------
    InputError
        Nothing was accepted, or the folder cannot be read; nothing is written.
    """
    refuse_existing(out, kind="dataset", overwrite=overwrite)
    refuse_inputs_inside(out, folder)
    material = open_material(folder, image_folder=image_folder, foreground=foreground)
    desk = Desk(material, Store(Path(folder) / FOLDER, who=_account(), model=material.model))
    return make_dataset(desk, out, overwrite=overwrite, progress=progress)


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
