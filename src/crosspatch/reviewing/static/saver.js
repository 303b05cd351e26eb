// Writing one subject's changes, one after the other, at once and safely.
//
// Every change names the version it was made from. What the server refuses or never answers stays
// marked as unsaved, is kept in this browser, and is tried again; a conflict waits for the person.

import { writeMask, writeReview } from "./api.js";
import * as box from "./strongbox.js";

const WORDS_AT_ONCE = 2 ** 21; // 8 MB: a message stays far under what the server takes
const FIRST_WAIT = 2000, LONGEST_WAIT = 5000; // ms between attempts

export class Saver {
  constructor(subject, desk) {
    this.subject = subject;
    this.desk = desk; // told what happens: desk.saved(subject), desk.trouble(subject)
    this.review = null; // { decision, note } that the server lacks
    this.trouble = null; // the ApiError of the last attempt
    this.writing = null;
    this.sent = []; // blocks that are on their way
    this.kept = false; // what is unsaved lies in this browser's storage as well
    this.wait = FIRST_WAIT;
    this.timer = 0;
  }

  get behind() {
    return Boolean(this.writing || this.review || this.subject.mask?.dirty.size || this.trouble);
  }

  get conflict() {
    return this.trouble?.status === 409;
  }

  decide(decision, note) {
    this.review = { decision, note };
    return this.flush();
  }

  // Write everything that is to be written; returns when it is, or when it has failed.
  flush() {
    clearTimeout(this.timer);
    if (this.trouble) this.#keep(); // whatever the server will say to the next attempt
    if (this.conflict) return Promise.resolve();
    this.writing ??= this.#write().finally(() => {
      this.writing = null;
      this.desk.saved(this.subject);
    });
    this.desk.saved(this.subject);
    return this.writing;
  }

  async #write() {
    const { subject } = this;
    let deciding = false;
    try {
      while (subject.mask?.dirty.size || this.review) {
        deciding = !subject.mask?.dirty.size;
        if (deciding) await this.#writeReview();
        else await this.#writeBlocks();
      }
      if (this.trouble) await box.forget(this.#key());
      this.trouble = null;
      this.wait = FIRST_WAIT;
    } catch (error) {
      this.trouble = error;
      if (error.status === 422 && deciding) return this.#refused(error);
      await this.#keep();
      this.desk.trouble(subject);
      if (error.status === 409) return;
      this.timer = setTimeout(() => this.flush(), this.wait);
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
    }
  }

  // The server says that this cannot be decided: nothing to try again.
  #refused(error) {
    this.review = this.trouble = null;
    this.desk.refused(this.subject, error);
  }

  async #writeBlocks() {
    const { subject } = this, { mask } = subject;
    const [changes, blocks] = mask.encode(mask.dirty, WORDS_AT_ONCE);
    blocks.forEach((block) => mask.dirty.delete(block)); // strokes that follow mark them again
    this.sent = blocks;
    const cut = mask.steps ? mask.settled : null;
    const threshold = mask.steps ? (cut === null ? null : cut / subject.steps) : subject.state.threshold;
    try {
      subject.state = await writeMask(subject.number, subject.state.version, threshold, changes);
    } catch (error) {
      blocks.forEach((block) => mask.dirty.add(block));
      throw error;
    } finally {
      this.sent = [];
    }
  }

  async #writeReview() {
    const { subject } = this, { decision, note } = this.review, sent = this.review;
    subject.state = await writeReview(subject.number, subject.state.version, decision, note);
    if (this.review === sent) this.review = null; // else somebody typed on meanwhile
  }

  // --- a browser that is closed before the server came back ------------------------------------

  #key() {
    return `${this.desk.folderId}/${this.subject.name}`;
  }

  async #keep() {
    const { subject } = this;
    const { mask } = subject, size = mask ? [subject.width, subject.height] : [];
    const [blocks] = mask ? mask.encode(new Set([...mask.dirty, ...this.sent])) : [new Uint8Array()];
    const kept = { version: subject.state.version, blocks, size, review: this.review, cut: mask?.settled };
    this.kept = await box.keep(this.#key(), kept) !== undefined;
  }

  // Take up what an earlier page could not save. Another version meanwhile makes it a conflict.
  async restore() {
    const kept = await box.find(this.#key());
    if (!kept) return;
    const { subject } = this;
    if (String(kept.size) !== String([subject.width, subject.height])) return;
    if (kept.blocks.length) {
      if (subject.mask.steps && kept.cut !== undefined) subject.mask.threshold = kept.cut;
      subject.mask.decode(kept.blocks);
      subject.mask.done = []; // undoing it would undo an earlier session
    }
    this.review = kept.review;
    const newer = subject.state;
    subject.state = { ...newer, version: kept.version };
    this.desk.restored(subject);
    await this.flush();
    if (!this.trouble) await box.forget(this.#key());
  }

  // After a conflict: mine replaces theirs, on top of their version.
  async keepMine(theirs, state) {
    this.subject.mask?.markAgainst(theirs);
    this.subject.state = { ...this.subject.state, version: state.version };
    this.trouble = null;
    await this.flush();
    await box.forget(this.#key());
  }

  // After a conflict: forget what is unsaved here.
  async giveUp() {
    clearTimeout(this.timer);
    this.subject.mask?.dirty.clear();
    this.review = this.trouble = null;
    await box.forget(this.#key());
  }
}
