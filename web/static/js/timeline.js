// The conversation: head, who else is here, pinned brief, entries. The timeline is real text, not a window onto it.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/ui.js";
import {
  close, closeConversation, loadEarlier, refused, reload, reopen, spam, take, takeNext, toggleCard, wake,
} from "./actions.js";
import { CallbackBar } from "./callbacks.js";
import { Composer, PlannedReplies } from "./composer.js";
import { Bones, channelIcon, Empty, Icon, Menu } from "./controls.js";
import { BriefLines, Day, EntryView } from "./entry.js";
import { OfferBar, OfferBars } from "./handoff.js";
import { ariaKeys, hint } from "./keys.js";
import { conversation, counts, dialog, drafts, lastSeen, line, othersAt, rows, serverNow } from "./state.js";
import { channelName, clockTime, page, shortTime, t } from "./words.js";

/** @typedef {import("./state.js").Conversation} Conversation */
/** @typedef {import("./state.js").Entry} Entry */

export function ConversationPane() {
  const open = conversation.value;
  if (!open) return html`<section class="conversation-pane no-conversation" aria-label=${t("Conversation")}><${NothingOpen} /></section>`;
  if (open.state === "failed") {
    return html`<section class="conversation-pane no-conversation" aria-label=${t("Conversation")}>
      <${Empty} icon="report" title=${t("This conversation could not be opened.")} words=${open.problem}>
        <button type="button" class="button" onClick=${reload}>${t("Try again")}</button>
        <button type="button" class="button button-plain" onClick=${() => closeConversation()}>${t("Back to the queue")}</button></${Empty}></section>`;
  }
  return html`<section class="conversation-pane" aria-label=${t("Conversation")}>
    <${Head} open=${open} />
    <${Bars} open=${open} />
    <${Timeline} open=${open} />
    <${Composer} key=${open.id} open=${open} />
  </section>`;
}

function NothingOpen() {
  const anybody = rows.value.length > 0 || counts.value.in_target + counts.value.warned + counts.value.missed > 0;
  return html`<${Empty} icon="inbox" title=${anybody ? t("No conversation is open.") : t("All quiet.")}
    words=${anybody ? t("Take the one who waits longest, or choose from the queue.") : t("New questions appear in the queue by themselves.")}>
    ${anybody && html`<button type="button" class="button button-primary" onClick=${() => void takeNext()}>${t("Take next")} <kbd>${hint("take-next")}</kbd></button>`}
  </${Empty}>`;
}

/** @param {{ open: Conversation }} props */
function Head({ open }) {
  const row = open.row;
  const name = row?.contact_name || open.card?.name || (row?.channel === "phone" && row.subject) || t("Unknown customer");
  const channels = new Set(open.entries.filter((entry) => entry.channel && ["message", "reply", "call"].includes(entry.kind)).map((entry) => entry.channel));
  const closed = row?.status === "closed";
  return html`<header class="conversation-head">
    <button type="button" class="icon-button back" aria-label=${t("Back to the queue")} title=${`${t("Back to the queue")} · ${hint("back")}`} onClick=${() => closeConversation()}><${Icon} name="back" /></button>
    <div class="titles">
      <h2>${row?.subject || t("(no subject)")}</h2>
      <p class="under">
        <span>${name}</span>
        <span class="dot">${channels.size > 1 ? t("%(n)s channels", { n: channels.size }) : channelName(row?.channel)}</span>
        <span class="dot">${ownerWords(open)}</span>
        ${row?.status === "pending" && html`<span class="dot">${t("waiting for customer")}</span>`}
        ${row?.status === "snoozed" && row.snoozed_until && html`<span class="dot">${t("snoozed until %(time)s", { time: shortTime(row.snoozed_until, serverNow()) })}</span>`}
        ${closed && html`<span class="dot">${t("closed")}</span>`}
      </p>
    </div>
    <div class="buttons">
      ${row && row.owner_id === null && !closed && html`<button type="button" class="button secondary" title=${`${t("Assign to me")} · ${hint("take")}`} aria-keyshortcuts=${ariaKeys("take")} onClick=${() => void take()}><${Icon} name="user" /><span class="words">${t("Take")}</span></button>`}
      <button type="button" class="button" title=${`${t("Hand off with a brief")} · ${hint("handoff")}`} aria-keyshortcuts=${ariaKeys("handoff")} onClick=${() => { dialog.value = { name: "handoff" }; }}><${Icon} name="right" /><span class="words">${t("Hand off")}</span></button>
      ${closed
        ? html`<button type="button" class="button" onClick=${() => void reopen()}><${Icon} name="reopen" /><span class="words">${t("Reopen")}</span></button>`
        : html`<button type="button" class="button" title=${`${t("Done")} · ${hint("done")}`} aria-keyshortcuts=${ariaKeys("done")} onClick=${() => void close()}><${Icon} name="check" /><span class="words">${t("Done")}</span></button>`}
      <${Menu} label=${t("More about this conversation")} items=${() => moreItems(open)} />
    </div>
  </header>`;
}

/** @param {Conversation} open */
function ownerWords(open) {
  if (open.row?.owner_id === page.operator.id) return t("Yours");
  return open.row?.owner_name || t("Unassigned");
}

/** @param {Conversation} open @returns {import("./controls.js").MenuItem[]} */
function moreItems(open) {
  const row = open.row;
  const show = (/** @type {string} */ name) => () => {
    dialog.value = { name };
  };
  return [
    { label: t("Customer card"), icon: "user", keys: hint("card"), run: toggleCard },
    { label: t("Assign to…"), icon: "users", keys: hint("assign"), run: show("assign") },
    row?.status === "snoozed" ? { label: t("Wake up"), icon: "snooze", run: () => void wake() } : { label: t("Snooze…"), icon: "snooze", keys: hint("snooze"), run: show("snooze") },
    { label: t("Labels…"), icon: "tag", keys: hint("label"), run: show("label") },
    { label: t("Priority…"), icon: "flag", keys: hint("priority"), run: show("priority") },
    { label: t("Call the customer…"), icon: "phone", run: show("callback") },
    { label: t("Summary of a meeting…"), icon: "list", run: show("wrap-up") },
    { label: t("Merge with another…"), icon: "merge", run: show("merge") },
    "line",
    { label: t("Close: no answer needed"), icon: "check", run: () => void close("no_answer_needed") },
    { label: t("Spam"), icon: "ban", keys: hint("spam"), run: () => void spam() },
  ];
}

// --- bars between head and timeline ---

/** @param {{ open: Conversation }} props */
function Bars({ open }) {
  const others = othersAt(open.id);
  const merged = open.merged_into_id;
  return html`<div class="bars">
    ${others.length > 0 && html`<div class="bar" role="status"><${Icon} name=${others.some((one) => one.writing) ? "pen" : "eye"} /><span class="bar-text">${viewersWords(others)}</span></div>`}
    <div class="elsewhere"><${OfferBar} /></div>
    <${OfferBars} open=${open} />
    ${merged !== null && html`<div class="bar plain"><${Icon} name="merge" /><span class="bar-text">${t("This conversation goes on in another one.")}</span>
      <span class="push"><a class="button button-small" href=${`/inbox/${merged}`}>${t("Open it")}</a></span></div>`}
    ${open.callback && html`<${CallbackBar} open=${open} callback=${open.callback} />`}
    <${PinnedBrief} open=${open} />
  </div>`;
}

/** @param {import("./state.js").Viewer[]} others */
function viewersWords(others) {
  const writing = others.find((one) => one.writing);
  if (writing) {
    return writing.writing === "note" ? t("%(name)s is viewing this conversation and writing a note", { name: writing.name })
      : t("%(name)s is viewing this conversation and writing a reply", { name: writing.name });
  }
  const names = new Intl.ListFormat(page.language, { type: "conjunction" }).format(others.map((one) => one.name));
  return others.length > 1 ? t("%(names)s are viewing this conversation", { names }) : t("%(name)s is viewing this conversation", { name: names });
}

/** The brief for the person who has it now, until they have answered. @param {{ open: Conversation }} props */
function PinnedBrief({ open }) {
  const handoff = open.entries.findLast((entry) => entry.kind === "handoff");
  if (!handoff || open.row?.owner_id !== page.operator.id || handoff.operator_id === page.operator.id) return null;
  if (open.entries.some((entry) => entry.kind === "reply" && entry.number > handoff.number)) return null;
  return html`<div class="pinned"><details class="brief" open>
    <summary><header><${Icon} name="right" /><span>${t("Brief from %(name)s", { name: handoff.author_name })} · ${clockTime(handoff.created_at)}</span></header></summary>
    <${BriefLines} brief=${handoff.data.brief ?? {}} /></details></div>`;
}

// --- entries ---

const AT_END_PX = 80;

/** @param {{ open: Conversation }} props */
function Timeline({ open }) {
  const box = /** @type {{ current: HTMLElement | null }} */ (useRef(null));
  const atEnd = useRef(true);
  const [busy, setBusy] = useState(false);
  const last = open.entries[open.entries.length - 1]?.number ?? 0;
  useLayoutEffect(() => {
    atEnd.current = true;
  }, [open.id]);
  useLayoutEffect(() => {
    const element = box.current;
    if (element && atEnd.current) element.scrollTop = element.scrollHeight;
  }, [open.id, last, open.state, open.entries.length]);
  useEffect(() => {
    // The first letter of an answer fixes what its author had seen; one begun before the entries came saw them all.
    const draft = drafts.get(open.id, "reply");
    if (!draft.text || draft.seen === 0) draft.seen = lastSeen(open);
  }, [open.id, last, open.state]);
  useEffect(() => {
    const element = /** @type {HTMLElement} */ (box.current);
    const watch = new ResizeObserver(() => {
      if (atEnd.current) element.scrollTop = element.scrollHeight;
    });
    watch.observe(element);
    if (element.firstElementChild) watch.observe(element.firstElementChild);
    return () => watch.disconnect();
  }, []);
  const scrolled = () => {
    const element = /** @type {HTMLElement} */ (box.current);
    atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < AT_END_PX;
  };
  const earlier = async () => {
    setBusy(true);
    const element = /** @type {HTMLElement} */ (box.current);
    const fromEnd = element.scrollHeight - element.scrollTop;
    atEnd.current = false;
    await loadEarlier().catch(refused);
    setBusy(false);
    requestAnimationFrame(() => {
      element.scrollTop = element.scrollHeight - fromEnd;
    });
  };
  return html`<div class="timeline" id="timeline" ref=${box} tabindex="0" role="region" aria-label=${t("Timeline")} onScroll=${scrolled}>
    <div class="entries">
      ${open.more_before && html`<button type="button" class="button button-small earlier" disabled=${busy} onClick=${() => void earlier()}>${busy ? t("Loading…") : t("Load earlier entries")}</button>`}
      ${open.state === "loading" && html`<${FirstLook} open=${open} />`}
      <${Entries} entries=${open.entries} />
      <${PlannedReplies} open=${open} />
      ${open.visitor?.typing && html`<p class="status-line" role="status">${t("%(name)s is typing…", { name: open.row?.contact_name || t("The customer") })}</p>`}
      ${open.visitor && !open.visitor.online && open.row?.channel === "chat" && html`<p class="status-line">${t("The customer has left the page.")}</p>`}
      ${line.value.state === "lost" && html`<p class="status-line">${t("Not live: newer entries may be missing here.")}</p>`}
    </div>
  </div>`;
}

/** What the row told, until the rest comes. @param {{ open: Conversation }} props */
function FirstLook({ open }) {
  if (open.row?.snippet) {
    return html`<article class="entry" aria-busy="true"><div class="entry-head"><${Icon} name=${channelIcon(open.row.channel)} /><b>${open.row.contact_name}</b></div>
      <div class="bubble"><div class="bubble-text">${open.row.snippet}</div></div></article>`;
  }
  return html`<${Bones}><div class="entries"><div class="bone-entry"></div><div class="bone-entry mine"></div><div class="bone-entry"></div></div></${Bones}>`;
}

/** @param {{ entries: Entry[] }} props */
function Entries({ entries }) {
  const today = new Date(serverNow()).toDateString();
  let day = entries.length ? new Date(entries[0].created_at).toDateString() : today;
  const shown = [];
  if (entries.length && day !== today) shown.push(html`<${Day} key="first" iso=${entries[0].created_at} />`);
  for (const entry of entries) {
    const its = new Date(entry.created_at).toDateString();
    if (its !== day) shown.push(html`<${Day} key=${`day-${its}`} iso=${entry.created_at} />`);
    day = its;
    shown.push(html`<${EntryView} key=${entry.client_key && entry.sending ? entry.client_key : entry.id} entry=${entry} />`);
  }
  return shown;
}

