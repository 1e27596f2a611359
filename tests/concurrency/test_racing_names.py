"""Concurrent requests for one name: exactly one gets it."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg
import pytest
from tests.conftest import NOW, TOKEN_KEYS_SETTING
from tests.support.commands import running_server
from tests.support.factories import Tenant, percent_code
from tests.support.promo_code_requests import PROMO_CODE, create, request
from tests.support.responses import status_and_body, validation_failed
from tests.support.waiting import until_blocked

from tessera.api.serving.resources import Resources
from tessera.promo_codes.repository import PromoCodeRepository
from tessera.provision import Addresses
from tessera.settings import Settings

RACERS = 32
HOLD = (
    "insert into promo_codes (organization_id, id, name, status, discount_percent, redemption_count, held_count,"
    " restrict_to_email_addresses, has_store_exams, has_product_bundles, created_at, version)"
    " values (%s, gen_random_uuid(), 'Spring25', 'Active', 10, 0, 0, false, false, false, now(), 1)"
)


def count_of(superuser: psycopg.Connection, tenant: Tenant) -> int:
    """The number of promo codes of the organization."""
    row = superuser.execute("select count(*) from promo_codes where organization_id = %s", [tenant.id]).fetchone()
    assert row is not None
    return int(row[0])


async def test_of_many_racing_creations_of_one_name_exactly_one_succeeds(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    answers = await asyncio.gather(*(create(client, tenant) for _ in range(RACERS)))
    told_all = [status_and_body(answer) for answer in answers]
    lost = validation_failed("promoCodeName must be unique, and 'SPRING25' is taken.")
    assert (told_all.count((201, PROMO_CODE)), told_all.count(lost)) == (1, RACERS - 1)
    assert count_of(superuser, tenant) == 1


async def test_names_that_differ_only_in_case_race_as_one(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    spellings = ["SPRING25", "spring25", "Spring25", "sPRING25"] * (RACERS // 4)
    answers = await asyncio.gather(*(create(client, tenant, promoCodeName=name) for name in spellings))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 400: RACERS - 1}
    assert count_of(superuser, tenant) == 1


async def test_a_creation_waits_for_the_one_before_and_gets_the_name_when_that_is_rolled_back(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, addresses: Addresses
) -> None:
    with psycopg.connect(addresses.owner.replace("+psycopg", "")) as rival:
        rival.execute(HOLD, [tenant.id])
        waiting = asyncio.create_task(create(client, tenant))
        await until_blocked(superuser, lock_type="transactionid")
        assert not waiting.done()
        rival.rollback()
    assert status_and_body(await waiting) == (201, PROMO_CODE)


async def test_nobody_waits_for_a_name_that_another_request_waits_for(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, addresses: Addresses
) -> None:
    with psycopg.connect(addresses.owner.replace("+psycopg", "")) as rival:
        rival.execute(HOLD, [tenant.id])
        others = [asyncio.create_task(create(client, tenant, promoCodeName=f"FREE{number}")) for number in range(30)]
        waiting = [asyncio.create_task(create(client, tenant)) for _ in range(3)]
        for _ in range(5):
            await asyncio.sleep(0.1)
            waiting.append(asyncio.create_task(create(client, tenant)))
        more = [asyncio.create_task(create(client, tenant, promoCodeName=f"MORE{number}")) for number in range(30)]
        answers = await asyncio.wait_for(asyncio.gather(*others, *more), timeout=60)
        assert {answer.status_code for answer in answers} == {201}
        assert not any(each.done() for each in waiting)
        rival.rollback()
    statuses = [answer.status_code for answer in await asyncio.gather(*waiting)]
    assert sorted(statuses) == [201, *[400] * 7]
    assert count_of(superuser, tenant) == 61


@pytest.fixture
def servers(addresses: Addresses, settings: Settings, tmp_path: Path) -> Iterator[list[str]]:
    """The addresses of two server processes on the database of the tests."""
    environment = {
        "TESSERA_DATABASE_URL": addresses.application,
        **TOKEN_KEYS_SETTING,
        "TESSERA_POOL_SIZE": str(settings.pool_size),
        "TESSERA_PROCESSES": "1",
    }
    with ExitStack() as stack:
        yield [stack.enter_context(running_server("api", data=tmp_path, **environment)).url for _ in range(2)]


async def test_transactions_that_add_the_same_names_in_other_orders_do_not_lock_each_other_up(
    resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    names = [f"RACE{number}" for number in range(100)]

    async def add(order: list[str]) -> int:
        async with resources.database.unit_of_work(tenant.id) as work:
            codes = [percent_code(tenant, name) for name in order]
            return len(codes) - len(await PromoCodeRepository(work).add(codes, now=NOW))

    for _ in range(5):
        added = await asyncio.gather(*(add(random.sample(names, 100)) for _ in range(6)))
        assert sum(added) == 100
        superuser.execute("delete from promo_code_store_exams where organization_id = %s", [tenant.id])
        superuser.execute("delete from promo_codes where organization_id = %s", [tenant.id])


async def test_several_processes_race_for_a_name_as_one(
    servers: list[str], tenant: Tenant, superuser: psycopg.Connection
) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=90) as client:
        sent = [
            client.post(f"{servers[number % 2]}/promo-codes", headers=tenant.bearer, json=request())
            for number in range(RACERS)
        ]
        answers = await asyncio.gather(*sent)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 400: RACERS - 1}
    assert count_of(superuser, tenant) == 1
