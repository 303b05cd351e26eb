// Saying what has happened, and how to take it back. In the editor that stands above the image,
// where it hides nothing; in the overview it comes up at the bottom. Both are read aloud.

const $ = (id) => document.getElementById(id);
const standing = new Set(); // what can be read now

// loud: something that somebody may not have meant
// undo: { label, act, key } of a button beside the sentence; pressing the key does the same
// until: what ends the sentence before its time: "change", where it is about this image as it is
//   now; "action", where it tells of an event: whatever is done next, in any image
// back: number of the image that the button leads to; there, it is of no use any more
// The returned function says the same in other words, if it is still to be read.
export function say(sentence, { undo = null, loud = false, stays = 9000, until = "", back = null } = {}) {
  const toast = $("editor").hidden, text = document.createElement("span");
  if (!toast) hush();
  const line = toast ? document.createElement("div") : $("sign");
  const said = { toast, undo, until, back };
  said.end = () => {
    clearTimeout(said.timer);
    standing.delete(said);
    if (toast) line.remove();
    else line.replaceChildren();
  };
  const word = (words) => { text.textContent = text.title = words; };
  word(sentence);
  line.replaceChildren(text, ...(undo ? [buttonOf(said)] : []));
  if (toast) {
    line.className = "toast";
    $("toasts").append(line);
  } else line.classList.toggle("loud", loud);
  said.timer = setTimeout(said.end, stays);
  standing.add(said);
  return word;
}

function buttonOf(said) {
  const button = document.createElement("button");
  button.className = "small";
  button.textContent = said.undo.label;
  if (said.undo.key) {
    const key = document.createElement("kbd");
    key.textContent = said.undo.key.toUpperCase();
    button.append(" ", key);
  }
  button.addEventListener("click", () => take(said));
  return button;
}

function take(said) {
  said.end();
  said.undo.act();
  if (!$("editor").hidden) $("pane").focus({ preventScroll: true });
}

// Do what the button with this key would; false where there is none.
export function offered(key) {
  const said = [...standing].findLast(({ undo }) => undo?.key === key);
  if (said) take(said);
  return Boolean(said);
}

function end(which) {
  for (const said of standing) if (which(said)) said.end();
}

// Clear the line above the image.
export const hush = () => end(({ toast }) => !toast);

// Something was done: an offer to undo the step before would now undo another.
export const outdated = () => end(({ until }) => until);

// Another image is going to be shown, or none: what was about this one must not be said of that.
export const left = () => end(({ until }) => until === "change");

// An image is shown. afresh: somebody chose it in the overview and is done with what was before
export const arrived = (number, afresh) => end((said) => said.back === number || (afresh && (said.until || said.back !== null)));

// A share of the whole, as people say it.
export function percent(share) {
  if (share > 0 && share < 0.01) return "under 1 %";
  if (share < 1 && share > 0.99) return "over 99 %";
  return `${Math.round(share * 100)} %`;
}
