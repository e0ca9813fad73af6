// Driven by test_official_client.py: one line of JSON for each step.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const [url, origin, transports] = process.argv.slice(2);
const socket = io(`${url}/visitor`, {
  transports: transports ? transports.split(",") : ["websocket"],
  auth: { site: "shop", token: null, language: "en", page: "/" },
  extraHeaders: { Origin: origin },
  reconnectionDelay: 50, reconnectionDelayMax: 100,
});
const report = (step) => console.log(JSON.stringify(step));
const next = (event) => new Promise((resolve) => socket.once(event, resolve));

const welcome = await next("welcome");
socket.auth.token = welcome.token;

if (transports) {
  const { engine } = socket.io;
  const moved = transports.includes(",") && engine.transport.name !== "websocket";
  if (moved) await new Promise((done) => engine.once("upgrade", done));
  const said = await socket.emitWithAck("message", { id: "first-message", text: "Hello" });
  report({ step: "through", transport: socket.io.engine.transport.name, ok: said.ok });
  socket.close();
} else {
  const first = await socket.emitWithAck("message", { id: "first-message", text: "Where is my tent?" });
  report({ step: "asked", conversation: first.conversation });
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const back = next("welcome");
  await lines.next();
  const again = await back;
  const answers = [];
  for (const [id, text] of [["first-message", "Where is my tent?"], ["second-message", "Written without a line"],
    ["second-message", "Written without a line"], ["third-message", "And once more"]]) {
    answers.push(await socket.emitWithAck("message", { id, text }));
  }
  const { entries } = await socket.emitWithAck("resume", { after: first.number });
  report({
    step: "resumed",
    missed: entries.filter((entry) => entry.author === "operator").map((entry) => entry.text),
    reconnected: again.visitor === welcome.visitor && answers[0].duplicate && answers[2].duplicate,
  });
  await lines.next();
  socket.close();
}
process.stdin.destroy();
