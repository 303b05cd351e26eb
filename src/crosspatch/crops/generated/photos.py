"""Photos: people as jointed figures before busy rooms and streets, drawn by distances to bones.

Nothing here is shared with the other generated domains but numpy and scipy: forms are capsules
around the bones of posed skeletons, and boxes, discs and polygons as clutter, each painted with a
pattern. Clutter wears the same patterns and colours as clothes do.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from crosspatch.crops.generated.canvas import Canvas
from crosspatch.crops.generated.people import Person

CHANNELS = ("red", "green", "blue")

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Style:
    """What the subjects of one scene share: place, colours, light, camera."""

    indoors: bool
    palette: Floats  # (6, 3) colours in [0, 1] of clothes and clutter alike
    wall: Floats
    floor: Floats
    horizon: float  # where the floor ends, as a share of the height
    clutter: float
    warmth: float
    light: float  # from which side, -1 left to 1 right
    contrast: float
    depth: float  # how blurred the background is, picture heights
    blur: float
    noise: float


def style(rng: np.random.Generator) -> Style:
    """Draw the style of one scene."""
    indoors = bool(rng.random() < 0.5)
    palette = np.clip(rng.uniform(0.05, 0.95, (6, 1)) + rng.normal(0, 0.16, (6, 3)), 0.02, 0.98)
    sky = np.array([0.62, 0.75, 0.90])
    return Style(
        indoors=indoors,
        palette=palette,
        wall=rng.uniform(0.4, 0.85, 3) * 0.5 + 0.5 * rng.uniform(0.4, 0.9) if indoors else sky,
        floor=rng.uniform(0.25, 0.6) + rng.normal(0, 0.06, 3),
        horizon=rng.uniform(0.55, 0.8),
        clutter=rng.uniform(0.6, 1.4),
        warmth=rng.normal(0, 0.06),
        light=rng.uniform(-1, 1),
        contrast=rng.uniform(0.75, 1.1),
        depth=rng.uniform(0.004, 0.012),
        blur=rng.uniform(0.3, 0.6),
        noise=rng.uniform(2, 5),
    )


def subject(
    scene: Style, height: int, width: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw one subject of a scene.

    Returns
    -------
    pixels : (3, H, W) uint8
        Red, green, blue.
    mask : (H, W) uint8
        1 on a person, else 0; what stands in front of a person is not the person.
    """
    canvas = Canvas(scene.palette, height, width, rng)
    _backdrop(scene, canvas)
    _clutter(scene, canvas, round(rng.uniform(3, 8) * scene.clutter), behind=True)
    far = scene.depth * height  # the lens is focused on people
    canvas.picture = ndimage.gaussian_filter(canvas.picture, (far, far, 0))
    for size in sorted(rng.uniform(0.45, 1.05, rng.choice([0, 1, 1, 1, 2, 2, 3]))):
        foot = min(max(scene.horizon + 0.1, 0.72) + 0.3 * size, 1.3)  # the nearer, the lower
        Person(canvas, size, foot).draw()
    _clutter(scene, canvas, round(rng.uniform(0, 3) * scene.clutter), behind=False)
    return _camera(scene, canvas), canvas.mask


def _backdrop(scene: Style, canvas: Canvas) -> None:
    """Wall or sky above, planks or ground below, before them pictures on a wall or houses."""
    rng = canvas.rng
    wall = scene.wall * (1.05 - 0.25 * canvas.rows[..., None])
    if scene.indoors and rng.random() < 0.5:
        wall = 0.75 * wall + 0.25 * canvas.pattern()
    elif not scene.indoors:
        puffs = 0.5 * canvas.lattice(0.2) + 0.3 * canvas.lattice(0.08)
        wall = wall + 0.6 * np.clip(puffs - 0.45, 0, 1)[..., None]
    near = np.clip((canvas.rows - scene.horizon) / (1 - scene.horizon), 0.02, 1)
    planks = np.sin((canvas.cols - canvas.wide / 2) / (near + 0.25) * rng.uniform(20, 60)) > 0.8
    rough = canvas.lattice(0.012) * 0.5 + canvas.lattice(0.05) * 0.5
    floor = scene.floor * (0.7 + 0.6 * rough - 0.25 * (planks & scene.indoors))[..., None]
    canvas.picture[:] = np.where((canvas.rows < scene.horizon)[..., None], wall, floor)
    panes = (np.sin(canvas.rows * 75) > 0.2) & (np.sin(canvas.cols * 75) > 0.2)
    for _ in range(int(rng.integers(2, 5))):
        tall, wide = rng.uniform(0.25, 0.9), rng.uniform(0.15, 0.5)
        col = rng.uniform(0, canvas.wide)
        front = canvas.pattern() if rng.random() < 0.5 else canvas.colour() * np.ones((1, 1, 3))
        if scene.indoors:
            box = canvas.box(rng.uniform(0.1, scene.horizon), col, tall * 0.45, wide * 0.45)
        else:
            box = canvas.box(scene.horizon - tall / 2, col, tall, wide)
            front = np.where(panes[..., None], front * 0.45, front)
        canvas.paint(np.maximum(box, canvas.rows - scene.horizon), front)


def _clutter(scene: Style, canvas: Canvas, count: int, *, behind: bool) -> None:
    """Furniture, balls, plants, lamps and bottles, standing on the floor."""
    rng = canvas.rng
    for _ in range(count):
        size = rng.uniform(0.08, 0.3)
        foot = rng.uniform(scene.horizon, 1.0) if behind else rng.uniform(0.95, 1.1)
        col = rng.uniform(0, canvas.wide)
        thing = rng.integers(5)
        if thing == 0:
            _plant(canvas, foot, col, size * 1.6)
            continue
        if thing == 1:
            away = canvas.box(foot - size / 2, col, size, size * rng.uniform(0.5, 2))
        elif thing == 2:
            away = canvas.disc(foot - size / 2, col, size / 2)
        elif thing == 3:
            away = canvas.polygon(foot - size / 2, col, size * 0.7)
        else:  # a lamp or a bottle: a bone as people have them, alone
            top = np.array([foot - size * rng.uniform(1, 3), col])
            away = canvas.capsule(np.array([foot, col]), top, size * 0.18, size * 0.1)
            away = np.minimum(away, canvas.disc(top[0], col, size * rng.uniform(0, 0.35)))
        canvas.paint(away, canvas.pattern())


def _plant(canvas: Canvas, foot: float, col: float, size: float) -> None:
    """Paint a stem under a ragged ball of leaves."""
    rng = canvas.rng
    root, top = np.array([foot, col]), np.array([foot - size, col])
    bark = np.array([0.35, 0.25, 0.16])
    canvas.paint(canvas.capsule(root, top, size * 0.08, size * 0.05), bark)
    crown = canvas.disc(top[0], col, size * rng.uniform(0.3, 0.55))
    crown = crown + 0.09 * (canvas.lattice(0.02) + canvas.lattice(0.05) - 1)
    green = np.array([0.22, 0.40, 0.14]) * rng.uniform(0.6, 1.4)
    canvas.paint(crown, green * (0.5 + canvas.lattice(0.012))[..., None])


def _camera(scene: Style, canvas: Canvas) -> NDArray[np.uint8]:
    """Light from one side, shade, colour cast, contrast, defocus, noise; (3, H, W)."""
    side = (canvas.cols / canvas.wide - 0.5) * scene.light
    shade = 0.85 + 0.3 * canvas.lattice(0.45)
    seen = canvas.picture * ((1 + 0.5 * side) * shade)[..., None]
    seen = seen * np.array([1 + scene.warmth, 1.0, 1 - scene.warmth])
    seen = 0.5 + (np.clip(seen, 0, 1) - 0.5) * scene.contrast
    seen = ndimage.gaussian_filter(seen, (scene.blur, scene.blur, 0))
    seen = seen * 255 + canvas.rng.normal(0, scene.noise, seen.shape)
    shown: NDArray[np.uint8] = np.clip(np.rint(seen), 0, 255).astype(np.uint8)
    return shown.transpose(2, 0, 1)
