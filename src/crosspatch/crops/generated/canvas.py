"""A canvas for the generated photos: forms by distances, painted with patterns of one palette."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.floating]


class Canvas:
    """The picture so far, (H, W, 3) in [0, 1], in coordinates where its height is 1.

    Parameters
    ----------
    palette : (K, 3) float in [0, 1]
        The colours that patterns are made of.
    """

    def __init__(self, palette: Floats, height: int, width: int, rng: np.random.Generator) -> None:
        self.palette, self.rng = palette, rng
        self.rows, self.cols = (np.indices((height, width)) + 0.5) / height
        self.wide = width / height
        self.picture = np.zeros((height, width, 3))
        self.mask = np.zeros((height, width), dtype=np.uint8)

    def paint(self, distance: Floats, paint: Floats, *, person: bool = False) -> None:
        """Paint where ``distance`` (H, W) is below 0, darker towards the rim, as round things are.

        ``paint`` is a colour (3,) or a picture (H, W, 3).
        """
        cover = np.clip(0.5 - distance * self.picture.shape[0], 0, 1)[..., None]
        lit = 0.72 + 0.28 * np.sqrt(np.clip(-distance / 0.03, 0, 1))
        self.picture += (paint * lit[..., None] - self.picture) * cover
        self.mask[distance < 0] = person

    def colour(self) -> Floats:
        """Draw a colour of the palette, a little off, (3,)."""
        base = self.palette[self.rng.integers(len(self.palette))]
        return np.asarray(np.clip(base + self.rng.normal(0, 0.05, 3), 0, 1))

    def pattern(self) -> Floats:
        """Draw a plain, striped, chequered, dotted or mottled pattern, (H, W, 3)."""
        rng = self.rng
        angle, step = rng.uniform(0, np.pi), rng.uniform(0.02, 0.07)
        u = (np.cos(angle) * self.cols + np.sin(angle) * self.rows) / step
        v = (np.cos(angle) * self.rows - np.sin(angle) * self.cols) / step
        draw = rng.random()
        share = np.zeros_like(u)
        if draw < 0.20:
            share = (np.sin(2 * np.pi * u) > 0).astype(float)
        elif draw < 0.35:
            share = 0.5 * (np.sin(2 * np.pi * u) > 0) + 0.5 * (np.sin(2 * np.pi * v) > 0)
        elif draw < 0.45:
            share = (np.hypot(u % 1 - 0.5, v % 1 - 0.5) < 0.28).astype(float)
        elif draw < 0.70:
            share = self.lattice(step / 2)
        first, second = self.colour(), self.colour()
        folds = 0.92 + 0.16 * self.lattice(0.06)
        dyed = first + (second - first) * 0.8 * share[..., None]
        return np.asarray(dyed * folds[..., None])

    def lattice(self, step: float) -> Floats:
        """Draw noise in [0, 1] between random values on a lattice ``step`` heights wide, (H, W)."""
        values = self.rng.random((int(1 / step) + 2, int(self.wide / step) + 2))
        places = [self.rows / step, self.cols / step]
        return np.asarray(ndimage.map_coordinates(values, places, order=1))

    def disc(self, row: float, col: float, radius: float) -> Floats:
        """Distance to a disc, (H, W), in heights of the picture, negative inside."""
        return np.asarray(np.hypot(self.rows - row, self.cols - col) - radius)

    def box(self, row: float, col: float, tall: float, wide: float) -> Floats:
        """Distance to an upright box around (row, col), (H, W)."""
        return np.asarray(
            np.maximum(abs(self.rows - row) - tall / 2, abs(self.cols - col) - wide / 2)
        )

    def capsule(self, start: Floats, end: Floats, first: float, last: float) -> Floats:
        """Distance to a bone between two points (row, col) with a radius at each end, (H, W)."""
        bone = end - start
        along = (self.rows - start[0]) * bone[0] + (self.cols - start[1]) * bone[1]
        along = np.clip(along / max(float(bone @ bone), 1e-9), 0, 1)
        rows, cols = start[0] + along * bone[0], start[1] + along * bone[1]
        return np.asarray(
            np.hypot(self.rows - rows, self.cols - cols) - (first + (last - first) * along)
        )

    def polygon(self, row: float, col: float, size: float) -> Floats:
        """Distance to a random convex polygon of 3 to 6 sides, (H, W)."""
        away = self.disc(row, col, size)
        for turn in self.rng.uniform(0, 2 * np.pi, self.rng.integers(3, 7)):
            side = np.cos(turn) * (self.cols - col) + np.sin(turn) * (self.rows - row)
            away = np.maximum(away, side - size / 2)
        return away
