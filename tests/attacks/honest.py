"""Organization B: an honest shop and its manager, who notice how long each answer takes."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count, islice
from statistics import quantiles
from typing import Any

from tests.attacks.parties import OWN_CODES, Stage

PAUSE = 0.01
Request = tuple[str, str, dict[str, str], dict[str, Any] | None, int]


@dataclass(frozen=True)
class Experience:
    """The seconds of each request, and a line for each answer that was not the expected one."""

    seconds: tuple[float, ...]
    errors: tuple[str, ...]

    def percentile_ms(self, percent: int) -> float:
        """A percentile of the times in milliseconds."""
        return 1000 * quantiles(self.seconds, n=100, method="inclusive")[percent - 1]


def shop(stage: Stage, seconds: float, most: int = sys.maxsize) -> Experience:
    """Send what a shop and its manager send, one request after the other, for some seconds or `most` requests."""
    times, errors = [], []
    connection = HTTPConnection(*stage.address, timeout=30)
    end = time.monotonic() + seconds
    for request in islice(_requests(stage), most):
        if time.monotonic() > end:
            break
        began = time.perf_counter()
        try:
            error = _send(connection, request)
        except (OSError, HTTPException) as failure:
            error = f"{request[0]} {request[1]}: {failure!r}"
            connection.close()
        times.append(time.perf_counter() - began)
        errors += [error] if error else []
        time.sleep(PAUSE)
    connection.close()
    return Experience(tuple(times), tuple(errors))


def _send(connection: HTTPConnection, request: Request) -> str:
    method, path, headers, body, expected = request
    content = None if body is None else json.dumps(body).encode()
    connection.request(method, path, content, headers)
    answer = connection.getresponse()
    text = answer.read()
    return "" if answer.status == expected else f"{method} {path}: {answer.status} {text[:200]!r}"


def _requests(stage: Stage) -> Iterator[Request]:
    key, manager = stage.b.api_key, stage.b.bearer
    started = time.time_ns()
    for number in count():
        code = f"SPRING{number % OWN_CODES}"
        yield "GET", f"/api/v1/promo-codes?code={code}", key, None, 200
        question = {"codes": [code, "SPRING0"], "storeExamCode": "NCA-GENL"}
        yield "POST", "/storefront/v1/validations", key, question, 200
        candidate = {"personId": f"P-{number}", "clientCandidateId": "C", "firstName": "Ada", "lastName": "Byron"}
        redemption = {"code": code, "reservationCode": f"R-{started}-{number}", "storeExamCode": "NCA-GENL"}
        yield "POST", "/storefront/v1/redemptions", key, redemption | {"candidate": candidate}, 201
        yield "GET", "/promo-codes?promoCodeName=SPRING1", manager, None, 200
        yield "GET", "/management/v1/promo-codes?limit=10", manager, None, 200
