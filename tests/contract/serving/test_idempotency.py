"""`Idempotency-Key`: one effect and one response for a repeated request."""

import json
from datetime import UTC, datetime

import httpx
import psycopg
import pytest
from tests.conftest import Clock
from tests.support.factories import Tenant
from tests.support.idempotency_requests import (
    MALFORMED,
    OPERATIONS,
    PROMO_CODES,
    REUSED,
    Operation,
    count_effects,
    post,
)
from tests.support.purchasing import open_market
from tests.support.waiting import until

from tessera import worker
from tessera.api.serving.resources import Resources
from tessera.provision import Addresses

pytestmark = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.table)


@pytest.fixture(autouse=True)
async def markets(resources: Resources, tenant: Tenant, other_tenant: Tenant) -> None:
    """Both organizations can buy vouchers."""
    for each in (tenant, other_tenant):
        await open_market(resources, each)


async def test_the_same_request_gets_the_same_answer_and_has_one_effect(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, clock: Clock, operation: Operation
) -> None:
    first = await post(client, tenant, operation, "key")
    clock.advance(hours=23, minutes=59)
    second = await post(client, tenant, operation, "key")
    assert first.status_code == operation.status
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["content-type"] == first.headers["content-type"] == "application/json"
    replayed = [answer.headers.get("Idempotent-Replayed") for answer in (first, second)]
    assert replayed == [None, "true"]
    assert count_effects(superuser, tenant, operation) == 1


async def test_white_space_and_the_order_of_properties_do_not_make_another_body(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, operation: Operation
) -> None:
    first = await post(client, tenant, operation, "key")
    turned = json.dumps(dict(reversed(operation.request.items())), indent=8)
    headers = {**tenant.bearer, "Idempotency-Key": "key", "Content-Type": "application/json; charset=utf-8"}
    second = await client.post(operation.path, headers=headers, content=turned)
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert count_effects(superuser, tenant, operation) == 1


async def test_a_body_nested_deeper_than_can_be_written_counts_as_it_came(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, operation: Operation
) -> None:
    headers = {**tenant.bearer, "Idempotency-Key": "key"}
    plain = json.dumps(operation.request)
    deep = f'{plain[:-1]}, "unknown": {"[" * 500}{"]" * 500}}}'
    first, second = [await client.post(operation.path, headers=headers, content=deep) for _ in range(2)]
    assert first.status_code == operation.status
    assert (second.status_code, second.content) == (first.status_code, first.content)
    other = await client.post(operation.path, headers=headers, content=plain)
    assert (other.status_code, other.json()) == (422, REUSED)
    assert count_effects(superuser, tenant, operation) == 1


async def test_another_body_under_the_same_key_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, operation: Operation
) -> None:
    assert (await post(client, tenant, operation, "key")).status_code == operation.status
    answer = await post(client, tenant, operation, "key", **{operation.changed_property: "Something else"})
    assert (answer.status_code, answer.json()) == (422, REUSED)
    assert count_effects(superuser, tenant, operation) == 1


async def test_another_operation_under_the_same_key_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, operation: Operation
) -> None:
    (other,) = set(map(OPERATIONS.index, OPERATIONS)) - {OPERATIONS.index(operation)}
    assert (await post(client, tenant, operation, "key")).status_code == operation.status
    answer = await post(client, tenant, OPERATIONS[other], "key")
    assert (answer.status_code, answer.json()) == (422, REUSED)
    assert count_effects(superuser, tenant, OPERATIONS[other]) == 0


async def test_organizations_do_not_share_keys(
    client: httpx.AsyncClient,
    tenant: Tenant,
    other_tenant: Tenant,
    superuser: psycopg.Connection,
    operation: Operation,
) -> None:
    for each in (tenant, other_tenant):
        assert (await post(client, each, operation, "key", notes=each.name)).status_code == operation.status
        assert count_effects(superuser, each, operation) == 1


async def test_callers_of_one_organization_do_not_share_keys(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, operation: Operation
) -> None:
    machine = (tenant.client.name, tenant.client.secret)
    fetched = (await client.get("/authenticate", auth=machine)).json()["authToken"]
    changes = {"promoCodeName": "AUTUMN25"} if operation is PROMO_CODES else {}
    as_machine = {"Authorization": f"Bearer {fetched}", "Idempotency-Key": "key"}
    assert (await post(client, tenant, operation, "key")).status_code == operation.status
    answer = await client.post(operation.path, headers=as_machine, json=operation.request | changes)
    assert answer.status_code == operation.status
    assert count_effects(superuser, tenant, operation) == 2


async def test_a_key_is_free_again_after_24_hours(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, clock: Clock, operation: Operation
) -> None:
    changes = {"promoCodeName": "AUTUMN25"} if operation is PROMO_CODES else {"quantity": 7}
    first = await post(client, tenant, operation, "key")
    clock.advance(hours=24)
    second = await post(client, tenant, operation, "key", **changes)
    third = await post(client, tenant, operation, "key", **changes)
    assert (first.status_code, second.status_code) == (operation.status, operation.status)
    assert (third.status_code, third.content) == (second.status_code, second.content)
    assert count_effects(superuser, tenant, operation) == 2


async def test_a_refused_request_does_not_use_its_key_up(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, operation: Operation
) -> None:
    wrong = {"storeExamCodes": ["NONE"]} if operation is PROMO_CODES else {"partnerName": "Nobody"}
    for _ in range(2):
        assert (await post(client, tenant, operation, "key", **wrong)).status_code == 400
    assert (await post(client, tenant, operation, "key")).status_code == operation.status
    assert count_effects(superuser, tenant, operation) == 1


async def test_blanks_around_a_key_are_not_part_of_it(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, operation: Operation
) -> None:
    responses = [await post(client, tenant, operation, key) for key in ("key", " key", "key\t")]
    assert {response.status_code for response in responses} == {operation.status}
    assert len({response.content for response in responses}) == 1
    assert count_effects(superuser, tenant, operation) == 1


@pytest.mark.parametrize("key", ["k" * 256, "a\tb", "a\x7fb", "a\x00b", b"caf\xc3\xa9", b"\xff"])
async def test_a_malformed_key_is_refused(
    client: httpx.AsyncClient,
    tenant: Tenant,
    superuser: psycopg.Connection,
    operation: Operation,
    key: str | bytes,
) -> None:
    answer = await post(client, tenant, operation, key)
    assert (answer.status_code, answer.json()) == (400, MALFORMED)
    assert count_effects(superuser, tenant, operation) == 0


@pytest.mark.parametrize("key", ["k" * 255, "x", "two words", '"quoted"', "~!@#$%^&*()'; drop table vouchers"])
async def test_any_printable_key_serves(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, operation: Operation, key: str
) -> None:
    first = await post(client, tenant, operation, key)
    second = await post(client, tenant, operation, key)
    assert (second.status_code, second.content) == (operation.status, first.content)
    assert count_effects(superuser, tenant, operation) == 1


async def test_an_empty_key_counts_as_none(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, operation: Operation
) -> None:
    assert (await post(client, tenant, operation, "")).status_code == operation.status
    again = await post(client, tenant, operation, "")
    assert again.status_code == (400 if operation is PROMO_CODES else 200)
    assert count_effects(superuser, tenant, operation) == (1 if operation is PROMO_CODES else 2)


async def test_the_worker_forgets_keys_after_a_day_and_no_others(
    *,
    client: httpx.AsyncClient,
    tenant: Tenant,
    other_tenant: Tenant,
    resources: Resources,
    addresses: Addresses,
    superuser: psycopg.Connection,
    clock: Clock,
    operation: Operation,
) -> None:
    query = "select key from idempotency_keys where organization_id = any(%s) order by key"
    ids = [tenant.id, other_tenant.id]
    for each in (tenant, other_tenant):
        assert (await post(client, each, operation, "old")).status_code == operation.status
    clock.now = datetime.now(UTC)
    changes = {"promoCodeName": "AUTUMN25"} if operation is PROMO_CODES else {}
    assert (await post(client, tenant, operation, "young", **changes)).status_code == operation.status
    assert superuser.execute(query, [ids]).fetchall() == [("old",), ("old",), ("young",)]
    superuser.execute(
        "insert into procrastinate_jobs (queue_name, task_name, args)"
        """ values ('default', 'tessera:delete_idempotency_keys', '{"timestamp": 0}')"""
    )
    async with worker.running(addresses.application, database=resources.database):
        await until("the old keys are deleted", lambda: len(superuser.execute(query, [ids]).fetchall()) < 3)
    assert superuser.execute(query, [ids]).fetchall() == [("young",)]
