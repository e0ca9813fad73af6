// Asking the server. Every failure comes back as one Refusal with the server's words, ready to be shown.
import { page, t } from "./words.js";

export class Refusal extends Error {
  /** @param {string} code @param {string} message @param {Record<string, any>} [extra] @param {number} [status] */
  constructor(code, message, extra = {}, status = 0) {
    super(message);
    this.code = code;
    this.extra = extra;
    this.status = status;
  }
}

const TIMEOUT_MS = 20_000;

/**
 * @param {string} method
 * @param {string} path below /api
 * @param {unknown} [body] sent as JSON
 * @returns {Promise<any>}
 */
export async function ask(method, path, body) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF"] = page.csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(`/api${path}`, {
      method, headers, credentials: "same-origin", body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new Refusal("unreachable", t("The desk cannot be reached just now."));
  }
  return answered(response.status, await response.text().catch(() => ""));
}

/** @param {number} status @param {string} text */
function answered(status, text) {
  /** @type {any} */
  let data = null;
  try {
    data = text ? JSON.parse(text) : null;
  } catch {
    data = null;
  }
  if (status >= 200 && status < 300) return data;
  const error = data && typeof data.error === "object" && data.error ? data.error : {};
  const { code, message, ...extra } = error;
  if (status === 401) throw new Refusal("signed_out", t("You have been signed out. Sign in again; your drafts are kept."), extra, status);
  throw new Refusal(code || `http_${status}`, message || t("The desk could not do this (error %(n)s).", { n: status }), extra, status);
}

export const get = (/** @type {string} */ path) => ask("GET", path);
export const post = (/** @type {string} */ path, /** @type {unknown} */ body = {}) => ask("POST", path, body);
export const put = (/** @type {string} */ path, /** @type {unknown} */ body) => ask("PUT", path, body);

/**
 * Upload a file, telling how far it is. XMLHttpRequest, because fetch cannot tell.
 * @param {File} file
 * @param {(share: number) => void} progress 0 to 1
 * @returns {Promise<{ id: number, name: string, media_type: string, size_bytes: number }>}
 */
export function upload(file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append("file", file, file.name);
    request.open("POST", "/api/attachments");
    request.setRequestHeader("X-CSRF", page.csrf);
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    };
    request.onload = () => {
      try {
        resolve(answered(request.status, request.responseText));
      } catch (error) {
        reject(error);
      }
    };
    request.onerror = () => reject(new Refusal("unreachable", t("The desk cannot be reached just now.")));
    request.send(form);
  });
}

/** A key that goes with one send, whatever becomes of it. */
export function newKey() {
  return crypto.randomUUID ? crypto.randomUUID() : [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {unknown} error */
export function words(error) {
  return error instanceof Error ? error.message : String(error);
}
