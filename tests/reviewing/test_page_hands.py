"""What hands do: two things at once, a finger too many, a release that nobody hears of."""

import threading

import numpy as np
import pytest

from browsing import at, drag, name_of, needs_browser, on_screen, original, saved, show

pytestmark = needs_browser


@pytest.fixture
def fingers(tab, served):
    """A page on a touch screen, and a way to put fingers on pixels of the image."""
    page = tab(served, path="0", has_touch=True)
    session = page.context.new_cdp_session(page)

    def fingers_(kind, *places):
        points = [dict(zip("xy", at(page, *place), strict=True)) for place in places]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    return page, fingers_


def test_a_mouse_stroke_ends_the_keyboards_stroke_and_loses_none_of_it(served, tab):
    page = tab(served, path="0")
    first = on_screen(page)
    page.locator("#pane").focus()
    page.keyboard.press("Space")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowUp")
    drag(page, (80, 10), (80, 60))
    page.keyboard.press("Shift+ArrowLeft")  # the pen is up: this draws nothing
    saved(page)
    seen = on_screen(page)
    assert not np.array_equal(seen[:70], first[:70]), "the keyboard's stroke"
    assert np.array_equal(served.on_disk(name_of(served, 0)), seen)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    saved(page)
    assert np.array_equal(on_screen(page), first)


def test_space_does_nothing_while_a_button_draws(served, tab):
    page = tab(served, path="0")
    first = on_screen(page)
    page.locator("#pane").focus()
    page.mouse.move(*at(page, 20, 10))
    page.mouse.down()
    page.mouse.move(*at(page, 20, 40), steps=3)
    page.keyboard.press("Space")
    page.mouse.move(*at(page, 20, 60), steps=3)
    page.mouse.up()
    saved(page)
    assert np.array_equal(served.on_disk(name_of(served, 0)), on_screen(page))
    page.keyboard.press("Control+z")
    assert np.array_equal(on_screen(page), first)


def test_a_mouse_that_is_pushed_aside_does_not_lead_the_keyboards_pen(served, tab):
    page = tab(served, path="0")
    page.mouse.move(*at(page, 10, 10))
    page.locator("#pane").focus()
    page.keyboard.press("Space")
    page.mouse.move(*at(page, 90, 70))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    saved(page)
    painted = served.on_disk(name_of(served, 0)) != original(served, 0)
    assert not painted[20:].any()


def test_a_release_that_was_lost_ends_the_stroke(served, tab):
    page = tab(served, path="0")
    page.mouse.move(*at(page, 20, 10))
    page.mouse.down()
    page.mouse.move(*at(page, 20, 30), steps=3)
    x, y = at(page, 80, 60)
    page.evaluate(
        "([x, y]) => document.querySelector('#pane').dispatchEvent(new PointerEvent('pointermove',"
        " { clientX: x, clientY: y, pointerId: 1, buttons: 0, bubbles: true }))",
        [x, y],
    )
    saved(page)  # the stroke as it was: nobody holds a button
    painted = served.on_disk(name_of(served, 0)) != original(served, 0)
    assert painted[14:26].any()
    assert not painted[30:].any()
    page.mouse.up()


@pytest.mark.parametrize("tool", ["f", "g"])
def test_two_fingers_zoom_whatever_the_tool(served, fingers, tool):
    page, put = fingers
    page.keyboard.press(tool)
    put("touchStart", (40, 30))
    put("touchStart", (40, 30), (40, 50))
    put("touchMove", (40, 20), (40, 60))
    put("touchEnd")
    page.keyboard.press("0")
    assert np.array_equal(on_screen(page), original(served, 0))
    assert page.locator("#undo").is_disabled(), "neither a fill nor a corner"
    put("touchStart", (40, 30))
    put("touchEnd")
    page.wait_for_selector("#undo:not([disabled])")  # one finger does it


def test_a_save_in_the_middle_of_a_stroke_leaves_the_stroke_out(served, fingers, monkeypatch):
    page, put = fingers
    going, go = threading.Event(), threading.Event()
    save = served.desk.save_mask

    def slow(*told):
        going.set()
        assert go.wait(20)
        return save(*told)

    monkeypatch.setattr(served.desk, "save_mask", slow)
    drag(page, (20, 10), (20, 30))
    assert going.wait(20)
    drag(page, (20, 30), (20, 60))  # waits for its turn
    put("touchStart", (90, 70))
    page.wait_for_timeout(100)
    monkeypatch.undo()
    with page.expect_response("**/mask?*"), page.expect_response("**/mask?*"):
        go.set()
    put("touchStart", (90, 70), (90, 50))  # it was no stroke
    put("touchEnd")
    saved(page)
    page.keyboard.press("0")
    assert np.array_equal(served.on_disk(name_of(served, 0)), on_screen(page))


def test_scrolling_the_editor_moves_no_stroke(served, tab):
    page = tab(served, path="0")
    page.set_viewport_size({"width": 683, "height": 330})
    page.wait_for_timeout(100)
    page.locator("#editor").evaluate("box => box.scrollTo(0, box.scrollHeight)")
    assert page.locator("#editor").evaluate("box => box.scrollTop") > 20
    page.wait_for_timeout(100)
    drag(page, (70, 20), (70, 60))
    saved(page)
    painted = served.on_disk(name_of(served, 0)) != original(served, 0)
    rows = np.nonzero(painted.any(axis=1))[0]
    assert 63 <= rows.min() <= rows.max() <= 76


def test_a_threshold_that_was_let_go_before_its_map_came_is_one_step(served, tab):
    page = tab(served)
    held = []
    page.route(
        "**/subjects/0/probability",
        lambda route: held.append(route) if not held else route.continue_(),
    )
    page.evaluate("location.hash = '#/0'")
    while not held:  # fetching it ahead fails, as it does not happen for large images
        page.wait_for_timeout(20)
    held[0].abort()
    page.wait_for_selector("body[data-shown='0']")
    late = []
    page.unroute("**/subjects/0/probability")
    page.route("**/subjects/0/probability", lambda route: late.append(route))
    page.locator("#threshold").evaluate(
        "slider => { slider.value = 20; for (const kind of ['input', 'change'])"
        " slider.dispatchEvent(new Event(kind)); }"
    )
    while not late:
        page.wait_for_timeout(20)
    late[0].continue_()
    saved(page)
    assert served.desk.store.state(name_of(served, 0)).threshold == 0.2
    assert np.array_equal(served.on_disk(name_of(served, 0)), on_screen(page))
    show(page, 1)
