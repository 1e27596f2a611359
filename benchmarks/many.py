"""The cost of requests and of periodic tasks with 10,000 organizations: `python -m benchmarks.many`.

CPU time is compared, and not the rate, because it depends less on what else the machine does. Each operation is sent to
one organization, and then to all in turn. The periodic tasks have one piece of work in each organization.
"""

import asyncio
import itertools
import resource
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

import structlog

from benchmarks import data, organizations
from benchmarks.data import Shop
from benchmarks.redeeming import CANDIDATE
from benchmarks.results import Figures, Results
from benchmarks.servers import Server, database_cpu_seconds, get, post, serving
from benchmarks.sizes import CONNECTIONS, SIZES
from tessera.audit.jobs import seal_audit
from tessera.idempotency.jobs import delete_idempotency_keys
from tessera.identity.authentication.credentials import CredentialName
from tessera.identity.authentication.key_usage import KeyUses
from tessera.kit.db.database import Database
from tessera.kit.identifiers import new_id
from tessera.provision import Addresses
from tessera.redemptions.jobs import expire_holds
from tessera.reports.jobs import roll_up_redemptions
from tessera.vouchers.jobs import expire_checkouts

MAX_RATIO = 1.5
MAX_SINGLE_MS = 3.0
MAX_PASS_SECONDS, MAX_IDLE_SECONDS = 10.0, 0.1
CORES = 2
NEW_CODE = {
    "storeExamCodes": ["EXAM"],
    "discountPercent": 25,
    "expirationDateUtc": "2099-01-01T00:00:00",
    "maxRedemptions": 500,
    "emailAddresses": ["ada@example.com"],
    "isActive": True,
    "restrictToEmailAddresses": True,
}
numbers = itertools.count()

Request = Callable[[Shop], bytes]
Task = Callable[[Any, int], Awaitable[None]]
TASKS: dict[str, Any] = {
    "sealing": seal_audit.func,
    "roll-ups": roll_up_redemptions,
    "ends of checkouts": expire_checkouts,
    "ends of holds": expire_holds,
    "idempotency keys": delete_idempotency_keys,
}


def validation(shop: Shop) -> bytes:
    """A validation of a code."""
    return get("/api/v1/promo-codes?code=CODE", {"cv-api-key": shop.api_key})


def redemption(shop: Shop) -> bytes:
    """A redemption of a limited code by a new candidate."""
    body = {"code": "CODE", "reservationCode": new_id().hex, "storeExamCode": "EXAM"}
    candidate = CANDIDATE | {"personId": new_id().hex}
    return post("/storefront/v1/redemptions", {"cv-api-key": shop.api_key}, body | {"candidate": candidate})


def creation(shop: Shop) -> bytes:
    """The creation of a code with an exam."""
    return post("/promo-codes", shop.bearer, NEW_CODE | {"promoCodeName": f"N{next(numbers)}"})


def purchase(shop: Shop) -> bytes:
    """A free purchase of one voucher."""
    body = {"notes": "Benchmark", "partnerName": "Partner", "programName": "Program", "quantity": 1}
    return post("/api/vouchers/purchases", shop.bearer, body)


def codes(shop: Shop) -> bytes:
    """The first page of promo codes."""
    return get("/promo-codes", shop.bearer)


# The request of each operation, and the status that it expects.
OPERATIONS: dict[str, tuple[Request, int]] = {
    "validation": (validation, 200),
    "list of promo codes": (codes, 200),
    "redemption": (redemption, 201),
    "creation": (creation, 201),
    "purchase": (purchase, 200),
}


def main() -> None:
    """Load the organizations, and measure the tasks and the operations."""
    results = Results()
    with data.database() as (addresses, connection):
        began = time.perf_counter()
        shops = organizations.load(connection, count=SIZES.many)
        connection.execute("vacuum analyze")
        results.note(f"{len(shops):,} organizations loaded in", time.perf_counter() - began, "s")
        environment = {"APPLICATION_URL": addresses.application}
        with serving("Tessera", "benchmarks.applications:tessera", environment) as server:
            measure_requests(results, server, shops)
        organizations.add_work(connection, count=SIZES.many)
        connection.execute("vacuum analyze")
        asyncio.run(measure_tasks(results, addresses, shops))
    results.finish()


def measure_requests(results: Results, server: Server, shops: Sequence[Shop]) -> None:
    """Compare each operation spread over all organizations with the same in one of them, and a single redemption."""
    for name, (request, status) in OPERATIONS.items():

        def run(asked: Iterator[Shop], request: Request = request, status: int = status) -> Figures:
            load = [request(shop) for shop in itertools.islice(asked, SIZES.many)]
            return server.measure(load, connections=CONNECTIONS, seconds=SIZES.seconds, expected=status)

        contenders = {
            "spread": partial(run, itertools.cycle(shops)),
            "one organization": partial(run, itertools.repeat(shops[0])),
        }
        figures = results.interleave(f"{name}, {len(shops):,} organizations", contenders, rounds=SIZES.rounds)
        ratio = _cpu_ms(figures["spread"]) / _cpu_ms(figures["one organization"])
        results.judge(name, f"CPU within {MAX_RATIO} x of one's", ratio, reached=ratio <= MAX_RATIO)
    load = [redemption(shop) for shop in shops]
    alone = _cpu_ms(server.measure(load, connections=1, seconds=SIZES.seconds, expected=201))
    results.judge("redemption, 1 connection", f"CPU of {MAX_SINGLE_MS} ms", alone, reached=alone <= MAX_SINGLE_MS)


def _cpu_ms(figures: Figures) -> float:
    return (figures.cpu_ms or 0) + (figures.database_ms or 0)


async def measure_tasks(results: Results, addresses: Addresses, shops: Sequence[Shop]) -> None:
    """Measure one pass of each task with work in each organization, and one without."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    database, uses = Database(addresses.application, pool_size=4), KeyUses()
    now = datetime.now(UTC)
    for shop in shops:
        uses.note(CredentialName(shop.organization_id, shop.key_id), now=now)

    async def flush(_: object, __: int) -> None:
        await uses.flush(database)

    context = SimpleNamespace(additional_context={"database": database, "clock": lambda: datetime.now(UTC)})
    tasks = TASKS | {"uses of keys": flush}
    for name, task in tasks.items():
        seconds, memory = await _measure(task, context)
        target = f"{MAX_PASS_SECONDS:g} s on {CORES} cores"
        results.judge(f"{name}, work in each", target, seconds, reached=seconds <= MAX_PASS_SECONDS)
        results.note("memory at most", memory, "MiB")
    await TASKS["sealing"](context, 0)  # of the ends of checkouts
    for name, task in tasks.items():
        seconds, _ = await _measure(task, context)
        results.judge(f"{name}, no work", f"{MAX_IDLE_SECONDS:g} s", seconds, reached=seconds <= MAX_IDLE_SECONDS)
    await database.close()


async def _measure(task: Task, context: object) -> tuple[float, float]:
    """The CPU time divided by the cores, in seconds, and the largest memory of this process so far."""
    before = _cpu_seconds()
    await task(context, 0)
    return (_cpu_seconds() - before) / CORES, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime + database_cpu_seconds()


if __name__ == "__main__":
    main()
