// The panel in the frame: ask, wait with a place, chat; or leave a question, a number, a mail address.
// What the visitor writes carries an id made here, is shown as "sending", and is sent again until it is acknowledged.
import { Line } from "./rt.js";

/**
 * @typedef {{ name: string, media_type: string, size_bytes: number, url: string }} Attached
 * @typedef {{
 *   number: number, author: "you" | "operator" | "desk", author_name: string, text: string, at: string,
 *   id: string | null, attachments: Attached[], by_mail?: boolean,
 * }} Entry
 * @typedef {{ id: string, text: string, attachments: number[], names: string[], error?: string }} Pending
 * @typedef {"home" | "wait" | "chat" | "away" | "mail" | "keep" | "call" | "done"} State
 */

const page = JSON.parse(document.getElementById("page")?.textContent || "{}");
const LONG_WAIT_S = 300;
const SAY_PLACE_EVERY_MS = 30_000;
const WRITING_EVERY_MS = 3_000;

/** @param {string} said @param {Record<string, string | number>} [values] */
function t(said, values) {
  const words = page.words[said] || said;
  return values ? words.replace(/%\((\w+)\)s/g, (/** @type {string} */ _, /** @type {string} */ n) => String(values[n])) : words;
}

/**
 * @param {string} tag
 * @param {Record<string, any> | null} [props]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {any}
 */
function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (name in element) /** @type {any} */ (element)[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(.../** @type {(Node | string)[]} */ (children.filter(Boolean)));
  return element;
}

/** As random as a UUID, which browsers make only on encrypted pages. */
const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const locale = page.language === "en" ? "en-GB" : page.language;
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(locale, { weekday: "long", hour: "2-digit", minute: "2-digit" });

/** @param {string} iso */
function when(iso) {
  const at = new Date(iso);
  return (at.toDateString() === new Date().toDateString() ? clock : day).format(at);
}

// --- what is known ---------------------------------------------------------------------------------------------------

const me = {
  /** @type {string | null} */ token: null,
  page: "",
  shown: false,
  /** @type {State} */ state: "home",
  mode: "staffed",
  /** @type {string | null} */ opens: null,
  /** @type {Map<number, Entry>} */ entries: new Map(),
  /** @type {Pending[]} */ pending: [],
  talking: false,
  waiting: false,
  closed: false,
  mark: 0, // what the visitor thought of the talk that was closed, 1 to 5
  markedWords: false,
  joined: "",
  reachable: false,
  goesOnByMail: false, // what is unread after leaving is sent to the visitor's address
  mailTo: "",
  /** @type {string | null} */ answerBy: null,
  /** @type {{place: number, words: string, other_ways: boolean} | null} */ queue: null,
  waitingSince: 0,
  read: 0, // own entries up to this number have been read
  seen: 0, // entries up to this number the visitor has had before their eyes
  reference: "",
  greeted: false,
  saidPlaceAt: 0,
  sending: false,
};

const parts = {
  title: /** @type {HTMLElement} */ (document.getElementById("title")),
  line: /** @type {HTMLElement} */ (document.getElementById("line")),
  main: /** @type {HTMLElement} */ (document.querySelector("main")),
  status: /** @type {HTMLElement} */ (document.getElementById("status")),
  bar: /** @type {HTMLElement} */ (document.getElementById("bar")),
  /** @type {HTMLElement | null} */ log: null,
  /** @type {HTMLElement | null} */ card: null,
  /** @type {HTMLElement | null} */ typing: null,
  /** @type {HTMLElement | null} */ leaving: null,
  /** @type {HTMLElement | null} */ rating: null,
};

/** @param {Record<string, unknown>} message */
const host = (message) => parent.postMessage(message, page.host);

/** @param {string} words */
const announce = (words) => (parts.status.textContent = words);

// --- the line --------------------------------------------------------------------------------------------------------

let downTimer = 0;
const line = new Line("/visitor", () => ({ site: page.site, token: me.token, language: page.language, page: me.page }), {
  up() {
    clearTimeout(downTimer);
    downTimer = 0;
    parts.bar.hidden = true;
    host({ vuoro: "online" });
  },
  down() {
    if (me.greeted) {
      parts.bar.textContent = t("The connection is down. What you write is kept and sent as soon as it is back.");
      parts.bar.hidden = false;
    }
    // Without a conversation to look at, the host's own form is of more use than a dead panel.
    downTimer ||= setTimeout(() => {
      if (!me.talking) host({ vuoro: "offline", text: field("question") });
    }, me.greeted ? 8_000 : 4_000);
  },
  refused(reason) {
    parts.bar.textContent = reason === "rate_limited"
      ? t("Many people are connecting. Trying again in a moment.")
      : t("This website is not known here.");
    parts.bar.hidden = false;
  },
  event(name, data) {
    const handler = heard[name];
    if (handler) handler(data);
  },
});

/** @type {Record<string, (data: any) => void>} */
const heard = {
  welcome(data) {
    const first = !me.greeted;
    me.greeted = true;
    me.token = data.token;
    host({ vuoro: "token", token: data.token });
    me.mode = data.mode.mode;
    me.opens = data.mode.opens_at;
    me.goesOnByMail = !!data.goes_on_by_mail;
    const conversation = data.conversation;
    if (conversation) {
      for (const entry of conversation.entries) hear(entry, true);
      me.talking = true;
      me.mailTo = conversation.mail_to || "";
      me.read = Math.max(me.read, conversation.seen);
      stand(conversation);
      if (first || me.state === "home" || me.state === "away") go(talkingState());
      else draw();
    } else if (first) go(startState());
    else draw();
    flush();
  },
  entry(entry) {
    hear(entry, false);
    draw();
  },
  typing(data) {
    if (parts.typing) parts.typing.textContent = data.on ? t("%(name)s is writing", { name: data.name }) : "";
  },
  seen(data) {
    me.read = Math.max(me.read, data.number);
    draw();
  },
  queue(data) {
    me.queue = data;
    draw();
    if (Date.now() - me.saidPlaceAt > SAY_PLACE_EVERY_MS && me.state === "wait") {
      me.saidPlaceAt = Date.now();
      announce(`${t("Your place in the queue: %(place)s", { place: data.place })}. ${data.words}`);
    }
  },
  standing(data) {
    const joined = me.joined;
    stand(data);
    if (data.joined && data.joined !== joined && me.talking) announce(t("%(name)s has joined", { name: data.joined }));
    if (me.state === "wait" || me.state === "chat") go(talkingState());
  },
  mode(data) {
    me.mode = data.mode;
    me.opens = data.opens_at;
    if (me.state === "home" || me.state === "away") {
      const kept = field("question");
      if (startState() !== me.state) go(startState(), kept);
    }
    draw();
  },
};

/** @param {{status: string, waiting: boolean, joined: string, answer_by: string | null, reachable?: boolean}} standing */
function stand(standing) {
  if (standing.waiting && !me.waiting) me.waitingSince = Date.now();
  me.waiting = standing.waiting;
  me.closed = standing.status === "closed";
  if (!me.closed) [me.mark, me.markedWords] = [0, false];
  me.joined = standing.joined;
  me.answerBy = standing.answer_by;
  if (standing.reachable) me.reachable = true;
  if (!standing.waiting) me.queue = null;
  host({ vuoro: "going on", on: !me.closed });
}

/** @param {Entry} entry @param {boolean} old */
function hear(entry, old) {
  if (me.entries.has(entry.number)) return;
  me.entries.set(entry.number, entry);
  if (entry.id) forget(entry.id);
  if (entry.author === "you") return;
  if (parts.typing) parts.typing.textContent = "";
  if (entry.author === "operator") {
    for (const number of me.entries.keys()) if (number < entry.number) me.read = Math.max(me.read, number);
    if (!old) me.waiting = false;
  }
  line.tell("received", { number: entry.number });
}

/** @param {string} id */
function forget(id) {
  me.pending = me.pending.filter((one) => one.id !== id);
  keepPending();
}

function keepPending() {
  host({ vuoro: "pending", pending: me.pending });
}

/** Send what waits, in order, one at a time; whatever is not acknowledged is sent again with the same id. */
async function flush() {
  if (me.sending || !line.up || !me.greeted) return;
  me.sending = true;
  try {
    for (let next; (next = me.pending.find((one) => !one.error)); ) {
      const { id, text, attachments } = next;
      const said = await line.ask("message", { id, text, attachments });
      if (said.error === "rate_limited" || said.error === "store_busy" || said.error === "internal") {
        await new Promise((resume) => setTimeout(resume, 3_000));
        continue;
      }
      if (said.error) {
        next.error = said.message;
        announce(`${t("Not sent")}: ${said.message}`);
      } else {
        hear({
          number: said.number, author: "you", author_name: "", text, at: said.at, id,
          attachments: next.names.map((name) => ({ name, media_type: "", size_bytes: 0, url: "" })),
        }, false);
        if (!me.talking || me.closed) {
          me.talking = true;
          me.closed = false;
          host({ vuoro: "going on", on: true });
        }
      }
      draw();
    }
  } catch {
    // The line dropped: the next welcome goes on from here.
  } finally {
    me.sending = false;
  }
}

/** @param {string} text @param {{id: number, name: string}[]} [files] */
function say(text, files = []) {
  me.pending.push({
    id: newId(), text, attachments: files.map((file) => file.id), names: files.map((file) => file.name),
  });
  keepPending();
  if (!me.talking && !me.waiting) {
    me.waiting = true;
    me.waitingSince = Date.now();
  }
  flush();
}

// --- drawing ---------------------------------------------------------------------------------------------------------

/** @returns {State} */
function startState() {
  return me.mode === "closed" || me.mode === "away" ? "away" : "home";
}

/** @returns {State} */
function talkingState() {
  return me.waiting && !me.answerBy ? "wait" : "chat";
}

/** @param {string} name */
function field(name) {
  const found = /** @type {HTMLTextAreaElement | null} */ (document.getElementById(name));
  return found ? found.value : "";
}

/** @param {State} state @param {string} [text] */
function go(state, text = "") {
  const same = me.state === state && parts.main.childElementCount > 0;
  const talk = state === "wait" || state === "chat";
  const kept = text || field(talk ? "message" : "question");
  const focused = document.activeElement?.id;
  me.state = state;
  if (!same) {
    parts.log = parts.card = parts.typing = parts.leaving = parts.rating = null;
    parts.main.replaceChildren(...screens[state](kept));
    parts.main.className = state;
    if (me.shown && (focused || document.activeElement === document.body)) focusFirst(focused);
  }
  draw();
}

/** @param {string} [before] */
function focusFirst(before) {
  const wanted = (before && document.getElementById(before)) || parts.main.querySelector("textarea, input:not([hidden]), [tabindex]");
  if (wanted instanceof HTMLElement) wanted.focus();
}

function lineOfHead() {
  if (me.joined && me.talking && !me.closed) return t("You are talking with %(name)s", { name: me.joined });
  if (me.mode === "closed") return me.opens ? t("We are back: %(time)s", { time: when(me.opens) }) : t("We are closed");
  if (me.mode === "away") return t("Nobody is here at the moment");
  if (me.mode === "busy") return t("Many people are waiting just now");
  return t("We are here");
}

function draw() {
  parts.title.textContent = page.name;
  parts.line.textContent = me.greeted ? lineOfHead() : t("Connecting");
  if (parts.card) parts.card.replaceChildren(...cardOfWait());
  if (parts.log) drawLog(parts.log);
  if (parts.leaving) drawLeaving(parts.leaving);
  if (parts.rating) drawRating(parts.rating);
  look();
}

/** Which entries are before the visitor's eyes; the rest is counted on the host's button. */
function look() {
  const newest = Math.max(0, ...me.entries.keys());
  const talk = me.state === "wait" || me.state === "chat";
  if (me.shown && talk && document.visibilityState === "visible" && newest > me.seen && line.up) {
    me.seen = newest;
    line.tell("seen", { number: newest });
  }
  let unread = 0;
  for (const entry of me.entries.values()) if (entry.author === "operator" && entry.number > me.seen) unread++;
  host({ vuoro: "unread", n: unread });
}

/** Where the answer goes when the visitor leaves before reading it. @param {HTMLElement} place */
function drawLeaving(place) {
  const said = !me.goesOnByMail || me.closed || me.answerBy ? "" : me.mailTo ? `to ${me.mailTo}` : "ask";
  if (place.dataset.said === said) return;
  place.dataset.said = said;
  place.hidden = !said;
  place.replaceChildren(...(said === "ask"
    ? [t("Leaving soon?"), " ", h("button", { type: "button", className: "link", onclick: () => go("keep") }, t("Get what you miss by e-mail"))]
    : said ? [t("If you leave, unread answers come to %(address)s by e-mail.", { address: me.mailTo })] : []));
}

/** Asked once a person has answered and the talk was closed: one tap, then a sentence if they like. @param {HTMLElement} place */
function drawRating(place) {
  const asked = me.closed && [...me.entries.values()].some((entry) => entry.author === "operator");
  const said = asked ? `${me.mark}${me.markedWords}` : "";
  if (place.dataset.said === said) return;
  place.dataset.said = said;
  place.hidden = !asked;
  if (!asked) return;
  /** @param {number} score @param {string} [words] */
  const rate = async (score, words) => {
    const answer = await line.ask("rate", { score, words }).catch(() => ({ error: "offline", message: t("Not sent") }));
    if (!answer.error) [me.mark, me.markedWords] = [score, words !== undefined];
    announce(answer.error ? answer.message : t("Thank you."));
    draw();
  };
  place.replaceChildren(
    h("p", { id: "ask" }, me.mark ? t("Thank you.") : t("How was it?")),
    h("p", { className: "marks", role: "group", "aria-labelledby": "ask" }, ...["😞", "🙁", "😐", "🙂", "😀"].map((face, index) => h("button", {
      type: "button", className: "second", "aria-pressed": String(me.mark === index + 1),
      "aria-label": t("%(mark)s of 5", { mark: index + 1 }), onclick: () => rate(index + 1),
    }, face))),
    ...(me.mark && !me.markedWords ? [h("form", { onsubmit: (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      rate(me.mark, field("why"));
    } }, ...input("why", t("What should we know about it? (optional)"), { rows: 2, maxLength: 2000 }), h("button", { className: "second" }, t("Send")))] : []));
}

/** @param {HTMLElement} log */
function drawLog(log) {
  const scroller = parts.main;
  const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 80;
  const entries = [...me.entries.values()].sort((a, b) => a.number - b.number);
  const mine = entries.filter((entry) => entry.author === "you");
  const last = mine[mine.length - 1];
  /** @type {Map<string, HTMLElement>} */
  const there = new Map([...log.children].map((child) => [/** @type {HTMLElement} */ (child).dataset.key || "", /** @type {HTMLElement} */ (child)]));
  let before = "";
  for (const entry of entries) {
    const key = entry.id || String(entry.number);
    let item = there.get(key);
    if (!item || item.classList.contains("pending")) {
      const drawn = drawEntry(entry, key, before === entry.author);
      if (item) item.replaceWith(drawn);
      else log.append(drawn);
      item = drawn;
    }
    before = entry.author;
    there.delete(key);
    const mark = item.querySelector(".mark");
    if (mark) {
      const words = entry === last ? (me.read >= entry.number ? t("Read") : t("Received")) : "";
      if (mark.textContent !== words) mark.textContent = words;
    }
  }
  for (const one of me.pending) {
    const item = there.get(one.id);
    if (!item) log.append(drawPending(one));
    else if (one.error && !item.querySelector(".not")) item.replaceWith(drawPending(one));
    there.delete(one.id);
  }
  for (const gone of there.values()) gone.remove();
  if (atEnd) scroller.scrollTop = scroller.scrollHeight;
}

/** @param {Entry} entry @param {string} key @param {boolean} again @returns {HTMLElement} */
function drawEntry(entry, key, again) {
  const name = entry.author === "you" ? t("You") : entry.author_name || page.name;
  return h("li", { className: `${entry.author}${again ? " again" : ""}`, "data-key": key },
    h("p", { className: "who" }, `${name} `, h("time", { dateTime: entry.at }, when(entry.at)), entry.by_mail && ` · ${t("by e-mail")}`),
    entry.text && h("p", { className: "text" }, ...linked(entry.text)),
    ...entry.attachments.map((file) => file.url
      ? h("a", { className: "file", href: file.url, download: file.name }, file.name)
      : h("span", { className: "file" }, file.name)),
    entry.author === "you" && h("p", { className: "mark" }));
}

/** @param {Pending} one @returns {HTMLElement} */
function drawPending(one) {
  return h("li", { className: "you pending", "data-key": one.id },
    h("p", { className: "who" }, t("You")),
    one.text && h("p", { className: "text" }, one.text),
    ...one.names.map((name) => h("span", { className: "file" }, name)),
    one.error
      ? h("p", { className: "mark not" }, `${t("Not sent")}: ${one.error} `,
        h("button", { type: "button", className: "link", onclick: () => {
          one.error = undefined;
          document.querySelector(`[data-key="${CSS.escape(one.id)}"]`)?.remove();
          draw();
          flush();
        } }, t("Try again")))
      : h("p", { className: "mark" }, t("Sending")));
}

/** Web addresses as links. @param {string} text @returns {(Node | string)[]} */
function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]])/).map((piece, index) =>
    index % 2 ? h("a", { href: piece, target: "_blank", rel: "noopener noreferrer" }, piece) : piece);
}

/** @returns {Node[]} */
function cardOfWait() {
  const queue = me.queue;
  const long = queue?.other_ways || (me.waitingSince && Date.now() - me.waitingSince > LONG_WAIT_S * 1000);
  parts.main.classList.toggle("long", !!long);
  return [
    queue
      ? h("p", { className: "place" }, h("strong", null, String(queue.place)),
        h("span", null, t("is your place in the queue"), queue.words && h("b", null, queue.words)))
      : h("p", { className: "place" }, h("span", null, t("Your question is here. Somebody will answer soon."))),
    h("p", { className: "hint" }, long
      ? t("This may take a while. We can call you, or answer by e-mail. You keep your place.")
      : t("You can close this window. We keep your place and show a badge when somebody answers.")),
  ];
}

// --- screens ---------------------------------------------------------------------------------------------------------

const personal = () => h("p", { className: "small" }, t("We use what you write only to answer you."));

/** @param {string} id @param {string} label @param {Record<string, any>} props @returns {Node[]} */
const input = (id, label, props) => [
  h("label", { htmlFor: id }, label),
  h(props.rows ? "textarea" : "input", { id, ...props }),
  h("p", { className: "error", id: `${id}-error`, hidden: true }),
];

/** @param {string | undefined} name @param {string} words */
function wrong(name, words) {
  const at = document.getElementById(name === "number" ? "phone" : name === "text" ? "question" : name || "");
  const place = document.getElementById(`${at?.id}-error`) || parts.main.querySelector(".error");
  if (at) {
    at.setAttribute("aria-invalid", "true");
    at.setAttribute("aria-describedby", `${at.id}-error`);
    at.focus();
  }
  if (place instanceof HTMLElement) {
    place.textContent = words;
    place.hidden = false;
  }
  announce(words);
}

/**
 * A form whose event is acknowledged; sent again with the same id when the line dropped.
 * @param {string} event
 * @param {() => Record<string, unknown>} data
 * @param {(said: any) => void} done
 * @param {...any} children
 */
function form(event, data, done, ...children) {
  const id = newId();
  return h("form", { noValidate: true, onsubmit: async (/** @type {SubmitEvent} */ submitted) => {
    submitted.preventDefault();
    const button = /** @type {HTMLButtonElement} */ (submitted.submitter || parts.main.querySelector("button.first"));
    for (const error of parts.main.querySelectorAll(".error")) /** @type {HTMLElement} */ (error).hidden = true;
    for (const bad of parts.main.querySelectorAll("[aria-invalid]")) bad.removeAttribute("aria-invalid");
    button.setAttribute("aria-disabled", "true");
    try {
      const said = await line.ask(event, { id, ...data() });
      if (said.error) wrong(said.field, said.message);
      else done(said);
    } catch {
      announce(t("The connection is down. Try again in a moment."));
      wrong(undefined, t("The connection is down. Try again in a moment."));
    }
    button.removeAttribute("aria-disabled");
  } }, ...children);
}

/** @param {string} reference */
function thank(reference) {
  me.reference = reference || me.reference;
  me.talking = true;
  go("done");
}

const back = () => h("button", { type: "button", className: "second", onclick: () => go(me.talking ? talkingState() : startState()) },
  me.waiting ? t("Back to the queue") : t("Back"));

/** @type {Record<State, (kept: string) => Node[]>} */
const screens = {
  home: (kept) => [
    h("h1", null, t("How can we help?")),
    page.greeting && h("p", null, page.greeting),
    h("form", { onsubmit: (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const text = field("question").trim();
      if (text) {
        say(text);
        go("wait");
      } else wrong("question", t("Write something before you send."));
    } },
      ...input("question", t("Your question"), { rows: 4, value: kept, maxLength: page.max_text, onkeydown: sendOnEnter }),
      h("button", { className: "first" }, t("Start chat"))),
    personal(),
  ].filter(Boolean),

  wait: (kept) => [
    h("h1", null, t("You are in the queue")),
    (parts.card = h("div", { className: "card" })),
    h("p", { className: "ways" },
      h("button", { type: "button", className: "second", onclick: () => go("call") }, t("Call me back")),
      h("button", { type: "button", className: "second", onclick: () => go("mail") }, t("Answer by e-mail"))),
    ...talk(kept),
  ],

  chat: (kept) => [
    h("h1", { className: "unseen" }, t("Chat")),
    me.waiting && me.answerBy === "email" && h("p", { className: "card" }, t("The answer comes by e-mail. You can add something here.")),
    ...talk(kept),
  ].filter(Boolean),

  away: (kept) => [
    h("h1", null, me.mode === "closed" && me.opens ? t("We are back: %(time)s", { time: when(me.opens) }) : t("Nobody is here at the moment")),
    h("p", null, t("Leave your question. You get an answer by e-mail, or a call if you prefer.")),
    form("leave_question",
      () => ({ text: field("question"), email: field("email"), phone: field("phone"), callback: !!field("phone") && checked("call") }),
      (said) => thank(said.reference),
      ...input("question", t("Your question"), { rows: 4, value: kept, maxLength: page.max_text, required: true }),
      ...input("email", t("E-mail"), { type: "email", autocomplete: "email", maxLength: 320 }),
      ...input("phone", t("Phone, if you want a call"), { type: "tel", autocomplete: "tel", maxLength: 60 }),
      h("label", { className: "check" }, h("input", { type: "checkbox", id: "call" }), t("Please call me back")),
      h("button", { className: "first" }, t("Send"))),
    personal(),
  ],

  mail: () => [
    h("h1", null, t("We answer by e-mail")),
    h("p", null, t("You keep your place in the queue. The answer comes to this address.")),
    form("contact", () => ({ email: field("email"), answer_by: "email" }), (said) => {
      me.answerBy = "email";
      me.reachable = true;
      thank(said.reference);
    },
      ...input("email", t("E-mail"), { type: "email", autocomplete: "email", required: true, maxLength: 320 }),
      h("button", { className: "first" }, t("Answer by e-mail"))),
    back(),
  ],

  keep: () => [
    h("h1", null, t("If you leave before the answer")),
    h("p", null, t("What you have not read is sent to this address a few minutes after you leave. You can go on here at any time.")),
    form("contact", () => ({ email: field("email") }), (said) => {
      me.reachable = true;
      me.mailTo = said.mail_to || "";
      go(talkingState());
      announce(t("If you leave, unread answers come to %(address)s by e-mail.", { address: me.mailTo }));
    },
      ...input("email", t("E-mail"), { type: "email", autocomplete: "email", required: true, maxLength: 320 }),
      h("button", { className: "first" }, t("Save"))),
    personal(),
    back(),
  ],

  call: () => {
    const select = h("select", { id: "slot" }, h("option", { value: "" }, t("As soon as possible")));
    line.ask("slots", {}).then((said) => {
      for (const slot of said.slots || []) {
        select.append(h("option", { value: JSON.stringify(slot) }, `${day.format(new Date(slot.from))} – ${clock.format(new Date(slot.to))}`));
      }
    }, () => {});
    return [
      h("h1", null, t("We call you back")),
      form("callback", () => ({ number: field("phone"), slot: select.value ? JSON.parse(select.value) : null }),
        (said) => thank(said.reference),
        ...input("phone", t("Phone"), { type: "tel", autocomplete: "tel", required: true, maxLength: 60 }),
        h("label", { htmlFor: "slot" }, t("When")), select,
        h("button", { className: "first" }, t("Request the call"))),
      back(),
    ];
  },

  done: () => [
    h("h1", { tabIndex: -1 }, t("Thank you")),
    h("p", null, t("Your question is with us. You can close this window.")),
    me.reference && h("p", { className: "card" }, t("Your reference number:"), " ", h("strong", null, me.reference)),
    back(),
  ].filter(Boolean),
};

/** @param {string} id */
const checked = (id) => /** @type {HTMLInputElement | null} */ (document.getElementById(id))?.checked || false;

/** Enter sends, Shift+Enter is a new line; not while an input method composes. @param {KeyboardEvent} event */
function sendOnEnter(event) {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    /** @type {HTMLElement} */ (event.target).closest("form")?.requestSubmit();
  }
}

/** The log and the field below it. @param {string} kept @returns {Node[]} */
function talk(kept) {
  /** @type {{id: number, name: string}[]} */
  const files = [];
  let wroteAt = 0;
  const chosen = h("p", { className: "chosen" });
  const picker = h("input", { type: "file", hidden: true, onchange: async () => {
    const file = picker.files[0];
    picker.value = "";
    if (!file) return;
    if (file.size > page.max_file) {
      chosen.append(h("span", { className: "error" }, t("This file is too large.")));
      announce(t("This file is too large."));
      return;
    }
    announce(t("Sending %(name)s", { name: file.name }));
    const body = new FormData();
    body.append("file", file);
    try {
      const answer = await fetch(`/widget/api/attachments?site=${encodeURIComponent(page.site)}&l=${page.language}`, {
        method: "POST", body, headers: { "X-Visitor-Token": me.token || "" },
      });
      const said = await answer.json();
      if (!said.ok) throw new Error(said.error?.message);
      files.push(said);
      chosen.append(h("span", { className: "file" }, said.name));
      announce(t("%(name)s is attached", { name: said.name }));
    } catch (error) {
      const words = (error instanceof Error && error.message) || t("The file could not be sent. Try again.");
      chosen.append(h("span", { className: "error" }, words));
      announce(words);
    }
  } });
  const message = h("textarea", {
    id: "message", rows: 1, value: kept, maxLength: page.max_text, placeholder: t("Message"), "aria-label": t("Message"),
    onkeydown: sendOnEnter,
    oninput: () => {
      if (message.value && Date.now() - wroteAt > WRITING_EVERY_MS) {
        wroteAt = Date.now();
        line.tell("typing", { on: true });
      }
    },
  });
  parts.log = h("ol", { className: "log" });
  parts.typing = h("p", { className: "typing" });
  parts.leaving = h("p", { className: "small leaving", hidden: true });
  parts.rating = h("div", { className: "card", hidden: true });
  return [
    h("div", { role: "log", "aria-label": t("Conversation"), className: "logged" }, /** @type {Node} */ (parts.log)),
    /** @type {Node} */ (parts.typing),
    /** @type {Node} */ (parts.leaving),
    /** @type {Node} */ (parts.rating),
    h("form", { className: "composer", onsubmit: (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const text = message.value.trim();
      if (!text && !files.length) return;
      say(text, files.splice(0));
      chosen.replaceChildren();
      message.value = "";
      wroteAt = 0;
      line.tell("typing", { on: false });
      draw();
      parts.main.scrollTop = parts.main.scrollHeight;
      message.focus();
    } }, chosen, picker,
      h("button", { type: "button", className: "icon", "aria-label": t("Attach a file"), onclick: () => picker.click() }, clip()),
      message, h("button", { className: "first" }, t("Send"))),
  ];
}

function clip() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", "M20 11.5l-8.2 8.2a5 5 0 0 1-7.1-7.1l8.5-8.5a3.3 3.3 0 0 1 4.7 4.7l-8.5 8.5a1.7 1.7 0 0 1-2.4-2.4l7.8-7.8");
  svg.append(path);
  return svg;
}

// --- the host --------------------------------------------------------------------------------------------------------

addEventListener("message", (event) => {
  if (event.origin !== page.host || event.source !== parent) return;
  const said = event.data || {};
  if (said.vuoro === "init" && !me.page) {
    me.token = said.token;
    me.page = said.page || " ";
    me.pending = said.pending || [];
    if (me.pending.length) go("wait");
    line.open();
  } else if (said.vuoro === "shown") {
    me.shown = said.on;
    if (me.shown) {
      focusFirst();
      line.now();
    }
    look();
  } else if (said.vuoro === "line") line.now();
});
document.getElementById("close")?.addEventListener("click", () => host({ vuoro: "close" }));
addEventListener("keydown", (event) => {
  if (event.key === "Escape") host({ vuoro: "close" });
});
document.addEventListener("visibilitychange", look);
setInterval(() => me.state === "wait" && draw(), 20_000);
draw();
host({ vuoro: "ready" });
