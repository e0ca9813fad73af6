// What an operator can do: commands go by HTTP, what everybody sees comes back over the live line.
import { batch } from "../vendor/ui.js";
import { get, post, Refusal, words } from "./api.js";
import { loadQueue, onMoved, settleOffer, unwatch, watch } from "./live.js";
import {
  cardOpen, channel, conversation, cursor, dialog, drafts, focusComposer, found, letMove, list, nextAfter, pane, remember, rowOf, rows,
  searching, tab, takeEntries, takeRows, tellTime, toast, view, VIEWS, withDraft,
} from "./state.js";
import { page, t } from "./words.js";

/** @typedef {import("./state.js").Conversation} Conversation */

// --- addresses: every view and conversation is a link ---

/** @param {number | null} id @param {string} inView */
export function href(id, inView) {
  const query = inView === "waiting" ? "" : `?view=${inView}`;
  return id === null ? `/inbox${query}` : `/inbox/${id}${query}`;
}

/** @returns {number | null} */
export function addressed() {
  const match = /\/inbox\/(\d+)/.exec(location.pathname);
  return match ? Number(match[1]) : null;
}

/** @param {boolean} [replace] */
function setAddress(replace = false) {
  const target = href(conversation.peek()?.id ?? null, view.peek());
  if (location.pathname + location.search === target) return;
  history[replace ? "replaceState" : "pushState"](null, "", target);
}

/** Back and forward. */
export function followAddress() {
  const asked = new URLSearchParams(location.search).get("view") || "waiting";
  if (asked !== view.peek() && VIEWS.includes(asked)) void showView(asked, false);
  const id = addressed();
  if (id !== null) void openConversation(id, { address: false });
  else closeConversation(false);
}

// --- views ---

/** @param {string} next @param {boolean} [address] */
export async function showView(next, address = true) {
  batch(() => {
    view.value = next;
    rows.value = [];
    nextAfter.value = null;
    cursor.value = null;
    searching.value = null;
    found.value = null;
    pane.value = "queue";
  });
  letMove();
  if (address) setAddress();
  await loadQueue();
}

/** @param {1 | -1} step */
export function stepView(step) {
  const index = VIEWS.indexOf(view.peek());
  void showView(VIEWS[(index + step + VIEWS.length) % VIEWS.length]);
}

/** @param {string} kind "" for all */
export function showChannel(kind) {
  channel.value = kind;
  rows.value = [];
  nextAfter.value = null;
  void loadQueue();
}

/** @param {1 | -1} step */
export function move(step) {
  const shown = list.peek().rows;
  if (!shown.length) return;
  const index = shown.findIndex((row) => row.id === cursor.peek());
  const next = index < 0 ? (step > 0 ? 0 : shown.length - 1) : Math.max(0, Math.min(shown.length - 1, index + step));
  cursor.value = shown[next].id;
  // With the conversation beside the list, moving reads; on the phone it only moves.
  if (conversation.peek() && pane.peek() === "conversation" && innerWidth >= 860) void openConversation(shown[next].id, { focus: false });
}

// --- one conversation ---

let opening = 0;

/**
 * What is known shows at once, the rest when it comes.
 * @param {number} id
 * @param {{ address?: boolean, focus?: boolean, entry?: number }} [how]
 */
export async function openConversation(id, { address = true, focus = true } = {}) {
  const before = conversation.peek();
  if (before?.id === id && before.state === "ready") {
    pane.value = "conversation";
    return;
  }
  if (before) unwatch(before.id);
  const mine = ++opening;
  batch(() => {
    cursor.value = id;
    pane.value = "conversation";
    tab.value = "reply";
    conversation.value = blank(id);
  });
  if (address) setAddress(before !== null && innerWidth >= 860);
  await load(id, mine);
  // On the phone the list has gone; beside it, the focus stays there so that j and k go on.
  if (focus && mine === opening && innerWidth < 860) document.getElementById("timeline")?.focus({ preventScroll: true });
}

/** @param {number} id @param {number} mine */
async function load(id, mine) {
  try {
    const answer = await get(`/conversations/${id}`);
    if (mine !== opening) return;
    tellTime(answer.now);
    for (const draft of answer.drafts ?? []) drafts.get(id, draft.kind, { attachments: [], recipients: null, seen: 0, key: "", saved_at: Date.parse(draft.saved_at), ...draft.data, text: draft.text });
    conversation.value = { ...blank(id), ...answer, id, state: "ready", addressing: readAddressing(answer.addressing), visitor: null };
    takeRows({ rows: [answer.row] });
    await watch(id);
  } catch (error) {
    if (mine !== opening) return;
    conversation.value = { ...blank(id), state: "failed", problem: words(error) };
  }
}

/** @param {any} told @returns {import("./state.js").Addressing | null} */
export function readAddressing(told) {
  if (!told) return null;
  const written = (/** @type {any} */ one) => (typeof one === "string" ? one : one.address ?? one.written ?? "");
  const mail = told.mail ?? told;
  const all = [...(mail.to ?? []), ...(mail.cc ?? [])];
  return { names: Object.fromEntries(all.filter((one) => one.name).map((one) => [one.address.toLowerCase(), one.name])), subject: mail.subject, to: (mail.to ?? []).map(written), cc: (mail.cc ?? []).map(written) };
}

/** Look again, keeping what is shown. */
export function reload() {
  const open = conversation.peek();
  if (open) void load(open.id, ++opening);
}

onMoved(reload);

/** @param {number} id @returns {Conversation} */
function blank(id) {
  return {
    id, row: rowOf(id), state: "loading", problem: "", entries: [], more_before: null, card: null, participants: [], callback: null,
    offers: [], addressing: null, source: {}, language: null, answer_by: null, visitor_seen: 0, merged_into_id: null, automatic: [], visitor: null,
  };
}

/** @param {boolean} [address] */
export function closeConversation(address = true) {
  const open = conversation.peek();
  if (open) unwatch(open.id);
  opening++;
  batch(() => {
    conversation.value = null;
    pane.value = "queue";
  });
  if (address) setAddress();
  document.getElementById("queue-list")?.focus({ preventScroll: true });
}

export async function loadEarlier() {
  const open = conversation.peek();
  if (!open?.more_before) return;
  const answer = await get(`/conversations/${open.id}/entries?before=${open.more_before}`);
  const now = conversation.peek();
  if (now?.id !== open.id) return;
  const more = typeof answer.more_before === "number" ? answer.more_before : answer.more_before === true ? answer.entries[0]?.number ?? null : null;
  takeEntries(open.id, answer.entries);
  conversation.value = { .../** @type {Conversation} */ (conversation.peek()), more_before: more };
}

export function toggleCard() {
  const shown = innerWidth >= 1280 ? cardOpen.peek() !== "closed" : cardOpen.peek() === "open";
  cardOpen.value = shown ? "closed" : "open";
  if (innerWidth >= 1280) remember("card", shown ? "closed" : "auto");
}

/** @param {"reply" | "note"} kind */
export function write(kind) {
  if (!conversation.peek()) return;
  pane.value = "conversation";
  tab.value = kind;
  focusComposer.value++;
}

// --- commands ---

/**
 * Do it; say why not. True when it was done.
 * @param {() => Promise<any>} command
 * @param {string} [done]
 * @returns {Promise<boolean>}
 */
export async function attempt(command, done) {
  try {
    await command();
    if (done) toast(done);
    return true;
  } catch (error) {
    refused(error);
    return false;
  }
}

/** @param {unknown} error */
export function refused(error) {
  if (error instanceof Refusal && error.code === "signed_out") {
    toast(error.message, { label: t("Sign in"), run: () => location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`) });
  } else toast(words(error));
}

/** The longest waiting free conversation: the server decides whose it is. */
export async function takeNext() {
  try {
    const answer = await post("/take-next");
    await openConversation(answer.conversation_id);
  } catch (error) {
    if (error instanceof Refusal && error.code === "nothing_waiting") toast(t("Nobody is waiting who is not taken already."));
    else refused(error);
  }
}

const here = () => conversation.peek()?.id ?? 0;

export const take = () => attempt(() => post(`/conversations/${here()}/take`));

/** @param {number | null} to */
export const assign = (to) => attempt(() => post(`/conversations/${here()}/assign`, { to, expected: conversation.peek()?.row?.owner_id ?? null }));

/** @param {string} until @param {boolean} agreed */
export async function snooze(until, agreed) {
  const id = here();
  return attempt(async () => {
    await post(`/conversations/${id}/snooze`, { until, agreed });
    toast(t("Snoozed."), { label: t("Undo"), run: () => void attempt(() => post(`/conversations/${id}/wake`)) });
  });
}

export const wake = () => attempt(() => post(`/conversations/${here()}/wake`));

/** Close, with a way back instead of a question. @param {"closed" | "no_answer_needed"} [ending] */
export async function close(ending = "closed") {
  const id = here();
  return attempt(async () => {
    await post(`/conversations/${id}/close`, { ending });
    toast(t("Done."), { label: t("Undo"), run: () => void attempt(() => post(`/conversations/${id}/reopen`)) });
  });
}

export const reopen = () => attempt(() => post(`/conversations/${here()}/reopen`));

export async function spam() {
  const id = here();
  return attempt(async () => {
    await post(`/conversations/${id}/spam`);
    toast(t("Marked as spam."), { label: t("Undo"), run: () => void attempt(() => post(`/conversations/${id}/reopen`)) });
  });
}

/** @param {string[]} tags */
export const setTags = (tags) => attempt(() => post(`/conversations/${here()}/tags`, { tags }));
/** @param {number} priority */
export const setPriority = (priority) => attempt(() => post(`/conversations/${here()}/priority`, { priority }));

/** @param {number} into */
export async function merge(into) {
  const id = here();
  if (!await attempt(() => post(`/conversations/${id}/merge`, { into }), t("Merged."))) return false;
  await openConversation(into);
  return true;
}

/**
 * Make chosen entries, or a mail with what answers it, a conversation of their own; with a way back.
 * @param {{ entries: number[] } | { mail: number }} what
 */
export async function split(what) {
  const id = here();
  return attempt(async () => {
    const { conversation_id: made } = await post(`/conversations/${id}/split`, what);
    await openConversation(made);
    toast(t("Split off: a conversation of its own."), { label: t("Undo"), run: () => void attempt(async () => {
      await post(`/conversations/${made}/merge`, { into: id });
      await openConversation(id);
    }) });
  });
}

/** Undo a merge: what was merged goes on by itself again. @param {number} merged */
export async function takeApart(merged) {
  if (await attempt(() => post(`/conversations/${merged}/take-apart`), t("Taken apart."))) reload();
}

/** Pictures in mails of this entry's sender, from now on. @param {number} entry @param {boolean} show */
export async function showImages(entry, show) {
  if (await attempt(() => post(`/entries/${entry}/images`, { show }), show ? t("Pictures of this sender are shown from now on.") : t("Pictures of this sender are held back again."))) reload();
}

/** @param {number} entry */
export const tryAgain = (entry) => attempt(() => post(`/entries/${entry}/try-again`));

/** @param {import("./state.js").Offer} offer @param {"accept" | "decline" | "cancel"} answer */
export async function answerOffer(offer, answer) {
  const settled = await attempt(() => post(`/handoffs/${offer.id}/${answer}`));
  settleOffer(offer.id, "settled");
  if (settled && answer === "accept") await openConversation(offer.conversation_id);
}

/** @param {string} presence */
export const setPresence = (presence) => attempt(() => post("/presence", { presence }));

// --- sending ---

/**
 * Send what the composer holds. Shows it at once as "sending"; a refusal takes it back and keeps the draft.
 * @param {"reply" | "note"} kind
 * @param {{ then?: "pending" | "open" | "closed", evenSo?: boolean, channel?: string | null }} [how]
 * @returns {Promise<"sent" | "moved" | { problem: string }>}
 */
export async function send(kind, { then = "pending", evenSo = false, channel: by = null } = {}) {
  const open = conversation.peek();
  if (!open) return { problem: "" };
  const draft = drafts.get(open.id, kind);
  const number = open.entries.reduce((most, entry) => Math.max(most, entry.number), 0) + 1;
  takeEntries(open.id, [{
    id: -number, number, kind, channel: kind === "note" ? null : by ?? open.row?.channel ?? null, author: "operator", author_name: page.operator.name,
    operator_id: page.operator.id, text: draft.text, has_html: false, data: {}, created_at: new Date().toISOString(), delivery: null,
    delivery_error: null, client_key: draft.key, sending: "sending",
    attachments: draft.attachments.map((file) => ({ ...file, media_type: "" })),
  }]);
  const body = { text: draft.text, key: draft.key, seen: draft.seen, attachments: draft.attachments.map((file) => file.id) };
  try {
    if (kind === "reply" && draft.summary) {
      const { callback, form, subject, seen } = draft.summary;
      await post(`/callbacks/${callback}/summary`, { ...form, text: draft.text, seen, subject, recipients: draft.recipients, even_so: evenSo });
    } else await post(`/conversations/${open.id}/${kind}`, kind === "note" ? body : { ...body, recipients: draft.recipients, even_so: evenSo, then, channel: by });
    drafts.forget(open.id, kind);
    withDraft.value = drafts.conversations();
    await watch(open.id);
    dropSending(open.id, draft.key);
    if (draft.summary) reload();
    return "sent";
  } catch (error) {
    dropSending(open.id, draft.key);
    if (error instanceof Refusal && error.code === "timeline_moved") {
      await showNews(open.id, draft.seen);
      dialog.value = { name: "moved", since: draft.seen, kind, then, channel: by };
      return "moved";
    }
    return { problem: words(error) };
  }
}

/** @param {number} id @param {string} key */
function dropSending(id, key) {
  const open = conversation.peek();
  if (open?.id === id) conversation.value = { ...open, entries: open.entries.filter((entry) => !(entry.sending && entry.client_key === key)) };
}

/** @param {number} id @param {number} since */
async function showNews(id, since) {
  const answer = await get(`/conversations/${id}/entries?after=${since}`).catch(() => null);
  if (answer) takeEntries(id, answer.entries);
}

