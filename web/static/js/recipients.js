// Who gets the mail: visible chips, new ones marked, a word about everybody taken out.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { Icon } from "./controls.js";
import { t } from "./words.js";

/** @typedef {{ to: string[], cc: string[], history_to_new?: boolean }} Chosen */

const same = (/** @type {string} */ a, /** @type {string} */ b) => a.trim().toLowerCase() === b.trim().toLowerCase();

/** What the server would do, less and more than the operator chose. @param {Chosen} standard @param {Chosen} chosen */
export function difference(standard, chosen) {
  const all = (/** @type {Chosen} */ one) => [...one.to, ...one.cc];
  const has = (/** @type {string[]} */ list, /** @type {string} */ address) => list.some((other) => same(other, address));
  return {
    left: all(standard).filter((address) => !has(all(chosen), address)),
    added: all(chosen).filter((address) => !has(all(standard), address)),
  };
}

/**
 * Who has not seen the mail that is answered: quoting it to them is asked about first.
 * @param {import("./state.js").Addressing | null | undefined} addressing @param {Chosen} standard @param {Chosen} chosen
 */
export function unawareOf(addressing, standard, chosen) {
  if (!addressing?.answered || (addressing.quotes === false && !addressing.newcomers?.length)) return [];
  const fresh = difference(standard, chosen).added;
  return [...chosen.to, ...chosen.cc].filter((one) => fresh.some((other) => same(one, other)) || (addressing.newcomers ?? []).some((other) => same(one, other)));
}

/** @param {string} text */
export const looksLikeMail = (text) => /^[^\s@<>(),;]+@[^\s@<>(),;]+$/.test(text.trim());

/**
 * @param {{ standard: Chosen, chosen: Chosen, names: Map<string, string>, change: (next: Chosen) => void, subject?: string, addressing?: import("./state.js").Addressing | null }} props
 */
export function Recipients({ standard, chosen, names, change, subject, addressing }) {
  const [adding, setAdding] = useState(/** @type {"to" | "cc" | null} */ (null));
  const { left, added } = difference(standard, chosen);
  const unaware = unawareOf(addressing, standard, chosen);
  const row = (/** @type {"to" | "cc"} */ kind, /** @type {string} */ label) => html`
    <span class="who">${label}</span>
    ${chosen[kind].map((address) => html`<${Chip} key=${kind + address} address=${address} name=${names.get(address.toLowerCase())} fresh=${added.some((one) => same(one, address))}
      remove=${() => change({ ...chosen, [kind]: chosen[kind].filter((one) => one !== address) })} />`)}
    ${adding === kind && html`<${AddBox} done=${(/** @type {string | null} */ address) => {
      setAdding(null);
      if (address && ![...chosen.to, ...chosen.cc].some((one) => same(one, address))) change({ ...chosen, [kind]: [...chosen[kind], address] });
    }} />`}`;
  return html`<div class="recipients" role="group" aria-label=${t("Recipients")}>
    <div>
      ${row("to", t("To"))}
      ${(chosen.cc.length > 0 || adding === "cc") && row("cc", t("Cc"))}
      ${adding === null && html`<button type="button" class="add" onClick=${() => setAdding("cc")}>${t("Add")}</button>`}
      ${chosen.to.length === 0 && adding === null && html`<button type="button" class="add" onClick=${() => setAdding("to")}>${t("Add a recipient")}</button>`}
    </div>
    ${left.length > 0 && html`<div class="left-out" role="status">${t("%(names)s will not get this.", { names: left.map((one) => names.get(one.toLowerCase()) || one).join(", ") })}
      <button type="button" class="link-button" onClick=${() => change({ to: standard.to, cc: standard.cc })}>${t("Put back")}</button></div>`}
    ${unaware.length > 0 && html`<div class="history-ask" role="status"><span>${t("%(names)s: new to this mail. What was written before is not sent along.", { names: unaware.map((one) => names.get(one.toLowerCase()) || one).join(", ") })}</span>
      <label><input type="checkbox" checked=${chosen.history_to_new === true} onChange=${(/** @type {any} */ event) => change({ ...chosen, history_to_new: event.target.checked })} />${t("Quote it below all the same")}</label></div>`}
    ${subject && html`<div class="for-readers">${t("Subject: %(subject)s", { subject })}</div>`}
  </div>`;
}

/** @param {{ address: string, name?: string, fresh: boolean, remove: () => void }} props */
function Chip({ address, name, fresh, remove }) {
  return html`<span class=${`recipient${fresh ? " fresh" : ""}`}><span class="name" title=${address}>${name || address}</span>${fresh && html`<span class="for-readers">, ${t("new")}</span>`}
    <button type="button" aria-label=${t("Take out %(name)s", { name: name || address })} title=${t("Take out %(name)s", { name: name || address })} onClick=${remove}><${Icon} name="close" /></button></span>`;
}

/** @param {{ done: (address: string | null) => void }} props */
function AddBox({ done }) {
  const box = /** @type {{ current: HTMLInputElement | null }} */ (useRef(null));
  const [wrong, setWrong] = useState(false);
  useEffect(() => box.current?.focus(), []);
  const finish = () => {
    const text = box.current?.value.trim() ?? "";
    if (!text) done(null);
    else if (looksLikeMail(text)) done(text);
    else setWrong(true);
  };
  return html`<span>
    <input type="email" ref=${box} aria-label=${t("E-mail address to add")} aria-invalid=${wrong ? "true" : undefined} autocomplete="off" onBlur=${finish}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Enter" || event.key === ",") {
          event.preventDefault();
          finish();
        } else if (event.key === "Escape") {
          event.stopPropagation();
          done(null);
        }
      }} />
    ${wrong && html`<span class="error" role="alert">${t("This is no e-mail address.")}</span>`}</span>`;
}
