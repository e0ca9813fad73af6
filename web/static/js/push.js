// The account page: this browser is told of alarms, or is told no more.
import { post, Refusal } from "./api.js";
import { page, t } from "./words.js";

const button = /** @type {HTMLButtonElement} */ (document.getElementById("push-toggle"));
const said = /** @type {HTMLElement} */ (document.getElementById("push-said"));

/** The page lets no script be named by a mere string. @returns {string} */
function workerAddress() {
  const address = "/push-worker.js";
  const factory = /** @type {any} */ (window).trustedTypes;
  return factory ? factory.createPolicy("push-worker", { createScriptURL: () => address }).createScriptURL(address) : address;
}

/** @returns {Promise<PushSubscription | null>} */
async function current() {
  const registration = await navigator.serviceWorker.getRegistration("/");
  return registration ? registration.pushManager.getSubscription() : null;
}

/** @param {boolean} on */
function show(on) {
  button.hidden = false;
  button.textContent = on ? t("Do not tell this browser any more") : t("Tell this browser");
  button.dataset.on = String(on);
}

async function turnOn() {
  if ((await Notification.requestPermission()) !== "granted") {
    said.textContent = t("This browser does not allow notifications. Change that in its settings for this site.");
    return;
  }
  await navigator.serviceWorker.register(workerAddress(), { scope: "/" });
  const registration = await navigator.serviceWorker.ready;
  const subscription = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: page.push_key });
  const { endpoint, keys } = subscription.toJSON();
  try {
    await post("/push-subscriptions", { endpoint, keys: { p256dh: keys?.p256dh, auth: keys?.auth } });
  } catch (error) {
    await subscription.unsubscribe();
    throw error;
  }
  show(true);
  said.textContent = t("This browser is told.");
}

async function turnOff() {
  const subscription = await current();
  if (subscription) {
    await post("/push-subscriptions/remove", { endpoint: subscription.endpoint });
    await subscription.unsubscribe();
  }
  show(false);
  said.textContent = t("This browser is told no more.");
}

button.addEventListener("click", async () => {
  button.disabled = true;
  try {
    await (button.dataset.on === "true" ? turnOff() : turnOn());
  } catch (error) {
    said.textContent = error instanceof Refusal ? error.message : t("The browser could not be reached by push: %(why)s", { why: String(error) });
  }
  button.disabled = false;
});

if ("serviceWorker" in navigator && "PushManager" in window) show((await current()) !== null);
else said.textContent = t("This browser cannot be told by push.");
