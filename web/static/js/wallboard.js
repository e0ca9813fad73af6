// The wallboard: the server says that something changed, the changed parts are put in, clocks tick in between.
import { io } from "../vendor/socket.io.esm.min.js";
import { duration } from "./waiting.js";
import { page, t } from "./words.js";

const RELOAD_MS = 10_000;
const LOST_MS = 15_000;

const board = /** @type {HTMLElement} */ (document.getElementById("board"));
const live = /** @type {HTMLElement} */ (document.getElementById("live"));
const liveWords = /** @type {HTMLElement} */ (document.getElementById("live-words"));
const liveClock = /** @type {HTMLElement} */ (document.getElementById("live-clock"));
const pause = /** @type {HTMLButtonElement} */ (document.getElementById("pause"));

let offset = Date.parse(page.now) - Date.now();
let number = page.number;
let toldAt = Date.now();
let paused = false;
/** What the server sent last for each part: clocks have changed the page since. @type {Map<string, string>} */
const sent = new Map();

const serverNow = () => Date.now() + offset;

const clock = new Intl.DateTimeFormat(page.language === "en" ? "en-GB" : page.language, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: page.zone,
});

function tick() {
  const now = serverNow();
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (board.querySelectorAll("[data-net]"))) {
    const since = "ticks" in element.dataset ? now - Date.parse(element.dataset.at ?? "") : 0;
    const text = duration(Number(element.dataset.net) * 1000 + Math.max(0, since));
    if (element.textContent !== text) element.textContent = text;
  }
  liveClock.textContent = clock.format(now);
}

/** Say once what kind of picture this is; the ticking clock beside it stays silent for readers. */
function say() {
  const lost = !paused && Date.now() - toldAt > LOST_MS;
  const words = paused ? t("Paused") : lost ? t("Not live since %(time)s", { time: clock.format(toldAt + offset) }) : t("Live");
  if (liveWords.textContent !== words) liveWords.textContent = words;
  live.classList.toggle("lost", lost);
  liveClock.hidden = lost;
}

/** @param {ParentNode} root @returns {HTMLElement[]} */
const parts = (root) => [.../** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-part]"))];

/** Put in what differs; focus and opened tables stay. @param {Document} fresh */
function take(fresh) {
  for (const part of parts(fresh)) {
    const name = part.dataset.part ?? "";
    if (sent.get(name) === part.outerHTML) continue;
    sent.set(name, part.outerHTML);
    const old = /** @type {HTMLElement | null} */ (board.querySelector(`[data-part="${name}"]`));
    if (!old) continue;
    const held = old.contains(document.activeElement) ? document.activeElement : null;
    const address = held?.getAttribute("href");
    const opened = [...old.querySelectorAll("details")].map((details) => details.open);
    const added = document.importNode(part, true);
    [...added.querySelectorAll("details")].forEach((details, index) => { details.open = opened[index] ?? false; });
    old.replaceWith(added);
    if (held === old) added.focus({ preventScroll: true });
    else if (held && address) /** @type {HTMLElement | null} */ (added.querySelector(`[href="${CSS.escape(address)}"]`))?.focus({ preventScroll: true });
  }
  tick();
}

/** The board as a document: parsed by the browser itself, which the content policy asks for. @param {string} address @returns {Promise<XMLHttpRequest>} */
function load(address) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.timeout = RELOAD_MS * 2;
    request.onload = () => {
      if (request.status === 200 && request.getResponseHeader("X-Board")) resolve(request);
      else if (request.status >= 500) reject(new Error(String(request.status)));
      else location.reload(); // signed out, or the link is revoked
    };
    request.onerror = request.ontimeout = () => reject(new Error("no answer"));
    request.send();
  });
}

let reading = false;
let again = false;

/** @param {boolean} [wait] let the server answer when something has happened */
async function read(wait = false) {
  if (reading) {
    again = true;
    return;
  }
  reading = true;
  try {
    const answer = await load(wait ? `${page.board}?after=${number}` : page.board);
    offset = Date.parse(answer.getResponseHeader("X-Now") ?? "") - Date.now() || offset;
    number = Number(answer.getResponseHeader("X-Board")) || number;
    toldAt = Date.now();
    if (!paused && answer.responseXML) take(answer.responseXML);
  } finally {
    reading = false;
    say();
  }
  if (again && !paused) {
    again = false;
    await read();
  }
}

function followSocket() {
  const socket = io("/desk", { path: "/socket.io", transports: ["websocket", "polling"], tryAllTransports: true });
  const refresh = () => void (paused || read().catch(say));
  socket.on("connect", () => {
    socket.emit("wall", {});
    refresh();
  });
  socket.on("disconnect", (reason) => {
    if (reason === "io server disconnect") setTimeout(() => socket.connect(), 1000);
  });
  socket.on("wall", refresh);
  setInterval(refresh, RELOAD_MS);
}

async function followLink() {
  for (;;) {
    try {
      if (paused || document.hidden) await new Promise((resolve) => setTimeout(resolve, 1000));
      else await read(true);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  say();
  if (!paused) void read().catch(say);
});

for (const part of parts(board)) sent.set(part.dataset.part ?? "", part.outerHTML);
tick();
setInterval(() => {
  if (!paused) tick();
  say();
}, 250);
if (page.live === "poll") void followLink();
else followSocket();
document.documentElement.dataset.ready = "";
