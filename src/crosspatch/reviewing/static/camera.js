// Where the image lies on the screen. All panes share one camera, so they show the same place.

export class Camera {
  constructor() {
    this.scale = 1; // screen pixels an image pixel
    this.x = 0; // the image's position at the pane's upper left corner
    this.y = 0;
    this.fitted = true; // follows the window until somebody zooms or pans
  }

  fit(width, height, paneWidth, paneHeight) {
    const margin = 24;
    this.scale = Math.min((paneWidth - margin) / width, (paneHeight - margin) / height);
    this.scale = Math.max(this.scale, 0.001);
    this.x = width / 2 - paneWidth / 2 / this.scale;
    this.y = height / 2 - paneHeight / 2 / this.scale;
    this.fitted = true;
  }

  toImage(px, py) {
    return [this.x + px / this.scale, this.y + py / this.scale];
  }

  toPane(x, y) {
    return [(x - this.x) * this.scale, (y - this.y) * this.scale];
  }

  // Zoom so that the image point under (px, py) stays there.
  zoom(factor, px, py) {
    const [x, y] = this.toImage(px, py);
    this.scale = Math.min(Math.max(this.scale * factor, 0.005), 64);
    this.x = x - px / this.scale;
    this.y = y - py / this.scale;
    this.fitted = false;
  }

  pan(dx, dy) {
    this.follow(-dx, -dy);
    this.fitted = false;
  }

  // The pane itself has moved on the screen; the image has not.
  follow(dx, dy) {
    this.x += dx / this.scale;
    this.y += dy / this.scale;
  }

  // Keep some of the image in sight, however far somebody pans.
  hold(width, height, paneWidth, paneHeight) {
    const keep = 40 / this.scale;
    this.x = Math.min(Math.max(this.x, keep - paneWidth / this.scale), width - keep);
    this.y = Math.min(Math.max(this.y, keep - paneHeight / this.scale), height - keep);
  }
}
