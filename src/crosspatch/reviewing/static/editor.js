// One subject large: the stage in the middle, tools at the left, how it is shown at the right.

import { chip } from "./grid.js";
import { OBJECT } from "./mask.js";
import { Panel } from "./panel.js";
import { outdated, percent, say } from "./signs.js";
import { Stage } from "./stage.js";
import { Threshold } from "./threshold.js";
import { Tools } from "./tools.js";

const $ = (id) => document.getElementById(id);
const MUCH = 0.5; // share of an image: a change beyond it is said when somebody goes on

export class Editor {
  constructor(desk, look) {
    this.desk = desk; // main.js: what goes beyond one subject
    this.subject = null;
    this.panel = new Panel(this, look);
    this.stage = new Stage($("pane"), $("beside"), look);
    this.tools = new Tools(this.stage, () => this.changed());
    this.point = null; // where the cursor is, in the image
    this.tools.onCursor = (point) => this.#read(this.point = point);
    this.tools.onFill = (filled, was) => this.#sayFill(filled, was);
    this.threshold = new Threshold(this);
    this.#bindTools();
    this.#bindReview();
  }

  // --- showing -------------------------------------------------------------------------------

  wait(name, place, total) {
    this.subject = null;
    $("subject-name").textContent = name;
    $("subject-place").textContent = `${place} of ${total}`;
    $("said").hidden = false;
    $("said").textContent = "Loading …";
    this.stage.show(null);
    this.#enable(false);
  }

  show(subject, place, total) {
    this.subject = subject;
    $("subject-name").textContent = $("subject-name").title = subject.name;
    $("subject-place").textContent = `${place} of ${total}`;
    $("reason").textContent = $("reason").title = subject.reason;
    const said = subject.problem ? `This image cannot be shown: ${subject.problem}` : subject.warning || this.#sayEmpty();
    $("said").hidden = !said;
    $("said").textContent = said;
    $("note").value = this.decided().note;
    this.tools.rest();
    subject.mask?.mark();
    this.#enable(!subject.problem);
    this.threshold.show();
    this.stage.show(subject);
    this.panel.show();
    this.tools.update();
    this.#read(this.point = null);
    this.state();
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
    $("accept").setAttribute("aria-pressed", decided.decision === "accepted");
    $("reject").setAttribute("aria-pressed", decided.decision === "rejected");
    $("clear").disabled = !decided.decision;
    $("undo").disabled = !mask?.done.length;
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
  }

  paint(what) {
    this.tools.paints = what;
    for (const button of document.querySelectorAll("#rail [data-paints]")) {
      button.setAttribute("aria-pressed", button.dataset.paints === what);
    }
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
    if (this.tools.back()) return;
    if (this.subject?.mask?.undo()) this.changed();
  }

  // Give up what is half done, as somebody asked to; false where there is nothing.
  drop() {
    const { stage } = this, { outline } = stage, busy = this.tools.rest();
    if (!outline.length) return busy;
    stage.outline = [];
    const back = () => { stage.outline = outline; };
    say("The open polygon was dropped.", { undo: { label: "Bring it back", step: "polygon", act: back } });
    return true;
  }

  redo() {
    if (this.subject?.mask?.redo()) this.changed();
  }

  changed() {
    outdated();
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
    say(`Filled ${filled.toLocaleString()} pixels: ${percent(filled / mask.pixels.length)} of the image${lost}.`,
      { loud: filled / mask.pixels.length > MUCH, undo: { label: "Undo", step: "fill", act: () => this.undo() } });
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

  // --- decisions ---------------------------------------------------------------------------------

  #bindReview() {
    $("accept").addEventListener("click", () => this.decide("accepted"));
    $("reject").addEventListener("click", () => this.decide("rejected"));
    $("clear").addEventListener("click", () => this.takeBack());
    let typing = 0;
    this.writeNote = () => {
      clearTimeout(typing);
      const { subject } = this, note = $("note").value;
      if (!subject || note === this.decided().note) return;
      subject.saver.decide(this.decided().decision, note);
    };
    $("note").addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(this.writeNote, 500);
    });
    $("note").addEventListener("blur", this.writeNote);
  }

  decide(decision) {
    const { subject } = this;
    if (!subject) return;
    if (decision === "accepted" && this.stage.outline.length) {
      return say("A polygon is still open: Enter closes it, Esc drops it. Then accept.",
        { undo: { label: "Close it", act: () => this.tools.close() } });
    }
    this.tools.rest();
    const much = this.#muchChanged();
    subject.mask?.mark(); // it is said here, and need not be again when leaving
    subject.saver.decide(decision, $("note").value);
    this.desk.decided(subject, decision);
    this.state();
    this.desk.step(1);
    const sign = decision === "accepted" ? "✓ Accepted" : "✕ Rejected";
    say(`${sign}: ${subject.name}${much && `, with ${much} of it changed`}`,
      { loud: Boolean(much), undo: { label: "Take it back", act: () => this.takeBack(subject) } });
  }

  // The decision only; what was drawn stays.
  takeBack(subject = this.subject) {
    if (!subject?.saver) return;
    const now = subject.saver.review ?? subject.state;
    if (!now.decision) return say("Nothing is decided about this image yet.");
    subject.saver.decide("", now.note);
    this.desk.decided(subject, "");
    this.state();
    const elsewhere = subject !== this.subject || this.desk.number === null;
    say(`${subject.name} is to do again.`, elsewhere
      ? { undo: { label: "Show it", act: () => this.desk.open(subject.number) } } : {});
    if (this.desk.number === null) this.desk.overview.choose();
  }

  #muchChanged() {
    const { mask } = this.subject;
    const share = mask ? mask.changed() / mask.pixels.length : 0;
    return share > MUCH ? percent(share) : "";
  }

  // Before something else is shown, or the page is put away. to: number of what comes next, if any
  leave(to = null) {
    const { subject } = this;
    this.tools.rest();
    this.peek(false);
    this.writeNote();
    if (!subject || to === subject.number || document.hidden) return;
    const back = { undo: { label: "Back to it", act: () => this.desk.open(subject.number) } };
    const much = subject.mask && this.#muchChanged();
    if (this.stage.outlines.has(subject.number)) say(`${subject.name}: its open polygon is kept until you close it.`, back);
    else if (much) say(`${subject.name}: ${much} of it was changed.`, { ...back, loud: true });
    subject.mask?.mark();
  }
}

function when(time) {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
