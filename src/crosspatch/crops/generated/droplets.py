"""Droplets: round smooth bodies in grainy electron microscopy, packed one by one into cells.

Nothing here is shared with the other generated domains but numpy and scipy: forms are circles and
ellipses placed by dart throwing into the cells of a warped Voronoi diagram. A droplet is as grey
as a mitochondrion and as round as a vacuole or a lysosome; only its smooth inside tells.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, spatial

CHANNELS = ("red", "green", "blue")

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Style:
    """What the subjects of one scene share: tissue, staining, microscope."""

    cell: float  # mean side of a cell, pixels
    ground: float  # grey of the cytoplasm, [0, 1], as all greys below
    droplet: float
    stain: float  # how dark membranes are
    radius: float  # of a typical droplet, pixels
    clusters: float  # clusters of droplets in 100 x 100 pixels
    others: float  # mitochondria, vacuoles and lysosomes in 100 x 100 pixels
    vesicles: float  # vesicles in 100 x 100 pixels
    shading: float
    grain: float
    blur: float


@dataclass(frozen=True)
class Body:
    """One organelle: an ellipse in pixels (row, col), before the tissue is warped."""

    kind: str
    row: float
    col: float
    long: float
    short: float
    angle: float


def style(rng: np.random.Generator) -> Style:
    """Draw the style of one scene."""
    ground = rng.uniform(0.50, 0.62)
    return Style(
        cell=rng.uniform(90, 170),
        ground=ground,
        droplet=ground - rng.uniform(0.08, 0.20),
        stain=rng.uniform(0.25, 0.4),
        radius=rng.uniform(9, 17),
        clusters=rng.uniform(0.5, 1.3),
        others=rng.uniform(1.2, 2.6),
        vesicles=rng.uniform(4, 22),
        shading=rng.uniform(0.02, 0.06),
        grain=rng.uniform(0.035, 0.085),
        blur=rng.uniform(0.6, 1.1),
    )


def subject(
    scene: Style, height: int, width: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw one subject of a scene.

    Returns
    -------
    pixels : (3, H, W) uint8
        The same grey in each channel.
    mask : (H, W) uint8
        1 inside a droplet, else 0.
    """
    shape = (height, width)
    warp = _warp(shape, rng)
    tissue = _tissue(scene, shape, warp, rng)
    mask = np.zeros(shape, dtype=np.uint8)
    bodies = _bodies(scene, shape, rng)
    for row, col in rng.uniform(0, shape, (rng.poisson(scene.vesicles * _area(shape)), 2)):
        size = rng.uniform(2.0, 4.5)
        bodies.insert(0, Body("vesicle", row, col, size, size, 0.0))
    for body in bodies:
        _draw(scene, body, tissue, mask, warp, rng)
    grey = _microscope(scene, tissue, rng)
    return np.repeat(grey[None], 3, axis=0), mask


def _area(shape: tuple[int, int]) -> float:
    return shape[0] * shape[1] / 1e4


def _lumps(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> Floats:
    """Draw smooth noise, mean 0 and deviation 1, with lumps of about ``sigma`` pixels."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), sigma, mode="wrap")
    return np.asarray(noise / max(float(noise.std()), 1e-9))


def _warp(shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Where each pixel looks, (2, H, W) row and column: the tissue is not drawn with compasses."""
    bend = np.stack([_lumps(rng, shape, 22) * 3.0 + _lumps(rng, shape, 7) * 0.7 for _ in range(2)])
    return np.asarray(np.indices(shape) + bend)


def _tissue(scene: Style, shape: tuple[int, int], warp: Floats, rng: np.random.Generator) -> Floats:
    """Cells with granular cytoplasm, double membranes between them, here and there a nucleus."""
    margin = scene.cell
    count = max(2, round((shape[0] + 2 * margin) * (shape[1] + 2 * margin) / scene.cell**2))
    seeds = rng.uniform(-margin, np.array(shape) + margin, (count, 2))
    near, which = spatial.KDTree(seeds).query(np.moveaxis(warp, 0, -1), k=2)
    gap = near[..., 1] - near[..., 0]  # 0 on the border between two cells
    shade = rng.normal(0, 0.045, count)[which[..., 0]]
    granules = _lumps(rng, shape, 1.3) * 0.045 + _lumps(rng, shape, 5) * 0.03
    tissue = scene.ground + shade + granules
    for seed in seeds[rng.random(count) < 0.3]:
        span = scene.cell * rng.uniform(0.2, 0.3)
        away = np.hypot(warp[0] - seed[0], (warp[1] - seed[1]) * rng.uniform(0.75, 1.2)) - span
        chromatin = scene.ground - 0.02 + 0.09 * np.tanh(2 * _lumps(rng, shape, 4))
        tissue = np.where(away < 0, chromatin, tissue)
        tissue = tissue - scene.stain * np.exp(-((away / 1.6) ** 2))
    line = np.exp(-((gap - 3.4) ** 2) / 2.6)  # a membrane on either side of a thin cleft
    cleft = np.exp(-(gap**2) / 4)
    return np.asarray(tissue - scene.stain * line + 0.12 * cleft)


def _bodies(scene: Style, shape: tuple[int, int], rng: np.random.Generator) -> list[Body]:
    """Throw organelles into the image one by one; what would lie on another is thrown away."""
    placed: list[Body] = []

    def throw(body: Body, gap: float) -> None:
        if all(
            np.hypot(body.row - other.row, body.col - other.col) > (body.long + other.long + gap)
            for other in placed
        ):
            placed.append(body)

    for centre in rng.uniform(0, shape, (rng.poisson(scene.clusters * _area(shape)), 2)):
        for _ in range(int(rng.geometric(0.22))):
            radius = scene.radius * rng.lognormal(0, 0.3)
            row, col = centre + rng.normal(0, 2.2 * scene.radius, 2)
            throw(Body("droplet", row, col, radius, radius * rng.uniform(0.86, 1), 0.0), -1.0)
    for row, col in rng.uniform(0, shape, (rng.poisson(2 * scene.others * _area(shape)), 2)):
        kind = str(rng.choice(["mitochondrion", "vacuole", "lysosome"], p=[0.5, 0.25, 0.25]))
        long = scene.radius * rng.uniform(0.7, 1.5) * (1.5 if kind == "mitochondrion" else 1.0)
        short = long * (rng.uniform(0.4, 0.9) if kind == "mitochondrion" else rng.uniform(0.8, 1))
        throw(Body(kind, row, col, long, short, rng.uniform(0, np.pi)), 2.0)
    return placed


def _draw(
    scene: Style,
    body: Body,
    tissue: Floats,
    mask: NDArray[np.uint8],
    warp: Floats,
    rng: np.random.Generator,
) -> None:
    """Paint one organelle into the tissue, and into the mask if it is a droplet."""
    reach = int(body.long + 26)
    top, left = max(int(body.row) - reach, 0), max(int(body.col) - reach, 0)
    window = (slice(top, int(body.row) + reach), slice(left, int(body.col) + reach))
    rows, cols = warp[0][window] - body.row, warp[1][window] - body.col
    if not rows.size:
        return
    along = np.cos(body.angle) * cols + np.sin(body.angle) * rows
    across = np.cos(body.angle) * rows - np.sin(body.angle) * cols
    away = (np.hypot(along / body.long, across / body.short) - 1) * body.short  # about pixels
    inside = np.clip(0.5 - away, 0, 1)
    tissue[window] += (_inside(scene, body, along, across, rng) - tissue[window]) * inside
    rim = {"droplet": 0.45, "vacuole": 0.75, "vesicle": 0.6}.get(body.kind, 1.0)
    tissue[window] -= scene.stain * rim * np.exp(-(((away + 0.4) / 1.3) ** 2))
    if body.kind == "mitochondrion":  # the inner of its two membranes
        tissue[window] -= 0.5 * scene.stain * np.exp(-(((away + 3.6) / 1.0) ** 2))
    mask[window] = np.where(away < 0, body.kind == "droplet", mask[window])


def _inside(
    scene: Style, body: Body, along: Floats, across: Floats, rng: np.random.Generator
) -> Floats:
    """Grey of an organelle's inside over its window."""
    shape = along.shape
    if body.kind == "droplet":  # smooth, a little lighter towards one side
        return scene.droplet + rng.normal(0, 0.03) + 0.03 * across / body.short
    if body.kind == "mitochondrion":
        ridges = np.sin(along * rng.uniform(0.9, 1.3) + 0.8 * _lumps(rng, shape, 5))
        return scene.droplet + rng.normal(0, 0.04) - 0.10 * np.clip(ridges, 0, 1) + 0.03
    if body.kind == "vacuole":
        dots = _lumps(rng, shape, 1.8) > 1.1
        return scene.ground + rng.uniform(-0.1, 0.16) - 0.15 * dots
    if body.kind == "lysosome":
        return scene.droplet + rng.uniform(-0.1, 0.06) + 0.08 * np.tanh(_lumps(rng, shape, 1.5))
    return np.full(shape, scene.ground + 0.1)


def _microscope(scene: Style, tissue: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Uneven brightness, scan lines, defocus, then grain finer and coarser than a pixel."""
    shape = (tissue.shape[0], tissue.shape[1])
    seen = ndimage.gaussian_filter(tissue, scene.blur)
    seen = seen + scene.shading * _lumps(rng, shape, max(shape) / 4)
    seen = seen + rng.normal(0, 0.006, (shape[0], 1))
    seen = seen + scene.grain * (0.8 * rng.standard_normal(shape) + 0.6 * _lumps(rng, shape, 0.7))
    grey: NDArray[np.uint8] = np.clip(np.rint(seen * 255), 0, 255).astype(np.uint8)
    return grey
