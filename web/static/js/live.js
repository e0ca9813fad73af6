// The live line: one socket, a snapshot at each connect, small pushes between. A screen that is not live says so.
import { batch } from "../vendor/ui.js";
import { io } from "../vendor/socket.io.esm.min.js";
import { get } from "./api.js";
import { before } from "./order.js";
import {
  channel, conversation, counts, found, lastSeen, line, mode, nextAfter, offers, operators, queueProblem, queueState, rows,
  searching, serverNow, takeEntries, takeRows, tellTime, toast, view, viewers,
} from "./state.js";
import { page, t } from "./words.js";

/** @typedef {import("./state.js").Entry} Entry */

const ACK_MS = 10_000;
const WRITING_MS = 3000;

/** @type {import("socket.io-client").Socket | null} */
let socket = null;
/** What the wallboard or alerts want to hear. @type {((alarm: { kind: string, conversation_id: number, wait_id: number }) => void)[]} */
const alarmListeners = [];
/** @type {((offer: import("./state.js").Offer) => void)[]} */
const offerListeners = [];
/** Told that entries of the open conversation have gone elsewhere or come back. @type {(() => void)[]} */
const moveListeners = [];
const MOVES = new Set(["split_into", "merged_from", "taken_apart", "mail_trusted"]);
/** @param {() => void} listener */
export const onMoved = (listener) => moveListeners.push(listener);
/** @param {(alarm: any) => void} listener */
export const onAlarm = (listener) => alarmListeners.push(listener);
/** @param {(offer: any) => void} listener */
export const onOffer = (listener) => offerListeners.push(listener);

/** @param {string} event @param {unknown} [data] @returns {Promise<any>} */
export async function tell(event, data = {}) {
  if (!socket?.connected) return null;
  const answer = await socket.timeout(ACK_MS).emitWithAck(event, data).catch(() => null);
  return answer && !answer.error ? answer : null;
}

export function connect() {
  socket = io("/desk", {
    path: "/socket.io", transports: ["websocket", "polling"], tryAllTransports: true,
    reconnectionDelay: 400, reconnectionDelayMax: 8000, timeout: 8000,
  });
  socket.on("connect", () => void greet());
  socket.on("disconnect", (reason) => {
    lost();
    // The server said goodbye on purpose; the client then waits to be told.
    if (reason === "io server disconnect") setTimeout(() => socket?.connect(), 1000);
  });
  socket.on("connect_error", (error) => {
    lost();
    if (error.message === "signed_out") signIn();
  });
  socket.on("signed_out", signIn);
  listen(socket);
}

/** The session has ended; drafts stay in this browser and on the server. */
function signIn() {
  location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
}

function lost() {
  if (line.peek().state !== "live") return;
  line.value = { state: "lost", since: serverNow() };
}

/** @param {import("socket.io-client").Socket} live */
function listen(live) {
  live.on("rows", (change) => takeRows(change));
  live.on("entries", ({ conversation_id, entries }) => {
    takeEntries(conversation_id, entries);
    if (conversation.peek()?.id === conversation_id && entries.some((/** @type {Entry} */ one) => MOVES.has(one.data.what))) moveListeners.forEach((listener) => listener());
  });
  live.on("delivery", (change) => takeDelivery(change));
  live.on("viewers", ({ conversation_id, viewers: present }) => {
    const next = new Map(viewers.peek());
    if (present.length) next.set(conversation_id, present);
    else next.delete(conversation_id);
    viewers.value = next;
  });
  live.on("visitor", (state) => {
    const open = conversation.peek();
    if (open?.id !== state.conversation_id || !open) return;
    conversation.value = {
      ...open, visitor: { online: !!state.online, typing: !!state.typing },
      visitor_seen: Math.max(open.visitor_seen, Number(state.seen) || 0),
    };
  });
  live.on("offer", (pushed) => {
    const offer = pushed.offer ?? pushed;
    takeOffer(offer);
    if (offer.to_operator_id === page.operator.id) offerListeners.forEach((listener) => listener(offer));
  });
  live.on("offer_settled", ({ handoff_id, state }) => settleOffer(handoff_id, state));
  live.on("alarm", (alarm) => alarmListeners.forEach((listener) => listener(alarm)));
  live.on("operators", (people) => {
    operators.value = Array.isArray(people) ? people : people.operators;
  });
  live.on("mode", (change) => {
    mode.value = change.mode ?? "";
  });
}

/** Say hello, take the snapshot, catch up in the open conversation. */
async function greet() {
  const answer = await tell("hello", { version_of_client: page.version });
  if (!answer) {
    socket?.disconnect().connect();
    return;
  }
  batch(() => {
    tellTime(answer.now);
    if (answer.operators) operators.value = answer.operators;
    if (answer.offers) offers.value = answer.offers;
    if (answer.queue?.counts) counts.value = answer.queue.counts;
    if (answer.mode) mode.value = typeof answer.mode === "string" ? answer.mode : answer.mode.mode;
    viewers.value = new Map((answer.viewers ?? []).map((/** @type {any} */ one) => [one.conversation_id, one.viewers]));
    line.value = { state: "live", since: serverNow() };
  });
  // The snapshot is of everybody who waits; any other view is asked for again.
  if (view.peek() === "waiting" && !channel.peek() && answer.queue) takeWindow(answer.queue);
  else await loadQueue();
  const open = conversation.peek();
  if (open) await watch(open.id);
}

/** @param {import("./order.js").Snapshot} snapshot */
function takeWindow(snapshot) {
  batch(() => {
    rows.value = snapshot.rows.slice().sort(before);
    nextAfter.value = snapshot.next_after;
    counts.value = snapshot.counts ?? counts.peek();
    queueState.value = "ready";
    tellTime(snapshot.now);
  });
  void loadRest();
}

let loadNumber = 0;

/** The first window of the view. */
export async function loadQueue() {
  const mine = ++loadNumber;
  if (!rows.peek().length) queueState.value = "loading";
  try {
    const snapshot = await get(`/queue?view=${view.peek()}&limit=100${channel.peek() ? `&channel=${channel.peek()}` : ""}`);
    if (mine === loadNumber) takeWindow(snapshot);
  } catch (error) {
    if (mine !== loadNumber) return;
    queueState.value = "failed";
    queueProblem.value = error instanceof Error ? error.message : "";
  }
}

/** The rest of views in which everything counts comes by itself; long histories only when scrolled to. */
async function loadRest() {
  const mine = loadNumber;
  while (nextAfter.peek() && mine === loadNumber && rows.peek().length < 5000 && !["closed", "spam"].includes(view.peek())) {
    if (!await loadPiece()) return;
  }
}

/** @type {Promise<boolean> | null} */
let piece = null;
/** The next 500 rows. False when it could not be had. @returns {Promise<boolean>} */
export function loadPiece() {
  return (piece ??= fetchPiece().finally(() => {
    piece = null;
  }));
}

async function fetchPiece() {
  const after = nextAfter.peek();
  if (!after) return false;
  const mine = loadNumber;
  try {
    const more = await get(`/queue?view=${view.peek()}&after=${after.join(",")}&limit=500${channel.peek() ? `&channel=${channel.peek()}` : ""}`);
    if (mine !== loadNumber) return false;
    const known = new Set(rows.peek().map((row) => row.id));
    batch(() => {
      rows.value = [...rows.peek(), .../** @type {import("./order.js").Row[]} */ (more.rows).filter((row) => !known.has(row.id))].sort(before);
      nextAfter.value = more.next_after;
    });
    return true;
  } catch {
    return false;
  }
}

/** @param {string} words */
export async function search(words) {
  searching.value = words;
  if (words.trim().length < 2) {
    found.value = [];
    return;
  }
  try {
    const answer = await get(`/search?q=${encodeURIComponent(words.trim())}`);
    if (searching.peek() === words) found.value = answer.rows;
  } catch (error) {
    if (searching.peek() === words) found.value = [];
    toast(error instanceof Error ? error.message : t("The search failed."));
  }
}

/** Join the conversation's room; what was missed comes with the answer. @param {number} id */
export async function watch(id) {
  const open = conversation.peek();
  const after = open?.id === id ? lastSeen(open) : 0;
  const answer = await tell("watch", { conversation_id: id, after });
  if (!answer) return;
  const missed = Array.isArray(answer) ? answer : answer.entries;
  if (missed && after) takeEntries(id, missed);
  if (answer.row) takeRows({ rows: [answer.row] });
  if (answer.viewers) viewers.value = new Map(viewers.peek()).set(id, answer.viewers);
  const now = conversation.peek();
  if (answer.visitor && now?.id === id) conversation.value = { ...now, visitor: { online: !!answer.visitor.online, typing: !!answer.visitor.typing } };
}

/** @param {number} id */
export const unwatch = (id) => void tell("unwatch", { conversation_id: id });

let wroteAt = 0;
/** At most once per 3 s. @param {number} id @param {"reply" | "note"} kind */
export function writing(id, kind) {
  if (Date.now() - wroteAt < WRITING_MS) return;
  wroteAt = Date.now();
  void tell("writing", { conversation_id: id, kind });
}

/** @param {{ conversation_id: number, entry_id: number, delivery: string, error: string | null, recipients?: Record<string, any> | null }} change */
function takeDelivery({ conversation_id, entry_id, delivery, error, recipients }) {
  const open = conversation.peek();
  if (!open || open.id !== conversation_id) return;
  conversation.value = {
    ...open,
    entries: open.entries.map((entry) => (entry.id === entry_id ? { ...entry, delivery, delivery_error: error, data: recipients ? { ...entry.data, recipients } : entry.data } : entry)),
  };
}

/** @param {import("./state.js").Offer} offer */
function takeOffer(offer) {
  offers.value = [...offers.peek().filter((one) => one.id !== offer.id), offer];
  const open = conversation.peek();
  if (open?.id === offer.conversation_id) conversation.value = { ...open, offers: [...open.offers.filter((one) => one.id !== offer.id), offer] };
}

/** @param {number} id @param {string} state */
export function settleOffer(id, state) {
  const offer = offers.peek().find((one) => one.id === id);
  offers.value = offers.peek().filter((one) => one.id !== id);
  const open = conversation.peek();
  if (open) conversation.value = { ...open, offers: open.offers.filter((one) => one.id !== id) };
  if (!offer || offer.from_operator_id !== page.operator.id) return;
  if (state === "accepted") toast(t("%(name)s has taken it over.", { name: offer.to_name }));
  if (state === "declined") toast(t("%(name)s cannot take it: it is still yours.", { name: offer.to_name }));
  if (state === "returned") toast(t("%(name)s did not answer: it is back with you.", { name: offer.to_name }));
}
