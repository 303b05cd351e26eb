// Strokes that could not be saved, kept in this browser (IndexedDB) until the server has them.
// A browser that refuses storage costs this safety net and nothing else: every failure is passed over.

const NAME = "crosspatch-review", TABLE = "unsaved";

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function run(mode, work) {
  try {
    const database = await open();
    return await new Promise((resolve, reject) => {
      const request = work(database.transaction(TABLE, mode).objectStore(TABLE));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  } catch {
    return undefined;
  }
}

// One after the other: what is kept later must not be overtaken by what was kept before.
let last = Promise.resolve();
const next = (mode, work) => (last = last.then(() => run(mode, work)));

// Undefined where the browser refuses.
export const keep = (key, value) => next("readwrite", (table) => table.put(value, key));
export const find = (key) => next("readonly", (table) => table.get(key));
export const forget = (key) => next("readwrite", (table) => table.delete(key));
export const keys = async () => (await next("readonly", (table) => table.getAllKeys())) ?? [];
