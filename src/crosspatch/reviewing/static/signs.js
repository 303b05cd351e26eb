// Saying what has happened, and how to take it back. In the editor that stands above the image,
// where it hides nothing; in the overview it comes up at the bottom. Both are read aloud.

const $ = (id) => document.getElementById(id);
let timer = 0;

// loud: something that somebody may not have meant
// undo: { label, act } of a button beside the sentence; step: it holds until the next stroke only
export function say(sentence, { undo = null, loud = false, stays = 9000 } = {}) {
  if ($("editor").hidden) return toast(sentence, undo, stays);
  hush();
  $("sign").classList.toggle("loud", loud);
  $("sign").dataset.step = undo?.step ?? "";
  $("sign").replaceChildren(...parts(sentence, undo, hush));
  timer = setTimeout(hush, stays);
}

export function hush() {
  clearTimeout(timer);
  $("sign").replaceChildren();
}

// The mask was changed again: an offer to undo the step before would now undo another.
export function outdated() {
  if ($("sign").dataset.step) hush();
}

function toast(sentence, undo, stays) {
  const line = document.createElement("div");
  line.className = "toast";
  line.append(...parts(sentence, undo, () => line.remove()));
  $("toasts").append(line);
  setTimeout(() => line.remove(), stays);
}

function parts(sentence, undo, done) {
  const text = document.createElement("span");
  text.textContent = text.title = sentence;
  if (!undo) return [text];
  const button = document.createElement("button");
  button.className = "small";
  button.textContent = undo.label;
  button.addEventListener("click", () => {
    done();
    undo.act();
    if (!$("editor").hidden) $("pane").focus({ preventScroll: true });
  });
  return [text, button];
}

// A share of the whole, as people say it.
export function percent(share) {
  if (share > 0 && share < 0.01) return "under 1 %";
  if (share < 1 && share > 0.99) return "over 99 %";
  return `${Math.round(share * 100)} %`;
}
