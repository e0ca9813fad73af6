// One entry of the timeline, by its kind.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { answerMail, showImages, split, takeApart, trustMail, tryAgain } from "./actions.js";
import { Icon, Menu } from "./controls.js";
import { conversation, dialog, serverNow } from "./state.js";
import { channelName, dayName, fileSize, fullTime, page, reason, shortTime, t, tn } from "./words.js";

/** @typedef {import("./state.js").Entry} Entry */

/** @param {{ entry: Entry }} props */
export function EntryView({ entry }) {
  switch (entry.kind) {
    case "status": return html`<${StatusLine} entry=${entry} />`;
    case "handoff": return html`<${Handoff} entry=${entry} />`;
    case "callback": return html`<${CallLine} entry=${entry} icon="callback" />`;
    case "call": return html`<${CallLine} entry=${entry} icon="phone" />`;
    case "note": return html`<${Bubble} entry=${entry} kind="note" icon="lock" aside=${t("internal note")} />`;
    case "report": return html`<${Bubble} entry=${entry} kind="robot" icon="report" aside=${t("automatic mail")} />`;
    case "autoreply": return html`<${Bubble} entry=${entry} kind="mine robot" icon="robot" aside=${t("automatic reply")} />`;
    case "reply": return html`<${Bubble} entry=${entry} kind="mine" icon=${iconOf(entry)} />`;
    default: return html`<${Bubble} entry=${entry} kind="" icon=${iconOf(entry)} />`;
  }
}

/** @param {Entry} entry */
const iconOf = (entry) => (entry.channel === "email" ? "email" : entry.channel === "phone" ? "phone" : "chat");

/** @param {Entry} entry */
function authorName(entry) {
  if (entry.operator_id === page.operator.id) return t("You");
  return entry.author_name || (entry.author === "contact" ? t("Unknown customer") : t("The desk"));
}

/** Who did something, before a verb. Outside English the verb would have to change with "you": the name stands there. @param {Entry} entry */
const actorName = (entry) => (entry.operator_id === page.operator.id && page.language !== "en" ? page.operator.name : authorName(entry));

/** @param {{ entry: Entry, icon: string, aside?: string }} props */
function Head({ entry, icon, aside }) {
  const label = entry.kind === "message" || entry.kind === "reply" ? channelName(entry.channel) : undefined;
  return html`<div class="entry-head">
    <${Icon} name=${icon} label=${label} /><b>${entry.kind === "autoreply" ? t("The desk") : authorName(entry)}</b>
    ${aside && html`<span>${aside}</span>`}
    <time datetime=${entry.created_at} title=${fullTime(entry.created_at)}>${shortTime(entry.created_at, serverNow())}</time>
    ${mailMenu(entry) && html`<${Menu} class="icon-button entry-menu" place="wide" label=${t("More about this mail")} items=${() => [
      { label: t("Answer this mail"), icon: "email", run: () => void answerMail(entry.id) },
      { label: t("Forward…"), icon: "right", run: () => { dialog.value = { name: "new-mail", forwards: entry }; } },
      ...(splittable(entry) ? [{ label: t("Split off from here…"), icon: "split", run: () => { dialog.value = { name: "split", from: entry.id }; } }] : []),
    ]} />`}
  </div>`;
}

/** @param {Entry} entry */
const mailMenu = (entry) => Boolean(entry.data.mail) && (entry.kind === "message" || entry.kind === "reply") && !entry.sending;

/** A mail of a conversation that has others: it may be the beginning of another one. @param {Entry} entry */
const splittable = (entry) => Boolean(entry.data.mail) && (entry.kind === "message" || entry.kind === "reply") && !entry.sending
  && conversation.value?.merged_into_id === null && conversation.value.entries.filter((one) => one.kind === "message" || one.kind === "reply").length > 1;

/** @param {{ entry: Entry, kind: string, icon: string, aside?: string }} props */
function Bubble({ entry, kind, icon, aside }) {
  const mail = entry.data.mail;
  const failed = entry.delivery === "failed";
  return html`<article class=${`entry ${kind}${mail ? " mail" : ""}${failed ? " failed" : ""}`} id=${`entry-${entry.number}`} aria-label=${`${authorName(entry)}${aside ? `, ${aside}` : ""}`}>
    <${Head} entry=${entry} icon=${icon} aside=${aside} />
    <div class="bubble">
      ${mail?.suspicious && html`<${Doubt} entry=${entry} mail=${mail} />`}
      ${entry.data.continues_chat && html`<p class="went-on"><${Icon} name="chat" /><span>${t("The visitor had left the chat: what they had not read went out by mail.")}</span></p>`}
      ${entry.data.in_widget && entry.kind === "message" && html`<p class="went-on"><${Icon} name="chat" /><span>${t("Answers what went out by mail; the visitor sees it in the chat too.")}</span></p>`}
      ${mail && html`<${MailHead} entry=${entry} mail=${mail} />`}
      ${entry.data.block?.on_top && html`<${PointsShown} block=${entry.data.block} />`}
      <${Words} entry=${entry} />
      ${entry.data.block && !entry.data.block.on_top && html`<${PointsShown} block=${entry.data.block} />`}
      ${entry.attachments.length > 0 && html`<${Files} entry=${entry} />`}
    </div>
    <${Delivery} entry=${entry} />
  </article>`;
}

/** @param {{ block: Partial<import("./drafts.js").Block> }} props */
export function PointsShown({ block }) {
  const lines = [[t("What we understood"), block.understood], [t("What we did"), block.done], [block.by ? t("What we need from you by %(day)s", { day: block.by }) : t("What we need from you"), block.needed]].filter(([, words]) => words);
  return html`<dl class="points-shown">${lines.map(([name, words]) => html`<dt>${name}</dt><dd dir="auto">${words}</dd>`)}</dl>`;
}

/** @param {{ name?: string, address: string }} one */
const person = (one) => one.name || one.address;

/** @param {{ entry: Entry, mail: any }} props */
function MailHead({ entry, mail }) {
  const to = (mail.to ?? []).map(person).join(", ");
  const cc = (mail.cc ?? []).map(person).join(", ");
  return html`<div class="mail-head">
    ${mail.subject && html`<strong>${mail.subject}</strong>`}
    <span>${[to && t("To %(names)s", { names: to }), cc && t("Cc %(names)s", { names: cc })].filter(Boolean).join(" · ")}</span>
    ${mail.stranger && html`<span>${t("Was not part of this conversation before: gets no answers unless you add them.")}</span>`}
    ${mail.brought_by && html`<span class="mail-hint"><${Icon} name="right" /><span>${t("%(name)s forwarded this mail to the desk. Answers go to its author.", { name: mail.brought_by.name || mail.brought_by.address })}</span></span>
      ${mail.brought_by.cover && html`<details class="quote"><summary>${t("What stood above it")}</summary><div dir="auto">${mail.brought_by.cover}</div></details>`}`}
    ${mail.subject_changed && html`<span class="mail-hint"><${Icon} name="split" /><span>${t("The subject was changed; before it was “%(subject)s”.", { subject: mail.subject_changed })}</span>
      ${splittable(entry) && html`<button type="button" class="link-button" onClick=${() => void split({ mail: entry.id })}>${t("Split into a new conversation")}</button>`}</span>`}
    ${mail.appointment && html`<${AppointmentShown} one=${mail.appointment} />`}
    <${MailHints} mail=${mail} />
  </div>`;
}

/** Why a mail may not be what it seems. @param {{ why: string, domain?: string, known?: string }} one */
function doubtWords(one) {
  const values = { domain: one.domain ?? "", known: one.known ?? "" };
  switch (one.why) {
    case "dmarc_fail": return t("It may not come from %(domain)s: the sender could not be verified.", values);
    case "lookalike": return t("%(domain)s is not %(known)s: it only looks like it.", values);
    case "new_reply_to": return t("It wants answers to go to %(domain)s, which this conversation has not seen before.", values);
    default: return "";
  }
}

/** @param {{ entry: Entry, mail: any }} props */
function Doubt({ entry, mail }) {
  const [busy, setBusy] = useState(false);
  const why = mail.suspicious.map(doubtWords).filter(Boolean).join(" ");
  if (mail.trusted_by) return html`<p class="doubt settled"><${Icon} name="check" /><span>${t("This mail was in doubt and has been trusted.")} ${why}</span></p>`;
  const trust = async () => {
    setBusy(true);
    await trustMail(entry.id);
    setBusy(false);
  };
  return html`<div class="doubt" role="note"><${Icon} name="report" />
    <div><strong>${t("Be careful with this mail.")}</strong> <span>${why}</span>
      <span class="quiet">${t("No automatic reply goes out, answers go to the author's address alone, and the customer does not see it in the chat.")}</span></div>
    <button type="button" class="button button-small" disabled=${busy} onClick=${() => void trust()}>${t("I trust this mail")}</button></div>`;
}

/** What is known about the sender, in the words of the trade. @param {{ found: any }} props */
function SenderCheck({ found }) {
  const word = (/** @type {string} */ name, /** @type {string} */ result, /** @type {string | undefined} */ domain) => `${name}: ${result}${domain ? ` (${domain})` : ""}`;
  return html`<details class="sender-check"><summary>${t("Check of the sender")}</summary>
    <span>${[word("SPF", found.spf, found.spf_domain), word("DKIM", found.dkim, found.dkim_domain), word("DMARC", found.dmarc, found.policy && `p=${found.policy}`)].join(" · ")}</span>
    <span>${found.by === "desk" ? t("Checked by this desk.") : t("Checked by %(host)s.", { host: found.by })}</span></details>`;
}

/** What a calendar part wants of us. @param {string} method */
function appointmentWords(method) {
  if (method === "cancel") return t("Appointment cancelled");
  if (method === "reply") return t("Answer to an appointment");
  if (method === "counter") return t("Another time proposed for an appointment");
  return method === "request" || method === "add" ? t("Invitation to an appointment") : t("Appointment");
}

/** Title, time, place and organiser; a date without a time is a whole day. @param {{ one: any }} props */
function AppointmentShown({ one }) {
  const shown = (/** @type {string} */ iso) => (iso.length > 10 ? fullTime(iso) : iso);
  const when = [one.starts, one.ends].filter(Boolean).map(shown).join(" – ");
  const lines = [[t("When"), one.repeats && when ? t("%(when)s, and again", { when }) : when], [t("Where"), one.place], [t("Organiser"), one.organiser]].filter(([, words]) => words);
  return html`<dl class="points-shown"><dt>${appointmentWords(one.method)}</dt><dd dir="auto">${one.title}</dd>${lines.map(([name, words]) => html`<dt>${name}</dt><dd dir="auto">${words}</dd>`)}</dl>`;
}

/** What the desk noticed about a mail; the server keeps stable words. @param {{ mail: any }} props */
function MailHints({ mail }) {
  const open = conversation.value;
  const other = mail.named_other && mail.named_other !== open?.id ? Number(mail.named_other) : 0;
  const before = mail.continues && mail.continues !== open?.id ? Number(mail.continues) : 0;
  const said = [
    machineWords(mail.machine), protectionWords(mail.protection), mail.invitation && !mail.appointment ? t("It carries an invitation to an appointment.") : "",
    ...(mail.notes ?? []).map(noteWords),
  ].filter(Boolean);
  return html`
    ${other > 0 && html`<span class="mail-hint"><${Icon} name="merge" /><span>${t("This mail refers to another conversation, in which its author has no part.")}</span>
      <a class="link-button" href=${`/inbox/${other}`}>${t("Open conversation %(n)s", { n: other })}</a>
      ${open && open.merged_into_id === null && html`<button type="button" class="link-button" onClick=${() => { dialog.value = { name: "merge", into: other }; }}>${t("Join the two…")}</button>`}</span>`}
    ${before > 0 && html`<span class="mail-hint"><${Icon} name="reopen" /><span>${t("It answers a conversation that was closed long ago.")}</span>
      <a class="link-button" href=${`/inbox/${before}`}>${t("Open conversation %(n)s", { n: before })}</a></span>`}
    ${said.length > 0 && html`<span>${[...new Set(said)].join(" ")}</span>`}
    ${mail.authentication && html`<${SenderCheck} found=${mail.authentication} />`}`;
}

/** @param {string | undefined} kind */
function machineWords(kind) {
  switch (kind) {
    case "delivery_report": return t("A mail server's delivery report.");
    case "read_receipt": return t("A read receipt.");
    case "complaint": return t("A complaint about one of our mails.");
    case "automatic_reply": return t("An automatic reply, such as a vacation notice.");
    case "challenge": return t("A request to confirm that a person wrote.");
    case "bulk": return t("A mail to many, such as a newsletter.");
    case "notification": return t("Written by a program.");
    case "own": return t("Sent from one of the desk's own addresses.");
    default: return "";
  }
}

/** @param {string | undefined} protection */
function protectionWords(protection) {
  if (protection === "signed") return t("It is signed; the desk does not check signatures.");
  return protection === "encrypted" ? t("It is encrypted: the desk cannot read it. The original can be read with the key.") : "";
}

/** @param {string} note */
function noteWords(note) {
  switch (note) {
    case "several_from": return t("It names several authors; the first is shown.");
    case "no_from": return t("It names no author.");
    case "no_message_id": return t("It has no identification of its own.");
    case "headers_truncated": return t("Its header is too long and is shown in part.");
    case "text_truncated": return t("It is very long; its beginning is shown. The original has the rest.");
    case "truncated": return t("It is too large; only its beginning was fetched. The mail server has the whole.");
    case "too_deep": return t("It is nested too deeply; the inner part is attached as a file.");
    case "too_many_parts": return t("It has too many parts; not all are shown.");
    case "too_many_attachments": return t("It has too many attachments; not all are kept apart. The original has them.");
    case "attachment_too_large": return t("An attachment is too large to be kept apart. The original has it.");
    case "html_not_shown": return t("Its layout is too heavy to be shown; its words are.");
    case "recipients_truncated": return t("It has too many recipients; not all are shown.");
    case "partial": return t("It is one piece of a larger mail; the other pieces come as mails of their own.");
    case "part_not_read": return t("A part of it could not be read and is attached as it came.");
    case "external_body": return t("A file of it lies elsewhere; its mail says where.");
    case "tnef": return t("Its files came inside a winmail.dat and were taken out.");
    case "unreadable": return t("It could not be read. The original is attached.");
    default: return "";
  }
}

/** New words first, what is quoted folded, the mail as it was sent on request. @param {{ entry: Entry }} props */
function Words({ entry }) {
  const mail = entry.data.mail ?? {};
  const [whole, setWhole] = useState(false);
  const [remote, setRemote] = useState(false);
  const fresh = typeof mail.new_text === "string" && mail.new_text ? mail.new_text : entry.text;
  // Answered below the quotes, the whole mail is what unfolds.
  const rest = fresh === entry.text ? "" : entry.text.startsWith(fresh) ? entry.text.slice(fresh.length).trim() : entry.text;
  return html`<div>
    ${!whole && html`<div class="bubble-text" dir="auto"><${Linked} text=${fresh} /></div>`}
    ${!whole && rest && html`<details class="quote"><summary>${t("Quoted text")}</summary><div dir="auto">${rest}</div></details>`}
    ${!entry.has_html && entry.author === "contact" && (mail.notes || mail.protection) && html`<div class="mail-tools"><a class="link-button" href=${`/entries/${entry.id}/raw`}>${t("Original")}</a></div>`}
    ${entry.has_html && html`<div class="mail-tools">
      <button type="button" class="link-button" aria-expanded=${whole} onClick=${() => setWhole(!whole)}>${whole ? t("Show the words only") : t("Show whole mail")}</button>
      ${whole && mail.remote_images > 0 && html`<${RemoteImages} entry=${entry} shown=${remote} show=${() => setRemote(true)} />`}
      <a class="link-button" href=${`/entries/${entry.id}/raw`}>${t("Original")}</a>
    </div>`}
    ${whole && html`<${MailFrame} key=${entry.shows_images ? "shown" : "held"} id=${entry.id} remote=${remote} />`}
  </div>`;
}

/** Held back until asked for: loading them tells their sender that the mail was read. @param {{ entry: Entry, shown: boolean, show: () => void }} props */
function RemoteImages({ entry, shown, show }) {
  if (entry.shows_images) return html`<button type="button" class="link-button" onClick=${() => void showImages(entry.id, false)}>${t("Stop showing remote images of this sender")}</button>`;
  return html`${!shown && html`<button type="button" class="link-button" onClick=${show}>${t("Show remote images")}</button>`}
    ${entry.author === "contact" && html`<button type="button" class="link-button" onClick=${() => void showImages(entry.id, true)}>${t("Always for this sender")}</button>`}`;
}

/** The mail in its own document: no script runs there, its height is measured from here. @param {{ id: number, remote: boolean }} props */
function MailFrame({ id, remote }) {
  const frame = /** @type {{ current: HTMLIFrameElement | null }} */ (useRef(null));
  const fit = () => {
    const body = frame.current?.contentDocument?.documentElement;
    if (frame.current && body) frame.current.style.height = `${Math.min(4000, body.scrollHeight + 2)}px`;
  };
  useEffect(() => {
    addEventListener("resize", fit);
    return () => removeEventListener("resize", fit);
  }, []);
  return html`<iframe class="mail-frame" ref=${frame} title=${t("Whole mail")} sandbox="allow-same-origin allow-popups" referrerpolicy="no-referrer"
    src=${`/entries/${id}/html${remote ? "?remote=1" : ""}`} onLoad=${fit}></iframe>`;
}

const LINK = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g;

/** Words with their links; nothing else in them means anything. @param {{ text: string }} props */
function Linked({ text }) {
  const parts = [];
  let last = 0;
  for (const match of text.matchAll(LINK)) {
    parts.push(text.slice(last, match.index), html`<a href=${match[0]} target="_blank" rel="noopener noreferrer nofollow">${match[0]}</a>`);
    last = match.index + match[0].length;
  }
  parts.push(text.slice(last));
  return html`<span>${parts}</span>`;
}

/** @param {{ entry: Entry }} props */
function Files({ entry }) {
  return html`<ul class="files" aria-label=${t("Attachments")}>
    ${entry.attachments.map((file) => html`<li key=${file.id}><a class="file" href=${entry.sending ? undefined : `/attachments/${file.id}`} target="_blank" rel="noopener">
      <${Icon} name="file" /><span class="name">${file.name}</span><span class="size">${fileSize(file.size_bytes)}</span></a></li>`)}
  </ul>`;
}

/** @param {string | null} delivery @returns {[string, string]} */
function deliveryWords(delivery) {
  switch (delivery) {
    case "queued": return ["clock", t("being sent")];
    case "sent": return ["check", t("sent")];
    case "received": return ["check", t("received")];
    case "read": return ["eye", t("read")];
    case "delayed": return ["clock", t("delayed: the desk keeps trying")];
    case "kept": return ["file", t("kept as a file: no mail server is set up, nothing was sent")];
    case "failed": return ["report", t("not delivered")];
    default: return ["", ""];
  }
}

/** @param {string} state */
function recipientWords(state) {
  switch (state) {
    case "sent": return t("sent");
    case "delayed": return t("delayed: the desk keeps trying");
    case "held_up": return t("delayed on the other side");
    case "failed": return t("refused");
    case "bounced": return t("came back");
    default: return t("being sent");
  }
}

/** How far a mail has got for each of its recipients, once it is not the same for all. @param {{ entry: Entry }} props */
function RecipientStates({ entry }) {
  const known = entry.data.recipients ?? {};
  const people = [...(entry.data.mail?.to ?? []), ...(entry.data.mail?.cc ?? [])];
  const state = (/** @type {string} */ address) => known[address]?.state ?? "queued";
  if (!people.some((one) => !["sent", "queued"].includes(state(one.address)))) return null;
  return html`<ul class="recipient-states" aria-label=${t("Delivery to each recipient")}>
    ${people.map((one) => html`<li key=${one.address} class=${state(one.address)}>
      ${known[one.address]?.said && state(one.address) !== "sent"
        ? html`<details><summary><${Icon} name=${["failed", "bounced"].includes(state(one.address)) ? "report" : "clock"} />${person(one)}: ${recipientWords(state(one.address))}</summary><span class="server-words" dir="auto">${known[one.address].said}</span></details>`
        : html`<span><${Icon} name=${state(one.address) === "sent" ? "check" : "clock"} />${person(one)}: ${recipientWords(state(one.address))}</span>`}</li>`)}
  </ul>`;
}

/** @param {{ entry: Entry }} props */
function Delivery({ entry }) {
  const [busy, setBusy] = useState(false);
  if (entry.sending) return html`<div class="delivery" role="status"><${Icon} name="clock" />${t("sending…")}</div>`;
  const [icon, words] = deliveryWords(entry.delivery);
  if (!words) return null;
  const again = async () => {
    setBusy(true);
    await tryAgain(entry.id);
    setBusy(false);
  };
  const apart = Object.values(entry.data.recipients ?? {});
  const lost = apart.filter((one) => ["failed", "bounced"].includes(one.state)).length;
  const why = !apart.length && entry.delivery_error && ["failed", "delayed"].includes(entry.delivery ?? "") ? `: ${reason(entry.delivery_error)}` : "";
  return html`<div class=${`delivery ${entry.delivery}`}><${Icon} name=${icon} /><span>${words}${why}</span>
    ${(entry.delivery === "failed" || (lost > 0 && entry.delivery === "sent")) && html`<button type="button" class="button button-small" disabled=${busy} onClick=${() => void again()}>${lost > 0 && lost < apart.length ? tn("Try again for %(n)s recipient", "Try again for %(n)s recipients", lost) : t("Try again")}</button>`}
    <${RecipientStates} entry=${entry} />
  </div>`;
}

// --- calls ---

/** @param {string | undefined} outcome */
function outcomeWords(outcome) {
  switch (outcome) {
    case "answered": case "reached": return t("answered");
    case "no_answer": return t("no answer");
    case "busy": return t("busy");
    case "wrong_number": return t("wrong number");
    case "voicemail_left": return t("message left");
    case "voicemail": return t("left a message");
    case "canceled": return t("hung up before an answer");
    case "abandoned_in_queue": return t("gave up waiting");
    case "queue_timeout": return t("waited in vain");
    case "after_hours": return t("outside opening hours");
    case "failed": return t("failed");
    default: return "";
  }
}

/** @param {number} seconds */
const talk = (seconds) => (seconds >= 60 ? t("%(m)s min %(s)s s", { m: Math.floor(seconds / 60), s: seconds % 60 }) : t("%(s)s s", { s: seconds }));

/** @param {Entry} entry */
function callWords(entry) {
  const call = entry.data.call ?? entry.data;
  const out = outcomeWords(call.outcome);
  const seconds = Number(call.talk_seconds ?? call.talk_s ?? call.duration_s ?? 0);
  const missed = call.outcome && call.outcome !== "answered" && call.outcome !== "reached";
  const what = entry.kind === "callback" ? statusWords(entry) || t("Call back")
    : call.direction === "outbound" ? t("Outbound call") : missed ? t("Missed call") : t("Inbound call");
  const number = call.withheld ? t("number withheld") : isNumber(entry) ? entry.text : call.number ?? "";
  return [what, entry.kind === "call" || entry.data.outcome ? out : "", seconds > 0 ? talk(seconds) : "", number].filter(Boolean).join(" · ");
}

/** The text of a call nobody described is its number, written to be read. @param {Entry} entry */
function isNumber(entry) {
  const digits = (/** @type {unknown} */ text) => String(text ?? "").replace(/\D/g, "");
  return digits(entry.text) !== "" && digits(entry.text) === digits((entry.data.call ?? entry.data).number) && !/\p{L}/u.test(entry.text);
}

/** @param {{ entry: Entry, icon: string }} props */
function CallLine({ entry, icon }) {
  return html`<article class="entry call" id=${`entry-${entry.number}`} aria-label=${callWords(entry)}>
    <${Head} entry=${entry} icon=${icon} />
    <div class="bubble"><div class="call-line"><${Icon} name=${icon} /><span>${callWords(entry)}</span></div>
      ${entry.text && !isNumber(entry) && html`<div class="bubble-text" dir="auto">${entry.text}</div>`}
      ${entry.attachments.length > 0 && html`<${Files} entry=${entry} />`}
    </div>
  </article>`;
}

// --- handoffs ---

/** @param {{ brief: Partial<import("./state.js").Brief> }} props */
export function BriefLines({ brief }) {
  const lines = [[t("Customer"), brief.wants], [t("Done"), brief.done], [t("Next"), brief.next], [t("Promised"), brief.promised]].filter(([, words]) => words);
  return html`<dl>${lines.map(([name, words]) => html`<dt>${name}</dt><dd>${words}</dd>`)}</dl>`;
}

/** @param {{ entry: Entry }} props */
function Handoff({ entry }) {
  const to = entry.data.to ? entry.data.name || t("a colleague") : t("the queue");
  return html`<article class="entry wide" id=${`entry-${entry.number}`} aria-label=${t("Handoff")}>
    <section class="brief"><header><${Icon} name="right" />
      <span>${t("%(from)s handed this to %(to)s", { from: actorName(entry), to })}</span>
      <time datetime=${entry.created_at} title=${fullTime(entry.created_at)}>${shortTime(entry.created_at, serverNow())}</time></header>
      <${BriefLines} brief=${entry.data.brief ?? { wants: entry.text }} />
    </section></article>`;
}

// --- status lines ---

/** What happened, in words; the server stores a stable word and its values. @param {Entry} entry */
export function statusWords(entry) {
  const d = entry.data;
  const name = actorName(entry);
  switch (d.what) {
    case "taken": return t("%(name)s took this conversation", { name });
    case "assigned": return d.to === page.operator.id ? t("%(name)s gave this to you", { name }) : t("%(name)s gave this to %(to)s", { name, to: d.name || t("a colleague") });
    case "released": return t("%(name)s put this back into the queue", { name });
    case "team": return d.name ? t("%(name)s passed this on to the team %(team)s", { name, team: d.name }) : t("%(name)s passed this on to the whole desk", { name });
    case "snoozed": return d.agreed
      ? t("%(name)s snoozed this until %(time)s, as agreed with the customer", { name, time: shortTime(d.until, serverNow()) })
      : t("%(name)s snoozed this until %(time)s", { name, time: shortTime(d.until, serverNow()) });
    case "woken": return entry.operator_id ? t("%(name)s woke this", { name }) : t("Back from snooze");
    case "closed": return entry.operator_id ? t("%(name)s closed this", { name }) : t("Closed");
    case "no_answer_needed": return t("%(name)s closed this: no answer needed", { name });
    case "reopened": return t("%(name)s opened this again", { name });
    case "spam": return t("%(name)s marked this as spam", { name });
    case "priority": return d.to > 1 ? t("%(name)s set the priority to urgent", { name }) : d.to === 1 ? t("%(name)s set the priority to high", { name }) : t("%(name)s set the priority to normal", { name });
    case "tags": return d.tags?.length ? t("%(name)s set the labels: %(tags)s", { name, tags: d.tags.join(", ") }) : t("%(name)s took the labels away", { name });
    case "mail_trusted": return t("%(name)s trusts the mail that was in doubt", { name });
    case "merged_into": return t("Merged into conversation %(n)s", { n: d.other });
    case "merged_from": return t("Conversation “%(subject)s” was merged into this one", { subject: d.subject || d.other });
    case "split_into": return t("%(name)s split off “%(subject)s”", { name, subject: d.subject || d.other });
    case "split_from": return t("%(name)s split this off another conversation", { name });
    case "taken_apart": return t("%(name)s took two merged conversations apart again", { name });
    case "handoff_accepted": return t("%(name)s took it over", { name });
    case "handoff_declined": return t("%(name)s could not take it", { name });
    case "handoff_cancelled": return t("%(name)s took the offer back", { name });
    case "handoff_returned": return t("Nobody took the offer: it came back");
    case "copy_failed": return t("A copy could not be delivered to %(names)s", { names: (d.to ?? []).join(", ") });
    case "reply_taken_back": return t("%(name)s took an answer back before it left", { name });
    case "reply_planned": return t("%(name)s planned an answer for %(time)s", { name, time: shortTime(d.at, serverNow()) });
    case "plan_changed": return t("%(name)s moved the planned answer to %(time)s", { name, time: shortTime(d.at, serverNow()) });
    case "plan_cancelled": return t("%(name)s cancelled the planned answer", { name });
    case "plan_held": return t("The planned answer was held back: something has changed since");
    case "forwarded": return t("%(name)s forwarded entry %(n)s to %(to)s", { name, n: d.number, to: (d.to ?? []).join(", ") });
    case "delivery_failed": return t("An answer could not be delivered: the wait runs again");
    case "answer_by": return d.channel === "email" ? t("The customer wants the answer by e-mail") : d.channel === "phone" ? t("The customer wants to be called") : t("The customer waits in the chat");
    case "chat_unread": return d.why === "no_address" ? t("The visitor left before reading the answer, and gave no mail address")
      : d.why === "address_fails" ? t("The visitor left before reading the answer, and mail to the address they gave does not arrive")
      : t("The visitor left before reading the answer, and no mail can be sent");
    case "visitor_left": case "left": return t("The customer left the chat");
    case "callback_asked": return t("Call back wanted");
    case "callback_taken": return t("%(name)s took the call back", { name });
    case "callback_released": return t("The call back is free again");
    case "callback_number": return t("%(name)s set the number to call: %(number)s", { name, number: d.number });
    case "callback_cancelled": return d.reason ? t("Call back cancelled: %(reason)s", { reason: d.reason }) : t("Call back cancelled");
    case "callback_scheduled": return d.slot_from ? t("Call back agreed for %(time)s", { time: shortTime(d.slot_from, serverNow()) }) : t("Call back agreed");
    case "callback_unreached": return t("Not reached in all tries: the wait has ended");
    case "callback_lapsed": return t("Nobody dialled: the call back is free again");
    case "callback_slot_missed": return t("The time agreed for the call back has passed");
    case "summary_sent": return t("%(name)s sent the summary of the call in conversation %(n)s", { name, n: d.other });
    case "summary_waived": return t("No summary mail: %(reason)s", { reason: d.reason ?? "" });
    case "callback_tried": return t("Try %(n)s to call", { n: d.attempt ?? 1 });
    default: return "";
  }
}

const ELSEWHERE = new Set(["split_into", "split_from", "merged_into", "merged_from", "taken_apart"]);

/** What was merged into this one and has not left it since. @param {Entry} entry */
const canBeTakenApart = (entry) => entry.data.what === "merged_from" && !entry.data.taken_back && conversation.value?.merged_into_id === null
  && !conversation.value.entries.some((later) => later.number > entry.number && later.data.what === "taken_apart" && later.data.other === entry.data.other);

/** @param {{ entry: Entry }} props */
function StatusLine({ entry }) {
  const words = statusWords(entry) || entry.text || t("Something changed");
  const other = ELSEWHERE.has(entry.data.what) ? Number(entry.data.other) : 0;
  return html`<p class="status-line" id=${`entry-${entry.number}`}><time datetime=${entry.created_at} title=${fullTime(entry.created_at)}>${shortTime(entry.created_at, serverNow())}</time> · ${words}
    ${other > 0 && html` <a class="link-button" href=${`/inbox/${other}`}>${t("Open conversation %(n)s", { n: other })}</a>`}
    ${other > 0 && canBeTakenApart(entry) && html` <button type="button" class="link-button" onClick=${() => void takeApart(other)}>${t("Take apart")}</button>`}</p>`;
}

/** @param {{ iso: string }} props */
export function Day({ iso }) {
  return html`<div class="day"><span>${dayName(iso, serverNow())}</span></div>`;
}
