"""The page tells what a tool does, what was done and what is meant, and stops telling in time."""

import numpy as np

from browsing import at, drag, name_of, needs_browser, saved, show

pytestmark = needs_browser

RING = """() => {
  const canvas = document.querySelector('#pane .tools');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const found = { orange: 0, all: 0 };
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] > 0) found.all++;
    if (data[i] === 230 && data[i + 1] === 159 && data[i + 2] === 0) found.orange++;
  }
  return found;
}"""


def click(page, *places):
    for place in places:
        page.mouse.click(*at(page, *place))


PRESS_WHEN_SHOWN = """() => new MutationObserver((_, observer) => {
  if (document.body.dataset.shown !== '1') return;
  observer.disconnect();
  dispatchEvent(new KeyboardEvent('keydown', { key: 'a' }));
  document.body.dataset.pressed = 'a';
}).observe(document.body, { attributes: true })"""
"""A second press at the very moment when the next image appears, however busy the machine is."""


def test_a_decision_holds_until_somebody_means_another(served, tab):
    page = tab(served, path="0")
    sign, names = page.locator("#sign"), [name_of(served, number) for number in range(3)]
    pane = page.locator("#pane").bounding_box()
    page.locator("#threshold").focus()
    page.evaluate(PRESS_WHEN_SHOWN)  # nobody can have seen it yet
    page.keyboard.press("a")
    page.wait_for_selector("body[data-pressed]")
    page.wait_for_selector(f"#sign:has-text('✓ Accepted: {names[0]}')")
    assert page.evaluate("document.activeElement.id") == "pane"
    page.wait_for_timeout(450)
    page.keyboard.press("u")  # as the button says, though this image is not decided
    page.wait_for_selector(f"#sign:has-text('{names[0]} is to do again')")
    assert page.locator("#pane").bounding_box() == pane, "the image stays where it is"
    page.keyboard.down("r")
    page.wait_for_selector("body[data-shown='2']")
    page.wait_for_timeout(450)
    page.keyboard.down("r")  # held: the browser repeats it
    page.wait_for_selector(f"#sign:has-text('✕ Rejected: {names[1]}')")
    page.keyboard.up("r")
    assert page.locator("body[data-shown='2']").count() == 1
    drag(page, (20, 10), (20, 30))
    assert sign.inner_text() == "", "something else was done"
    page.keyboard.press("a")
    page.wait_for_selector(f"#sign:has-text('Accepted: {names[2]}')")
    page.keyboard.press("Escape")
    page.wait_for_selector("#overview:not([hidden])")
    show(page, 1)
    assert sign.inner_text() == "", "this is another image, and was chosen anew"
    assert "rejected" in page.locator("#advice").inner_text()
    drag(page, (20, 10), (20, 70))
    page.wait_for_selector("#sign:has-text('an image that is rejected; it stays rejected')")
    show(page, 2)
    drag(page, (50, 10), (50, 70))
    page.wait_for_selector("#sign:has-text('it stays accepted, now as corrected')")
    saved(page)
    assert page.locator("#pane").bounding_box() == pane, "whatever is said below it"
    after = served.on_disk(names[2])
    sign.get_by_role("button", name="Undo").click()
    saved(page)
    assert not np.array_equal(served.on_disk(names[2]), after)
    states = [served.desk.store.state(name).decision for name in names]
    assert states == ["", "rejected", "accepted"]


def test_tools_say_what_they_do_and_nothing_of_one_image_is_said_of_another(served, tab):
    page = tab(served, path="0")
    sign, hint = page.locator("#sign"), page.locator("#hint")
    page.mouse.move(*at(page, 48, 40))
    assert page.evaluate(RING)["orange"] > 20, "the ring has the colour of what it paints"
    page.keyboard.press("e")
    erasing = page.evaluate(RING)
    assert erasing["orange"] == 0
    assert erasing["all"] > 20
    page.keyboard.press("f")
    assert hint.inner_text().startswith("Fill paints the whole area of one kind that you click")
    page.keyboard.press("x")
    assert "“background”" in hint.inner_text()
    page.keyboard.press("n")
    page.wait_for_selector("body[data-shown='1']")
    assert page.locator("#paints [aria-pressed=true]").get_attribute("data-paints") == "object"
    page.keyboard.press("g")
    undo = page.locator("#undo")
    assert undo.is_disabled()
    click(page, (10, 10))
    assert "double-click or Enter closes it; Esc drops it; Ctrl+Z" in hint.inner_text()
    click(page, (10, 70), (80, 70))
    page.keyboard.press("Control+z")
    undo.click()
    click(page, (90, 70), (90, 60))
    page.keyboard.press("Escape")
    page.wait_for_selector("#sign:has-text('was dropped')")
    click(page, (20, 20))
    assert sign.inner_text() == "", "a new one was begun"
    page.keyboard.press("n")
    page.wait_for_selector("#sign:has-text('open polygon is kept')")
    page.keyboard.press("p")
    page.wait_for_selector("body[data-shown='1']")
    assert sign.inner_text() == "", "one is back"
    undo.click()
    assert undo.is_disabled()
    click(page, (10, 10), (10, 70))
    page.mouse.dblclick(*at(page, 60, 70))  # closes it
    saved(page)
    disk = served.on_disk(name_of(served, 1))
    assert disk[12:30, 65].all()
    assert hint.inner_text().startswith("Polygon: click its corners")
    page.keyboard.press("?")
    page.locator("#help-close").click()
    page.keyboard.press("Escape")
    page.locator("#search").fill("% KELP")  # what a card says
    assert page.locator(".card").count() > 0
    page.locator("#search").fill("no such words")
    assert "Empty the search" in page.locator("#empty").inner_text()
    page.locator("#search").fill("")
    page.locator("#filter-rejected").check(force=True)
    assert page.locator("#empty").inner_text().startswith("No image is in this group")
