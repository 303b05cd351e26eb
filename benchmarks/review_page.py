"""The review page's promises, in headless Chromium: the next subject, ten thousand, 8,192 pixels.

Needs Chromium and the extras ``review`` and ``test``::

    python benchmarks/review_page.py [--repeats 15] [--subjects 10000] [--side 8192]
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from _bench import describe_machine, write_results
from crosspatch import images
from crosspatch.crops.generated import generate
from crosspatch.files import write_toml
from crosspatch.prediction.folder import Predicted, write_tables
from crosspatch.workflows.review import review

NEXT = "next subject, 350 x 350, from key to drawn"
FRAME = "longest frame while scrolling all subjects in the grid"
TYPICAL = "median frame likewise"
OPEN = "large image, from click to drawn"
STROKE = "large image, from the end of a stroke to saved on disk"
AT_MOST = {NEXT: 100.0}  # milliseconds, at the median

STEP = """(number) => new Promise(done => {
  const start = performance.now();
  new MutationObserver((_, observer) => {
    if (document.body.dataset.shown !== String(number)) return;
    observer.disconnect();
    requestAnimationFrame(() => done(performance.now() - start));
  }).observe(document.body, { attributes: true });
  dispatchEvent(new KeyboardEvent('keydown', { key: 'n' }));
})"""
SCROLL = """() => new Promise(done => {
  const grid = document.getElementById('grid'), frames = [];
  let last = performance.now();
  const step = (now) => {
    frames.push(now - last);
    last = now;
    grid.scrollTop += grid.clientHeight / 3;
    if (grid.scrollTop + grid.clientHeight < grid.scrollHeight - 2 && frames.length < 600) {
      return requestAnimationFrame(step);
    }
    done(frames.slice(1));
  };
  requestAnimationFrame(step);
})"""


@contextmanager
def page_of(folder: Path) -> Iterator[Page]:
    """Serve a folder and open its page."""
    ready, got = threading.Event(), {}

    def note(link: str, desk: Any) -> None:
        got["link"] = link
        ready.set()

    options = {"port": 0, "ready": note, "started": lambda server: got.update(server=server)}
    thread = threading.Thread(target=review, args=(folder,), kwargs=options, daemon=True)
    thread.start()
    ready.wait()
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1360, "height": 860})
        page.set_default_timeout(180_000)
        page.goto(got["link"])
        page.wait_for_selector(".card.loaded")
        yield page
        browser.close()
    got["server"].should_exit = got["server"].force_exit = True
    thread.join()


def open_subject(page: Page, number: int) -> float:
    """Open a subject; return the milliseconds until it is drawn."""
    return float(page.evaluate(
        """(number) => new Promise(done => {
          const start = performance.now();
          new MutationObserver((_, observer) => {
            if (document.body.dataset.shown !== String(number)) return;
            observer.disconnect();
            requestAnimationFrame(() => done(performance.now() - start));
          }).observe(document.body, { attributes: true });
          location.hash = `#/${number}`;
        })""",
        number,
    ))  # fmt: skip


def many(folder: Path, subjects: int) -> Path:
    """Write predictions of 24 images, listed again and again."""
    kelp = generate("kelp", folder / "kelp", subjects=24, seed=1)
    rows = []
    for number in range(subjects):
        subject = kelp.subjects[number % len(kelp.subjects)]
        name, mask = f"subject {number:05d}", f"masks/{subject.name}.png"
        if number < len(kelp.subjects):
            images.write_mask(folder / "maps" / mask, kelp.read_mask(subject))
        rows.append(Predicted(name, str(subject.image), 350, 350, 1, 0.1, 0.1, 0.0, mask))
    return tables(folder / "maps", rows)


def large(folder: Path, side: int) -> Path:
    """Write one image of ``side`` pixels a side, three channels, and its mask."""
    noise = np.random.default_rng(0).integers(0, 255, (3, side // 32, side // 32)).astype(np.uint8)
    pixels = noise.repeat(32, 1).repeat(32, 2)
    images.write_image(folder / "large.png", pixels)
    images.write_mask(folder / "maps/masks/large.png", (pixels[0] > 128).astype(np.uint8))
    row = Predicted(
        "large", str(folder / "large.png"), side, side, 1, 0.5, 0.5, 0.0, "masks/large.png"
    )
    return tables(folder / "maps", [row])


def tables(maps: Path, rows: list[Predicted]) -> Path:
    """Finish a predictions folder."""
    write_tables(maps, rows, [])
    write_toml(maps / "predictions.toml", {"foreground": ["kelp"]}, says="for a benchmark")
    return maps


def measure(repeats: int, subjects: int, side: int) -> dict[str, list[float]]:
    """Return milliseconds of every case."""
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        with page_of(many(Path(folder) / "many", subjects)) as page:
            frames = page.evaluate(SCROLL)
            times[FRAME], times[TYPICAL] = [max(frames)], frames
            open_subject(page, 0)
            times[NEXT] = []
            for number in range(1, repeats + 1):
                page.wait_for_load_state("networkidle")
                page.wait_for_timeout(300)
                times[NEXT].append(float(page.evaluate(STEP, number)))
        with page_of(large(Path(folder) / "large", side)) as page:
            times[OPEN] = [open_subject(page, 0)]
            box = page.locator("#pane").bounding_box()
            times[STROKE] = []
            for number in range(repeats):
                x, y = box["x"] + box["width"] / 2 - 150 + 20 * number, box["y"] + 300
                page.mouse.move(x, y)
                page.mouse.down()
                page.mouse.move(x, y + 100, steps=4)
                page.evaluate("window.began = performance.now()")
                page.mouse.up()
                page.wait_for_selector("#saved.good", state="attached")
                times[STROKE].append(float(page.evaluate("performance.now() - window.began")))
    return times


def main() -> int:
    """Measure, write the results, and fail where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--subjects", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=8192)
    asked = parser.parse_args()
    if shutil.which("chromium") is None:
        print("not measured: needs Chromium (apt install chromium)")
        return 0
    times = measure(asked.repeats, asked.subjects, asked.side)
    rows = [
        {
            "case": case, "median_ms": f"{statistics.median(values):.1f}",
            "fastest_ms": f"{min(values):.1f}", "slowest_ms": f"{max(values):.1f}",
            "repeats": len(values), "at_most_ms": AT_MOST.get(case, ""),
        }
        for case, values in times.items()
    ]  # fmt: skip
    write_results(
        "review_page",
        f"The next subject is drawn **{statistics.median(times[NEXT]):.0f} ms** after the key "
        f"(at most {AT_MOST[NEXT]:.0f} ms); scrolling {asked.subjects:,} subjects, the longest "
        f"frame takes {times[FRAME][0]:.0f} ms.",
        rows,
        describe_machine("fastapi", "uvicorn", "playwright", "crosspatch"),
        [
            f"{asked.repeats} repeats in headless Chromium, window 1360 x 860, no graphics card; "
            f"server and browser share the machine. Large image: {asked.side} x {asked.side}."
        ],
    )
    for row in rows:
        print(f"{row['median_ms']:>8} ms  {row['case']}")
    return 0 if all(statistics.median(times[case]) <= most for case, most in AT_MOST.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
