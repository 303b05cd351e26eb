"""``crosspatch export``."""

from pathlib import Path
from typing import Literal

from crosspatch.cli.console import Output, say

_DEFAULT = Output()


def export(
    model: Path,
    *,
    out: Path,
    format: Literal["onnx"] = "onnx",
    overwrite: bool = False,
    output: Output = _DEFAULT,
) -> None:
    """Write a model as one file that other programs run.

    Parameters
    ----------
    model
        Model folder, such as RUN/model.
    out
        File to write, such as model.onnx.
    format
        onnx: pixels in, probability out; any height and width.
    overwrite
        Replace the file if it exists.
    """
    from crosspatch.workflows.export import export as workflow

    made = workflow(model, out=out, format=format, overwrite=overwrite)
    line = (
        f"{made.path}: run beside the model on random images, it differs by at most "
        f"{made.difference:.1g} in probability"
    )
    say(output, {"file": str(made.path), "difference": made.difference}, [line])
