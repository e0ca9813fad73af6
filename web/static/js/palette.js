// The command palette and the help dialog, both made from the table of shortcuts.
import { html, useEffect, useRef, useState } from "../vendor/ui.js";
import { openConversation, showView } from "./actions.js";
import { Dialog } from "./controls.js";
import { caps, SHORTCUTS } from "./keys.js";
import { conversation, dialog, rows, viewName, VIEWS } from "./state.js";
import { page, t } from "./words.js";

const shut = () => {
  dialog.value = null;
};

/** @param {{ keys: string }} props */
export function Caps({ keys }) {
  return html`<span class="caps">${caps(keys).map((cap) => html`<kbd>${cap}</kbd>`)}</span>`;
}

export function HelpDialog() {
  return html`<${Dialog} title=${t("Keyboard shortcuts")} class="wide help" close=${shut}>
    <ul class="keys">${SHORTCUTS.filter((one) => !one.hidden).map((one) => html`<li key=${one.action}><span>${one.label()}</span><${Caps} keys=${one.keys[0]} /></li>`)}</ul>
    <p class="hint">${t("Single keys rest while you write. They can be switched off in your menu.")}</p>
    <div class="actions"><button type="button" class="button" autofocus onClick=${shut}>${t("Close")}</button></div>
  </${Dialog}>`;
}

/** @type {((action: string) => void) | null} */
let performer = null;
/** @param {(action: string) => void} perform */
export const setPerformer = (perform) => {
  performer = perform;
};

/** @typedef {{ id: string, label: string, keys?: string, run: () => void }} Command */

/** All words of the search must begin a word of the command. @param {string} label @param {string} search */
export function fits(label, search) {
  const words = label.toLocaleLowerCase().split(/[^\p{L}\p{N}]+/u);
  return search.toLocaleLowerCase().split(/\s+/).filter(Boolean).every((part) => words.some((word) => word.startsWith(part)));
}

/** @param {string} search @returns {Command[]} */
function commands(search) {
  const open = conversation.peek();
  const actions = SHORTCUTS.filter((one) => !["palette", "next", "previous", "open"].includes(one.action) && (one.needs !== "conversation" || open))
    .map((one) => ({ id: one.action, label: one.label(), keys: one.keys[0], run: () => performer?.(one.action) }));
  const views = VIEWS.map((view) => ({ id: `view-${view}`, label: t("View: %(name)s", { name: viewName(view) }), run: () => void showView(view) }));
  const supervises = page.operator.role !== "operator";
  const places = [
    { path: "/reports", name: t("Reports"), shown: supervises },
    { path: "/reports/mine", name: t("My figures"), shown: true },
    { path: "/staffing", name: t("Staffing"), shown: supervises },
    { path: "/my-shifts", name: t("My shifts"), shown: true },
    { path: "/settings", name: t("Settings"), shown: supervises },
    { path: "/account", name: t("Account"), shown: true },
  ].filter((one) => one.shown).map((one) => ({ id: `go${one.path.replaceAll("/", "-")}`, label: t("Go to: %(name)s", { name: one.name }), run: () => location.assign(one.path) }));
  const people = search.trim().length < 2 ? [] : rows.peek().slice(0, 500).map((row) => ({
    id: `row-${row.id}`, label: `${row.contact_name}: ${row.subject}`, run: () => void openConversation(row.id),
  }));
  return [...actions, ...views, ...places, ...people].filter((one) => fits(one.label, search)).slice(0, 40);
}

export function Palette() {
  const [search, setSearch] = useState("");
  const [at, setAt] = useState(0);
  const box = /** @type {{ current: HTMLDialogElement | null }} */ (useRef(null));
  const opener = useRef(/** @type {Element | null} */ (null));
  useEffect(() => {
    opener.current = document.activeElement;
    const element = box.current;
    element?.showModal();
    return () => {
      element?.close();
      if (opener.current instanceof HTMLElement && opener.current.isConnected) opener.current.focus({ preventScroll: true });
    };
  }, []);
  const found = commands(search);
  const chosen = Math.min(at, found.length - 1);
  const run = (/** @type {Command | undefined} */ command) => {
    if (!command) return;
    shut();
    // After the dialog has given the focus back, so that the command may take it.
    setTimeout(command.run, 0);
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "ArrowDown") setAt((chosen + 1) % found.length);
    else if (event.key === "ArrowUp") setAt((chosen - 1 + found.length) % found.length);
    else if (event.key === "Enter") run(found[chosen]);
    else return;
    event.preventDefault();
  };
  useEffect(() => box.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }), [chosen]);
  return html`<dialog class="dialog palette" ref=${box} aria-label=${t("Command palette")} onCancel=${(/** @type {Event} */ event) => { event.preventDefault(); shut(); }}>
    <div class="palette-body">
      <input type="text" role="combobox" autofocus aria-label=${t("Command")} placeholder=${t("What do you want to do?")} aria-expanded="true" aria-controls="commands" aria-autocomplete="list"
        aria-activedescendant=${found[chosen] ? `command-${found[chosen].id}` : undefined} value=${search} onKeyDown=${key}
        onInput=${(/** @type {any} */ event) => { setSearch(event.target.value); setAt(0); }} />
      <ul id="commands" role="listbox" aria-label=${t("Commands")}>
        ${found.map((one, index) => html`<li role="option" id=${`command-${one.id}`} key=${one.id} aria-selected=${index === chosen} onClick=${() => run(one)}>
          <span>${one.label}</span>${one.keys && html`<${Caps} keys=${one.keys} />`}</li>`)}
        ${!found.length && html`<li class="nothing" role="option" aria-selected="false" aria-disabled="true">${t("No such command. Search conversations with “/”.")}</li>`}
      </ul>
    </div>
  </dialog>`;
}
