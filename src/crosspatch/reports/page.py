"""One HTML page that stands alone: words, figures and pictures in a single file.

Every text is escaped; only figures, which `crosspatch.reports.figures` draws, go in as they are.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from crosspatch.files import PathLike, write_text
from crosspatch.images.pictures import Colour, Picture, to_data_uri
from crosspatch.reports.figures import INK, RULE

_TILE_COLOURS = 96  # of a picture in a lattice, of which there may be a hundred


@dataclass(frozen=True)
class Text:
    """Plain paragraphs."""

    paragraphs: Sequence[str]
    block: ClassVar[str] = "text"


@dataclass(frozen=True)
class Facts:
    """A few numbers worth a glance: (value, what it is)."""

    items: Sequence[tuple[str, str]]
    block: ClassVar[str] = "facts"


@dataclass(frozen=True)
class Drawing:
    """A figure, and what it shows in words for those who do not see it."""

    svg: str
    caption: str
    wide: bool = False
    """Over the whole page, else half of it."""
    block: ClassVar[str] = "drawing"

    @property
    def inline(self) -> Markup:
        """The SVG in the page's own ink, so that it reads on dark too."""
        svg = self.svg[self.svg.index("<svg") :]
        svg = svg.replace(INK, "currentColor").replace(RULE, "var(--rule)")
        svg = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", svg)  # the same in every figure
        opening, rest = svg.split(">", 1)
        return Markup(re.sub(r' (width|height)="[^"]*"', "", opening) + ">" + rest)


@dataclass(frozen=True)
class Photo:
    """A picture (H, W, 3) uint8 with a caption."""

    picture: Picture
    caption: str
    block: ClassVar[str] = "photo"

    @property
    def address(self) -> str:
        """The picture itself, as an address."""
        return to_data_uri(self.picture)


@dataclass(frozen=True)
class Strip:
    """One subject of a gallery: pictures beside each other, each with a word under it."""

    title: str
    tiles: Sequence[tuple[str, Picture]]

    @property
    def addressed(self) -> list[tuple[str, str]]:
        """Each tile's label, and the picture as an address."""
        return [(label, to_data_uri(picture)) for label, picture in self.tiles]


@dataclass(frozen=True)
class Gallery:
    """Subjects under each other, with the legend of their colours."""

    strips: Sequence[Strip]
    caption: str
    legend: Sequence[tuple[Colour, str]] = ()
    block: ClassVar[str] = "gallery"


Tile = tuple[str, Picture]
"""A picture, and a few words under it."""


@dataclass(frozen=True)
class Lattice:
    """Pictures in rows and columns; None is an empty place. Columns may go without names."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Tile | None]]]
    block: ClassVar[str] = "lattice"

    @property
    def addressed(self) -> list[tuple[str, list[tuple[str, str] | None]]]:
        """The rows, with pictures as addresses."""
        return [
            (
                name,
                [tile and (tile[0], to_data_uri(tile[1], colours=_TILE_COLOURS)) for tile in row],
            )
            for name, row in self.rows
        ]


@dataclass(frozen=True)
class Table:
    """Rows of text or numbers; numbers stand right and have three decimals if not whole."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float | None]]
    caption: str
    block: ClassVar[str] = "table"


@dataclass(frozen=True)
class Commands:
    """What to type."""

    text: str
    block: ClassVar[str] = "commands"


@dataclass(frozen=True)
class Link:
    """A way to another page of ours; the address is from where this page lies."""

    words: str
    address: str
    block: ClassVar[str] = "link"


@dataclass(frozen=True)
class Details:
    """Something long, folded away under its name; open in print."""

    name: str
    blocks: Sequence["Block"]
    block: ClassVar[str] = "details"


Block = Text | Facts | Drawing | Photo | Gallery | Lattice | Table | Commands | Link | Details


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A report: the notice says at the top what the numbers cannot be used for."""

    title: str
    lead: str
    notice: str
    sections: Sequence[Section]
    footer: str = ""


def render(page: Page) -> str:
    """Turn a page into HTML that needs no other file and no network.

    Returns
    -------
    str
        Everything inline; follows the reader's light or dark setting; can be printed.
    """
    environment = Environment(
        loader=PackageLoader("crosspatch.reports"),
        autoescape=select_autoescape(["html", "j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = _cell
    return environment.get_template("page.html.j2").render(page=page)


def write_page(page: Page, path: PathLike) -> None:
    """Write a page whole or not at all."""
    write_text(path, render(page))


def _cell(value: str | int | float | None) -> str:
    if value is None or value != value:  # nan: there is no such number
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
