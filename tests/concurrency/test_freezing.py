"""After `freeze` has returned, no change of the organization is acknowledged, whatever was running."""

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from decimal import Decimal
from functools import partial

import httpx
import psycopg
import pytest
from tests.conftest import Clock
from tests.support.factories import Tenant, add_platform, add_promo_codes, create_tenant, percent_code
from tests.support.redemption_requests import URL, body, create_redemption
from tests.support.waiting import until, until_blocked

from tessera.api.serving.resources import Resources
from tessera.catalog import service as catalog
from tessera.catalog.service import NewStoreExam
from tessera.identity.organizations import freezing
from tessera.identity.organizations import service as organizations
from tessera.kit.db.database import Access
from tessera.kit.editing import Target
from tessera.kit.errors import OrganizationFrozen
from tessera.kit.identifiers import new_id

WRITERS = 12


async def test_it_waits_for_the_changes_that_run_and_refuses_those_that_begin(
    resources: Resources, tenant: Tenant, clock: Clock, superuser: psycopg.Connection
) -> None:
    open_work = partial(resources.database.unit_of_work, tenant.id)
    exam = partial(NewStoreExam, name="Exam", price=Decimal(1))

    def is_frozen() -> bool:
        row = superuser.execute("select frozen_at from organizations where id = %s", [tenant.id]).fetchone()
        return row != (None,)

    async with open_work() as work:
        freeze = asyncio.create_task(freezing.freeze(lambda access: open_work(access=access), now=clock.now))
        await until("the organization is frozen", is_frozen)
        with pytest.raises(OrganizationFrozen):
            async with open_work() as later:
                await catalog.add_store_exams(later, [exam(new_id(), "LATER")], now=clock.now)
        assert not freeze.done()
        await catalog.add_store_exams(work, [exam(new_id(), "EARLIER")], now=clock.now)
    await freeze
    codes = superuser.execute("select code from store_exams where organization_id = %s", [tenant.id]).fetchall()
    assert ("EARLIER",) in codes
    assert ("LATER",) not in codes


async def test_readers_that_begin_later_do_not_delay_it(
    resources: Resources, tenant: Tenant, clock: Clock, superuser: psycopg.Connection
) -> None:
    open_work = partial(resources.database.unit_of_work, tenant.id)

    def is_frozen() -> bool:
        row = superuser.execute("select frozen_at from organizations where id = %s", [tenant.id]).fetchone()
        return row != (None,)

    async with AsyncExitStack() as stack:
        async with open_work():
            freeze = asyncio.create_task(freezing.freeze(lambda access: open_work(access=access), now=clock.now))
            await until("the organization is frozen", is_frozen)
            await stack.enter_async_context(open_work())
        await freeze


async def test_a_lapsed_hold_of_a_frozen_organization_stays_as_it_was_copied(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    other_tenant: Tenant,
    clock: Clock,
    superuser: psycopg.Connection,
) -> None:
    name = f"G{new_id().hex}"
    code = percent_code(tenant, name, max_redemptions=3, store_exam_ids=())
    await add_promo_codes(resources, add_platform(superuser, tenant), code, now=clock.now)
    held = await create_redemption(client, tenant, name, holdSeconds=1)
    open_work = partial(resources.database.unit_of_work, tenant.id)
    await freezing.freeze(lambda access: open_work(access=access), now=clock.now)
    clock.advance(seconds=10)
    await create_redemption(client, other_tenant, name)
    counts = "select redemption_count, held_count from promo_codes where id = %s"
    assert superuser.execute(counts, [code.id]).fetchall() == [(1, 1)]
    assert superuser.execute("select status from redemptions where id = %s", [held["id"]]).fetchall() == [("Held",)]
    async with open_work(access=Access.MOVE) as work:
        await organizations.unfreeze(work, Target(tenant.id), now=clock.now)
    await create_redemption(client, other_tenant, name, "RSV-2")
    assert superuser.execute(counts, [code.id]).fetchall() == [(2, 0)]


async def test_redemptions_of_others_and_a_freeze_exclude_each_other_in_the_lapsed_holds_of_a_global_code(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock, superuser: psycopg.Connection
) -> None:
    name = f"G{new_id().hex}"
    code = percent_code(tenant, name, max_redemptions=9, store_exam_ids=())
    await add_promo_codes(resources, add_platform(superuser, tenant), code, now=clock.now)
    # In the order in which their holds expire.
    first, _, third = holders = [await create_tenant(resources, now=clock.now) for _ in range(3)]
    held = [(await create_redemption(client, each, name, holdSeconds=1))["id"] for each in holders]
    clock.advance(seconds=10)

    def freeze(each: Tenant) -> Awaitable[object]:
        open_work = partial(resources.database.unit_of_work, each.id)
        return freezing.freeze(lambda access: open_work(access=access), now=clock.now)

    with psycopg.connect(superuser.info.dsn, password=superuser.info.password) as other:
        query = "select from redemptions where organization_id = %s and id = %s for update"
        other.execute(query, [holders[1].id, held[1]])
        redeeming = asyncio.create_task(create_redemption(client, tenant, name))
        await until_blocked(superuser)
        await asyncio.wait_for(freeze(third), 60)
        freezing_first = asyncio.ensure_future(freeze(first))
        await asyncio.sleep(4 * freezing.POLL_SECONDS)
        assert not freezing_first.done()
    await redeeming
    await asyncio.wait_for(freezing_first, 60)
    statuses = [superuser.execute("select status from redemptions where id = %s", [id_]).fetchone() for id_ in held]
    assert statuses == [("Expired",), ("Expired",), ("Held",)]


async def test_it_gives_up_when_a_change_does_not_end(resources: Resources, tenant: Tenant, clock: Clock) -> None:
    open_work = partial(resources.database.unit_of_work, tenant.id)
    async with open_work():
        with pytest.raises(freezing.ChangesRunning):
            await freezing.freeze(lambda access: open_work(access=access), now=clock.now, seconds=0.1)


async def test_no_redemption_is_acknowledged_after_it_under_load(
    resources: Resources, tenant: Tenant, clock: Clock, live_url: str, superuser: psycopg.Connection
) -> None:
    unlimited = percent_code(tenant, "SPRING", max_redemptions=None, max_redemptions_per_candidate=None)
    await add_promo_codes(resources, tenant, unlimited, now=clock.now)
    acknowledged: list[str] = []
    refused: list[str] = []

    async def write(number: int) -> None:
        async with httpx.AsyncClient(base_url=live_url, headers=tenant.api_key, timeout=60) as client:
            for count in range(10_000):
                answer = await client.post(URL, json=body("SPRING", f"RSV-{number}-{count}"))
                assert answer.status_code in (201, 503), answer.text
                (acknowledged if answer.status_code == 201 else refused).append(f"RSV-{number}-{count}")
                if answer.status_code == 503 and answer.headers["Retry-After"] == "30":
                    return

    writers = [asyncio.create_task(write(number)) for number in range(WRITERS)]
    await until("there is load", lambda: len(acknowledged) > 5 * WRITERS)
    open_work = partial(resources.database.unit_of_work, tenant.id)
    await freezing.freeze(lambda access: open_work(access=access), now=clock.now)
    async with open_work(access=Access.SNAPSHOT) as work:
        query = f"select code from reservations where organization_id = '{tenant.id}'"
        copied = (await work.connection.exec_driver_sql(query)).scalars().all()
    await asyncio.wait_for(asyncio.gather(*writers), 60)
    assert set(acknowledged) == set(copied)
    assert len(refused) == WRITERS
