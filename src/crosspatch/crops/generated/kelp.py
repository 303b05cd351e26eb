"""Kelp: canopies on sea and coast in four bands, as level sets of random spectral fields.

Nothing here is shared with the other generated domains but numpy and scipy: every form is a level
set of a random field with a power-law spectrum, mixed in reflectances as a satellite would see
them. Land plants are as bright in the near infrared as kelp, water blooms and sun glint raise it,
and a bed is outlined as a whole, with the water between its fronds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

CHANNELS = ("blue", "green", "red", "nir")
HIDDEN = 255

Floats = NDArray[np.floating]
_OUTER_SCALE = 220.0  # pixels: fields are flat beyond it, so a small image is a part of a large one
_FULL_SCALE = 0.4  # reflectance that becomes 255

# Surface reflectances in blue, green, red, near infrared.
_DEEP = (0.040, 0.034, 0.018, 0.010)
_SHALLOW = (0.055, 0.080, 0.040, 0.014)
_SEDIMENT = (0.060, 0.085, 0.085, 0.040)
_BLOOM = (0.030, 0.062, 0.028, 0.070)
_KELP = (0.026, 0.048, 0.030, 0.270)
_FOREST = (0.026, 0.046, 0.032, 0.260)
_GRASS = (0.062, 0.092, 0.098, 0.250)
_BARE = (0.105, 0.140, 0.185, 0.255)
_SAND = (0.200, 0.245, 0.285, 0.330)
_SURF = (0.260, 0.270, 0.265, 0.240)
_CLOUD = (0.390, 0.385, 0.380, 0.375)


@dataclass(frozen=True)
class Style:
    """What the subjects of one scene share: coast, plants, water, weather, sensor."""

    seaward: float  # direction of the open sea, radians, 0 = right, pi / 2 = down
    sea: float  # mean height of the image below the shore, in units of the relief
    relief: float
    plants: float  # share of green land, [0, 1]
    turbid: float
    vigour: float  # how much canopy reaches the surface, about [0.55, 1]
    bed_depth: float
    bloom: float
    haze: float
    glint: float
    clouds: float
    sun: float  # direction of the light, radians
    noise: float


def style(rng: np.random.Generator) -> Style:
    """Draw the style of one scene."""
    return Style(
        seaward=rng.uniform(0, 2 * np.pi),
        sea=rng.uniform(-0.1, 0.9),
        relief=rng.uniform(0.5, 1.1),
        plants=rng.uniform(0.2, 0.9),
        turbid=rng.uniform(0.0, 1.0),
        vigour=rng.uniform(0.55, 1.0),
        bed_depth=rng.uniform(0.35, 0.6),
        bloom=rng.choice([0.0, rng.uniform(0.5, 1.0)]),
        haze=rng.uniform(0.0, 1.0),
        glint=rng.choice([0.0, rng.uniform(0.3, 1.0)]),
        clouds=rng.choice([0.0, 0.0, rng.uniform(0.4, 1.0)]),
        sun=rng.uniform(0, 2 * np.pi),
        noise=rng.uniform(0.5, 1.6),
    )


def subject(
    scene: Style, height: int, width: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw one subject of a scene.

    Returns
    -------
    pixels : (4, H, W) uint8
        Blue, green, red, near infrared.
    mask : (H, W) uint8
        1 in a bed as a person would outline it, 255 where a cloud hides a bed, else 0.
    """
    shape = (height, width)
    ground = _elevation(scene, shape, rng)
    bed = _bed(scene, ground, rng)
    land = _land(scene, ground, rng)
    water = _water(scene, ground, rng)
    water = _mix(water, _KELP, _canopy(scene, bed, rng))
    shore = 1 / (1 + np.exp(-np.clip(ground / 0.02, -30, 30)))  # a pixel at the shore holds both
    surface = water + (land - water) * shore
    surf = np.exp(-(((ground + 0.02) / 0.025) ** 2)) * (_field(rng, shape, 0.8) > 0.4)
    surface = _mix(surface, _SURF, 0.8 * surf)
    surface, opacity = _weather(scene, surface, shore, rng)
    pixels = _sense(scene, surface, rng)
    mask = bed.astype(np.uint8)
    mask[bed & (opacity > 0.5)] = HIDDEN
    return pixels, mask


def _field(rng: np.random.Generator, shape: tuple[int, int], slope: float) -> Floats:
    """Draw a random field, mean 0 and deviation 1, whose amplitude falls as frequency^-slope."""
    padded = tuple(fft.next_fast_len(side + 24, real=True) for side in shape)
    rows, cols = fft.fftfreq(padded[0])[:, None], fft.rfftfreq(padded[1])[None, :]
    gain = (rows**2 + cols**2 + _OUTER_SCALE**-2) ** (-slope / 2)
    noise = rng.standard_normal(padded, dtype=np.float32)
    field = fft.irfft2(fft.rfft2(noise) * gain, s=padded)[: shape[0], : shape[1]]
    # Scaled by what the spectrum says, not by the image: a calm image stays calm.
    weight = np.full(gain.shape, 2.0)
    weight[:, 0] = 1.0
    return np.asarray(field / np.sqrt((gain**2 * weight).sum() / noise.size))


def _mix(base: Floats, colour: tuple[float, ...], share: Floats) -> Floats:
    """Blend a reflectance into (4, H, W) by a share (H, W) in [0, 1]."""
    return base + (np.array(colour)[:, None, None] - base) * share


def _elevation(scene: Style, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Height above the sea, (H, W): a slope towards the sea plus relief; 0 is the shore."""
    rows, cols = np.indices(shape) / 175.0 - np.array(shape)[:, None, None] / 350.0
    down = np.cos(scene.seaward) * cols + np.sin(scene.seaward) * rows
    wander = rng.normal(scene.sea, 0.45)
    return np.asarray(-0.9 * down - wander + scene.relief * 0.62 * _field(rng, shape, 2.2))


def _bed(scene: Style, ground: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Where kelp grows: on rock, at a certain depth, in drawn-out ragged patches."""
    suits = 1 - ((-ground - scene.bed_depth) / 0.45) ** 2  # 1 at the depth it likes
    rock = _field(rng, ground.shape, 1.6) + 0.5 * _field(rng, ground.shape, 1.0)
    score = 0.9 * suits + rock + rng.normal(-0.1, 0.3)
    score = ndimage.gaussian_filter(score, 2.4)  # an outline is drawn smoother than fronds grow
    grown = (score > 1.15) & (ground < -0.05)
    labels, count = ndimage.label(grown)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    return np.asarray(sizes[labels] >= 60)


def _canopy(scene: Style, bed: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Share of each pixel that fronds cover, (H, W) in [0, 1]: clumps with water between them."""
    inner = np.minimum(ndimage.distance_transform_edt(np.pad(bed, 1))[1:-1, 1:-1] / 4.0, 1.0)
    clumps = 0.38 + 0.48 * _field(rng, bed.shape, 0.75)
    cover = np.clip(clumps, 0.03, 1.0) * (0.35 + 0.65 * inner) * scene.vigour
    drift = np.clip(_field(rng, bed.shape, 0.7) - 2.6, 0, 0.4)  # loose fronds, outlined by nobody
    return np.asarray(np.where(bed, cover, drift))


def _land(scene: Style, ground: Floats, rng: np.random.Generator) -> Floats:
    """Reflectance of dry land, (4, H, W): bare soil, grass and forest on lit and shaded slopes."""
    shape = ground.shape
    moisture = _field(rng, shape, 1.3) + 0.5 * _field(rng, shape, 0.5)
    moisture += 2.4 * (scene.plants - 0.5)
    land = np.broadcast_to(np.array(_BARE)[:, None, None], (4, *shape))
    land = _mix(land, _GRASS, np.clip(0.6 + moisture, 0, 1))
    land = _mix(land, _FOREST, np.clip(moisture - 0.2, 0, 1))
    beach = np.exp(-np.clip(ground, 0, 1) / 0.03) * (_field(rng, shape, 1.4) > -0.2)
    land = _mix(land, _SAND, 0.8 * beach)
    hills = ground * 6 + _field(rng, shape, 1.7) * 1.5
    fall_row, fall_col = np.gradient(hills)
    lit = np.cos(scene.sun) * fall_col + np.sin(scene.sun) * fall_row
    grain = 1 + 0.10 * _field(rng, shape, 0.3)
    land = land * np.clip(0.85 + 1.1 * lit, 0.25, 1.4)
    # Marshes are water and plants mixed as finely as a canopy is: only the land around tells.
    tufts = np.clip(0.38 + 0.4 * _field(rng, shape, 0.75), 0, 1)
    marsh = _mix(np.broadcast_to(np.array(_DEEP)[:, None, None], (4, *shape)), _FOREST, tufts)
    wet = np.clip(2.0 * _field(rng, shape, 1.3) - 0.9 - ground, 0, 1)
    return np.asarray(land * grain * (1 - wet) + marsh * wet)


def _water(scene: Style, ground: Floats, rng: np.random.Generator) -> Floats:
    """Reflectance of water, (4, H, W): deep or shallow, with sediment, blooms and glint."""
    shape = ground.shape
    depth = np.clip(-ground, 0, None)
    water = np.broadcast_to(np.array(_DEEP)[:, None, None], (4, *shape))
    water = _mix(water, _SHALLOW, 0.8 * np.exp(-depth / 0.12))
    plume = np.exp(-depth / 0.3) * np.clip(_field(rng, shape, 1.7) + scene.turbid - 0.3, 0, 1)
    water = _mix(water, _SEDIMENT, 0.8 * plume)
    swirl = np.clip(1.4 * _field(rng, shape, 1.8) - 1.1, 0, 1) * scene.bloom
    water = _mix(water, _BLOOM, 0.75 * swirl)
    # Glint: waves drawn out across the sun's direction, in every band alike.
    waves = (
        _field(rng, shape, 0.4)
        + ndimage.rotate(
            ndimage.uniform_filter1d(_field(rng, (2 * max(shape),) * 2, 0.5), 15, axis=1) * 2.0,
            np.degrees(scene.sun),
            reshape=False,
            order=1,
            mode="reflect",
        )[shape[0] // 2 : shape[0] // 2 + shape[0], shape[1] // 2 : shape[1] // 2 + shape[1]]
    )
    sheen = np.clip(0.3 + _field(rng, shape, 2.0), 0, 2) * scene.glint
    return np.asarray(water * (1 + 0.04 * waves) + 0.022 * sheen * np.clip(1 + 0.6 * waves, 0, 4))


def _weather(
    scene: Style, surface: Floats, shore: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Lay haze, clouds and their shadows over the surface; also return the opacity (H, W)."""
    shape = shore.shape
    veil = np.clip(0.6 + 0.5 * _field(rng, shape, 2.0), 0.1, 2) * scene.haze
    scatter = np.array((0.050, 0.032, 0.018, 0.008))[:, None, None]
    surface = surface * (1 - 0.08 * veil) + scatter * veil
    puffs = 1.1 * _field(rng, shape, 1.9) + 0.25 * _field(rng, shape, 1.2)
    opacity = np.clip(0.8 * (puffs - 1.7 + 0.6 * scene.clouds), 0, 0.97) * (scene.clouds > 0)
    away = (-12 * np.sin(scene.sun), -12 * np.cos(scene.sun))
    shadow = ndimage.shift(opacity, away, order=1, mode="nearest")
    surface = surface * (1 - 0.55 * shadow)
    lumps = 1 + 0.06 * _field(rng, shape, 1.2)
    return surface + (np.array(_CLOUD)[:, None, None] * lumps - surface) * opacity, opacity


def _sense(scene: Style, surface: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Reflectance to uint8: the optics blur a little, the detector adds noise and rounds."""
    seen = ndimage.gaussian_filter(surface, (0, 0.55, 0.55)) * (255 / _FULL_SCALE)
    seen = seen + rng.standard_normal(seen.shape, dtype=np.float32) * scene.noise
    counts: NDArray[np.uint8] = np.clip(np.rint(seen), 0, 255).astype(np.uint8)
    return counts
