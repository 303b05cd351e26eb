"""The command line: parse, call one workflow, print. Each command loads only when it is asked for.

Exit codes: 0 done; 1 an error, said in one message; 2 a command that was typed wrongly.
"""

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import cyclopts

from crosspatch import __version__

_COMMANDS = {
    "demo": ("crosspatch.cli.demo:demo", "The whole journey on generated data, ending in a page."),
    "consensus": ("crosspatch.cli.consensus:consensus", "Volunteers' outlines -> consensus masks."),
    "prepare": ("crosspatch.cli.data:prepare", "Data sets -> crops to train on."),
    "train": ("crosspatch.cli.training:train", "Crops -> a model."),
    "evaluate": ("crosspatch.cli.scoring:evaluate", "Score a model on whole subjects."),
    "predict": ("crosspatch.cli.scoring:predict", "Images -> masks."),
    "study": ("crosspatch.cli.studies:study", "How many labels does a good start save?"),
    "export": ("crosspatch.cli.export:export", "A model -> one file for other programs."),
    "review": ("crosspatch.cli.reviewing:review", "Look at masks in the browser, correct them."),
    "rank": ("crosspatch.cli.ranking:rank", "Which source model to start from, before training."),
    "report": ("crosspatch.cli.reports:report", "A study -> a page that answers it."),
    "queue": ("crosspatch.cli.feedback:queue", "Which subjects need people, and which do not."),
    "info": ("crosspatch.cli.data:info", "Say what a folder or file is."),
}


def build_app() -> cyclopts.App:
    """Assemble the commands, without importing any of them."""
    app = cyclopts.App(
        name="crosspatch",
        help="From volunteers' outlines to a working segmentation model, with fewer outlines.",
        version=__version__,
        default_parameter=cyclopts.Parameter(negative=()),
        exit_on_error=False,
        print_error=True,
        suppress_keyboard_interrupt=False,  # else it ends in silence, with a code of its own
        help_format="plaintext",
    )
    for name, (target, text) in _COMMANDS.items():
        app.command(target, name=name, help=text)
    imports = cyclopts.App(name="import", help="Other people's formats -> data sets.")
    imports.command(
        "crosspatch.cli.data:import_coco_stuff",
        name="coco-stuff",
        help="COCO-Stuff pixel maps and photos -> a data set of one label.",
    )
    app.command(imports)
    zooniverse = cyclopts.App(name="zooniverse", help="To and from a project on Zooniverse.")
    zooniverse.command(
        "crosspatch.cli.zooniverse:pull", name="pull", help="A project's exports -> a folder."
    )
    zooniverse.command(
        "crosspatch.cli.zooniverse:push", name="push", help="What needs people -> a project."
    )
    app.command(zooniverse)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``crosspatch``; by default those of the process.
    """
    app = build_app()
    try:
        with _sigterm_as_ctrl_c():
            result = app(sys.argv[1:] if arguments is None else list(arguments))
    except cyclopts.CycloptsError:
        return 2  # cyclopts has said what was wrong
    except SystemExit as stop:
        return int(stop.code or 0) if not isinstance(stop.code, str) else 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 1
    except Exception as error:
        return _explain(error)
    return result if isinstance(result, int) else 0


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Let the signal that ``kill`` and schedulers send interrupt as Ctrl-C does.

    By itself it ends Python on the spot, and half-made folders are left behind. A handler that
    somebody has set, or that a training sets, is left to do what it does.
    """
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if ours:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _explain(error: Exception) -> int:
    """Say an error of ours in one message; anything else is a bug and keeps its traceback."""
    from crosspatch.errors import CrosspatchError

    if isinstance(error, CrosspatchError):
        sys.stderr.write(f"crosspatch: {error}\n")
        return 1
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"crosspatch: {where}{error.strerror or error}\n")
        return 1
    if isinstance(error, MemoryError):
        sys.stderr.write("crosspatch: out of memory: use a smaller batch, window or image\n")
        return 1
    raise error
