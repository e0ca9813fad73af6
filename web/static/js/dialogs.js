// The smaller dialogs: snooze, assign, labels, priority, merge, and the news that stopped a send.
import { html, useState } from "../vendor/ui.js";
import { assign, merge, send, setPriority, setTags, snooze, split, take, write } from "./actions.js";
import { CallbackDialog, localInput, LogCallDialog, SlotDialog, WaiveDialog, WrapUpDialog } from "./callbacks.js";
import { Actions, Dialog } from "./controls.js";
import { EntryView } from "./entry.js";
import { HandoffDialog, presenceWords } from "./handoff.js";
import { HelpDialog, Palette } from "./palette.js";
import { NewMailDialog } from "./recipients.js";
import { conversation, dialog, drafts, lastSeen, operators, serverNow, toast, withDraft } from "./state.js";
import { page, shortTime, t, tn } from "./words.js";

const shut = () => {
  dialog.value = null;
};

/** The one dialog that is open. */
export function Dialogs() {
  const open = dialog.value;
  if (!open) return null;
  switch (open.name) {
    case "help": return html`<${HelpDialog} />`;
    case "palette": return html`<${Palette} />`;
    case "handoff": return html`<${HandoffDialog} />`;
    case "snooze": return html`<${SnoozeDialog} />`;
    case "assign": return html`<${AssignDialog} />`;
    case "label": return html`<${LabelDialog} />`;
    case "priority": return html`<${PriorityDialog} />`;
    case "merge": return html`<${MergeDialog} named=${open.into} />`;
    case "split": return html`<${SplitDialog} from=${open.from} />`;
    case "moved": return html`<${MovedDialog} since=${open.since} kind=${open.kind} then=${open.then} channel=${open.channel} at=${open.at ?? null} />`;
    case "later": return html`<${LaterDialog} title=${open.title} run=${open.run} />`;
    case "new-mail": return html`<${NewMailDialog} forwards=${open.forwards} />`;
    case "call": return html`<${LogCallDialog} />`;
    case "callback": return html`<${CallbackDialog} callback=${open.callback} />`;
    case "wrap-up": return html`<${WrapUpDialog} callback=${open.callback} />`;
    case "waive": return html`<${WaiveDialog} callback=${open.callback} />`;
    case "slot": return html`<${SlotDialog} callback=${open.callback} />`;
    default: return null;
  }
}

/** Times people mean when they put something off. @param {Date} now @returns {{ label: string, at: Date }[]} */
export function snoozeTimes(now) {
  const at = (/** @type {number} */ days, /** @type {number} */ hour) => {
    const date = new Date(now);
    date.setDate(date.getDate() + days);
    date.setHours(hour, 0, 0, 0);
    return date;
  };
  const monday = (8 - now.getDay()) % 7 || 7;
  return [
    { label: t("In one hour"), at: new Date(now.getTime() + 3_600_000) },
    { label: t("In three hours"), at: new Date(now.getTime() + 3 * 3_600_000) },
    ...(now.getHours() < 15 ? [{ label: t("This afternoon"), at: at(0, 16) }] : []),
    { label: t("Tomorrow morning"), at: at(1, 9) },
    ...(monday > 1 ? [{ label: t("Monday morning"), at: at(monday, 9) }] : []),
    { label: t("In a week"), at: at(7, 9) },
  ];
}

function SnoozeDialog() {
  const [agreed, setAgreed] = useState(false);
  const [own, setOwn] = useState(localInput(new Date(serverNow() + 2 * 3_600_000)));
  const go = async (/** @type {Date} */ until) => {
    shut();
    await snooze(until.toISOString(), agreed);
  };
  return html`<${Dialog} title=${t("Snooze until…")} close=${shut} submit=${() => void go(new Date(own))}>
    <div class="choices">${snoozeTimes(new Date(serverNow())).map((one) => html`<button type="button" class="choice" key=${one.label} onClick=${() => void go(one.at)}>
      <span>${one.label}</span><span class="quiet">${shortTime(one.at.toISOString(), serverNow())}</span></button>`)}</div>
    <div class="field"><label for="snooze-own">${t("At a time of your own")}</label><input id="snooze-own" type="datetime-local" value=${own} onInput=${(/** @type {any} */ event) => setOwn(event.target.value)} /></div>
    <label class="check"><input type="checkbox" checked=${agreed} onChange=${(/** @type {any} */ event) => setAgreed(event.target.checked)} />
      <span>${t("The customer agreed to wait: the clock stands until then.")}</span></label>
    <${Actions} close=${shut} label=${t("Snooze")} />
  </${Dialog}>`;
}

/** When a mail is to leave. @param {{ title: string, run: (at: string) => void }} props */
function LaterDialog({ title, run }) {
  const [own, setOwn] = useState("");
  const [problem, setProblem] = useState("");
  const go = (/** @type {string} */ at) => {
    shut();
    run(at);
  };
  const submit = () => (own ? go(own) : setProblem(t("Choose a time.")));
  return html`<${Dialog} title=${title} close=${shut} submit=${submit}>
    <p class="hint">${t("It ends no wait until it has left. When the customer writes before, it is held back and you are told.")}</p>
    <div class="choices">${snoozeTimes(new Date(serverNow())).map((one) => html`<button type="button" class="choice" key=${one.label} onClick=${() => go(one.at.toISOString())}>
      <span>${one.label}</span><span class="quiet">${shortTime(one.at.toISOString(), serverNow())}</span></button>`)}</div>
    <div class="field"><label for="later-own">${t("At a time of your own, in the desk’s time zone")}</label><input id="later-own" type="datetime-local" value=${own} aria-invalid=${problem ? "true" : undefined} onInput=${(/** @type {any} */ event) => { setOwn(event.target.value); setProblem(""); }} />
      ${problem && html`<p class="error" role="alert">${problem}</p>`}</div>
    <${Actions} close=${shut} label=${t("Send then")} />
  </${Dialog}>`;
}

function AssignDialog() {
  const owner = conversation.value?.row?.owner_id ?? null;
  const go = (/** @type {number | null} */ to) => async () => {
    shut();
    if (to === page.operator.id && owner === null) await take();
    else await assign(to);
  };
  return html`<${Dialog} title=${t("Assign to…")} close=${shut}>
    <div class="choices">
      ${operators.value.map((one) => html`<button type="button" class="choice" key=${one.id} aria-current=${one.id === owner ? "true" : undefined} onClick=${go(one.id)}>
        <span>${one.id === page.operator.id ? t("%(name)s (you)", { name: one.name }) : one.name}</span>
        <span class="quiet">${presenceWords(one.presence)}${one.open ? `, ${tn("%(n)s open", "%(n)s open", one.open)}` : ""}</span></button>`)}
      <button type="button" class="choice" aria-current=${owner === null ? "true" : undefined} onClick=${go(null)}><span>${t("Nobody: back into the queue")}</span></button>
    </div>
    <div class="actions"><button type="button" class="button" onClick=${shut}>${t("Cancel")}</button></div>
  </${Dialog}>`;
}

function LabelDialog() {
  const [text, setText] = useState((conversation.value?.row?.tags ?? []).join(", "));
  const submit = async () => {
    if (await setTags(text.split(",").map((tag) => tag.trim()).filter(Boolean))) shut();
  };
  return html`<${Dialog} title=${t("Labels")} close=${shut} submit=${submit}>
    <div class="field"><label for="labels">${t("Labels, with commas between")}</label><input id="labels" value=${text} autocomplete="off" onInput=${(/** @type {any} */ event) => setText(event.target.value)} /></div>
    <${Actions} close=${shut} label=${t("Set labels")} />
  </${Dialog}>`;
}

function PriorityDialog() {
  const now = conversation.value?.row?.priority ?? 0;
  const go = (/** @type {number} */ priority) => async () => {
    shut();
    await setPriority(priority);
  };
  return html`<${Dialog} title=${t("Priority")} close=${shut}>
    <div class="choices">${[t("Normal"), t("High"), t("Urgent")].map((label, priority) => html`<button type="button" class="choice" key=${label} aria-pressed=${now === priority} onClick=${go(priority)}><span>${label}</span></button>`)}</div>
    <div class="actions"><button type="button" class="button" onClick=${shut}>${t("Cancel")}</button></div>
  </${Dialog}>`;
}

/** `named`: the other conversation, when a mail named it. @param {{ named?: number }} props */
function MergeDialog({ named }) {
  const open = conversation.value;
  const [number, setNumber] = useState(named ? String(named) : "");
  const [problem, setProblem] = useState("");
  const others = named ? [] : (open?.card?.others ?? []).filter((one) => one.id !== open?.id);
  const go = async (/** @type {number} */ into) => {
    if (await merge(into)) shut();
  };
  const submit = () => {
    const id = Number(/(\d+)\D*$/.exec(number)?.[1] ?? 0);
    if (id) void go(id);
    else setProblem(t("Write the number of the conversation, or its address."));
  };
  return html`<${Dialog} title=${t("Merge with another conversation")} close=${shut} submit=${submit}>
    <p class="hint">${t("This one goes on in the other: later answers to either arrive there, and the older wait runs on.")}</p>
    ${named && html`<p class="hint">${t("The author of this mail will then take part in the other conversation. Do they belong to it?")}</p>`}
    ${others.length > 0 && html`<div class="choices">${others.map((one) => html`<button type="button" class="choice" key=${one.id} onClick=${() => void go(one.id)}>
      <span>${one.subject || t("(no subject)")}</span><span class="quiet">${shortTime(one.active_at, serverNow())}</span></button>`)}</div>`}
    <div class="field"><label for="merge-into">${t("Another conversation, by number or address")}</label><input id="merge-into" value=${number} autocomplete="off" aria-invalid=${problem ? "true" : undefined} onInput=${(/** @type {any} */ event) => { setNumber(event.target.value); setProblem(""); }} />
      ${problem && html`<p class="error" role="alert">${problem}</p>`}</div>
    <${Actions} close=${shut} label=${t("Merge")} />
  </${Dialog}>`;
}

/** Which mails and notes become a conversation of their own; the one chosen and all later mails to begin with. @param {{ from: number }} props */
function SplitDialog({ from }) {
  const open = conversation.value;
  const movable = (open?.entries ?? []).filter((one) => !one.sending && one.channel !== "chat" && ["message", "reply", "autoreply", "note", "report"].includes(one.kind));
  const start = movable.find((one) => one.id === from)?.number ?? 0;
  const [picked, setPicked] = useState(() => new Set(movable.filter((one) => one.number >= start).map((one) => one.id)));
  const [busy, setBusy] = useState(false);
  const flip = (/** @type {number} */ id) => {
    const next = new Set(picked);
    if (!next.delete(id)) next.add(id);
    setPicked(next);
  };
  const submit = async () => {
    setBusy(true);
    if (await split({ entries: [...picked] })) shut();
    setBusy(false);
  };
  const words = (/** @type {import("./state.js").Entry} */ one) => (one.data.mail?.new_text || one.text || one.data.mail?.subject || "").slice(0, 120);
  return html`<${Dialog} title=${t("Split into two conversations")} class="wide" close=${shut} submit=${() => void submit()}>
    <p class="hint">${t("What you choose becomes a conversation of its own. Later answers to these mails arrive there, and whoever waits keeps their place.")}</p>
    <fieldset class="pick-list"><legend class="for-readers">${t("Mails and notes to split off")}</legend>
      ${movable.map((one) => html`<label class="check" key=${one.id}><input type="checkbox" checked=${picked.has(one.id)} onChange=${() => flip(one.id)} />
        <span><b>${one.author_name || t("The desk")}</b> <span class="quiet">${one.kind === "note" ? `${t("internal note")} · ` : ""}${shortTime(one.created_at, serverNow())}</span><span class="picked-words" dir="auto">${words(one)}</span></span></label>`)}
    </fieldset>
    <${Actions} close=${shut} label=${t("Split off")} busy=${busy} />
  </${Dialog}>`;
}

/**
 * Somebody wrote since you began: their words beside yours, and three ways on.
 * @param {{ since: number, kind: "reply" | "note", then: "pending" | "open" | "closed", channel: string | null, at: string | null }} props
 */
function MovedDialog({ since, kind, then, channel, at }) {
  const open = conversation.value;
  if (!open) return null;
  const news = open.entries.filter((entry) => entry.number > since && !entry.sending && entry.kind !== "status" && entry.operator_id !== page.operator.id);
  const draft = drafts.get(open.id, kind);
  const edit = () => {
    drafts.set(open.id, kind, { ...draft, seen: lastSeen(open) });
    shut();
    write(kind);
  };
  const anyway = async () => {
    shut();
    const result = await send(kind, { then, evenSo: true, channel, at });
    if (typeof result === "object") toast(result.problem);
  };
  const asNote = () => {
    const held = drafts.get(open.id, "note");
    drafts.set(open.id, "note", { ...held, text: held.text ? `${held.text}\n\n${draft.text}` : draft.text, attachments: [...held.attachments, ...draft.attachments], seen: lastSeen(open) });
    drafts.forget(open.id, kind);
    withDraft.value = drafts.conversations();
    shut();
    write("note");
  };
  return html`<${Dialog} title=${t("Not sent: there is news in this conversation")} class="wide" close=${edit}>
    <div class="side-by-side">
      <section><h3>${t("New since you began")}</h3><div class="news" tabindex="0" role="region" aria-label=${t("New since you began")}>${news.map((entry) => html`<${EntryView} key=${entry.id} entry=${entry} />`)}
        ${!news.length && html`<p>${t("Loading…")}</p>`}</div></section>
      <section><h3>${t("Your reply")}</h3><div class="draft-copy" tabindex="0" role="region" aria-label=${t("Your reply")} dir="auto">${draft.text}</div></section>
    </div>
    <div class="actions">
      <button type="button" class="button left" onClick=${asNote}>${t("Make it a note")}</button>
      <button type="button" class="button" onClick=${() => void anyway()}>${t("Send anyway")}</button>
      <button type="button" class="button button-primary" onClick=${edit}>${t("Edit my reply")}</button>
    </div>
  </${Dialog}>`;
}
