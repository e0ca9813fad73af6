// What an operator can do: commands go by HTTP, what everybody sees comes back over the live line.
import { batch } from "../vendor/ui.js";
import { get, post, put, Refusal, words } from "./api.js";
import { hasPoints, NO_POINTS } from "./drafts.js";
import { loadQueue, onMoved, settleOffer, unwatch, watch } from "./live.js";
import {
  cardOpen, channel, conversation, cursor, dialog, drafts, focusComposer, found, lastSeen, letMove, list, nextAfter, pane, remember, rowOf, rows,
  searching, serverNow, tab, takeEntries, takeRows, tellTime, toast, view, VIEWS, withDraft,
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
    const pinned = drafts.get(id, "reply").answers;
    if (pinned) await readAnswered(id, pinned).catch(() => undefined);
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
  return { names: Object.fromEntries(all.filter((one) => one.name).map((one) => [one.address.toLowerCase(), one.name])), subject: mail.subject, to: (mail.to ?? []).map(written), cc: (mail.cc ?? []).map(written),
    newcomers: mail.newcomers ?? [], from: mail.author?.address, others: (told.others ?? []).map(written), failing: told.failing ?? [], quotes: mail.quotes !== false, answered: (mail.in_reply_to ?? []).length > 0 };
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
    offers: [], addressing: null, source: {}, language: null, answer_by: null, visitor_seen: 0, merged_into_id: null, automatic: [], planned: [], visitor: null,
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

/** This mail is what it seems: from now on it is answered like any other. @param {number} entry */
export async function trustMail(entry) {
  if (await attempt(() => post(`/entries/${entry}/trust`))) reload();
}

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
 * `at`: a moment in the desk's time zone, or an ISO time. `toFailing`: also where the last mail came back.
 * @typedef {{ then?: "pending" | "open" | "closed", evenSo?: boolean, channel?: string | null, at?: string | null, toFailing?: boolean }} HowToSend
 */

/**
 * Send what the composer holds. Shows it at once as "sending"; a refusal takes it back and keeps the draft.
 * @param {"reply" | "note"} kind
 * @param {HowToSend} [how]
 * @returns {Promise<"sent" | "moved" | { problem: string, failing?: boolean }>}
 */
export async function send(kind, { then = "pending", evenSo = false, channel: by = null, at = null, toFailing = false } = {}) {
  const open = conversation.peek();
  if (!open) return { problem: "" };
  const draft = drafts.get(open.id, kind);
  const number = open.entries.reduce((most, entry) => Math.max(most, entry.number), 0) + 1;
  if (!at) {
    takeEntries(open.id, [{
      id: -number, number, kind, channel: kind === "note" ? null : by ?? open.row?.channel ?? null, author: "operator", author_name: page.operator.name,
      operator_id: page.operator.id, text: draft.text, has_html: false, data: {}, created_at: new Date().toISOString(), delivery: null,
      delivery_error: null, client_key: draft.key, sending: "sending",
      attachments: draft.attachments.map((file) => ({ ...file, media_type: "" })),
    }]);
  }
  const body = { text: draft.text, key: draft.key, seen: draft.seen, attachments: draft.attachments.map((file) => file.id) };
  const extra = { even_so: evenSo, to_failing: toFailing };
  try {
    if (kind === "reply" && draft.summary) {
      const { callback, form, subject, seen } = draft.summary;
      await post(`/callbacks/${callback}/summary`, { ...form, ...extra, text: draft.text, seen, subject, recipients: draft.recipients, undo: true });
    } else if (kind === "note") await post(`/conversations/${open.id}/note`, body);
    else {
      const reply = { ...body, ...extra, recipients: draft.recipients, then, channel: by, block: points(draft.block), answers: draft.answers ?? null };
      if (at) await post(`/conversations/${open.id}/plan`, { ...reply, send_at: at });
      else await post(`/conversations/${open.id}/reply`, { ...reply, undo: true });
    }
    drafts.forget(open.id, kind);
    withDraft.value = drafts.conversations();
    await watch(open.id);
    dropSending(open.id, draft.key);
    if (draft.summary || at) reload();
    return "sent";
  } catch (error) {
    dropSending(open.id, draft.key);
    if (error instanceof Refusal && error.code === "timeline_moved") {
      await showNews(open.id, draft.seen);
      dialog.value = { name: "moved", since: draft.seen, kind, then, channel: by, at };
      return "moved";
    }
    return { problem: words(error), failing: error instanceof Refusal && error.code === "address_fails" };
  }
}

/** @param {import("./drafts.js").Block | null | undefined} block */
export const points = (block) => (hasPoints(block) ? { .../** @type {import("./drafts.js").Block} */ (block), by: block?.by || null } : null);

/** What comes back into the composer, above what has been begun since. @param {{ conversation_id: number, text: string, data: any }} returned */
function intoComposer({ conversation_id: id, text, data }) {
  const held = drafts.get(id, "reply");
  drafts.set(id, "reply", {
    ...held, text: held.text.trim() && held.text !== text ? `${text}\n\n${held.text}` : text, recipients: data.recipients, block: data.block ? { ...NO_POINTS, ...data.block } : null, summary: data.summary ?? null,
    attachments: [...data.attachments, ...held.attachments], seen: conversation.peek()?.id === id ? lastSeen(/** @type {Conversation} */ (conversation.peek())) : 0,
  });
  withDraft.value = drafts.conversations();
}

/** Answer this very mail, which is not the newest: whom it reaches is worked out from it. @param {number} entry */
export async function answerMail(entry) {
  const id = here();
  await attempt(async () => {
    if (!await readAnswered(id, entry)) return;
    drafts.set(id, "reply", { ...drafts.get(id, "reply"), answers: entry, recipients: null });
    write("reply");
  });
}

/** Show whom an answer to this mail would reach. @param {number} id @param {number} entry */
async function readAnswered(id, entry) {
  const { addressing } = await get(`/conversations/${id}/addressing?answers=${entry}`);
  const now = conversation.peek();
  if (now?.id !== id) return false;
  conversation.value = { ...now, addressing: readAddressing(addressing) };
  return true;
}

/** The mail of mine that has not left yet, in the open conversation. @returns {import("./state.js").Entry | null} */
export function leaving() {
  const open = conversation.value;
  return open?.entries.findLast((entry) => entry.operator_id === page.operator.id && entry.delivery === "queued"
    && entry.data.leaves_at && Date.parse(entry.data.leaves_at) > serverNow()) ?? null;
}

/** The mail stays: it is a draft again, and the wait runs on from where it began. @param {import("./state.js").Entry} entry */
export async function takeBack(entry) {
  return attempt(async () => {
    const { draft } = await post(`/entries/${entry.id}/take-back`);
    intoComposer(draft);
    write("reply");
    await showNews(draft.conversation_id, entry.number - 1);
  });
}

/** @param {number} id @param {string} at */
export async function putOff(id, at) {
  if (await attempt(() => put(`/planned/${id}`, { send_at: at }))) reload();
}

/** Not sent after all: its words are back in the composer of who wrote them. @param {import("./state.js").PlannedReply} planned */
export async function cancelPlanned(planned) {
  await attempt(async () => {
    const { draft } = await post(`/planned/${planned.id}/cancel`);
    if (planned.operator_id === page.operator.id) {
      intoComposer(draft);
      write("reply");
    }
    reload();
  });
}

/** @param {number} id */
export async function sendPlanned(id) {
  if (await attempt(() => post(`/planned/${id}/send`))) reload();
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

