"""A shop's own server: the browser talks to it, and only it has the API key. Needs nothing but Python 3.11.

TESSERA_URL=https://codes.example.com TESSERA_API_KEY=tsk_... STORE_EXAM=NCA-GENL python3 storefront_server.py 8010
"""

import html
import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

API = os.environ["TESSERA_URL"].rstrip("/") + "/storefront/v1/"
KEY = os.environ["TESSERA_API_KEY"]
EXAM = os.environ["STORE_EXAM"]
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title><h1>Book {exam}</h1><p>{message}</p>
<form method="post"><label>Code <input name="code" value="{code}" required maxlength="100"></label>
<button name="step" value="check">Check</button> <button name="step" value="pay">Pay</button>
<button name="step" value="fail">Let the payment fail</button></form></html>"""
# A real shop has a database, a session for each visitor, and a candidate who is signed in.
CANDIDATE = {"personId": "P-1", "clientCandidateId": "C-1", "firstName": "Ada", "lastName": "Byron"}
ORDERS: dict[str, dict[str, str]] = {}


class Refused(Exception):
    """Tessera has refused the request; `problem` says why (RFC 9457)."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail") or problem["title"])
        self.problem = problem


def call(path: str, body: object, *, visitor: str, key: str | None = None) -> dict[str, Any]:
    """POST to Tessera. With `key`, repetitions are safe: the server executes only the first request with a key."""
    headers = {"cv-api-key": KEY, "Content-Type": "application/json", "Tessera-Client": visitor}
    if key:
        headers["Idempotency-Key"] = key
    data = None if body is None else json.dumps(body).encode()
    for pause in (1, 2, 4, 0):
        request = urllib.request.Request(API + path, data=data, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            # After 429, the visitor tries again: the server may ask for more patience than a page has.
            if error.code not in (408, 500, 502, 503, 504) or not pause:
                raise Refused(problem_of(error)) from None
            time.sleep(float(error.headers.get("Retry-After", pause)))
        except OSError:  # no response arrived, so the outcome is unknown
            if not pause:
                raise
            time.sleep(pause)
    raise AssertionError


def problem_of(error: urllib.error.HTTPError) -> dict[str, Any]:
    """The body of an error response; that of a proxy is not JSON."""
    try:
        problem: dict[str, Any] = json.load(error)
    except ValueError:
        problem = {"title": f"The server responded with status {error.code}."}
    return problem


def check(code: str, visitor: str) -> str:
    """What the candidate would pay with this code, or why the code is not valid."""
    question = {"codes": [code], "storeExamCode": EXAM, "candidate": {"personId": CANDIDATE["personId"]}}
    [result] = call("validations", question, visitor=visitor)["results"]
    if result["isValid"]:
        return f"You pay {result['finalPrice']:.2f} instead of {result['listPrice']:.2f} dollars."
    return " ".join(reason["message"] for reason in result["reasons"])


def buy(code: str, visitor: str, *, pays: bool) -> str:
    """Hold the code, let the candidate pay, then confirm the hold, or release it after a failed payment."""
    # One order for each visitor and code. Its keys exist before the first request: a repetition is the same order.
    keys = {step: secrets.token_hex(16) for step in ("hold", "confirm", "release")}
    order = ORDERS.setdefault(f"{visitor} {code}", {"reservation": f"SHOP-{secrets.token_hex(6)}", **keys})
    wish = {
        "code": code,
        "storeExamCode": EXAM,
        "candidate": CANDIDATE,
        "reservationCode": order["reservation"],
        "holdSeconds": 900,
    }
    held = call("redemptions", wish, visitor=visitor, key=order["hold"])
    pays = pays or not held["finalPrice"]  # without a price, there is no payment that can fail
    step = "confirm" if pays else "release"  # here a real shop waits for its payment provider
    call(f"redemptions/{held['id']}/{step}", None, visitor=visitor, key=order[step])
    del ORDERS[f"{visitor} {code}"]
    paid = f"{held['finalPrice']:.2f} dollars"
    return f"Booked as {order['reservation']} for {paid}." if pays else f"The payment of {paid} has failed. Try again."


class Shop(BaseHTTPRequestHandler):
    """One form: the browser sends a code and a step, and nothing else."""

    def do_GET(self) -> None:
        """Show the empty form."""
        self.show("Enter a promo code or a voucher.")

    def do_POST(self) -> None:
        """Execute one step."""
        form = parse_qs(self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 10_000)).decode())
        code, step = (form.get(name, [""])[0] for name in ("code", "step"))
        visitor = self.client_address[0]
        try:
            message = check(code, visitor) if step == "check" else buy(code, visitor, pays=step == "pay")
        except Refused as refused:
            errors = refused.problem.get("errors") or [{"detail": str(refused)}]
            message = " ".join(error["detail"] for error in errors)
        except OSError:
            message = "The booking system cannot be reached. Try again; nothing is booked twice."
        self.show(message, code)

    def show(self, message: str, code: str = "") -> None:
        """Send the page."""
        body = PAGE.format(exam=html.escape(EXAM), message=html.escape(message), code=html.escape(code)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8010
    server = ThreadingHTTPServer(("127.0.0.1", port), Shop)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
