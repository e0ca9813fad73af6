// One table of shortcuts: it feeds the keyboard, the help dialog, the palette and the hints. Pure apart from `listen`.
import { t } from "./words.js";

/**
 * `keys`: alternatives, each a key or a sequence "g i". `mod` is Ctrl or ⌘. `typing`: also while writing.
 * `needs`: only with an open conversation.
 * @typedef {{ action: string, keys: string[], label: () => string, needs?: "conversation", typing?: boolean, hidden?: boolean }} Shortcut
 */

/** @type {Shortcut[]} */
export const SHORTCUTS = [
  { action: "next", keys: ["j", "ArrowDown"], label: () => t("Next conversation") },
  { action: "previous", keys: ["k", "ArrowUp"], label: () => t("Previous conversation") },
  { action: "open", keys: ["Enter"], label: () => t("Open") },
  { action: "back", keys: ["u"], label: () => t("Back to the queue") },
  { action: "previous-view", keys: ["["], label: () => t("Previous view") },
  { action: "next-view", keys: ["]"], label: () => t("Next view") },
  { action: "go-inbox", keys: ["g i"], label: () => t("Go to the inbox") },
  { action: "go-mine", keys: ["g m"], label: () => t("Go to my conversations") },
  { action: "go-wallboard", keys: ["g w"], label: () => t("Go to the wallboard") },
  { action: "search", keys: ["/"], label: () => t("Search") },
  { action: "palette", keys: ["mod+k"], label: () => t("Command palette"), typing: true },
  { action: "help", keys: ["?"], label: () => t("This list") },
  { action: "pause", keys: ["shift+ "], label: () => t("Pause live updates") },
  { action: "new-mail", keys: ["c"], label: () => t("New conversation by mail") },
  { action: "take-next", keys: ["q"], label: () => t("Take the longest waiting") },
  { action: "take", keys: ["i"], label: () => t("Assign to me"), needs: "conversation" },
  { action: "assign", keys: ["a"], label: () => t("Assign to…"), needs: "conversation" },
  { action: "handoff", keys: ["h"], label: () => t("Hand off with a brief"), needs: "conversation" },
  { action: "reply", keys: ["r"], label: () => t("Reply to all"), needs: "conversation" },
  { action: "reply-one", keys: ["shift+r"], label: () => t("Reply to the sender only"), needs: "conversation" },
  { action: "note", keys: ["n"], label: () => t("Internal note"), needs: "conversation" },
  { action: "forward", keys: ["f"], label: () => t("Forward the newest mail"), needs: "conversation" },
  { action: "send", keys: ["mod+Enter"], label: () => t("Send"), needs: "conversation", typing: true },
  { action: "send-done", keys: ["mod+shift+Enter"], label: () => t("Send and done"), needs: "conversation", typing: true },
  { action: "done", keys: ["e"], label: () => t("Done"), needs: "conversation" },
  { action: "snooze", keys: ["b"], label: () => t("Snooze"), needs: "conversation" },
  { action: "undo", keys: ["z"], label: () => t("Undo") },
  { action: "label", keys: ["l"], label: () => t("Label"), needs: "conversation" },
  { action: "priority", keys: ["p"], label: () => t("Priority"), needs: "conversation" },
  { action: "spam", keys: ["!"], label: () => t("Spam"), needs: "conversation" },
  { action: "card", keys: ["."], label: () => t("Customer card"), needs: "conversation" },
];

/**
 * The name of a key press: by `key`, and by `code` for letters on layouts that have none of our letters.
 * @param {{ key: string, code?: string, ctrlKey?: boolean, metaKey?: boolean, shiftKey?: boolean }} event
 */
export function pressed(event) {
  let key = event.key;
  if (key.length === 1 && !/[\x20-\x7e]/.test(key)) {
    const letter = /^Key([A-Z])$/.exec(event.code || "");
    if (letter) key = letter[1].toLowerCase();
  }
  const mod = event.ctrlKey || event.metaKey ? "mod+" : "";
  const letterOrNamed = key.length > 1 || key === " " || /[a-z]/i.test(key);
  const shift = event.shiftKey && letterOrNamed ? "shift+" : "";
  return mod + shift + (key.length === 1 ? key.toLowerCase() : key);
}

/**
 * Follows presses, keeping the first key of a sequence for a second.
 * @param {Shortcut[]} table
 */
export function matcher(table) {
  /** @type {Map<string, Shortcut>} */
  const byKeys = new Map(table.flatMap((shortcut) => shortcut.keys.map((keys) => [keys, shortcut])));
  const starts = new Set([...byKeys.keys()].filter((keys) => keys.includes(" ") && keys !== "shift+ ").map((keys) => keys.split(" ")[0]));
  let pending = "", until = 0;
  /** @param {string} name @param {number} nowMs @returns {Shortcut | "wait" | null} */
  return (name, nowMs) => {
    const sequence = pending && nowMs < until ? byKeys.get(`${pending} ${name}`) : undefined;
    pending = "";
    if (sequence) return sequence;
    if (starts.has(name)) {
      pending = name;
      until = nowMs + 1000;
      return "wait";
    }
    return byKeys.get(name) ?? null;
  };
}

/** The parts of a key name as shown on caps, for example ["Ctrl", "Enter"]. @param {string} keys */
export function caps(keys) {
  const shown = (/** @type {string} */ part) => {
    if (part === "mod") return apple() ? "⌘" : "Ctrl";
    if (part === "shift") return t("Shift");
    if (part === "") return t("Space");
    if (part === "ArrowDown") return "↓";
    if (part === "ArrowUp") return "↑";
    return part;
  };
  if (keys === "shift+ ") return [shown("shift"), shown("")];
  if (/^shift\+[a-z]$/.test(keys)) return [keys.slice(6).toUpperCase()];
  return keys.split(/[ +]/).map(shown);
}

/** What to append to a button's tooltip. @param {string} action */
export function hint(action) {
  const found = SHORTCUTS.find((shortcut) => shortcut.action === action);
  return found ? caps(found.keys[0]).join(" ") : "";
}

/** The value of `aria-keyshortcuts`. @param {string} action */
export function ariaKeys(action) {
  const found = SHORTCUTS.find((shortcut) => shortcut.action === action);
  return found ? found.keys[0].replace("mod", "Control").replace("shift", "Shift") : undefined;
}

function apple() {
  return typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform || "");
}

/** @param {EventTarget | null} target */
export function isTyping(target) {
  return target instanceof HTMLElement
    && (target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=button])"));
}

/**
 * @param {(shortcut: Shortcut, event: KeyboardEvent) => boolean} perform true when it did something
 * @param {() => boolean} singleKeys false when the operator switched single keys off
 */
export function listen(perform, singleKeys) {
  const match = matcher(SHORTCUTS);
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.altKey) return;
    const found = match(pressed(event), event.timeStamp);
    if (found === null || found === "wait") return;
    const single = !found.keys[0].startsWith("mod");
    if (document.querySelector("dialog[open]")) return;
    if (isTyping(event.target) && !found.typing) return;
    if (single && !singleKeys() && !found.keys.some((keys) => keys.length > 1 && !keys.includes(" "))) return;
    // Enter and the arrows belong to the control that has the focus.
    if (["Enter", "ArrowDown", "ArrowUp"].includes(event.key) && !event.ctrlKey && !event.metaKey
      && event.target instanceof Element && event.target.closest("button, a, summary, [role=tab], [role=menuitem], [tabindex='-1'], .timeline, .card-pane")) return;
    if (perform(found, event)) event.preventDefault();
  });
}
