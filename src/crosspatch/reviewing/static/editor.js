// One subject large: the stage in the middle, tools at the left, how it is shown at the right.

import { chip } from "./grid.js";
import { OBJECT } from "./mask.js";
import { Panel } from "./panel.js";
import { hush, outdated, percent, say } from "./signs.js";
import { Stage } from "./stage.js";
import { Threshold } from "./threshold.js";
import { Tools } from "./tools.js";
import { Verdict } from "./verdict.js";

const $ = (id) => document.getElementById(id);
const MUCH = 0.5; // share of an image: a fill beyond it is said loudly
const STAYS = { // on drawing in an image that is decided
  accepted: "You changed an image that is accepted; it stays accepted, now as corrected.",
  rejected: "You changed an image that is rejected; it stays rejected until you accept it.",
};
const CLOSING = "Click the first point, double-click or Enter closes it; Esc drops it; Ctrl+Z takes the last point back.";

export class Editor {
  constructor(desk, look) {
    this.desk = desk; // main.js: what goes beyond one subject
    this.subject = null;
    this.panel = new Panel(this, look);
    this.stage = new Stage($("pane"), $("beside"), look);
    this.tools = new Tools(this.stage, () => this.drew());
    this.number = null; // of the image that was shown last
    this.empty = false; // nothing was in its mask when it came
    this.point = null; // where the cursor is, in the image
    this.tools.onCursor = (point) => this.#read(this.point = point);
    this.tools.onBegin = hush; // a polygon: what it needs to be told is said in that line
    this.stage.onOutline = () => this.#corners();
    this.tools.onFill = (filled, was) => this.#sayFill(filled, was);
    this.threshold = new Threshold(this);
    this.#bindTools();
    this.verdict = new Verdict(this);
  }

  // --- showing -------------------------------------------------------------------------------

  wait(name, place, total) {
    this.subject = null;
    $("subject-name").textContent = name;
    $("subject-place").textContent = `${place} of ${total}`;
    $("said").hidden = false;
    $("said").textContent = "Loading …";
    this.stage.show(null);
    this.verdict.wait();
    this.#enable(false);
  }

  show(subject, place, total) {
    this.subject = subject;
    if (this.number !== subject.number) this.paint("object"); // no paint of another image goes on
    this.number = subject.number;
    $("subject-name").textContent = $("subject-name").title = subject.name;
    $("subject-place").textContent = `${place} of ${total}`;
    $("reason").textContent = $("reason").title = subject.reason;
    this.#sayAbove();
    this.empty = !subject.problem && Boolean(this.#sayEmpty());
    this.tools.rest();
    subject.mask?.mark();
    this.#enable(!subject.problem);
    this.threshold.show();
    this.stage.show(subject);
    this.panel.show();
    this.tools.update();
    this.#read(this.point = null);
    this.#corners();
    this.verdict.show(); // last: from now on it is in sight, however long drawing took
  }

  #sayAbove() {
    const { subject } = this;
    const said = subject.problem ? `This image cannot be shown: ${subject.problem}` : subject.warning || this.#sayEmpty();
    $("said").hidden = !said;
    $("said").textContent = said;
  }

  // A mask with nothing in it is an answer as well; it must not look like a failure.
  #sayEmpty() {
    const { subject } = this;
    if (subject.state.corrected || subject.mask.pixels.includes(OBJECT)) return "";
    if (!subject.has_mask) return "There is no mask yet: draw one, or accept that there is nothing.";
    const who = this.desk.kind === "predictions" ? "The model found nothing here." : "Nothing is marked here.";
    return `${who} If that is right, accept it; if not, draw what it missed.`;
  }

  // What was decided, the server's word or what is on its way to it.
  decided() {
    const { subject } = this;
    return subject.saver.review ? { ...subject.state, ...subject.saver.review } : subject.state;
  }

  // Say where the subject's review stands and whether everything is saved.
  state() {
    const { subject } = this;
    if (!subject) return;
    const decided = this.decided(), { mask, saver } = subject, saved = $("saved");
    const [kind, sign, word] = chip(decided, subject.problem);
    $("state").className = `chip ${kind}`;
    $("state").textContent = `${sign} ${word}`;
    this.verdict.state(decided);
    $("undo").disabled = !mask?.done.length && !this.stage.outline.length;
    $("redo").disabled = !mask?.undone.length;
    $("restore").disabled = !mask || !(subject.state.corrected || mask.done.length);
    $("who").textContent = subject.state.who ? `by ${subject.state.who}, ${when(subject.state.time)}` : "";
    saved.className = saver.trouble ? "bad" : saver.behind ? "busy" : "good";
    saved.textContent = saver.trouble ? "Not saved" : saver.behind ? "Saving …" : subject.state.version ? "All saved" : "";
  }

  #enable(on) {
    for (const id of ["rail", "look"]) $(id).toggleAttribute("inert", !on);
  }

  // Show the ground under the mask for as long as a key or button is held.
  peek(on) {
    if (this.stage.peek === on) return;
    this.stage.peek = on;
    this.stage.redraw();
  }

  // --- tools ---------------------------------------------------------------------------------

  #bindTools() {
    for (const button of document.querySelectorAll("#rail [data-tool]")) {
      button.addEventListener("click", () => this.choose(button.dataset.tool));
    }
    for (const button of document.querySelectorAll("#rail [data-paints]")) {
      button.addEventListener("click", () => this.paint(button.dataset.paints));
    }
    // Whoever points goes on in the image: Enter must close a polygon, not press a button again.
    $("rail").addEventListener("click", ({ detail, target }) => {
      if (detail && target.closest("button")) $("pane").focus({ preventScroll: true });
    });
    $("size").addEventListener("input", () => this.resize(0));
    $("undo").addEventListener("click", () => this.undo());
    $("redo").addEventListener("click", () => this.redo());
    $("zoom-in").addEventListener("click", () => this.stage.zoom(1.5));
    $("zoom-out").addEventListener("click", () => this.stage.zoom(1 / 1.5));
    $("zoom-fit").addEventListener("click", () => this.stage.fit());
    $("peek").addEventListener("pointerdown", () => this.peek(true));
    for (const end of ["pointerup", "pointerleave", "pointercancel"]) $("peek").addEventListener(end, () => this.peek(false));
    this.choose("brush");
    this.paint("object");
    this.resize(0);
  }

  choose(tool) {
    this.tools.choose(tool);
    for (const button of document.querySelectorAll("#rail [data-tool]")) {
      button.setAttribute("aria-pressed", button.dataset.tool === tool);
    }
    $("paints").toggleAttribute("inert", tool === "eraser" || tool === "move");
    $("sizes").toggleAttribute("inert", tool !== "brush" && tool !== "eraser");
    this.#hint();
  }

  // What a tool does that nobody can guess, and how an open polygon ends.
  #hint() {
    const { tool, paints } = this.tools, open = this.stage.outline.length;
    const kind = { object: this.desk.thing, background: "background", ignored: "ignored" }[paints];
    let hint = "";
    if (open) hint = tool === "polygon" ? CLOSING : "A polygon is open: Enter closes it, Esc drops it, G goes on with it.";
    else if (tool === "polygon") hint = `Polygon: click its corners one after the other; what is inside becomes “${kind}”.`;
    else if (tool === "fill") hint = `Fill paints the whole area of one kind that you click; it becomes “${kind}”.`;
    $("hint").textContent = $("hint").title = hint;
  }

  #corners() {
    this.#hint();
    this.state();
  }

  paint(what) {
    this.tools.paints = what;
    for (const button of document.querySelectorAll("#rail [data-paints]")) {
      button.setAttribute("aria-pressed", button.dataset.paints === what);
    }
    this.tools.update();
    this.#hint();
  }

  otherPaint() {
    this.paint(this.tools.paints === "object" ? "background" : "object");
  }

  // The slider's steps grow with the brush: 1, 2, 3, ... 200 pixels.
  resize(steps) {
    $("size").value = Number($("size").value) + steps;
    this.tools.size = Math.max(1, Math.round(200 ** (Number($("size").value) / 40)));
    $("size-says").textContent = `${this.tools.size} px`;
    $("size").setAttribute("aria-valuetext", `${this.tools.size} pixels`);
    this.tools.update();
  }

  undo() {
    if (!this.tools.back()) this.#undoStep();
  }

  #undoStep() {
    if (this.subject?.mask?.undo()) this.changed();
  }

  // Give up what is half done, as somebody asked to; false where there is nothing.
  drop() {
    const { stage } = this, { outline } = stage, busy = this.tools.rest();
    if (!outline.length) return busy;
    stage.outline = [];
    say("The open polygon was dropped.",
      { until: "change", undo: { label: "Bring it back", act: () => { stage.outline = outline; } } });
    return true;
  }

  redo() {
    if (this.subject?.mask?.redo()) this.changed();
  }

  // Somebody drew: say what becomes of a decision that stands.
  drew() {
    this.changed();
    const stays = STAYS[this.decided().decision];
    if (stays) say(stays, { until: "change", undo: { label: "Undo", act: () => this.#undoStep() } });
  }

  changed() {
    outdated();
    if (this.empty) this.#sayAbove();
    this.threshold.show();
    this.stage.redraw();
    this.#read(this.point);
    this.subject.saver.flush();
  }

  // A fill may run further than the eye: say how far. filled: pixels; was: what they were before.
  #sayFill(filled, was) {
    const { mask } = this.subject, { thing } = this.desk;
    let lost = "";
    if (was === OBJECT) {
      let left = 0;
      for (const value of mask.pixels) if (value === OBJECT) left++;
      lost = `, ${percent(filled / (filled + left))} of all “${thing}”`;
    }
    const share = filled / mask.pixels.length, stays = STAYS[this.decided().decision];
    say([`Filled ${filled.toLocaleString()} pixels: ${percent(share)} of the image${lost}.`, stays].filter(Boolean).join(" "),
      { loud: share > MUCH, until: "change", undo: { label: "Undo", act: () => this.#undoStep() } });
  }

  // --- what is under the cursor ------------------------------------------------------------------

  #read(point) {
    const { subject } = this, [x, y] = point ?? [-1, -1], { thing } = this.desk;
    const column = Math.floor(x), row = Math.floor(y);
    if (!subject?.mask || column < 0 || row < 0 || column >= subject.width || row >= subject.height) {
      $("readout").textContent = subject?.mask ? `${subject.width} × ${subject.height} pixels` : "";
      return;
    }
    const at = row * subject.width + column;
    const parts = [`row ${row}, column ${column}`, `mask: ${{ 0: "background", 1: thing, 255: "ignored" }[subject.mask.pixels[at]]}`];
    const sure = subject.probabilityMap?.pixels[at], votes = subject.votesMap;
    if (sure !== undefined) parts.push(sure === 255 ? "model: no data" : `model: ${sure} % sure of ${thing}`);
    if (votes) parts.push(`${Math.round((votes.pixels[at] / 100) * votes.voters)} of ${votes.voters} volunteers`);
    $("readout").textContent = parts.join("  ·  ");
  }

  // Before something else is shown, or the page is put away. to: number of what comes next, if any
  leave(to = null) {
    this.tools.rest();
    this.peek(false);
    this.verdict.leave(to);
  }
}

function when(time) {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
