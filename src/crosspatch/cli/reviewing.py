"""``crosspatch review``."""

import sys
from pathlib import Path

from crosspatch.cli.console import Output, progress_bars, say, table
from crosspatch.errors import SettingsError

_DEFAULT = Output()


def review(
    folder: Path,
    *,
    port: int = 8765,
    who: str | None = None,
    images: Path | None = None,
    queue: Path | None = None,
    foreground: str | None = None,
    out: Path | None = None,
    overwrite: bool = False,
    output: Output = _DEFAULT,
) -> None:
    """Look at masks in the browser: accept, reject, correct. Ctrl+C ends it; nothing is lost.

    Parameters
    ----------
    folder
        Predictions folder or data set. Decisions and corrected masks go into its folder reviews.
    port
        Of this machine, where the page is served; 0 takes any that is free.
    who
        Name that decisions are signed with; by default that of your account.
    images
        Where the images of a predictions folder lie now, if they were moved.
    queue
        Table of the order; by itself queue.csv in the folder or beside it.
    foreground
        The class to review, where dataset.toml names several.
    out
        Open no page; make a data set of the accepted masks here, for prepare.
    overwrite
        Replace the data set at --out if it exists.
    """
    if out is not None:
        _make_dataset(folder, images, foreground, out, overwrite, output)
        return
    if overwrite:
        raise SettingsError("--overwrite goes with --out")
    from crosspatch.reviewing.desk import Desk
    from crosspatch.workflows.review import review as workflow

    def ready(link: str, desk: Desk) -> None:
        lines = [*desk.material.said, *desk.store.said]
        if desk.material.image_folders:
            places = ", ".join(map(str, desk.material.image_folders))
            lines.append(f"images are read from {places}")
        lines += [f"{len(desk.material.items)} images; you review as {desk.store.who} (--who NAME "
                  "signs with another name); Ctrl+C ends", f"open {link}"]  # fmt: skip
        say(output, {"link": link, "subjects": len(desk.material.items)}, lines)
        sys.stdout.flush()

    try:
        workflow(
            folder,
            port=port,
            who=who,
            image_folder=images,
            queue=queue,
            foreground=foreground,
            ready=ready,
        )
    except KeyboardInterrupt:  # the way to end it
        sys.stderr.write(
            f"ended; everything is kept in {folder / 'reviews'}. A data set of what was accepted: "
            f"crosspatch review {folder} --out DATASET\n"
        )


def _make_dataset(
    folder: Path,
    images: Path | None,
    foreground: str | None,
    out: Path,
    overwrite: bool,
    output: Output,
) -> None:
    from crosspatch.workflows.review import reviewed

    with progress_bars(output) as progress:
        made = reviewed(
            folder,
            out=out,
            image_folder=images,
            foreground=foreground,
            overwrite=overwrite,
            progress=progress,
        )
    lines = [*made.said]
    if made.skipped:
        lines += [
            f"{len(made.skipped)} accepted subjects could not be taken:",
            table("", ("subject", "why"), made.skipped),
        ]
    lines.append(f"{made.path}: {made.count} subjects")
    result = {
        "dataset": str(made.path),
        "subjects": made.count,
        "skipped": [{"subject": name, "why": why} for name, why in made.skipped],
        "said": list(made.said),
    }
    say(output, result, lines)
