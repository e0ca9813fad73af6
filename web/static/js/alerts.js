// What calls for attention: the tab's title, one polite line, an optional sound, an optional notification.
import { computed, effect, html, signal } from "../vendor/ui.js";
import { openConversation } from "./actions.js";
import { onAlarm, onOffer } from "./live.js";
import { waiting } from "./queue.js";
import { dropToast, rowOf, rows, second, sound, toasts, view } from "./state.js";
import { Icon } from "./controls.js";
import { duration, targetOf } from "./waiting.js";
import { page, t, tn } from "./words.js";

const ANNOUNCE_EVERY_MS = 30_000;

/** The one polite line. Never per tick, at most every 30 s. */
const said = signal("");

/** @type {Set<number>} */
let passed = new Set();
let announcedAt = -ANNOUNCE_EVERY_MS;
let due = false;

function announce() {
  if (!passed.size) return;
  const wait = announcedAt + ANNOUNCE_EVERY_MS - performance.now();
  if (wait > 0) {
    if (!due) {
      due = true;
      setTimeout(() => {
        due = false;
        announce();
      }, wait);
    }
    return;
  }
  announcedAt = performance.now();
  const minutes = Math.max(1, Math.round(targetOf(page.targets, null).target_s / 60));
  said.value = tn("%(n)s person passed %(m)s minutes", "%(n)s people passed %(m)s minutes", passed.size, { m: minutes });
  passed = new Set();
}

/** The title says how many wait and how long the first has waited. */
const title = computed(() => {
  const n = waiting.value.in_target + waiting.value.warned + waiting.value.missed;
  const longest = view.value === "waiting" ? rows.value.reduce((/** @type {string | null} */ first, row) => (
    row.waiting_since && !row.paused && (!first || row.waiting_since < first) ? row.waiting_since : first), null) : null;
  // Minutes are enough here: a title that changes each second wears out its reader.
  const since = longest ? Math.floor((second.value - Date.parse(longest)) / 1000) : 0;
  const shown = since >= 60 ? duration(Math.floor(since / 60) * 60_000) : since > 0 ? t("under 1 min") : "";
  return n ? `(${n}${shown ? ` · ${shown}` : ""}) ${t("Inbox")}` : t("Inbox");
});

/** @type {AudioContext | null} */
let audio = null;

/** Two short tones, rising for something new for me, falling for a breach. @param {"new" | "breach"} kind */
export function beep(kind) {
  audio ??= new AudioContext();
  const start = audio.currentTime;
  (kind === "new" ? [660, 880] : [520, 390]).forEach((hertz, index) => {
    const tone = /** @type {AudioContext} */ (audio).createOscillator();
    const volume = /** @type {AudioContext} */ (audio).createGain();
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0.0001, start + index * 0.14);
    volume.gain.exponentialRampToValueAtTime(0.16, start + index * 0.14 + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, start + index * 0.14 + 0.13);
    tone.connect(volume).connect(/** @type {AudioContext} */ (audio).destination);
    tone.start(start + index * 0.14);
    tone.stop(start + index * 0.14 + 0.14);
  });
}

/** One per conversation, replaced and not stacked; only where it was allowed before. @param {number} id @param {string} words */
function notify(id, words) {
  if (!("Notification" in window) || Notification.permission !== "granted" || !document.hidden) return;
  const row = rowOf(id);
  const shown = new Notification(words, { body: row ? row.contact_name : "", tag: `conversation-${id}` });
  shown.onclick = () => {
    window.focus();
    void openConversation(id);
    shown.close();
  };
}

/** Ask, from a click, with the reason in the menu. */
export async function allowNotifications() {
  if ("Notification" in window && Notification.permission === "default") await Notification.requestPermission();
}

/** Only one tab makes sound. @param {() => void} play */
function once(play) {
  if (sound.peek() !== "on") return;
  if (!navigator.locks) play();
  else {
    void navigator.locks.request("desk-sound", { ifAvailable: true }, async (lock) => {
      if (!lock) return;
      play();
      await new Promise((done) => setTimeout(done, 700));
    });
  }
}

export function startAlerts() {
  effect(() => {
    document.title = title.value;
  });
  onAlarm((alarm) => {
    // The rules of the desk have chosen who hears this; a warning makes no sound.
    if (alarm.kind === "warned") {
      notify(alarm.conversation_id, t("Somebody waits for an answer"));
      return;
    }
    if (alarm.kind === "missed") {
      passed.add(alarm.conversation_id);
      announce();
    }
    once(() => beep("breach"));
    notify(alarm.conversation_id, t("Somebody has waited too long"));
  });
  onOffer((offer) => {
    once(() => beep("new"));
    notify(offer.conversation_id, t("%(name)s hands a conversation to you", { name: offer.from_name }));
  });
}

/** The polite line and what is said for a moment. */
export function Alerts() {
  return html`<div>
    <p class="for-readers" role="status" aria-live="polite" id="alarm">${said}</p>
    <div class="toasts" role="status" aria-live="polite">
      ${toasts.value.map((one) => html`<div class="toast" key=${one.id}><span>${one.words}</span>
        ${one.action && html`<button type="button" onClick=${() => { dropToast(one.id); one.action?.run(); }}>${one.action.label}</button>`}
        <button type="button" aria-label=${t("Close the message")} onClick=${() => dropToast(one.id)}><${Icon} name="close" /></button></div>`)}
    </div></div>`;
}
