// A line to the desk: Socket.IO 5 over Engine.IO 4, text only, one namespace. Websocket first; where proxies block it,
// long polling after two failures. Comes back by itself, and says when it is up and when it is down.

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
const OPEN_WITHIN_MS = 8_000;
const ANSWER_WITHIN_MS = 15_000;

/**
 * @typedef {{
 *   up?: () => void,
 *   down?: () => void,
 *   refused?: (reason: string) => void,
 *   event: (name: string, data: any) => void,
 * }} Listener
 * @typedef {{ send: (text: string) => void, close: () => void }} Transport
 */

export class Line {
  /**
   * @param {string} namespace
   * @param {() => Record<string, unknown>} auth asked at every connect
   * @param {Listener} listener
   */
  constructor(namespace, auth, listener) {
    this.namespace = namespace;
    this.auth = auth;
    this.listener = listener;
    this.up = false;
    this.failures = 0;
    this.blocked = 0; // websockets that never opened
    this.number = 0;
    /** @type {Map<number, {answer: (data: any) => void, fail: (error: Error) => void, timer: number}>} */
    this.asked = new Map();
    /** @type {Transport | null} */
    this.transport = null;
    this.pause = 0;
    this.silence = 0;
    this.patience = 60_000;
    addEventListener("online", () => this.now());
  }

  open() {
    if (this.transport) return;
    clearTimeout(this.pause);
    const events = { text: (/** @type {string} */ text) => this.text(text), gone: () => this.gone(transport) };
    const transport = this.blocked < 2 ? this.socket(events) : polling(events);
    this.transport = transport;
    this.listen(OPEN_WITHIN_MS);
  }

  /** Try at once rather than after the pause. */
  now() {
    if (!this.transport) this.open();
  }

  /**
   * Resolves with the desk's answer; rejects when the line drops first.
   * @param {string} name
   * @param {unknown} data
   * @returns {Promise<any>}
   */
  ask(name, data) {
    if (!this.up) return Promise.reject(new Error("down"));
    const id = this.number++;
    return new Promise((answer, fail) => {
      const timer = setTimeout(() => this.gone(this.transport), ANSWER_WITHIN_MS);
      this.asked.set(id, { answer, fail, timer });
      this.send(`42${this.namespace},${id}${JSON.stringify([name, data])}`);
    });
  }

  /** @param {string} name @param {unknown} data */
  tell(name, data) {
    if (this.up) this.send(`42${this.namespace},${JSON.stringify([name, data])}`);
  }

  /** @param {string} text */
  send(text) {
    this.transport?.send(text);
  }

  /** @param {{text: (text: string) => void, gone: () => void}} events @returns {Transport} */
  socket(events) {
    let opened = false;
    const url = new URL("/socket.io/?EIO=4&transport=websocket", location.href);
    const socket = new WebSocket(url.href.replace(/^http/, "ws"));
    socket.onmessage = (message) => {
      opened = true;
      this.blocked = 0;
      events.text(message.data);
    };
    socket.onclose = () => {
      if (!opened && navigator.onLine) this.blocked++;
      events.gone();
    };
    return {
      send: (text) => socket.readyState === 1 && socket.send(text),
      close: () => socket.close(),
    };
  }

  /** Expect to hear something within `ms`. @param {number} ms */
  listen(ms) {
    clearTimeout(this.silence);
    const transport = this.transport;
    this.silence = setTimeout(() => this.gone(transport), ms);
  }

  /** @param {string} text */
  text(text) {
    const kind = text[0];
    if (kind === "0") {
      const open = JSON.parse(text.slice(1));
      this.patience = open.pingInterval + open.pingTimeout;
      this.send(`40${this.namespace},${JSON.stringify(this.auth())}`);
    } else if (kind === "2") this.send("3");
    else if (kind === "4") this.packet(text[1], text.slice(2));
    else if (kind === "1") return this.gone(this.transport);
    this.listen(this.up ? this.patience : OPEN_WITHIN_MS);
  }

  /** @param {string} kind @param {string} rest */
  packet(kind, rest) {
    if (!rest.startsWith(this.namespace)) return;
    const comma = rest.indexOf(",");
    const [, id, json] = /** @type {RegExpMatchArray} */ (
      (comma < 0 ? "" : rest.slice(comma + 1)).match(/^(\d*)([^]*)$/));
    const data = json ? JSON.parse(json) : null;
    if (kind === "0") {
      this.up = true;
      this.failures = 0;
      this.listener.up?.();
    } else if (kind === "2") this.listener.event(data[0], data[1]);
    else if (kind === "3") {
      const asked = this.asked.get(Number(id));
      if (asked) {
        clearTimeout(asked.timer);
        this.asked.delete(Number(id));
        asked.answer(data[0]);
      }
    } else if (kind === "4") {
      this.listener.refused?.(data?.message || "");
      this.gone(this.transport);
    } else if (kind === "1") this.gone(this.transport);
  }

  /** @param {Transport | null} transport */
  gone(transport) {
    if (!transport || transport !== this.transport) return;
    this.transport = null;
    transport.close();
    clearTimeout(this.silence);
    const was = this.up;
    if (!was && this.blocked >= 2) this.blocked = 0; // polling failed as well: it was the desk, not a proxy
    this.up = false;
    for (const asked of this.asked.values()) {
      clearTimeout(asked.timer);
      asked.fail(new Error("down"));
    }
    this.asked.clear();
    // Half of the pause is chance, so that a thousand browsers do not come back in the same instant.
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures++);
    this.pause = setTimeout(() => this.open(), longest / 2 + (Math.random() * longest) / 2);
    if (was || this.failures === 1) this.listener.down?.();
  }
}

/** @param {{text: (text: string) => void, gone: () => void}} events @returns {Transport} */
function polling(events) {
  let open = true;
  let url = "/socket.io/?EIO=4&transport=polling";
  /** @type {string[]} */
  let waiting = [];
  let sending = false;

  /** @param {RequestInit} [options] */
  const request = async (options) => {
    const answer = await fetch(url, { cache: "no-store", ...options });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.text();
  };
  const fail = () => {
    if (open) events.gone();
    open = false;
  };
  const receive = async () => {
    while (open) {
      for (const text of (await request()).split("\x1e")) {
        if (text[0] === "0") url += `&sid=${encodeURIComponent(JSON.parse(text.slice(1)).sid)}`;
        if (open && text) events.text(text);
      }
    }
  };
  const flush = async () => {
    if (sending) return;
    sending = true;
    while (open && waiting.length) {
      const body = waiting.join("\x1e");
      waiting = [];
      await request({ method: "POST", body, headers: { "Content-Type": "text/plain;charset=UTF-8" } });
    }
    sending = false;
  };
  receive().catch(fail);
  return {
    send: (text) => {
      waiting.push(text);
      flush().catch(fail);
    },
    close: () => {
      open = false;
    },
  };
}
