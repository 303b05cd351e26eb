"""Small folders to review, by the program's own writers, and a browser's way to ask for them."""

import csv
import os

import numpy as np
import pytest
from scipy import ndimage
from starlette.testclient import TestClient

from browsing import CHROMIUM, Served, show
from crosspatch import images
from crosspatch.crops.generated import generate
from crosspatch.files import write_bytes, write_toml
from crosspatch.images import pictures
from crosspatch.prediction.folder import Predicted, write_tables
from crosspatch.reviewing.app import make_app
from crosspatch.reviewing.desk import Desk
from crosspatch.reviewing.material import open_material
from crosspatch.reviewing.store import FOLDER, Store

MODEL = "0123456789abcdef" * 4
TOKEN = "a-token-of-the-tests"
PORT = 8765
HOST = f"http://127.0.0.1:{PORT}"


def blurred(mask, seed):
    """A probability that is nearly the mask: moved, noisy, smooth."""
    noise = np.random.default_rng(seed).normal(0, 0.4, mask.shape)
    near = ndimage.gaussian_filter(np.roll(mask == 1, (2, -3), (0, 1)) + noise, 2)
    return near.clip(0, 1).astype(np.float32)


def write_maps(dataset, out):
    """Write a predictions folder of a data set's images, as `crosspatch predict` does."""
    rows = []
    for number, subject in enumerate(dataset.subjects):
        name, pixels = subject.name, dataset.read_image(subject).pixels
        height, width = pixels.shape[1:]
        drawn = dataset.read_mask(subject) if subject.mask else np.zeros((height, width), "u1")
        probability = blurred(drawn, number)
        mask = (probability >= 0.5).astype(np.uint8)
        picture = pictures.overlay(pictures.to_rgb(pixels, dataset.channel_names), mask)
        images.write_mask(out / f"masks/{name}.png", mask)
        images.write_image(out / f"probabilities/{name}.tif", probability[np.newaxis])
        write_bytes(out / f"overlays/{name}.png", pictures.to_png_bytes(picture))
        rows.append(
            Predicted(
                name, str(subject.image), height, width, 1, float(mask.mean()),
                float(probability.mean()), 0.0, f"masks/{name}.png",
            )
        )  # fmt: skip
    write_tables(out, rows, [])
    table = {"model_fingerprint": MODEL, "foreground": ["kelp"], "threshold": 0.5}
    write_toml(out / "predictions.toml", table, says="masks of the tests")
    return out


@pytest.fixture(scope="session")
def kelp_once(tmp_path_factory):
    """Six labelled subjects of three scenes, two unlabelled; 96 x 80 pixels."""
    folder = tmp_path_factory.mktemp("kelp") / "kelp"
    return generate("kelp", folder, subjects=6, unlabelled=2, per_scene=2, size=(96, 80), seed=3)


@pytest.fixture(scope="session")
def maps_once(kelp_once, tmp_path_factory):
    return write_maps(kelp_once, tmp_path_factory.mktemp("maps") / "maps")


@pytest.fixture
def maps(maps_once, tmp_path):
    """A predictions folder to write into."""
    import shutil

    shutil.copytree(maps_once, tmp_path / "maps")
    return tmp_path / "maps"


@pytest.fixture
def open_desk():
    """Open a folder as `crosspatch review` does."""

    def open_(folder, who="anna", **options):
        material = open_material(folder, **options)
        return Desk(material, Store(material.path / FOLDER, who=who, model=material.model))

    return open_


@pytest.fixture
def visit(open_desk):
    """Ask the page's server as the page does: with the cookie, from its own origin."""

    def visit_(folder, *, letting_in=True, **options):
        desk = open_desk(folder, **options)
        app = make_app(desk, token=TOKEN, port=PORT)
        client = TestClient(app, base_url=HOST, headers={"origin": HOST})
        if letting_in:
            assert client.get("/", params={"token": TOKEN}).status_code == 200
        client.desk = desk
        return client

    return visit_


@pytest.fixture
def rewrite():
    """Change rows of a CSV table in place."""

    def rewrite_(path, change):
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        columns = list(rows[0])
        for row in rows:
            change(row)
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, columns)
            table.writeheader()
            table.writerows(rows)

    return rewrite_


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with sync_api.sync_playwright() as player:
        root = hasattr(os, "getuid") and os.getuid() == 0
        started = player.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"] if root else []
        )
        yield started
        started.close()


@pytest.fixture
def served(maps):
    running = Served(maps)
    yield running
    running.stop()


@pytest.fixture
def tab(browser):
    """Open the page in a browser of its own; errors in it are errors of the test."""
    contexts, wrong = [], []

    def tab_(served, context=None, path="", **options):
        if context is None:
            context = browser.new_context(viewport={"width": 1200, "height": 800}, **options)
            contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(served.link)
        page.wait_for_selector(".card, #said:not([hidden])")
        if path:
            show(page, int(path))
        return page

    yield tab_
    for context in contexts:
        context.close()
    assert wrong == []
