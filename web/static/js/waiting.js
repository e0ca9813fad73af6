// Wait states and their clocks: pure, no page. Times are milliseconds on the server's clock.
import { t, tn } from "./words.js";

/**
 * @typedef {"target" | "warned" | "missed" | "agreed" | "customer" | "none"} WaitState
 * @typedef {{
 *   status: string, waiting_since: string | null, warn_at: string | null, due_at: string | null,
 *   paused: boolean, channel: string,
 * }} Waiting
 */

/**
 * @param {Waiting} row
 * @param {number} nowMs
 * @returns {WaitState}
 */
export function waitState(row, nowMs) {
  if (row.waiting_since === null) return row.status === "pending" ? "customer" : "none";
  if (row.paused || row.due_at === null) return "agreed";
  if (nowMs >= Date.parse(row.due_at)) return "missed";
  if (row.warn_at !== null && nowMs >= Date.parse(row.warn_at)) return "warned";
  return "target";
}

/** When the state of this wait changes next by itself; null when it never does. @param {Waiting} row @param {number} nowMs */
export function nextChange(row, nowMs) {
  const state = waitState(row, nowMs);
  if (state === "target") return Date.parse(row.warn_at ?? row.due_at ?? "");
  return state === "warned" ? Date.parse(row.due_at ?? "") : null;
}

/** `m:ss` to an hour, `1h 04m` to a day, `2d 3h` after. @param {number} ms */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return t("%(h)sh %(m)sm", { h: Math.floor(minutes / 60), m: two(minutes % 60) });
  return t("%(d)sd %(h)sh", { d: Math.floor(minutes / 1440), h: Math.floor((minutes % 1440) / 60) });
}

/** Rounded minutes for words: 180 s is 3. @param {number} seconds */
const minutes = (seconds) => Math.max(1, Math.round(seconds / 60));

/**
 * The state in words.
 * @param {WaitState} state
 * @param {{ warn_s: number, target_s: number }} target
 */
export function stateWords(state, target) {
  switch (state) {
    case "target": return t("within target");
    case "warned": return tn("over %(n)s minute", "over %(n)s minutes", minutes(target.warn_s));
    case "missed": return tn("over %(n)s minute", "over %(n)s minutes", minutes(target.target_s));
    case "agreed": return t("pause agreed with the customer");
    case "customer": return t("waiting for customer");
    default: return t("nobody waits");
  }
}

/**
 * @param {Record<string, { warn_s: number, target_s: number }>} targets
 * @param {string | null} channel null: what counts for the desk as a whole
 */
export function targetOf(targets, channel) {
  return (channel && targets[channel]) || targets.default || { warn_s: 180, target_s: 300 };
}

/** Milliseconds to the next full second of a wait clock that counts in whole seconds. @param {number} nowMs */
export const untilNextSecond = (nowMs) => 1000 - (((nowMs % 1000) + 1000) % 1000);
