"""A frozen organization: every API reads it, refuses to change it in its own format, and workers leave it alone."""

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.jobs import job_context
from tests.support.management_requests import audit_entries_of
from tests.support.promo_code_requests import create
from tests.support.redemption_requests import URL, body, create_redemption
from tests.support.responses import status_and_body

from tessera.api.serving.resources import Resources
from tessera.idempotency import service as idempotency
from tessera.identity.organizations import freezing, service
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.database import Access
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.redemptions import jobs

MESSAGE = "The organization is frozen: it can be read, but not changed. Try again later."
PROBLEM = {"type": "urn:tessera:problem:service-unavailable", "title": "Service unavailable", "status": 503}


@pytest.fixture
async def frozen(resources: Resources, tenant: Tenant, clock: Clock) -> Tenant:
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=clock.now)
    await freezing.freeze(partial(open_work, resources, tenant), now=clock.now)
    return tenant


def open_work(resources: Resources, tenant: Tenant, access: Access) -> AbstractAsyncContextManager[UnitOfWork]:
    return resources.database.unit_of_work(tenant.id, access=access)


async def unfreeze(resources: Resources, tenant: Tenant) -> None:
    async with open_work(resources, tenant, Access.MOVE) as work:
        await service.unfreeze(work, Target(tenant.id), now=NOW)


async def test_a_freeze_and_its_end_are_in_the_audit_log(
    resources: Resources, frozen: Tenant, superuser: psycopg.Connection
) -> None:
    await unfreeze(resources, frozen)
    entries = audit_entries_of(superuser, frozen, "Organization")
    assert [entry[2] for entry in entries][-2:] == ["Frozen", "Unfrozen"]


async def test_every_api_refuses_changes_in_its_format(client: httpx.AsyncClient, frozen: Tenant) -> None:
    answers = [
        await create(client, frozen),
        await client.post(URL, json=body(), headers=frozen.api_key),
        await client.post(
            "/management/v1/store-exams", json={"code": "X", "name": "X", "price": 1}, headers=frozen.bearer
        ),
    ]
    assert {answer.headers["Retry-After"] for answer in answers} == {"30"}
    certiverse = {"errorCode": "ServiceUnavailable", "errorMessages": [MESSAGE]}
    problem = PROBLEM | {"detail": MESSAGE}
    assert [status_and_body(answer) for answer in answers] == [(503, certiverse), (503, problem), (503, problem)]


async def test_its_old_idempotency_keys_stay_and_are_read_once(
    frozen: Tenant,
    other_tenant: Tenant,
    resources: Resources,
    superuser: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(idempotency, "KEYS_AT_ONCE", 1)
    first, second = (datetime(900, 1, day, tzinfo=UTC) for day in (1, 2))
    for tenant, at in ((frozen, first), (other_tenant, second)):
        superuser.execute(
            "insert into idempotency_keys values (%s, gen_random_uuid(), 'key', '', 200, '', %s)", [tenant.id, at]
        )
    # The next transaction goes on after the keys of the frozen one.
    for start, deleted in ((idempotency.BEGINNING, (1, second)), (second, (0, None)), (first, (1, first))):
        async with resources.database.unit_of_work(PLATFORM_ID) as work:
            assert await idempotency.delete_some_expired(work, start, now=datetime(901, 1, 1, tzinfo=UTC)) == deleted
        await unfreeze(resources, frozen)


async def test_every_api_reads_it(client: httpx.AsyncClient, frozen: Tenant) -> None:
    listed = await client.get("/promo-codes", headers=frozen.bearer)
    assert [code["promoCodeName"] for code in listed.json()["data"]] == ["SPRING"]
    validated = await client.get("/api/v1/promo-codes", params={"code": "SPRING"}, headers=frozen.api_key)
    assert status_and_body(validated) == (200, {"success": True, "data": [{"percentDiscount": 10}]})
    listed = await client.get("/management/v1/promo-codes", headers=frozen.bearer)
    assert [code["name"] for code in listed.json()["data"]] == ["SPRING"]
    assert (await client.get(URL, headers=frozen.api_key)).json()["data"] == []
    # Whole voucher codes need an entry in the audit log.
    answers = [
        await client.get(f"/management/v1/vouchers{query}", headers=frozen.bearer) for query in ("", "?reveal=true")
    ]
    assert [answer.status_code for answer in answers] == [200, 503]


async def test_the_first_response_to_a_key_is_repeated_and_the_request_succeeds_later(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=clock.now)
    redeem = partial(client.post, URL)
    headers = tenant.api_key | {"Idempotency-Key": "first"}
    first = await redeem(json=body(), headers=headers)
    await freezing.freeze(partial(open_work, resources, tenant), now=clock.now)
    repeated = await redeem(json=body(), headers=headers)
    assert (first.status_code, repeated.json(), repeated.headers["Idempotent-Replayed"]) == (201, first.json(), "true")
    headers = tenant.api_key | {"Idempotency-Key": "second"}
    assert (await redeem(json=body(reservation="RSV-2"), headers=headers)).status_code == 503
    await unfreeze(resources, tenant)
    assert (await redeem(json=body(reservation="RSV-2"), headers=headers)).status_code == 201


async def test_workers_leave_it_alone_until_it_can_be_changed(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    clock: Clock,
    superuser: psycopg.Connection[Any],
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=clock.now)
    held = await create_redemption(client, tenant, holdSeconds=60)
    clock.advance(hours=1)
    await freezing.freeze(partial(open_work, resources, tenant), now=clock.now)

    context = job_context(resources, clock)
    stored = "select status from redemptions where id = %s"
    await jobs.expire_holds(context, 0)
    assert superuser.execute(stored, [held["id"]]).fetchone() == ("Held",)
    await unfreeze(resources, tenant)
    await jobs.expire_holds(context, 0)
    assert superuser.execute(stored, [held["id"]]).fetchone() == ("Expired",)
