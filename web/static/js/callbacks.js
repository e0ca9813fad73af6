// Calling back: take it, dial, say what came of it, and write down what was agreed.
import { html, useState } from "../vendor/ui.js";
import { attempt, openConversation, readAddressing, reload } from "./actions.js";
import { newKey, post, words } from "./api.js";
import { Countdown } from "./clock.js";
import { Actions, Dialog, Icon } from "./controls.js";
import { conversation, dialog, drafts, focusComposer, lastSeen, second, tab, toast, withDraft } from "./state.js";
import { page, shortTime, t, tn } from "./words.js";

/** @typedef {import("./state.js").Callback} Callback */
/** @typedef {import("./state.js").Conversation} Conversation */

/** @type {[string, () => string][]} */
const OUTCOMES = [
  ["reached", () => t("Reached")],
  ["no_answer", () => t("No answer")],
  ["busy", () => t("Busy")],
  ["voicemail_left", () => t("Left a message")],
  ["wrong_number", () => t("Wrong number")],
];

/** @param {Callback} callback */
function stateOf(callback) {
  const who = callback.owner_name;
  const at = shortTime(callback.due_at, second.peek());
  switch (callback.state) {
    case "due": return t("Wants to be called");
    case "scheduled": return t("Call back agreed for %(time)s", { time: shortTime(callback.slot_from ?? callback.due_at, second.peek()) });
    case "claimed": return callback.owner_id === page.operator.id ? t("You are calling back") : t("%(name)s is calling back", { name: who });
    case "dialling": return callback.owner_id === page.operator.id ? t("You are on the phone: what came of it?") : t("%(name)s is on the phone", { name: who });
    case "retry_wait": return t("Not reached; next try %(time)s", { time: at });
    case "exhausted": return t("Not reached in all tries");
    case "needs_number": return t("Wants to be called, but no number is known");
    case "wrap_up": return t("The call has ended: write the summary");
    default: return "";
  }
}

/** @param {{ open: Conversation, callback: Callback }} props */
export function CallbackBar({ open, callback }) {
  const words = stateOf(callback);
  if (!words) return null;
  const mine = callback.owner_id === page.operator.id;
  const command = (/** @type {string} */ verb, /** @type {unknown} */ body = {}) => async () => {
    if (await attempt(() => post(`/callbacks/${callback.id}/${verb}`, body))) reload();
  };
  const show = (/** @type {string} */ name) => () => {
    dialog.value = { name, callback };
  };
  const free = ["due", "scheduled", "retry_wait", "exhausted"].includes(callback.state);
  return html`<div class="bar plain callback-bar"><${Icon} name="callback" />
    <div class="bar-text"><span>${words}${callback.state === "claimed" && callback.claimed_until && html` · <${Countdown} until=${callback.claimed_until} />`}</span>
      <p>${[callback.number ?? "", callback.missed_calls > 1 ? tn("%(n)s missed call", "%(n)s missed calls", callback.missed_calls) : "",
        callback.attempts ? tn("%(n)s try", "%(n)s tries", callback.attempts) : ""].filter(Boolean).join(" · ")}</p></div>
    <span class="push">
      ${free && html`<button type="button" class="button button-small button-primary" onClick=${command("take")}>${t("Take the call back")}</button>`}
      ${free && html`<button type="button" class="button button-small" onClick=${show("slot")}>${t("Agree a time")}</button>`}
      ${mine && callback.state === "claimed" && html`<${Dial} callback=${callback} />`}
      ${mine && callback.state === "claimed" && html`<button type="button" class="button button-small" onClick=${command("release")}>${t("Give back")}</button>`}
      ${mine && callback.state === "dialling" && OUTCOMES.map(([outcome, label]) => html`<button type="button" key=${outcome}
        class=${`button button-small${outcome === "reached" ? " button-primary" : ""}`} onClick=${command("outcome", { outcome, note: "" })}>${label()}</button>`)}
      ${callback.state === "needs_number" && html`<button type="button" class="button button-small" onClick=${show("callback")}>${t("Type the number")}</button>`}
      ${callback.state === "wrap_up" && (mine || callback.owner_id === null) && html`<button type="button" class="button button-small button-primary" onClick=${show("wrap-up")}>${t("Write the summary")}</button>`}
      ${callback.state === "wrap_up" && html`<button type="button" class="button button-small" onClick=${show("waive")}>${t("No summary")}</button>`}
      ${callback.state === "exhausted" && html`<button type="button" class="button button-small" onClick=${command("unreached")}>${t("End: not reached")}</button>`}
      ${free && html`<button type="button" class="button button-small button-plain" onClick=${command("cancel", {})}>${t("Cancel the call")}</button>`}
    </span>
    <span class="for-readers">${open.row?.contact_name}</span>
  </div>`;
}

/** A telephone link, so that any telephone on the desk can take it; the click is noted first. @param {{ callback: Callback }} props */
function Dial({ callback }) {
  const dial = async () => {
    if (await attempt(() => post(`/callbacks/${callback.id}/dial`))) reload();
  };
  return html`<a class="button button-small button-primary" href=${`tel:${callback.number ?? ""}`} onClick=${() => void dial()}><${Icon} name="phone" />${t("Dial %(number)s", { number: callback.number ?? "" })}</a>`;
}

const shut = () => {
  dialog.value = null;
};

/** What was asked and agreed becomes a mail in the customer's thread, shown in the composer, sent by a click. Without a callback: after a meeting. @param {{ callback?: Callback }} props */
export function WrapUpDialog({ callback }) {
  const [form, setForm] = useState({ asked: "", agreed: "", next_steps: "", on: localInput(new Date()).slice(0, 10) });
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const open = conversation.value;
  const submit = async () => {
    if (!open) return;
    setBusy(true);
    const steps = form.next_steps.split("\n").map((what) => what.trim()).filter(Boolean).map((what) => ({ what }));
    const body = { asked: form.asked, agreed: form.agreed, next_steps: steps };
    try {
      if (!callback) {
        const { draft: made } = await post(`/conversations/${open.id}/summary/draft`, { ...body, on: form.on });
        shut();
        if (made.conversation_id !== open.id) await openConversation(made.conversation_id);
        const held = drafts.get(made.conversation_id, "reply");
        drafts.set(made.conversation_id, "reply", { ...held, text: held.text.trim() ? `${made.text}\n\n${held.text}` : made.text, seen: made.seen });
        withDraft.value = drafts.conversations();
        tab.value = "reply";
        focusComposer.value++;
        toast(t("The mail is drafted: read it, then send it."));
        return;
      }
      const { draft: made, addressing } = await post(`/callbacks/${callback.id}/summary/draft`, body);
      const draft = drafts.get(open.id, "reply");
      drafts.set(open.id, "reply", {
        ...draft, text: draft.text.trim() && !draft.summary ? `${made.text}\n\n${draft.text}` : made.text, seen: lastSeen(open), summary: { callback: callback.id, form: body, subject: made.subject, seen: made.seen },
        recipients: addressing ? null : { to: [...made.to], cc: [] },
      });
      withDraft.value = drafts.conversations();
      if (addressing) conversation.value = { ...open, addressing: readAddressing(addressing) };
      shut();
      tab.value = "reply";
      focusComposer.value++;
      toast(t("The mail is drafted: read it, then send it."));
    } catch (error) {
      setProblem(words(error));
    }
    setBusy(false);
  };
  const field = (/** @type {"asked" | "agreed" | "next_steps"} */ name, /** @type {string} */ label, /** @type {string} */ hint) => html`<div class="field"><label for=${`wrap-${name}`}>${label}</label>
    <textarea id=${`wrap-${name}`} rows="2" placeholder=${hint} value=${form[name]} onInput=${(/** @type {any} */ event) => setForm({ ...form, [name]: event.target.value })}></textarea></div>`;
  return html`<${Dialog} title=${callback ? t("After the call") : t("After a meeting")} close=${shut} submit=${submit}>
    <p class="hint">${t("From this a mail is drafted into the customer's thread. Nothing is sent before you have read it.")}</p>
    ${!callback && html`<div class="field"><label for="wrap-on">${t("Day of the meeting")}</label><input id="wrap-on" type="date" value=${form.on} onInput=${(/** @type {any} */ event) => setForm({ ...form, on: event.target.value })} /></div>`}
    ${field("asked", t("What was asked"), t("In the customer's words"))}
    ${field("agreed", t("What was agreed"), "")}
    ${field("next_steps", t("Next steps"), t("Who does what by when, one on each line"))}
    ${problem && html`<p class="error" role="alert">${problem}</p>`}
    <${Actions} close=${shut} label=${t("Draft the mail")} busy=${busy} />
  </${Dialog}>`;
}

/** @param {{ callback: Callback }} props */
export function WaiveDialog({ callback }) {
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState("");
  const submit = async () => {
    if (!reason.trim()) {
      setProblem(t("Say why, in a few words."));
      return;
    }
    if (await attempt(() => post(`/callbacks/${callback.id}/waive`, { reason }))) {
      shut();
      reload();
    }
  };
  return html`<${Dialog} title=${t("No summary mail")} close=${shut} submit=${submit}>
    <div class="field"><label for="waive">${t("Why is none needed?")}</label><input id="waive" value=${reason} aria-invalid=${problem ? "true" : undefined} onInput=${(/** @type {any} */ event) => setReason(event.target.value)} />
      ${problem && html`<p class="error" role="alert">${problem}</p>`}</div>
    <${Actions} close=${shut} label=${t("End without a mail")} />
  </${Dialog}>`;
}

/** Owe a call: a new one, or the number of one that has none. @param {{ callback?: Callback }} props */
export function CallbackDialog({ callback }) {
  const open = conversation.value;
  const known = callback?.number ?? open?.card?.addresses.find((one) => one.kind === "phone")?.written ?? "";
  const [number, setNumber] = useState(known);
  const [problem, setProblem] = useState("");
  const submit = async () => {
    if (!/\d{3}/.test(number)) {
      setProblem(t("Write the number with its country code, such as +358 40 123 4567."));
      return;
    }
    try {
      if (callback?.state === "needs_number") await post(`/callbacks/${callback.id}/number`, { number: number.trim() });
      else await post("/callbacks", { conversation_id: open?.id, number: number.trim() });
      shut();
      reload();
    } catch (error) {
      setProblem(words(error));
    }
  };
  return html`<${Dialog} title=${t("Call the customer back")} close=${shut} submit=${submit}>
    <div class="field"><label for="number">${t("Telephone number")}</label>
      <input id="number" type="tel" autocomplete="off" value=${number} aria-invalid=${problem ? "true" : undefined} onInput=${(/** @type {any} */ event) => { setNumber(event.target.value); setProblem(""); }} />
      ${problem && html`<p class="error" role="alert">${problem}</p>`}</div>
    <${Actions} close=${shut} label=${t("Owe a call")} />
  </${Dialog}>`;
}

/** What `datetime-local` fields speak: this computer's time. @param {Date} date */
export const localInput = (date) => new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);

/** @param {{ callback: Callback }} props */
export function SlotDialog({ callback }) {
  const start = new Date(Math.ceil((Date.now() + 600_000) / 1_800_000) * 1_800_000);
  const [from, setFrom] = useState(localInput(start));
  const [to, setTo] = useState(localInput(new Date(start.getTime() + 1_800_000)));
  const [problem, setProblem] = useState("");
  const submit = async () => {
    try {
      await post(`/callbacks/${callback.id}/schedule`, { from: new Date(from).toISOString(), to: new Date(to).toISOString() });
      shut();
      reload();
    } catch (error) {
      setProblem(words(error));
    }
  };
  return html`<${Dialog} title=${t("Agree a time for the call")} close=${shut} submit=${submit}>
    <p class="hint">${t("Until then the clock stands, because the customer agreed.")}</p>
    <div class="side-by-side">
      <div class="field"><label for="slot-from">${t("From (time)")}</label><input id="slot-from" type="datetime-local" value=${from} onInput=${(/** @type {any} */ event) => setFrom(event.target.value)} /></div>
      <div class="field"><label for="slot-to">${t("To (time)")}</label><input id="slot-to" type="datetime-local" value=${to} onInput=${(/** @type {any} */ event) => setTo(event.target.value)} /></div>
    </div>
    ${problem && html`<p class="error" role="alert">${problem}</p>`}
    <${Actions} close=${shut} label=${t("Agree")} />
  </${Dialog}>`;
}

/** A call that took place outside the desk's knowledge. */
export function LogCallDialog() {
  const [form, setForm] = useState({ number: "", name: "", direction: "inbound", outcome: "answered", started_at: localInput(new Date()), note: "" });
  const [key] = useState(newKey);
  const [problem, setProblem] = useState({ field: "", words: "" });
  const set = (/** @type {keyof typeof form} */ name) => (/** @type {any} */ event) => setForm({ ...form, [name]: event.target.value });
  const submit = async () => {
    try {
      await post("/calls", { ...form, key, started_at: new Date(form.started_at).toISOString() });
      shut();
      toast(t("The call is logged."));
    } catch (error) {
      setProblem({ field: /** @type {any} */ (error).extra?.field ?? "", words: words(error) });
    }
  };
  return html`<${Dialog} title=${t("Log a call")} close=${shut} submit=${submit}>
    <div class="side-by-side">
      <div class="field"><label for="call-number">${t("Telephone number")}</label><input id="call-number" type="tel" autocomplete="off" value=${form.number} aria-invalid=${problem.field === "number" ? "true" : undefined} onInput=${set("number")} /></div>
      <div class="field"><label for="call-name">${t("Name")}</label><input id="call-name" autocomplete="off" value=${form.name} onInput=${set("name")} /></div>
      <div class="field"><label for="call-direction">${t("Direction")}</label><select id="call-direction" value=${form.direction} onChange=${set("direction")}>
        <option value="inbound">${t("They called us")}</option><option value="outbound">${t("We called them")}</option></select></div>
      <div class="field"><label for="call-outcome">${t("Outcome")}</label><select id="call-outcome" value=${form.outcome} onChange=${set("outcome")}>
        <option value="answered">${t("Answered")}</option><option value="no_answer">${t("No answer")}</option><option value="busy">${t("Busy")}</option><option value="voicemail">${t("Message left")}</option></select></div>
    </div>
    <div class="field"><label for="call-at">${t("When")}</label><input id="call-at" type="datetime-local" value=${form.started_at} onInput=${set("started_at")} /></div>
    <div class="field"><label for="call-note">${t("What was said")}</label><textarea id="call-note" rows="3" value=${form.note} onInput=${set("note")}></textarea></div>
    ${problem.words && html`<p class="error" role="alert">${problem.words}</p>`}
    <${Actions} close=${shut} label=${t("Log the call")} />
  </${Dialog}>`;
}
