// The customer card: who this is, what else is open, how they can be reached.
import { computed, html, useMemo } from "../vendor/ui.js";
import { href, openConversation, toggleCard } from "./actions.js";
import { channelIcon, Icon } from "./controls.js";
import { conversation, dialog, second, serverNow, view } from "./state.js";
import { channelName, clockTime, fullTime, initials, languageName, shortTime, t, timeIn } from "./words.js";

/** @typedef {import("./state.js").Conversation} Conversation */

export function CardPane() {
  const open = conversation.value;
  const card = open?.card;
  return html`<aside class="card-pane" aria-label=${t("Customer")}>
    ${!card ? html`<div class="card-top"><p>${open?.state === "loading" ? t("Loading…") : t("No customer to show.")}</p><${Shut} /></div>` : html`
      <div class="card-top">
        <span class="face" aria-hidden="true">${initials(card.name || "?")}</span>
        <div><h2>${card.name || t("Unknown customer")}</h2><p>${card.organisation || t("Customer since %(year)s", { year: new Date(card.since).getFullYear() })}</p></div>
        <${Shut} />
      </div>
      <${Facts} open=${open} card=${card} />
      <${Elsewhere} card=${card} />
      ${card.note && html`<section class="card-part"><h3>${t("About this customer")}</h3><p>${card.note}</p></section>`}
      <${Labels} tags=${open.row?.tags ?? []} />
      <${Automatic} open=${open} />
      <${Also} open=${open} />`}
  </aside>`;
}

function Shut() {
  return html`<button type="button" class="icon-button push only-over" aria-label=${t("Close the customer card")} title=${t("Close the customer card")} onClick=${toggleCard}><${Icon} name="close" /></button>`;
}

/** @param {{ open: Conversation, card: import("./state.js").Card }} props */
function Facts({ open, card }) {
  const source = open.source ?? {};
  const zone = card.zone;
  const local = useMemo(() => (zone ? computed(() => timeIn(zone, Math.floor(second.value / 60_000) * 60_000)) : null), [zone]);
  const mails = card.addresses.filter((one) => one.kind === "email");
  const phones = card.addresses.filter((one) => one.kind === "phone");
  return html`<dl class="facts">
    ${mails.map((one, index) => html`<dt key=${one.written}>${index ? "" : t("E-mail")}</dt><dd><a href=${`mailto:${one.written}`}>${one.written}</a>${one.failing && html` <span>${t("(fails)")}</span>`}</dd>`)}
    ${phones.map((one, index) => html`<dt key=${one.written}>${index ? "" : t("Phone")}</dt><dd><a href=${`tel:${one.written.replace(/[^+\d]/g, "")}`}>${one.written}</a></dd>`)}
    ${local?.value && html`<dt>${t("Local time")}</dt><dd>${local}, ${String(zone).split("/").pop()?.replaceAll("_", " ")}</dd>`}
    ${(card.language || open.language) && html`<dt>${t("Language")}</dt><dd>${languageName(card.language || open.language)}</dd>`}
    ${open.visitor && html`<dt>${t("Chat")}</dt><dd>${open.visitor.online ? t("on the page now") : t("has left the page")}</dd>`}
    ${source.page && html`<dt>${t("On page")}</dt><dd>${shortPage(String(source.page))}</dd>`}
    ${source.support_address && html`<dt>${t("Wrote to")}</dt><dd>${source.support_address}</dd>`}
    ${source.line && html`<dt>${t("Called")}</dt><dd>${source.line}</dd>`}
    ${card.tier && html`<dt>${t("Tier")}</dt><dd>${card.tier}</dd>`}
    ${open.answer_by && html`<dt>${t("Wants")}</dt><dd>${open.answer_by === "email" ? t("an answer by e-mail") : open.answer_by === "phone" ? t("a call back") : t("an answer in the chat")}</dd>`}
    ${card.organisation && html`<dt>${t("Since")}</dt><dd>${new Date(card.since).getFullYear()}</dd>`}
  </dl>`;
}

/** @param {string} address */
function shortPage(address) {
  try {
    const url = new URL(address);
    return url.pathname + url.search || "/";
  } catch {
    return address;
  }
}

/** @param {{ card: import("./state.js").Card }} props */
function Elsewhere({ card }) {
  const open = card.others.filter((one) => one.status !== "closed");
  const past = card.others.filter((one) => one.status === "closed");
  const line = (/** @type {typeof open[number]} */ one) => html`<li key=${one.id}>
    <a href=${href(one.id, view.value)} onClick=${(/** @type {MouseEvent} */ event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      void openConversation(one.id);
    }}><${Mark} channel=${one.channel} />${one.subject || t("(no subject)")}</a>
    <span class="quiet"> ${[shortTime(one.active_at, serverNow()), one.owner_name].filter(Boolean).join(", ")}</span></li>`;
  return html`<section class="card-part"><h3>${t("Open elsewhere")}</h3>
      ${open.length ? html`<ul>${open.map(line)}</ul>` : html`<p class="quiet">${t("Nothing else is open.")}</p>`}</section>
    ${past.length > 0 && html`<section class="card-part"><h3>${t("Earlier")}</h3><ul>${past.map(line)}</ul></section>`}`;
}

/** @param {{ channel: string }} props */
function Mark({ channel }) {
  return html`<span class="for-readers">${channelName(channel)}: </span>`;
}

/** @param {{ tags: string[] }} props */
function Labels({ tags }) {
  return html`<section class="card-part"><h3>${t("Labels")}</h3>
    ${tags.length ? html`<ul class="tags">${tags.map((tag) => html`<li class="tag" key=${tag}>${tag}</li>`)}</ul>` : html`<p class="quiet">${t("No labels yet.")}</p>`}
    <button type="button" class="link-button" onClick=${() => { dialog.value = { name: "label" }; }}><${Icon} name="tag" />${t("Change labels")}</button></section>`;
}

/** @param {{ open: Conversation }} props */
function Automatic({ open }) {
  const shown = open.automatic.filter((one, index, all) => all.findIndex((other) => other.sent === one.sent && other.reason === one.reason) === index).slice(0, 3);
  if (!shown.length) return null;
  return html`<section class="card-part"><h3>${t("Automatic replies")}</h3><ul>${shown.map((one) => html`<li key=${one.at}>
    ${one.sent ? t("Sent") : t("Not sent")} <span class="quiet"><time datetime=${one.at} title=${fullTime(one.at)}>${clockTime(one.at)}</time> · ${one.reason}</span></li>`)}</ul></section>`;
}

/** Who else is part of it. @param {{ open: Conversation }} props */
function Also({ open }) {
  const others = open.participants.filter((one) => one.contact_id !== open.card?.contact_id && one.kind !== "visitor");
  if (!others.length) return null;
  return html`<section class="card-part"><h3>${t("Also in this conversation")}</h3><ul>${others.map((one) => html`<li key=${one.written}>
    <${Icon} name=${channelIcon(one.kind === "email" ? "email" : "phone")} /> ${one.name || one.written}
    ${one.name && html`<span class="quiet"> ${one.written}</span>`}${one.stranger && html`<span class="quiet"> · ${t("joined later, gets nothing by itself")}</span>`}</li>`)}</ul></section>`;
}
