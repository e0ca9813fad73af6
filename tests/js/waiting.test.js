import assert from "node:assert/strict";
import { test } from "node:test";
import { duration, nextChange, stateWords, targetOf, untilNextSecond, waitState } from "../../web/static/js/waiting.js";

const start = Date.parse("2026-03-10T10:00:00Z");
const waiting = {
  status: "open", channel: "chat", paused: false,
  waiting_since: "2026-03-10T10:00:00Z", warn_at: "2026-03-10T10:03:00Z", due_at: "2026-03-10T10:05:00Z",
};
const after = (minutes, seconds = 0) => start + (minutes * 60 + seconds) * 1000;

test("a wait passes through its three states on the second", () => {
  assert.equal(waitState(waiting, after(2, 59)), "target");
  assert.equal(waitState(waiting, after(3)), "warned");
  assert.equal(waitState(waiting, after(4, 59)), "warned");
  assert.equal(waitState(waiting, after(5)), "missed");
});

test("an agreed pause, a customer's turn and nobody's turn are no waits", () => {
  assert.equal(waitState({ ...waiting, paused: true, warn_at: null, due_at: null }, after(9)), "agreed");
  assert.equal(waitState({ ...waiting, waiting_since: null, status: "pending" }, after(9)), "customer");
  assert.equal(waitState({ ...waiting, waiting_since: null, status: "closed" }, after(9)), "none");
});

test("the next change is known in advance", () => {
  assert.equal(nextChange(waiting, after(1)), after(3));
  assert.equal(nextChange(waiting, after(4)), after(5));
  assert.equal(nextChange(waiting, after(6)), null);
});

test("times read m:ss to an hour, hours and minutes to a day, days and hours after", () => {
  assert.equal(duration(0), "0:00");
  assert.equal(duration(9_999), "0:09");
  assert.equal(duration(3_599_000), "59:59");
  assert.equal(duration(3_840_000), "1h 04m");
  assert.equal(duration((2 * 24 + 3) * 3_600_000), "2d 3h");
  assert.equal(duration(-5_000), "0:00");
});

test("states are said in words with the minutes of their own target", () => {
  assert.equal(stateWords("warned", { warn_s: 180, target_s: 300 }), "over 3 minutes");
  assert.equal(stateWords("missed", { warn_s: 600, target_s: 1200 }), "over 20 minutes");
  assert.equal(stateWords("missed", { warn_s: 30, target_s: 60 }), "over 1 minute");
});

test("a channel without its own target has the desk's", () => {
  const targets = { default: { warn_s: 180, target_s: 300 }, email: { warn_s: 600, target_s: 1200 } };
  assert.equal(targetOf(targets, "email").target_s, 1200);
  assert.equal(targetOf(targets, "chat").target_s, 300);
  assert.equal(targetOf({}, "chat").target_s, 300);
});

test("the one timer wakes at the full second of the server's clock", () => {
  assert.equal(untilNextSecond(10_250), 750);
  assert.equal(untilNextSecond(10_000), 1000);
  assert.equal(untilNextSecond(-250), 250);
});
