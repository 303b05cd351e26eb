// The model's own answer: where it is cut, and the way back to it.

import { say } from "./signs.js";

const $ = (id) => document.getElementById(id);

export class Threshold {
  constructor(editor) {
    this.editor = editor;
    const slider = $("threshold");
    slider.addEventListener("input", async () => {
      const { mask } = this.subject, wanted = Number(slider.value);
      if (!(await this.#probability()) || mask !== this.subject.mask) return;
      if (!mask.open) mask.begin();
      mask.cut(wanted);
      this.show();
      editor.stage.redraw();
    });
    slider.addEventListener("change", () => this.#end());
    $("as-predicted").addEventListener("click", async () => {
      const { mask } = this.subject;
      if (!(await this.#probability()) || mask.threshold === null) return;
      mask.begin();
      mask.cut(null);
      this.#end();
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

  #end() {
    const { mask } = this.subject;
    if (mask.open && mask.commit()) this.editor.drew();
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
    editor.tools.rest();
    if (subject.has_probability) await this.#probability(); // it knows where the mask was cut
    try {
      const original = await subject.original();
      if (subject !== editor.subject) return; // somebody went on meanwhile
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
