"""The page as people meet it: many subjects, the next one at once, names, colours."""

import numpy as np
import pytest

from browsing import Served, needs_browser, saved, show
from crosspatch import images

pytestmark = needs_browser


FETCHED = """number => ['tile', 'mask', 'probability'].every(
    what => performance.getEntriesByType('resource').some(
        one => one.name.includes(`/subjects/${number}/${what}`) && one.responseEnd))"""


def test_the_next_subject_is_there_at_once(served, tab):
    """It was fetched ahead; how long it takes to appear is for a benchmark (see the docs)."""
    page = tab(served, path="0")
    late = []
    page.on("request", lambda request: late.append(request.url))
    for number in range(1, 6):
        page.wait_for_function(FETCHED, arg=number)
        page.wait_for_load_state("networkidle")
        late.clear()
        page.keyboard.press("n")
        page.wait_for_selector(f"body[data-shown='{number}']")
        assert not [url for url in late if f"/subjects/{number}/" in url]


def test_ten_thousand_subjects_are_a_few_cards(maps, tab, rewrite):
    row = (maps / "predictions.csv").read_text().splitlines()
    first = row[1].split(",")
    many = [",".join([f"subject {n:05d}", *first[1:]]) for n in range(10_000)]
    (maps / "predictions.csv").write_text("\n".join([row[0], *many]) + "\n")
    served = Served(maps)
    try:
        page = tab(served)
        assert page.locator("#count-all").inner_text() == "10,000"
        assert page.locator(".card").count() < 60
        page.evaluate("document.getElementById('grid').scrollTop = 1e9")
        page.wait_for_selector("text=subject 09999")
        page.wait_for_selector(".card.loaded")
        assert page.locator(".card").count() < 60
        page.locator("#search").fill("04321")
        page.wait_for_selector("text=subject 04321")
        assert page.locator(".card").count() == 1
        page.locator("#grid").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("body[data-shown='4321']")
    finally:
        served.stop()


@pytest.mark.parametrize("size", [(1360, 860), (820, 1180)], ids=["desktop", "tablet"])
def test_the_page_says_what_the_masks_are_of_where_it_asks(served, tab, size):
    page = tab(served)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    assert "“kelp”" in page.locator("#how").inner_text()
    assert page.locator("#progress-says").inner_text() == "0 of 8 done"
    show(page, 0)
    assert page.locator("#question").inner_text().startswith("Does the colour cover “kelp”")
    assert page.locator("#object-says").inner_text() == "kelp"
    for name in ("Brush", "Eraser", "Undo"):  # a finger cannot hover for a title
        assert page.locator("#rail").get_by_text(name, exact=True).is_visible()
    boxes = [page.locator(which).bounding_box() for which in ("#reject", "#accept")]
    assert boxes[0]["y"] == boxes[1]["y"]


def test_every_control_has_a_name(served, tab):
    page = tab(served, path="0")
    nameless = page.evaluate("""() =>
      [...document.querySelectorAll('button, input, select, textarea')]
      .filter((one) => !one.textContent.trim() && !one.ariaLabel && !one.labels?.length)
      .map((one) => one.outerHTML)""")
    assert nameless == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(served, tab, scheme):
    page = tab(served, path="0", color_scheme=scheme)
    ratio = page.evaluate("""() => {
      const style = getComputedStyle(document.documentElement);
      const luminance = (name) => {
        const hex = style.getPropertyValue(name).trim().slice(1);
        const [r, g, b] = [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255)
          .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const pair = (a, b) => {
        const [x, y] = [luminance(a), luminance(b)].sort((m, n) => n - m);
        return (x + 0.05) / (y + 0.05);
      };
      return Object.fromEntries([['--ink', '--card'], ['--ink', '--paper'],
        ['--soft', '--card'], ['--soft', '--paper'], ['--on-accent', '--accent'],
        ['--bad', '--card'], ['--good', '--card'],
        ['--edit', '--card']].map(([a, b]) => [a + b, pair(a, b)]));
    }""")
    assert min(ratio.values()) >= 4.5, ratio


@pytest.mark.slow
def test_an_image_of_8192_pixels_a_side_is_seen_by_tiles_and_changed_by_blocks(tmp_path, tab):
    side = 8192
    folder = tmp_path / "scene"
    pixels = np.zeros((side, side), np.uint8)
    pixels[4096:, :] = 200
    images.write_image(folder / "images/large.png", pixels[np.newaxis])
    mask = np.zeros((side, side), np.uint8)
    mask[:2048] = 1
    images.write_mask(folder / "masks/large.png", mask)
    served = Served(folder)
    try:
        page = tab(served)
        asked, sent = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("request", lambda request: sent.append(len(request.post_data_buffer or b"")))
        page.set_default_timeout(120_000)
        show(page, 0)
        page.wait_for_load_state("networkidle")
        tiles = [url for url in asked if "/tile/" in url]
        assert 0 < len(tiles) <= 21, "all of it in sight needs no tile of full size"
        box = page.locator("#pane").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.wheel(0, -2500)  # about 40 times larger
        page.mouse.down()
        page.mouse.move(x + 200, y, steps=4)
        page.mouse.up()
        saved(page)
        disk = served.on_disk("large")
        changed = disk != mask
        rows, columns = np.nonzero(changed)
        assert changed.any()
        assert (disk[changed] == 1).all()
        assert 4000 < rows.min() <= rows.max() < 4200, "the brush was in the middle"
        assert 4050 < columns.min() <= columns.max() < 4400
        assert 0 < sum(sent) < 100_000, "only the blocks under the brush were sent"
        assert len([url for url in asked if "/tile/0/" in url]) <= 16
    finally:
        served.stop()
