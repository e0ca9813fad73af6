import assert from "node:assert/strict";
import { test } from "node:test";
import { draftKeeper, emptyDraft, LOCAL_MS, newer, SERVER_MS } from "../../web/static/js/drafts.js";

/** A store, a clock and timers that a test turns by hand. */
function bench() {
  const kept = new Map();
  const store = {
    getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => void kept.set(k, v), removeItem: (k) => void kept.delete(k),
    key: (i) => [...kept.keys()][i] ?? null, get length() { return kept.size; },
  };
  let now = 1000, number = 0;
  const timers = [];
  const saved = [];
  const parts = {
    operator: 7, store, now: () => now, newKey: () => `key-${++number}`,
    saveRemote: async (id, kind, draft) => { saved.push([id, kind, draft.text]); },
    later: (run, ms) => { const timer = { run, at: now + ms }; timers.push(timer); return timer; },
    cancel: (timer) => { if (timer) timers.splice(0, timers.length, ...timers.filter((one) => one !== timer)); },
  };
  const pass = (ms) => {
    now += ms;
    for (const timer of [...timers].filter((one) => one.at <= now)) {
      timers.splice(timers.indexOf(timer), 1);
      timer.run();
    }
  };
  return { keeper: draftKeeper(parts), again: () => draftKeeper(parts), kept, saved, pass };
}

const write = (keeper, id, kind, text) => keeper.set(id, kind, { ...keeper.get(id, kind), text });

test("what is written survives a reload after 300 ms", () => {
  const { keeper, again, pass } = bench();
  write(keeper, 5, "reply", "Hello");
  pass(LOCAL_MS);
  assert.equal(again().get(5, "reply").text, "Hello");
});

test("the server gets it after 3 s, the newest words and once", () => {
  const { keeper, saved, pass } = bench();
  write(keeper, 5, "reply", "Hel");
  pass(1000);
  write(keeper, 5, "reply", "Hello");
  pass(SERVER_MS);
  assert.deepEqual(saved, [[5, "reply", "Hello"]]);
});

test("reply and note of one conversation are two drafts", () => {
  const { keeper } = bench();
  write(keeper, 5, "reply", "to the customer");
  write(keeper, 5, "note", "among us");
  assert.equal(keeper.get(5, "reply").text, "to the customer");
  assert.equal(keeper.get(5, "note").text, "among us");
});

test("the key stays with the draft until it is sent, and the next has another", () => {
  const { keeper } = bench();
  const first = write(keeper, 5, "reply", "Hello").key;
  assert.equal(write(keeper, 5, "reply", "Hello you").key, first);
  keeper.forget(5, "reply");
  assert.notEqual(keeper.get(5, "reply").key, first);
  assert.equal(keeper.get(5, "reply").text, "");
});

test("a page that goes away writes everything down at once", () => {
  const { keeper, again } = bench();
  write(keeper, 5, "reply", "Half a sent");
  keeper.flush();
  assert.equal(again().get(5, "reply").text, "Half a sent");
});

test("conversations with unsent words are known to the list", () => {
  const { keeper, pass } = bench();
  write(keeper, 5, "reply", "Hello");
  write(keeper, 6, "note", "  ");
  pass(LOCAL_MS);
  assert.deepEqual([...keeper.conversations()], [5]);
});

test("of two copies the newer counts, but words beat none", () => {
  const local = { ...emptyDraft("a"), text: "old words", saved_at: 1 };
  const remote = { ...emptyDraft("b"), text: "new words", saved_at: 2 };
  assert.equal(newer(local, remote).text, "new words");
  assert.equal(newer({ ...emptyDraft("a"), saved_at: 9 }, remote).text, "new words");
  assert.equal(newer(local, null).text, "old words");
});

test("a browser that keeps nothing still lets one write", () => {
  const broken = { getItem() { throw new Error("no"); }, setItem() { throw new Error("no"); }, removeItem() { throw new Error("no"); }, key: () => null, length: 0 };
  const keeper = draftKeeper({
    operator: 7, store: broken, now: () => 1, newKey: () => "k", saveRemote: async () => undefined, later: (run) => run(), cancel: () => undefined,
  });
  write(keeper, 5, "reply", "Hello");
  assert.equal(keeper.get(5, "reply").text, "Hello");
});

test("a draft of another computer fills a box in which nothing is written", () => {
  const { keeper } = bench();
  const key = keeper.get(5, "reply").key;
  const remote = { ...emptyDraft(""), text: "from elsewhere", saved_at: 5 };
  assert.equal(keeper.get(5, "reply", remote).text, "from elsewhere");
  assert.equal(keeper.get(5, "reply").key, key);
});
