"""What the page shows of masks, and how plainly it says so."""

import json

import numpy as np
import pytest

from browsing import Served, at, drag, needs_browser, original, saved, show
from crosspatch import images

pytestmark = needs_browser


def tinted(page):
    """How many pixels of the screen the mask covers."""
    return page.evaluate("""() => new Promise(done => requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        const canvas = document.querySelector('#pane .layer');
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        done(data.filter((value, at) => at % 4 === 3 && value > 0).length);
      })))""")


def test_the_ground_is_seen_by_outline_or_while_a_key_is_held(served, tab):
    page = tab(served, path="0")
    full = tinted(page)
    page.keyboard.down("h")
    assert tinted(page) == 0
    page.keyboard.up("h")
    assert tinted(page) == full
    page.keyboard.press("o")
    assert 0 < tinted(page) < full / 2
    page.keyboard.press("o")
    box = page.locator("#peek").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    assert tinted(page) == 0
    page.mouse.up()
    assert tinted(page) == full


def test_x_goes_between_two_paints_and_ignored_has_its_own_key(served, tab):
    page = tab(served, path="0")
    pressed = "#paints [aria-pressed=true]"
    seen = []
    for key in "xxixx":
        page.keyboard.press(key)
        seen.append(page.locator(pressed).get_attribute("data-paints"))
    assert seen == ["background", "object", "ignored", "object", "background"]


def test_other_bands_and_a_hidden_mask_stay_and_are_said_beside_the_image(served, tab):
    page = tab(served, path="0")
    assert not page.locator("#shown").is_visible()
    page.keyboard.press("c")
    page.keyboard.press("n")
    page.wait_for_selector("body[data-shown='1']")
    assert page.locator("#shown-says").inner_text() == "Shown: Near infrared"
    page.get_by_role("button", name="Back to natural colour").click()
    assert not page.locator("#shown").is_visible()
    assert page.locator("#combination").input_value() == "0"
    page.keyboard.press("m")
    page.keyboard.press("n")
    page.wait_for_selector("body[data-shown='2']")
    assert page.locator("#shown-says").inner_text() == "The mask is hidden"
    page.get_by_role("button", name="Show the mask").click()
    assert page.locator("#show-mask").is_checked()


def test_an_empty_mask_is_an_answer(maps, tab, rewrite):
    rewrite(maps / "predictions.csv", lambda row: row.update(foreground="0"))
    for path in (maps / "masks").glob("*-0.png"):
        images.write_mask(path, np.zeros((96, 80), np.uint8))
    served = Served(maps)
    try:
        page = tab(served)
        assert page.locator(".card .reason").first.inner_text() == "Nothing found"
        show(page, 0)
        assert page.locator("#said").inner_text().startswith("The model found nothing here.")
        assert not original(served, 0).any()
        drag(page, (20, 10), (20, 60))
        assert not page.locator("#said").is_visible(), "there is something now"
        page.keyboard.press("z")
        page.keyboard.press("y")
        saved(page)
        page.keyboard.press("n")
        page.wait_for_selector("body[data-shown='1']")
        page.keyboard.press("p")
        page.wait_for_selector("body[data-shown='0']")
        assert not page.locator("#said").is_visible()
        page.mouse.move(*at(page, 20, 30))
        said = page.locator("#readout").inner_text()
        assert "row 20, column 30" in said
        assert "mask: kelp" in said
        assert "% sure of kelp" in said
    finally:
        served.stop()


@pytest.fixture
def decided(maps):
    """Accepted as it is, corrected and accepted, corrected only, rejected; four to do."""
    names = [line.split(",")[0] for line in (maps / "predictions.csv").read_text().splitlines()[1:]]
    states = [("accepted", False), ("accepted", True), ("", True), ("rejected", False)]
    (maps / "reviews").mkdir()
    lines = [
        {"subject": name, "version": 1, "decision": decision, "corrected": corrected,
         "threshold": None, "note": "", "who": "bo", "time": "2026-01-01T00:00:00Z"}
        for name, (decision, corrected) in zip(names, states, strict=False)
    ]  # fmt: skip
    (maps / "reviews/decisions.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    running = Served(maps)
    yield running
    running.stop()


def test_counts_add_up_and_a_data_set_is_made_only_when_it_was_said_of_what(decided, tab):
    page = tab(decided)
    keys = ("all", "open", "accepted", "corrected", "rejected")
    counts = [int(page.locator(f"#count-{key}").inner_text()) for key in keys]
    assert counts == [8, 5, 1, 1, 1]
    assert page.locator("#progress-says").inner_text() == "3 of 8 done"
    chips = page.locator(".card .chip").all_inner_texts()
    assert chips[:5] == [
        "✓ Accepted as is", "✎ Corrected", "✎ To do, begun", "✕ Rejected", "○ To do"
    ]  # fmt: skip
    page.locator("#harvest").click()
    page.wait_for_selector("#making-go:visible")
    said = page.locator("#making").inner_text()
    assert "Writes 2 of 8 masks (1 accepted as is, 1 corrected)" in said
    assert "Left out: 5 to do, 1 rejected." in said
    path = decided.folder.resolve() / "reviewed"
    assert str(path) in said
    page.locator("#making-cancel").click()
    assert not path.exists()
    page.locator("#harvest").click()
    page.locator("#making-go").click()
    page.wait_for_selector("#making-after:visible")
    assert "Done: 2 masks" in page.locator("#making-says").inner_text()
    assert "Left out: 5 to do, 1 rejected." in page.locator("#making-left").inner_text()
    assert page.locator("#making-next").inner_text().startswith("crosspatch prepare ")
    assert (path / "dataset.toml").is_file()
