// Shows alarms although no page of the desk is open. One notification for each conversation, replaced by a newer one.

/** The parts of ServiceWorkerGlobalScope used here; the page's own types do not have them. @type {any} */
const worker = self;

worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("push", (/** @type {any} */ event) => {
  const { title, body, tag, path } = event.data.json();
  event.waitUntil(worker.registration.showNotification(title, { body, tag, renotify: true, data: { path } }));
});

worker.addEventListener("notificationclick", (/** @type {any} */ event) => {
  event.notification.close();
  event.waitUntil(show(String(event.notification.data.path)));
});

/** Go there in a window that is open already, else in a new one. @param {string} path */
async function show(path) {
  const open = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (!open.length) return worker.clients.openWindow(path);
  await open[0].navigate(path).catch(() => null);
  return open[0].focus();
}
