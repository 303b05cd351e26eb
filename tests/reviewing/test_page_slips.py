"""Slips of a hand on the page: nothing is lost, what happened is said, and there is a way back."""

import numpy as np

from browsing import (
    at,
    drag,
    name_of,
    needs_browser,
    on_screen,
    original,
    saved,
    show,
)

pytestmark = needs_browser

BUTTONS = ("clear", "reject", "accept", "previous", "next", "back", "pane", "undo", "restore")


def places(page):
    return {which: page.locator(f"#{which}").bounding_box() for which in BUTTONS}


def corners(page, *pairs):
    for pair in pairs:
        page.mouse.click(*at(page, *pair))


def test_a_decision_is_said_can_be_taken_back_and_moves_no_button(served, tab):
    page = tab(served, path="0")
    name = name_of(served, 0)
    before = places(page)
    page.locator("#accept").click()
    page.wait_for_selector("body[data-shown='1']")
    page.wait_for_selector(f"#sign:has-text('✓ Accepted: {name}')")
    assert page.locator("#sign").get_attribute("aria-live") == "polite"
    page.locator("#sign button").click()  # take it back, from where one is now
    page.wait_for_selector(f"#sign:has-text('{name} is to do again')")
    show(page, 0)
    assert served.desk.store.state(name).decision == ""
    assert places(page) == before
    page.keyboard.press("r")
    page.wait_for_selector("body[data-shown='1']")
    assert page.locator("#sign").inner_text().startswith("✕ Rejected")
    show(page, 0)
    saved(page)
    assert places(page) == before, "though it can be taken back now"
    page.locator("#clear").click()
    saved(page)
    assert places(page) == before, "nothing slides under the pointer"
    assert [line["decision"] for line in served.lines()] == ["accepted", "", "rejected", ""]


def test_the_first_mask_comes_back_after_a_reload_and_can_be_undone(served, tab):
    page = tab(served, path="0")
    name = name_of(served, 0)
    assert page.locator("#restore").is_disabled()
    drag(page, (20, 10), (20, 70))
    page.keyboard.press("t")
    page.keyboard.press("ArrowLeft")
    saved(page)
    drawn = served.on_disk(name)
    page.keyboard.press("a")
    page.wait_for_selector("body[data-shown='1']")
    page.reload()
    show(page, 0)
    assert page.locator("#undo").is_disabled()
    page.locator("#restore").click()
    page.wait_for_selector("#sign:has-text('The model\\'s mask is back. It stays accepted.')")
    saved(page)
    state = served.desk.store.state(name)
    assert np.array_equal(on_screen(page), original(served, 0))
    assert np.array_equal(served.on_disk(name), original(served, 0))
    assert (state.decision, state.corrected, state.threshold) == ("accepted", False, None)
    assert page.locator("#state").inner_text() == "✓ Accepted as is"
    page.locator("#sign button").click()
    saved(page)
    assert np.array_equal(served.on_disk(name), drawn)
    assert served.desk.store.state(name).threshold == 0.49


def test_a_fill_says_how_far_it_ran_and_so_does_leaving_what_changed_much(served, tab):
    page = tab(served, path="0")
    first = original(served, 0)
    page.keyboard.press("f")
    corners(page, np.argwhere(first == 0)[0])
    filled = on_screen(page) != first
    said = page.locator("#sign").inner_text()
    assert f"Filled {int(filled.sum()):,} pixels" in said
    assert f"{round(100 * filled.mean())} % of the image" in said
    assert filled.mean() > 0.5
    assert page.locator("#sign.loud").count() == 1
    page.locator("#sign button").click()
    assert np.array_equal(on_screen(page), first)
    assert page.locator("#sign").inner_text() == ""
    page.keyboard.press("y")
    page.keyboard.press("n")
    page.wait_for_selector("body[data-shown='1']")
    name = name_of(served, 0)
    assert f"{name}: {round(100 * filled.mean())} % of it was changed" in (
        page.locator("#sign").inner_text()
    )
    page.locator("#sign button").click()
    page.wait_for_selector("body[data-shown='0']")
    page.keyboard.press("z")
    page.keyboard.press("y")
    page.keyboard.press("a")
    page.wait_for_selector("body[data-shown='1']")
    assert "of it changed" not in page.locator("#sign").inner_text(), "it was said already"


def test_an_open_polygon_waits_for_its_person(served, tab):
    page = tab(served, path="0")
    page.keyboard.press("g")
    corners(page, (10, 10), (10, 70), (80, 70))
    page.keyboard.press("a")
    assert "Enter closes it, Esc drops it" in page.locator("#sign").inner_text()
    assert page.locator("body[data-shown='0']").count() == 1
    page.keyboard.press("n")
    page.wait_for_selector("body[data-shown='1']")
    assert "open polygon is kept" in page.locator("#sign").inner_text()
    page.keyboard.press("Enter")  # this one has none
    assert np.array_equal(on_screen(page), original(served, 1))
    page.locator("#sign button").click()
    page.wait_for_selector("body[data-shown='0']")
    page.keyboard.press("b")  # another tool does not lose it either
    drag(page, (50, 10), (50, 20))
    page.keyboard.press("z")  # the stroke, not a corner
    page.keyboard.press("Enter")
    saved(page)
    assert (served.on_disk(name_of(served, 0))[11:13, 12:69] == 1).all()
    page.keyboard.press("g")
    corners(page, (90, 5), (90, 70))
    page.keyboard.press("Escape")  # drops it, and only that
    assert page.locator("#editor").is_visible()
    page.get_by_role("button", name="Bring it back").click()
    corners(page, (85, 40))
    before = on_screen(page)
    page.keyboard.press("a")
    page.get_by_role("button", name="Close it").click()
    assert on_screen(page)[88, 38:42].tolist() == [1] * 4
    assert not np.array_equal(on_screen(page), before)
    page.keyboard.press("a")
    page.wait_for_selector("body[data-shown='1']")


def test_nothing_lies_on_the_image_that_takes_clicks(served, tab):
    page = tab(served, path="0")
    page.keyboard.press("c")
    page.keyboard.press("f")
    corners(page, np.argwhere(original(served, 0) == 0)[0])  # so that something is said
    hit = page.evaluate("""() => {
      const box = document.querySelector('#pane').getBoundingClientRect(), found = new Set();
      for (let x = 3; x < box.width; x += 20) for (let y = 3; y < box.height; y += 20)
        found.add(document.elementFromPoint(box.x + x, box.y + y).closest('.pane')?.id);
      return [...found];
    }""")
    assert hit == ["pane"]
    frame = "getComputedStyle(document.querySelector('#pane')).outlineStyle"
    assert page.evaluate(frame) == "none", "no frame comes and goes for those who point"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(frame) == "solid", "whoever gets about by keys sees where they are"


MASK = """async () => {
  // Steps of a mask of two blocks: what changed since a mark, and the way back to the first mask.
  const { Mask } = await import('/static/mask.js');
  const first = Uint8Array.from([0, 0, 1, 1, 0, 0, 1, 1]);
  const mask = new Mask(4, 2, 2, first.slice());
  const found = {};
  mask.setProbability(Uint8Array.from([10, 60, 90, 90, 10, 60, 90, 90]), first, null);
  mask.begin(); mask.cut(50); mask.commit();
  mask.begin(); mask.paint(0, 3, 3, 0); mask.commit();
  found.cut = [...mask.pixels];
  found.changed = mask.changed();
  mask.mark();
  found.nothing = mask.changed();
  mask.restore(first);
  found.restored = [...mask.pixels];
  found.threshold = mask.threshold;
  found.again = mask.restore(first);
  mask.undo();
  found.undone = [...mask.pixels];
  found.back = [mask.threshold, mask.changed()];
  mask.begin(); mask.cut(95); mask.commit();
  found.recut = [...mask.pixels];
  // What is drawn hangs together by corners, the background does not.
  const { flood } = await import('/static/shapes.js');
  found.specks = [0, 1].map((corners) => {
    const pixels = Uint8Array.from([1, 0, 0, 0, 1, 0, 0, 0, 1]);
    const clear = (row, from, to) => pixels.fill(0, row * 3 + from, row * 3 + to + 1);
    flood(pixels, 3, 3, 0, 0, corners, clear);
    return pixels.reduce((sum, value) => sum + value);
  });
  return found;
}"""


def test_steps_of_a_mask_are_counted_and_led_back(served, tab):
    found = tab(served).evaluate(MASK)
    assert found["cut"] == [0, 1, 1, 0, 0, 1, 1, 1]
    assert (found["changed"], found["nothing"]) == (3, 0)
    assert found["restored"] == [0, 0, 1, 1, 0, 0, 1, 1]
    assert (found["threshold"], found["again"]) == (None, False)
    assert found["undone"] == found["cut"]
    assert found["back"] == [50, 0]
    assert found["recut"] == [0] * 8
    assert found["specks"] == [2, 0]
