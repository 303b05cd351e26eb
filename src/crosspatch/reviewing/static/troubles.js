// What could not be saved: said at the top of the page until it is, with what can be done.

import { readPixels } from "./api.js";
import { say } from "./signs.js";

const $ = (id) => document.getElementById(id);

export function settled(number) {
  $(`trouble-${number}`)?.remove();
}

export async function trouble(desk, subject) {
  const { number, name, saver } = subject, error = saver.trouble;
  if (error.status === 409 && await sameAfterAll(desk, subject)) return;
  const why = saver.conflict
    ? `${error.message.replace(name, "")} while you worked on it here. Whose version shall stay?`
    : ` is not saved: ${ended(error.message)} ${whatNow(error.status, saver.kept)}`;
  const there = $(`trouble-${number}`);
  if (there?.dataset.status === String(error.status) && !saver.conflict) {
    there.querySelector("span").textContent = why; // a button in it may have the focus: it stays
    return;
  }
  there?.remove();
  const [box, button] = boxFor(number, name, why, error.status);
  if (desk.number !== number) button("Open that image", () => desk.open(number));
  if (saver.conflict) {
    button("Keep mine", async () => {
      try {
        const { pixels } = subject.mask ? await readPixels(number, "mask") : {};
        box.remove();
        await saver.keepMine(pixels, error.state);
      } catch (failure) { // the question stays
        say(failure.message);
      }
    });
    button("Take theirs", async () => {
      box.remove();
      await saver.giveUp();
      if (desk.editor.subject === subject) desk.editor.verdict.forgetNote();
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

const ended = (words) => words.replace(/[^.?!]$/, "$&.");

// After a new start the server knows this page again once any tab has opened the new link.
function whatNow(status, kept) {
  if (status !== 403 && status !== 410) return "Your strokes are kept in this page and are tried again.";
  const also = kept ? " It is kept in this browser as well, until it is saved." : "";
  return `Do that in a new tab and leave this one open: what is unsaved here is then sent by itself.${also}`;
}

// An answer may have been lost on the way, or another tab has sent what this browser kept: then
// "their" version is ours. A decision that is still to come goes on top of it.
async function sameAfterAll(desk, subject) {
  const { saver } = subject, { state } = saver.trouble, { review } = saver;
  const same = (one) => one.decision === state.decision && one.note === state.note;
  const coming = review && !same(review) && same(subject.state);
  if (review && !coming && !same(review)) return false;
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
  if (coming) saver.decide(review.decision, review.note);
  desk.saved(subject);
  return true;
}
