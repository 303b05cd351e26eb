// How subjects are shown: bands, light, overlay. The same for all subjects, kept in this browser.

const KEY = "crosspatch-look";
const DEFAULTS = {
  combination: 0, // place in a subject's list of combinations; -1: own choice
  own: [0, 0, 0], // bands for red, green, blue
  brightness: 1,
  contrast: 1,
  opacity: 0.3,
  outline: false, // the mask's edge only, without a tint
  colour: "orange",
  mask: true,
  beside: "none", // or "image", "votes", "probability"
};

export class Look {
  constructor() {
    Object.assign(this, DEFAULTS);
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}");
      for (const key of Object.keys(DEFAULTS)) {
        if (typeof kept[key] === typeof DEFAULTS[key]) this[key] = kept[key];
      }
    } catch { /* what cannot be read is as if it were not there */ }
  }

  set(changes) {
    Object.assign(this, changes);
    const kept = Object.fromEntries(Object.keys(DEFAULTS).map((key) => [key, this[key]]));
    try {
      localStorage.setItem(KEY, JSON.stringify(kept));
    } catch { /* a browser that keeps nothing shows the usual look next time */ }
  }

  // The bands to show of a subject, whatever the last one had.
  bandsOf(subject) {
    if (this.combination >= 0) {
      return (subject.combinations[this.combination] ?? subject.combinations[0]).bands;
    }
    return this.own.map((band) => Math.min(band, subject.bands.length - 1));
  }
}
