// One subject large: the stage in the middle, tools at the left, how it is shown at the right.

import { COLOURS, heatColour } from "./render.js";
import { chip } from "./grid.js";
import { Stage } from "./stage.js";
import { Tools } from "./tools.js";

const $ = (id) => document.getElementById(id);
const BESIDE = ["none", "image", "votes", "probability"];

export class Editor {
  constructor(desk, look) {
    this.desk = desk; // main.js: what goes beyond one subject
    this.look = look;
    this.stage = new Stage($("pane"), $("beside"), look);
    this.tools = new Tools(this.stage, () => this.#changed());
    this.point = null; // where the cursor is, in the image
    this.tools.onCursor = (point) => this.#read(this.point = point);
    this.subject = null;
    this.#bindTools();
    this.#bindLook();
    this.#bindMask();
    this.#bindReview();
    this.#showLook();
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
    $("said").hidden = !subject.problem && !subject.warning;
    $("said").textContent = subject.problem ? `This subject cannot be shown: ${subject.problem}` : subject.warning;
    $("note").value = subject.saver.review?.note ?? subject.state.note;
    this.tools.stop();
    this.#bands();
    this.#enable(!subject.problem);
    this.#threshold();
    this.stage.show(subject);
    this.tools.update();
    this.#read(this.point = null);
    this.state();
    if (this.look.beside !== "none") this.#loadBeside();
  }

  // Say where the subject's review stands and whether everything is saved.
  state() {
    const { subject } = this;
    if (!subject) return;
    const decided = subject.saver.review ? { ...subject.state, ...subject.saver.review } : subject.state;
    const [kind, sign, word] = chip(decided, subject.problem);
    $("state").className = `chip ${kind}`;
    $("state").textContent = `${sign} ${word}`;
    $("accept").setAttribute("aria-pressed", decided.decision === "accepted");
    $("reject").setAttribute("aria-pressed", decided.decision === "rejected");
    $("clear").hidden = !decided.decision;
    $("undo").disabled = !subject.mask?.done.length;
    $("redo").disabled = !subject.mask?.undone.length;
    $("who").textContent = subject.state.who ? `${subject.state.who}, ${when(subject.state.time)}` : "";
    const { saver } = subject, saved = $("saved");
    saved.className = saver.trouble ? "bad" : saver.behind ? "busy" : "good";
    saved.textContent = saver.trouble ? "Not saved" : saver.behind ? "Saving …" : subject.state.version ? "All saved" : "";
  }

  #enable(on) {
    for (const id of ["rail", "look"]) $(id).toggleAttribute("inert", !on);
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

  nextPaint() {
    const order = ["object", "background", "unsure"];
    this.paint(order[(order.indexOf(this.tools.paints) + 1) % order.length]);
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
    if (this.subject?.mask?.undo()) this.#changed();
  }

  redo() {
    if (this.subject?.mask?.redo()) this.#changed();
  }

  #changed() {
    this.#threshold();
    this.stage.redraw();
    this.#read(this.point);
    this.subject.saver.flush();
  }

  // --- how it is shown -------------------------------------------------------------------------

  #bindLook() {
    const set = (changes) => {
      this.look.set(changes);
      this.#showLook();
      this.stage.resize();
    };
    this.setLook = set;
    $("combination").addEventListener("change", (event) => {
      const combination = Number(event.target.value);
      if (combination < 0 && this.look.combination >= 0) {
        const now = this.look.bandsOf(this.subject); // start from what is shown
        this.look.set({ own: now.length === 3 ? now : [now[0], now[0], now[0]] });
      }
      set({ combination });
      this.#bands();
    });
    ["red", "green", "blue"].forEach((id, index) => $(id).addEventListener("change", (event) => {
      const own = [...this.look.own];
      own[index] = Number(event.target.value);
      set({ own });
    }));
    for (const id of ["brightness", "contrast", "opacity"]) {
      $(id).addEventListener("input", (event) => set({ [id]: Number(event.target.value) }));
    }
    $("plain").addEventListener("click", () => {
      this.look.reset();
      set({});
      this.#bands();
    });
    $("show-mask").addEventListener("change", (event) => set({ mask: event.target.checked }));
    $("colour").addEventListener("change", (event) => set({ colour: event.target.value }));
    $("beside-what").addEventListener("change", (event) => {
      set({ beside: event.target.value });
      this.#loadBeside();
    });
  }

  #showLook() {
    const { look } = this;
    for (const id of ["brightness", "contrast", "opacity"]) {
      $(id).value = look[id];
      $(`${id}-says`).textContent = `${Math.round(look[id] * 100)} %`;
    }
    $("show-mask").checked = look.mask;
    $("colour").value = look.colour;
    document.body.style.setProperty("--mask", `rgb(${COLOURS[look.colour].join(" ")})`);
    $("beside-what").value = look.beside;
    $("own").hidden = look.combination >= 0;
  }

  #bands() {
    if (!this.subject?.combinations) return;
    const option = (label, value) => new Option(label, value);
    const { combinations, bands } = this.subject;
    $("bands-hint").hidden = combinations.length < 2;
    $("combination").replaceChildren(
      ...combinations.map(({ label }, index) => option(label, index)),
      ...(bands.length > 2 ? [option("Own choice …", -1)] : []),
    );
    $("combination").value = this.look.combination < combinations.length ? this.look.combination : 0;
    ["red", "green", "blue"].forEach((id, index) => {
      $(id).replaceChildren(...bands.map((name, band) => option(name, band)));
      $(id).value = Math.min(this.look.own[index], bands.length - 1);
    });
    for (const what of ["votes", "probability"]) {
      document.querySelector(`#beside-what [value=${what}]`).disabled = !this.subject[`has_${what}`];
    }
  }

  nextCombination() {
    if (!this.subject?.combinations) return;
    const many = this.subject.combinations.length;
    this.setLook({ combination: (Math.max(this.look.combination, 0) + 1) % many });
    this.#bands();
  }

  nextBeside() {
    const can = BESIDE.filter((what) => what === "none" || what === "image" || this.subject?.[`has_${what}`]);
    this.setLook({ beside: can[(can.indexOf(this.look.beside) + 1) % can.length] });
    this.#loadBeside();
  }

  toggleMask() {
    this.setLook({ mask: !this.look.mask });
  }

  async #loadBeside() {
    const { subject, look } = this, what = look.beside;
    $("scale").hidden = what !== "votes" && what !== "probability";
    if (!subject || subject.problem || $("scale").hidden || !subject[`has_${what}`]) return;
    try {
      const { voters } = await subject.map(what);
      $("scale-says").textContent = what === "votes" ? `share of ${voters} volunteers` : "probability";
    } catch (error) {
      this.desk.say(`${subject.name}: ${error.message}`);
    }
    this.stage.redraw();
  }

  // --- the threshold ---------------------------------------------------------------------------

  #bindMask() {
    const slider = $("threshold");
    slider.addEventListener("input", async () => {
      const { mask } = this.subject, wanted = Number(slider.value);
      if (!(await this.#probability()) || mask !== this.subject.mask) return;
      if (!mask.open) mask.begin();
      mask.cut(wanted);
      this.#threshold();
      this.stage.redraw();
    });
    slider.addEventListener("change", () => this.#endCut());
    $("as-predicted").addEventListener("click", async () => {
      const { mask } = this.subject;
      if (!(await this.#probability()) || mask.threshold === null) return;
      mask.begin();
      mask.cut(null);
      this.#endCut();
    });
    $("scale").style.setProperty("--ramp", `linear-gradient(to right, ${
      Array.from({ length: 11 }, (_, i) => heatColour(i * 10)).join(", ")})`);
  }

  #endCut() {
    const { mask } = this.subject;
    if (mask.open && mask.commit()) this.#changed();
  }

  async #probability() {
    try {
      await this.subject.map("probability");
      return true;
    } catch (error) {
      this.desk.say(`The probability cannot be shown: ${error.message}`);
      return false;
    }
  }

  #threshold() {
    const { subject } = this;
    $("threshold-box").hidden = !subject?.has_probability || !subject.mask;
    if ($("threshold-box").hidden) return;
    const kept = subject.mask.steps ? subject.mask.threshold : subject.state.threshold && subject.state.threshold * subject.steps;
    const shown = kept ?? (subject.threshold ?? 0.5) * subject.steps;
    $("threshold").value = shown;
    $("threshold-says").textContent = (shown / subject.steps).toFixed(2);
    $("as-predicted").disabled = kept === null;
  }

  // --- what is under the cursor ------------------------------------------------------------------

  #read(point) {
    const { subject } = this, [x, y] = point ?? [-1, -1];
    const column = Math.floor(x), row = Math.floor(y);
    if (!subject?.mask || column < 0 || row < 0 || column >= subject.width || row >= subject.height) {
      $("readout").textContent = subject?.mask ? `${subject.width} × ${subject.height} pixels` : "";
      return;
    }
    const at = row * subject.width + column;
    const parts = [`row ${row}, col ${column}`, { 0: "background", 1: this.desk.thing, 255: "not sure" }[subject.mask.pixels[at]]];
    const probability = subject.probabilityMap?.pixels[at], votes = subject.votesMap;
    if (probability !== undefined) parts.push(probability === 255 ? "no data" : `probability ${(probability / 100).toFixed(2)}`);
    if (votes) parts.push(`votes ${Math.round((votes.pixels[at] / 100) * votes.voters)} of ${votes.voters}`);
    $("readout").textContent = parts.join("  ·  ");
  }

  // --- decisions ---------------------------------------------------------------------------------

  #bindReview() {
    $("accept").addEventListener("click", () => this.decide("accepted"));
    $("reject").addEventListener("click", () => this.decide("rejected"));
    $("clear").addEventListener("click", () => this.decide("", false));
    let typing = 0;
    const write = () => {
      clearTimeout(typing);
      typing = 0;
      const { subject } = this, note = $("note").value;
      if (!subject || note === (subject.saver.review?.note ?? subject.state.note)) return;
      subject.saver.decide(subject.saver.review?.decision ?? subject.state.decision, note);
    };
    this.writeNote = write;
    $("note").addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(write, 500);
    });
    $("note").addEventListener("blur", write);
  }

  decide(decision, onwards = true) {
    const { subject } = this;
    if (!subject) return;
    this.tools.stop();
    subject.saver.decide(decision, $("note").value);
    this.desk.decided(subject, decision);
    this.state();
    if (onwards) this.desk.step(1);
  }

  // Before something else is shown.
  leave() {
    this.tools.stop();
    this.writeNote();
  }
}

function when(time) {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
