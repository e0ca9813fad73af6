// Writing: reply and note, each with its own tab, draft and look, so that they cannot be mixed up; and what leaves later.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/ui.js";
import { cancelPlanned, leaving, putOff, reload, send, sendPlanned, takeBack } from "./actions.js";
import { upload, words } from "./api.js";
import { Icon, Menu } from "./controls.js";
import { isEmpty, NO_POINTS } from "./drafts.js";
import { PointsShown } from "./entry.js";
import { ariaKeys, caps, hint } from "./keys.js";
import { writing } from "./live.js";
import { Recipients } from "./recipients.js";
import { dialog, drafts, focusComposer, lastSeen, line, second, sendAsked, serverNow, tab, toast, withDraft } from "./state.js";
import { channelName, fileSize, page, shortTime, t, tn } from "./words.js";

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
    <${UndoBar} />
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
      ${mail && html`<${Recipients} standard=${standard} chosen=${draft.recipients ?? standard} names=${namesOf(open)} subject=${open.addressing?.subject} addressing=${open.addressing}
        change=${(/** @type {any} */ recipients) => change({ recipients })} />`}
      ${mail && draft.answers && html`<p class="note-hint"><${Icon} name="email" />${t("Answers one earlier mail, not the newest.")}
        <button type="button" class="link-button" onClick=${() => { change({ answers: null, recipients: null }); reload(); }}>${t("Answer the newest instead")}</button></p>`}
      ${kind === "note" && html`<p class="note-hint"><${Icon} name="lock" />${t("Only your team sees this.")}</p>`}
      ${mail && draft.block && html`<${Points} block=${draft.block} change=${(/** @type {any} */ block) => change({ block })} />`}
      <${WriteBox} key=${kind} open=${open} kind=${kind} draft=${draft} change=${change} channel=${by ?? (unreachable ? "email" : null)} mail=${mail} />
    </div>
  </section>`;
}

/** Eight seconds in which a mail has not left yet. */
function UndoBar() {
  const entry = leaving();
  const [busy, setBusy] = useState(false);
  if (!entry) return null;
  const left = Math.max(1, Math.ceil((Date.parse(entry.data.leaves_at) - Math.max(serverNow(), second.value)) / 1000));
  const undo = async () => {
    setBusy(true);
    await takeBack(entry);
    setBusy(false);
  };
  return html`<div class="bar plain undo-bar"><${Icon} name="clock" /><span class="bar-text"><span class="for-readers" role="status">${t("The mail leaves in a few seconds.")}</span><span aria-hidden="true">${tn("Leaves in %(n)s second", "Leaves in %(n)s seconds", left)}</span></span>
    <span class="push"><button type="button" class="button button-small" aria-keyshortcuts=${ariaKeys("undo")} disabled=${busy} onClick=${() => void undo()}>${t("Undo")} <kbd aria-hidden="true">${hint("undo")}</kbd></button></span></div>`;
}

/** What stands out in the mail. @param {{ block: import("./drafts.js").Block, change: (block: import("./drafts.js").Block | null) => void }} props */
export function Points({ block, change }) {
  const area = (/** @type {"understood" | "done" | "needed"} */ name, /** @type {string} */ label) => html`<div class="field"><label for=${`points-${name}`}>${label}</label>
    <textarea id=${`points-${name}`} rows="2" dir="auto" value=${block[name]} onInput=${(/** @type {any} */ event) => change({ ...block, [name]: event.target.value })}></textarea></div>`;
  return html`<fieldset class="points"><legend>${t("Summary and request")}</legend>
    ${area("understood", t("What we understood"))}${area("done", t("What we did"))}${area("needed", t("What we need from you"))}
    <div class="points-more">
      <label>${t("By the day")} <input type="date" value=${block.by} onInput=${(/** @type {any} */ event) => change({ ...block, by: event.target.value })} /></label>
      <label class="check"><input type="checkbox" checked=${!block.on_top} onChange=${(/** @type {any} */ event) => change({ ...block, on_top: !event.target.checked })} /><span>${t("Below the words")}</span></label>
      <button type="button" class="link-button push" onClick=${() => change(null)}>${t("Take it out")}</button>
    </div></fieldset>`;
}

/** Answers that wait for their time. @param {{ open: Conversation }} props */
export function PlannedReplies({ open }) {
  return open.planned.map((one) => html`<article class="entry mine planned" key=${`planned-${one.id}`} aria-label=${t("Planned answer by %(name)s", { name: one.operator_name })}>
    <div class="entry-head"><${Icon} name="clock" /><b>${one.operator_id === page.operator.id ? t("You") : one.operator_name}</b>
      <span>${one.state === "held" ? t("held back") : t("leaves %(time)s", { time: shortTime(one.send_at, serverNow()) })}</span></div>
    <div class="bubble">
      ${one.to.length > 0 && html`<div class="mail-head"><span>${[t("To %(names)s", { names: one.to.join(", ") }), one.cc.length ? t("Cc %(names)s", { names: one.cc.join(", ") }) : ""].filter(Boolean).join(" · ")}</span></div>`}
      ${one.block && html`<${PointsShown} block=${one.block} />`}
      <div class="bubble-text" dir="auto">${one.text}</div>
      ${one.files > 0 && html`<div class="mail-head"><span>${tn("%(n)s file", "%(n)s files", one.files)}</span></div>`}
    </div>
    <div class="delivery"><span>${plannedWords(one)}</span>
      <button type="button" class="button button-small" onClick=${() => void sendPlanned(one.id)}>${t("Send now")}</button>
      <button type="button" class="button button-small" onClick=${() => { dialog.value = { name: "later", title: t("Send at another time"), run: (/** @type {string} */ at) => void putOff(one.id, at) }; }}>${t("Other time…")}</button>
      <button type="button" class="button button-small" onClick=${() => void cancelPlanned(one)}>${one.operator_id === page.operator.id ? t("Edit") : t("Cancel")}</button></div>
  </article>`);
}

/** @param {import("./state.js").PlannedReply} one */
function plannedWords(one) {
  switch (one.held_because) {
    case "news": return t("Not sent: somebody has written since. Read it, then decide.");
    case "closed": return t("Not sent: the conversation was closed meanwhile.");
    case "merged": return t("Not sent: the conversation was merged meanwhile.");
    case "address_fails": return t("Not sent: the last mail to one of these addresses came back.");
    case null: return one.news ? t("Somebody has written since: it will be held back.") : t("The wait runs on until it leaves.");
    default: return t("Not sent: it can no longer go out as planned.");
  }
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
 * @param {{ open: Conversation, kind: "reply" | "note", draft: Draft, change: (part: Partial<Draft>) => void, channel: string | null, mail: boolean }} props
 */
function WriteBox({ open, kind, draft, change, channel, mail }) {
  const box = /** @type {{ current: HTMLTextAreaElement | null }} */ (useRef(null));
  const picker = /** @type {{ current: HTMLInputElement | null }} */ (useRef(null));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  /** How it was about to be sent, where only an address that fails stands in the way. */
  const [anyway, setAnyway] = useState(/** @type {import("./actions.js").HowToSend | null} */ (null));
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
  const go = async (/** @type {"pending" | "open" | "closed"} */ then = "pending", /** @type {import("./actions.js").HowToSend} */ how = {}) => {
    const current = drafts.get(open.id, kind);
    if (busy || loads.length) return;
    if (!current.text.trim() && !current.attachments.length) {
      setProblem(t("Write something before you send."));
      box.current?.focus();
      return;
    }
    setBusy(true);
    setProblem("");
    setAnyway(null);
    const result = await send(kind, { then, channel, ...how });
    setBusy(false);
    if (result === "sent") {
      change({});
      box.current?.focus();
    } else if (typeof result === "object") {
      setProblem(result.problem);
      setAnyway(result.failing ? { then, ...how, toFailing: true } : null);
    }
  };
  const later = () => {
    dialog.value = { name: "later", title: t("Send later"), run: (/** @type {string} */ at) => void go("pending", { at }) };
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
    setAnyway(null);
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
        ${mail && !draft.block && !draft.summary && html`<button type="button" class="icon-button" aria-label=${t("Add a summary and request")} title=${t("Add a summary and request")} onClick=${() => change({ block: NO_POINTS })}><${Icon} name="list" /></button>`}
        <span class="push">
          ${line.value.state === "lost" && html`<span class="hint">${t("Not live just now")}</span>`}
          <span class="key-hint" aria-hidden="true">${caps("mod+Enter").map((cap) => html`<kbd>${cap}</kbd>`)}</span>
          ${kind === "reply" && html`<${Menu} class="button" place="up" label=${t("Other ways to send")} items=${() => [
            { label: t("Send & close"), icon: "check", keys: caps("mod+shift+Enter").join(" "), run: () => void go("closed") },
            { label: t("Send and keep open"), icon: "inbox", run: () => void go("open") },
            ...(draft.summary ? [] : [{ label: t("Send later…"), icon: "clock", run: later }]),
          ]}><${Icon} name="down" /></${Menu}>`}
          <button type="button" class="button button-primary" aria-keyshortcuts=${ariaKeys("send")} aria-disabled=${busy || loads.length ? "true" : undefined} onClick=${() => void go()}>${busy ? t("Sending…") : words}</button>
        </span>
      </div>
    </div>
    ${problem && html`<div class="problem" role="alert"><span>${problem} ${draft.text.trim() ? t("Your text is kept.") : ""}</span>
      ${anyway && html`<button type="button" class="button button-small" onClick=${() => void go(anyway.then, anyway)}>${t("Send all the same")}</button>`}</div>`}`;
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
