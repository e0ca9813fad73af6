// The inbox: takes over the frame the server rendered and keeps it live.
import { effect, html, render } from "../vendor/ui.js";
import {
  addressed, close, closeConversation, followAddress, href, leaving, move, openConversation, setPresence, showView, spam, stepView, take, takeBack, takeNext, toggleCard, write,
} from "./actions.js";
import { Alerts, allowNotifications, beep, startAlerts } from "./alerts.js";
import { post } from "./api.js";
import { CardPane } from "./card.js";
import { startClock } from "./clock.js";
import { Icon, Menu } from "./controls.js";
import { Dialogs } from "./dialogs.js";
import { presenceWords } from "./handoff.js";
import { listen } from "./keys.js";
import { connect, loadQueue } from "./live.js";
import { setPerformer } from "./palette.js";
import { QueuePane, stepBack } from "./queue.js";
import {
  cardOpen, conversation, counts, cursor, density, dialog, drafts, found, pane, pause, paused, presence, remember, searching, sendAsked, singleKeys, sound, tab, theme, undo, view,
} from "./state.js";
import { ConversationPane } from "./timeline.js";
import { initials, page, t } from "./words.js";

const supervises = page.operator.role !== "operator";

function App() {
  const open = conversation.value;
  return html`<div class="desk-box">
    <a class="skip" href="#queue-list">${t("Skip to the queue")}</a>
    <div class="desk" data-pane=${open && pane.value === "conversation" ? "conversation" : "queue"} data-card=${open ? cardOpen.value : "closed"}>
      <${Rail} />
      <main class="panes" aria-label=${t("Inbox")}><h1 class="for-readers">${t("Inbox")}</h1><${QueuePane} /><${ConversationPane} /></main>
      ${open && html`<${CardPane} />`}
    </div>
    <${Dialogs} /><${Alerts} />
  </div>`;
}

function Rail() {
  const place = view.value === "callbacks" ? "callbacks" : "inbox";
  const go = (/** @type {string} */ to) => (/** @type {MouseEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (conversation.value && innerWidth < 860) closeConversation(false);
    void showView(to);
  };
  return html`<nav class="rail" aria-label=${t("Desk")}>
    <a href=${href(null, "waiting")} aria-label=${t("Inbox")} title=${t("Inbox")} aria-current=${place === "inbox" ? "page" : undefined} onClick=${go("waiting")}><${Icon} name="inbox" /></a>
    ${supervises && html`<a href="/wallboard" aria-label=${t("Wallboard")} title=${t("Wallboard")}><${Icon} name="chart" /></a>`}
    ${supervises
      ? html`<a class="wide-only" href="/reports" aria-label=${t("Reports")} title=${t("Reports")}><${Icon} name="trend" /></a>
        <a class="wide-only" href="/staffing" aria-label=${t("Staffing")} title=${t("Staffing")}><${Icon} name="users" /></a>`
      : html`<a class="wide-only" href="/reports/mine" aria-label=${t("My figures")} title=${t("My figures")}><${Icon} name="trend" /></a>`}
    <a href=${href(null, "callbacks")} aria-label=${counts.value.callbacks ? t("Call-backs, %(n)s open", { n: counts.value.callbacks }) : t("Call-backs")} title=${t("Call-backs")} aria-current=${place === "callbacks" ? "page" : undefined} onClick=${go("callbacks")}><${Icon} name="callback" />
      ${counts.value.callbacks > 0 && html`<span class="rail-count">${counts.value.callbacks}</span>`}</a>
    <a href="/tray" aria-label=${t("Tray")} title=${t("Tray: what could not be placed or sent")}><${Icon} name="tray" /></a>
    ${supervises ? html`<a href="/settings" aria-label=${t("Settings")} title=${t("Settings")}><${Icon} name="gear" /></a>`
      : html`<button type="button" class="rail-button" aria-label=${t("Keyboard shortcuts")} title=${t("Keyboard shortcuts")} onClick=${() => { dialog.value = { name: "help" }; }}><${Icon} name="help" /></button>`}
    <span class="push account"><${Menu} class="rail-button" place="from-rail" label=${t("%(name)s, %(state)s: your menu", { name: page.operator.name, state: presenceWords(presence.value) })} tip=${page.operator.name} items=${accountItems}>
      <span class="avatar" aria-hidden="true" data-initials=${initials(page.operator.name)}></span><span class=${`presence-dot ${presence.value}`}></span></${Menu}></span>
  </nav>`;
}

/** @returns {import("./controls.js").MenuItem[]} */
function accountItems() {
  const here = (/** @type {string} */ value, /** @type {string} */ label) => ({ label, checked: presence.value === value, run: () => {
    void setPresence(value);
    if (value === "online") void allowNotifications();
  } });
  const look = (/** @type {string} */ value, /** @type {string} */ label) => ({ label, checked: theme.value === value, run: () => {
    theme.value = value;
    remember("theme", value);
    void post("/preferences", { preferences: { theme: value } }).catch(() => undefined);
  } });
  return [
    { title: t("You are") },
    here("online", t("Here, taking new conversations")), here("finishing", t("Finishing: nothing new")), here("away", t("Away")),
    "line",
    { title: t("Colours") },
    look("system", t("As the computer")), look("light", t("Light")), look("dark", t("Dark")),
    "line",
    { label: density.value === "compact" ? t("Roomy rows") : t("Compact rows"), icon: "list", run: () => {
      density.value = density.value === "compact" ? "comfortable" : "compact";
      remember("density", density.value);
    } },
    { label: sound.value === "on" ? t("Sounds off") : t("Sounds on"), icon: "sound", run: () => {
      sound.value = sound.value === "on" ? "off" : "on";
      remember("sound", sound.value);
      if (sound.value === "on") beep("new");
    } },
    { label: singleKeys.value === "on" ? t("Single-key shortcuts off") : t("Single-key shortcuts on"), icon: "keyboard", run: () => {
      singleKeys.value = singleKeys.value === "on" ? "off" : "on";
      remember("keys", singleKeys.value);
    } },
    { label: t("Keyboard shortcuts"), icon: "help", keys: "?", run: () => { dialog.value = { name: "help" }; } },
    { label: t("Account"), icon: "user", href: "/account" },
    { label: t("Sign out"), icon: "signout", run: signOut },
  ];
}

/** By a form of its own, because leaving is a post like any other. */
function signOut() {
  drafts.flush();
  const form = document.createElement("form");
  form.method = "post";
  form.action = "/sign-out";
  const field = document.createElement("input");
  field.type = "hidden";
  field.name = "csrf";
  field.value = page.csrf;
  form.append(field);
  document.body.append(form);
  form.submit();
}

// --- keys ---

/** @param {string} action @returns {boolean} whether there was something to do */
function perform(action) {
  const open = conversation.peek();
  const show = (/** @type {string} */ name) => {
    dialog.value = { name };
  };
  switch (action) {
    case "next": move(1); return true;
    case "previous": move(-1); return true;
    case "open": if (cursor.peek() !== null) void openConversation(/** @type {number} */ (cursor.peek())); return cursor.peek() !== null;
    case "back": if (open) closeConversation(); return !!open;
    case "previous-view": stepView(-1); return true;
    case "next-view": stepView(1); return true;
    case "go-inbox": void showView("waiting"); return true;
    case "go-mine": void showView("mine"); return true;
    case "go-wallboard": if (supervises) location.assign("/wallboard"); return supervises;
    case "search": pane.value = "queue"; found.value = null; searching.value = ""; return true;
    case "palette": show("palette"); return true;
    case "help": show("help"); return true;
    case "pause": pause(!paused.peek()); return true;
    case "take-next": void takeNext(); return true;
    case "card": toggleCard(); return true;
    case "undo": return undoMail() || undo();
    case "new-mail": show("new-mail"); return true;
    default: return !!open && performHere(action, show);
  }
}

/** @param {string} action @param {(name: string) => void} show */
function performHere(action, show) {
  switch (action) {
    case "take": void take(); return true;
    case "reply": write("reply"); return true;
    case "reply-one": replyToOne(); return true;
    case "note": write("note"); return true;
    case "forward": return forwardNewest(show);
    case "send": case "send-done": sendAsked.value = { n: sendAsked.peek().n + 1, then: action === "send" ? "pending" : "closed" }; return true;
    case "done": void close(); return true;
    case "spam": void spam(); return true;
    case "assign": case "handoff": case "snooze": case "label": case "priority": show(action); return true;
    default: return false;
  }
}

function undoMail() {
  const mail = leaving();
  if (mail) void takeBack(mail);
  return mail !== null;
}

/** @param {(name: string) => void} show */
function forwardNewest(show) {
  const newest = conversation.peek()?.entries.findLast((entry) => ["message", "reply"].includes(entry.kind) && entry.channel === "email" && !entry.sending);
  if (newest) dialog.value = { name: "new-mail", forwards: newest };
  else show("new-mail");
  return true;
}

/** The sender alone: everybody else is taken out, visibly. */
function replyToOne() {
  const open = conversation.peek();
  if (!open) return;
  const standard = open.addressing;
  if (standard) {
    const draft = drafts.get(open.id, "reply");
    drafts.set(open.id, "reply", { ...draft, recipients: { to: standard.to.slice(0, 1), cc: [] } });
    tab.value = "note";
  }
  write("reply");
}

// --- start ---

function start() {
  const root = /** @type {HTMLElement} */ (document.getElementById("app"));
  effect(() => {
    const html = document.documentElement;
    if (theme.value === "system") delete html.dataset.theme;
    else html.dataset.theme = theme.value;
    html.dataset.density = density.value;
  });
  root.replaceChildren();
  render(html`<${App} />`, root);
  startClock();
  startAlerts();
  setPerformer((action) => void perform(action));
  listen((shortcut) => perform(shortcut.action), () => singleKeys.peek() === "on");
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open], .menu")) stepBack();
  });
  addEventListener("popstate", followAddress);
  addEventListener("pagehide", () => drafts.flush());
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) drafts.flush();
  });
  connect();
  if (view.peek() !== "waiting" || !page.queue) void loadQueue();
  const id = addressed() ?? (typeof page.conversation === "number" ? page.conversation : null);
  if (id !== null) void openConversation(id, { address: false, focus: false });
  document.documentElement.dataset.ready = "yes";
}

start();
