// What stands around the cards: how far the review is, which are shown, and the data set.

import { makeDataset, planDataset } from "./api.js";
import { FILTERS, groupOf } from "./grid.js";

const $ = (id) => document.getElementById(id);
const many = (count) => `${count.toLocaleString()} ${count === 1 ? "mask" : "masks"}`;

const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}.`;

export class Overview {
  constructor(desk) {
    this.desk = desk;
    for (const [key, label] of FILTERS) {
      const box = document.createElement("label"), radio = document.createElement("input");
      const text = document.createElement("span"), count = document.createElement("b");
      Object.assign(radio, { type: "radio", name: "filter", id: `filter-${key}`, checked: key === "all" });
      text.textContent = `${label} `;
      count.id = `count-${key}`;
      text.append(count);
      box.append(radio, text);
      radio.addEventListener("change", () => this.choose(key));
      $("filters").append(box);
    }
    $("search").addEventListener("input", () => this.choose());
    $("harvest").addEventListener("click", () => this.#plan());
    $("making-cancel").addEventListener("click", () => $("making").close());
    $("making-go").addEventListener("click", () => this.#make());
  }

  // Every image is in one group, so the numbers add up.
  counts() {
    const { subjects } = this.desk, found = { all: subjects.length };
    for (const subject of subjects) found[groupOf(subject)] = (found[groupOf(subject)] ?? 0) + 1;
    for (const [key] of FILTERS) $(`count-${key}`).textContent = (found[key] ?? 0).toLocaleString();
    $("filter-problem").parentElement.hidden = !found.problem;
    const usable = subjects.length - (found.problem ?? 0), done = usable - (found.open ?? 0);
    $("progress").max = Math.max(usable, 1);
    $("progress").value = done;
    $("progress-says").textContent = `${done.toLocaleString()} of ${usable.toLocaleString()} done`;
    $("harvest").disabled = !found.accepted && !found.corrected;
  }

  showAll() {
    $("filter-all").checked = true;
    $("search").value = "";
    this.choose("all");
  }

  // Show a group's cards; the same group anew, where what is in it may have changed.
  choose(key = this.desk.grid.filter) {
    this.desk.grid.choose(key, $("search").value);
    $("empty").hidden = this.desk.grid.shown.length > 0;
    const words = $("search").value.trim();
    $("empty").textContent = words ? `No image here has “${words}”. Empty the search, or choose another group above.`
      : "No image is in this group. Choose another one above.";
  }

  // --- the data set ------------------------------------------------------------------------------

  // Say what would be made, of what and where; nothing is made yet.
  async #plan() {
    for (const id of ["making-next", "making-path", "making-left"]) $(id).textContent = "";
    $("making-after").hidden = true;
    $("making-cancel").textContent = "Not now";
    $("making-go").hidden = true;
    $("making-says").textContent = "Counting …";
    $("making").showModal();
    try {
      const plan = await planDataset(), taken = plan.accepted + plan.corrected;
      $("making-says").textContent = `Writes ${taken.toLocaleString()} of ${many(plan.total)} (${plan.accepted.toLocaleString()} accepted as is, ${plan.corrected.toLocaleString()} corrected), each with a copy of its image, into the folder`;
      $("making-path").textContent = plan.path;
      this.left = `Left out: ${plan.open.toLocaleString()} to do, ${plan.rejected.toLocaleString()} rejected.`;
      $("making-left").textContent = [
        this.left,
        plan.problems && `${plan.problems.toLocaleString()} cannot be shown.`,
        plan.exists && "The data set that was made there before is replaced.",
      ].filter(Boolean).join(" ");
      $("making-go").hidden = false;
      $("making-go").focus();
    } catch (error) {
      $("making-says").textContent = error.message;
    }
  }

  async #make() {
    $("making-go").disabled = true;
    $("making-says").textContent = "Writing …";
    try {
      const made = await makeDataset();
      $("making-says").textContent = `Done: ${many(made.count)} in the folder`;
      $("making-path").textContent = made.path;
      const said = made.said.filter((words) => !words.startsWith("left out")).map(sentence);
      const [first] = made.skipped;
      if (first) said.push(`${made.skipped.length} could not be taken: ${first.join(": ")}`);
      $("making-left").textContent = [...said, this.left].join(" ");
      $("making-next").textContent = made.next;
      $("making-after").hidden = false;
      $("making-go").hidden = true;
      $("making-cancel").textContent = "Close";
    } catch (error) {
      $("making-says").textContent = `Nothing was made: ${error.message}`;
    }
    $("making-go").disabled = false;
    this.counts();
  }
}
