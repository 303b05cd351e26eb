"""``crosspatch export``: a model folder in, one file for other programs out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crosspatch.errors import CrosspatchError, SettingsError
from crosspatch.files import PathLike, refuse_existing, refuse_inputs_inside, write_bytes
from crosspatch.models.onnx_graph import onnx_bytes
from crosspatch.prediction.engines import check_graph
from crosspatch.training.run import open_model


@dataclass(frozen=True)
class Exported:
    """A file that was exported, accepted wherever a path is.

    difference : the largest in probability between the file and the model, on random images
    """

    path: Path
    difference: float

    def __fspath__(self) -> str:
        return str(self.path)


def export(
    model: PathLike, *, out: PathLike, format: Literal["onnx"] = "onnx", overwrite: bool = False
) -> Exported:
    """Write a model for programs that know nothing of crosspatch.

    The file takes pixels in the units of the training images, (batch, channels, height, width)
    float32 of any batch, height and width, and gives the probability of foreground, (batch, height,
    width) float32. Its metadata say channels, threshold, resize rule and the model's fingerprint.
    Before it is written it is run beside the model.

    Parameters
    ----------
    model : a model folder, a finished run, or their handles
    out : the file to write
    format : "onnx"
    overwrite : replace a file that stands at ``out``

    Raises
    ------
    MissingExtraError
        The extra ``onnx`` is not installed.
    CrosspatchError
        The file would differ from the model, or exists; nothing is written.
    """
    if format != "onnx":
        raise SettingsError(f"--format {format}: choose onnx")
    if Path(out).is_dir():
        raise CrosspatchError(f"{out}: is a folder; name the file to write, such as model.onnx")
    refuse_existing(out, overwrite=overwrite)
    model = open_model(model)
    refuse_inputs_inside(out, *(path for path in model.path.iterdir() if path.is_file()))
    network = model.load_generator()
    graph = onnx_bytes(model, network)
    difference = check_graph(model, network, graph)
    write_bytes(out, graph)
    return Exported(Path(out), difference)
