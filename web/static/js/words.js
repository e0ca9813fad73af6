// Page data and the catalogue: the English source string is the key, placeholders are named `%(name)s`.

/**
 * @typedef {{ warn_s: number, target_s: number }} Target
 * @typedef {{ id: number, name: string, role: string, language: string, preferences: Record<string, any> }} Me
 * @typedef {{
 *   csrf: string, operator: Me, language: string, version: string,
 *   words: Record<string, string | string[]>,
 *   targets: Record<string, Target>,
 *   queue?: import("./order.js").Snapshot,
 *   conversation?: number | null, mode?: string,
 *   [key: string]: any,
 * }} PageData
 */

/** @returns {PageData} */
function read() {
  const empty = {
    csrf: "", operator: { id: 0, name: "", role: "operator", language: "en", preferences: {} },
    language: "en", version: "", words: {}, targets: {},
  };
  if (typeof document === "undefined") return empty;
  const element = document.getElementById("page");
  return element ? { ...empty, ...JSON.parse(element.textContent || "{}") } : empty;
}

export const page = read();

/** @type {Intl.PluralRules | null} */
let plurals = null;

/**
 * Say a sentence in the operator's language.
 * @param {string} message
 * @param {Record<string, string | number>} [values]
 */
export function t(message, values) {
  const found = page.words[message];
  const said = typeof found === "string" && found ? found : message;
  return values ? fill(said, values) : said;
}

/**
 * Why something failed: our own sentence is translated, what a mail server said after a colon stays as it came.
 * @param {string} said
 */
export function reason(said) {
  const at = said.indexOf(": ");
  const own = at < 0 ? said : said.slice(0, at);
  const rest = at < 0 ? "" : said.slice(at);
  switch (own) {
    case "The mail server refused the sign-in": return t("The mail server refused the sign-in") + rest;
    case "The mail server could not be reached": return t("The mail server could not be reached") + rest;
    default: return page.words[said] ? t(said) : t(own) + rest;
  }
}

/**
 * The right plural form; `%(n)s` is the number.
 * @param {string} one
 * @param {string} many
 * @param {number} n
 * @param {Record<string, string | number>} [values]
 */
export function tn(one, many, n, values) {
  const found = page.words[one];
  let said = n === 1 ? one : many;
  if (Array.isArray(found) && found.length) {
    plurals ??= new Intl.PluralRules(page.language);
    // Catalogues list forms in gettext's order; for the languages with two forms that is one, other.
    said = found[plurals.select(n) === "one" ? 0 : Math.min(1, found.length - 1)] || said;
  }
  return fill(said, { n, ...values });
}

/**
 * @param {string} text
 * @param {Record<string, string | number>} values
 */
function fill(text, values) {
  return text.replace(/%\((\w+)\)[sd]/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Names of channels. @param {string | null | undefined} kind */
export function channelName(kind) {
  if (kind === "chat") return t("Chat");
  if (kind === "email") return t("E-mail");
  if (kind === "phone") return t("Telephone");
  return "";
}

/** @type {Record<string, Intl.DateTimeFormat>} */
const formats = {};

/**
 * @param {string} name
 * @param {Intl.DateTimeFormatOptions} options
 */
function format(name, options) {
  return (formats[name] ??= new Intl.DateTimeFormat(locale(), options));
}

/** English words come with 24-hour times, as a desk's clock shows them. */
function locale() {
  return page.language === "en" ? "en-GB" : page.language;
}

/** "14:06" today, "Fri 09:14" within a week, "2 May 09:14" before. @param {string} iso @param {number} nowMs */
export function shortTime(iso, nowMs) {
  const then = new Date(iso);
  const clock = format("clock", { hour: "2-digit", minute: "2-digit" }).format(then);
  const today = new Date(nowMs);
  if (then.toDateString() === today.toDateString()) return clock;
  const away = Math.abs(nowMs - then.getTime());
  const day = away < 6 * 86_400_000
    ? format("weekday", { weekday: "short" }).format(then)
    : format(then.getFullYear() === today.getFullYear() ? "day" : "date", {
      day: "numeric", month: "short", ...(then.getFullYear() === today.getFullYear() ? {} : { year: "numeric" }),
    }).format(then);
  return `${day} ${clock}`;
}

/** @param {string} iso */
export function fullTime(iso) {
  return format("full", { dateStyle: "full", timeStyle: "medium" }).format(new Date(iso));
}

/** @param {string} iso */
export function clockTime(iso) {
  return format("clock", { hour: "2-digit", minute: "2-digit" }).format(new Date(iso));
}

/** @param {string} iso @param {number} nowMs */
export function dayName(iso, nowMs) {
  if (new Date(iso).toDateString() === new Date(nowMs).toDateString()) return t("Today");
  return format("long day", { weekday: "long", day: "numeric", month: "long" }).format(new Date(iso));
}

/** @param {string | null | undefined} code */
export function languageName(code) {
  if (!code) return "";
  try {
    return new Intl.DisplayNames([locale()], { type: "language" }).of(code) || code;
  } catch {
    return code;
  }
}

/** The customer's clock, "" for an unknown zone. @param {string} zone @param {number} nowMs */
export function timeIn(zone, nowMs) {
  try {
    return new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit", timeZone: zone }).format(nowMs);
  } catch {
    return "";
  }
}

/** @param {number} bytes */
export function fileSize(bytes) {
  const units = /** @type {const} */ (["byte", "kilobyte", "megabyte"]);
  const step = bytes < 1000 ? 0 : bytes < 1_000_000 ? 1 : 2;
  return new Intl.NumberFormat(locale(), {
    style: "unit", unit: units[step], unitDisplay: "short", maximumFractionDigits: step === 2 ? 1 : 0,
  }).format(bytes / 1000 ** step);
}

/** "OH" for "Olivia Hart". @param {string} name */
export function initials(name) {
  const parts = name.trim().split(/\s+/).filter((part) => /\p{L}|\p{N}/u.test(part));
  const first = [...(parts[0] || "")][0] || "?";
  const last = parts.length > 1 ? [...parts[parts.length - 1]][0] : "";
  return (first + last).toLocaleUpperCase();
}
