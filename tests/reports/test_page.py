"""A page stands alone, escapes everything, and shows what it was given."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from crosspatch.images.pictures import to_data_uri
from crosspatch.reports.figures import INK, Bar, score_bars
from crosspatch.reports.page import (
    Commands,
    Drawing,
    Facts,
    Gallery,
    Link,
    Page,
    Photo,
    Section,
    Strip,
    Table,
    Text,
    render,
    write_page,
)

EVIL = '<script>alert("x")</script>'
PICTURE = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
FIGURE = score_bars([Bar("network", 0.5)], xlabel="IoU")


def page(*blocks, **words):
    return Page(
        **{"title": "Title", "lead": "Lead", "notice": "Generated."} | words,
        sections=[Section("Part", blocks)],
    )


class Reader(HTMLParser):
    """What a browser would load, and which tags stand open at the end."""

    def __init__(self):
        super().__init__()
        self.addresses, self.open, self.tags, self.ids = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for key, value in attrs:
            if key in ("src", "href", "xlink:href", "srcset", "data", "action"):
                self.addresses.append(value)
            if key == "id":
                self.ids.append(value)
        if tag not in ("meta", "img", "br", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()


def read(html):
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


def everything():
    return page(
        Text(["One & two.", "Three."]),
        Facts([("0.71", "mean IoU")]),
        Drawing(FIGURE, "A figure."),
        Drawing(FIGURE, "The same again."),
        Photo(PICTURE, "A sheet."),
        Gallery([Strip("kelp-0", [("image", PICTURE)])], "A rule.", [((1, 2, 3), "found")]),
        Table(["method", "IoU"], [["network", 0.71234], ["forest", None]], "Scores."),
        Commands("crosspatch info x"),
    )


def test_a_page_loads_nothing_from_elsewhere():
    html = render(everything())
    addresses = read(html).addresses
    assert len([one for one in addresses if one.startswith("data:image/png;base64,")]) == 2
    assert all(one.startswith(("data:", "#")) for one in addresses)
    assert "@import" not in html
    assert "url(http" not in html
    assert "script" not in read(html).tags


def test_a_link_leads_to_another_page_beside_it():
    html = render(page(Link("The report", "study/report.html")))
    assert read(html).addresses == ["study/report.html"]
    assert ">The report</a>" in html


def test_pictures_are_inside_the_page_pixel_for_pixel():
    assert render(page(Photo(PICTURE, "x"))).count(to_data_uri(PICTURE)) == 1


@pytest.mark.parametrize(
    "blocks",
    [
        [Text([EVIL])],
        [Facts([(EVIL, EVIL)])],
        [Drawing(FIGURE, EVIL)],
        [Drawing(score_bars([Bar(EVIL, 0.5)], xlabel=EVIL), "x")],
        [Photo(PICTURE, EVIL)],
        [Gallery([Strip(EVIL, [(EVIL, PICTURE)])], EVIL, [((0, 0, 0), EVIL)])],
        [Table([EVIL], [[EVIL]], EVIL)],
        [Commands(EVIL)],
        [Link(EVIL, "x.html")],
    ],
)
def test_whatever_a_folder_calls_itself_stays_text(blocks):
    reader = read(render(page(*blocks, title=EVIL, lead=EVIL, notice=EVIL, footer=EVIL)))
    assert "script" not in reader.tags


def test_words_and_numbers_arrive():
    html = render(everything())
    assert "One &amp; two." in html
    assert re.search(r"<dt>mean IoU</dt><dd>0.71</dd>", html)
    assert '<td class="number">0.712</td>' in html
    assert "<td>–</td>" in html
    assert "background: rgb(1, 2, 3)" in html
    assert "crosspatch info x" in html


def test_a_score_that_does_not_exist_is_a_dash_not_nan():
    assert "nan" not in render(page(Table(["x"], [[float("nan")]], "c"))).lower().split("<main>")[1]


def test_figures_take_the_pages_ink_and_share_no_name():
    html = render(everything())
    assert INK not in html.split("</style>", 1)[1]
    assert "currentColor" in html
    assert "var(--rule)" in html
    named = [name for name in read(html).ids if not re.fullmatch(r"[mp][0-9a-f]{10}", name)]
    assert len(named) == len(set(named))


def test_the_figure_keeps_its_shape_and_fills_the_page():
    html = render(page(Drawing(FIGURE, "x")))
    svg = re.search(r"<svg [^>]*>", html)[0]
    assert "viewBox" in svg
    assert not re.search(r'\b(width|height)="', svg)


def test_light_dark_phone_and_paper_are_provided_for():
    html = render(page())
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    assert 'name="viewport"' in html


def test_a_page_is_written_as_it_is_rendered(tmp_path):
    write_page(everything(), tmp_path / "deep" / "report.html")
    assert (tmp_path / "deep" / "report.html").read_text(encoding="utf-8") == render(everything())
