// Every key that is not the image's own (see tools.js).

const $ = (id) => document.getElementById(id);
const DECIDES = ["a", "r", "u"]; // a key that is held decides once

export function bindKeys(desk) {
  const { editor } = desk, { panel, verdict } = editor;
  const keys = {
    a: () => verdict.decide("accepted"), r: () => verdict.decide("rejected"), u: () => verdict.takeBackByKey(),
    n: () => desk.step(1), p: () => desk.step(-1),
    v: () => editor.choose("move"), b: () => editor.choose("brush"), e: () => editor.choose("eraser"),
    g: () => editor.choose("polygon"), f: () => editor.choose("fill"),
    x: () => editor.otherPaint(), i: () => editor.paint("ignored"),
    "[": () => editor.resize(-1), "]": () => editor.resize(1),
    z: () => editor.undo(), y: () => editor.redo(),
    m: () => panel.toggle("mask"), o: () => panel.toggle("outline"), h: () => editor.peek(true),
    c: () => panel.nextCombination(), s: () => panel.nextBeside(),
    t: () => $("threshold").focus(), w: () => $("note").focus(),
    "+": () => editor.stage.zoom(1.5), "=": () => editor.stage.zoom(1.5), "-": () => editor.stage.zoom(1 / 1.5),
    0: () => editor.stage.fit(),
    Escape: () => { if (!editor.drop()) location.hash = "#/"; },
  };
  addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    const typing = event.target.matches?.("textarea, input[type=search]");
    if (event.key === "?" && !typing) return $("help").showModal();
    if (desk.number === null) return inOverview(event, typing, keys);
    if (typing) {
      if (event.key === "Escape") $("pane").focus();
      return;
    }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      if (key !== "z" && key !== "y") return;
      if (key === "y" || event.shiftKey) editor.redo();
      else editor.undo();
      return event.preventDefault();
    }
    if (event.altKey || !(key in keys) || event.target.matches?.("select")) return;
    event.preventDefault();
    if (!event.repeat || !DECIDES.includes(key)) keys[key]();
  });
  // A frame says where the keys act, for those who use them to get about.
  addEventListener("keydown", ({ key }) => {
    if (key === "Tab" || key.startsWith("Arrow")) document.body.dataset.keys = "";
  }, true);
  addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "h") editor.peek(false); });
  addEventListener("blur", () => editor.peek(false));
  addEventListener("pointerdown", () => { delete document.body.dataset.keys; });
}

function inOverview(event, typing, keys) {
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "u" && !event.repeat) keys.u(); // the last decision of a list is said here
  if (event.key !== "/") return;
  event.preventDefault();
  $("search").focus();
}
