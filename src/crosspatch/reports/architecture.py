"""Figure 1: both networks, drawn from the network objects themselves, not from what they should be.

An image of no content is sent through them on torch's meta device, which computes shapes only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from torch import nn

from crosspatch.config import NetworkSettings
from crosspatch.models.storage import build_discriminator, build_generator
from crosspatch.reports.figures import COLOURS, INK, STYLE, WIDTH, open_axes, to_svg


@dataclass(frozen=True)
class Layer:
    """What leaves a convolution: channels, side in pixels, and how many features join it."""

    channels: int
    side: int
    joined: int = 0


@dataclass(frozen=True)
class Traced:
    """One network: what goes in, what leaves each block, parameters, and the patch of an output."""

    given: Layer
    layers: tuple[Layer, ...]
    parameters: int
    patch: int


def trace_networks(network: NetworkSettings, channels: int, side: int) -> tuple[Traced, Traced]:
    """Send an image of ``channels`` x ``side`` x ``side`` through generator and discriminator."""
    with torch.device("meta"):
        generator = build_generator(network, channels).eval()
        discriminator = build_discriminator(network, channels).eval()
        image = torch.empty(1, channels, side, side)
        pair = torch.empty(1, channels + 1, side, side)
    return trace(generator, image), trace(discriminator, pair)


@torch.inference_mode()
def trace(network: nn.Module, image: torch.Tensor) -> Traced:
    """Note the shape that leaves each convolution of a network; see `Layer`."""
    seen: list[tuple[nn.Module, torch.Size, torch.Size]] = []

    def note(module: nn.Module, given: Any, made: torch.Tensor) -> None:
        seen.append((module, given[0].shape, made.shape))

    convolutions = [
        module for module in network.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
    ]
    hooks = [module.register_forward_hook(note) for module in convolutions]
    try:
        network(image)
    finally:
        for hook in hooks:
            hook.remove()
    layers = []
    for place, (_, _, made) in enumerate(seen):
        following = seen[place + 1][1][1] if place + 1 < len(seen) else made[1]
        layers.append(Layer(made[1], made[2], max(following - made[1], 0)))
    return Traced(
        given=Layer(image.shape[1], image.shape[2]),
        layers=tuple(layers),
        parameters=sum(tensor.numel() for tensor in network.parameters()),
        patch=_patch([module for module, _, _ in seen]),
    )


def _patch(convolutions: Sequence[nn.Module]) -> int:
    """Side of the patch that one unit of the output sees, walking back; 0 with upsampling."""
    side = 1
    for module in reversed(convolutions):
        if not isinstance(module, nn.Conv2d):
            return 0
        side = (side - 1) * module.stride[0] + module.kernel_size[0]
    return side


def network_figure(generator: Traced, discriminator: Traced) -> str:
    """Draw both networks: heights are sides, widths are features, dashed lines are skips.

    Returns
    -------
    str
        A standalone SVG document.
    """
    with mpl.rc_context(STYLE):
        figure, axes = open_axes(2 * WIDTH, 6.0)
        axes.set_axis_off()
        top = _draw(axes, generator, 0.0, "generator: image → mask")
        _draw(axes, discriminator, -2 * top - 2.3, "discriminator: image and mask → verdicts")
        axes.set_xlim(-0.6, max(len(generator.layers), len(discriminator.layers)) + 0.9)
        axes.set_ylim(-3 * top - 3.3, top + 1.2)
        return to_svg(figure)


def _draw(axes: Axes, network: Traced, base: float, title: str) -> float:
    """Draw one network with its middle at ``base``; return half its height."""
    boxes = [network.given, *network.layers]
    half = math.log2(max(box.side for box in boxes) + 1) / 4
    axes.text(
        -0.4, base + half + 0.75, f"{title} ({network.parameters / 1e6:.2f} million weights)",
        fontweight="bold", color=INK,
    )  # fmt: skip
    for place, box in enumerate(boxes):
        height = math.log2(box.side + 1) / 2
        width = 0.1 + 0.05 * math.log2(box.channels + 1)
        shade = 4 if place == 0 else (0 if place < len(boxes) - 1 else 2)
        axes.add_patch(
            mpl.patches.Rectangle(
                (place - width / 2, base - height / 2), width, height,
                facecolor=COLOURS[shade], edgecolor=INK, linewidth=0.8, alpha=0.85,
            )
        )  # fmt: skip
        joined = f" + {box.joined}" if box.joined else ""
        axes.text(
            place, base - height / 2 - 0.12, f"{box.channels}{joined}\n{box.side} × {box.side}",
            ha="center", va="top", fontsize=8.5, color=INK,
        )  # fmt: skip
        if place:
            axes.annotate(
                "", (place - width / 2, base), (place - 0.72, base),
                arrowprops={"arrowstyle": "->", "color": INK, "linewidth": 1.0},
            )  # fmt: skip
    _skips(axes, boxes, base, half)
    return half


def _skips(axes: Axes, boxes: Sequence[Layer], base: float, half: float) -> None:
    """Join each block whose output meets earlier features of its side with the one they are of."""
    for place, box in enumerate(boxes):
        if not box.joined:
            continue
        origin = max(
            earlier for earlier in range(1, place)
            if boxes[earlier].side == box.side and boxes[earlier].channels == box.joined
        )  # fmt: skip
        height = base + half * (0.55 + 0.55 * (place - origin) / len(boxes))
        axes.plot(
            [origin, origin, place, place],
            [base + math.log2(box.side + 1) / 4, height, height,
             base + math.log2(box.side + 1) / 4],
            linestyle="--", linewidth=0.9, color=INK,
        )  # fmt: skip
