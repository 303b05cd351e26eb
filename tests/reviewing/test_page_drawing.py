"""Drawing in a real browser: what the screen shows is what the disk holds."""

import numpy as np

from browsing import at, drag, name_of, needs_browser, on_screen, original, saved, show
from crosspatch import images

pytestmark = needs_browser


def test_draw_erase_undo_accept_reload_and_the_disk_holds_what_the_screen_showed(served, tab):
    page = tab(served)
    page.locator("#grid").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-shown='0']")
    assert np.array_equal(on_screen(page), original(served, 0))
    page.keyboard.press("b")
    drag(page, (20, 10), (20, 60), (60, 60))
    drawn = on_screen(page)
    assert drawn[20, 30] == drawn[40, 60] == 1
    page.keyboard.press("e")
    drag(page, (40, 5), (40, 75))
    erased = on_screen(page)
    assert not erased[40, 10:70].any()
    drag(page, (70, 5), (70, 75))
    page.keyboard.press("z")
    assert np.array_equal(on_screen(page), erased)
    saved(page)
    before = on_screen(page)
    page.keyboard.press("a")
    page.wait_for_selector("body[data-shown='1']")
    page.reload()
    page.wait_for_selector("body[data-shown='1']")
    show(page, 0)
    assert np.array_equal(on_screen(page), before)
    assert np.array_equal(served.on_disk(name_of(served, 0)), before)
    assert page.locator("#state").inner_text() == "✎ Corrected"
    assert served.lines()[-1] | {"time": ""} == {
        "time": "", "who": "anna", "subject": name_of(served, 0), "version": 5,
        "what": "decision", "decision": "accepted", "corrected": True, "threshold": None,
        "note": "", "model": "0123456789abcdef" * 4,
    }  # fmt: skip


def test_everything_can_be_done_by_keyboard_alone(served, tab):
    page = tab(served)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-shown='1']")
    page.keyboard.press("b")
    page.keyboard.press("Space")
    for _ in range(12):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("g")
    page.keyboard.press("x")  # background
    for keys in (["ArrowUp"] * 2, ["ArrowLeft"] * 3, ["ArrowDown"] * 4):
        page.keyboard.press("Space")
        for key in keys:
            page.keyboard.press(f"Shift+{key}")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    saved(page)
    seen = on_screen(page)
    page.locator("#pane").focus()
    page.keyboard.press("w")
    page.keyboard.type("by keys only")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.wait_for_selector("body[data-shown='2']")
    page.wait_for_timeout(450)  # a look at it
    page.keyboard.press("r")
    page.wait_for_selector("body[data-shown='3']")
    page.keyboard.press("Escape")
    page.wait_for_selector("#overview:not([hidden])")
    states = served.desk.store.states
    assert states[name_of(served, 1)].note == "by keys only"
    assert states[name_of(served, 2)].decision == "rejected"
    disk = served.on_disk(name_of(served, 1))
    assert np.array_equal(disk, seen)
    assert not np.array_equal(disk, original(served, 1))
    assert page.evaluate("document.activeElement.id") == "grid"


def test_polygon_fill_and_ignored_reach_the_disk(served, tab):
    page = tab(served, path="0")
    page.keyboard.press("g")
    for row, col in ((10, 10), (10, 70), (80, 70), (80, 10)):
        page.mouse.click(*at(page, row, col))
    page.mouse.click(*at(page, 10, 10))  # on the first corner: closed
    page.locator("[data-paints=ignored]").click()
    page.keyboard.press("f")
    page.mouse.click(*at(page, 40, 40))
    saved(page)
    disk = served.on_disk(name_of(served, 0))
    assert (disk[11:80, 11:70] == 255).all()
    assert np.array_equal(on_screen(page), disk)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    saved(page)
    assert np.array_equal(served.on_disk(name_of(served, 0)), original(served, 0))
    assert not served.desk.store.state(name_of(served, 0)).corrected
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("Control+y")
    saved(page)
    assert np.array_equal(served.on_disk(name_of(served, 0)), disk)


def test_the_threshold_moves_what_nobody_drew(served, tab):
    page = tab(served, path="0")
    drag(page, (50, 5), (50, 75))
    painted = on_screen(page) != original(served, 0)
    page.keyboard.press("t")
    for _ in range(15):
        page.keyboard.press("ArrowLeft")
    saved(page)
    path = served.folder / "probabilities" / f"{name_of(served, 0)}.tif"
    lower = images.read_image(path).pixels[0] >= np.float32(0.35)
    disk = served.on_disk(name_of(served, 0))
    assert page.locator("#threshold-says").inner_text() == "0.35"
    assert served.desk.store.state(name_of(served, 0)).threshold == 0.35
    assert (disk[painted] == 1).all()
    brushed = np.zeros_like(painted)
    brushed[43:57] = True  # where the brush may have painted what was object already
    assert np.array_equal(disk[~brushed] == 1, lower[~brushed])
    assert np.array_equal(on_screen(page), disk)
    page.locator("#as-predicted").click()
    saved(page)
    back = served.on_disk(name_of(served, 0))
    assert np.array_equal(back[~brushed], original(served, 0)[~brushed])
    assert (back[painted] == 1).all()


def test_wheel_and_two_fingers_zoom_and_pan(served, tab):
    page = tab(served, path="0", has_touch=True)
    page.keyboard.press("v")

    def row_under(x, y):
        page.mouse.move(x, y)
        return page.locator("#readout").inner_text().split(" ·")[0]

    middle = at(page, 48, 40)
    assert row_under(*middle) == "row 48, column 40"
    page.mouse.wheel(0, -600)
    assert row_under(*middle) == "row 48, column 40"
    off = row_under(middle[0] + 100, middle[1])
    col = int(off.split("column ")[1])
    assert 40 < col < 40 + 100 / 7, "100 screen pixels are fewer pixels of the image than before"
    page.keyboard.press("0")
    drag(page, (48, 40), (58, 50))
    assert row_under(*at(page, 58, 50)) == "row 48, column 40"
    page.keyboard.press("0")
    touch = page.context.new_cdp_session(page)

    def fingers(kind, *points):
        places = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    x, y = at(page, 48, 40)
    fingers("touchStart", (x - 40, y))
    fingers("touchStart", (x - 40, y), (x + 40, y))
    fingers("touchMove", (x - 160, y), (x + 160, y))
    fingers("touchEnd")
    assert row_under(*middle) == "row 48, column 40"
    zoomed = int(row_under(middle[0] + 100, middle[1]).split("column ")[1])
    assert 40 < zoomed < 40 + 100 / 20
    assert served.desk.store.states == {}, "two fingers draw nothing"


def test_a_finger_draws(served, tab):
    page = tab(served, path="0", has_touch=True)
    touch = page.context.new_cdp_session(page)
    for kind, place in (("touchStart", (20, 10)), ("touchMove", (20, 60))):
        x, y = at(page, *place)
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    saved(page)
    assert (served.on_disk(name_of(served, 0))[20, 10:60] == 1).all()


BRUTE_FORCE = """async () => {
  // Strokes and polygons against the definition, pixel by pixel: how many came out different?
  const { stroke, polygon } = await import('/static/shapes.js');
  const width = 40, height = 30;
  let seed = 1;
  const random = (most) => ((seed = (seed * 48271) % 2147483647) / 2147483647) * most;
  const drawn = (draw) => {
    const pixels = new Uint8Array(width * height);
    draw((row, first, last) => {
      if (row < 0 || row >= height) return;
      for (let col = Math.max(first, 0); col <= Math.min(last, width - 1); col++) {
        pixels[row * width + col] = 1;
      }
    });
    return pixels;
  };
  const distance = (x, y, [ax, ay, bx, by]) => {
    const dx = bx - ax, dy = by - ay, t = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy);
    const near = Math.min(Math.max(t, 0), 1);
    return Math.hypot(x - ax - near * dx, y - ay - near * dy);
  };
  const winding = (x, y, points) => points.reduce((sum, [ax, ay], i) => {
    const [bx, by] = points[(i + 1) % points.length];
    const side = (bx - ax) * (y - ay) - (x - ax) * (by - ay);
    if (ay <= y && by > y && side > 0) return sum + 1;
    return by <= y && ay > y && side < 0 ? sum - 1 : sum;
  }, 0);
  let different = 0, covered = 0;
  for (let round = 0; round < 400; round++) {
    const line = [random(50) - 5, random(40) - 5, random(50) - 5, random(40) - 5];
    const radius = random(8);
    const tip = Math.floor(line[3]) * width + Math.floor(line[2]);
    const strokes = drawn((emit) => stroke(...line, radius, emit));
    const points = Array.from({ length: 3 + (round % 5) }, () => [random(50) - 5, random(40) - 5]);
    const inside = drawn((emit) => polygon(points, emit));
    for (let i = 0; i < width * height; i++) {
      const x = (i % width) + 0.5, y = Math.floor(i / width) + 0.5;
      if (i !== tip && strokes[i] !== Number(distance(x, y, line) <= radius)) different++;
      if (inside[i] !== Number(winding(x, y, points) !== 0)) different++;
      covered += strokes[i] + inside[i];
    }
  }
  return [different, covered];
}"""


def test_strokes_and_polygons_cover_the_pixels_whose_centre_they_hold(served, tab):
    different, covered = tab(served).evaluate(BRUTE_FORCE)
    assert different == 0
    assert covered > 50_000
