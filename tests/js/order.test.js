import assert from "node:assert/strict";
import { test } from "node:test";
import { applied, before, belongs, joined, NOT_WAITING, place, scrolledTo, steady, windowOf } from "../../web/static/js/order.js";

const row = (id, key, more = {}) => ({
  id, queue_key: key, version: 1, status: "open", owner_id: null, channel: "chat", callback: null, tags: [], ...more,
});
const about = { view: "waiting", me: 7, channel: "", whole: true };
const ids = (rows) => rows.map((one) => one.id);

test("the most urgent comes first and ties are broken by id", () => {
  assert.deepEqual(ids([row(3, 20), row(2, 10), row(1, 20)].sort(before)), [2, 1, 3]);
});

test("a new row finds its place by halving", () => {
  const rows = [row(1, 10), row(2, 20), row(3, 30)];
  assert.equal(place(rows, row(9, 25)), 2);
  assert.equal(place(rows, row(9, 5)), 0);
  assert.equal(place(rows, row(9, 99)), 3);
});

test("a pushed change moves a row to its new place", () => {
  const rows = [row(1, 10), row(2, 20), row(3, 30)];
  assert.deepEqual(ids(applied(rows, { rows: [row(1, 25, { version: 2 })], gone: [] }, about)), [2, 1, 3]);
});

test("what is older than what is held is dropped", () => {
  const rows = [row(1, 10, { version: 5 })];
  assert.equal(applied(rows, { rows: [row(1, 99, { version: 4 })], gone: [] }, about), rows);
});

test("an answered conversation leaves the list of those who wait", () => {
  const rows = [row(1, 10), row(2, 20)];
  const answered = row(1, NOT_WAITING + 5, { version: 2, status: "pending" });
  assert.deepEqual(ids(applied(rows, { rows: [answered], gone: [] }, about)), [2]);
});

test("a row behind the loaded part stays out until its piece is loaded", () => {
  const rows = [row(1, 10), row(2, 20)];
  assert.deepEqual(ids(applied(rows, { rows: [row(3, 30)], gone: [] }, { ...about, whole: false })), [1, 2]);
  assert.deepEqual(ids(applied(rows, { rows: [row(3, 30)], gone: [] }, about)), [1, 2, 3]);
});

test("a row of another channel does not enter a list of one channel", () => {
  assert.deepEqual(applied([], { rows: [row(1, 10, { channel: "email" })], gone: [] }, { ...about, channel: "chat" }), []);
});

test("views follow the rules of the server", () => {
  assert.ok(belongs("mine", row(1, NOT_WAITING, { owner_id: 7 }), 7));
  assert.ok(!belongs("mine", row(1, 10, { owner_id: 8 }), 7));
  assert.ok(belongs("unassigned", row(1, 10), 7));
  assert.ok(!belongs("waiting", row(1, NOT_WAITING), 7));
  assert.ok(belongs("callbacks", row(1, 10, { callback: "due" }), 7));
  assert.ok(belongs("spam", row(1, 10, { spam: true, status: "closed" }), 7));
  assert.ok(!belongs("closed", row(1, 10, { spam: true, status: "closed" }), 7));
});

test("a piece that overlaps what pushes brought doubles nothing", () => {
  assert.deepEqual(ids(joined([row(1, 10), row(3, 30)], [row(2, 20), row(3, 30)])), [1, 2, 3]);
});

test("only the rows in sight and a few beside them are drawn", () => {
  const part = windowOf({ scrollTop: 7200, height: 720, rowHeight: 72, total: 5000, spare: 4 });
  assert.deepEqual(part, { first: 96, last: 114, before: 96 * 72, whole: 5000 * 72 });
});

test("a window beyond the end of a list that became short is empty, not broken", () => {
  const part = windowOf({ scrollTop: 7200, height: 720, rowHeight: 72, total: 3 });
  assert.ok(part.first <= part.last && part.last === 3);
});

test("scrolling to a row moves as little as possible", () => {
  const view = { scrollTop: 100, height: 200, rowHeight: 50 };
  assert.equal(scrolledTo(1, view), 50);
  assert.equal(scrolledTo(3, view), 100);
  assert.equal(scrolledTo(7, view), 200);
});

test("rows keep their places under the hand: who left is marked, who came is counted", () => {
  const shown = [row(1, 10), row(2, 20), row(3, 30)];
  const current = [row(9, 5), row(1, 10, { version: 2, unread: 4 }), row(3, 30)];
  const still = steady(shown, current);
  assert.deepEqual(ids(still.rows), [1, 2, 3]);
  assert.equal(still.rows[0].unread, 4);
  assert.deepEqual([...still.gone], [2]);
  assert.equal(still.changes, 2);
});

test("a changed order is one change", () => {
  const still = steady([row(1, 10), row(2, 20)], [row(2, 5), row(1, 10)]);
  assert.deepEqual(ids(still.rows), [1, 2]);
  assert.equal(still.changes, 1);
});
