// Drafts: kept in this browser after 300 ms, on the server after 3 s, one per conversation and kind. Never lost.

/**
 * `key` goes with the draft to the send, so that sending it twice makes one entry.
 * @typedef {{ text: string, key: string, seen: number, recipients: { to: string[], cc: string[] } | null,
 *   attachments: { id: number, name: string, size_bytes: number }[], saved_at: number, summary?: Summary | null, block?: Block | null,
 *   answers?: number | null }} Draft
 * @typedef {{ understood: string, done: string, needed: string, by: string, on_top: boolean }} Block what stands out above or below the words
 * @typedef {{ callback: number, form: { asked: string, agreed: string, next_steps: { what: string }[] }, subject: string, seen: number }} Summary a call's summary, sent as such
 * @typedef {"reply" | "note"} Kind
 * @typedef {{ getItem(k: string): string | null, setItem(k: string, v: string): void, removeItem(k: string): void, key(i: number): string | null, readonly length: number }} Store
 */

export const LOCAL_MS = 300;
export const SERVER_MS = 3000;

/** @param {number} operator @param {number} conversation @param {Kind} kind */
const name = (operator, conversation, kind) => `draft:${operator}:${conversation}:${kind}`;

/** @param {string} key @returns {Draft} */
export const emptyDraft = (key) => ({ text: "", key, seen: 0, recipients: null, attachments: [], saved_at: 0 });

/** @param {Draft} draft */
export const isEmpty = (draft) => !draft.text.trim() && !draft.attachments.length && draft.recipients === null && !hasPoints(draft.block);

/** @param {Block | null | undefined} block */
export const hasPoints = (block) => !!block && !!(block.understood.trim() || block.done.trim() || block.needed.trim());

/** @type {Block} */
export const NO_POINTS = { understood: "", done: "", needed: "", by: "", on_top: true };

/**
 * The newer of what this browser and the server hold; what has words beats what has none.
 * @param {Draft | null} local
 * @param {Draft | null} remote
 */
export function newer(local, remote) {
  if (!local || isEmpty(local)) return remote ?? local;
  if (!remote || isEmpty(remote)) return local;
  return remote.saved_at > local.saved_at ? remote : local;
}

/**
 * @param {{
 *   operator: number, store: Store, now: () => number, newKey: () => string,
 *   saveRemote: (conversation: number, kind: Kind, draft: Draft) => Promise<unknown>,
 *   later: (run: () => void, ms: number) => unknown, cancel: (timer: any) => void,
 * }} parts
 */
export function draftKeeper({ operator, store, now, newKey, saveRemote, later, cancel }) {
  /** @type {Map<string, { draft: Draft, local: any, remote: any }>} */
  const held = new Map();

  /** @param {number} conversation @param {Kind} kind @returns {Draft | null} */
  function readLocal(conversation, kind) {
    try {
      const text = store.getItem(name(operator, conversation, kind));
      return text ? { ...emptyDraft(newKey()), ...JSON.parse(text) } : null;
    } catch {
      return null;
    }
  }

  /** @param {string} key @param {Draft} draft */
  function writeLocal(key, draft) {
    try {
      if (isEmpty(draft)) store.removeItem(key);
      else store.setItem(key, JSON.stringify(draft));
    } catch {
      // A full or forbidden store: the server still keeps it.
    }
  }

  return {
    /** @param {number} conversation @param {Kind} kind @param {Draft | null} [remote] */
    get(conversation, kind, remote = null) {
      const key = name(operator, conversation, kind);
      const known = held.get(key);
      if (known) {
        const better = newer(known.draft, remote) ?? known.draft;
        if (better !== known.draft) known.draft = { ...better, key: better.key || known.draft.key };
        return known.draft;
      }
      const draft = newer(readLocal(conversation, kind), remote) ?? emptyDraft(newKey());
      if (!draft.key) draft.key = newKey();
      held.set(key, { draft, local: null, remote: null });
      return draft;
    },

    /** @param {number} conversation @param {Kind} kind @param {Draft} draft */
    set(conversation, kind, draft) {
      const key = name(operator, conversation, kind);
      const known = held.get(key) ?? { draft, local: null, remote: null };
      known.draft = { ...draft, saved_at: now() };
      held.set(key, known);
      cancel(known.local);
      known.local = later(() => writeLocal(key, known.draft), LOCAL_MS);
      known.remote ??= later(() => {
        known.remote = null;
        saveRemote(conversation, kind, known.draft).catch(() => undefined);
      }, SERVER_MS);
      return known.draft;
    },

    /** After it was sent: the next one has a new key. @param {number} conversation @param {Kind} kind */
    forget(conversation, kind) {
      const key = name(operator, conversation, kind);
      const known = held.get(key);
      if (known) {
        cancel(known.local);
        cancel(known.remote);
      }
      held.delete(key);
      writeLocal(key, emptyDraft(""));
    },

    /** Write everything down now: the page is going away. */
    flush() {
      for (const [key, known] of held) {
        cancel(known.local);
        writeLocal(key, known.draft);
      }
    },

    /** Conversations with words of mine that were not sent. @returns {Set<number>} */
    conversations() {
      /** @type {Set<number>} */
      const found = new Set();
      const start = `draft:${operator}:`;
      for (let index = 0; index < store.length; index++) {
        const key = store.key(index);
        if (key?.startsWith(start)) found.add(Number(key.slice(start.length).split(":")[0]));
      }
      for (const [key, known] of held) {
        const id = Number(key.slice(start.length).split(":")[0]);
        if (!isEmpty(known.draft)) found.add(id);
      }
      return found;
    },
  };
}
