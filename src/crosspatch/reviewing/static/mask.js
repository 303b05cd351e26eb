// The mask of one subject: its pixels, the steps to undo, and which blocks the server lacks.
//
// Pixels are 0 background, 1 object, 255 ignored. What a person painted stays when the threshold
// moves: only pixels that nobody painted follow the probability.

export const BACKGROUND = 0, OBJECT = 1, IGNORED = 255;

const UNDO_BYTES = 256 * 2 ** 20; // the oldest steps are forgotten beyond this
const NO_DATA = 255; // of a probability

export class Mask {
  constructor(width, height, block, pixels) {
    Object.assign(this, { width, height, block, pixels });
    this.across = Math.ceil(width / block);
    this.down = Math.ceil(height / block);
    this.original = null; // as the folder has it; loaded when the threshold is first used
    this.steps = null; // probability in hundredths
    this.painted = null; // 1 where a person decided
    this.threshold = null; // in hundredths; null: as the folder has it
    this.dirty = new Set();
    this.undone = [];
    this.done = [];
    this.open = null; // the step that is being made
    this.marked = new Map(); // blocks as they were at the mark, where they were touched since
  }

  // --- steps ---------------------------------------------------------------------------------

  begin() {
    this.commit(); // one that is still open would be lost
    this.open = { blocks: new Map(), threshold: this.threshold };
  }

  // The threshold without what the open step does to it.
  get settled() { return this.open ? this.open.threshold : this.threshold; }

  // Set a run of pixels of the open step. Runs outside of the image are cut.
  paint(row, first, last, value) {
    if (row < 0 || row >= this.height) return;
    first = Math.max(first, 0);
    last = Math.min(last, this.width - 1);
    if (first > last) return;
    const line = Math.floor(row / this.block) * this.across;
    for (let b = Math.floor(first / this.block); b <= Math.floor(last / this.block); b++) {
      this.#remember(line + b);
    }
    const start = row * this.width;
    this.pixels.fill(value, start + first, start + last + 1);
    this.painted?.fill(1, start + first, start + last + 1);
  }

  // End the open step; false where there is none, or it changed nothing.
  commit() {
    const step = this.open;
    if (!step) return false;
    this.open = null;
    for (const [number, before] of step.blocks) {
      if (same(before, this.copy(number))) step.blocks.delete(number);
      else this.dirty.add(number);
    }
    if (!step.blocks.size && step.threshold === this.threshold) return false;
    this.done.push(step);
    this.undone = [];
    this.#forget();
    return true;
  }

  // Take the open step back, as if it had never begun.
  cancel() {
    const step = this.open;
    this.open = null;
    if (step) this.#swap(step, false);
  }

  undo() {
    return this.#move(this.done, this.undone);
  }

  redo() {
    return this.#move(this.undone, this.done);
  }

  // From now on count what is changed; undoing counts backwards.
  mark() {
    this.marked.clear();
  }

  // How many pixels differ from those at the mark.
  changed() {
    let count = 0;
    for (const [number, before] of this.marked) {
      const now = this.copy(number);
      for (let i = 0; i < now.length; i++) if (now[i] !== before[i]) count++;
    }
    return count;
  }

  // Put the folder's own mask back, as one step; false where it is that already.
  restore(original) {
    this.begin();
    this.open.restores = true;
    this.threshold = null;
    for (let number = 0; number < this.across * this.down; number++) {
      this.#rows(number, (start, end) => {
        for (let i = start; i < end; i++) {
          if (this.pixels[i] === original[i]) continue;
          this.#remember(number);
          this.pixels.set(original.subarray(i, end), i);
          return;
        }
      });
    }
    this.painted?.fill(0);
    return this.commit();
  }

  #move(from, to) {
    const step = from.pop();
    if (!step) return false;
    to.push(this.#swap(step, true));
    return true;
  }

  // Put a step's blocks back and return the step that undoes this.
  #swap(step, mark) {
    const inverse = { ...step, blocks: new Map(), threshold: this.threshold };
    this.threshold = step.threshold;
    for (const [number, pixels] of step.blocks) {
      const before = this.copy(number);
      inverse.blocks.set(number, before);
      if (!this.marked.has(number)) this.marked.set(number, before);
      this.#put(number, pixels);
      this.#repaint(number);
      if (mark) this.dirty.add(number);
    }
    if (step.restores) for (let number = 0; number < this.across * this.down; number++) this.#repaint(number);
    return inverse;
  }

  #forget() {
    const bytes = (step) => step.blocks.size * this.block ** 2;
    let total = this.done.reduce((sum, step) => sum + bytes(step), 0);
    while (this.done.length > 1 && total > UNDO_BYTES) total -= bytes(this.done.shift());
  }

  // --- the threshold -------------------------------------------------------------------------

  // Give the probability and the folder's own mask, once they are loaded.
  setProbability(steps, original, threshold) {
    Object.assign(this, { steps, original, threshold });
    this.painted = new Uint8Array(this.pixels.length);
    for (let i = 0; i < this.pixels.length; i++) {
      this.painted[i] = this.pixels[i] === this.#unpainted(i) ? 0 : 1;
    }
  }

  // Move the threshold inside the open step; null goes back to the folder's mask.
  cut(threshold) {
    this.threshold = threshold;
    for (let number = 0; number < this.across * this.down; number++) {
      this.#remember(number);
      this.#rows(number, (start, end) => {
        for (let i = start; i < end; i++) if (!this.painted[i]) this.pixels[i] = this.#unpainted(i);
      });
    }
  }

  #unpainted(i) {
    if (this.threshold === null) return this.original[i];
    if (this.steps[i] === NO_DATA) return IGNORED;
    return this.steps[i] >= this.threshold ? OBJECT : BACKGROUND;
  }

  // After undoing, a pixel counts as painted where it differs from what the threshold says.
  #repaint(number) {
    if (!this.painted) return;
    this.#rows(number, (start, end) => {
      for (let i = start; i < end; i++) this.painted[i] = this.pixels[i] === this.#unpainted(i) ? 0 : 1;
    });
  }

  // --- blocks --------------------------------------------------------------------------------

  copy(number) {
    const parts = [];
    this.#rows(number, (start, end) => parts.push(this.pixels.subarray(start, end)));
    const width = parts[0].length, all = new Uint8Array(parts.length * width);
    parts.forEach((part, row) => all.set(part, row * width));
    return all;
  }

  #put(number, pixels) {
    let from = 0;
    this.#rows(number, (start, end) => {
      this.pixels.set(pixels.subarray(from, from + end - start), start);
      from += end - start;
    });
  }

  #remember(number) {
    if (this.open.blocks.has(number)) return;
    const before = this.copy(number);
    this.open.blocks.set(number, before);
    if (!this.marked.has(number)) this.marked.set(number, before);
  }

  // Call with the first and the end index of each row of a block.
  #rows(number, each) {
    const top = Math.floor(number / this.across) * this.block;
    const left = (number % this.across) * this.block;
    const right = Math.min(left + this.block, this.width);
    const bottom = Math.min(top + this.block, this.height);
    for (let row = top; row < bottom; row++) each(row * this.width + left, row * this.width + right);
  }

  // Mark every block that differs from another version of the mask.
  markAgainst(theirs) {
    const other = new Mask(this.width, this.height, this.block, theirs);
    for (let number = 0; number < this.across * this.down; number++) {
      if (same(this.copy(number), other.copy(number))) this.dirty.delete(number);
      else this.dirty.add(number);
    }
  }

  // Write blocks as the server reads them (see blocks.py): [message, the blocks that are in it],
  // which are all of `numbers` unless the message would become very long. The open step is not in
  // them: it may yet be taken back.
  encode(numbers, most = Infinity) {
    const words = [], taken = [];
    for (const number of numbers) {
      if (words.length > most) break;
      taken.push(number);
      const pixels = this.open?.blocks.get(number) ?? this.copy(number), head = words.length;
      words.push(number, 0);
      for (let start = 0; start < pixels.length;) {
        let end = start + 1;
        while (end < pixels.length && pixels[end] === pixels[start]) end++;
        words.push(((end - start - 1) | (pixels[start] << 16)) >>> 0);
        start = end;
      }
      words[head + 1] = words.length - head - 2;
    }
    const message = new DataView(new ArrayBuffer(words.length * 4));
    words.forEach((word, index) => message.setUint32(index * 4, word, true));
    return [new Uint8Array(message.buffer), taken];
  }

  // Read such a message into the mask, as one step: strokes that were kept in the browser.
  decode(message) {
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
    this.begin();
    for (let at = 0; at < view.byteLength;) {
      const number = view.getUint32(at, true), runs = view.getUint32(at + 4, true), pixels = [];
      at += 8;
      for (let run = 0; run < runs; run++, at += 4) {
        const word = view.getUint32(at, true);
        for (let i = 0; i <= (word & 0xffff); i++) pixels.push((word >>> 16) & 0xff);
      }
      this.#remember(number);
      this.#put(number, Uint8Array.from(pixels));
      this.#repaint(number);
    }
    return this.commit();
  }
}

function same(a, b) {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
