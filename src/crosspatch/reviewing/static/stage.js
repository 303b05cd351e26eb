// The panes that show a subject, and what is drawn over them while somebody works.

import { Camera } from "./camera.js";
import { COLOURS, Layer, drawImage } from "./render.js";

const MOST_LAYER_PIXELS = 2.6e6; // of a layer: beyond, it is drawn a little coarser

class Pane {
  constructor(box) {
    this.box = box;
    const canvas = (name) => {
      const made = document.createElement("canvas");
      made.className = name;
      box.append(made);
      return made.getContext("2d");
    };
    this.image = canvas("image");
    this.layer = canvas("layer");
    this.tools = canvas("tools");
    this.drawn = new Layer();
  }

  get width() { return this.box.clientWidth; }
  get height() { return this.box.clientHeight; }

  get corner() {
    const { left, top } = this.box.getBoundingClientRect();
    return [left, top];
  }

  // Give the canvases the pane's size; the layer's density may be lower than the screen's. True
  // where that was another one: they are empty then.
  fit() {
    let changed = false;
    const density = window.devicePixelRatio || 1;
    const most = Math.sqrt(MOST_LAYER_PIXELS / Math.max(this.width * this.height, 1));
    this.density = density;
    this.layerDensity = Math.min(density, most);
    for (const [context, each] of [[this.image, density], [this.layer, this.layerDensity], [this.tools, density]]) {
      const width = Math.max(Math.round(this.width * each), 1), height = Math.max(Math.round(this.height * each), 1);
      if (context.canvas.width !== width || context.canvas.height !== height) {
        context.canvas.width = width;
        context.canvas.height = height;
        changed = true;
      }
    }
    return changed;
  }
}

export class Stage {
  #waiting = false;

  constructor(main, beside, look) {
    this.main = new Pane(main);
    this.beside = new Pane(beside);
    this.look = look; // the settings of the side panel: see look.js
    this.camera = new Camera();
    this.subject = null;
    this.cursor = null; // [x, y] of the image, under the pointer or moved by arrow keys
    this.outlines = new Map(); // of polygons that are not closed: number of the subject -> corners
    this.peek = false; // the mask is put aside for a moment
    this.brush = 0; // radius of the brush to show; 0 shows none
    this.paints = "object"; // what the tool in hand leaves: the ring tells
    this.held = false; // while somebody draws
    this.corner = this.main.corner; // when it was drawn last
    new ResizeObserver(() => this.resize()).observe(main);
    // Scrolling takes the picture along: nothing to make up for.
    addEventListener("scroll", () => { this.corner = this.main.corner; }, { capture: true, passive: true });
  }

  show(subject) {
    this.subject = subject;
    this.cursor = null;
    this.camera.fitted = true;
    this.resize();
    this.render();
  }

  // The corners of the subject's open polygon; they wait until it is shown again.
  get outline() { return this.outlines.get(this.subject?.number) ?? []; }

  set outline(corners) {
    if (corners.length) this.outlines.set(this.subject.number, corners);
    else this.outlines.delete(this.subject?.number);
    this.tools();
    this.onOutline?.();
  }

  fit() {
    if (this.subject?.mask) this.camera.fit(this.subject.width, this.subject.height, this.main.width, this.main.height);
    this.redraw();
  }

  resize() {
    this.beside.box.hidden = this.look.beside === "none";
    const changed = [this.main, this.beside].filter((pane) => !pane.box.hidden && pane.fit());
    if (this.held) this.steady();
    else if (this.camera.fitted) this.fit();
    if (changed.length) this.render(); // a canvas of a new size is empty, and must not be seen so
    else this.redraw();
  }

  // While somebody draws the image stays where it is on the screen, whatever is said above it: a
  // stroke must not run on elsewhere because a notice came or went.
  hold(on) {
    if (this.held === on) return;
    this.held = on;
    if (!on) this.resize();
  }

  // Before a place on the screen is looked up: it means the image as it was drawn there.
  steady() {
    const [left, top] = this.main.corner;
    this.camera.follow(left - this.corner[0], top - this.corner[1]);
    this.corner = [left, top];
  }

  zoom(factor, px = this.main.width / 2, py = this.main.height / 2) {
    this.camera.zoom(factor, px, py);
    this.redraw();
  }

  // Draw in the next frame, however often it is asked.
  redraw() {
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.render();
    });
  }

  render() {
    const { subject, camera } = this;
    this.corner = this.main.corner;
    if (!subject?.mask) {
      for (const pane of [this.main, this.beside]) {
        for (const context of [pane.image, pane.layer, pane.tools]) pane.drawn.clear(context);
      }
      return;
    }
    if (!camera.fitted) camera.hold(subject.width, subject.height, this.main.width, this.main.height);
    this.#pane(this.main, this.look.mask && !this.peek ? "mask" : "image");
    if (!this.beside.box.hidden) this.#pane(this.beside, this.look.beside);
    this.tools();
  }

  #pane(pane, what) {
    const { subject, camera, look } = this, redraw = () => this.redraw();
    pane.image.canvas.style.filter = `brightness(${look.brightness}) contrast(${look.contrast})`;
    drawImage(pane.image, camera, subject, look.bandsOf(subject), pane.density, redraw);
    const colour = COLOURS[look.colour];
    if (what === "mask") {
      const tint = look.outline ? 0 : look.opacity;
      pane.drawn.mask(pane.layer, camera, pane.layerDensity, subject.mask, colour, tint);
    } else if (subject[`${what}Map`]) {
      const { pixels } = subject[`${what}Map`];
      pane.drawn.heat(pane.layer, camera, pane.layerDensity, pixels, subject.width, subject.height);
    } else {
      pane.drawn.clear(pane.layer);
    }
  }

  // The brush, the polygon and the cursor: cheap, so that they follow the pointer at once.
  tools() {
    for (const pane of [this.main, this.beside]) {
      if (pane.box.hidden) continue;
      const context = pane.tools;
      pane.drawn.clear(context);
      context.setTransform(pane.density, 0, 0, pane.density, 0, 0);
      if (this.outline.length) this.#polygon(context);
      if (this.cursor) this.#pointer(context, pane === this.main);
    }
  }

  #polygon(context) {
    const points = this.outline.map(([x, y]) => this.camera.toPane(x, y));
    context.beginPath();
    points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
    if (this.cursor && this.main.box.dataset.tool === "polygon") context.lineTo(...this.camera.toPane(...this.cursor));
    twoTone(context);
    points.forEach(([x, y], index) => {
      context.beginPath();
      context.arc(x, y, index ? 3 : 6, 0, 2 * Math.PI);
      twoTone(context);
    });
  }

  #pointer(context, main) {
    const [x, y] = this.camera.toPane(...this.cursor);
    const radius = this.brush * this.camera.scale;
    context.beginPath();
    if (this.brush && radius > 2) context.arc(x, y, radius, 0, 2 * Math.PI);
    if (!main || this.keyboard || (this.brush && radius <= 6)) {
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + dx * 4, y + dy * 4);
        context.lineTo(x + dx * 11, y + dy * 11);
      }
    }
    const object = this.paints === "object";
    context.setLineDash(object ? [] : this.paints === "background" ? [7, 5] : [2, 4]);
    twoTone(context, object ? `rgb(${COLOURS[this.look.colour].join(" ")})` : "white");
    context.setLineDash([]);
  }
}

// A light line on a dark one: to be seen on any image.
function twoTone(context, light = "white") {
  context.lineWidth = 3.5;
  context.strokeStyle = "rgb(0 0 0 / 65%)";
  context.stroke();
  context.lineWidth = 1.7;
  context.strokeStyle = light;
  context.stroke();
}
