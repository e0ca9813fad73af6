// One timer for the page, aligned to the server's second; every clock is a signal bound to its own text node.
import { computed, html, useMemo } from "../vendor/ui.js";
import { Icon } from "./controls.js";
import { offset, second, serverNow } from "./state.js";
import { duration, stateWords, targetOf, untilNextSecond, waitState } from "./waiting.js";
import { page } from "./words.js";

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

function tick() {
  second.value = serverNow();
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(tick, untilNextSecond(Date.now() + offset.peek()) + 5);
}

/** Start; stopped while hidden, right again at once when shown. */
export function startClock() {
  document.addEventListener("visibilitychange", tick);
  tick();
}

const SHAPES = { target: "clock", warned: "warn", missed: "octagon-filled" };

/** The wait of a row: shape, time, words for readers. @param {{ row: import("./order.js").Row }} props */
export function Wait({ row }) {
  const { status, waiting_since, warn_at, due_at, paused, channel } = row;
  const state = useMemo(
    () => computed(() => waitState({ status, waiting_since, warn_at, due_at, paused, channel }, second.value)),
    [status, waiting_since, warn_at, due_at, paused, channel],
  );
  const text = useMemo(
    () => computed(() => (waiting_since ? duration(second.value - Date.parse(waiting_since)) : "")),
    [waiting_since],
  );
  const kind = state.value;
  const words = stateWords(kind, targetOf(page.targets, channel));
  if (kind === "customer" || kind === "none") return kind === "none" ? null : html`<span class="wait customer">${words}</span>`;
  if (kind === "agreed") return html`<span class="wait agreed" title=${words}><${Icon} name="pause" />${text}<span class="for-readers">, ${words}</span></span>`;
  return html`<span class=${`wait ${kind}`} title=${words}>
    <${Icon} name=${SHAPES[kind]} /><span>${text}</span><span class="for-readers">, ${words}</span>
  </span>`;
}

/** How long until then, counting down; "0:00" after. @param {{ until: string }} props */
export function Countdown({ until }) {
  const text = useMemo(() => computed(() => duration(Math.max(0, Date.parse(until) - second.value + 999))), [until]);
  return html`<span>${text}</span>`;
}
