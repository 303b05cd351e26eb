"""A review that is running, and what a person does to its page in a browser."""

import json
import shutil
import threading

import numpy as np
import pytest

from crosspatch import images
from crosspatch.reviewing.store import LOG
from crosspatch.workflows.review import review

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for path in map(shutil.which, NAMES) if path), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt install chromium)")

WIDTH, HEIGHT = 80, 96  # of the images
COLOURS = """([width, height]) => {
  // What the screen shows at the centre of every pixel of the image, when all of it is in sight.
  const canvas = document.querySelector('#pane .layer'), pane = document.querySelector('#pane');
  const fits = canvas.width === pane.clientWidth && canvas.height === pane.clientHeight;
  if (!fits) return null; // a notice has come or gone just now; the next frame is drawn anew
  const scale = Math.min((pane.clientWidth - 24) / width, (pane.clientHeight - 24) / height);
  const left = (pane.clientWidth - width * scale) / 2;
  const top = (pane.clientHeight - height * scale) / 2;
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let shown = '';
  for (let row = 0; row < height; row++) for (let col = 0; col < width; col++) {
    const x = Math.floor(left + (col + 0.5) * scale);
    const y = Math.floor(top + (row + 0.5) * scale);
    const at = 4 * (y * canvas.width + x);
    const [red, green, blue, alpha] = data.subarray(at, at + 4);
    const orange = red === 230 && green === 159 && blue === 0 && alpha === 255;
    const hatched = alpha > 50 && red > 0 && red === green && green === blue;
    shown += orange ? 'o' : hatched ? '?' : '.';
  }
  return shown;
}"""


class Served:
    """A review that is running, as somebody started it in a terminal."""

    def __init__(self, folder, port=0, who="anna"):
        ready = threading.Event()

        def note(link, desk):
            self.link, self.desk = link, desk
            ready.set()

        def keep(server):
            self.server = server

        self.folder = folder
        self.thread = threading.Thread(
            target=review, args=(folder,),
            kwargs={"port": port, "who": who, "ready": note, "started": keep}, daemon=True,
        )  # fmt: skip
        self.thread.start()
        assert ready.wait(60)
        self.port = int(self.link.split(":")[2].split("/")[0])

    def stop(self):
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive()

    def on_disk(self, name):
        return images.read_mask(self.folder / "reviews/masks" / f"{name}.png")

    def lines(self):
        return [
            json.loads(line) for line in (self.folder / "reviews" / LOG).read_text().splitlines()
        ]


def show(page, number):
    page.evaluate(f"location.hash = '#/{number}'")
    page.wait_for_selector(f"body[data-shown='{number}']")


def saved(page):
    page.wait_for_selector("#saved.good")


def at(page, row, col):
    """Where the centre of a pixel of the image is on the screen."""
    box = page.locator("#pane").bounding_box()
    scale = min((box["width"] - 24) / WIDTH, (box["height"] - 24) / HEIGHT)
    x = box["x"] + box["width"] / 2 + (col + 0.5 - WIDTH / 2) * scale
    y = box["y"] + box["height"] / 2 + (row + 0.5 - HEIGHT / 2) * scale
    return x, y


def drag(page, *places):
    page.bring_to_front()  # a tab behind another one draws once a second
    page.mouse.move(*at(page, *places[0]))
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*at(page, *place), steps=6)
    page.mouse.up()


def on_screen(page):
    """The mask as a person sees it, from the colours of the canvas: 0, 1, 255; (H, W)."""
    page.bring_to_front()
    page.locator("#opacity").fill("1")  # the tint as opaque as the outline
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    shown = page.wait_for_function(COLOURS, arg=[WIDTH, HEIGHT]).json_value()
    seen = np.array([{"o": 1, "?": 255, ".": 0}[sign] for sign in shown], np.uint8)
    return seen.reshape(HEIGHT, WIDTH)


def name_of(served, number):
    return served.desk.material.items[number].name


def original(served, number):
    return images.read_mask(served.folder / "masks" / f"{name_of(served, number)}.png")
