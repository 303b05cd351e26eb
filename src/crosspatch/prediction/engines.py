"""Engines: what runs a model on windows. Each is `crosspatch.prediction.reader.Engine`.

``torch`` runs on every device and in bfloat16; ``onnx`` runs the exported graph by ONNX Runtime,
on the CPU, in float32.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from crosspatch.errors import CrosspatchError, MissingExtraError, SettingsError
from crosspatch.models.onnx_graph import INPUT, onnx_bytes
from crosspatch.models.runtime import (
    Precision,
    choose_device,
    choose_precision,
    hold_convolutions_in_bf16,
)
from crosspatch.models.storage import Model, Network
from crosspatch.prediction.reader import Engine
from crosspatch.prediction.scene import window_predictor
from crosspatch.prediction.uncertainty import with_uncertainty

EngineName = Literal["torch", "onnx"]

TOLERANCE = 1e-4
"""Largest difference in probability that an exported graph may show beside torch."""

_CHECKED = ((1, 0, 0), (2, 3, -5), (3, -17, 40))  # windows, and rows and columns more than a crop
"""Shapes on which a graph is compared: on the network's grid, off it, in batches."""


@dataclass(frozen=True)
class LoadedEngine:
    """A model ready to work.

    predict : windows (B, C, h, w) of any dtype -> probability (B, h, w) float32; name : torch or
    onnx; device, precision : what it works on and in; multiple : the network's grid
    """

    predict: Engine
    name: EngineName
    device: str
    precision: str
    multiple: int


@dataclass(frozen=True)
class EngineWish:
    """Which engine is asked for: a note that another process can load it from.

    model : path of the folder; fingerprint : of the model that is meant; name : torch or onnx;
    device, precision : see `load_engine`; uncertainty : whether it also says how unsure it is, see
    `with_uncertainty`
    """

    model: Path
    fingerprint: str
    name: EngineName = "torch"
    device: str | None = None
    precision: Precision = "auto"
    uncertainty: bool = False

    def load(self) -> LoadedEngine:
        """Load it; errors as `load_engine`.

        Raises
        ------
        CrosspatchError
            Another model lies there than the one that is meant.
        """
        model = Model.open(self.model)
        if model.fingerprint != self.fingerprint:
            raise CrosspatchError(
                f"{self.model}: is another model than the one that was asked for: was it replaced "
                "meanwhile, or does this machine have another copy? Start again with the right one"
            )
        loaded = load_engine(model, self.name, device=self.device, precision=self.precision)
        if not self.uncertainty:
            return loaded
        return replace(loaded, predict=with_uncertainty(loaded.predict))


def load_engine(
    model: Model,
    name: EngineName = "torch",
    *,
    device: str | None = None,
    precision: Precision = "auto",
) -> LoadedEngine:
    """Make a model ready to work.

    Parameters
    ----------
    model : Model
    name : "torch" or "onnx"
    device : cpu, cuda or mps; by itself the best that the engine runs on
    precision : fp32, bf16, or auto: bf16 where engine and device have it

    Raises
    ------
    SettingsError
        The engine does not run on this device, or in this precision.
    MissingExtraError
        The engine is not installed.
    """
    if name == "onnx":
        if device not in (None, "auto", "cpu"):
            raise SettingsError(f"--engine onnx runs on the CPU, not on {device}")
        if precision == "bf16":
            raise SettingsError("--engine onnx computes in fp32, not in bf16")
        network = model.load_generator()
        predict = onnx_predictor(onnx_bytes(model, network))
        return LoadedEngine(predict, "onnx", "cpu", "fp32", network.multiple)
    where = choose_device(device)
    arithmetic = choose_precision(precision, where)
    network = model.load_generator(where)
    if arithmetic == "bf16":
        hold_convolutions_in_bf16(network)
    predict = window_predictor(model, network, arithmetic)
    return LoadedEngine(predict, "torch", where.type, arithmetic, network.multiple)


def onnx_predictor(graph: bytes) -> Engine:
    """Make of an ONNX file what `crosspatch.prediction.stream.draw` asks.

    It computes with as many threads as torch is allowed.

    Raises
    ------
    MissingExtraError
        ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError("--engine onnx", "onnx") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def predict(windows: NDArray[Any]) -> NDArray[np.float32]:
        pixels = np.ascontiguousarray(windows, dtype=np.float32)
        (said,) = session.run(None, {INPUT: pixels})
        return np.asarray(said, dtype=np.float32)

    return predict


def check_graph(model: Model, network: Network, graph: bytes) -> float:
    """Compare an ONNX graph with torch on random images like those of the training.

    Returns
    -------
    float
        The largest difference in probability.

    Raises
    ------
    CrosspatchError
        It is more than `TOLERANCE`, or the shapes differ.
    """
    facts = model.facts
    ours, theirs = window_predictor(model, network), onnx_predictor(graph)
    random = np.random.default_rng(0)
    mean, std = (np.array(values)[:, None, None] for values in (facts.mean, facts.std))
    largest = 0.0
    for count, more_rows, more_columns in _CHECKED:
        size = tuple(max(1, facts.crop_size + more) for more in (more_rows, more_columns))
        drawn = random.normal(mean, std + 1e-3, (count, len(facts.mean), *size))
        pixels = drawn.astype(np.float32)
        expected, said = ours(pixels), theirs(pixels)
        if said.shape != expected.shape:
            raise CrosspatchError(f"{model.path}: the graph gives {said.shape} for {pixels.shape}")
        largest = float(np.maximum(largest, np.abs(said - expected).max()))  # NaN stays NaN
    if not largest <= TOLERANCE:
        raise CrosspatchError(
            f"{model.path}: the exported graph differs from the model by {largest:g} in "
            f"probability (at most {TOLERANCE:g} is let through); please report this"
        )
    return largest
