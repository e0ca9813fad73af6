// Who gets the mail: visible chips, new ones marked, a word about everybody taken out; and a mail that begins a conversation.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { openConversation, points } from "./actions.js";
import { get, newKey, post, Refusal, upload, words } from "./api.js";
import { Actions, Dialog, Icon } from "./controls.js";
import { dialog, toast } from "./state.js";
import { fileSize, fullTime, t } from "./words.js";

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
  const others = (addressing?.others ?? []).filter((one) => ![...chosen.to, ...chosen.cc].some((other) => same(one, other)));
  const choose = (/** @type {Partial<Chosen>} */ part) => change({ to: chosen.to, cc: chosen.cc, history_to_new: chosen.history_to_new === true, ...part });
  const row = (/** @type {"to" | "cc"} */ kind, /** @type {string} */ label) => html`
    <span class="who">${label}</span>
    ${chosen[kind].map((address) => html`<${Chip} key=${kind + address} address=${address} name=${names.get(address.toLowerCase())} fresh=${[...added, ...unaware].some((one) => same(one, address))}
      failing=${(addressing?.failing ?? []).some((one) => same(one, address))}
      remove=${() => choose({ [kind]: chosen[kind].filter((one) => one !== address) })} />`)}
    ${adding === kind && html`<${AddBox} done=${(/** @type {string | null} */ address) => {
      setAdding(null);
      if (address && ![...chosen.to, ...chosen.cc].some((one) => same(one, address))) choose({ [kind]: [...chosen[kind], address] });
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
    ${others.length > 0 && html`<div class="hint" role="status">${t("The desk was in blind copy: only the author gets this.")}
      <button type="button" class="link-button" onClick=${() => choose({ cc: [...chosen.cc, ...others] })}>${t("Answer the others too")}</button></div>`}
    ${unaware.length > 0 && html`<div class="history-ask" role="status"><span>${t("%(names)s: new to this mail. What was written before is not sent along.", { names: unaware.map((one) => names.get(one.toLowerCase()) || one).join(", ") })}</span>
      <label><input type="checkbox" checked=${chosen.history_to_new === true} onChange=${(/** @type {any} */ event) => choose({ history_to_new: event.target.checked })} />${t("Quote it below all the same")}</label></div>`}
    ${subject && html`<div class="for-readers">${t("Subject: %(subject)s", { subject })}</div>`}
  </div>`;
}

/** @param {{ address: string, name?: string, fresh: boolean, failing?: boolean, remove: () => void }} props */
function Chip({ address, name, fresh, failing, remove }) {
  return html`<span class=${`recipient${fresh ? " fresh" : ""}`}>${failing && html`<${Icon} name="report" label=${t("The last mail to this address came back")} />`}<span class="name" title=${address}>${name || address}</span>${fresh && html`<span class="mark">${t("new")}</span>`}
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

// --- a new conversation ---

/**
 * A mail of the desk's own: a new matter, or an entry passed on to somebody outside.
 * @param {{ forwards?: import("./state.js").Entry }} props
 */
export function NewMailDialog({ forwards }) {
  const [addresses, setAddresses] = useState(/** @type {{ name: string, address: string }[]} */ ([]));
  const [mail, setMail] = useState({ from: "", to: "", cc: "", subject: "", text: "", bulk: false, at: "" });
  const [files, setFiles] = useState(/** @type {{ id: number, name: string, size_bytes: number }[]} */ ([]));
  const [key] = useState(newKey);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState({ field: "", words: "", failing: false });
  const set = (/** @type {keyof typeof mail} */ name) => (/** @type {any} */ event) => {
    setMail({ ...mail, [name]: event.target.type === "checkbox" ? event.target.checked : event.target.value });
    setProblem({ field: "", words: "", failing: false });
  };
  useEffect(() => {
    const prepare = async () => {
      setAddresses((await get("/mail-addresses")).addresses);
      if (!forwards) return;
      const { entry, files: copied } = await post(`/entries/${forwards.id}/forward`);
      setFiles(copied);
      setMail((held) => ({ ...held, subject: `Fwd: ${entry.subject}`, text: `\n\n${quoted(entry)}` }));
    };
    prepare().catch((error) => setProblem({ field: "", words: words(error), failing: false }));
  }, []);
  const shut = () => {
    dialog.value = null;
  };
  const lines = (/** @type {string} */ text) => text.split(/[,;\n]/).map((one) => one.trim()).filter(Boolean);
  const several = lines(mail.to).length + lines(mail.cc).length > 1;
  const go = async (toFailing = false) => {
    const wrong = [...lines(mail.to), ...lines(mail.cc)].find((one) => !looksLikeMail(one.replace(/^[^<]*<([^<>]+)>$/, "$1")));
    if (wrong) {
      setProblem({ field: lines(mail.to).includes(wrong) ? "to" : "cc", words: t("“%(written)s” is no e-mail address.", { written: wrong }), failing: false });
      return;
    }
    setBusy(true);
    try {
      const begun = await post("/conversations", {
        to: lines(mail.to), cc: lines(mail.cc), from: mail.from || null, subject: mail.subject, text: mail.text, key, attachments: files.map((one) => one.id),
        bulk: several && mail.bulk, undo: true, send_at: mail.at || null, to_failing: toFailing, forwards: forwards?.id ?? null, block: points(null),
      });
      shut();
      if (begun.left_out?.length) toast(t("Not sent to %(names)s: they want no such mail.", { names: begun.left_out.join(", ") }));
      await openConversation(begun.conversation_id);
    } catch (error) {
      setProblem({ field: error instanceof Refusal ? error.extra.field ?? "" : "", words: words(error), failing: error instanceof Refusal && error.code === "address_fails" });
    }
    setBusy(false);
  };
  const attach = async (/** @type {any} */ event) => {
    for (const file of event.target.files) {
      await upload(file, () => undefined).then((stored) => setFiles((held) => [...held, stored])).catch((error) => toast(words(error)));
    }
    event.target.value = "";
  };
  const field = (/** @type {"to" | "cc" | "subject"} */ name, /** @type {string} */ label, /** @type {string} */ hint = "") => html`<div class="field"><label for=${`mail-${name}`}>${label}</label>
    <input id=${`mail-${name}`} value=${mail[name]} autocomplete="off" dir="auto" aria-invalid=${problem.field === name ? "true" : undefined} aria-describedby=${hint ? `mail-${name}-hint` : undefined} onInput=${set(name)} />
    ${hint && html`<p class="hint" id=${`mail-${name}-hint`}>${hint}</p>`}</div>`;
  return html`<${Dialog} title=${forwards ? t("Forward to somebody outside") : t("New conversation by mail")} class="wide" close=${shut} submit=${() => void go()}>
    ${forwards && html`<p class="hint">${t("This becomes a conversation of its own: the customer sees neither the mail nor the answers to it.")}</p>`}
    ${addresses.length > 1 && html`<div class="field"><label for="mail-from">${t("From")}</label><select id="mail-from" onChange=${set("from")}>
      ${addresses.map((one) => html`<option value=${one.address} selected=${one.address === mail.from}>${one.name ? `${one.name} <${one.address}>` : one.address}</option>`)}</select></div>`}
    ${field("to", t("To"), t("Several addresses with commas between."))}
    ${field("cc", t("Cc"))}
    ${field("subject", t("Subject"), t("It stays the same for all that follows."))}
    <div class="field"><label for="mail-text">${t("Text")}</label><textarea id="mail-text" rows="8" dir="auto" value=${mail.text} onInput=${set("text")}></textarea></div>
    ${files.length > 0 && html`<ul class="files" aria-label=${t("Attachments")}>${files.map((file) => html`<li class="file" key=${file.id}><${Icon} name="file" /><span class="name">${file.name}</span><span class="size">${fileSize(file.size_bytes)}</span>
      <button type="button" aria-label=${t("Take out %(name)s", { name: file.name })} onClick=${() => setFiles(files.filter((one) => one.id !== file.id))}><${Icon} name="close" /></button></li>`)}</ul>`}
    <div class="field"><label for="mail-files">${t("Attach files")}</label><input id="mail-files" type="file" multiple onChange=${attach} /></div>
    <div class="field"><label for="mail-at">${t("Send at (in the desk’s time zone); empty: at once")}</label><input id="mail-at" type="datetime-local" value=${mail.at} onInput=${set("at")} /></div>
    ${several && html`<label class="check"><input type="checkbox" checked=${mail.bulk} onChange=${set("bulk")} /><span>${t("A mail to many: people can unsubscribe, and who has done so is left out.")}</span></label>`}
    ${problem.words && html`<p class="error" role="alert">${problem.words}</p>`}
    ${problem.failing && html`<div class="actions"><button type="button" class="button button-small" onClick=${() => void go(true)}>${t("Send all the same")}</button></div>`}
    <${Actions} close=${shut} label=${mail.at ? t("Plan it") : t("Send")} busy=${busy} />
  </${Dialog}>`;
}

/** @param {{ author: string, to: string[], subject: string, text: string, created_at: string }} entry */
function quoted(entry) {
  const head = [
    entry.author && t("From: %(who)s", { who: entry.author }), t("Date: %(when)s", { when: fullTime(entry.created_at) }),
    entry.to.length ? t("To: %(who)s", { who: entry.to.join(", ") }) : "", t("Subject: %(subject)s", { subject: entry.subject }),
  ].filter(Boolean);
  return `---------- ${t("Forwarded mail")} ----------\n${head.join("\n")}\n\n${entry.text}`;
}
