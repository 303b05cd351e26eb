"""Jointed figures for the generated photos: capsules around the bones of a posed skeleton."""

import numpy as np
from numpy.typing import NDArray

from crosspatch.crops.generated.canvas import Canvas

Point = NDArray[np.floating]
_SKIN = ((0.94, 0.78, 0.68), (0.85, 0.65, 0.50), (0.66, 0.46, 0.33), (0.42, 0.28, 0.20))
_HAIR = ((0.08, 0.06, 0.05), (0.30, 0.18, 0.10), (0.62, 0.47, 0.25), (0.55, 0.53, 0.50))


class Person:
    """One figure of ``size`` picture heights, standing with its feet at row ``foot``."""

    def __init__(self, canvas: Canvas, size: float, foot: float) -> None:
        rng = canvas.rng
        self.canvas, self.size = canvas, size
        self.hip = np.array([foot - 0.49 * size, rng.uniform(0.08, 0.92) * canvas.wide])
        self.neck = self.from_(self.hip, -0.32, rng.normal(0, 0.05))
        self.skin = np.array(_SKIN[rng.integers(len(_SKIN))])
        self.hair = np.array(_HAIR[rng.integers(len(_HAIR))])
        self.trousers, self.shirt = canvas.pattern(), canvas.pattern()
        self.forearm = self.skin if rng.random() < 0.5 else self.shirt

    def draw(self) -> None:
        """Paint the figure from back to front: shadow, legs, one arm, body, other arm, head."""
        foot = self.hip[0] + 0.49 * self.size
        rows, cols = self.canvas.rows - foot, self.canvas.cols - self.hip[1] - 0.05
        shadow = np.clip((0.16 * self.size - np.hypot(rows / 0.25, cols)) / 0.04, 0, 1)
        self.canvas.picture *= 1 - 0.35 * shadow[..., None]
        self._leg(-1)
        self._leg(1)
        back = int(self.canvas.rng.choice([-1, 1]))
        self._arm(back)
        self._body()
        self._arm(-back)
        self._head()

    def from_(self, point: Point, down: float, right: float) -> Point:
        """Step from a point (row, col) by shares of the figure's height."""
        return point + self.size * np.array([down, right])

    def limb(self, start: Point, end: Point, first: float, last: float, paint: Point) -> None:
        """Paint a capsule; its radii are shares of the figure's height."""
        away = self.canvas.capsule(start, end, first * self.size, last * self.size)
        self.canvas.paint(away, paint, person=True)

    def _leg(self, side: int) -> None:
        rng = self.canvas.rng
        start = self.from_(self.hip, 0.0, side * 0.045)
        knee = self.from_(self.hip, 0.24, side * 0.05 + rng.normal(0, 0.05))
        ankle = self.from_(knee, 0.24, rng.normal(0, 0.04))
        toes = self.from_(ankle, 0.01, side * 0.05)
        self.limb(ankle, toes, 0.028, 0.022, self.canvas.colour())
        self.limb(knee, ankle, 0.045, 0.03, self.trousers)
        self.limb(start, knee, 0.062, 0.045, self.trousers)

    def _arm(self, side: int) -> None:
        rng = self.canvas.rng
        shoulder = self.from_(self.neck, 0.05, side * 0.105)
        turn = side * rng.uniform(0.0, 1.6)
        elbow = self.from_(shoulder, 0.17 * np.cos(turn), 0.17 * np.sin(turn))
        turn += side * rng.uniform(-0.3, 1.4)
        hand = self.from_(elbow, 0.16 * np.cos(turn), 0.16 * np.sin(turn))
        self.limb(elbow, hand, 0.03, 0.022, self.forearm)
        self.limb(shoulder, elbow, 0.042, 0.032, self.shirt)
        self.limb(hand, hand, 0.026, 0.026, self.skin)

    def _body(self) -> None:
        for side in (-1, 1, 0):
            shoulder = self.from_(self.neck, 0.065, side * 0.06)
            waist = self.from_(self.hip, -0.01, side * 0.05)
            self.limb(shoulder, waist, 0.055, 0.05, self.shirt)

    def _head(self) -> None:
        rng = self.canvas.rng
        head = self.from_(self.neck, -0.10, rng.normal(0, 0.01))
        crown = self.from_(head, -0.03, rng.normal(0, 0.015))
        chest = self.from_(self.neck, 0.015, 0.0)
        self.limb(chest, self.from_(self.neck, -0.05, 0.0), 0.032, 0.03, self.skin)
        self.limb(crown, crown, 0.060, 0.060, self.hair)
        self.limb(head, self.from_(head, 0.032, 0.0), 0.054, 0.046, self.skin)
