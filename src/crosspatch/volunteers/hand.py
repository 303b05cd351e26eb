"""One simulated person before one picture: what they see, and how their hand draws it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter1d, map_coordinates
from scipy.special import ndtri

from crosspatch.errors import SettingsError
from crosspatch.volunteers.trace import Outline, trace_level

_REACH = 0.05  # how far along the picture a wavering hand keeps going the same way
_OBJECT = 0.05  # diameter of an object that is missed with chance ``missed``
_STEP = 1.5  # pixels between recorded points of a mark
_FEWEST_POINTS = 24  # the classifier discards marks of fewer than 20
_CELLS = 2  # cells of a noise field that make its reach


@dataclass(frozen=True)
class VolunteerSettings:
    """How a crowd draws.

    The defaults follow real Floating Forests volunteers (docs/results/consensus says how and how
    well); only ``blank`` and ``anonymous`` are assumed. Chances are in [0, 1]; lengths are shares
    of sqrt(H W).

    Attributes
    ----------
    outward : how far outside of the true edge people draw, on average
    outward_spread : standard deviation of that between people
    grouping : gaps narrower than twice this are drawn over: things close together become one
    jitter : standard deviation of a point of the outline
    smoothing : corners are cut over this length of outline
    missed : chance to pass over an object of 0.05 in diameter; smaller ones more often
    invented : objects drawn where there are none, mean number a classification
    blank : chance to submit nothing at all
    sloppy : share of people who are sloppy
    sloppiness : their lengths, and their inventions, are so many times as large
    shared : correlation of what two people overlook, and share of the inventions that come from
        places that mislead everybody; 0 each their own, 1 all the same
    shared_edge : correlation of where two people put the edge of a thing that both see
    anonymous : share of people who are not logged in
    """

    outward: float = 0.0016
    outward_spread: float = 0.0037
    grouping: float = 0.0142
    jitter: float = 0.0037
    smoothing: float = 0.008
    missed: float = 0.0264
    invented: float = 0.14
    blank: float = 0.02
    sloppy: float = 0.31
    sloppiness: float = 3.0
    shared: float = 0.82
    shared_edge: float = 0.1
    anonymous: float = 0.3

    def __post_init__(self) -> None:
        for name in ("missed", "blank", "sloppy", "shared", "shared_edge", "anonymous"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"{name} is a share in [0, 1], not {getattr(self, name)}")
        for name in ("outward_spread", "grouping", "jitter", "smoothing", "invented", "sloppiness"):
            if not 0 <= getattr(self, name) < math.inf:
                raise SettingsError(f"{name} is 0 or more, not {getattr(self, name)}")
        if not -0.5 < self.outward < 0.5:
            raise SettingsError(f"outward is in (-0.5, 0.5), not {self.outward}")


@dataclass(frozen=True)
class Person:
    """The habits that somebody keeps from subject to subject."""

    number: int
    anonymous: bool
    outward: float
    scale: float  # 1, or ``sloppiness``


class _Field:
    """A smooth random surface over a picture, mean 0 and variance 1 everywhere."""

    def __init__(self, random: np.random.Generator, shape: tuple[int, int]) -> None:
        self._cell = max(_REACH * math.sqrt(shape[0] * shape[1]) / _CELLS, 1.0)
        noise = random.standard_normal([int(side / self._cell) + 8 for side in shape])
        for axis in (0, 1):
            noise = gaussian_filter1d(noise, _CELLS, axis=axis, mode="wrap")
        kernel = gaussian_filter1d(np.eye(1, 64, 32)[0], _CELLS)
        self._values = noise / (kernel @ kernel)  # the filter's gain on white noise, both axes

    def at(self, points: Outline) -> NDArray[np.float64]:
        """Return the surface at (N, 2) points in pixels, (N,)."""
        return np.asarray(
            map_coordinates(self._values, points.T / self._cell + 4, order=1, mode="nearest"),
            np.float64,
        )


@dataclass(frozen=True)
class Errors:
    """What misleads, as surfaces over a picture: shared by all, or one person's own."""

    rows: _Field
    columns: _Field
    sight: _Field

    @classmethod
    def draw(cls, random: np.random.Generator, shape: tuple[int, int]) -> "Errors":
        """Draw new ones for a picture of (H, W)."""
        rows, columns, sight = (_Field(random, shape) for _ in range(3))
        return cls(rows, columns, sight)


class Scene:
    """A picture's truth, and its edge as seen by those who group things to a certain distance."""

    def __init__(self, mask: NDArray[np.uint8]) -> None:
        self.truth = np.asarray(mask == 1, np.bool_)
        self.side = math.sqrt(mask.size)
        self._grouped: dict[tuple[float, int], tuple[NDArray[np.float64], NDArray[np.int64]]] = {}

    def around(self, gap: float, outward: float) -> list[Outline]:
        """Outline what is true, gaps under ``2 gap`` closed, ``outward`` of it, in pixels."""
        if not self.truth.any():
            return []
        reach = 2 ** max(4, math.ceil(math.log2(max(outward, 1))))
        if (gap, reach) not in self._grouped:  # people share habits, and distances are slow
            self._grouped[gap, reach] = self._group(gap, reach)
        distance, corner = self._grouped[gap, reach]
        return [one + corner for one in trace_level(distance, outward)]

    def _group(self, gap: float, reach: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return distances from the grouped edge, up to ``reach`` outside, and where they begin."""
        margin = math.ceil(gap) + reach + 3
        rows, columns = np.nonzero(self.truth)
        near = self.truth[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        near = np.pad(near, margin)
        if gap > 0:
            near = distance_transform_edt(~near) - 0.5 <= gap
        return _distance(near) + gap, np.array([rows.min(), columns.min()]) - margin


class Hand:
    """One person before one picture."""

    def __init__(
        self,
        random: np.random.Generator,
        person: Person,
        shared: Errors,
        settings: VolunteerSettings,
        scene: Scene,
    ) -> None:
        self.random, self.person, self.settings, self.scene = random, person, settings, scene
        self.scale = scene.side * person.scale
        self.own, self.shared = Errors.draw(random, scene.truth.shape), shared

    def draw(self, decoys: list[Outline]) -> Iterator[Outline]:
        """Yield the outlines: none for a blank."""
        if self.random.random() < self.settings.blank:
            return
        for outline in self._seen():
            yield self._waver(outline)
        for _ in range(self.random.poisson(self.settings.invented * self.person.scale)):
            misled = self.random.random() < self.settings.shared
            common = decoys[self.random.integers(len(decoys))]
            yield self._waver(common if misled else decoy(self.random, self.scene))

    def _seen(self) -> Iterator[Outline]:
        """Yield the objects as this person groups them, but for those passed over."""
        gap, outward = self.settings.grouping * self.scale, self.person.outward * self.scale
        for outline in self.scene.around(gap, outward):
            diameter = 2 * math.sqrt(_area(outline) / math.pi) / self.scene.side
            chance = self.settings.missed ** math.sqrt(diameter / _OBJECT / self.person.scale)
            if self._sight(outline.mean(axis=0, keepdims=True)) >= _quantile(chance):
                yield outline

    def _sight(self, place: Outline) -> float:
        """Return how well this person sees at a place, standard normal over all pictures."""
        rho = self.settings.shared
        shared, own = self.shared.sight.at(place)[0], self.own.sight.at(place)[0]
        return float(math.sqrt(rho) * shared + math.sqrt(1 - rho) * own)

    def _waver(self, outline: Outline) -> Outline:
        """Redraw an outline by hand: corners cut, points astray."""
        path = _resample(outline)
        cut = self.settings.smoothing * self.scale / max(_length(path) / len(path), 1e-9)
        # Not more than a sixth of the way round: a small thing stays a thing.
        smooth = gaussian_filter1d(path, max(min(cut, len(path) / 6), 1e-3), axis=0, mode="wrap")
        rho = self.settings.shared_edge
        surfaces = ((self.shared.rows, self.own.rows), (self.shared.columns, self.own.columns))
        astray = np.stack(
            [
                math.sqrt(rho) * shared.at(smooth) + math.sqrt(1 - rho) * own.at(smooth)
                for shared, own in surfaces
            ],
            axis=1,
        )
        return np.asarray(smooth + self.settings.jitter * self.scale * astray, np.float64)


def _quantile(chance: float) -> float:
    """Return the value that a standard normal number is below with this chance."""
    return float(ndtri(chance))


def _distance(inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the distance to the edge in pixels, negative inside."""
    away = distance_transform_edt(~inside) - distance_transform_edt(inside)
    return np.asarray(away - 0.5 * np.sign(away), np.float64)  # the edge is between the centres


def decoy(random: np.random.Generator, scene: Scene) -> Outline:
    """Make up an object somewhere that is no foreground, if there is such a place."""
    free = np.flatnonzero(~scene.truth)
    place = int(random.choice(free)) if len(free) else int(random.integers(scene.truth.size))
    centre = np.array(divmod(place, scene.truth.shape[1])) + 0.5
    radius = scene.side * _OBJECT / 2 * math.exp(random.normal(0, 0.4))
    turn = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    waves = sum(
        random.normal(0, 0.15) * np.cos(n * turn + random.uniform(0, 2 * math.pi))
        for n in (2, 3, 4)
    )
    radii = radius * np.maximum(1 + waves, 0.3)
    return np.asarray(centre + radii[:, None] * np.stack([np.sin(turn), np.cos(turn)], 1))


def _resample(outline: Outline) -> Outline:
    """Return points about 1.5 pixels apart along a closed outline, at least 24."""
    closed = np.vstack([outline, outline[:1]])
    along = np.concatenate([[0.0], np.hypot(*np.diff(closed, axis=0).T).cumsum()])
    number = max(_FEWEST_POINTS, math.ceil(along[-1] / _STEP))
    at = np.linspace(0, along[-1], number, endpoint=False)
    return np.stack([np.interp(at, along, closed[:, axis]) for axis in (0, 1)], axis=1)


def _length(outline: Outline) -> float:
    return float(np.hypot(*(np.roll(outline, -1, axis=0) - outline).T).sum())


def _area(outline: Outline) -> float:
    row, column = outline.T
    return abs(float(row @ np.roll(column, -1) - column @ np.roll(row, -1))) / 2
