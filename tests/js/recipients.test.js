import assert from "node:assert/strict";
import { test } from "node:test";
import { difference, looksLikeMail } from "../../web/static/js/recipients.js";

const standard = { to: ["olivia@hart.example"], cc: ["accounts@hart.example"] };

test("whoever is taken out is named", () => {
  assert.deepEqual(difference(standard, { to: ["olivia@hart.example"], cc: [] }), { left: ["accounts@hart.example"], added: [] });
});

test("moving somebody from Cc to To takes nobody out", () => {
  assert.deepEqual(difference(standard, { to: ["Olivia@hart.example", "accounts@hart.example"], cc: [] }), { left: [], added: [] });
});

test("new people are marked", () => {
  assert.deepEqual(difference(standard, { ...standard, cc: ["accounts@hart.example", "boss@hart.example"] }).added, ["boss@hart.example"]);
});

test("an address has a name, an at and a place, and nothing that separates", () => {
  assert.ok(looksLikeMail(" ann@shop.example "));
  for (const wrong of ["ann", "ann@", "@shop", "ann@shop,bob@shop", "Ann <ann@shop.example>", "a b@shop.example"]) assert.ok(!looksLikeMail(wrong), wrong);
});
