// The only thing a visitor who never chats pays: a button. The panel is loaded when somebody wants it.
// Speaks to the panel by messages to and from exactly its origin. Styles can't leak in or out (shadow root), and the
// host's content policy needs nothing but this origin in script-src, frame-src and connect-src.
(() => {
  const script = /** @type {HTMLScriptElement | null} */ (document.currentScript);
  if (!script || document.querySelector("vuoro-chat")) return;
  const { site = "", email = "", phone = "", privacy = "", language: wanted = "" } = script.dataset;
  const origin = new URL(script.src).origin;
  const language = (wanted || document.documentElement.lang || navigator.language || "en").slice(0, 2).toLowerCase();
  /** @type {Record<string, Record<string, string>>} */
  const words = /* words */ {};
  /** @param {string} said */
  const t = (said) => words[language]?.[said] || said;

  // Storage may be refused; the widget then forgets, and works.
  const key = `vuoro.${site}.`;
  /** @param {string} name @returns {any} */
  const kept = (name) => {
    try {
      return JSON.parse(localStorage.getItem(key + name) || "null");
    } catch {
      return null;
    }
  };
  /** @param {string} name @param {unknown} value */
  const keep = (name, value) => {
    try {
      if (value === null) localStorage.removeItem(key + name);
      else localStorage.setItem(key + name, JSON.stringify(value));
    } catch {
      // full or refused
    }
  };

  /**
   * @param {string} tag
   * @param {Record<string, any>} [props]
   * @param {...(Node | string)} children
   * @returns {any}
   */
  const make = (tag, props = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(props)) {
      if (name in element && name !== "list") /** @type {any} */ (element)[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };

  const css = `:host{all:initial!important;position:fixed!important;inset:auto 16px 16px auto!important;
z-index:var(--vuoro-z,2147483000)!important;font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif!important;color-scheme:light dark;--a:#2a55cf;--o:#fff;--s:#fff;--t:#171c26;--u:#454e5e;--c:#7d8695;--f:#1a4ad0}
@media(prefers-color-scheme:dark){:host{--a:#93b2ff;--o:#0b1530;--s:#181c24;--t:#eceff5;--u:#bcc4d1;--c:#7c879a;--f:#a3c0ff}}
*{box-sizing:border-box}button,input,textarea{font:inherit}
[hidden]{display:none!important}
:focus-visible{outline:2px solid var(--f);outline-offset:2px}
.b{display:flex;align-items:center;gap:10px;min-height:48px;padding:0 20px;border:0;border-radius:24px;background:var(--a);color:var(--o);font-weight:600;cursor:pointer;box-shadow:0 4px 16px rgb(20 28 45/25%)}
.b svg{width:20px;height:20px;fill:none;stroke:currentColor;stroke-width:1.7}
.n{min-width:22px;padding:0 6px;border-radius:11px;background:var(--o);color:var(--a);font-size:13px;line-height:22px;text-align:center}
.p{position:fixed;inset:auto 16px 76px auto;width:380px;height:min(640px,calc(100dvh - 92px));border-radius:14px;overflow:hidden;background:var(--s);color:var(--t);box-shadow:0 12px 40px rgb(20 28 45/28%)}
.p iframe{display:block;width:100%;height:100%;border:0}
form{display:flex;flex-direction:column;gap:6px;height:100%;overflow:auto;padding:20px}
h2{margin:0;padding-inline-end:44px;font-size:18px;font-weight:700}p{margin:0 0 6px;color:var(--u)}
label{font-weight:600}
textarea,.i{width:100%;min-height:44px;padding:8px 12px;border:1px solid var(--c);border-radius:6px;background:var(--s);color:var(--t);font-size:16px;resize:vertical}
textarea{min-height:112px;flex:none}
.k{display:flex;align-items:center;gap:10px;min-height:44px;font-weight:400}.k input{width:20px;height:20px}
.m,a.m{display:block;min-height:44px;padding:10px 16px;border:1px solid var(--a);border-radius:8px;background:none;color:var(--a);font-weight:600;text-align:center;text-decoration:none;cursor:pointer}
.m.f{background:var(--a);color:var(--o)}
.x{position:absolute;inset:10px 10px auto auto;width:44px;height:44px;border:0;border-radius:8px;background:none;color:inherit;font-size:20px;cursor:pointer}
@media(max-width:480px){.p{inset:0;width:100vw;height:100dvh;border-radius:0}:host(.open) .b{display:none}}`;

  const host = document.createElement("vuoro-chat");
  const root = host.attachShadow({ mode: "open" });
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [sheet];
  } catch {
    root.append(make("style", { textContent: css }));
  }

  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", "M4 5h16v11H10l-4 4v-4H4z");
  svg.append(path);
  const label = make("span", {}, t("Chat with us"));
  const badge = make("span", { className: "n", hidden: true });
  const button = make("button", { className: "b", type: "button", "aria-expanded": "false" }, svg, label, badge);
  const panel = make("div", { className: "p", role: "dialog", "aria-label": t("Support chat"), hidden: true });
  root.append(button, panel);

  /** @type {HTMLIFrameElement | null} */
  let frame = null;
  /** @type {HTMLFormElement | null} */
  let form = null;
  let ready = false;
  let shown = false;
  let unread = 0;

  /** @param {Record<string, unknown>} message */
  const tell = (message) => {
    if (frame && ready) frame.contentWindow?.postMessage(message, origin);
  };

  const draw = () => {
    button.setAttribute("aria-expanded", String(shown));
    label.textContent = shown ? t("Close chat") : t("Chat with us");
    badge.hidden = shown || !unread;
    badge.textContent = String(unread);
    badge.setAttribute("aria-label", `${unread} ${t("new messages")}`);
    badge.setAttribute("role", "img");
    host.classList.toggle("open", shown);
    panel.hidden = !shown;
    if (frame) frame.hidden = !!form;
  };

  const build = () => {
    if (frame) return;
    const o = encodeURIComponent(location.origin);
    frame = make("iframe", {
      title: t("Support chat"), allow: "", referrerPolicy: "no-referrer",
      src: `${origin}/widget/panel?site=${encodeURIComponent(site)}&o=${o}&l=${encodeURIComponent(language)}`,
    });
    panel.append(frame);
    setTimeout(() => {
      if (!ready && shown) offline();
    }, 8000);
  };

  const open = () => {
    shown = true;
    if (navigator.onLine) build();
    if (!navigator.onLine && !ready) offline();
    draw();
    tell({ vuoro: "shown", on: true });
    if (form) form.querySelector("textarea")?.focus();
    else frame?.focus();
  };

  const close = () => {
    shown = false;
    draw();
    tell({ vuoro: "shown", on: false });
    button.focus();
  };

  button.addEventListener("pointerdown", () => navigator.onLine && build());
  button.addEventListener("click", () => (shown ? close() : open()));
  panel.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") close();
  });

  addEventListener("message", (event) => {
    if (event.origin !== origin || !frame || event.source !== frame.contentWindow) return;
    const said = event.data || {};
    if (said.vuoro === "ready") {
      ready = true;
      online();
      tell({
        vuoro: "init", token: kept("token"), pending: kept("pending") || [], page: location.origin + location.pathname,
      });
      tell({ vuoro: "shown", on: shown });
    } else if (said.vuoro === "token") keep("token", said.token);
    else if (said.vuoro === "pending") keep("pending", said.pending.length ? said.pending : null);
    else if (said.vuoro === "going on") keep("open", said.on || null);
    else if (said.vuoro === "unread") {
      unread = said.n;
      draw();
    } else if (said.vuoro === "close") close();
    else if (said.vuoro === "offline") {
      if (shown) offline(said.text);
    } else if (said.vuoro === "online") online();
  });

  // --- nobody to talk to: keep the question here, send it when there is a line again -------------------------------

  /** @returns {{id: string, text: string, email: string, phone: string, callback: boolean}[]} */
  const outbox = () => kept("outbox") || [];
  let flushing = false;

  /** @param {(said: string) => void} [report] */
  const flush = async (report = () => {}) => {
    if (flushing || !navigator.onLine) return;
    flushing = true;
    try {
      for (const question of outbox()) {
        const answer = await fetch(`${origin}/widget/api/question?site=${encodeURIComponent(site)}&l=${language}`, {
          method: "POST", credentials: "omit", headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ ...question, token: kept("token") }),
        });
        const said = await answer.json();
        if (!said.ok && answer.status !== 422) break; // busy: it stays and is tried again
        keep("outbox", outbox().filter((other) => other.id !== question.id));
        if (said.ok) {
          keep("token", said.token);
          keep("open", true);
          report(t("Sent. We answer as soon as we can. Your reference number:") + " " + said.reference);
        } else report(said.error.message);
      }
    } catch {
      // still offline
    }
    if (!outbox().length) keep("outbox", null);
    flushing = false;
  };

  const online = () => {
    form?.remove();
    form = null;
    draw();
    tell({ vuoro: "shown", on: shown });
  };

  /** @param {string} [text] */
  const offline = (text = "") => {
    if (form) return;
    const said = make("p", { role: "status" });
    const question = make("textarea", { id: "q", required: true, maxLength: 10000, value: text });
    const contact = make("input", { id: "c", className: "i", required: true, maxLength: 320, autocomplete: "email" });
    const call = make("input", { type: "checkbox" });
    const mail = make("a", { className: "m", href: `mailto:${email}`, hidden: !email }, t("Send by e-mail"));
    mail.addEventListener("pointerdown", () => {
      mail.href = `mailto:${email}?body=${encodeURIComponent(question.value)}`;
    });
    form = make("form", {},
      make("button", { className: "x", type: "button", "aria-label": t("Close"), onclick: close }, "✕"),
      make("h2", {}, t("We cannot connect you right now")),
      make("p", {}, t("Write your question. We keep it here and send it as soon as the connection is back.")),
      make("label", { htmlFor: "q" }, t("Your question")), question,
      make("label", { htmlFor: "c" }, t("E-mail or phone")), contact,
      make("label", { className: "k" }, call, t("Please call me back")),
      make("button", { className: "m f" }, t("Save and send")), mail,
      ...(phone ? [make("a", { className: "m", href: `tel:${phone.replace(/\s/g, "")}` }, `${t("Call")} ${phone}`)] : []),
      said, make("p", {}, t("We use what you write only to answer you."), " ",
        ...(privacy ? [make("a", { href: privacy, target: "_blank", rel: "noopener" }, t("Privacy"))] : [])));
    form?.addEventListener("submit", (event) => {
      event.preventDefault();
      const to = contact.value.trim();
      const isMail = to.includes("@");
      keep("outbox", [...outbox(), {
        // Not randomUUID: browsers have it only on encrypted pages.
        id: [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
        text: question.value, email: isMail ? to : "", phone: isMail ? "" : to,
        callback: call.checked && !isMail,
      }]);
      question.value = "";
      said.textContent = t("Kept. We will send it when you are back online.");
      flush((result) => (said.textContent = result));
    });
    panel.append(form);
    draw();
    question.focus();
  };

  addEventListener("online", () => {
    flush(() => {});
    if (shown) build();
    tell({ vuoro: "line", on: true });
  });

  const begin = () => {
    document.body.append(host);
    if (outbox().length && navigator.onLine) flush();
    // Somebody who has a conversation gets its badge, when the page has nothing better to do.
    if (kept("open")) ("requestIdleCallback" in window ? requestIdleCallback : setTimeout)(build);
  };
  if (document.body) begin();
  else addEventListener("DOMContentLoaded", begin);
})();
