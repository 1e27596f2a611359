// A storefront in one file, to be read from top to bottom and copied.
//
//   1. Sending requests, so that nothing is booked twice.
//   2. Booking: check a code, hold it, then confirm it or give it back.
//   3. Showing problems beside the fields that they are about.
//   4. The page itself, which every shop has its own way for.
//
// One thing is not to be copied: here the browser has the API key, as this server answers on its own machine alone.
// A real shop keeps the key secret and sends the requests of parts 1 and 2 from its own server.

const shop = await (await fetch("storefront/settings.json")).json();
const API = new URL("../storefront/v1/", document.baseURI);


// 1. Sending requests --------------------------------------------------------------------------------------------

const AWAY = [502, 503, 504];
const WAITS = [1, 2, 4]; // seconds, before the request is sent a second, third and fourth time
const PATIENCE = 10_000; // milliseconds that one answer may take

// The server's refusal, as problem details (RFC 9457): `type` is stable, and `errors` names everything that is wrong.
class Problem extends Error {
  constructor({ type = "about:blank", title = "", detail = "", errors = [] }) {
    super(detail || title);
    Object.assign(this, { type, errors });
  }
}

// Nobody knows whether the request has arrived. The same one may be sent again later, under the same key.
class NoAnswer extends Error {}

// The answer to a request. What changes something has an Idempotency-Key: however often it is sent under the same key,
// it happens once, and each time it gets the same answer. So a request that got none is simply sent again.
async function ask(method, path, { key, body } = {}) {
  const headers = { "cv-api-key": shop.apiKey };
  if (key) headers["Idempotency-Key"] = key;
  if (body) headers["Content-Type"] = "application/json";
  for (let sent = 0; ; sent += 1) {
    const response = await send(method, path, { headers, body: body && JSON.stringify(body) });
    if (response && !AWAY.includes(response.status)) return read(response);
    if (sent === WAITS.length) throw new NoAnswer();
    say("No answer yet. The same request is sent again.");
    await wait(Number(response?.headers.get("Retry-After")) || WAITS[sent]);
  }
}

async function send(method, path, options) {
  let outcome = "no answer";
  try {
    const response = await fetch(new URL(path, API), { method, signal: AbortSignal.timeout(PATIENCE), ...options });
    outcome = response.status;
    return response;
  } catch {
    return null; // the network failed, or it took too long
  } finally {
    noteRequest(method, path, outcome, options.headers["Idempotency-Key"]);
  }
}

async function read(response) {
  const content = await response.json().catch(() => ({ title: `The server answered ${response.status}.` }));
  if (!response.ok) throw new Problem(content);
  return content;
}

const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));


// 2. Booking -----------------------------------------------------------------------------------------------------

// What each code is worth, and every reason why it cannot be used. This changes nothing, so it needs no key.
async function check({ code, storeExamCode, candidate }) {
  const { personId, email } = candidate;
  const asked = { codes: [code], storeExamCode, candidate: { personId, email } };
  return (await ask("POST", "validations", { body: asked })).results[0];
}

// One attempt is one wish of the customer: it has one key and one reservation code, made once. Pressing the button again
// without an answer is the same attempt, and cannot book twice. Another wish is another attempt; so is one that comes
// after a success.
let attempt = null;

async function hold(wish) {
  const text = JSON.stringify(wish);
  if (attempt?.text !== text) attempt = { text, key: crypto.randomUUID(), reservationCode: newReservationCode() };
  // The code is ours for so long, against all others. Without `holdSeconds` it would be redeemed at once.
  const body = { ...wish, reservationCode: attempt.reservationCode };
  const held = await ask("POST", "redemptions", { key: attempt.key, body });
  attempt = null;
  return held;
}

// A booking's own name in the shop; each booking has a new one.
function newReservationCode() {
  return `SHOP-${crypto.randomUUID().slice(0, 8).toUpperCase()}`;
}

// `confirm` once the customer has paid, `release` to give a hold back, `cancel` to give a confirmed use back.
async function act(action) {
  booking.keys[action] ??= crypto.randomUUID();
  try {
    return await ask("POST", `redemptions/${booking.id}/${action}`, { key: booking.keys[action] });
  } catch (error) {
    // Such as a hold that has run out meanwhile: what counts is what the server has now.
    if (error.type === "urn:tessera:problem:wrong-state") return lookUp();
    throw error;
  }
}

function lookUp() {
  return ask("GET", `redemptions/${booking.id}`);
}


// 3. Problems beside their fields --------------------------------------------------------------------------------

// Where the form has what a pointer points to.
const FIELDS = {
  "/code": "code",
  "/codes/0": "code",
  "/storeExamCode": "exam",
  "/candidate/firstName": "first-name",
  "/candidate/lastName": "last-name",
  "/candidate/email": "email",
  "/holdSeconds": "hold-for",
};
// Codes are stable, so a shop has its own words for those that its customers meet. For others the server's will do.
const WORDS = {
  Required: "Please fill this in.",
  NotCode: "Please type a code.",
  NotEmail: "This is not an e-mail address.",
  EmailRequired: "This code is for certain e-mail addresses: please type yours.",
};

function showProblem(error) {
  if (error instanceof NoAnswer) {
    say("The server cannot be reached. Please press the button again in a while: nothing is booked twice.");
  } else if (!(error instanceof Problem)) {
    throw error;
  } else if (error.errors.length === 0) {
    say(error.message);
  } else {
    const elsewhere = error.errors.filter((each) => !(each.pointer in FIELDS));
    say("Please look at what is marked.", elsewhere.map(wordsFor));
    for (const each of error.errors) if (each.pointer in FIELDS) mark(FIELDS[each.pointer], wordsFor(each));
    document.querySelector("[aria-invalid=true]")?.focus();
  }
}

function wordsFor({ code, detail, message, validFrom }) {
  const words = WORDS[code] ?? detail ?? message;
  return validFrom ? `${words} It may be free again on ${time(validFrom)}.` : words;
}

function mark(field, words) {
  $(field).setAttribute("aria-invalid", "true");
  $(`${field}-error`).append(element("p", words));
}

function clearMarks() {
  for (const field of Object.values(FIELDS)) {
    $(field).removeAttribute("aria-invalid");
    $(`${field}-error`).replaceChildren();
  }
}


// 4. The page ----------------------------------------------------------------------------------------------------

let booking = null; // the redemption as the server last told it
let deadline = 0;
let ticking = null;
let busy = false;

const TITLES = {
  Held: ["The code is held for you", "Nobody else can use it. Confirm the booking to redeem it."],
  Redeemed: ["Your exam is booked", "The code is redeemed."],
  Released: ["The code is released", "Nothing was booked, and the code can be used again."],
  Expired: ["The hold has run out", "Nothing was booked, and the code can be used again."],
  Cancelled: ["The booking is cancelled", "The code can be used again."],
};

function readForm() {
  const typed = (id) => $(id).value.trim() || undefined; // what is undefined is not sent
  const candidate = {
    // The customer's account in the shop: limits for each candidate go by it.
    personId: account(),
    clientCandidateId: account(),
    firstName: typed("first-name"),
    lastName: typed("last-name"),
    email: typed("email"),
  };
  return { code: typed("code"), storeExamCode: $("exam").value, candidate, holdSeconds: Number($("hold-for").value) };
}

function account() {
  localStorage.account ??= `demo-${crypto.randomUUID().slice(0, 8)}`;
  return localStorage.account;
}

async function pressed(action) {
  if (busy) return;
  busy = true;
  document.body.setAttribute("aria-busy", "true");
  clearMarks();
  try {
    await action();
  } catch (error) {
    showProblem(error);
  } finally {
    busy = false;
    document.body.removeAttribute("aria-busy");
  }
}

async function pressedCheck() {
  const result = await check(readForm());
  if (result.isValid) {
    showPrice(result);
    const uses = result.remainingUses === null ? [] : [`Uses left: ${result.remainingUses}.`];
    say(`${result.code} is valid.`, result.validUntil ? [...uses, `Good until ${time(result.validUntil)}.`] : uses);
  } else {
    showListPrice();
    say(`${result.code} cannot be used:`, result.reasons.map(wordsFor));
    if (result.reasons.some(({ code }) => code === "EmailRequired")) mark("email", WORDS.EmailRequired);
  }
}

async function pressedHold() {
  const asked = performance.now();
  const held = await hold(readForm());
  booking = { ...held, keys: {} };
  // Counted from the moment of asking, so that a wrong clock of this computer does no harm, and we never promise more
  // than the server does.
  deadline = asked + (new Date(held.heldUntil) - new Date(held.createdAt));
  showBooking();
}

function pressedAction(action) {
  return pressed(async () => changed(await act(action)));
}

function changed(redemption) {
  booking = { ...booking, ...redemption };
  showBooking();
}

function showBooking() {
  const [title, text] = TITLES[booking.status];
  const { firstName, lastName, email } = booking.candidate;
  const [held, redeemed] = [booking.status === "Held", booking.status === "Redeemed"];
  $("form").hidden = true;
  $("booking").hidden = false;
  $("booking-title").textContent = title;
  $("booking-text").textContent = text;
  $("booking-reservation").textContent = booking.reservationCode;
  $("booking-exam").textContent = shop.exams.find(({ code }) => code === booking.storeExamCode).name;
  $("booking-candidate").textContent = `${firstName} ${lastName}${email ? `, ${email}` : ""}`;
  $("confirm").textContent = `Confirm for ${dollars(booking.finalPrice)}`;
  $("confirm").hidden = $("release").hidden = $("countdown").hidden = $("bar").hidden = !held;
  $("cancel").hidden = !redeemed;
  $("again").hidden = held;
  if (held || redeemed) showPrice(booking);
  else showListPrice(booking.listPrice);
  say("");
  $("booking-title").focus(); // and so it is read aloud
  clearInterval(ticking);
  if (held) startCountdown();
}

function startCountdown() {
  $("bar").max = deadline - performance.now();
  tick();
  ticking = setInterval(tick, 250);
}

function tick() {
  const left = Math.max(deadline - performance.now(), 0);
  const seconds = Math.ceil(left / 1000);
  $("left").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  $("bar").value = left;
  if (left === 0 && !busy) ended();
}

// The server decides when a hold has run out; an answer that was on its way for long makes us ask a little early.
async function ended() {
  clearInterval(ticking);
  await pressed(async () => {
    let found = await lookUp();
    while (found.status === "Held") {
      await wait(1);
      found = await lookUp();
    }
    changed(found);
  });
}

function startAgain() {
  booking = null;
  $("booking").hidden = true;
  $("form").hidden = false;
  showListPrice();
  say("");
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

function say(words, more = []) {
  const list = more.length ? [element("ul", ...more.map((each) => element("li", each)))] : [];
  $("says").replaceChildren(...(words ? [element("p", words), ...list] : []));
}

function noteRequest(method, path, outcome, key) {
  const words = key ? `${outcome}, key ${key.slice(0, 8)}…` : `${outcome}`;
  $("requests").append(element("li", element("code", `${method} ${path}`), ` ${words}`));
}

function element(name, ...content) {
  const made = document.createElement(name);
  made.append(...content);
  return made;
}

function $(id) {
  return document.getElementById(id);
}

function dollars(amount) {
  return amount.toLocaleString("en-US", { style: "currency", currency: "USD" });
}

function time(text) {
  return new Date(text).toLocaleString("en-US", { dateStyle: "medium", timeStyle: "short" });
}

function sample({ code, says }) {
  const button = element("button", element("code", code), ` ${says}`);
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
  say("");
}

$("organization").textContent = shop.organization;
$("exam").append(...shop.exams.map(({ code, name }) => new Option(name, code)));
$("samples").append(...shop.samples.map(sample));
$("form").addEventListener("input", formChanged);
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  pressed(event.submitter?.value === "hold" ? pressedHold : pressedCheck);
});
for (const action of ["confirm", "release", "cancel"]) $(action).addEventListener("click", () => pressedAction(action));
$("again").addEventListener("click", startAgain);
showListPrice();
