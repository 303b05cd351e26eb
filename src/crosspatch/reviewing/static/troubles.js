// What could not be saved: said at the top of the page until it is, with what can be done.

import { readPixels } from "./api.js";

const $ = (id) => document.getElementById(id);

export function settled(number) {
  $(`trouble-${number}`)?.remove();
}

export async function trouble(desk, subject) {
  const { number, name, saver } = subject, error = saver.trouble;
  if (error.status === 409 && await sameAfterAll(desk, subject)) return;
  const why = saver.conflict
    ? `${error.message.replace(name, "")} while you worked on it here. Whose version shall stay?`
    : ` is not saved: ${error.message}. Your strokes are kept in this page and are tried again.`;
  const there = $(`trouble-${number}`);
  if (there?.dataset.status === String(error.status) && !saver.conflict) {
    there.querySelector("span").textContent = why; // a button in it may have the focus: it stays
    return;
  }
  there?.remove();
  const [box, button] = boxFor(number, name, why, error.status);
  if (desk.number !== number) button("Show it", () => desk.open(number));
  if (saver.conflict) {
    button("Keep mine", async () => {
      box.remove();
      const { pixels } = subject.mask ? await readPixels(number, "mask") : {};
      await saver.keepMine(pixels, error.state);
    });
    button("Take theirs", async () => {
      box.remove();
      await saver.giveUp();
      await desk.reload(number);
    });
  } else button("Try again", () => saver.flush());
  $("troubles").append(box);
  if (desk.editor.subject === subject) desk.editor.state();
}

function boxFor(number, name, why, status) {
  const box = document.createElement("div"), text = document.createElement("p");
  const title = document.createElement("strong"), says = document.createElement("span");
  box.id = `trouble-${number}`;
  box.className = "trouble";
  box.dataset.status = status;
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
  return [box, button];
}

// An answer may have been lost on the way: then "their" version is what was sent.
async function sameAfterAll(desk, subject) {
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
  desk.saved(subject);
  return true;
}
