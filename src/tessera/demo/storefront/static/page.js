// A sample storefront in one file, meant to be read from top to bottom and copied.
//
//   1. Requests: retries that never book twice.
//   2. Bookings: validate a code, hold it, hold others with it, then extend, confirm or release the holds.
//   3. Errors: messages next to the form fields.
//   4. The page, which differs from shop to shop.
//
// One part must not be copied: here the browser has the API key, because only this machine can reach this server.
// A real shop keeps the key secret and sends the requests of parts 1 and 2 from its own server.

const shop = await (await fetch("storefront/settings.json")).json();
const API = new URL("../storefront/v1/", document.baseURI);


// 1. Requests ----------------------------------------------------------------------------------------------------

const RETRIED_STATUSES = [502, 503, 504];
const RETRY_DELAYS = [1, 2, 4]; // seconds
const TIMEOUT = 10_000; // milliseconds

// An error response as problem details (RFC 9457): `type` is stable, and `errors` lists all violations.
class Problem extends Error {
  constructor({ type = "about:blank", title = "", detail = "", errors = [] }) {
    super(detail || title);
    Object.assign(this, { type, errors });
  }
}

// No response arrived, so the outcome is unknown. The request can be sent again later with the same key.
class NoResponse extends Error {}

// Sends a request and returns the body of its response. A request that changes data has an Idempotency-Key: the server
// executes it once for each key, and responds to each repetition with the first response. Retries are therefore safe.
async function request(method, path, { key, body } = {}) {
  const headers = { "cv-api-key": shop.apiKey };
  if (key) headers["Idempotency-Key"] = key;
  if (body) headers["Content-Type"] = "application/json";
  for (let retries = 0; ; retries += 1) {
    const response = await send(method, path, { headers, body: body && JSON.stringify(body) });
    if (response && !RETRIED_STATUSES.includes(response.status)) return parse(response);
    if (retries === RETRY_DELAYS.length) throw new NoResponse();
    showMessage("No response yet. Retrying the request.");
    await sleep(Number(response?.headers.get("Retry-After")) || RETRY_DELAYS[retries]);
  }
}

async function send(method, path, options) {
  let outcome = "no response";
  try {
    const response = await fetch(new URL(path, API), { method, signal: AbortSignal.timeout(TIMEOUT), ...options });
    outcome = response.status;
    return response;
  } catch {
    return null; // a network error or a timeout
  } finally {
    logRequest(method, path, outcome, options.headers["Idempotency-Key"]);
  }
}

async function parse(response) {
  const body = await response.json().catch(() => ({ title: `The server responded with status ${response.status}.` }));
  if (!response.ok) throw new Problem(body);
  return body;
}

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));


// 2. Bookings ----------------------------------------------------------------------------------------------------

// The price with a code, or all reasons why the code cannot be used. This changes no data and needs no key.
async function check({ code, storeExamCode, candidate }) {
  const { personId, email } = candidate;
  const body = { codes: [code], storeExamCode, candidate: { personId, email } };
  return (await request("POST", "validations", { body })).results[0];
}

// The current attempt to book, with one key and one reservation code. An order that got no response and is sent again
// is the same attempt, which cannot book twice. A changed order, or an order after a success, is a new attempt.
let attempt = null;

async function hold(order) {
  const text = JSON.stringify(order);
  if (attempt?.text !== text) attempt = { text, key: crypto.randomUUID(), reservationCode: newReservationCode() };
  // Nobody else can use the code for `holdSeconds`. Without `holdSeconds`, the code is redeemed immediately.
  const body = { ...order, reservationCode: attempt.reservationCode };
  const redemption = await request("POST", "redemptions", { key: attempt.key, body });
  attempt = null;
  return redemption;
}

// The shop's own identifier of a booking.
function newReservationCode() {
  return `SHOP-${crypto.randomUUID().slice(0, 8).toUpperCase()}`;
}

// Holds another code for the same reservation. The server refuses it unless all of its codes can be combined. It takes
// its discount off what the earlier codes have left.
async function addCode(code) {
  const { order, redemptions: [{ reservationCode }] } = booking;
  const text = JSON.stringify([reservationCode, code]);
  if (attempt?.text !== text) attempt = { text, key: crypto.randomUUID() };
  const redemption = await request("POST", "redemptions", { key: attempt.key, body: { ...order, code, reservationCode } });
  attempt = null;
  return redemption;
}

// `confirm` the holds after the payment, `release` them, `extend` them, or `cancel` confirmed redemptions.
async function change(action, body) {
  const results = [];
  for (const { id } of booking.redemptions) {
    // An extension counts from now, so each one is a request of its own.
    const key = action === "extend" ? crypto.randomUUID() : (booking.keys[`${id} ${action}`] ??= crypto.randomUUID());
    try {
      results.push(await request("POST", `redemptions/${id}/${action}`, { key, body }));
    } catch (error) {
      // The status has changed, for example because the hold expired: show the current status.
      if (error.type !== "urn:tessera:problem:wrong-state") throw error;
      results.push(await request("GET", `redemptions/${id}`));
    }
  }
  return results;
}

const getRedemptions = () => Promise.all(booking.redemptions.map(({ id }) => request("GET", `redemptions/${id}`)));


// 3. Errors ------------------------------------------------------------------------------------------------------

// The form field of each JSON pointer; the code of a booking that exists already is another one.
const FIELDS = {
  get "/code"() {
    return booking ? "another" : "code";
  },
  "/codes/0": "code",
  "/storeExamCode": "exam",
  "/candidate/firstName": "first-name",
  "/candidate/lastName": "last-name",
  "/candidate/email": "email",
  "/holdSeconds": "hold-for",
};
// Error codes are stable, so a shop can have its own messages: here for some fields, and for every reason against the use
// of a code. Other codes show the server's message.
const MESSAGES = {
  Required: "This field is required.",
  NotCode: "Please enter a code.",
  NotEmail: "Please enter a valid e-mail address.",
  NotFound: "The code does not exist. Please check the spelling.",
  Inactive: "The code is not valid now.",
  Archived: "The code is not valid any more.",
  NotStarted: "This code cannot be used yet.",
  Expired: "The code has expired.",
  UsedUp: "The code is used up.",
  UsedUpForCandidate: "You have used this code as often as it allows.",
  UsedUpForOrganization: "The code is used up.",
  Used: "The voucher has been used.",
  Held: "Another booking is using this voucher.",
  SwitchedOff: "The voucher is switched off. Please ask the company that gave it to you.",
  PurchaseIncomplete: "The voucher cannot be used yet. Please ask the company that gave it to you.",
  NotCovered: "The code is not for this exam.",
  EmailRequired: "This code is restricted to certain e-mail addresses. Please enter yours.",
  EmailNotListed: "The code is for other e-mail addresses.",
  EmailNotRecipient: "The voucher is for another e-mail address.",
  EmailDomainNotAllowed: "Please enter the e-mail address that you have at your company.",
  ReservationEnded: "This booking has ended. Please book again.",
  ReservationDiffers: "This booking is for somebody else or for another exam. Please book again.",
  NotCombinable: "The code cannot be used together with the other code.",
  NothingLeftToPay: "Nothing is left to pay, so no code is needed, and this one is not used.",
  NoDiscount: "The code takes nothing off this price, so it is not used.",
};

function showProblem(error) {
  if (error instanceof NoResponse) {
    showMessage("The server cannot be reached. Please try again later; nothing is booked twice.");
  } else if (!(error instanceof Problem)) {
    throw error;
  } else if (error.errors.length === 0) {
    showMessage(error.message);
  } else {
    const otherErrors = error.errors.filter(({ pointer }) => !(pointer in FIELDS));
    const hasMarks = otherErrors.length < error.errors.length;
    showMessage(hasMarks ? "Please check the marked fields." : "This is not possible:", otherErrors.map(messageFor));
    for (const each of error.errors) if (each.pointer in FIELDS) mark(FIELDS[each.pointer], messageFor(each));
    document.querySelector("[aria-invalid=true]")?.focus();
  }
}

function messageFor({ code, detail, message, validFrom }) {
  const text = MESSAGES[code] ?? detail ?? message;
  if (!validFrom) return text;
  // A start date is certain, whereas a hold may become a redemption.
  return `${text} It ${code === "NotStarted" ? "starts" : "may become available"} on ${time(validFrom)}.`;
}

function mark(field, message) {
  $(field).setAttribute("aria-invalid", "true");
  $(`${field}-error`).append(element("p", message));
}

function clearMarks() {
  for (const field of ["another", "code", ...Object.values(FIELDS)]) {
    $(field).removeAttribute("aria-invalid");
    $(`${field}-error`).replaceChildren();
  }
}


// 4. The page ----------------------------------------------------------------------------------------------------

let booking = null; // the order, its redemptions as in the last responses, and their idempotency keys by action
let deadline = 0;
let countdown = null;
let busy = false;

const TITLES = {
  Held: ["The code is on hold for you", "Nobody else can use it. Confirm the booking to redeem it."],
  Redeemed: ["Your exam is booked", "The code is redeemed."],
  Released: ["The code is released", "Nothing was booked, and the code can be used again."],
  Expired: ["The hold has expired", "Nothing was booked, and the code can be used again."],
  Cancelled: ["The booking is cancelled", "The code can be used again."],
};

function readForm() {
  const valueOf = (id) => $(id).value.trim() || undefined; // JSON omits undefined fields
  const candidate = {
    // The customer's account in the shop; limits per candidate apply to it.
    personId: account(),
    clientCandidateId: account(),
    firstName: valueOf("first-name"),
    lastName: valueOf("last-name"),
    email: valueOf("email"),
  };
  return { code: valueOf("code"), storeExamCode: $("exam").value, candidate, holdSeconds: Number($("hold-for").value) };
}

function account() {
  localStorage.account ??= `demo-${crypto.randomUUID().slice(0, 8)}`;
  return localStorage.account;
}

async function handle(action) {
  if (busy) return;
  busy = true;
  document.body.setAttribute("aria-busy", "true");
  clearMarks();
  try {
    await action();
  } catch (error) {
    if (!booking) showListPrice(); // an earlier check may have shown a price that is refused now
    showProblem(error);
  } finally {
    busy = false;
    document.body.removeAttribute("aria-busy");
  }
}

async function handleCheck() {
  const result = await check(readForm());
  if (result.isValid) {
    showPrice(result);
    const uses = result.remainingUses === null ? [] : [`Uses left: ${result.remainingUses}.`];
    const expiry = result.validUntil ? [`Valid until ${time(result.validUntil)}.`] : [];
    showMessage(`${result.code} is valid.`, [...uses, ...expiry]);
  } else {
    showListPrice(result.listPrice);
    showMessage(`${result.code} cannot be used:`, result.reasons.map(messageFor));
    if (result.reasons.some(({ code }) => code === "EmailRequired")) mark("email", MESSAGES.EmailRequired);
  }
}

async function handleHold() {
  const start = performance.now();
  const order = readForm();
  const redemption = await hold(order);
  booking = { order, redemptions: [redemption], keys: {} };
  // Counted from the start of the request, so that the clock of this computer does not matter and the page never shows
  // more time than the server grants.
  deadline = start + (new Date(redemption.heldUntil) - new Date(redemption.createdAt));
  showBooking();
}

async function handleAdd() {
  const redemption = await addCode($("another").value.trim() || undefined);
  booking.redemptions.push(redemption);
  $("another").value = "";
  showBooking(); // in case the holds cannot be extended
  await handleExtend(); // all holds end at the same time, so the price is valid until then
}

async function handleExtend() {
  const start = performance.now();
  const { holdSeconds } = booking.order;
  booking.redemptions = await change("extend", { holdSeconds });
  deadline = start + holdSeconds * 1000;
  showBooking();
}

function handleChange(action) {
  return handle(async () => updateBooking(await change(action)));
}

function updateBooking(redemptions) {
  booking = { ...booking, redemptions };
  showBooking();
}

// The price with the codes that are held or redeemed; what has ended takes nothing off.
function currentPrice() {
  const live = booking.redemptions.filter(({ status }) => ["Held", "Redeemed"].includes(status));
  const discount = live.reduce((sum, each) => sum + Math.round(each.discount * 100), 0) / 100;
  const [{ listPrice }] = booking.redemptions;
  return { code: live.map(({ code }) => code).join(" + "), listPrice, discount, finalPrice: listPrice - discount, live };
}

function showBooking() {
  const price = currentPrice();
  const { status, candidate, reservationCode, storeExamCode, listPrice } = price.live[0] ?? booking.redemptions[0];
  const [title, text] = TITLES[status];
  const { firstName, lastName, email } = candidate;
  const [isHeld, isRedeemed] = [status === "Held", status === "Redeemed"];
  $("form").hidden = true;
  $("booking").hidden = false;
  $("booking-title").textContent = title;
  $("booking-text").textContent = text;
  $("booking-reservation").textContent = reservationCode;
  $("booking-exam").textContent = shop.exams.find(({ code }) => code === storeExamCode).name;
  $("booking-candidate").textContent = `${firstName} ${lastName}${email ? `, ${email}` : ""}`;
  $("confirm").textContent = `Confirm for ${dollars(price.finalPrice)}`;
  for (const id of ["confirm", "release", "extend", "add", "countdown", "bar"]) $(id).hidden = !isHeld;
  $("cancel").hidden = !isRedeemed;
  $("again").hidden = isHeld;
  if (isHeld || isRedeemed) showPrice(price);
  else showListPrice(listPrice);
  showMessage("");
  $("booking-title").focus(); // screen readers then read it aloud
  clearInterval(countdown);
  if (isHeld) startCountdown();
}

function startCountdown() {
  $("bar").max = deadline - performance.now();
  tick();
  countdown = setInterval(tick, 250);
}

function tick() {
  const left = Math.max(deadline - performance.now(), 0);
  const seconds = Math.ceil(left / 1000);
  $("left").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  $("bar").value = left;
  if (left === 0 && !busy) expire();
}

function isHeld({ status }) {
  return status === "Held";
}

// The server decides when a hold expires; after a slow response, the countdown here ends a little earlier.
async function expire() {
  clearInterval(countdown);
  await handle(async () => {
    const untilOf = ({ heldUntil }) => new Date(heldUntil);
    const firstEnd = Math.min(...booking.redemptions.filter(isHeld).map(untilOf));
    let redemptions = await getRedemptions();
    while (redemptions.every(isHeld)) {
      await sleep(1);
      redemptions = await getRedemptions();
    }
    // Holds that could not be extended together end one after the other.
    const held = redemptions.filter(isHeld);
    if (held.length) deadline += Math.min(...held.map(untilOf)) - firstEnd;
    updateBooking(redemptions);
  });
}

function startAgain() {
  booking = null;
  $("booking").hidden = true;
  $("form").hidden = false;
  showListPrice();
  showMessage("");
  $("code").focus();
}

function showPrice({ code, listPrice, discount, finalPrice }) {
  $("discount-row").hidden = false;
  $("discount-code").textContent = code;
  $("list-price").textContent = dollars(listPrice);
  $("discount").textContent = dollars(-discount);
  $("final-price").textContent = dollars(finalPrice);
}

function showListPrice(price = shop.exams.find(({ code }) => code === $("exam").value).price) {
  $("discount-row").hidden = true;
  $("list-price").textContent = $("final-price").textContent = dollars(price);
}

function showMessage(text, items = []) {
  const list = items.length ? [element("ul", ...items.map((item) => element("li", item)))] : [];
  $("messages").replaceChildren(...(text ? [element("p", text), ...list] : []));
}

function logRequest(method, path, outcome, key) {
  const text = key ? `${outcome}, key ${key.slice(0, 8)}…` : `${outcome}`;
  $("requests").append(element("li", element("code", `${method} ${path}`), ` ${text}`));
}

function element(name, ...content) {
  const node = document.createElement(name);
  node.append(...content);
  return node;
}

const $ = (id) => document.getElementById(id);

function dollars(amount) {
  return amount.toLocaleString("en-US", { style: "currency", currency: "USD" });
}

function time(text) {
  return new Date(text).toLocaleString("en-US", { dateStyle: "medium", timeStyle: "short" });
}

function sample({ code, description }) {
  const button = element("button", element("code", code), ` ${description}`);
  button.type = "button";
  button.addEventListener("click", () => {
    $("code").value = code;
    button.closest("details").open = false;
    formChanged();
    $("code").focus();
  });
  return element("li", button);
}

function formChanged() {
  clearMarks();
  showListPrice();
  showMessage("");
}

$("organization").textContent = shop.organization;
$("exam").append(...shop.exams.map(({ code, name }) => new Option(name, code)));
$("samples").append(...shop.samples.map(sample));
$("form").addEventListener("input", formChanged);
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  handle(event.submitter?.value === "hold" ? handleHold : handleCheck);
});
$("extend").addEventListener("click", () => handle(handleExtend));
$("add").addEventListener("submit", (event) => {
  event.preventDefault();
  handle(handleAdd);
});
for (const action of ["confirm", "release", "cancel"]) $(action).addEventListener("click", () => handleChange(action));
$("again").addEventListener("click", startAgain);
showListPrice();
