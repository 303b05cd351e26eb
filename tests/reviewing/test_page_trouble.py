"""What goes wrong: the page says so, and nothing that was drawn is lost."""

import os

import numpy as np
import pytest

from browsing import Served, at, drag, name_of, needs_browser, on_screen, saved, show
from crosspatch import images
from crosspatch.errors import CrosspatchError, InputError

pytestmark = needs_browser


def test_a_second_tab_is_told_and_nothing_is_overwritten_unseen(served, tab):
    first = tab(served, path="0")
    second = tab(served, context=first.context, path="0")
    drag(first, (20, 10), (20, 60))
    saved(first)
    theirs = served.on_disk(name_of(served, 0))
    drag(second, (70, 10), (70, 60))
    second.wait_for_selector(".trouble")
    assert "Whose version shall stay?" in second.locator(".trouble").inner_text()
    assert np.array_equal(served.on_disk(name_of(served, 0)), theirs)
    mine = on_screen(second)
    second.get_by_role("button", name="Keep mine").click()
    saved(second)
    assert np.array_equal(served.on_disk(name_of(served, 0)), mine)
    drag(first, (30, 10), (30, 60))
    first.wait_for_selector(".trouble")
    first.get_by_role("button", name="Take theirs").click()
    first.wait_for_selector(".trouble", state="detached")
    first.wait_for_selector("body[data-shown='0']")
    assert np.array_equal(on_screen(first), mine)


def test_taking_theirs_drops_the_note_as_well(served, tab):
    first = tab(served, path="0")
    second = tab(served, context=first.context, path="0")
    drag(first, (20, 10), (20, 60))
    saved(first)
    second.bring_to_front()
    second.locator("#note").fill("mine")
    second.get_by_role("button", name="Take theirs").click()
    second.wait_for_selector(".trouble", state="detached")
    second.wait_for_selector("#saved.good")
    assert second.locator("#note").input_value() == ""
    show(second, 1)
    show(second, 0)
    state = served.desk.store.state(name_of(served, 0))
    assert (state.version, state.note) == (1, "")


def test_a_question_that_could_not_be_answered_stays(served, tab):
    first = tab(served, path="0")
    second = tab(served, context=first.context, path="0")
    drag(first, (20, 10), (20, 60))
    saved(first)
    drag(second, (70, 10), (70, 60))
    second.wait_for_selector(".trouble")
    mine = on_screen(second)
    second.route("**/mask", lambda route: route.abort())
    second.get_by_role("button", name="Keep mine").click()
    second.wait_for_selector("#sign:has-text('does not answer')")
    second.unroute("**/mask")
    second.get_by_role("button", name="Keep mine").click()
    second.wait_for_selector(".trouble", state="detached")
    saved(second)
    assert np.array_equal(served.on_disk(name_of(served, 0)), mine)


def test_a_mask_that_is_refused_takes_no_decision_with_it(served, tab, monkeypatch):
    page = tab(served, path="0")

    def refuse(*_):
        raise InputError("the image is another one now")

    monkeypatch.setattr(served.desk, "save_mask", refuse)
    drag(page, (20, 10), (20, 60))
    page.keyboard.press("a")
    page.wait_for_selector(".trouble:has-text('another one now')")
    monkeypatch.undo()
    page.wait_for_selector(".trouble", state="detached")
    assert served.desk.store.state(name_of(served, 0)).decision == "accepted"


def test_no_note_is_written_while_the_next_image_is_on_its_way(served, tab):
    page = tab(served, path="0")
    page.locator("#note").fill("of the first")
    held = []
    page.route("**/subjects/6", lambda route: held.append(route))
    page.evaluate("location.hash = '#/6'")
    page.wait_for_selector("#said:has-text('Loading')")
    assert page.locator("#note").input_value() == ""
    page.locator("#note").focus()
    page.keyboard.type("of nothing")
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    page.wait_for_selector("body[data-shown='6']")
    assert page.locator("#note").input_value() == ""
    page.locator("#note").fill("of the seventh")
    page.locator("#note").blur()
    saved(page)
    notes = [served.desk.store.state(name_of(served, number)).note for number in (0, 6)]
    assert notes == ["of the first", "of the seventh"]


def test_a_full_disk_is_said_and_costs_no_stroke(served, tab, monkeypatch):
    page = tab(served, path="0")

    def full(*_, **__):
        raise CrosspatchError("mask.png: could not be written (No space left on device)")

    monkeypatch.setattr(images, "write_mask", full)
    drag(page, (20, 10), (20, 60))
    page.wait_for_selector("#saved.bad")
    assert "No space left on device" in page.locator(".trouble").inner_text()
    drag(page, (30, 10), (30, 60))
    seen = on_screen(page)
    assert seen[20, 30] == seen[30, 30] == 1
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("#saved.bad")
    page.keyboard.press("n")
    page.wait_for_selector("body[data-shown='1']")
    monkeypatch.undo()
    page.wait_for_selector(".trouble", state="detached")  # it was tried again
    assert np.array_equal(served.on_disk(name_of(served, 0)), seen)


def test_what_is_said_above_the_image_does_not_bend_a_stroke(served, tab):
    page = tab(served, path="0")
    before, asked = on_screen(page), []
    page.route(
        "**/*",
        lambda route: route.continue_() if route.request.method == "GET" else asked.append(route),
    )
    drag(page, (20, 10), (20, 60))
    page.wait_for_selector("#saved.busy")
    (left, y), (right, _) = at(page, 50, 10), at(page, 50, 60)
    page.mouse.move(left, y)
    page.mouse.down()
    page.mouse.move((left + right) / 2, y, steps=3)
    asked.pop().abort()
    page.wait_for_selector(".trouble")  # the pane is lower and smaller from now on
    page.mouse.move(right, y, steps=3)
    page.mouse.up()
    painted = on_screen(page) != before
    rows, cols = np.nonzero(painted[30:])
    assert (rows.min() + 30, rows.max() + 30) == (44, 55), "a straight stroke of 12 pixels"
    assert cols.max() - cols.min() > 50


def test_a_server_that_dies_takes_nothing_with_it(maps, tab):
    served = Served(maps)
    page = tab(served, path="0")
    served.stop()
    drag(page, (20, 10), (20, 60))
    page.wait_for_selector("#saved.bad")
    seen = on_screen(page)
    page.close(run_before_unload=False)
    again = Served(maps, port=served.port)
    try:
        later = tab(again, context=page.context, path="0")
        taken = "has-text('taken up again')"
        later.wait_for_selector(f"#sign:{taken}, .toast:{taken}")
        saved(later)
        assert np.array_equal(on_screen(later), seen)
        assert np.array_equal(again.on_disk(name_of(again, 0)), seen)
    finally:
        again.stop()


def test_a_new_link_in_the_same_tab_takes_up_what_was_not_saved(maps, tab):
    served = Served(maps)
    page = tab(served, path="0")
    page.on("dialog", lambda dialog: dialog.accept())  # "leave the page?"
    show(page, 1)  # the next image is here as well
    show(page, 0)
    served.stop()
    drag(page, (20, 10), (20, 60))
    page.wait_for_selector("#saved.bad")
    seen = on_screen(page)
    page.keyboard.press("a")
    page.wait_for_selector("#sign:has-text('Accepted, not yet saved')")
    page.wait_for_selector("body[data-shown='1']")
    page.wait_for_timeout(450)
    page.keyboard.press("r")
    page.wait_for_selector(".trouble >> nth=1")
    again = Served(maps, port=served.port)
    try:
        page.wait_for_selector(".trouble:has-text('in a new tab and leave this one open') >> nth=1")
        assert "in this browser as well" in page.locator(".trouble").first.inner_text()
        assert again.desk.store.states == {}
        page.goto(again.link)  # nobody opens the two images, and the address names none
        page.wait_for_selector(".toast:has-text('2 images: what an earlier page could not save')")
        page.wait_for_selector("#progress-says:has-text('2 of 8 done')")
        page.wait_for_selector(".card .chip:has-text('Corrected')")
        page.wait_for_function(
            "async () => !(await (await import('/static/strongbox.js')).keys()).length"
        )
        states = [again.desk.store.state(name_of(again, number)) for number in (0, 1)]
        assert [state.decision for state in states] == ["accepted", "rejected"]
        assert np.array_equal(again.on_disk(name_of(again, 0)), seen)
    finally:
        again.stop()


def test_a_tab_that_was_left_open_goes_on_by_itself(maps, tab):
    served = Served(maps)
    page = tab(served, path="0")
    show(page, 1)
    show(page, 0)
    served.stop()
    drag(page, (20, 10), (20, 60))
    page.wait_for_selector("#saved.bad")
    page.keyboard.press("a")
    page.wait_for_selector("#sign:has-text('Accepted, not yet saved')")
    other = Served(maps.rename(maps.with_name("other")), port=served.port)
    tab(other, context=page.context).close()
    page.wait_for_selector(".trouble:has-text('for another folder')")
    assert other.desk.store.states == {}, "its number 0 is another image"
    other.stop()
    other.folder.rename(maps)
    again = Served(maps, port=served.port)
    try:
        tab(again, context=page.context)
        page.wait_for_selector(".trouble", state="detached")
        state = again.desk.store.state(name_of(again, 0))
        assert (state.decision, state.corrected) == ("accepted", True)
    finally:
        again.stop()


@pytest.mark.skipif(os.name == "nt", reason="such names are no files on Windows")
def test_hostile_names_are_only_text(maps, tab, rewrite, kelp_once):
    names = iter(
        ['<img src=x onerror="document.title=1">', 'it\'s "quoted" & spaced', "../up", "a/b"]
    )
    moved = {}

    def rename(row):
        new = next(names, None)
        if new is None:
            return
        if "/" not in new:
            (maps / row["mask"]).rename(maps / "masks" / f"{new}.png")
            row["mask"] = f"masks/{new}.png"
        moved[row["name"]] = row["name"] = new

    rewrite(maps / "predictions.csv", rename)
    served = Served(maps)
    try:
        page = tab(served)
        shown = page.locator(".card .name").all_inner_texts()
        assert '<img src=x onerror="document.title=1">' in shown
        assert page.locator(".card img[src=x]").count() == 0
        show(page, 0)
        assert page.locator("#subject-name").inner_text().startswith("<img src=x")
        drag(page, (20, 10), (20, 60))
        saved(page)
        assert served.on_disk(name_of(served, 0)).any()
        show(page, 2)
        assert "no name of a file" in page.locator("#said").inner_text()
        assert page.title() == "Review of maps"
    finally:
        served.stop()


def test_subjects_that_cannot_be_shown_say_why_and_hold_nobody_up(maps, tab, rewrite):
    rows = iter(["gone.png", None])
    served_names = []

    def spoil(row):
        served_names.append(row["name"])
        if (file := next(rows, None)) is not None:
            row["file"] = file

    rewrite(maps / "predictions.csv", spoil)
    images.write_mask(maps / f"masks/{served_names[1]}.png", np.ones((5, 7), np.uint8))
    (maps / f"masks/{served_names[2]}.png").write_bytes(b"no picture")
    served = Served(maps)
    try:
        page = tab(served)
        assert page.locator("#count-problem").inner_text() == "1"
        show(page, 0)
        assert "gone.png is not there" in page.locator("#said").inner_text()
        page.keyboard.press("n")
        page.wait_for_selector("body[data-shown='1']")
        assert "is 5 x 7 pixels" in page.locator("#said").inner_text()
        page.keyboard.press("a")
        page.wait_for_selector("#sign:has-text('cannot be accepted')")
        page.wait_for_selector("body[data-shown='1']")
        drag(page, (20, 10), (20, 60))
        saved(page)
        page.keyboard.press("a")
        page.wait_for_selector("body[data-shown='2']")
        assert "is not a PNG, JPEG or TIFF" in page.locator("#said").inner_text()
        assert served.desk.store.state(served_names[1]).decision == "accepted"
    finally:
        served.stop()
