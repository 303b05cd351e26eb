// The page: an overview and an editor, which of them is shown, and what happens to the images.

import { readFolder, readStates } from "./api.js";
import { Editor } from "./editor.js";
import { Grid } from "./grid.js";
import { bindKeys } from "./keys.js";
import { Look } from "./look.js";
import { Overview } from "./overview.js";
import { arrived, hush, say } from "./signs.js";
import { Shelf } from "./subject.js";
import { startTheme } from "./theme.js";
import * as box from "./strongbox.js";
import * as troubles from "./troubles.js";

const $ = (id) => document.getElementById(id);

class Desk {
  async start() {
    const folder = await readFolder();
    this.folderId = folder.id;
    this.kind = folder.kind;
    this.subjects = folder.subjects;
    this.thing = folder.foreground === "foreground" ? "object" : folder.foreground;
    this.number = null; // of the subject in the editor; null: the overview
    this.shelf = new Shelf(this);
    this.restoredNames = [];
    this.look = new Look();
    this.editor = new Editor(this, this.look);
    this.grid = new Grid($("grid"), this, (number) => this.open(number));
    this.overview = new Overview(this);
    this.#sayWhat(folder);
    this.#bind();
    this.overview.counts();
    this.#route();
    await this.#takeUp();
  }

  // Say what the masks are of, in the words of the folder, wherever somebody needs it.
  #sayWhat(folder) {
    const { thing } = this;
    document.title = `Review of ${folder.folder}`;
    $("folder").textContent = folder.folder;
    $("about").textContent = [
      folder.kind === "dataset" ? "Data set" : "Predictions",
      folder.model && `model ${folder.model}`,
      `you review as ${folder.who}`,
    ].filter(Boolean).join("  ·  ");
    $("about").title = "To sign with another name, start crosspatch review with --who NAME";
    folder.said.forEach((sentence) => {
      const line = document.createElement("li");
      line.textContent = sentence;
      $("notes").append(line);
    });
    $("notes-box").hidden = !folder.said.length;
    $("how").textContent = `The colour says where “${thing}” is. Open an image, look whether that is right, correct it, accept it.`;
    $("question").textContent = $("question").title = `Does the colour cover “${thing}”, all of it and nothing else?`;
    $("object-says").textContent = thing === "object" ? "Object" : thing;
    $("object-says").title = thing;
    if (folder.kind === "dataset") $("restore-says").textContent = "Restore the first mask";
  }

  #bind() {
    bindKeys(this);
    for (const button of document.querySelectorAll("[data-help]")) button.addEventListener("click", () => $("help").showModal());
    $("help-close").addEventListener("click", () => $("help").close());
    $("back").addEventListener("click", () => { location.hash = "#/"; });
    $("previous").addEventListener("click", () => this.step(-1));
    $("next").addEventListener("click", () => this.step(1));
    addEventListener("hashchange", () => this.#route());
    addEventListener("beforeunload", (event) => {
      if (this.shelf.unsaved().length || this.editor.stage.outlines.size) event.preventDefault();
    });
    addEventListener("visibilitychange", () => document.hidden ? this.editor.leave() : this.#lookAgain());
  }

  // --- which of the two is shown ---------------------------------------------------------------

  #route() {
    const found = location.hash.match(/^#\/(\d+)$/), number = found ? Number(found[1]) : null;
    if (number !== null && number < this.subjects.length) this.#show(number);
    else this.#overview();
  }

  open(number) {
    location.hash = `#/${number}`;
  }

  #overview() {
    const from = this.number;
    this.number = null;
    hush();
    $("editor").hidden = true;
    $("overview").hidden = false;
    this.editor.leave();
    delete document.body.dataset.shown;
    this.overview.choose();
    if (from !== null) this.grid.select(from);
    this.overview.counts();
    $("grid").focus({ preventScroll: true });
  }

  async #show(number) {
    $("overview").hidden = true;
    $("editor").hidden = false;
    if (this.number !== null) this.editor.leave(number);
    arrived(number, this.number === null);
    this.number = number;
    this.grid.clear();
    if (!this.grid.shown.includes(number)) this.overview.showAll();
    const place = this.grid.shown.indexOf(number) + 1, total = this.grid.shown.length;
    let subject = this.shelf.here(number);
    if (!subject) {
      this.editor.wait(this.subjects[number].name, place, total);
      try {
        subject = await this.shelf.get(number);
      } catch (error) {
        if (this.number === number) $("said").textContent = `This image cannot be shown: ${error.message}`;
        return;
      }
      if (this.number !== number) return; // somebody went on meanwhile
    }
    this.shelf.get(number); // the most recently used now
    this.editor.show(subject, place, total);
    document.body.dataset.shown = number;
    if (document.activeElement !== $("note")) $("pane").focus({ preventScroll: true }); // no slider of the last image
    this.#freshen(subject);
    setTimeout(() => this.#ahead(), 30);
  }

  // Fetch the next ones and the one before, so that going there is instant.
  #ahead() {
    if (this.number === null) return;
    const place = this.grid.shown.indexOf(this.number);
    for (const step of [1, 2, -1]) {
      const next = this.grid.shown[place + step];
      if (next !== undefined) this.shelf.get(next).catch(() => {});
    }
  }

  step(by) {
    const { shown } = this.grid, place = shown.indexOf(this.number) + by;
    if (place >= 0 && place < shown.length) return this.open(shown[place]);
    if (by < 0) return say("This is the first one of this list.");
    this.#overview();
    location.hash = "#/";
    say("That was the last one of this list.");
  }

  // --- what happens to subjects ------------------------------------------------------------------

  saved(subject) {
    this.subjects[subject.number].state = subject.saver.review
      ? { ...subject.state, ...subject.saver.review } : subject.state;
    if (this.editor?.subject === subject) this.editor.state();
    this.editor?.verdict.saved(subject);
    if (!subject.saver.behind) troubles.settled(subject.number);
    if (this.number === null) this.grid?.refresh(subject.number);
    this.overview.counts();
  }

  decided(subject, decision) {
    this.subjects[subject.number].state = { ...subject.state, decision };
    this.overview.counts();
  }

  refused(subject, error) {
    this.subjects[subject.number].state = subject.state;
    this.editor.verdict.moving = false;
    this.open(subject.number);
    say(error.message);
  }

  // What an earlier page kept in this browser is sent at once, whatever is looked at first.
  async #takeUp() {
    for (const key of await box.keys()) {
      const number = this.subjects.findIndex(({ name }) => key === `${this.folderId}/${name}`);
      if (number >= 0) await this.shelf.get(number).catch(() => {});
    }
    if (this.restoredNames.length && this.number === null) this.overview.choose();
  }

  restored(subject) {
    const count = this.restoredNames.push(subject.name);
    say(`${count === 1 ? subject.name : `${count} images`}: what an earlier page could not save was taken up again.`);
  }

  trouble(subject) {
    return troubles.trouble(this, subject);
  }

  // Another tab may have changed what this one still holds.
  async #freshen(subject) {
    const states = await readStates().catch(() => null), theirs = states?.[subject.number];
    if (!theirs || subject.saver.behind || theirs.version <= subject.state.version) return;
    await this.reload(subject.number);
  }

  async #lookAgain() {
    for (const subject of this.shelf.unsaved()) subject.saver.flush();
    const states = await readStates().catch(() => ({}));
    for (const [number, state] of Object.entries(states)) {
      const here = this.shelf.here(Number(number));
      if (here?.saver.behind || state.version <= this.subjects[number].state.version) continue;
      this.subjects[number].state = state;
      if (here) this.shelf.drop(Number(number));
      if (this.number === Number(number)) await this.reload(this.number);
    }
    this.overview.counts();
    if (this.number === null) this.overview.choose();
  }

  async reload(number) {
    this.shelf.drop(number);
    if (this.number === number) await this.#show(number);
    const subject = this.shelf.here(number);
    if (subject) this.saved(subject);
  }
}

startTheme();
const desk = new Desk();
desk.start().catch((error) => {
  $("grid").textContent = `The page cannot be shown: ${error.message}`;
});
