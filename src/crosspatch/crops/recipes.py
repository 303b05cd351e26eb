"""Recipes: how image-mask pairs become training samples. The paper's three, and one for the rest.

A recipe resizes a pair (or not), cuts square crops at fixed positions, and says in which *versions*
(turned, mirrored) each crop is trained on. Versions are made while training and never stored.

Counts of the paper (Mantha et al. 2022, section 2), which the tests hold::

    floating-forests   5,922 subjects x 4 crops x 5 versions = 118,440    test 1,045 x 4 x 1 = 4,180
    fat-checker        2,106 subjects x 5 crops x 4 versions =  42,120    test   235 x 5 x 4 = 4,700
    coco-person       63,785 subjects x 1 crop  x 1 version  =  63,785    test 2,673 x 1 x 1 = 2,673
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any, Literal, get_args

from crosspatch.errors import InputError, SettingsError

LARGEST_CROP = 16_384
"""Pixels of a crop's side at most: more is a slip, or a file that lies."""

VERSIONS = 8
"""The ways to lay a square: version v is v % 4 quarter turns counter-clockwise (as ``np.rot90`` on
rows, columns), after a left-right flip where v >= 4. Version 0 is the crop itself."""

IDENTITY = (0,)
QUARTER_TURNS = (0, 1, 2, 3)
QUARTER_TURNS_AND_FLIP = (0, 1, 2, 3, 4)
ALL_VERSIONS = tuple(range(VERSIONS))

Positions = Literal["corners", "corners-and-centre", "whole", "grid"]


@dataclass(frozen=True)
class Resize:
    """How an image is resized before crops are cut; a model keeps this rule and inverts it.

    Attributes
    ----------
    kind : "none", "to" (a fixed height and width), or "scale" (both sides by one factor)
    height, width : in pixels, for "to"
    factor : for "scale"; 0.5 halves both sides
    """

    kind: Literal["none", "to", "scale"] = "none"
    height: int = 0
    width: int = 0
    factor: float = 1.0

    def __post_init__(self) -> None:
        if self.kind == "to" and (self.height < 1 or self.width < 1):
            raise SettingsError(f"cannot resize to {self.height} x {self.width} pixels")
        if self.kind == "scale" and not 1e-3 <= self.factor <= 1e3:
            raise SettingsError(f"the scale must be from 0.001 to 1000, not {self.factor}")

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Return (height, width) after resizing, in pixels, at least 1 x 1."""
        if self.kind == "to":
            return self.height, self.width
        if self.kind == "scale":
            return max(1, round(height * self.factor)), max(1, round(width * self.factor))
        return height, width

    def as_table(self) -> dict[str, Any]:
        """Return the rule as TOML holds it."""
        fields = {"none": (), "to": ("height", "width"), "scale": ("factor",)}[self.kind]
        return {"kind": self.kind} | {field: getattr(self, field) for field in fields}

    @classmethod
    def from_table(cls, table: object, said_of: str = "the table") -> "Resize":
        """Read what ``as_table`` wrote; ``InputError`` where it is something else."""
        if not isinstance(table, Mapping) or table.get("kind") not in ("none", "to", "scale"):
            raise InputError(f"{said_of}: has no resize rule that this crosspatch knows")
        try:
            return cls(
                kind=table["kind"],
                height=_whole(table.get("height", 0)),
                width=_whole(table.get("width", 0)),
                factor=float(table.get("factor", 1.0)),
            )
        except (TypeError, ValueError, SettingsError) as error:
            raise InputError(f"{said_of}: has a broken resize rule ({error})") from None


@dataclass(frozen=True)
class Recipe:
    """How a subject becomes samples.

    Attributes
    ----------
    name : the recipe's name
    resize : applied to image and mask first
    size : side of the square crops, in pixels of the resized image
    positions : where crops are cut; see ``origins``
    overlap : for "grid": the least share of a crop that its neighbour repeats, in [0, 1)
    train_versions, test_versions : the versions of each crop in training / in validation and test
    """

    name: str
    resize: Resize
    size: int
    positions: Positions
    overlap: float
    train_versions: tuple[int, ...]
    test_versions: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.size <= LARGEST_CROP:
            raise SettingsError(
                f"the crop size must be from 1 to {LARGEST_CROP} pixels, not {self.size}"
            )
        if not 0 <= self.overlap < 1:
            raise SettingsError(f"the overlap must be from 0 to below 1, not {self.overlap}")

    def origins(self, height: int, width: int) -> list[tuple[int, int]]:
        """Return the (row, col) of each crop's upper left pixel.

        Parameters
        ----------
        height, width : of the resized image, in pixels. A side shorter than the crop has the one
            origin 0, and the crop is padded.

        Returns
        -------
        list of (row, col), each once: "corners" upper left, upper right, lower left, lower right;
        "corners-and-centre" then the centre; "whole" (0, 0); "grid" row by row, evenly spread from
        edge to edge.
        """
        bottom, right = max(0, height - self.size), max(0, width - self.size)
        corners = [(0, 0), (0, right), (bottom, 0), (bottom, right)]
        match self.positions:
            case "corners":
                origins = corners
            case "corners-and-centre":
                origins = [*corners, (bottom // 2, right // 2)]
            case "whole":
                origins = [(0, 0)]
            case "grid":
                columns = self._along(right)
                origins = [(row, column) for row in self._along(bottom) for column in columns]
        return list(dict.fromkeys(origins))

    def count(self, height: int, width: int, *, training: bool) -> int:
        """Return how many samples one subject of ``height`` x ``width`` pixels gives."""
        crops = len(self.origins(*self.resize.shape(height, width)))
        return crops * len(self.versions(training=training))

    def versions(self, *, training: bool) -> tuple[int, ...]:
        """Return the versions of each crop in training, or in validation and test."""
        return self.train_versions if training else self.test_versions

    def as_table(self) -> dict[str, Any]:
        """Return the recipe as crops.toml holds it."""
        return asdict(self) | {
            "resize": self.resize.as_table(),
            "train_versions": list(self.train_versions),
            "test_versions": list(self.test_versions),
        }

    @classmethod
    def from_table(cls, table: object, said_of: str = "the table") -> "Recipe":
        """Read what ``as_table`` wrote; ``InputError`` where it is something else."""
        try:
            if not isinstance(table, Mapping) or table["positions"] not in get_args(Positions):
                raise ValueError("unknown positions")
            return cls(
                name=str(table["name"]),
                resize=Resize.from_table(table["resize"], said_of),
                size=_whole(table["size"]),
                positions=table["positions"],
                overlap=float(table["overlap"]),
                train_versions=_versions(table["train_versions"]),
                test_versions=_versions(table["test_versions"]),
            )
        except (KeyError, TypeError, ValueError, SettingsError) as error:
            raise InputError(f"{said_of}: has a broken recipe ({error!r})") from None

    def _along(self, last: int) -> list[int]:
        """Spread origins evenly from 0 to ``last``, at most one stride apart."""
        stride = max(1, int(self.size * (1 - self.overlap)))
        steps = -(-last // stride)
        return [last * step // steps for step in range(steps + 1)] if steps else [0]


def recipe(
    name: str,
    *,
    size: int | None = None,
    overlap: float | None = None,
    scale: float | None = None,
) -> Recipe:
    """Return a recipe by its name.

    Parameters
    ----------
    name : "floating-forests", "fat-checker", "coco-person" or "windows"
    size : side of the crops in pixels, 256 by itself; the sizes that ``fat-checker`` and
        ``coco-person`` resize to keep their proportion to it
    overlap : for "windows": share of a crop that its neighbour repeats, 0.25 by itself
    scale : for "windows" and "floating-forests": resize both sides by this factor first

    Raises
    ------
    SettingsError
        No such recipe, or one that the setting does not go with.
    """
    side = 256 if size is None else size
    match name:
        case "floating-forests" | "windows":
            resize = Resize() if scale in (None, 1.0) else Resize("scale", factor=scale)
        case "fat-checker":
            resize = Resize("to", 2 * side, 2 * side)
        case "coco-person":
            resize = Resize("to", side, side)
        case _:
            close = get_close_matches(name, RECIPES, n=1)
            meant = f" Did you mean {close[0]}?" if close else ""
            raise SettingsError(f"no recipe is called {name!r}: {', '.join(RECIPES)}.{meant}")
    if scale is not None and name in ("fat-checker", "coco-person"):
        raise SettingsError(f"{name} resizes to {resize.height} pixels itself: leave --scale out")
    if overlap is not None and name != "windows":
        raise SettingsError(f"{name} has fixed positions: --overlap goes with the recipe windows")
    positions, train, test = RECIPES[name]
    share = (0.25 if overlap is None else overlap) if name == "windows" else 0.0
    return Recipe(name, resize, side, positions, share, train, test)


RECIPES: dict[str, tuple[Positions, tuple[int, ...], tuple[int, ...]]] = {
    "floating-forests": ("corners", QUARTER_TURNS_AND_FLIP, IDENTITY),
    "fat-checker": ("corners-and-centre", QUARTER_TURNS, QUARTER_TURNS),
    "coco-person": ("whole", IDENTITY, IDENTITY),
    "windows": ("grid", ALL_VERSIONS, IDENTITY),
}


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _versions(values: object) -> tuple[int, ...]:
    if not isinstance(values, list) or not values or not all(v in ALL_VERSIONS for v in values):
        raise ValueError(f"{values!r} are no versions from 0 to 7")
    return tuple(values)
