// Talking to the server. Every failure becomes an ApiError whose message a person can read.

export class ApiError extends Error {
  constructor(message, status, state = null) {
    super(message);
    this.status = status; // 0: the server did not answer at all
    this.state = state; // of the subject, where somebody else changed it (409)
  }
}

// What this page has open, sent with every request: the server may have been started again since,
// for another folder or in another order, and then number 3 is another image.
let review = "";

async function ask(path, options = {}) {
  let response;
  const headers = review ? { ...options.headers, "x-review": review } : options.headers ?? {};
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(`the server does not answer; is crosspatch review still running? If not, start it again for this folder, with --port ${location.port}`, 0);
  }
  if (response.ok) return response;
  let said = {};
  try {
    said = await response.json();
  } catch { /* an answer that is not ours has no message */ }
  const message = typeof said.message === "string" ? said.message : `the server says ${response.status}`;
  throw new ApiError(message, response.status, said.state ?? null);
}

const subject = (number) => `/api/subjects/${number}`;

export async function readFolder() {
  const folder = await (await ask("/api/folder")).json();
  review = folder.review;
  return folder;
}

export const readStates = async () => (await ask("/api/states")).json();
export const readSubject = async (number) => (await ask(subject(number))).json();

// what: "mask", "original", "probability" or "votes": one byte a pixel, row by row
export async function readPixels(number, what) {
  const response = await ask(`${subject(number)}/${what}`);
  const pixels = new Uint8Array(await response.arrayBuffer());
  return { pixels, voters: Number(response.headers.get("x-voters") ?? 0) };
}

export async function readTile(number, level, row, col, bands) {
  const path = `${subject(number)}/tile/${level}/${row}/${col}?bands=${bands.join(",")}`;
  return createImageBitmap(await (await ask(path)).blob());
}

// A change that is small enough is still sent when the page is closed meanwhile; browsers allow
// 64 kB for that.
const outlives = (body) => body.length < 60_000;

export async function writeMask(number, version, threshold, changes) {
  const cut = threshold === null ? "" : `&threshold=${threshold}`;
  const path = `${subject(number)}/mask?version=${version}${cut}`;
  return (await ask(path, { method: "PATCH", body: changes, keepalive: outlives(changes) })).json();
}

export async function writeReview(number, version, decision, note) {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ version, decision, note });
  return (await ask(`${subject(number)}/review`, { method: "PUT", headers, body, keepalive: outlives(body) })).json();
}

export const planDataset = async () => (await ask("/api/dataset")).json();
export const makeDataset = async () => (await ask("/api/dataset", { method: "POST" })).json();
