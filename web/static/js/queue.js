// The queue pane: views, chips, and a windowed list in which only what is seen is drawn.
import { computed, html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/ui.js";
import { closeConversation, href, move, openConversation, showChannel, showView, takeNext } from "./actions.js";
import { Wait } from "./clock.js";
import { Bones, channelIcon, Empty, Icon, Menu } from "./controls.js";
import { OfferBar } from "./handoff.js";
import { ariaKeys, hint } from "./keys.js";
import { loadPiece, loadQueue, search } from "./live.js";
import { scrolledTo, windowOf } from "./order.js";
import {
  channel, conversation, counts, cursor, density, dialog, found, hold, letMove, line, list, nextAfter, othersAt, pause, paused, queueProblem,
  queueState, release, remember, remembered, rows, searching, second, view, viewName, VIEWS, whereItWent, withDraft,
} from "./state.js";
import { targetOf, waitState } from "./waiting.js";
import { channelName, clockTime, page, shortTime, t, tn } from "./words.js";

/** @typedef {import("./order.js").Row} Row */

const HOLD_MS = 1500;
export const rowHeight = () => (density.value === "compact" ? 52 : 72);

/** Everybody who waits by state: counted here when all are here, else as the server last said. */
export const waiting = computed(() => {
  if (view.value !== "waiting" || nextAfter.value !== null || channel.value) return counts.value;
  const now = second.value;
  const n = { target: 0, warned: 0, missed: 0 };
  for (const row of rows.value) {
    const state = waitState(row, now);
    if (state === "target" || state === "warned" || state === "missed") n[state]++;
  }
  return { ...counts.value, in_target: n.target, warned: n.warned, missed: n.missed };
});

export function QueuePane() {
  return html`<section class="queue-pane" aria-label=${t("Queue")}>
    <${Head} />
    <div class="list-box"><${Changes} /><${List} /></div>
    <div><${OfferBar} /></div>
    <${Foot} />
    <${Resizer} />
  </section>`;
}

function Head() {
  const total = waiting.value.in_target + waiting.value.warned + waiting.value.missed;
  const shown = view.value === "waiting" ? total : view.value === "mine" ? counts.value.mine : view.value === "unassigned" ? counts.value.unassigned
    : view.value === "callbacks" ? counts.value.callbacks : null;
  return html`<header class="queue-head">
    <div class="queue-title">
      <span class="view-box">
        <select class="view-picker" aria-label=${t("View")} title=${`${t("View")} · ${hint("previous-view")} ${hint("next-view")}`}
          onChange=${(/** @type {any} */ event) => void showView(event.target.value)}>
          ${VIEWS.map((one) => html`<option value=${one} selected=${one === view.value}>${viewName(one)}</option>`)}
        </select><${Icon} name="down" />
      </span>
      ${shown !== null && html`<span class="count">${shown}</span>`}
      <span class="push">
        <button type="button" class="icon-button" aria-label=${t("New conversation by mail")} title=${`${t("New conversation by mail")} · ${hint("new-mail")}`} aria-keyshortcuts=${ariaKeys("new-mail")}
          onClick=${() => { dialog.value = { name: "new-mail" }; }}><${Icon} name="plus" /></button>
        <button type="button" class="button button-small take-next" title=${`${t("Take the longest waiting")} · ${hint("take-next")}`} aria-keyshortcuts=${ariaKeys("take-next")}
          onClick=${() => void takeNext()}><${Icon} name="bolt" /><span class="words">${t("Take next")}</span></button>
        <button type="button" class="icon-button" aria-label=${t("Search")} title=${`${t("Search")} · ${hint("search")}`} aria-pressed=${searching.value !== null}
          onClick=${() => { searching.value = searching.value === null ? "" : null; found.value = null; }}><${Icon} name="search" /></button>
        <${Menu} label=${t("More of the queue")} items=${moreItems} />
      </span>
    </div>
    ${searching.value !== null ? html`<${SearchBox} />` : html`<${Chips} />`}
  </header>`;
}

/** @returns {import("./controls.js").MenuItem[]} */
function moreItems() {
  return [
    { title: t("Channel") },
    { label: t("All channels"), checked: channel.value === "", run: () => showChannel("") },
    ...["chat", "email", "phone"].map((kind) => ({ label: channelName(kind), checked: channel.value === kind, run: () => showChannel(kind) })),
    "line",
    { label: t("Log a call"), icon: "phone", run: () => { dialog.value = { name: "call" }; } },
    { label: paused.value ? t("Go on with live updates") : t("Pause live updates"), icon: "pause", keys: hint("pause"), run: () => pause(!paused.value) },
    { label: t("As a plain list"), icon: "list", href: `/queue?plain=1&view=${view.value}` },
  ];
}

function Chips() {
  const n = waiting.value;
  const target = targetOf(page.targets, null);
  const minutes = (/** @type {number} */ seconds) => Math.max(1, Math.round(seconds / 60));
  if (!(n.missed + n.warned + n.in_target)) return html`<div class="chips"><span class="chip none">${t("Nobody is waiting")}</span></div>`;
  return html`<div class="chips" role="group" aria-label=${t("Waiting now")}>
    ${n.missed > 0 && html`<span class="chip missed"><${Icon} name="octagon" />${t("%(n)s over %(m)s min", { n: n.missed, m: minutes(target.target_s) })}</span>`}
    ${n.warned > 0 && html`<span class="chip warned"><${Icon} name="warn" />${t("%(n)s over %(m)s", { n: n.warned, m: minutes(target.warn_s) })}</span>`}
    ${n.in_target > 0 && html`<span class="chip target"><${Icon} name="clock" />${t("%(n)s in target", { n: n.in_target })}</span>`}
  </div>`;
}

function SearchBox() {
  const box = /** @type {{ current: HTMLInputElement | null }} */ (useRef(null));
  const timer = useRef(0);
  useEffect(() => box.current?.focus(), []);
  const leave = () => {
    searching.value = null;
    found.value = null;
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") leave();
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") move(event.key === "ArrowDown" ? 1 : -1);
    else if (event.key === "Enter" && cursor.value) void openConversation(cursor.value);
    else return;
    event.preventDefault();
  };
  return html`<div class="search-row" role="search">
    <input class="input" type="search" ref=${box} aria-label=${t("Search conversations, customers and words")} placeholder=${t("Name, subject, words, number…")}
      value=${searching.value} onKeyDown=${key}
      onInput=${(/** @type {any} */ event) => {
        const words = event.target.value;
        searching.value = words;
        clearTimeout(timer.current);
        timer.current = setTimeout(() => void search(words), 200);
      }} />
    <button type="button" class="icon-button" aria-label=${t("Close the search")} title=${t("Close the search")} onClick=${leave}><${Icon} name="close" /></button>
  </div>`;
}

function Changes() {
  const n = list.value.changes;
  return html`<div class="changes">${n > 0 && html`<button type="button" onClick=${letMove}>${tn("%(n)s change", "%(n)s changes", n)}</button>`}</div>`;
}

/** Rows keep their places while a pointer rests on the list or a key was pressed within 1.5 s. */
function useSteadyHand() {
  useEffect(() => {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    let over = false;
    const rest = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (!over) release();
      }, HOLD_MS);
    };
    const box = document.getElementById("queue-list");
    const enter = (/** @type {PointerEvent} */ event) => {
      if (event.pointerType !== "mouse") return;
      over = true;
      hold();
    };
    const leave = () => {
      over = false;
      rest();
    };
    const key = (/** @type {KeyboardEvent} */ event) => {
      if (event.target instanceof Element && event.target.closest("textarea, input, select")) return;
      hold();
      rest();
    };
    box?.addEventListener("pointerenter", enter);
    box?.addEventListener("pointerleave", leave);
    document.addEventListener("keydown", key);
    return () => {
      clearTimeout(timer);
      box?.removeEventListener("pointerenter", enter);
      box?.removeEventListener("pointerleave", leave);
      document.removeEventListener("keydown", key);
    };
  }, []);
}

function List() {
  const box = /** @type {{ current: HTMLElement | null }} */ (useRef(null));
  const [at, setAt] = useState({ scrollTop: 0, height: 800 });
  useSteadyHand();
  useLayoutEffect(() => {
    const element = /** @type {HTMLElement} */ (box.current);
    const look = () => setAt({ scrollTop: element.scrollTop, height: element.clientHeight || 800 });
    const watch = new ResizeObserver(look);
    watch.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      watch.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, []);
  const { rows: shown, gone } = list.value;
  const height = rowHeight();
  const part = windowOf({ ...at, rowHeight: height, total: shown.length });
  const standing = cursor.value;
  useLayoutEffect(() => {
    const index = shown.findIndex((row) => row.id === standing);
    const element = box.current;
    if (element && index >= 0) element.scrollTop = scrolledTo(index, { scrollTop: element.scrollTop, height: element.clientHeight, rowHeight: height });
  }, [standing]);
  useEffect(() => {
    if (part.last >= shown.length && nextAfter.value && ["closed", "spam"].includes(view.value) && searching.value === null) void loadPiece();
  }, [part.last, shown.length]);
  const drawn = shown.slice(part.first, part.last).map((row, index) => ({ row, index: part.first + index }));
  const chosen = shown.findIndex((row) => row.id === standing);
  // The selected row is always in the document, for aria-activedescendant.
  if (chosen >= 0 && (chosen < part.first || chosen >= part.last)) drawn.push({ row: shown[chosen], index: chosen });
  return html`<div class="rows" id="queue-list" ref=${box} role=${shown.length ? "listbox" : "region"} tabindex="0" aria-label=${searching.value === null ? viewName(view.value) : t("Found")}
      aria-activedescendant=${chosen >= 0 ? `row-${standing}` : undefined} onKeyDown=${pageKeys}>
    ${shown.length ? html`<div class="rows-space" role="presentation" style=${{ height: `${part.whole}px` }}>
      ${drawn.map(({ row, index }) => html`<${QueueRow} key=${row.id} row=${row} index=${index} total=${shown.length} left=${gone.has(row.id)} />`)}
    </div>` : html`<${NoRows} />`}
  </div>`;
}

/** @param {KeyboardEvent} event */
function pageKeys(event) {
  const steps = { PageDown: 8, PageUp: -8, Home: -list.value.rows.length, End: list.value.rows.length }[event.key];
  if (!steps) return;
  event.preventDefault();
  const shown = list.value.rows;
  const index = shown.findIndex((row) => row.id === cursor.value);
  const next = shown[Math.max(0, Math.min(shown.length - 1, index + steps))];
  if (next) cursor.value = next.id;
}

function NoRows() {
  const searched = searching.value;
  if (searched !== null) {
    if (searched.trim().length < 2) return html`<${Empty} icon="search" title=${t("Search everything")} words=${t("Two letters are enough: names, addresses, numbers, words of any message.")} />`;
    if (found.value === null) return html`<${RowBones} />`;
    return html`<${Empty} icon="search" title=${t("Nothing found for “%(words)s”.", { words: searched.trim() })} words=${t("Try a shorter word, or part of an address.")} />`;
  }
  if (queueState.value === "loading") return html`<${RowBones} />`;
  if (queueState.value === "failed") {
    return html`<${Empty} icon="report" title=${t("The queue could not be loaded.")} words=${queueProblem.value}>
      <button type="button" class="button" onClick=${() => void loadQueue()}>${t("Try again")}</button></${Empty}>`;
  }
  switch (view.value) {
    case "waiting": return html`<${Empty} icon="check" title=${t("Nobody is waiting.")} words=${t("Everybody who wrote or called has an answer.")}>
      <button type="button" class="button" onClick=${() => void showView("all")}>${t("Show all open")}</button></${Empty}>`;
    case "mine": return html`<${Empty} icon="user" title=${t("You have no open conversation.")}>
      <button type="button" class="button" onClick=${() => void takeNext()}>${t("Take the next")} <kbd>${hint("take-next")}</kbd></button></${Empty}>`;
    case "callbacks": return html`<${Empty} icon="callback" title=${t("Nobody waits for a call.")} words=${t("Missed calls and wishes for a call come here.")} />`;
    case "spam": return html`<${Empty} icon="ban" title=${t("No spam.")} />`;
    default: return html`<${Empty} icon="inbox" title=${t("Nothing here: “%(view)s” is empty.", { view: viewName(view.value) })}>
      <button type="button" class="button" onClick=${() => void showView("waiting")}>${t("Show who is waiting")}</button></${Empty}>`;
  }
}

function RowBones() {
  return html`<${Bones}><div class="bones">${[1, 2, 3, 4, 5, 6].map((n) => html`<div class="bone-row" key=${n}><div class="bone"></div><div class="bone"></div></div>`)}</div></${Bones}>`;
}

/** @param {{ row: Row, index: number, total: number, left: boolean }} props */
function QueueRow({ row, index, total, left }) {
  const selected = cursor.value === row.id;
  const others = othersAt(row.id);
  const style = useMemo(() => ({ transform: `translateY(${index * rowHeight()}px)` }), [index, density.value]);
  const press = (/** @type {MouseEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.button === 1) window.open(href(row.id, view.value), "_blank", "noopener");
    else if (event.button === 0) void openConversation(row.id);
  };
  const past = row.status === "closed" || row.status === "pending";
  const onlyNumber = row.channel === "phone" && !row.contact_name && row.subject;  // known by their number, so that is their name
  return html`<div class=${`row${row.unread ? " unread" : ""}${left ? " gone" : ""}${past ? " past" : ""}`} role="option" id=${`row-${row.id}`} style=${style}
      aria-selected=${selected} aria-setsize=${total} aria-posinset=${index + 1} onClick=${press} onAuxClick=${press}>
    <${Icon} name=${channelIcon(row.channel, row.callback)} label=${row.callback ? t("Call back") : channelName(row.channel)} />
    <div class="row-who">
      <span class="name">${row.contact_name || onlyNumber || t("Unknown customer")}</span>
      ${row.tier && html`<span class="tier">${row.tier}</span>`}
      ${row.priority > 0 && html`<span class="prio"><${Icon} name="flag" label=${row.priority > 1 ? t("Urgent") : t("High priority")} /></span>`}
      ${row.unread > 0 && html`<span class="unread-count">${row.unread}<span class="for-readers"> ${t("unread")}</span></span>`}
      ${withDraft.value.has(row.id) && html`<span class="has-draft"><${Icon} name="pen" label=${t("You have a draft here")} /></span>`}
    </div>
    <div class="row-subject">${onlyNumber ? t("Telephone call") : row.subject || t("(no subject)")}</div>
    <div class="row-snippet">${row.snippet === row.subject ? "" : row.snippet}</div>
    <div class="row-side">
      ${row.status === "open" || row.waiting_since ? html`<${Wait} row=${row} />` : html`<span class="wait none">${shortTime(row.snoozed_until ?? row.active_at, second.peek())}</span>`}
      <span class=${`row-owner${others.length ? " viewing" : ""}`}>${left ? whereItWent(row.id) : beside(row, others)}</span>
    </div>
  </div>`;
}

/** @param {Row} row @param {import("./state.js").Viewer[]} others */
function beside(row, others) {
  const first = others.find((one) => one.writing) ?? others[0];
  if (first) {
    const name = first.name.split(" ")[0];
    return first.writing ? t("%(name)s is writing", { name }) : t("%(name)s is viewing", { name });
  }
  if (row.owner_id === page.operator.id) return t("You");
  return row.owner_name || t("Unassigned");
}

function Foot() {
  const target = targetOf(page.targets, null);
  const minutes = (/** @type {number} */ seconds) => Math.max(1, Math.round(seconds / 60));
  return html`<footer class="queue-foot">
    <${LineState} />
    ${paused.value
      ? html`<button type="button" onClick=${() => pause(false)}>${t("Updates paused: go on")}</button>`
      : html`<span>${t("Target %(a)s–%(b)s min", { a: minutes(target.warn_s), b: minutes(target.target_s) })}</span>`}
    <button type="button" class="push keys-button" aria-keyshortcuts=${ariaKeys("help")} onClick=${() => { dialog.value = { name: "help" }; }}><kbd>?</kbd> ${t("shortcuts")}</button>
  </footer>`;
}

/** "Live", "Reconnecting…", and after 10 s since when the figures may be old. */
function LineState() {
  const { state, since } = line.value;
  const long = useMemo(() => computed(() => state !== "live" && second.value - since > 10_000), [state, since]);
  const words = state === "live" ? t("Live") : long.value ? t("Not live since %(time)s, figures may be old", { time: clockTime(new Date(since).toISOString()) })
    : state === "lost" ? t("Reconnecting…") : t("Connecting…");
  return html`<span class=${`line-state ${long.value ? "lost" : ""}`} role="status"><span class=${`line-dot ${state === "live" ? "" : long.value ? "lost" : "connecting"}`}></span>${words}</span>`;
}

/** The edge of the queue: by pointer and by arrow keys. */
function Resizer() {
  const [width, setWidth] = useState(Number(remembered("queue-width", "360")));
  useLayoutEffect(() => {
    if (width !== 360) document.documentElement.style.setProperty("--queue-width", `${width}px`);
    remember("queue-width", String(width));
  }, [width]);
  const limit = (/** @type {number} */ px) => Math.round(Math.max(280, Math.min(520, px)));
  const drag = (/** @type {PointerEvent} */ event) => {
    const start = event.clientX - width;
    const handle = /** @type {HTMLElement} */ (event.currentTarget);
    handle.setPointerCapture(event.pointerId);
    handle.onpointermove = (moved) => setWidth(limit(moved.clientX - start));
    handle.onpointerup = () => {
      handle.onpointermove = null;
    };
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowLeft: -20, ArrowRight: 20 }[event.key];
    if (!step) return;
    event.preventDefault();
    setWidth(limit(width + step));
  };
  return html`<div class="resizer" role="separator" tabindex="0" aria-orientation="vertical" aria-label=${t("Width of the queue")}
    aria-valuenow=${width} aria-valuemin="280" aria-valuemax="520" onPointerDown=${drag} onKeyDown=${key}></div>`;
}

/** Escape goes one step back and never discards words. */
export function stepBack() {
  if (searching.value !== null) {
    searching.value = null;
    found.value = null;
  } else if (conversation.value) closeConversation();
}
