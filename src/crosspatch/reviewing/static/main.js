// The page: an overview and an editor, which of them is shown, keys, and what goes wrong.

import { makeDataset, readFolder, readPixels, readStates } from "./api.js";
import { Editor } from "./editor.js";
import { FILTERS, Grid } from "./grid.js";
import { Look } from "./look.js";
import { Shelf } from "./subject.js";

const $ = (id) => document.getElementById(id);

class Desk {
  async start() {
    const folder = await readFolder();
    this.folderId = folder.id;
    this.subjects = folder.subjects;
    this.shelf = new Shelf(this);
    this.look = new Look();
    this.editor = new Editor(this, this.look);
    this.grid = new Grid($("grid"), this.subjects, (number) => this.open(number));
    this.number = null; // of the subject in the editor; null: the overview
    document.title = `Review of ${folder.folder}`;
    $("folder").textContent = folder.folder;
    $("about").textContent = [
      folder.kind === "dataset" ? "data set" : "predictions",
      folder.model && `model ${folder.model}`,
      `signed as ${folder.who}`,
    ].filter(Boolean).join("  ·  ");
    folder.said.forEach((sentence) => {
      const line = document.createElement("li");
      line.textContent = sentence;
      $("notes").append(line);
    });
    $("notes-box").hidden = !folder.said.length;
    this.#sayWhat(folder.foreground);
    this.#bindOverview();
    this.#bindKeys();
    this.counts();
    addEventListener("hashchange", () => this.#route());
    addEventListener("beforeunload", (event) => {
      if (this.shelf.unsaved().length) event.preventDefault();
    });
    addEventListener("visibilitychange", () => document.hidden ? this.editor.leave() : this.#lookAgain());
    this.#route();
  }

  // Say what the masks are of, in the words of the folder, wherever somebody needs it.
  #sayWhat(foreground) {
    const thing = foreground === "foreground" ? "object" : foreground;
    $("how").textContent = `The colour says where “${thing}” is. Open an image, look whether that is right, correct it, accept it.`;
    $("question").textContent = `Does the colour cover “${thing}”, all of it and nothing else?`;
    $("object-says").textContent = thing === "object" ? "Object" : thing;
    $("object-says").title = thing;
    this.thing = thing;
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
    this.editor.leave();
    $("editor").hidden = true;
    $("overview").hidden = false;
    delete document.body.dataset.shown;
    this.grid.choose();
    if (from !== null) this.grid.select(from);
    this.counts();
    $("grid").focus({ preventScroll: true });
  }

  async #show(number) {
    if (this.number !== null) this.editor.leave();
    this.number = number;
    this.grid.clear();
    $("overview").hidden = true;
    $("editor").hidden = false;
    if (!this.grid.shown.includes(number)) {
      $("filter-all").checked = true;
      $("search").value = "";
      this.grid.choose("all", "");
    }
    const place = this.grid.shown.indexOf(number) + 1, total = this.grid.shown.length;
    let subject = this.shelf.here(number);
    if (!subject) {
      this.editor.wait(this.subjects[number].name, place, total);
      try {
        subject = await this.shelf.get(number);
      } catch (error) {
        if (this.number === number) $("said").textContent = `This subject cannot be shown: ${error.message}`;
        return;
      }
      if (this.number !== number) return; // somebody went on meanwhile
    }
    this.shelf.get(number); // the most recently used now
    this.editor.show(subject, place, total);
    document.body.dataset.shown = number;
    if (!["TEXTAREA", "INPUT", "SELECT"].includes(document.activeElement?.tagName)) $("pane").focus({ preventScroll: true });
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
    this.say(by > 0 ? "That was the last one of this list." : "This is the first one of this list.");
    if (by > 0) location.hash = "#/";
  }

  // --- what happens to subjects ------------------------------------------------------------------

  saved(subject) {
    this.subjects[subject.number].state = subject.saver.review
      ? { ...subject.state, ...subject.saver.review } : subject.state;
    if (this.editor?.subject === subject) this.editor.state();
    if (!subject.saver.behind) $(`trouble-${subject.number}`)?.remove();
    this.counts();
  }

  decided(subject, decision) {
    this.subjects[subject.number].state = { ...subject.state, decision };
    this.counts();
  }

  refused(subject, error) {
    this.say(error.message);
    this.subjects[subject.number].state = subject.state;
    this.open(subject.number);
  }

  restored(subject) {
    this.say(`${subject.name}: what an earlier page could not save was taken up again.`);
  }

  // Something could not be saved: say it until it is, and offer what can be done.
  async trouble(subject) {
    const { number, name, saver } = subject, error = saver.trouble;
    if (error.status === 409 && await this.#sameAfterAll(subject)) return;
    const why = saver.conflict
      ? `${error.message.replace(name, "")} while you worked on it here. Whose version shall stay?`
      : ` is not saved: ${error.message}. Your strokes are kept in this page and are tried again.`;
    const there = $(`trouble-${number}`);
    if (there?.dataset.status === String(error.status) && !saver.conflict) {
      there.querySelector("span").textContent = why; // a button in it may have the focus: it stays
      return;
    }
    there?.remove();
    const box = document.createElement("div"), text = document.createElement("p");
    const title = document.createElement("strong"), says = document.createElement("span");
    box.id = `trouble-${number}`;
    box.className = "trouble";
    box.dataset.status = error.status;
    title.textContent = name;
    says.textContent = why;
    text.append(title, says);
    box.append(text);
    const button = (label, act) => {
      const made = document.createElement("button");
      made.textContent = label;
      made.addEventListener("click", act);
      box.append(made);
    };
    if (this.number !== number) button("Show it", () => this.open(number));
    if (saver.conflict) {
      button("Keep mine", async () => {
        box.remove();
        const { pixels } = subject.mask ? await readPixels(number, "mask") : {};
        await saver.keepMine(pixels, error.state);
      });
      button("Take theirs", async () => {
        box.remove();
        await saver.giveUp();
        await this.#reload(number);
      });
    } else button("Try again", () => saver.flush());
    $("troubles").append(box);
    if (this.editor.subject === subject) this.editor.state();
  }

  // An answer may have been lost on the way: then "their" version is what was sent.
  async #sameAfterAll(subject) {
    const { saver } = subject, { state } = saver.trouble, { review } = saver;
    if (review && (review.decision !== state.decision || review.note !== state.note)) return false;
    try {
      if (subject.mask) {
        const { pixels } = await readPixels(subject.number, "mask");
        if (pixels.some((value, at) => value !== subject.mask.pixels[at])) return false;
        subject.mask.dirty.clear();
      }
    } catch {
      return false;
    }
    await saver.giveUp();
    subject.state = state;
    this.saved(subject);
    return true;
  }

  // Another tab may have changed what this one still holds.
  async #freshen(subject) {
    const states = await readStates().catch(() => null), theirs = states?.[subject.number];
    if (!theirs || subject.saver.behind || theirs.version <= subject.state.version) return;
    await this.#reload(subject.number);
  }

  async #lookAgain() {
    const states = await readStates().catch(() => ({}));
    for (const [number, state] of Object.entries(states)) {
      const here = this.shelf.here(Number(number));
      if (here?.saver.behind || state.version <= this.subjects[number].state.version) continue;
      this.subjects[number].state = state;
      if (here) this.shelf.drop(Number(number));
      if (this.number === Number(number)) await this.#reload(this.number);
    }
    this.counts();
    if (this.number === null) this.grid.choose();
  }

  async #reload(number) {
    this.shelf.drop(number);
    if (this.number === number) await this.#show(number);
    const subject = this.shelf.here(number);
    if (subject) this.saved(subject);
  }

  // --- the overview ------------------------------------------------------------------------------

  counts() {
    if (!$("filters").children.length) return;
    for (const [key, , fits] of FILTERS) {
      const many = this.subjects.filter(fits).length;
      $(`count-${key}`).textContent = many.toLocaleString();
      $(`filter-${key}`).parentElement.hidden = key === "problem" && !many;
    }
    const usable = this.subjects.filter((s) => !s.problem).length;
    const decided = this.subjects.filter((s) => s.state.decision).length;
    $("progress").max = Math.max(usable, 1);
    $("progress").value = decided;
    $("progress-says").textContent = `${decided.toLocaleString()} of ${usable.toLocaleString()} decided`;
    $("harvest").disabled = !this.subjects.some((s) => s.state.decision === "accepted");
  }

  #bindOverview() {
    for (const [key, label] of FILTERS) {
      const box = document.createElement("label"), radio = document.createElement("input");
      const text = document.createElement("span"), count = document.createElement("b");
      Object.assign(radio, { type: "radio", name: "filter", id: `filter-${key}`, checked: key === "all" });
      text.textContent = `${label} `;
      count.id = `count-${key}`;
      text.append(count);
      box.append(radio, text);
      radio.addEventListener("change", () => this.#filter(key));
      $("filters").append(box);
    }
    $("search").addEventListener("input", () => this.#filter(this.grid.filter));
    $("harvest").addEventListener("click", () => this.#harvest());
    $("theme").addEventListener("click", () => nextTheme());
    for (const button of document.querySelectorAll("[data-help]")) button.addEventListener("click", () => $("help").showModal());
    $("help-close").addEventListener("click", () => $("help").close());
    $("back").addEventListener("click", () => { location.hash = "#/"; });
    $("previous").addEventListener("click", () => this.step(-1));
    $("next").addEventListener("click", () => this.step(1));
  }

  #filter(key) {
    this.grid.choose(key, $("search").value);
    $("empty").hidden = this.grid.shown.length > 0;
  }

  async #harvest() {
    $("harvest").disabled = true;
    try {
      const made = await makeDataset();
      const lost = made.skipped.length ? `; ${made.skipped.length} could not be taken: ${made.skipped[0].join(": ")}` : "";
      this.say(`The data set ${made.path} in this folder holds ${made.count} subjects${lost}. ${made.said.join(". ")}.`, 12000);
    } catch (error) {
      this.say(error.message);
    }
    this.counts();
  }

  // --- keys ----------------------------------------------------------------------------------------

  #bindKeys() {
    const { editor } = this;
    const keys = {
      a: () => editor.decide("accepted"), r: () => editor.decide("rejected"),
      n: () => this.step(1), p: () => this.step(-1),
      v: () => editor.choose("move"), b: () => editor.choose("brush"), e: () => editor.choose("eraser"),
      g: () => editor.choose("polygon"), f: () => editor.choose("fill"), x: () => editor.nextPaint(),
      "[": () => editor.resize(-1), "]": () => editor.resize(1),
      z: () => editor.undo(), y: () => editor.redo(),
      m: () => editor.toggleMask(), c: () => editor.nextCombination(), s: () => editor.nextBeside(),
      t: () => $("threshold").focus(), w: () => $("note").focus(),
      "+": () => editor.stage.zoom(1.5), "=": () => editor.stage.zoom(1.5), "-": () => editor.stage.zoom(1 / 1.5),
      0: () => editor.stage.fit(),
      Escape: () => { if (!editor.tools.stop()) location.hash = "#/"; },
    };
    addEventListener("keydown", (event) => {
      if ($("help").open) return;
      const typing = event.target.matches?.("textarea, input[type=search]");
      if (event.key === "?" && !typing) return $("help").showModal();
      if (this.number === null) {
        if (event.key === "/" && !typing) {
          event.preventDefault();
          $("search").focus();
        }
        return;
      }
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
      keys[key]();
    });
  }

  // Say something that needs no answer.
  say(sentence, stays = 6000) {
    const line = document.createElement("div");
    line.className = "toast";
    line.textContent = sentence;
    $("toasts").append(line);
    setTimeout(() => line.remove(), stays);
  }
}

// --- light or dark: as the system has it, until somebody chooses ----------------------------------

const THEMES = ["auto", "light", "dark"];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = { auto: "◐ Auto", light: "☀ Light", dark: "☾ Dark" }[theme];
  try {
    localStorage.setItem("crosspatch-theme", theme);
  } catch { /* then it is for this visit only */ }
}

const nextTheme = () => setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]);

let theme = "auto";
try {
  theme = localStorage.getItem("crosspatch-theme") ?? "auto";
} catch { /* as the system has it */ }
setTheme(THEMES.includes(theme) ? theme : "auto");

const desk = new Desk();
desk.start().catch((error) => {
  $("grid").textContent = `The page cannot be shown: ${error.message}`;
});
