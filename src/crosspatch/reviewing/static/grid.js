// The overview: every subject in the queue's order. Only the cards in sight exist, so that ten
// thousand subjects scroll like ten, and only those ask the server for their picture.

import { percent } from "./signs.js";

const CARD = { width: 208, height: 268, gap: 16 };
const LINES = 36; // px more where images come with reasons, which take two lines
const SETTLE = 70; // ms that a card must stay in sight before its picture is asked for

export const FILTERS = [
  ["all", "All"], ["open", "To do"], ["accepted", "Accepted as is"], ["corrected", "Corrected"],
  ["rejected", "Rejected"], ["problem", "Problems"],
];

// The one group that a subject is in.
export function groupOf({ state, problem }) {
  if (problem) return "problem";
  if (state.decision === "accepted") return state.corrected ? "corrected" : "accepted";
  return state.decision === "rejected" ? "rejected" : "open";
}

export function chip(state, problem = "") {
  return {
    problem: ["problem", "⚠", "Problem"],
    rejected: ["rejected", "✕", "Rejected"],
    accepted: ["accepted", "✓", "Accepted as is"],
    corrected: ["corrected", "✎", "Corrected"],
    open: state.corrected ? ["draft", "✎", "To do, begun"] : ["open", "○", "To do"],
  }[groupOf({ state, problem })];
}

export class Grid {
  #cards = new Map(); // place in the shown list -> element
  #columns = 1;
  #timers = new Set();

  constructor(box, desk, open) {
    const { subjects } = desk;
    this.box = box;
    this.desk = desk;
    this.subjects = subjects;
    this.open = open;
    this.height = CARD.height + (subjects.some((s) => s.reason) ? LINES : 0);
    box.classList.toggle("reasons", this.height > CARD.height);
    box.style.setProperty("--card-height", `${this.height}px`);
    this.shown = subjects.map((_, number) => number);
    this.active = 0;
    this.filter = "all";
    this.words = "";
    this.sizer = document.createElement("div");
    this.sizer.className = "sizer";
    this.sizer.setAttribute("role", "presentation");
    box.append(this.sizer);
    box.addEventListener("scroll", () => requestAnimationFrame(() => this.#draw()), { passive: true });
    box.addEventListener("keydown", (event) => this.#key(event));
    box.addEventListener("click", (event) => {
      const card = event.target.closest(".card");
      if (card) this.open(Number(card.dataset.number));
    });
    new ResizeObserver(() => this.layout()).observe(box);
  }

  // Choose which are shown; the active one stays where it can.
  choose(filter = this.filter, words = this.words) {
    const before = this.shown[this.active];
    Object.assign(this, { filter, words });
    const word = words.trim().toLowerCase();
    this.shown = [];
    this.subjects.forEach((subject, number) => {
      const found = !word || wordsOf(subject, this.desk).toLowerCase().includes(word);
      if (found && (filter === "all" || groupOf(subject) === filter)) this.shown.push(number);
    });
    this.active = Math.max(this.shown.indexOf(before), 0);
    this.layout();
  }

  layout() {
    if (!this.box.clientWidth) return;
    const width = this.box.clientWidth - CARD.gap * 2;
    this.#columns = Math.max(Math.floor((width + CARD.gap) / (CARD.width + CARD.gap)), 1);
    const rows = Math.ceil(this.shown.length / this.#columns);
    this.sizer.style.height = `${rows * (this.height + CARD.gap) + CARD.gap}px`;
    this.clear();
    this.#draw();
  }

  // Remove all cards: pictures that are still loading must not hold up what is opened now.
  clear() {
    this.#timers.forEach(clearTimeout);
    this.#timers.clear();
    for (const card of this.#cards.values()) card.remove();
    this.#cards.clear();
  }

  #draw() {
    if (this.box.closest("[hidden]")) return;
    const line = this.height + CARD.gap;
    const first = Math.max(Math.floor(this.box.scrollTop / line) - 1, 0) * this.#columns;
    const last = Math.min((Math.ceil((this.box.scrollTop + this.box.clientHeight) / line) + 1) * this.#columns, this.shown.length);
    for (const [place, card] of this.#cards) {
      if (place < first || place >= last) {
        card.remove();
        this.#cards.delete(place);
      }
    }
    for (let place = first; place < last; place++) if (!this.#cards.has(place)) this.#add(place);
    this.#mark();
  }

  #add(place) {
    const number = this.shown[place], subject = this.subjects[number];
    const card = document.createElement("div");
    card.className = "card";
    card.id = `card-${number}`;
    card.dataset.number = number;
    card.setAttribute("role", "option");
    card.setAttribute("aria-posinset", place + 1);
    card.setAttribute("aria-setsize", this.shown.length);
    const across = (this.box.clientWidth - this.#columns * (CARD.width + CARD.gap) + CARD.gap) / 2;
    card.style.left = `${across + (place % this.#columns) * (CARD.width + CARD.gap)}px`;
    card.style.top = `${CARD.gap + Math.floor(place / this.#columns) * (this.height + CARD.gap)}px`;
    fill(card, subject, this.desk);
    this.sizer.append(card);
    this.#cards.set(place, card);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (card.isConnected && !subject.problem) this.#picture(card, number, subject);
    }, SETTLE);
    this.#timers.add(timer);
  }

  #picture(card, number, subject) {
    const image = card.querySelector("img");
    image.addEventListener("load", () => card.classList.add("loaded"), { once: true });
    image.addEventListener("error", () => { card.querySelector(".nothing").textContent = "no picture"; }, { once: true });
    image.src = `/api/subjects/${number}/thumbnail?v=${subject.state.version}`;
  }

  // A subject's state has changed.
  refresh(number) {
    for (const [place, card] of this.#cards) {
      if (this.shown[place] === number) {
        card.remove();
        this.#cards.delete(place);
      }
    }
    this.#draw();
  }

  select(number) {
    const place = this.shown.indexOf(number);
    if (place >= 0) this.#move(place);
  }

  #key(event) {
    const page = Math.max(Math.floor(this.box.clientHeight / (this.height + CARD.gap)), 1) * this.#columns;
    const steps = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.#columns, ArrowUp: -this.#columns,
      PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity,
    };
    if (event.key in steps) this.#move(this.active + steps[event.key]);
    else if (event.key === "Enter" || event.key === " ") {
      if (this.shown.length) this.open(this.shown[this.active]);
    } else return;
    event.preventDefault();
  }

  #move(place) {
    if (!this.shown.length) return;
    this.active = Math.min(Math.max(place, 0), this.shown.length - 1);
    const line = this.height + CARD.gap, top = Math.floor(this.active / this.#columns) * line;
    const { scrollTop, clientHeight } = this.box;
    if (top < scrollTop) this.box.scrollTop = top;
    else if (top + line + CARD.gap > scrollTop + clientHeight) this.box.scrollTop = top + line + CARD.gap - clientHeight;
    this.#draw();
  }

  #mark() {
    for (const [place, card] of this.#cards) card.setAttribute("aria-selected", place === this.active);
    const active = this.#cards.get(this.active);
    if (active) this.box.setAttribute("aria-activedescendant", active.id);
    else this.box.removeAttribute("aria-activedescendant");
  }
}

// Names and reasons come from files of other people: always as text, never as HTML.
function fill(card, subject, desk) {
  const [kind, sign, word] = chip(subject.state, subject.problem);
  const frame = document.createElement("div"), image = document.createElement("img");
  const nothing = document.createElement("span"), name = document.createElement("div");
  const label = document.createElement("span"), reason = document.createElement("div");
  frame.className = "frame";
  image.alt = "";
  image.draggable = false;
  nothing.className = "nothing";
  nothing.textContent = subject.problem ? "cannot be shown" : "";
  frame.append(nothing, image);
  name.className = "name";
  name.textContent = name.title = subject.name;
  label.className = `chip ${kind}`;
  label.textContent = `${sign} ${word}`;
  reason.className = "reason";
  reason.textContent = reason.title = lineOf(subject, desk);
  card.append(frame, name, label, reason);
}

// Why people are needed, what somebody wrote, or, until it is decided, how much the model found.
function lineOf(subject, { kind, thing }) {
  const said = subject.problem || subject.reason || subject.state.note;
  return said || (subject.state.decision || subject.state.corrected ? "" : shareOf(subject, { kind, thing }));
}

function shareOf({ share }, { kind, thing }) {
  if (kind !== "predictions" || share === null) return "";
  return share ? `${percent(share).replace("under", "<")} ${thing}` : "Nothing found";
}

// What a search looks through: all that a card says, or said before its image was decided.
function wordsOf(subject, desk) {
  return [subject.name, subject.reason, subject.state.note, shareOf(subject, desk)].join(" ");
}
