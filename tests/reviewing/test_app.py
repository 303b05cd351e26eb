"""The server as a browser meets it: who is let in, what is answered, what is written."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from crosspatch import images
from crosspatch.dataset import Dataset
from crosspatch.files import write_bytes, write_toml
from crosspatch.images import pictures
from crosspatch.reviewing import app as module
from crosspatch.reviewing.guard import HEADERS

from .conftest import HOST, PORT, TOKEN, write_maps


def whole(value, height=96, width=80):
    """A change that paints a mask of one block."""
    return struct.pack("<IIHBB", 0, 1, height * width - 1, value, 0)


# --- who is let in ----------------------------------------------------------------------------


def test_the_link_sets_a_cookie_that_scripts_and_other_sites_cannot_use(visit, maps):
    client = visit(maps, letting_in=False)
    opened = client.get("/", params={"token": TOKEN})
    cookie = opened.headers["set-cookie"].lower()
    assert opened.status_code == 200
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in opened.text, "the secret leaves the address, and stands in no page"
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/folder", "/api/subjects/0", "/static/main.js"])
def test_without_the_link_nothing_is_shown(visit, maps, path):
    client = visit(maps, letting_in=False)
    assert client.get(path).status_code == 403
    assert client.get(path, params={"token": "a guess"}).status_code == 403
    client.cookies.set(f"crosspatch-review-{PORT}", "a guess")
    refused = client.get(path)
    assert refused.status_code == 403
    assert "kelp" not in refused.text


def test_the_token_opens_the_page_only_and_nothing_else(visit, maps):
    client = visit(maps, letting_in=False)
    assert client.get("/api/folder", params={"token": TOKEN}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": f"evil.example:{PORT}"},
        {"host": "127.0.0.1"},
        {"host": "127.0.0.1:80"},
    ],
)
def test_a_name_that_points_here_is_not_us(visit, maps, headers):
    refused = visit(maps).get("/api/folder", headers=headers)
    assert refused.status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": f"https://127.0.0.1:{PORT}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_requests_of_other_pages_are_refused_though_they_carry_the_cookie(visit, maps, headers):
    client = visit(maps)
    verdict = {"version": 0, "decision": "accepted", "note": ""}
    assert client.get("/api/folder", headers=headers).status_code == 403
    refused = client.put("/api/subjects/0/review", json=verdict, headers=headers)
    assert refused.status_code == 403
    assert client.desk.store.states == {}


def test_a_change_must_say_where_it_comes_from(visit, maps):
    client = visit(maps)
    del client.headers["origin"]
    assert client.get("/api/folder").status_code == 200
    verdict = {"version": 0, "decision": "accepted", "note": ""}
    assert client.put("/api/subjects/0/review", json=verdict).status_code == 403
    assert client.patch("/api/subjects/0/mask?version=0", content=whole(1)).status_code == 403
    assert client.post("/api/dataset").status_code == 403


@pytest.mark.parametrize("path", ["/", "/api/folder", "/static/style.css", "/nothing"])
def test_every_answer_forbids_what_it_does_not_need(visit, maps, path):
    headers = visit(maps).get(path).headers
    for name, value in HEADERS.items():
        assert headers[name] == value
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    "path",
    [
        "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static/../app.py", "/static/app.py",
        "/static//etc/passwd", "/api/subjects/0/..%2f..%2fpredictions.toml", "/docs",
        "/openapi.json", "/api/subjects/..%2f/mask",
    ],
)  # fmt: skip
def test_no_address_reaches_a_file(visit, maps, path):
    answer = visit(maps).get(path)
    assert answer.status_code in (404, 422)
    assert b"import" not in answer.content


def test_methods_that_the_page_does_not_use_are_not_allowed(visit, maps):
    client = visit(maps)
    assert client.delete("/api/subjects/0/mask").status_code == 405
    assert client.options("/api/folder").status_code in (403, 405)


# --- what is answered ---------------------------------------------------------------------------


def test_the_listing_says_what_the_grid_shows(visit, maps, kelp_once):
    listing = visit(maps).get("/api/folder").json()
    assert [subject["name"] for subject in listing["subjects"]] == [
        subject.name for subject in kelp_once.subjects
    ]
    assert (listing["kind"], listing["foreground"]) == ("predictions", "kelp")
    assert listing["subjects"][0]["state"]["version"] == 0


def test_tiles_show_the_bands_that_are_asked_for(visit, maps):
    client = visit(maps)
    facts = client.get("/api/subjects/0").json()
    assert (facts["height"], facts["width"], facts["depth"]) == (96, 80, 1)
    assert facts["combinations"][0] == {"label": "Natural colour", "bands": [2, 1, 0]}
    assert facts["combinations"][1] == {"label": "Near infrared", "bands": [3, 2, 1]}
    tile = client.get("/api/subjects/0/tile/0/0/0?bands=3,2,1")
    shown = np.asarray(Image.open(io.BytesIO(tile.content)))
    planes = client.desk.view(0).pyramid.levels[0]
    assert np.array_equal(shown, planes[[3, 2, 1]].transpose(1, 2, 0))


@pytest.mark.parametrize(
    "tile",
    ["0/0/0?bands=4,0,0", "0/0/0?bands=-1", "0/0/0?bands=x", "0/0/0?bands=0,1", "1/0/0?bands=0",
     "0/1/0?bands=0", "0/0/-1?bands=0", "99/0/0?bands=0"],
)  # fmt: skip
def test_tiles_that_are_not_there_are_said(visit, maps, tile):
    answer = visit(maps).get(f"/api/subjects/0/tile/{tile}")
    assert answer.status_code == 422
    assert answer.json()["message"]


@pytest.mark.parametrize("number", ["8", "-1", "999999999999999999999"])
def test_subjects_that_are_not_there_are_said(visit, maps, number):
    assert visit(maps).get(f"/api/subjects/{number}").status_code == 422


def test_the_mask_is_the_one_of_the_folder_until_it_is_corrected(visit, maps, kelp_once):
    client = visit(maps)
    name = kelp_once.subjects[2].name
    stored = images.read_mask(maps / "masks" / f"{name}.png")
    assert client.get("/api/subjects/2/mask").content == stored.tobytes()
    saved = client.patch("/api/subjects/2/mask?version=0&threshold=0.4", content=whole(255))
    assert saved.json()["version"] == 1
    assert saved.json()["threshold"] == 0.4
    assert set(client.get("/api/subjects/2/mask").content) == {255}
    assert client.get("/api/subjects/2/original").content == stored.tobytes()
    assert (images.read_mask(maps / "reviews/masks" / f"{name}.png") == 255).all()
    assert np.array_equal(images.read_mask(maps / "masks" / f"{name}.png"), stored)


def test_probability_comes_in_hundredths_that_cut_as_the_floats_do(visit, maps, kelp_once):
    client = visit(maps)
    steps = np.frombuffer(client.get("/api/subjects/1/probability").content, np.uint8)
    path = maps / "probabilities" / f"{kelp_once.subjects[1].name}.tif"
    probability = images.read_image(path).pixels[0].ravel()
    for cut in (1, 30, 50, 57, 100):
        assert np.array_equal(steps >= cut, probability >= np.float32(cut / 100))


def test_two_tabs_do_not_overwrite_each_other(visit, maps):
    client = visit(maps)
    assert client.patch("/api/subjects/0/mask?version=0", content=whole(1)).status_code == 200
    refused = client.patch("/api/subjects/0/mask?version=0", content=whole(0))
    assert refused.status_code == 409
    assert refused.json()["state"]["version"] == 1
    assert "anna" in refused.json()["message"]
    assert set(client.get("/api/subjects/0/mask").content) == {1}
    verdict = {"version": 0, "decision": "rejected", "note": ""}
    assert client.put("/api/subjects/0/review", json=verdict).status_code == 409


@pytest.mark.parametrize(
    "verdict",
    [
        {"version": 0, "decision": "maybe", "note": ""},
        {"version": -1, "decision": "accepted", "note": ""},
        {"version": 0, "decision": "accepted", "note": "x" * 5001},
        {"version": 0, "decision": "accepted", "note": "", "name": "../x"},
        {},
    ],
)
def test_decisions_that_make_no_sense_are_refused(visit, maps, verdict):
    client = visit(maps)
    assert client.put("/api/subjects/0/review", json=verdict).status_code == 422
    assert client.desk.store.states == {}


def test_changes_that_do_not_fit_write_nothing(visit, maps):
    client = visit(maps)
    answer = client.patch("/api/subjects/0/mask?version=0", content=whole(1, 90))
    assert answer.status_code == 422
    assert list((maps / "reviews/masks").iterdir()) == []


def test_a_change_that_is_too_large_is_refused_before_it_is_read(visit, maps, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_BODY", 10)
    answer = visit(maps).patch("/api/subjects/0/mask?version=0", content=whole(1))
    assert answer.status_code == 413


def test_a_full_disk_is_said_with_a_status_of_its_own(visit, maps, monkeypatch):
    client = visit(maps)

    def full(*_, **__):
        raise module.CrosspatchError("mask.png: could not be written (No space left on device)")

    monkeypatch.setattr(images, "write_mask", full)
    answer = client.patch("/api/subjects/0/mask?version=0", content=whole(1))
    assert answer.status_code == 507
    assert "No space left" in answer.json()["message"]
    monkeypatch.undo()
    assert client.patch("/api/subjects/0/mask?version=0", content=whole(1)).status_code == 200


def test_thumbnails_are_small_kept_and_follow_the_mask(visit, maps):
    client = visit(maps)
    first = client.get("/api/subjects/0/thumbnail")
    assert first.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(first.content)).size == (80, 96)
    kept = list((maps / "reviews/thumbnails").iterdir())
    assert len(kept) == 1
    client.patch("/api/subjects/0/mask?version=0", content=whole(1))
    second = client.get("/api/subjects/0/thumbnail?v=1")
    assert second.content != first.content
    assert second.content == client.get("/api/subjects/0/thumbnail?v=1").content


def test_a_browser_asks_whether_the_thumbnail_that_it_keeps_is_still_right(visit, maps):
    client = visit(maps)
    first = client.get("/api/subjects/0/thumbnail")
    assert "no-cache" in first.headers["cache-control"]
    kept = {"if-none-match": first.headers["etag"]}
    again = client.get("/api/subjects/0/thumbnail", headers=kept)
    assert (again.status_code, again.content) == (304, b"")
    client.patch("/api/subjects/0/mask?version=0", content=whole(1))
    other = client.get("/api/subjects/0/thumbnail", headers=kept)
    assert other.status_code == 200
    assert other.content != first.content


@pytest.mark.parametrize(
    "names",
    [None, ["blue", "green", "red", "near infrared"], ["red", "green", "blue", "nir"],
     ["near infrared", "red", "green", "blue"]],
)  # fmt: skip
def test_a_card_has_the_colours_of_the_large_picture(visit, kelp_once, tmp_path, names):
    """Whatever predict drew its overlays in: the page has one rule for both."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "set"
    blocks = rng.integers(0, 4000, (4, 6, 5)).astype(np.uint16).repeat(16, 1).repeat(16, 2)
    images.write_image(folder / "images/a.tif", blocks)
    images.write_mask(folder / "masks/a.png", np.zeros((96, 80), np.uint8))
    declared = {} if names is None else {"channels": names}
    write_toml(folder / "dataset.toml", {"foreground": "kelp", **declared}, says="of the tests")
    maps = write_maps(Dataset.open(folder), tmp_path / "maps")
    swapped = np.zeros((96, 80, 3), np.uint8)
    write_bytes(maps / "overlays/a.png", pictures.to_png_bytes(swapped))
    client = visit(maps)
    usual = client.get("/api/subjects/0").json()["combinations"][0]["bands"]
    red = 2 if names is None else names.index("red")
    assert usual[0] == red
    bands = ",".join(map(str, usual))
    tile = client.get(f"/api/subjects/0/tile/0/0/0?bands={bands}")
    large = np.asarray(Image.open(io.BytesIO(tile.content))).astype(int)
    card = client.get("/api/subjects/0/thumbnail")
    small = np.asarray(Image.open(io.BytesIO(card.content))).astype(int)
    inner = np.ix_(range(8, 96, 16), range(8, 80, 16))
    assert np.abs(large[inner] - small[inner]).max() < 12, "but for what JPEG takes"


def test_the_page_says_what_it_would_make_and_then_makes_it(visit, maps):
    client = visit(maps)
    state = {"note": ""}
    client.patch("/api/subjects/1/mask?version=0", content=whole(1))
    for number, version, decision in ((0, 0, "accepted"), (1, 1, "accepted"), (2, 0, "rejected")):
        verdict = state | {"version": version, "decision": decision}
        assert client.put(f"/api/subjects/{number}/review", json=verdict).status_code == 200
    plan = client.get("/api/dataset").json()
    path = str(maps.resolve() / "reviewed")
    assert plan == {
        "path": path, "exists": False, "total": 8,
        "accepted": 1, "corrected": 1, "rejected": 1, "open": 5, "problems": 0,
    }  # fmt: skip
    assert not (maps / "reviewed").exists(), "asking makes nothing"
    made = client.post("/api/dataset").json()
    assert (made["path"], made["count"]) == (path, 2)
    assert made["next"].startswith("crosspatch prepare ")
    assert "--recipe windows --out" in made["next"]
    assert client.get("/api/dataset").json()["exists"]


def test_the_page_makes_a_data_set_of_what_was_accepted(visit, maps):
    client = visit(maps)
    nothing = client.post("/api/dataset")
    assert nothing.status_code == 422
    assert "no mask was accepted" in nothing.json()["message"]
    verdict = {"version": 0, "decision": "accepted", "note": ""}
    client.put("/api/subjects/0/review", json=verdict)
    assert client.post("/api/dataset").json()["count"] == 1
    assert (maps / "reviewed/dataset.toml").is_file()


def test_the_page_asks_nobody_else(visit, maps):
    client = visit(maps)
    page = client.get("/").text
    names = [name for name in ("main.js", "style.css", "icon.svg") if f"/static/{name}" in page]
    assert len(names) == 3
    folder = module.package_files("crosspatch.reviewing") / "static"
    for one in folder.iterdir():
        served = client.get(f"/static/{one.name}")
        assert served.status_code == 200, one.name
        addresses = served.text.replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in addresses.replace("http: ", ""), one.name
        assert "https:" not in addresses, one.name
        assert "innerHTML" not in served.text, "names of others become text, never HTML"
    assert HOST not in page
