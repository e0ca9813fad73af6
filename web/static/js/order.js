// The queue's order, its window and its rest: pure, no page. Rows hold absolute times; the key orders every view.

/**
 * @typedef {{
 *   id: number, queue_key: number, contact_name: string, tier: string | null, subject: string, snippet: string,
 *   channel: "chat" | "email" | "phone", status: "open" | "pending" | "snoozed" | "closed",
 *   owner_id: number | null, owner_name: string, priority: number, unread: number,
 *   waiting_since: string | null, warn_at: string | null, due_at: string | null, paused: boolean,
 *   snoozed_until: string | null, active_at: string, last_number: number, version: number,
 *   callback: string | null, tags: string[], spam?: boolean,
 * }} Row
 * @typedef {{ in_target: number, warned: number, missed: number, mine: number, unassigned: number, callbacks: number }} Counts
 * @typedef {{ rows: Row[], next_after: [number, number] | null, counts: Counts, now?: string }} Snapshot
 */

/** Keys from here on belong to conversations without a running clock. */
export const NOT_WAITING = 4_000_000_000_000_000;

/** @param {Row} a @param {Row} b */
export const before = (a, b) => a.queue_key - b.queue_key || a.id - b.id;

/** Where `row` belongs in the sorted list. @param {Row[]} rows @param {Row} row */
export function place(rows, row) {
  let low = 0, high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before(rows[middle], row) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Does a row belong to a view? The same rules as the server's, so that pushed rows need no question.
 * @param {string} view
 * @param {Row} row
 * @param {number} me
 */
export function belongs(view, row, me) {
  if (view === "spam") return row.spam === true && row.status === "closed";
  if (row.spam === true) return false;
  switch (view) {
    case "waiting": return row.status === "open" && row.queue_key < NOT_WAITING;
    case "mine": return row.status === "open" && row.owner_id === me;
    case "unassigned": return row.status === "open" && row.owner_id === null;
    case "all": return row.status === "open";
    case "pending": case "snoozed": case "closed": return row.status === view;
    case "callbacks": return row.callback !== null;
    default: return false;
  }
}

/**
 * Apply pushed rows to a sorted list. Older versions are dropped; rows behind the loaded part stay unloaded.
 * @param {Row[]} rows sorted
 * @param {{ rows: Row[], gone: number[] }} change
 * @param {{ view: string, me: number, channel: string, whole: boolean }} about `whole`: everything is loaded
 * @returns {Row[]} a new sorted list, or the same one when nothing changed
 */
export function applied(rows, change, about) {
  const held = new Map(rows.map((row) => [row.id, row]));
  /** @type {Set<number>} */
  const out = new Set(change.gone.filter((id) => held.has(id)));
  /** @type {Row[]} */
  const incoming = [];
  for (const row of change.rows) {
    const old = held.get(row.id);
    if (old && old.version > row.version) continue;
    if (old) out.add(row.id);
    if (belongs(about.view, row, about.me) && (!about.channel || row.channel === about.channel)) incoming.push(row);
  }
  if (!out.size && !incoming.length) return rows;
  const next = out.size ? rows.filter((row) => !out.has(row.id)) : rows.slice();
  const last = rows[rows.length - 1];
  for (const row of incoming) {
    if (!about.whole && last && before(last, row) < 0) continue;
    next.splice(place(next, row), 0, row);
  }
  return next;
}

/**
 * Add a further piece, which may overlap what pushes brought meanwhile.
 * @param {Row[]} rows
 * @param {Row[]} piece
 */
export function joined(rows, piece) {
  const known = new Set(rows.map((row) => row.id));
  return [...rows, ...piece.filter((row) => !known.has(row.id))].sort(before);
}

/**
 * Which rows to draw.
 * @param {{ scrollTop: number, height: number, rowHeight: number, total: number, spare?: number }} view pixels
 */
export function windowOf({ scrollTop, height, rowHeight, total, spare = 6 }) {
  const first = Math.max(0, Math.min(total, Math.floor(scrollTop / rowHeight)) - spare);
  const last = Math.min(total, Math.ceil((scrollTop + height) / rowHeight) + spare);
  return { first, last, before: first * rowHeight, whole: total * rowHeight };
}

/** The scroll position that shows row `index`, changed as little as possible. @param {number} index @param {{ scrollTop: number, height: number, rowHeight: number }} view */
export function scrolledTo(index, { scrollTop, height, rowHeight }) {
  const top = index * rowHeight;
  if (top < scrollTop) return top;
  if (top + rowHeight > scrollTop + height) return top + rowHeight - height;
  return scrollTop;
}

/**
 * Rows do not move under the hand: what is shown keeps its places while somebody points at it. Rows that left stay,
 * marked; rows that came are counted, not shown; values of rows that stayed are new.
 * @param {Row[]} shown what stands on the screen
 * @param {Row[]} current what would stand there now
 * @returns {{ rows: Row[], gone: Set<number>, changes: number }}
 */
export function steady(shown, current) {
  const now = new Map(current.map((row) => [row.id, row]));
  const had = new Set(shown.map((row) => row.id));
  /** @type {Set<number>} */
  const gone = new Set();
  const rows = shown.map((row) => {
    const fresh = now.get(row.id);
    if (!fresh) gone.add(row.id);
    return fresh ?? row;
  });
  const added = current.reduce((n, row) => n + (had.has(row.id) ? 0 : 1), 0);
  let moved = 0;
  const stayed = rows.filter((row) => !gone.has(row.id));
  const order = current.filter((row) => had.has(row.id));
  if (stayed.some((row, index) => row.id !== order[index].id)) moved = 1;
  return { rows, gone, changes: gone.size + added + moved };
}

/** The first window and its pieces. */
export const FIRST_WINDOW = 100;
export const PIECE = 500;
