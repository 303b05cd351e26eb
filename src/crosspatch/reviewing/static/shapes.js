// Which pixels a shape covers: pure geometry, no state. A pixel belongs to a shape that holds its
// centre, as everywhere in crosspatch. Shapes are given as spans: emit(row, first, last).

// A disc of `radius` drawn from (x0, y0) to (x1, y1), in pixels of the image.
export function stroke(x0, y0, x1, y1, radius, emit) {
  const dx = x1 - x0, dy = y1 - y0, length = Math.hypot(dx, dy);
  // However fine the brush, the pixel under its tip is painted.
  emit(Math.floor(y1), Math.floor(x1), Math.floor(x1));
  const top = Math.ceil(Math.min(y0, y1) - radius - 0.5);
  const bottom = Math.floor(Math.max(y0, y1) + radius - 0.5);
  for (let row = top; row <= bottom; row++) {
    const y = row + 0.5;
    let low = Infinity, high = -Infinity;
    for (const [cx, cy] of [[x0, y0], [x1, y1]]) {
      const inside = radius * radius - (y - cy) * (y - cy);
      if (inside < 0) continue;
      const reach = Math.sqrt(inside);
      low = Math.min(low, cx - reach);
      high = Math.max(high, cx + reach);
    }
    if (length > 0) {
      const body = bodySpan(x0, y0, dx, dy, length, radius, y);
      low = Math.min(low, body[0]);
      high = Math.max(high, body[1]);
    }
    const first = Math.ceil(low - 0.5), last = Math.floor(high - 0.5);
    if (first <= last) emit(row, first, last);
  }
}

// Where row y crosses the rectangle between the two discs: |across| <= radius, 0 <= along <= length.
function bodySpan(x0, y0, dx, dy, length, radius, y) {
  let low = -Infinity, high = Infinity;
  const bound = (slope, offset, least, most) => { // least <= slope * x + offset <= most
    if (Math.abs(slope) < 1e-12) {
      if (offset < least || offset > most) low = Infinity;
      return;
    }
    const a = (least - offset) / slope, b = (most - offset) / slope;
    low = Math.max(low, Math.min(a, b));
    high = Math.min(high, Math.max(a, b));
  };
  const ux = dx / length, uy = dy / length;
  bound(ux, (y - y0) * uy - x0 * ux, 0, length);
  bound(uy, -(y - y0) * ux - x0 * uy, -radius, radius);
  return low <= high ? [low, high] : [Infinity, -Infinity];
}

// The inside of a closed outline [[x, y], ...], by the non-zero rule.
export function polygon(points, emit) {
  if (points.length < 3) return;
  const ys = points.map(([, y]) => y);
  const top = Math.ceil(Math.min(...ys) - 0.5), bottom = Math.floor(Math.max(...ys) - 0.5);
  for (let row = top; row <= bottom; row++) {
    const y = row + 0.5, crossings = [];
    points.forEach(([xa, ya], index) => {
      const [xb, yb] = points[(index + 1) % points.length];
      if ((ya <= y) === (yb <= y)) return;
      crossings.push([xa + ((y - ya) / (yb - ya)) * (xb - xa), yb > ya ? 1 : -1]);
    });
    crossings.sort((a, b) => a[0] - b[0]);
    let winding = 0;
    crossings.forEach(([x, turn], index) => {
      winding += turn;
      if (!winding || index + 1 === crossings.length) return;
      const first = Math.ceil(x - 0.5), last = Math.ceil(crossings[index + 1][0] - 0.5) - 1;
      if (first <= last) emit(row, first, last);
    });
  }
}

// All pixels of one value that hang together with (x, y): edge to edge, and where `corners` is 1
// by their corners too. `emit` must change them, or they are found for ever.
export function flood(pixels, width, height, x, y, corners, emit) {
  const value = pixels[y * width + x], open = [[y, x]];
  while (open.length) {
    const [row, start] = open.pop(), base = row * width;
    if (pixels[base + start] !== value) continue;
    let first = start, last = start;
    while (first > 0 && pixels[base + first - 1] === value) first--;
    while (last < width - 1 && pixels[base + last + 1] === value) last++;
    emit(row, first, last);
    for (const next of [row - 1, row + 1]) {
      if (next < 0 || next >= height) continue;
      const left = Math.max(first - corners, 0), right = Math.min(last + corners, width - 1);
      for (let col = left, run = false; col <= right; col++) {
        const same = pixels[next * width + col] === value;
        if (same && !run) open.push([next, col]);
        run = same;
      }
    }
  }
}
