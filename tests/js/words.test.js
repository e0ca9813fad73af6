import assert from "node:assert/strict";
import { test } from "node:test";
import { initials, page, shortTime, t, tn } from "../../web/static/js/words.js";

test("a sentence without a translation is said in English, with its values", () => {
  assert.equal(t("%(name)s is viewing", { name: "Jonas" }), "Jonas is viewing");
});

test("a translated sentence and its plural forms come from the page", () => {
  page.words["Close"] = "Sulje";
  page.words["%(n)s change"] = ["%(n)s muutos", "%(n)s muutosta"];
  assert.equal(t("Close"), "Sulje");
  assert.equal(tn("%(n)s change", "%(n)s changes", 1), "1 muutos");
  assert.equal(tn("%(n)s change", "%(n)s changes", 3), "3 muutosta");
  delete page.words["Close"];
  delete page.words["%(n)s change"];
});

test("an unknown placeholder stays visible instead of vanishing", () => {
  assert.equal(t("%(a)s and %(b)s", { a: "x" }), "x and %(b)s");
});

test("initials take the first and the last name, in any script", () => {
  assert.equal(initials("Olivia Hart"), "OH");
  assert.equal(initials("Ægir"), "Æ");
  assert.equal(initials("Anna Maria van Dam"), "AD");
  assert.equal(initials("  "), "?");
});

test("today shows the time, an older day its date too", () => {
  const now = new Date(2026, 4, 6, 14, 0).getTime();
  assert.equal(shortTime(new Date(2026, 4, 6, 9, 5).toISOString(), now), "09:05");
  assert.equal(shortTime(new Date(2026, 4, 4, 9, 5).toISOString(), now), "Mon 09:05");
  assert.equal(shortTime(new Date(2026, 3, 2, 9, 5).toISOString(), now), "2 Apr 09:05");
  assert.equal(shortTime(new Date(2024, 3, 2, 9, 5).toISOString(), now), "2 Apr 2024 09:05");
});
