// Icons, menus and dialogs: the few controls that every part uses.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/ui.js";
import { t } from "./words.js";

/** @typedef {import("../vendor/ui.js").ComponentChildren} Children */

const sprite = new URL("../icons/icons.svg", import.meta.url).pathname;

/** One set: a 24 grid, strokes of 1.7. @param {{ name: string, label?: string }} props `label` where no words stand beside it */
export function Icon({ name, label }) {
  return label
    ? html`<svg class="icon" role="img" aria-label=${label}><use href=${`${sprite}#${name}`} /></svg>`
    : html`<svg class="icon" aria-hidden="true"><use href=${`${sprite}#${name}`} /></svg>`;
}

/** The icon of a channel. @param {string | null | undefined} channel @param {string | null} [callback] */
export function channelIcon(channel, callback) {
  if (callback) return "callback";
  if (channel === "email") return "email";
  return channel === "phone" ? "phone" : "chat";
}

/**
 * @typedef {{ label: string, icon?: string, run?: () => void, href?: string, checked?: boolean, keys?: string, quiet?: boolean } | "line" | { title: string }} MenuItem
 */

/**
 * A button with a menu: arrows move, Escape closes and gives the focus back, a click elsewhere closes.
 * @param {{ label: string, icon?: string, children?: Children, items: () => MenuItem[], class?: string, place?: string, tip?: string }} props
 */
export function Menu({ label, icon, children, items, class: kind = "icon-button", place = "", tip }) {
  const [open, setOpen] = useState(false);
  const box = /** @type {{ current: HTMLElement | null }} */ (useRef(null));
  useEffect(() => {
    if (!open) return undefined;
    const entries = () => /** @type {HTMLElement[]} */ ([...(box.current?.querySelectorAll("[role^=menuitem]") ?? [])]);
    entries()[0]?.focus();
    const outside = (/** @type {Event} */ event) => {
      if (!box.current?.contains(/** @type {Node} */ (event.target))) setOpen(false);
    };
    const key = (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape") close(event);
      else if (event.key === "Tab") setOpen(false);
      else if (["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) {
        const all = entries();
        const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
        const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key] ?? 0;
        all[(next + all.length) % all.length]?.focus();
        event.preventDefault();
      }
      event.stopPropagation();
    };
    const element = box.current;
    document.addEventListener("pointerdown", outside);
    element?.addEventListener("keydown", key);
    return () => {
      document.removeEventListener("pointerdown", outside);
      element?.removeEventListener("keydown", key);
    };
  }, [open]);
  const close = (/** @type {Event} */ event) => {
    event.preventDefault();
    setOpen(false);
    /** @type {HTMLElement | null | undefined} */ (box.current?.querySelector("[aria-haspopup]"))?.focus();
  };
  return html`<span class="menu-box" ref=${box}>
    <button type="button" class=${kind} aria-haspopup="menu" aria-expanded=${open} aria-label=${label} title=${tip ?? label}
      onClick=${() => setOpen(!open)}>${children ?? html`<${Icon} name=${icon ?? "more"} />`}</button>
    ${open && html`<div class=${`menu ${place}`} role="menu" aria-label=${label}>
      ${items().map((item) => html`<${MenuLine} item=${item} done=${() => setOpen(false)} />`)}
    </div>`}
  </span>`;
}

/** @param {{ item: MenuItem, done: () => void }} props */
function MenuLine({ item, done }) {
  if (item === "line") return html`<hr role="separator" />`;
  if ("title" in item) return html`<div class="menu-title" role="presentation">${item.title}</div>`;
  const inside = html`<span class="menu-words">${item.label}</span>`;
  const mark = item.checked === undefined
    ? item.icon && html`<${Icon} name=${item.icon} />`
    : html`<span class="state-mark">${item.checked && html`<${Icon} name="check" />`}</span>`;
  const keys = item.keys && html`<kbd class="push" aria-hidden="true">${item.keys}</kbd>`;
  if (item.href) return html`<a role="menuitem" href=${item.href} tabindex="-1">${mark}${inside}${keys}</a>`;
  const run = () => {
    done();
    item.run?.();
  };
  return item.checked === undefined
    ? html`<button type="button" role="menuitem" tabindex="-1" onClick=${run}>${mark}${inside}${keys}</button>`
    : html`<button type="button" role="menuitemradio" aria-checked=${item.checked} tabindex="-1" onClick=${run}>${mark}${inside}${keys}</button>`;
}

/**
 * A modal dialog: Escape and the button close it, the focus returns to where it was.
 * @param {{ title: string, close: () => void, children: Children, class?: string, submit?: (event: Event) => void }} props
 */
export function Dialog({ title, close, children, class: kind = "", submit }) {
  const box = /** @type {{ current: HTMLDialogElement | null }} */ (useRef(null));
  useLayoutEffect(() => {
    const element = box.current;
    const opener = /** @type {HTMLElement | null} */ (document.activeElement);
    element?.showModal();
    return () => {
      element?.close();
      if (opener?.isConnected && opener !== document.body) opener.focus({ preventScroll: true });
    };
  }, []);
  const body = html`<h2 id="dialog-title">${title}</h2>${children}`;
  return html`<dialog class=${`dialog ${kind}`} ref=${box} aria-labelledby="dialog-title" onCancel=${(/** @type {Event} */ event) => { event.preventDefault(); close(); }}>
    ${submit
      ? html`<form method="dialog" novalidate onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); submit(event); }}>${body}</form>`
      : html`<div class="dialog-body">${body}</div>`}
  </dialog>`;
}

/** The two buttons at the end of a dialog. @param {{ close: () => void, label: string, busy?: boolean, children?: Children }} props */
export function Actions({ close, label, busy, children }) {
  return html`<div class="actions">
    ${children}
    <button type="button" class="button" onClick=${close}>${t("Cancel")}</button>
    <button type="submit" class="button button-primary" aria-disabled=${busy ? "true" : undefined}>${busy ? t("One moment…") : label}</button>
  </div>`;
}

/** Nothing here, nothing yet, or a failure: said in words, with one thing to do. @param {{ icon: string, title: string, words?: string, children?: Children }} props */
export function Empty({ icon, title, words, children }) {
  return html`<div class="state"><${Icon} name=${icon} /><strong>${title}</strong>${words && html`<p>${words}</p>`}${children}</div>`;
}

/** Grey shapes, only after 300 ms and only in the shape of what comes. @param {{ children: Children }} props */
export function Bones({ children }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return html`<div class="bones-box" aria-busy="true"><span class="for-readers" role="status">${t("Loading…")}</span>${late && children}</div>`;
}
