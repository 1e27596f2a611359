"""`Idempotency-Key` with concurrent requests, and with a process that dies between the effect and the response."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from multiprocessing.context import ForkServerProcess

import httpx
import psycopg
import pytest
from tests.conftest import TOKEN_KEYS
from tests.support import dying, factories
from tests.support.commands import answers, free_port
from tests.support.factories import Tenant
from tests.support.idempotency_requests import (
    IN_USE,
    OPERATIONS,
    PROMO_CODES,
    PURCHASES,
    Operation,
    count_effects,
    post,
)
from tests.support.purchasing import open_market
from tests.support.recording import record_statements
from tests.support.waiting import until, until_blocked

from tessera.api.serving.resources import Resources
from tessera.idempotency import service as idempotency
from tessera.identity.rules import PLATFORM_ID
from tessera.provision import Addresses

RACERS = 32
NEVER = 10**9

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.table)


@pytest.fixture
async def buyer(resources: Resources) -> Tenant:
    """An organization that can buy vouchers, with a token that is valid at the real time."""
    tenant = await factories.create_tenant(resources, now=datetime.now(UTC))
    await open_market(resources, tenant)
    return tenant


@each_operation
async def test_of_concurrent_equal_requests_one_takes_effect_and_the_others_get_its_response_or_409(
    client: httpx.AsyncClient, buyer: Tenant, superuser: psycopg.Connection, operation: Operation
) -> None:
    answered = await asyncio.gather(*(post(client, buyer, operation, "key") for _ in range(RACERS)))
    final = await post(client, buyer, operation, "key")
    assert final.status_code == operation.status
    outcomes = Counter((answer.status_code, answer.content) for answer in answered)
    result = outcomes.pop((operation.status, final.content))
    waiting = [answer for answer in answered if answer.status_code == 409]
    assert (result + len(waiting), [answer.json() for answer in waiting]) == (RACERS, [IN_USE] * len(waiting))
    assert count_effects(superuser, buyer, operation) == 1


async def test_a_request_gets_409_while_its_twin_runs_and_the_stored_response_after(
    client: httpx.AsyncClient, buyer: Tenant, superuser: psycopg.Connection, addresses: Addresses
) -> None:
    with psycopg.connect(addresses.owner.replace("+psycopg", "")) as rival:
        rival.execute(
            "insert into promo_codes (organization_id, id, name, status, discount_percent,"
            " redemption_count, held_count, restrict_to_email_addresses, has_store_exams, has_product_bundles,"
            " created_at, version)"
            " values (%s, gen_random_uuid(), 'Spring25', 'Active', 10, 0, 0, false, false, false, now(), 1)",
            [buyer.id],
        )
        running = asyncio.create_task(post(client, buyer, PROMO_CODES, "key"))
        await until_blocked(superuser, lock_type="transactionid")
        twin = await post(client, buyer, PROMO_CODES, "key")
        other_body = await post(client, buyer, PROMO_CODES, "key", notes="Something else")
        rival.rollback()
    first = await running
    again = await post(client, buyer, PROMO_CODES, "key")
    for refusal in (twin, other_body):
        assert (refusal.status_code, refusal.json(), refusal.headers["Retry-After"]) == (409, IN_USE, "1")
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert count_effects(superuser, buyer, PROMO_CODES) == 1


async def test_a_request_gets_409_while_its_twin_waits_and_has_no_transaction(
    client: httpx.AsyncClient, buyer: Tenant, resources: Resources
) -> None:
    slots = resources.database._slots
    async with AsyncExitStack() as stack:
        for _ in range(slots.size):
            await stack.enter_async_context(slots.slot(buyer.id))
        running = asyncio.create_task(post(client, buyer, PROMO_CODES, "key"))
        await until("the first request waits for a connection", lambda: slots.waiting == 1)
        twin = await post(client, buyer, PROMO_CODES, "key")
    assert (twin.status_code, twin.json()) == (409, IN_USE)
    first, again = await running, await post(client, buyer, PROMO_CODES, "key")
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)


@asynccontextmanager
async def dying_api(
    addresses: Addresses, tenant: Tenant, *, at: int
) -> AsyncIterator[tuple[httpx.AsyncClient, ForkServerProcess]]:
    """A client of a server that dies at this moment of its first request for the organization."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    arguments = (dying.api, addresses.application, port, TOKEN_KEYS)
    with dying.process_that_dies(*arguments, organization=tenant.id, at=at) as process:
        await until("the server answers", lambda: answers(f"{url}/health/live"))
        async with httpx.AsyncClient(base_url=url, timeout=90, trust_env=False) as client:
            yield client, process


@each_operation
@pytest.mark.parametrize(
    ("from_end", "left"),
    [(1, 1), (2, 0), (3, 0), (4, 0)],
    ids=["after COMMIT", "before COMMIT", "after the answer is kept", "before the answer is kept"],
)
async def test_a_process_that_dies_between_effect_and_answer_leaves_both_or_neither(
    *,
    client: httpx.AsyncClient,
    resources: Resources,
    buyer: Tenant,
    addresses: Addresses,
    superuser: psycopg.Connection,
    operation: Operation,
    from_end: int,
    left: int,
) -> None:
    rehearsing = await factories.create_tenant(resources, now=datetime.now(UTC))
    await open_market(resources, rehearsing)
    with record_statements(resources.database) as statements:
        assert (await post(client, rehearsing, operation, "key")).status_code == operation.status
    # Before and after each statement of the transaction, and COMMIT. The caller is identified before BEGIN.
    begin = next(at for at, statement in enumerate(statements) if statement.text.lower().startswith("begin"))
    moments = 2 * (len(statements) - begin) + 2

    async with dying_api(addresses, buyer, at=moments - from_end) as (doomed, process):
        with pytest.raises(httpx.RemoteProtocolError):
            await post(doomed, buyer, operation, "key")
        await until("the server dies", lambda: process.exitcode == -signal.SIGKILL)
    assert count_effects(superuser, buyer, operation) == left

    async with dying_api(addresses, buyer, at=NEVER) as (healthy, _):
        second = await post(healthy, buyer, operation, "key")
        third = await post(healthy, buyer, operation, "key")
    assert second.status_code == operation.status
    assert (third.status_code, third.content) == (second.status_code, second.content)
    assert count_effects(superuser, buyer, operation) == 1
    if operation is PURCHASES:
        jobs = "select args->>'purchase_id' from procrastinate_jobs where args->>'organization_id' = %s"
        assert superuser.execute(jobs, [str(buyer.id)]).fetchall() == [(second.json()["id"],)]


async def test_a_key_that_is_used_again_meanwhile_stays_and_ends_no_deletion_of_the_others(
    resources: Resources, buyer: Tenant, superuser: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "KEYS_AT_ONCE", 2)
    first, second, third = (datetime(800, 1, day, tzinfo=UTC) for day in (1, 2, 3))
    for at in (first, second, third):
        superuser.execute(
            "insert into idempotency_keys values (%s, gen_random_uuid(), 'key', '', 200, '', %s)", [buyer.id, at]
        )

    async def delete(start: datetime) -> tuple[int, datetime | None]:
        async with resources.database.unit_of_work(PLATFORM_ID) as work:
            return await idempotency.delete_some_expired(work, start, now=datetime(801, 1, 1, tzinfo=UTC))

    with superuser.transaction():
        superuser.execute("update idempotency_keys set created_at = now() where created_at = %s", [first])
        piece = asyncio.create_task(delete(first))
        await until_blocked(superuser)
    assert [await piece, await delete(second), await delete(third)] == [(1, second), (1, third), (0, None)]
    kept = superuser.execute("select count(*) from idempotency_keys where organization_id = %s", [buyer.id])
    assert kept.fetchall() == [(1,)]
