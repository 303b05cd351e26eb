// Drawing what a pane shows: tiles of the image below, the mask or a map of numbers above.
//
// The layers are computed for the pixels of the screen, not of the image, so that a mask of
// 8,192 x 8,192 costs as much as a small one, and outlines are equally thin at every zoom.

import { IGNORED, OBJECT } from "./mask.js";

export const COLOURS = { // Okabe and Ito (2008): told apart by colour-blind readers as well
  orange: [230, 159, 0],
  "sky blue": [86, 180, 233],
  yellow: [240, 228, 66],
  purple: [204, 121, 167],
  green: [0, 158, 115],
};

const CIVIDIS = [ // even in lightness, for all readers; Nunez, Anderton and Renslow (2018)
  [0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115],
  [138, 134, 120], [165, 156, 116], [195, 179, 105], [225, 204, 85], [254, 232, 56],
];

const pixel = (r, g, b, a) => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0; // little-endian RGBA

const HEAT = Uint32Array.from({ length: 256 }, (_, step) => {
  if (step > 100) return 0; // no data
  const place = (step / 100) * (CIVIDIS.length - 1), first = Math.min(Math.floor(place), CIVIDIS.length - 2);
  const mix = (c) => Math.round(CIVIDIS[first][c] + (place - first) * (CIVIDIS[first + 1][c] - CIVIDIS[first][c]));
  return pixel(mix(0), mix(1), mix(2), 255);
});

export function heatColour(step) {
  const word = HEAT[step];
  return `rgb(${word & 255} ${(word >> 8) & 255} ${(word >> 16) & 255})`;
}

// Draw the image's tiles; those that are not here yet are asked for, and coarser ones stand in.
export function drawImage(context, camera, subject, bands, density, redraw) {
  const canvas = context.canvas;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  const scale = camera.scale * density;
  context.setTransform(scale, 0, 0, scale, -camera.x * scale, -camera.y * scale);
  context.imageSmoothingEnabled = scale < 3; // enlarged pixels are to be seen as such
  const wanted = Math.floor(Math.log2(1 / scale) + 0.25);
  const finest = Math.min(Math.max(wanted, 0), subject.depth - 1);
  for (let level = subject.depth - 1; level >= finest; level--) {
    const side = subject.tile * 2 ** level;
    const left = Math.max(Math.floor(camera.x / side), 0), top = Math.max(Math.floor(camera.y / side), 0);
    const right = Math.min(camera.x + canvas.width / scale, subject.width) / side;
    const bottom = Math.min(camera.y + canvas.height / scale, subject.height) / side;
    for (let row = top; row < bottom; row++) {
      for (let col = left; col < right; col++) {
        // Between the coarsest and the finest only what is here already is drawn.
        const ask = level === finest || level === subject.depth - 1;
        const bitmap = subject.tileImage(level, row, col, bands, ask ? redraw : null);
        if (!bitmap) continue;
        const x = col * side, y = row * side;
        const width = Math.min(side, subject.width - x), height = Math.min(side, subject.height - y);
        context.drawImage(bitmap, x, y, width, height);
      }
    }
  }
}

// One canvas's worth of numbers, reused from frame to frame.
export class Layer {
  #image = null;
  #classes = null;

  // Sample an image-sized array at the centre of every screen pixel; 254 is outside of the image.
  #sample(context, camera, density, pixels, width, height) {
    const { width: across, height: down } = context.canvas;
    if (!this.#image || this.#image.width !== across || this.#image.height !== down) {
      this.#image = context.createImageData(across, down);
      this.#classes = new Uint8Array(across * down);
    }
    const scale = camera.scale * density, columns = new Int32Array(across);
    for (let i = 0; i < across; i++) columns[i] = Math.floor(camera.x + (i + 0.5) / scale);
    this.#classes.fill(254);
    for (let j = 0; j < down; j++) {
      const row = Math.floor(camera.y + (j + 0.5) / scale);
      if (row < 0 || row >= height) continue;
      const from = row * width, to = j * across;
      for (let i = 0; i < across; i++) {
        const column = columns[i];
        if (column >= 0 && column < width) this.#classes[to + i] = pixels[from + column];
      }
    }
    return new Uint32Array(this.#image.data.buffer);
  }

  // Tint and outline the object, hatch what is ignored. opacity: of the tint, 0 to 1.
  mask(context, camera, density, mask, colour, opacity) {
    const out = this.#sample(context, camera, density, mask.pixels, mask.width, mask.height);
    const classes = this.#classes, across = context.canvas.width, edge = density > 1.4 ? 3 : 2;
    const [r, g, b] = colour, line = pixel(r, g, b, 255), tint = pixel(r, g, b, Math.round(opacity * 255));
    const rim = pixel(0, 0, 0, 130), pale = pixel(255, 255, 255, 70), dark = pixel(60, 60, 60, 210);
    const last = classes.length;
    for (let i = 0; i < last; i++) {
      const is = classes[i];
      if (is === OBJECT) {
        out[i] = this.#borders(i, across, edge, last) ? line : tint;
      } else if (is === IGNORED) {
        const diagonal = (i % across) + Math.floor(i / across);
        out[i] = diagonal % 10 < 2 ? dark : pale;
      } else {
        out[i] = this.#touches(i, across, last) ? rim : 0;
      }
    }
    context.putImageData(this.#image, 0, 0);
  }

  // Whether an object's pixel lies within `edge` of something that is none. What lies outside of
  // the image does not count: an object that runs out of it has no outline there.
  #borders(i, across, edge, last) {
    const classes = this.#classes, reach = edge * across;
    const other = (j) => j >= 0 && j < last && classes[j] !== OBJECT && classes[j] !== 254;
    return other(i - 1) || other(i + 1) || other(i - across) || other(i + across)
      || other(i - edge + 1) || other(i + edge - 1) || other(i - reach + across) || other(i + reach - across);
  }

  #touches(i, across, last) {
    const classes = this.#classes;
    return (i > 0 && classes[i - 1] === OBJECT) || (i + 1 < last && classes[i + 1] === OBJECT)
      || (i >= across && classes[i - across] === OBJECT) || (i + across < last && classes[i + across] === OBJECT);
  }

  // Show hundredths as colours.
  heat(context, camera, density, steps, width, height) {
    const out = this.#sample(context, camera, density, steps, width, height);
    for (let i = 0; i < out.length; i++) out[i] = HEAT[this.#classes[i]];
    context.putImageData(this.#image, 0, 0);
  }

  clear(context) {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  }
}
