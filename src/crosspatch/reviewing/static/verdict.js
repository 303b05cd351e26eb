// What somebody decides about an image and writes about it, and the way back.

import { left, offered, percent, say } from "./signs.js";

const $ = (id) => document.getElementById(id);
const MUCH = 0.5; // share of an image: a change beyond it is said when somebody goes on
const LOOK = 400; // ms that an image must be in sight after a decision before the next one counts
const ADVICE = {
  "": "It does? Accept it. A little wrong? Draw or erase,\nthen accept. Of no use? Reject it.",
  accepted: "It is accepted. What you draw now\nbecomes its correction.",
  rejected: "It is rejected. To use it after all,\ncorrect it, then accept it.",
};

export class Verdict {
  constructor(editor) {
    this.editor = editor;
    this.moving = false; // a decision was made, and what comes next is not shown yet
    this.ready = 0; // when it can have been seen
    this.last = null; // { subject, decision, reword } of the last one, until it is saved
    $("accept").addEventListener("click", () => this.decide("accepted"));
    $("reject").addEventListener("click", () => this.decide("rejected"));
    $("clear").addEventListener("click", () => this.takeBack());
    this.typing = 0;
    $("note").addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.writeNote(), 500);
    });
    $("note").addEventListener("blur", () => this.writeNote());
  }

  get subject() { return this.editor.subject; }
  get desk() { return this.editor.desk; }

  // An image is shown.
  show() {
    this.ready = this.moving ? performance.now() + LOOK : 0;
    this.moving = false;
    $("note").readOnly = false;
    $("note").value = this.editor.decided().note;
  }

  state({ decision }) {
    $("advice").textContent = ADVICE[decision];
    $("accept").setAttribute("aria-pressed", decision === "accepted");
    $("reject").setAttribute("aria-pressed", decision === "rejected");
    $("clear").disabled = !decision;
  }

  // Put away what was typed and not written.
  forgetNote() {
    clearTimeout(this.typing);
    $("note").value = this.editor.decided().note;
  }

  // The next image is on its way: no note is about it yet.
  wait() {
    clearTimeout(this.typing);
    $("note").value = "";
    $("note").readOnly = true;
  }

  writeNote() {
    clearTimeout(this.typing);
    const { subject } = this, note = $("note").value;
    if (!subject || note === this.editor.decided().note) return;
    subject.saver.decide(this.editor.decided().decision, note);
  }

  decide(decision) {
    const { subject, editor, desk } = this;
    // Two quick presses must not decide about an image that nobody has seen.
    if (!subject || this.moving || performance.now() < this.ready) return;
    if (decision === "accepted" && editor.stage.outline.length) {
      say("A polygon is still open: Enter closes it, Esc drops it. Then accept.",
        { until: "change", undo: { label: "Close it", act: () => editor.tools.close() } });
      return;
    }
    editor.tools.rest();
    const much = this.#muchChanged();
    subject.mask?.mark(); // it is said here, and need not be again when leaving
    subject.saver.decide(decision, $("note").value);
    desk.decided(subject, decision);
    editor.state();
    this.moving = true;
    desk.step(1);
    if (desk.number === null) this.moving = false; // it was the last one
    const word = decision === "accepted" ? "✓ Accepted" : "✕ Rejected";
    const about = `: ${subject.name}${much && `, with ${much} of it changed`}`;
    const reword = say(`${word}, not yet saved${about}`, {
      loud: Boolean(much), until: "action",
      undo: { label: "Take it back", key: "u", act: () => this.takeBack(subject) },
    });
    this.last = { subject, decision, reword: () => reword(word + about) };
    this.saved(subject);
  }

  // The server has answered about a subject.
  saved(subject) {
    const { last } = this;
    if (last?.subject !== subject || subject.saver.behind) return;
    if (subject.state.decision === last.decision) last.reword();
    this.last = null;
  }

  // The key does what the button does that stands beside the last decision.
  takeBackByKey() {
    if (!offered("u") && this.desk.number !== null) this.takeBack();
  }

  // The decision only; what was drawn stays.
  takeBack(subject = this.subject) {
    if (!subject?.saver) return;
    const now = subject.saver.review ?? subject.state;
    if (!now.decision) {
      say("Nothing is decided about this image yet.", { until: "change" });
      return;
    }
    subject.saver.decide("", now.note);
    this.desk.decided(subject, "");
    this.editor.state();
    const elsewhere = subject !== this.subject || this.desk.number === null;
    say(`${subject.name} is to do again.`, elsewhere
      ? { back: subject.number, until: "action", undo: { label: "Open that image", act: () => this.desk.open(subject.number) } }
      : { until: "change" });
    if (this.desk.number === null) this.desk.overview.choose();
  }

  #muchChanged() {
    const { mask } = this.subject;
    const share = mask ? mask.changed() / mask.pixels.length : 0;
    return share > MUCH ? percent(share) : "";
  }

  // Before something else is shown, or the page is put away. to: number of what comes next, if any
  leave(to) {
    const { subject } = this;
    this.writeNote();
    if (!subject || to === subject.number || document.hidden) return;
    left();
    const undo = { label: "Back to it", act: () => this.desk.open(subject.number) }, back = subject.number;
    const much = subject.mask && this.#muchChanged();
    if (this.editor.stage.outlines.has(back)) {
      say(`${subject.name}: its open polygon is kept until you close it.`, { undo, back });
    } else if (much) {
      say(`${subject.name}: ${much} of it was changed.`, { undo, back, until: "action", loud: true });
    }
    subject.mask?.mark();
  }
}
