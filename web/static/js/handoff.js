// Handing on with a brief, and answering an offer.
import { html, useEffect, useState } from "../vendor/ui.js";
import { answerOffer, attempt, href } from "./actions.js";
import { get, post } from "./api.js";
import { Countdown, Wait } from "./clock.js";
import { Actions, Dialog, Icon } from "./controls.js";
import { conversation, dialog, offers, operators, toast } from "./state.js";
import { page, t, tn } from "./words.js";

/** @typedef {import("./state.js").Brief} Brief */

/** @param {string} presence */
export function presenceWords(presence) {
  switch (presence) {
    case "online": return t("here");
    case "finishing": return t("finishing, takes nothing new");
    case "away": return t("away");
    default: return t("offline");
  }
}

/** The offers made to me, whatever is open. */
export function OfferBar() {
  const mine = offers.value.filter((offer) => offer.to_operator_id === page.operator.id && offer.conversation_id !== conversation.value?.id);
  if (!mine.length) return null;
  return html`<div class="bars offers">${mine.map((offer) => html`<${Offered} key=${offer.id} offer=${offer} />`)}</div>`;
}

/** Offers of the open conversation: to me to answer, from me to take back. @param {{ open: import("./state.js").Conversation }} props */
export function OfferBars({ open }) {
  const all = new Map([...open.offers, ...offers.value.filter((offer) => offer.conversation_id === open.id)].map((offer) => [offer.id, offer]));
  return html`<div class="bars-in">${[...all.values()].map((offer) => (offer.to_operator_id === page.operator.id
    ? html`<${Offered} key=${offer.id} offer=${offer} here />`
    : html`<${Pending} key=${offer.id} offer=${offer} />`))}</div>`;
}

/** @param {{ offer: import("./state.js").Offer, here?: boolean }} props */
function Offered({ offer, here = false }) {
  return html`<div class="bar" role="status"><${Icon} name="right" />
    <div class="bar-text"><span>${t("%(name)s hands a conversation to you", { name: offer.from_name })}${offer.expires_at && html` · <${Countdown} until=${offer.expires_at} />`}</span>
      <p>${offer.brief.next || offer.brief.wants || offer.brief.done}</p></div>
    <span class="push">
      ${!here && html`<a class="button button-small" href=${href(offer.conversation_id, "waiting")}>${t("Look")}</a>`}
      <button type="button" class="button button-small" onClick=${() => void answerOffer(offer, "decline")}>${t("Decline")}</button>
      <button type="button" class="button button-small button-primary" onClick=${() => void answerOffer(offer, "accept")}>${t("Accept")}</button>
    </span></div>`;
}

/** @param {{ offer: import("./state.js").Offer }} props */
function Pending({ offer }) {
  return html`<div class="bar plain" role="status"><${Icon} name="right" />
    <span class="bar-text">${t("Offered to %(name)s", { name: offer.to_name })}${offer.expires_at && html` · <${Countdown} until=${offer.expires_at} />`}</span>
    ${offer.from_operator_id === page.operator.id && html`<span class="push"><button type="button" class="button button-small" onClick=${() => void answerOffer(offer, "cancel")}>${t("Take back")}</button></span>`}</div>`;
}

const EMPTY = { wants: "", done: "", next: "", promised: "" };

export function HandoffDialog() {
  const open = conversation.value;
  const [to, setTo] = useState("");
  const [brief, setBrief] = useState(/** @type {Brief} */ (EMPTY));
  const [drafted, setDrafted] = useState(/** @type {"drafting" | "done" | "failed"} */ ("drafting"));
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const id = open?.id;
  useEffect(() => {
    get(`/conversations/${id}/brief`).then((answer) => {
      setBrief((held) => (Object.values(held).some(Boolean) ? held : { ...EMPTY, ...answer }));
      setDrafted("done");
    }, () => setDrafted("failed"));
    if (!operators.peek().length) {
      get("/operators").then((people) => {
        operators.value = Array.isArray(people) ? people : people.operators;
      }, () => undefined);
    }
  }, []);
  const close = () => {
    dialog.value = null;
  };
  if (!open) return null;
  const colleagues = operators.value.filter((one) => one.id !== page.operator.id);
  const submit = async () => {
    if (!Object.values(brief).some((line) => line.trim())) {
      setProblem(t("Write a line for the next person: what the customer wants and what was done."));
      return;
    }
    setBusy(true);
    const name = colleagues.find((one) => String(one.id) === to)?.name;
    const done = await attempt(() => post(`/conversations/${id}/handoff`, { to: to ? Number(to) : null, brief }));
    setBusy(false);
    if (!done) return;
    close();
    toast(name ? t("Offered to %(name)s.", { name }) : t("Put into the queue, with your brief."));
  };
  const field = (/** @type {keyof Brief} */ name, /** @type {string} */ label) => html`<div class="field"><label for=${`brief-${name}`}>${label}</label>
    <textarea id=${`brief-${name}`} rows="1" value=${brief[name]} onInput=${(/** @type {any} */ event) => { setProblem(""); setBrief({ ...brief, [name]: event.target.value }); }}></textarea></div>`;
  return html`<${Dialog} title=${t("Hand off this conversation")} close=${close} submit=${submit}>
    <div class="field"><label for="handoff-to">${t("To")}</label>
      <select id="handoff-to" value=${to} onChange=${(/** @type {any} */ event) => setTo(event.target.value)}>
        <option value="">${t("The queue: whoever is free")}</option>
        ${colleagues.map((one) => html`<option value=${one.id} disabled=${one.presence === "offline"}>${one.name} · ${presenceWords(one.presence)}${one.open ? `, ${tn("%(n)s open", "%(n)s open", one.open)}` : ""}</option>`)}
      </select></div>
    <fieldset class="brief-fields"><legend class="label">${t("Brief")}</legend>
      <p class="hint" role="status">${drafted === "drafting" ? t("Drafting from the timeline…") : drafted === "failed" ? t("The next person sees this first.") : t("The next person sees this first. Drafted from the timeline: correct it.")}</p>
      ${field("wants", t("Customer"))}${field("done", t("Done"))}${field("next", t("Next"))}${field("promised", t("Promised"))}
      ${problem && html`<p class="error" role="alert">${problem}</p>`}
    </fieldset>
    ${open.row?.waiting_since && html`<p class="hint">${t("The customer sees nothing, and the waiting clock runs on:")} <${Wait} row=${open.row} /></p>`}
    <${Actions} close=${close} label=${t("Hand off")} busy=${busy} />
  </${Dialog}>`;
}
