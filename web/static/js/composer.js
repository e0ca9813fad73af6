// Writing: reply and note, each with its own tab, draft and look, so that they cannot be mixed up.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/ui.js";
import { send } from "./actions.js";
import { upload, words } from "./api.js";
import { Icon, Menu } from "./controls.js";
import { isEmpty } from "./drafts.js";
import { ariaKeys, caps, hint } from "./keys.js";
import { writing } from "./live.js";
import { Recipients } from "./recipients.js";
import { drafts, focusComposer, lastSeen, line, sendAsked, tab, toast, withDraft } from "./state.js";
import { channelName, fileSize, t } from "./words.js";

/** @typedef {import("./state.js").Conversation} Conversation */
/** @typedef {import("./drafts.js").Draft} Draft */

const MAX_FILE_BYTES = 25_000_000;

/** @param {{ open: Conversation }} props */
export function Composer({ open }) {
  const kind = tab.value;
  const [, redraw] = useState(0);
  const [by, setBy] = useState(/** @type {string | null} */ (null));
  const draft = drafts.get(open.id, kind);
  const change = (/** @type {Partial<Draft>} */ part) => {
    drafts.set(open.id, kind, { ...drafts.get(open.id, kind), ...part });
    withDraft.value = drafts.conversations();
    redraw((n) => n + 1);
  };
  const unreachable = answerChannel(open) === "phone";
  const channel = by ?? (unreachable ? "email" : answerChannel(open));
  const mail = kind === "reply" && (channel === "email" || !!draft.summary);
  const standard = open.addressing ?? { to: fallbackTo(open), cc: [] };
  return html`<section class="composer" aria-label=${t("Write")}>
    <div class="composer-tabs">
      <div role="tablist" aria-label=${t("Kind of entry")} onKeyDown=${tabKeys}>
        ${/** @type {const} */ (["reply", "note"]).map((one) => html`<button type="button" role="tab" id=${`tab-${one}`} aria-selected=${kind === one} aria-controls="write-panel" tabindex=${kind === one ? 0 : -1}
          title=${one === "reply" ? `${t("Reply to all")} · ${hint("reply")}` : `${t("Internal note")} · ${hint("note")}`}
          onClick=${() => { tab.value = one; focusComposer.value++; }}>${one === "reply" ? (mail ? t("Reply all") : t("Reply")) : t("Note")}</button>`)}
      </div>
      ${kind === "reply" && channels(open).length > 1 && html`<select aria-label=${t("Answer by")} onChange=${(/** @type {any} */ event) => setBy(event.target.value)}>
        ${channels(open).map((one) => html`<option value=${one} selected=${one === channel}>${channelName(one)}</option>`)}</select>`}
      <span class="push" role="status">${draft.saved_at && !isEmpty(draft) ? t("Draft kept") : ""}</span>
    </div>
    <div id="write-panel" role="tabpanel" aria-labelledby=${`tab-${kind}`} class="write-panel">
      ${kind === "reply" && draft.summary && html`<p class="note-hint"><${Icon} name="phone" />${t("Summary of the call: sending it ends the call back.")}
        <button type="button" class="link-button" onClick=${() => change({ summary: null })}>${t("Make it an ordinary reply")}</button></p>`}
      ${mail && unreachable && !draft.recipients && !draft.summary && html`<p class="note-hint"><${Icon} name="phone" />${t("Only a telephone number is known. Call back, or add an e-mail address to write to.")}</p>`}
      ${mail && html`<${Recipients} standard=${standard} chosen=${draft.recipients ?? standard} names=${namesOf(open)} subject=${open.addressing?.subject}
        change=${(/** @type {any} */ recipients) => change({ recipients })} />`}
      ${kind === "note" && html`<p class="note-hint"><${Icon} name="lock" />${t("Only your team sees this.")}</p>`}
      <${WriteBox} key=${kind} open=${open} kind=${kind} draft=${draft} change=${change} channel=${by ?? (unreachable ? "email" : null)} />
    </div>
  </section>`;
}

/** @param {KeyboardEvent} event */
function tabKeys(event) {
  if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
  event.preventDefault();
  tab.value = tab.value === "reply" ? "note" : "reply";
  requestAnimationFrame(() => document.getElementById(`tab-${tab.value}`)?.focus());
}

/** How the server would answer. @param {Conversation} open */
function answerChannel(open) {
  if (open.addressing) return "email";
  return open.row?.channel === "chat" ? "chat" : open.row?.channel ?? "chat";
}

/** @param {Conversation} open */
function channels(open) {
  const found = new Set([answerChannel(open)]);
  if (open.participants.some((one) => one.kind === "visitor")) found.add("chat");
  if (open.participants.some((one) => one.kind === "email") || open.card?.addresses.some((one) => one.kind === "email")) found.add("email");
  found.delete("phone");
  return [...found];
}

/** @param {Conversation} open */
const fallbackTo = (open) => open.participants.filter((one) => one.kind === "email" && !one.stranger).map((one) => one.written);

/** @param {Conversation} open @returns {Map<string, string>} */
function namesOf(open) {
  return new Map([...open.participants.filter((one) => one.name).map((one) => /** @type {[string, string]} */ ([one.written.toLowerCase(), one.name])), ...Object.entries(open.addressing?.names ?? {})]);
}

/** The asking for the focus that was answered last. */
let answered = 0;

/**
 * @param {{ open: Conversation, kind: "reply" | "note", draft: Draft, change: (part: Partial<Draft>) => void, channel: string | null }} props
 */
function WriteBox({ open, kind, draft, change, channel }) {
  const box = /** @type {{ current: HTMLTextAreaElement | null }} */ (useRef(null));
  const picker = /** @type {{ current: HTMLInputElement | null }} */ (useRef(null));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const [loads, setLoads] = useState(/** @type {{ key: number, name: string, share: number }[]} */ ([]));
  const [dropping, setDropping] = useState(false);
  const asked = focusComposer.value;
  useLayoutEffect(() => {
    const element = box.current;
    if (element && element.value !== draft.text) element.value = draft.text;
  }, [draft.text, draft.key]);
  useLayoutEffect(() => {
    // At once, so that the next letter is already written and not taken for a shortcut; and once for each asking.
    if (asked === answered) return;
    answered = asked;
    box.current?.focus();
  }, [asked]);
  const go = async (/** @type {"pending" | "open" | "closed"} */ then = "pending") => {
    const current = drafts.get(open.id, kind);
    if (busy || loads.length) return;
    if (!current.text.trim() && !current.attachments.length) {
      setProblem(t("Write something before you send."));
      box.current?.focus();
      return;
    }
    setBusy(true);
    setProblem("");
    const result = await send(kind, { then, channel });
    setBusy(false);
    if (result === "sent") {
      change({});
      box.current?.focus();
    } else if (typeof result === "object") setProblem(result.problem);
  };
  const order = sendAsked.value;
  const done = useRef(order.n);
  useEffect(() => {
    if (order.n === done.current) return;
    done.current = order.n;
    void go(order.then);
  }, [order.n]);
  const input = (/** @type {any} */ event) => {
    const before = drafts.get(open.id, kind);
    change({ text: event.target.value, ...(before.text ? {} : { seen: lastSeen(open) }) });
    setProblem("");
    writing(open.id, kind);
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
      event.preventDefault();
      event.stopPropagation();
      void go(event.shiftKey ? "closed" : "pending");
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      document.getElementById("timeline")?.focus({ preventScroll: true });
    }
  };
  const take = async (/** @type {FileList | File[] | null | undefined} */ files) => {
    for (const file of files ?? []) await addFile(file, open.id, kind, change, setLoads, setProblem);
  };
  const words = kind === "note" ? t("Add note") : t("Send");
  return html`<div class=${`write-box${kind === "note" ? " is-note" : ""}${dropping ? " dropping" : ""}`}
      onDragOver=${(/** @type {DragEvent} */ event) => { event.preventDefault(); setDropping(true); }} onDragLeave=${() => setDropping(false)}
      onDrop=${(/** @type {DragEvent} */ event) => { event.preventDefault(); setDropping(false); void take(event.dataTransfer?.files); }}>
      <textarea id="composer" ref=${box} rows="2" dir="auto" spellcheck="true" aria-label=${kind === "note" ? t("Internal note") : t("Reply")}
        placeholder=${kind === "note" ? t("Write a note…") : t("Write your reply…")} onInput=${input} onKeyDown=${key}
        onPaste=${(/** @type {ClipboardEvent} */ event) => { if (event.clipboardData?.files.length) { event.preventDefault(); void take(event.clipboardData.files); } }}></textarea>
      ${(draft.attachments.length > 0 || loads.length > 0) && html`<${Attached} draft=${draft} loads=${loads} change=${change} />`}
      <div class="write-tools">
        <input type="file" multiple hidden ref=${picker} onChange=${(/** @type {any} */ event) => { void take(event.target.files).then(() => { event.target.value = ""; }); }} />
        <button type="button" class="icon-button" aria-label=${t("Attach a file")} title=${t("Attach a file")} onClick=${() => picker.current?.click()}><${Icon} name="clip" /></button>
        <span class="push">
          ${line.value.state === "lost" && html`<span class="hint">${t("Not live just now")}</span>`}
          <span class="key-hint" aria-hidden="true">${caps("mod+Enter").map((cap) => html`<kbd>${cap}</kbd>`)}</span>
          ${kind === "reply" && html`<${Menu} class="button" place="up" label=${t("Other ways to send")} items=${() => [
            { label: t("Send & close"), icon: "check", keys: caps("mod+shift+Enter").join(" "), run: () => void go("closed") },
            { label: t("Send and keep open"), icon: "inbox", run: () => void go("open") },
          ]}><${Icon} name="down" /></${Menu}>`}
          <button type="button" class="button button-primary" aria-keyshortcuts=${ariaKeys("send")} aria-disabled=${busy || loads.length ? "true" : undefined} onClick=${() => void go()}>${busy ? t("Sending…") : words}</button>
        </span>
      </div>
    </div>
    ${problem && html`<div class="problem" role="alert"><span>${problem} ${draft.text.trim() ? t("Your text is kept.") : ""}</span></div>`}`;
}

let loadKey = 0;

/**
 * @param {File} file
 * @param {number} id
 * @param {"reply" | "note"} kind
 * @param {(part: Partial<Draft>) => void} change
 * @param {(next: (held: { key: number, name: string, share: number }[]) => { key: number, name: string, share: number }[]) => void} setLoads
 * @param {(problem: string) => void} setProblem
 */
async function addFile(file, id, kind, change, setLoads, setProblem) {
  if (file.size > MAX_FILE_BYTES) {
    setProblem(t("“%(name)s” is larger than %(size)s.", { name: file.name, size: fileSize(MAX_FILE_BYTES) }));
    return;
  }
  const key = ++loadKey;
  setLoads((held) => [...held, { key, name: file.name, share: 0 }]);
  try {
    const stored = await upload(file, (share) => setLoads((held) => held.map((one) => (one.key === key ? { ...one, share } : one))));
    change({ attachments: [...drafts.get(id, kind).attachments, { id: stored.id, name: stored.name, size_bytes: stored.size_bytes }] });
  } catch (error) {
    toast(t("“%(name)s” could not be attached: %(why)s", { name: file.name, why: words(error) }));
  } finally {
    setLoads((held) => held.filter((one) => one.key !== key));
  }
}

/** @param {{ draft: Draft, loads: { key: number, name: string, share: number }[], change: (part: Partial<Draft>) => void }} props */
function Attached({ draft, loads, change }) {
  return html`<ul class="files" aria-label=${t("Attachments")}>
    ${draft.attachments.map((file) => html`<li class="file" key=${file.id}><${Icon} name="file" /><span class="name">${file.name}</span><span class="size">${fileSize(file.size_bytes)}</span>
      <button type="button" aria-label=${t("Take out %(name)s", { name: file.name })} onClick=${() => change({ attachments: draft.attachments.filter((one) => one.id !== file.id) })}><${Icon} name="close" /></button></li>`)}
    ${loads.map((one) => html`<li class="file" key=${`load-${one.key}`}><${Icon} name="file" /><span class="name">${one.name}</span><progress max="1" value=${one.share} aria-label=${t("Uploading %(name)s", { name: one.name })}></progress></li>`)}
  </ul>`;
}
