// Makes the files of web/static/vendor/ from the packages pinned in package.json. Run by `make vendor`;
// with --check it changes nothing and fails when a file differs from what the pinned packages give.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const vendor = `${root}web/static/vendor/`;
const text = (path) => readFileSync(root + path, "utf8");
const version = (name) => JSON.parse(text(`node_modules/${name}/package.json`)).version;

const UI_ENTRY = `
import { h } from "preact";
import htm from "htm";
export { h, render, hydrate, Fragment, createContext, createRef, cloneElement, toChildArray, isValidElement, options } from "preact";
export { useState, useReducer, useRef, useEffect, useLayoutEffect, useCallback, useMemo, useContext, useId,
  useImperativeHandle, useErrorBoundary } from "preact/hooks";
export { signal, computed, effect, batch, untracked, Signal, useSignal, useComputed, useSignalEffect } from "@preact/signals";
export const html = htm.bind(h);
`;

async function ui() {
  const bundled = await build({
    stdin: { contents: UI_ENTRY, resolveDir: root, loader: "js" },
    bundle: true, minify: true, write: false, format: "esm", target: "es2022", legalComments: "none",
  });
  return `/*!
 * Preact ${version("preact")} with hooks (MIT), @preact/signals ${version("@preact/signals")} with signals-core ${version("@preact/signals-core")} (MIT), htm ${version("htm")} (Apache-2.0).
 * Licence texts: LICENSES.txt beside this file. Made by "make vendor" (esbuild ${version("esbuild")}, entry in .ci/vendor.mjs). Do not edit.
 */
${bundled.outputFiles[0].text}`;
}

function socketIo() {
  const published = text("node_modules/socket.io-client/dist/socket.io.esm.min.js")
    .replace(/^\/\*![^]*?\*\/\n/, "").replace(/\n\/\/# sourceMappingURL=.*\n?$/, "\n");
  return `/*!
 * socket.io-client ${version("socket.io-client")}, (c) Guillermo Rauch and Socket.IO contributors, MIT.
 * Licence text: LICENSES.txt beside this file. Made by "make vendor": the package's dist/socket.io.esm.min.js. Do not edit.
 */
${published}`;
}

function licences() {
  const names = ["preact", "@preact/signals", "@preact/signals-core", "htm", "socket.io-client"];
  return names
    .map((name) => `==== ${name} ${version(name)} ====\n\n${text(`node_modules/${name}/LICENSE`).trim()}\n`)
    .join("\n\n");
}

const made = { "ui.js": await ui(), "socket.io.esm.min.js": socketIo(), "LICENSES.txt": licences() };
const manifest = {};
for (const [name, content] of Object.entries(made)) {
  manifest[name] = `sha256-${createHash("sha256").update(content).digest("base64")}`;
}
made["manifest.json"] = JSON.stringify(manifest, null, 2) + "\n";

let different = 0;
for (const [name, content] of Object.entries(made)) {
  if (process.argv.includes("--check")) {
    if (readFileSync(vendor + name, "utf8") !== content) {
      console.error(`web/static/vendor/${name} is not what the pinned packages give: run "make vendor"`);
      different += 1;
    }
  } else {
    writeFileSync(vendor + name, content);
    console.log(`web/static/vendor/${name}: ${content.length} characters`);
  }
}
process.exitCode = different ? 1 : 0;
