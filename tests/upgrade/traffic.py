"""Requests of all kinds at a steady pace, and what became of them."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

PER_SECOND = 50
SECONDS_FOR_RESPONSE = 30
Headers = Mapping[str, str]


@dataclass(frozen=True)
class Callers:
    """The headers of the callers: a storefront, an integrator, a buyer of vouchers, and an administrator."""

    storefront: Headers
    integrator: Headers
    buyer: Headers
    administrator: Headers


@dataclass(frozen=True)
class Request:
    """A request with the status of its success."""

    name: str
    method: str
    path: str
    headers: Headers
    status: int = 200
    body: object = None


@dataclass(frozen=True)
class Outcome:
    """What became of a request: no failure, or its reason."""

    phase: str
    request: str
    seconds: float
    failure: str | None


@dataclass
class Traffic:
    """Sends requests to the processes in turn. No request is sent twice, so each failure counts.

    Like a load balancer, it sends no new request to a process that is removed from `targets`.
    """

    requests: Iterator[Request]
    targets: list[str]
    phase: str = ""
    outcomes: list[Outcome] = field(default_factory=list)
    _running: Counter[str] = field(default_factory=Counter)

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Send requests until the block ends, and wait for their responses."""
        # Connections end before the server would close them, so that no request meets a connection that just ends.
        limits = httpx.Limits(max_connections=None, keepalive_expiry=2)
        async with (
            httpx.AsyncClient(timeout=SECONDS_FOR_RESPONSE, limits=limits) as client,
            asyncio.TaskGroup() as tasks,
        ):
            sender = tasks.create_task(self._send_all(client, tasks))
            yield
            sender.cancel()

    async def remove(self, target: str) -> None:
        """Send nothing more to this process, and wait until it has responded to everything."""
        self.targets.remove(target)
        async with asyncio.timeout(2 * SECONDS_FOR_RESPONSE):
            while self._running[target]:
                await asyncio.sleep(0.02)

    async def _send_all(self, client: httpx.AsyncClient, tasks: asyncio.TaskGroup) -> None:
        began = time.monotonic()
        for number, request in enumerate(self.requests):
            await asyncio.sleep(began + number / PER_SECOND - time.monotonic())
            target = self.targets[number // 2 % len(self.targets)]
            tasks.create_task(self._send(client, target, request))

    async def _send(self, client: httpx.AsyncClient, target: str, request: Request) -> None:
        phase, began = self.phase, time.monotonic()
        self._running[target] += 1
        failure = await _failure(client, target, request)
        self._running[target] -= 1
        self.outcomes.append(Outcome(phase, request.name, time.monotonic() - began, failure))


async def _failure(client: httpx.AsyncClient, target: str, request: Request) -> str | None:
    try:
        response = await client.request(
            request.method, f"{target}{request.path}", headers=dict(request.headers), json=request.body
        )
    except httpx.HTTPError as error:
        return repr(error)
    if response.status_code == request.status:
        return None
    return f"{response.status_code} {response.text[:300]}"


def mixed(callers: Callers) -> Iterator[Request]:
    """Validations, redemptions, new promo codes, purchases, lists, reads and writes of the management, for ever."""
    names = (f"UPGRADE{number:06}" for number in itertools.count())
    redemption, partner = "/storefront/v1/redemptions", "/management/v1/voucher-partners"
    while True:
        yield Request("validate", "GET", "/api/v1/promo-codes?code=PER10", callers.storefront)
        yield Request("redeem", "POST", redemption, callers.storefront, 201, _redemption(next(names)))
        yield Request("validate several", "POST", "/storefront/v1/validations", callers.storefront, 200, _VALIDATION)
        yield Request("create a promo code", "POST", "/promo-codes", callers.integrator, 201, _promo_code(next(names)))
        yield Request("validate", "GET", "/api/v1/promo-codes?code=WELCOME", callers.storefront)
        yield Request("hold", "POST", redemption, callers.storefront, 201, _redemption(next(names), holdSeconds=300))
        yield Request("list vouchers", "GET", "/api/vouchers?isUsed=false", callers.buyer)
        yield Request("purchase", "POST", "/api/vouchers/purchases", callers.buyer, 200, _PURCHASE)
        yield Request("list promo codes", "GET", "/promo-codes?status=Active", callers.integrator)
        yield Request("read the catalog", "GET", "/management/v1/store-exams", callers.administrator)
        yield Request("read promo codes", "GET", "/management/v1/promo-codes?limit=5", callers.administrator)
        name = f" Partner {next(names)} "
        yield Request("add a partner", "POST", partner, callers.administrator, 201, {"name": name, "isActive": True})


_VALIDATION = {"codes": ["WELCOME", "BYGONE", "SPRING-UNUSED"], "storeExamCode": "NCA-GENL"}
_PURCHASE = {
    "notes": "Upgrade",
    "partnerName": "Acme Corp",
    "programName": "Spring Certification Drive",
    "quantity": 20,
}


def _redemption(reservation: str, **more: Any) -> dict[str, Any]:
    candidate = {"personId": reservation, "clientCandidateId": "C-1", "firstName": "Ada", "lastName": "Byron"}
    body = {"code": "PER10", "reservationCode": reservation, "storeExamCode": "NCA-GENL", "candidate": candidate}
    return body | more


def _promo_code(name: str) -> dict[str, Any]:
    return {
        "promoCodeName": name,
        "discountPercent": 25,
        "storeExamCodes": ["NCA-GENL"],
        "expirationDateUtc": "2030-01-01T00:00:00",
        "maxRedemptions": 100,
        "isActive": True,
    }
