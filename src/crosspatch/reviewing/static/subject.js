// One subject as the browser holds it, and the few that are kept or fetched ahead.

import { readPixels, readSubject, readTile } from "./api.js";
import { Mask } from "./mask.js";
import { Saver } from "./saver.js";

const AHEAD = 16 * 2 ** 20; // pixels: larger masks are not fetched before they are asked for
const KEPT = 7; // subjects that stay loaded

export class Subject {
  constructor(number, facts, desk) {
    Object.assign(this, facts, { number });
    this.mask = null;
    this.maps = {}; // "probability", "votes": { pixels, voters }
    this.tiles = new Map();
    this.saver = new Saver(this, desk);
  }

  static async load(number, desk) {
    const subject = new Subject(number, await readSubject(number), desk);
    if (!subject.problem) {
      const coarsest = subject.loadTile(subject.depth - 1, 0, 0, desk.look.bandsOf(subject));
      const [{ pixels }] = await Promise.all([readPixels(number, "mask"), coarsest]);
      subject.mask = new Mask(subject.width, subject.height, subject.block, pixels);
      if (pixels.length <= AHEAD) {
        if (subject.has_probability) await subject.map("probability").catch(() => {});
        if (subject.has_votes) await subject.map("votes").catch(() => {});
      }
      await subject.saver.restore();
    }
    return subject;
  }

  // The mask as the folder has it, whatever was drawn since.
  async original() {
    return this.mask.original ?? (await readPixels(this.number, "original")).pixels;
  }

  // Load the probability or the votes, once; the threshold needs the folder's own mask as well.
  async map(what) {
    this.maps[what] ??= this.#loadMap(what);
    try {
      return await this.maps[what];
    } catch (error) {
      delete this.maps[what];
      throw error;
    }
  }

  async #loadMap(what) {
    const read = await readPixels(this.number, what);
    if (what === "probability") {
      const { pixels } = await readPixels(this.number, "original");
      const cut = this.state.threshold;
      this.mask.setProbability(read.pixels, pixels, cut === null ? null : Math.round(cut * this.steps));
    }
    this[`${what}Map`] = read; // for those who cannot wait
    return read;
  }

  // A tile if it is here; else it is asked for, and `then` called when it has come.
  tileImage(level, row, col, bands, then) {
    const key = `${level}/${row}/${col}/${bands}`, tile = this.tiles.get(key);
    if (tile) return tile.image;
    if (then) this.loadTile(level, row, col, bands).then(then, () => {});
    return null;
  }

  async loadTile(level, row, col, bands) {
    const key = `${level}/${row}/${col}/${bands}`;
    if (this.tiles.get(key)) return;
    const tile = { image: null };
    this.tiles.set(key, tile);
    try {
      tile.image = await readTile(this.number, level, row, col, bands);
    } catch (error) {
      this.tiles.delete(key);
      throw error;
    }
    if (this.tiles.size > 400) this.tiles.delete(this.tiles.keys().next().value);
  }
}

// The subjects that are loaded. Those with strokes that the server lacks are never let go.
export class Shelf {
  #loading = new Map(); // number -> promise, least recently used first

  constructor(desk) {
    this.desk = desk;
  }

  get(number) {
    const found = this.#loading.get(number) ?? this.#load(number);
    this.#loading.delete(number);
    this.#loading.set(number, found);
    for (const [other] of this.#loading) {
      if (this.#loading.size <= KEPT) break;
      if (other !== number && !this.unsaved().some((subject) => subject.number === other)) this.drop(other);
    }
    return found;
  }

  #load(number) {
    const loading = Subject.load(number, this.desk);
    loading.then((subject) => { loading.subject = subject; }, () => this.#loading.delete(number));
    return loading;
  }

  // A subject that is here, without waiting; null where it is not.
  here(number) {
    return this.#loading.get(number)?.subject ?? null;
  }

  drop(number) {
    this.#loading.delete(number);
  }

  unsaved() {
    return [...this.#loading.values()].map((one) => one.subject).filter((one) => one?.saver.behind);
  }
}
