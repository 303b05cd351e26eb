// The model's own answer: where it is cut, and the way back to it.

import { say } from "./signs.js";

const $ = (id) => document.getElementById(id);

export class Threshold {
  constructor(editor) {
    this.editor = editor;
    this.cutting = null; // the step that the slider's way makes
    this.sliding = false; // somebody has hold of the slider
    const slider = $("threshold");
    slider.addEventListener("input", async () => {
      const wanted = Number(slider.value);
      this.sliding = true;
      const mask = await this.#ready();
      if (mask) this.#cut(mask, wanted);
    });
    slider.addEventListener("change", () => {
      this.sliding = false;
      this.#end();
    });
    $("as-predicted").addEventListener("click", async () => {
      const mask = await this.#ready();
      if (mask && mask.threshold !== null) this.#cut(mask, null);
    });
    $("restore").addEventListener("click", () => this.#restore());
  }

  get subject() { return this.editor.subject; }

  show() {
    const { subject } = this;
    $("threshold-box").hidden = !subject?.has_probability || !subject.mask;
    if ($("threshold-box").hidden) return;
    const own = subject.threshold ?? 0.5;
    const kept = subject.mask.steps ? subject.mask.threshold : subject.state.threshold && subject.state.threshold * subject.steps;
    const shown = kept ?? own * subject.steps;
    $("threshold").value = shown;
    $("threshold-says").textContent = (shown / subject.steps).toFixed(2);
    $("as-predicted").textContent = `Back to ${own.toFixed(2)}`;
    $("as-predicted").disabled = kept === null;
  }

  // Large probabilities are fetched only now, and the slider may have been let go meanwhile.
  #cut(mask, threshold) {
    if (!this.cutting || mask.open !== this.cutting) {
      this.editor.tools.rest(); // a stroke that is under way ends here
      mask.begin();
      this.cutting = mask.open;
    }
    mask.cut(threshold);
    this.show();
    this.editor.stage.redraw();
    if (!this.sliding) this.#end();
  }

  #end() {
    const mask = this.subject?.mask, { cutting } = this;
    this.cutting = null;
    if (cutting && mask?.open === cutting && mask.commit()) this.editor.drew();
  }

  // The mask, once it knows the probability; null where that cannot be had, or somebody went on.
  async #ready() {
    const { subject } = this;
    return await this.#probability() && subject === this.subject ? subject.mask : null;
  }

  async #probability() {
    try {
      await this.subject.map("probability");
      return true;
    } catch (error) {
      say(`The threshold cannot be moved: ${error.message}`);
      return false;
    }
  }

  // Put the mask of the folder back, whatever was drawn, today or another day: one step to undo.
  // What was decided stays decided, about the mask that is there now.
  async #restore() {
    const { subject, editor } = this;
    if (subject.has_probability) await this.#probability(); // it knows where the mask was cut
    try {
      const original = await subject.original();
      if (subject !== editor.subject) return; // somebody went on meanwhile
      editor.tools.rest();
      if (!subject.mask.steps) subject.state = { ...subject.state, threshold: null };
      if (!subject.mask.restore(original)) return say("It is that mask already.");
    } catch (error) {
      return say(`The first mask cannot be read: ${error.message}`);
    }
    editor.changed();
    const { decision } = editor.decided(), whose = editor.desk.kind === "dataset" ? "first" : "model's";
    const stays = decision ? ` It stays ${decision}.` : "";
    say(`The ${whose} mask is back.${stays}`, { until: "change", undo: { label: "Undo", act: () => editor.undo() } });
  }
}
