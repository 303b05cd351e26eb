// Drawing by pointer (mouse, pen, finger) and by keyboard. Both do the same things to the mask.

import { BACKGROUND, IGNORED, OBJECT } from "./mask.js";
import { flood, polygon, stroke } from "./shapes.js";

export const PAINTS = { object: OBJECT, background: BACKGROUND, ignored: IGNORED };
const CLOSE = 12; // screen pixels from the first corner that close a polygon

export class Tools {
  #fingers = new Map(); // pointer id -> [x, y] in the pane
  #drag = null; // "stroke" or "pan", while a button is down
  #tip = null; // of the stroke: [x, y] in the image
  #tap = null; // what a finger will do when it is lifted, unless a second one comes
  #pinch = null;

  constructor(stage, done) {
    this.stage = stage;
    this.done = done; // called after every finished change of the mask
    this.tool = "brush";
    this.paints = "object";
    this.size = 12; // diameter of the brush, pixels of the image
    this.pen = false; // the keyboard's brush is down
    this.closed = { time: -Infinity, point: [0, 0] }; // by a click on its first corner
    const { main, beside } = stage;
    for (const pane of [main, beside]) {
      pane.box.addEventListener("pointerdown", (event) => this.#down(event, pane));
      pane.box.addEventListener("pointermove", (event) => this.#move(event, pane));
      for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) pane.box.addEventListener(end, (event) => this.#up(event));
      pane.box.addEventListener("pointerleave", () => this.#leave());
      pane.box.addEventListener("contextmenu", (event) => event.preventDefault());
      pane.box.addEventListener("dblclick", () => { if (this.tool === "polygon") this.close(); });
      pane.box.addEventListener("wheel", (event) => this.#wheel(event, pane), { passive: false });
    }
    main.box.addEventListener("keydown", (event) => this.#key(event));
    main.box.addEventListener("blur", () => this.#penUp());
  }

  get mask() { return this.stage.subject?.mask; }
  get value() { return this.tool === "eraser" ? BACKGROUND : PAINTS[this.paints]; }
  get draws() { return this.tool === "brush" || this.tool === "eraser"; }

  choose(tool) {
    this.#penUp();
    this.tool = tool;
    this.update();
  }

  // Show the brush as it is now.
  update() {
    this.stage.brush = this.draws ? this.size / 2 : 0;
    this.stage.paints = this.tool === "eraser" ? "background" : this.paints;
    this.stage.main.box.dataset.tool = this.tool;
    this.stage.tools();
  }

  // Finish the stroke that is under way: nothing that was drawn is lost. False where there is none.
  rest() {
    const busy = this.pen || this.#drag === "stroke";
    this.pen = false;
    this.#commit();
    this.#release();
    return busy;
  }

  // Take one corner of the open polygon back, or lift the pen; false where neither is under way.
  // With another tool in hand its steps come first.
  back() {
    const { outline } = this.stage;
    if (!outline.length || (this.tool !== "polygon" && (this.pen || this.mask?.done.length))) return this.rest();
    this.stage.outline = outline.slice(0, -1);
    return true;
  }

  // --- what changes the mask -----------------------------------------------------------------

  #emit = (row, first, last) => this.mask.paint(row, first, last, this.value);

  #line(from, to) {
    stroke(...from, ...to, this.size / 2, this.#emit);
    this.stage.redraw();
  }

  #commit() {
    if (this.mask?.open && this.mask.commit()) this.done();
    this.stage.redraw();
  }

  #fill([x, y]) {
    const { mask } = this, column = Math.floor(x), row = Math.floor(y);
    if (column < 0 || row < 0 || column >= mask.width || row >= mask.height) return;
    const was = mask.pixels[row * mask.width + column];
    if (was === this.value) return;
    let filled = 0;
    mask.begin();
    // What is drawn hangs together by corners as well, so that no speck of it is left behind; the
    // background does not, so that it never leaks through an outline.
    flood(mask.pixels, mask.width, mask.height, column, row, was === BACKGROUND ? 0 : 1, (line, first, last) => {
      filled += last - first + 1;
      this.#emit(line, first, last);
    });
    this.#commit();
    this.onFill?.(filled, was);
  }

  #corner(point) {
    const { outline, camera } = this.stage;
    const near = (other, most) => {
      const [ax, ay] = camera.toPane(...other), [bx, by] = camera.toPane(...point);
      return Math.hypot(ax - bx, ay - by) < most;
    };
    if (outline.length > 2 && near(outline[0], CLOSE)) return this.close(point);
    if (outline.length) {
      if (near(outline.at(-1), 1)) return; // the second half of a double click
    } else {
      if (performance.now() - this.closed.time < 500 && near(this.closed.point, CLOSE)) return; // the same
      this.onBegin?.();
    }
    this.stage.outline = [...outline, point];
  }

  // Close the open polygon: it is part of the mask from now on.
  close(point = [0, 0]) {
    const { outline } = this.stage;
    if (outline.length < 3 || !this.mask) return;
    this.closed = { time: performance.now(), point };
    this.mask.begin();
    polygon(outline, this.#emit);
    this.stage.outline = [];
    this.#commit();
  }

  // --- pointer -------------------------------------------------------------------------------

  #place(event, pane) {
    const box = pane.box.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #down(event, pane) {
    if (!this.mask) return;
    this.stage.steady();
    pane.box.setPointerCapture(event.pointerId);
    this.#fingers.set(event.pointerId, this.#place(event, pane));
    if (this.#fingers.size === 2) return this.#startPinch();
    if (this.#fingers.size > 2) return;
    this.#penUp();
    const point = this.stage.camera.toImage(...this.#place(event, pane));
    this.#setCursor(point, false);
    const pans = event.button !== 0 || event.shiftKey || this.tool === "move" || pane !== this.stage.main;
    if (pans) this.#drag = "pan";
    else if (this.draws) {
      this.#drag = "stroke";
      this.#tip = point;
      this.stage.hold(true);
      this.mask.begin();
      this.#line(point, point);
    } else if (event.pointerType === "touch") this.#tap = () => this.#at(point);
    else this.#at(point);
  }

  // Do what the tool does at a point.
  #at(point) {
    if (this.tool === "fill") this.#fill(point);
    else if (this.tool === "polygon") this.#corner(point);
  }

  #move(event, pane) {
    if (!this.mask) return;
    if (this.#drag === "stroke" && !(event.buttons & 1)) this.#up(event); // its end was lost on the way
    const place = this.#place(event, pane), before = this.#fingers.get(event.pointerId);
    if (before) this.#fingers.set(event.pointerId, place);
    if (this.#pinch) return this.#pinched();
    const { camera } = this.stage;
    if (before && this.#drag === "pan") {
      camera.pan(place[0] - before[0], place[1] - before[1]);
      this.stage.redraw();
    } else if (before && this.#drag === "stroke") {
      // The browser collects several moves between two frames; none of them may be lost.
      const moves = event.getCoalescedEvents?.() ?? [];
      this.stage.steady();
      for (const one of moves.length ? moves : [event]) {
        const to = camera.toImage(...this.#place(one, pane));
        this.#line(this.#tip, to);
        this.#tip = to;
      }
    }
    if (!this.pen) this.#setCursor(camera.toImage(...place), false); // else the arrow keys lead it
  }

  #up(event) {
    this.#fingers.delete(event.pointerId);
    if (this.#pinch) {
      if (!this.#fingers.size) this.#pinch = null;
      return;
    }
    if (this.#drag === "stroke") this.#commit();
    this.#release();
    const tap = this.#tap;
    this.#tap = null;
    if (event.type === "pointerup") tap?.();
  }

  #release() {
    this.#drag = null;
    this.stage.hold(false);
  }

  #leave() {
    if (this.#drag || this.pen || this.stage.keyboard) return;
    this.#setCursor(null, false);
  }

  // A second finger: the first one's stroke was none.
  #startPinch() {
    if (this.#drag === "stroke") this.mask.cancel();
    this.#release();
    this.#tap = null;
    this.#pinch = this.#spread();
    this.stage.redraw();
  }

  #spread() {
    const [[ax, ay], [bx, by]] = [...this.#fingers.values()];
    return { x: (ax + bx) / 2, y: (ay + by) / 2, far: Math.max(Math.hypot(ax - bx, ay - by), 1) };
  }

  #pinched() {
    if (this.#fingers.size < 2) return;
    const now = this.#spread(), before = this.#pinch, { camera } = this.stage;
    camera.pan(now.x - before.x, now.y - before.y);
    camera.zoom(now.far / before.far, now.x, now.y);
    this.#pinch = now;
    this.stage.redraw();
  }

  #wheel(event, pane) {
    if (!this.mask) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1; // Firefox may count lines
    if (event.shiftKey) this.stage.camera.pan(-(event.deltaX || event.deltaY) * lines, 0);
    else this.stage.camera.zoom(Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0015)), ...this.#place(event, pane));
    this.stage.redraw();
  }

  #setCursor(point, keyboard) {
    this.stage.cursor = point;
    this.stage.keyboard = keyboard;
    this.stage.tools();
    this.onCursor?.(point);
  }

  // --- keyboard: arrows move the cursor, space acts, enter finishes ------------------------------

  #key(event) {
    if (!this.mask || event.ctrlKey || event.metaKey || event.altKey) return;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in arrows) this.#arrow(arrows[event.key], event.shiftKey);
    else if (event.key === " ") this.#act(event.repeat);
    else if (event.key === "Enter") {
      if (!this.rest()) this.close();
    } else if (event.key === "Backspace" && this.tool === "polygon" && this.stage.outline.length) {
      this.back();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #arrow([dx, dy], fast) {
    const { camera, main } = this.stage;
    if (this.tool === "move") {
      camera.pan(-dx * 60, -dy * 60);
      this.stage.redraw();
      return;
    }
    const step = Math.max(1, Math.round((fast ? 24 : 4) / camera.scale));
    const from = this.stage.cursor ?? this.#middle();
    const inside = (value, most) => Math.min(Math.max(value, 0.5), most - 0.5);
    const to = [inside(from[0] + dx * step, this.mask.width), inside(from[1] + dy * step, this.mask.height)];
    if (this.pen) this.#line(from, to);
    this.#setCursor(to, true);
    const [px, py] = camera.toPane(...to); // keep the cursor in sight
    if (px < 0 || py < 0 || px > main.width || py > main.height) {
      camera.pan(main.width / 2 - px, main.height / 2 - py);
      this.stage.redraw();
    }
  }

  #middle() {
    const { camera, main } = this.stage, [x, y] = camera.toImage(main.width / 2, main.height / 2);
    return [Math.floor(x) + 0.5, Math.floor(y) + 0.5];
  }

  #act(repeated) {
    if (repeated || this.#drag) return;
    const point = this.stage.cursor ?? this.#middle();
    this.#setCursor(point, true);
    this.#at(point);
    if (this.draws && this.pen) this.#penUp();
    else if (this.draws) {
      this.pen = true;
      this.mask.begin();
      this.#line(point, point);
    }
    this.onCursor?.(point);
  }

  #penUp() {
    if (!this.pen) return;
    this.pen = false;
    this.#commit();
  }
}
