import assert from "node:assert/strict";
import { test } from "node:test";
import { ariaKeys, caps, hint, matcher, pressed, SHORTCUTS } from "../../web/static/js/keys.js";

test("no two actions share a key", () => {
  const all = SHORTCUTS.flatMap((one) => one.keys);
  assert.equal(new Set(all).size, all.length);
});

test("no shortcut uses Alt, and none takes what a browser needs", () => {
  for (const keys of SHORTCUTS.flatMap((one) => one.keys)) {
    assert.ok(!/alt/i.test(keys), keys);
    assert.ok(!/mod\+(shift\+)?[twn]$/.test(keys), keys);
  }
});

test("every shortcut has words for the help dialog", () => {
  for (const one of SHORTCUTS) assert.ok(one.label().length > 2, one.action);
});

test("keys are told by what they mean, and by their place where letters are others", () => {
  assert.equal(pressed({ key: "j" }), "j");
  assert.equal(pressed({ key: "о", code: "KeyJ" }), "j");
  assert.equal(pressed({ key: "?", shiftKey: true }), "?");
  assert.equal(pressed({ key: "R", shiftKey: true }), "shift+r");
  assert.equal(pressed({ key: "k", ctrlKey: true }), "mod+k");
  assert.equal(pressed({ key: "Enter", metaKey: true, shiftKey: true }), "mod+shift+Enter");
  assert.equal(pressed({ key: " ", shiftKey: true }), "shift+ ");
});

test("Caps Lock does not change what a letter does", () => {
  assert.equal(pressed({ key: "J" }), "j");
});

test("a sequence is followed within a second and forgotten after", () => {
  const match = matcher(SHORTCUTS);
  assert.equal(match("g", 0), "wait");
  assert.equal(match("m", 400).action, "go-mine");
  assert.equal(match("g", 5000), "wait");
  assert.equal(match("i", 6500).action, "take");
});

test("after an unknown second key the first is forgotten", () => {
  const match = matcher(SHORTCUTS);
  match("g", 0);
  assert.equal(match("x", 100), null);
  assert.equal(match("i", 200).action, "take");
});

test("caps, hints and the reader's form come from the same table", () => {
  assert.deepEqual(caps("g i"), ["g", "i"]);
  assert.deepEqual(caps("shift+r"), ["R"]);
  assert.deepEqual(caps("shift+ "), ["Shift", "Space"]);
  assert.equal(hint("take-next"), "q");
  assert.equal(ariaKeys("send"), "Control+Enter");
});
