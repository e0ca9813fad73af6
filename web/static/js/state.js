// What the desk shows, as signals. Views read it, actions and the live line write it.
import { batch, computed, signal } from "../vendor/ui.js";
import { newKey, put } from "./api.js";
import { draftKeeper } from "./drafts.js";
import { applied, before, steady } from "./order.js";
import { page, t } from "./words.js";

/**
 * @typedef {import("./order.js").Row} Row
 * @typedef {import("./order.js").Counts} Counts
 * @typedef {{ id: number, name: string, media_type: string, size_bytes: number }} FileRecord
 * @typedef {{
 *   id: number, number: number, kind: string, channel: string | null, author: string, author_name: string,
 *   operator_id: number | null, text: string, has_html: boolean, data: Record<string, any>, created_at: string,
 *   delivery: string | null, delivery_error: string | null, shows_images?: boolean, client_key: string | null, attachments: FileRecord[],
 *   sending?: "sending" | "failed", problem?: string,
 * }} Entry
 * @typedef {{ to: string[], cc: string[], subject?: string, names?: Record<string, string>, newcomers?: string[], quotes?: boolean, answered?: boolean,
 *   from?: string, others?: string[], failing?: string[] }} Addressing
 * @typedef {{ id: number, name: string, role?: string, presence: string, open?: number }} Colleague
 * @typedef {{ operator_id: number, name: string, writing: "reply" | "note" | null }} Viewer
 * @typedef {{ id: number, conversation_id: number, from_operator_id: number, from_name: string, to_operator_id: number | null,
 *   to_name: string, brief: Brief, offered_at: string, expires_at: string | null }} Offer
 * @typedef {{ wants: string, done: string, next: string, promised: string }} Brief
 * @typedef {{ id: number, state: string, number: string | null, owner_id: number | null, owner_name: string, due_at: string,
 *   claimed_until: string | null, slot_from: string | null, slot_to: string | null, missed_calls: number, attempts: number }} Callback
 * @typedef {{
 *   contact_id: number, name: string, language: string | null, zone: string | null, tier: string | null, note: string,
 *   organisation: string, since: string, addresses: { kind: string, written: string, failing: boolean }[],
 *   others: { id: number, subject: string, status: string, channel: string, active_at: string, owner_name: string }[],
 * }} Card
 * @typedef {{
 *   id: number, row: Row | null, state: "loading" | "ready" | "failed", problem: string, entries: Entry[],
 *   more_before: number | null, card: Card | null, participants: { kind: string, written: string, name: string, contact_id: number, stranger: boolean }[],
 *   callback: Callback | null, offers: Offer[], addressing: Addressing | null, source: Record<string, any>,
 *   language: string | null, answer_by: string | null, visitor_seen: number, merged_into_id: number | null,
 *   automatic: { sent: boolean, reason: string, text_name: string, at: string }[], planned: PlannedReply[],
 *   visitor: { online: boolean, typing: boolean } | null,
 * }} Conversation
 * @typedef {{ id: number, operator_id: number, operator_name: string, state: string, send_at: string, text: string, to: string[], cc: string[],
 *   block: import("./drafts.js").Block | null, files: number, held_because: string | null, news: boolean }} PlannedReply
 * @typedef {{ id: number, words: string, action?: { label: string, run: () => void }, undoes?: boolean }} Toast
 */

export const VIEWS = ["waiting", "mine", "unassigned", "all", "pending", "snoozed", "callbacks", "closed", "spam"];

/** @param {string} view */
export function viewName(view) {
  switch (view) {
    case "mine": return t("Mine");
    case "unassigned": return t("Unassigned");
    case "all": return t("All open");
    case "pending": return t("Waiting for customer");
    case "snoozed": return t("Snoozed");
    case "callbacks": return t("Call-backs");
    case "closed": return t("Closed");
    case "spam": return t("Spam");
    default: return t("All waiting");
  }
}

const preferences = page.operator.preferences || {};

/** Kept in this browser. @param {string} name @param {string} otherwise */
export function remembered(name, otherwise) {
  try {
    return localStorage.getItem(`desk:${name}`) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** @param {string} name @param {string} value */
export function remember(name, value) {
  try {
    localStorage.setItem(`desk:${name}`, value);
  } catch {
    // A browser that keeps nothing forgets only comforts.
  }
}

// --- the clock: one timer for the page, see clock.js ---

/** Server time minus this computer's, in milliseconds. */
export const offset = signal(0);
/** Server time of the running second. */
export const second = signal(Date.now());
export const serverNow = () => Date.now() + offset.value;
/** @param {string | undefined} iso */
export function tellTime(iso) {
  if (!iso) return;
  const away = Date.parse(iso) - Date.now();
  // A push is up to some hundred milliseconds old; only a wrong clock is worth a correction.
  if (Number.isFinite(away) && Math.abs(away - offset.peek()) > 900) offset.value = away;
}

// --- the queue ---

const asked = typeof location === "undefined" ? new URLSearchParams() : new URLSearchParams(location.search);
const first = page.queue;
export const view = signal(VIEWS.includes(asked.get("view") || "") ? /** @type {string} */ (asked.get("view")) : "waiting");
export const channel = signal("");
/** @type {import("../vendor/ui.js").Signal<Row[]>} */
export const rows = signal(first ? first.rows.slice().sort(before) : []);
/** @type {import("../vendor/ui.js").Signal<[number, number] | null>} */
export const nextAfter = signal(first?.next_after ?? null);
/** @type {import("../vendor/ui.js").Signal<"loading" | "ready" | "failed">} */
export const queueState = signal(first ? "ready" : "loading");
export const queueProblem = signal("");
/** @type {import("../vendor/ui.js").Signal<Counts>} */
export const counts = signal(first?.counts ?? { in_target: 0, warned: 0, missed: 0, mine: 0, unassigned: 0, callbacks: 0 });
/** The row the keyboard stands on. @type {import("../vendor/ui.js").Signal<number | null>} */
export const cursor = signal(null);
/** Words searched for; null shows the view. @type {import("../vendor/ui.js").Signal<string | null>} */
export const searching = signal(null);
/** @type {import("../vendor/ui.js").Signal<Row[] | null>} */
export const found = signal(null);
export const handOnList = signal(false);
export const paused = signal(false);

/** What stands on the screen while rows may not move. @type {import("../vendor/ui.js").Signal<Row[] | null>} */
const frozen = signal(null);
export const list = computed(() => {
  if (searching.value !== null) return { rows: found.value ?? [], gone: new Set(), changes: 0 };
  return frozen.value ? steady(frozen.value, rows.value) : { rows: rows.value, gone: /** @type {Set<number>} */ (new Set()), changes: 0 };
});
export const hold = () => {
  if (!frozen.peek()) frozen.value = rows.peek();
};
export const release = () => {
  if (!paused.peek()) frozen.value = null;
};
export const letMove = () => {
  frozen.value = paused.peek() ? rows.peek() : null;
};
/** @param {boolean} on */
export function pause(on) {
  batch(() => {
    paused.value = on;
    frozen.value = on ? rows.peek() : null;
  });
}

/** @param {{ rows: Row[], gone?: number[], counts?: Counts, now?: string }} change */
export function takeRows(change) {
  batch(() => {
    for (const row of change.rows) latest.set(row.id, row);
    rows.value = applied(rows.peek(), { rows: change.rows, gone: change.gone ?? [] }, {
      view: view.peek(), me: page.operator.id, channel: channel.peek(), whole: nextAfter.peek() === null,
    });
    if (change.counts) counts.value = change.counts;
    tellTime(change.now);
    const open = conversation.peek();
    const fresh = open && change.rows.find((row) => row.id === open.id);
    if (open && fresh && (!open.row || fresh.version >= open.row.version)) conversation.value = { ...open, row: fresh };
  });
}

/** Newest rows by id, for what is said about one that left the list. @type {Map<number, Row>} */
const latest = new Map();

/** Why a row left the list, in words. @param {number} id */
export function whereItWent(id) {
  const row = latest.get(id);
  const name = row?.owner_name || "";
  if (row?.status === "pending") return name ? t("answered by %(name)s", { name }) : t("answered");
  if (row?.status === "closed") return t("done");
  if (row?.status === "snoozed") return t("snoozed");
  return name ? t("taken by %(name)s", { name }) : t("gone");
}

/** The row of a conversation, wherever it is known. @param {number} id */
export function rowOf(id) {
  const open = conversation.peek();
  return rows.peek().find((row) => row.id === id) ?? found.peek()?.find((row) => row.id === id) ?? (open?.id === id ? open.row : null) ?? null;
}

// --- the open conversation ---

/** @type {import("../vendor/ui.js").Signal<Conversation | null>} */
export const conversation = signal(null);
/** On the phone: which pane. @type {import("../vendor/ui.js").Signal<"queue" | "conversation">} */
export const pane = signal("queue");
/** @type {import("../vendor/ui.js").Signal<"reply" | "note">} */
export const tab = signal("reply");
/** Rises when the composer should take the focus. */
export const focusComposer = signal(0);
/** Rises when the composer should send what it holds. @type {import("../vendor/ui.js").Signal<{ n: number, then: "pending" | "closed" }>} */
export const sendAsked = signal({ n: 0, then: "pending" });
export const cardOpen = signal(remembered("card", "auto"));

/** @param {number} id @param {Entry[]} entries */
export function takeEntries(id, entries) {
  const open = conversation.peek();
  if (!open || open.id !== id || !entries.length) return;
  conversation.value = { ...open, entries: withEntries(open.entries, entries) };
}

/**
 * Newer copies replace older ones; an entry sent from here replaces the one shown while it was sending.
 * @param {Entry[]} held
 * @param {Entry[]} fresh
 */
export function withEntries(held, fresh) {
  const numbers = new Set(fresh.map((entry) => entry.number));
  const keys = new Set(fresh.map((entry) => ownKey(entry.client_key)).filter(Boolean));
  const kept = held.filter((entry) => (entry.sending ? !keys.has(ownKey(entry.client_key)) : !numbers.has(entry.number)));
  const waiting = kept.filter((entry) => entry.sending);
  return [...kept.filter((entry) => !entry.sending), ...fresh].sort((a, b) => a.number - b.number).concat(waiting);
}

/** The server may put a word before the draft's key. @param {string | null} key */
const ownKey = (key) => (key ? key.slice(key.lastIndexOf(":") + 1) : "");

/** The newest number on the screen. @param {Conversation} open */
export function lastSeen(open) {
  return open.entries.reduce((most, entry) => (entry.sending ? most : Math.max(most, entry.number)), 0);
}

// --- people and offers ---

/** @type {import("../vendor/ui.js").Signal<Colleague[]>} */
export const operators = signal([]);
/** @type {import("../vendor/ui.js").Signal<Map<number, Viewer[]>>} */
export const viewers = signal(new Map());
/** @type {import("../vendor/ui.js").Signal<Offer[]>} */
export const offers = signal([]);
export const presence = computed(() => operators.value.find((one) => one.id === page.operator.id)?.presence ?? "offline");
export const mode = signal(typeof page.mode === "string" ? page.mode : "");

/** Others who look at it. @param {number} id */
export const othersAt = (id) => (viewers.value.get(id) ?? []).filter((one) => one.operator_id !== page.operator.id);

// --- the line, and what floats ---

/** `since`: when it was lost, on this computer's clock. @type {import("../vendor/ui.js").Signal<{ state: "connecting" | "live" | "lost", since: number }>} */
export const line = signal({ state: "connecting", since: Date.now() });

/** The dialog that is open, by name, with what it needs. @type {import("../vendor/ui.js").Signal<{ name: string, [key: string]: any } | null>} */
export const dialog = signal(null);

/** @type {import("../vendor/ui.js").Signal<Toast[]>} */
export const toasts = signal([]);
let toastId = 0;
/** @param {string} words @param {Toast["action"]} [action] */
export function toast(words, action) {
  const id = ++toastId;
  toasts.value = [...toasts.peek().slice(-2), { id, words, action, undoes: action?.label === t("Undo") }];
  setTimeout(() => dropToast(id), action ? 9000 : 5000);
}
/** Take back the newest thing that can be taken back. False when there is none. */
export function undo() {
  const newest = toasts.peek().findLast((one) => one.undoes);
  if (!newest) return false;
  dropToast(newest.id);
  newest.action?.run();
  return true;
}
/** @param {number} id */
export const dropToast = (id) => {
  toasts.value = toasts.peek().filter((one) => one.id !== id);
};

// --- preferences and drafts ---

export const theme = signal(remembered("theme", typeof preferences.theme === "string" ? preferences.theme : "system"));
export const density = signal(remembered("density", preferences.density === "compact" ? "compact" : "comfortable"));
export const sound = signal(remembered("sound", "off"));
export const singleKeys = signal(remembered("keys", preferences.shortcuts === false ? "off" : "on"));

export const drafts = draftKeeper({
  operator: page.operator.id,
  store: typeof localStorage === "undefined" ? { getItem: () => null, setItem() {}, removeItem() {}, key: () => null, length: 0 } : localStorage,
  now: () => Date.now(),
  newKey,
  saveRemote: (id, kind, draft) => put(`/conversations/${id}/draft`, {
    kind, text: draft.text,
    data: { key: draft.key, seen: draft.seen, recipients: draft.recipients, attachments: draft.attachments, saved_at: draft.saved_at, summary: draft.summary ?? null, block: draft.block ?? null, answers: draft.answers ?? null },
  }),
  later: (run, ms) => setTimeout(run, ms),
  cancel: (timer) => clearTimeout(timer),
});
/** Conversations with a draft of mine. @type {import("../vendor/ui.js").Signal<Set<number>>} */
export const withDraft = signal(drafts.conversations());
