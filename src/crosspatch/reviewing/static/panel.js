// How an image is shown: its bands and light, the mask's colour, what stands beside it.

import { COLOURS, heatColour } from "./render.js";
import { say } from "./signs.js";

const $ = (id) => document.getElementById(id);
const BESIDE = ["none", "image", "votes", "probability"];

export class Panel {
  constructor(editor, look) {
    this.editor = editor;
    this.look = look;
    $("combination").addEventListener("change", (event) => this.#choose(Number(event.target.value)));
    ["red", "green", "blue"].forEach((id, index) => $(id).addEventListener("change", (event) => {
      const own = [...look.own];
      own[index] = Number(event.target.value);
      this.set({ own });
    }));
    for (const id of ["brightness", "contrast", "opacity"]) {
      $(id).addEventListener("input", (event) => this.set({ [id]: Number(event.target.value) }));
    }
    $("plain").addEventListener("click", () => this.set({ brightness: 1, contrast: 1, combination: 0 }));
    $("usual").addEventListener("click", () => {
      this.set(look.mask ? { combination: 0 } : { mask: true });
      $("pane").focus({ preventScroll: true });
    });
    $("show-mask").addEventListener("change", (event) => this.set({ mask: event.target.checked }));
    $("outline").addEventListener("change", (event) => this.set({ outline: event.target.checked }));
    $("colour").addEventListener("change", (event) => this.set({ colour: event.target.value }));
    $("beside-what").addEventListener("change", (event) => this.#besides(event.target.value));
    const ramp = Array.from({ length: 11 }, (_, i) => heatColour(i * 10)).join(", ");
    $("scale").style.setProperty("--ramp", `linear-gradient(to right, ${ramp})`);
    this.set({});
  }

  set(changes) {
    const { look } = this;
    look.set(changes);
    for (const id of ["brightness", "contrast", "opacity"]) {
      $(id).value = look[id];
      $(`${id}-says`).textContent = `${Math.round(look[id] * 100)} %`;
    }
    $("show-mask").checked = look.mask;
    $("outline").checked = look.outline;
    $("colour").value = look.colour;
    document.body.style.setProperty("--mask", `rgb(${COLOURS[look.colour].join(" ")})`);
    $("beside-what").value = look.beside;
    $("own").hidden = look.combination >= 0;
    this.#sayUnusual();
    this.editor.stage?.resize();
  }

  toggle(what) {
    this.set({ [what]: !this.look[what] });
  }

  // A subject is shown: offer what it has.
  show() {
    const { subject } = this.editor;
    if (!subject?.combinations) return;
    const { combinations, bands } = subject, option = (label, value) => new Option(label, value);
    $("bands-hint").hidden = combinations.length < 2;
    $("combination").replaceChildren(
      ...combinations.map(({ label }, index) => option(label, index)),
      ...(bands.length > 2 ? [option("Own choice …", -1)] : []),
    );
    ["red", "green", "blue"].forEach((id, index) => {
      $(id).replaceChildren(...bands.map((name, band) => option(name, band)));
      $(id).value = Math.min(this.look.own[index], bands.length - 1);
    });
    for (const what of ["votes", "probability"]) {
      document.querySelector(`#beside-what [value=${what}]`).disabled = !subject[`has_${what}`];
    }
    this.#sayUnusual();
    this.#loadBeside();
  }

  // What is chosen is kept from image to image: say it where one looks, unless it is the usual.
  #sayUnusual() {
    const { look } = this, shown = this.editor.subject?.combinations;
    if (!shown) return;
    const place = look.combination < shown.length ? look.combination : 0;
    $("combination").value = place;
    $("shown").hidden = look.mask && place === 0;
    const bands = place < 0 ? "Bands of your own choice" : `Shown: ${shown[place].label}`;
    $("shown-says").textContent = look.mask ? bands : "The mask is hidden";
    $("usual").textContent = look.mask ? `Back to ${shown[0].label.toLowerCase()}` : "Show the mask";
  }

  #choose(combination) {
    const { look } = this;
    if (combination < 0 && look.combination >= 0) {
      const now = look.bandsOf(this.editor.subject); // start from what is shown
      look.set({ own: now.length === 3 ? now : [now[0], now[0], now[0]] });
    }
    this.set({ combination });
    this.show();
  }

  nextCombination() {
    const { subject } = this.editor;
    if (!subject?.combinations) return;
    this.set({ combination: (Math.max(this.look.combination, 0) + 1) % subject.combinations.length });
  }

  nextBeside() {
    const { subject } = this.editor;
    const can = BESIDE.filter((what) => what === "none" || what === "image" || subject?.[`has_${what}`]);
    this.#besides(can[(can.indexOf(this.look.beside) + 1) % can.length]);
  }

  #besides(beside) {
    this.set({ beside });
    this.#loadBeside();
  }

  async #loadBeside() {
    const { subject } = this.editor, what = this.look.beside;
    $("scale").hidden = what !== "votes" && what !== "probability";
    if (!subject || subject.problem || $("scale").hidden || !subject[`has_${what}`]) return;
    try {
      const { voters } = await subject.map(what);
      $("scale-says").textContent = what === "votes" ? `of ${voters} volunteers` : "sure, says the model";
    } catch (error) {
      say(`${subject.name}: ${error.message}`);
    }
    this.editor.stage.redraw();
  }
}
