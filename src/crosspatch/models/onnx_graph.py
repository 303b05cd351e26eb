"""The generator as an ONNX graph: pixels in their own units in, probability out (extra ``onnx``).

The graph is laid node by node from the weights: the network has few kinds of layer, and torch's
exporter takes minutes to prove that any height and width will do. So the architecture stands in a
second place, and whoever writes a graph checks it against torch (`crosspatch.prediction.engines`).
"""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosspatch import __version__
from crosspatch.errors import CrosspatchError, MissingExtraError, SettingsError
from crosspatch.models.facts import ModelFacts
from crosspatch.models.generator import SLOPE, Generator
from crosspatch.models.storage import Model, Network

INPUT, OUTPUT = "pixels", "probability"
METADATA = "crosspatch"
"""Key of the file's metadata under which JSON says what `onnx_facts` lists."""

_OPSET = 17
_IR_VERSION = 8  # what readers since 2022 know
_MOST_BYTES = 2**31 - 2**20  # protobuf's limit, less some room for what is no weight


def onnx_facts(model: Model) -> dict[str, Any]:
    """Say what a program must know that runs the graph without crosspatch.

    Returns
    -------
    dict
        ``format`` 1; ``channels``, ``dtype``, ``resize``, ``crop_size``, ``foreground``,
        ``threshold`` as in model.toml; ``fingerprint`` of the model folder.
    """
    table = model.facts.as_table()
    kept = ("channels", "dtype", "resize", "crop_size", "foreground", "threshold")
    return {"format": 1} | {key: table[key] for key in kept} | {"fingerprint": model.fingerprint}


def onnx_bytes(model: Model, network: Network) -> bytes:
    """Encode a model as an ONNX file.

    Input ``pixels``: (batch, C, height, width) float32 in the units of the training images, any
    batch, height and width. Output ``probability``: (batch, height, width) float32 in [0, 1].
    Normalisation, padding and sigmoid are inside; the resize rule is not.

    Parameters
    ----------
    model : Model
        Whose statistics go into the graph and whose facts into its metadata.
    network : Generator or PretrainedUNet
        `Model.load_generator`.

    Raises
    ------
    MissingExtraError
        The library ``onnx`` is not installed.
    SettingsError
        It has an ImageNet encoder.
    CrosspatchError
        The weights are more than an ONNX file holds.
    """
    try:
        import onnx
    except ImportError:
        raise MissingExtraError("writing ONNX", "onnx") from None
    if not isinstance(network, Generator):
        raise SettingsError(
            f"{model.path}: a model with an ImageNet encoder is not exported to ONNX"
        )
    weights = {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
    size = sum(array.nbytes for array in weights.values())
    if size > _MOST_BYTES:
        raise CrosspatchError(
            f"{model.path}: {size / 2**30:.1f} GiB of weights are more than an ONNX file holds (2)"
        )
    graph = _Graph()
    _lay(graph, network, weights, model.facts)
    shape: list[str | int] = ["batch", len(model.facts.channel_names), "height", "width"]
    value = onnx.helper.make_tensor_value_info
    made = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "crosspatch",
            [value(INPUT, onnx.TensorProto.FLOAT, shape)],
            [value(OUTPUT, onnx.TensorProto.FLOAT, ["batch", "height", "width"])],
            graph.constants,
        ),
        producer_name="crosspatch",
        producer_version=__version__,
        opset_imports=[onnx.helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    onnx.helper.set_model_props(made, {METADATA: json.dumps(onnx_facts(model))})
    onnx.checker.check_model(made, full_check=True)
    encoded: bytes = made.SerializeToString()
    return encoded


class _Graph:
    """Nodes and constants, each with a name that nothing else has."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, array: NDArray[Any]) -> str:
        """Add an array and return its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add an operator and return the name of what it gives."""
        from onnx import helper

        name = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name


def _lay(
    graph: _Graph, network: Generator, weights: dict[str, NDArray[Any]], facts: ModelFacts
) -> None:
    """Lay what `Generator.forward` does, between normalisation and sigmoid."""
    size = graph.node("Shape", INPUT, start=2)  # (height, width)
    x = _normalised(graph, facts)
    x = _padded(graph, x, size, network.multiple)
    skips = []
    for level in range(len(network.encoder)):
        x = _block(graph, x, "Conv", f"encoder.{level}", weights)
        skips.append(x)
    skips.pop()
    for level in range(len(network.decoder)):
        x = _block(graph, x, "ConvTranspose", f"decoder.{level}", weights)
        x = graph.node("Concat", x, skips.pop(), axis=1)
    x = _convolved(graph, x, "ConvTranspose", "head", weights)
    ends = (np.array([0, 0], np.int64), np.array([2, 3], np.int64))
    x = graph.node("Slice", x, graph.constant(ends[0]), size, graph.constant(ends[1]))
    x = graph.node("Squeeze", x, graph.constant(np.array([1], np.int64)))
    graph.node("Sigmoid", x, output=OUTPUT)


def _normalised(graph: _Graph, facts: ModelFacts) -> str:
    """`crosspatch.models.storage.standardise`."""
    mean = np.array(facts.mean, np.float32).reshape(1, -1, 1, 1)
    std = np.array([value if value > 0 else 1.0 for value in facts.std], np.float32)
    x = graph.node("Sub", INPUT, graph.constant(mean))
    return graph.node("Div", x, graph.constant(std.reshape(1, -1, 1, 1)))


def _padded(graph: _Graph, x: str, size: str, multiple: int) -> str:
    """`crosspatch.models.generator.pad_to_multiple`."""
    less = graph.node("Neg", size)
    beyond = graph.node("Mod", less, graph.constant(np.array(multiple, np.int64)))
    none = graph.constant(np.zeros(6, np.int64))
    pads = graph.node("Concat", none, beyond, axis=0)  # begins of 4 axes, then ends
    return graph.node("Pad", x, pads, mode="edge")


def _block(graph: _Graph, x: str, kind: str, name: str, weights: dict[str, NDArray[Any]]) -> str:
    """Convolution, leaky ReLU, batch norm with its running statistics."""
    x = graph.node("LeakyRelu", _convolved(graph, x, kind, f"{name}.conv", weights), alpha=SLOPE)
    norm = [
        graph.constant(weights[f"{name}.norm.{part}"])
        for part in ("weight", "bias", "running_mean", "running_var")
    ]
    return graph.node("BatchNormalization", x, *norm, epsilon=1e-5)


def _convolved(
    graph: _Graph, x: str, kind: str, name: str, weights: dict[str, NDArray[Any]]
) -> str:
    """4 x 4, stride 2, halving (Conv) or doubling (ConvTranspose) height and width."""
    weight, bias = (graph.constant(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
    return graph.node(kind, x, weight, bias, kernel_shape=[4, 4], strides=[2, 2], pads=[1] * 4)
