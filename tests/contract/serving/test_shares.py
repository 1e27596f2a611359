"""Shares of organizations: who is over its share gets 429, and nobody else notices."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.conftest import TOKEN_KEYS, Clock
from tests.support import promo_code_requests
from tests.support.carevalidate_requests import validate
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.redemption_requests import URL as REDEMPTIONS
from tests.support.redemption_requests import body
from tests.support.responses import status_and_body

from tessera import main, provision
from tessera.api.application import create_app
from tessera.api.http import parsing
from tessera.api.serving.resources import Resources
from tessera.provision import Addresses
from tessera.settings import Settings

BUSY = {
    "type": "urn:tessera:problem:too-many-requests",
    "title": "Too many requests",
    "status": 429,
    "detail": "Too many requests of your organization are running. Try again shortly.",
}


@pytest.fixture(scope="module")
async def small_app(addresses: Addresses, resources: Resources) -> AsyncIterator[FastAPI]:
    """An application with four connections, of which one organization may use two."""
    settings = Settings(
        token_keys=TOKEN_KEYS, pool_size=4, share_wait_seconds=0.05, bodies_mib=2, organization_bodies_mib=1
    )
    database = provision.create_pool(settings, addresses.application)
    yield create_app(main.create_resources(settings, database, schema_revision="any", clock=resources.clock))
    await database.close()


@pytest.fixture
async def client(small_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the small application."""
    transport = httpx.ASGITransport(small_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver", timeout=30) as test_client:
        yield test_client


@pytest.fixture
async def busy(small_app: FastAPI, tenant: Tenant) -> AsyncIterator[None]:
    """The organization uses its share of connections while the test runs."""
    database = small_app.state.resources.database
    async with database.unit_of_work(tenant.id), database.unit_of_work(tenant.id):
        yield


@pytest.mark.usefixtures("busy")
async def test_an_organization_beyond_its_connections_gets_429_in_each_format_and_others_are_served(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    question = {"codes": ["X"], "storeExamCode": "NCA-GENL"}

    async def ask(caller: Tenant) -> list[httpx.Response]:
        return [
            await client.post("/storefront/v1/validations", json=question, headers=caller.api_key),
            await client.post(REDEMPTIONS, json=body("X"), headers=caller.api_key),
            await client.get("/management/v1/promo-codes", headers=caller.bearer),
            await client.get("/promo-codes", headers=caller.bearer),
        ]

    *ours, certiverse = await ask(tenant)
    assert [status_and_body(answer) for answer in ours] == [(429, BUSY)] * 3
    assert status_and_body(certiverse) == (
        429,
        {"errorCode": "TooManyRequests", "errorMessages": [BUSY["detail"]]},
    )
    assert {answer.headers["Retry-After"] for answer in (*ours, certiverse)} == {"1"}
    assert [answer.status_code for answer in await ask(other_tenant)] == [200, 409, 200, 200]
    assert (await validate(client, tenant, code="X"))[0] == 404, "look-ups of all organizations share a statement"


async def test_heavy_work_beyond_the_share_is_429_until_a_response_has_been_sent(
    small_app: FastAPI, client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    shares = small_app.state.resources.pipeline._shares
    heavy: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/management/v1/exports/promo-codes", {}),
        ("GET", "/management/v1/reports/vouchers?format=csv", {}),
        ("GET", "/management/v1/reports/redemptions?limit=200", {}),
        (
            "POST",
            parsing.IMPORTS,
            {"content": "name,flatDiscount\nXXX,1\n", "headers": {"Content-Type": "text/csv"}},
        ),
    ]
    large: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/management/v1/promo-codes?limit=101", {}),
        (
            "POST",
            "/management/v1/promo-codes",
            {
                "json": {
                    "name": "MANY",
                    "flatDiscount": 1,
                    "emailAddresses": [f"candidate{number}@example.com" for number in range(700)],
                }
            },
        ),
        (
            "POST",
            "/storefront/v1/validations",
            {"json": {"codes": [f"NOPE{number}" for number in range(500)], "storeExamCode": "NCA-GENL"}},
        ),
    ]

    async def send(caller: Tenant, method: str, url: str, more: dict[str, Any]) -> int:
        headers = caller.bearer | more.get("headers", {})
        return (await client.request(method, url, **more | {"headers": headers})).status_code

    for slot, requests in ((shares.heavy, heavy), (shares.large, large)):
        async with slot(tenant.id):
            for request in requests:
                assert await send(tenant, *request) == 429, request
                assert await send(other_tenant, *request) in (200, 201), request
            assert (await client.get("/management/v1/promo-codes", headers=tenant.bearer)).status_code == 200
    for request in (heavy[0], large[0]):
        assert await send(tenant, *request) == 200, request


async def test_large_requests_do_not_wait_for_files(
    small_app: FastAPI, client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    shares = small_app.state.resources.pipeline._shares
    codes = {"codes": [f"NOPE{number}" for number in range(500)], "storeExamCode": "NCA-GENL"}
    async with shares.heavy(tenant.id), shares.heavy(other_tenant.id):
        answers = [
            await client.get("/management/v1/vouchers?limit=1000", headers=tenant.bearer),
            await client.post("/storefront/v1/validations", json=codes, headers=tenant.api_key),
        ]
    assert [answer.status_code for answer in answers] == [200, 200]


async def test_a_promo_code_with_many_addresses_is_no_large_request(
    small_app: FastAPI, client: httpx.AsyncClient, tenant: Tenant
) -> None:
    addresses = [f"candidate-{number}@example.com" for number in range(300)]
    code = {"name": "MANY", "discountPercent": 10, "restrictToEmailAddresses": True, "emailAddresses": addresses}
    async with small_app.state.resources.pipeline._shares.large(tenant.id):
        managed = await client.post("/management/v1/promo-codes", json=code, headers=tenant.bearer)
        documented = await client.post("/promo-codes", json=code, headers=tenant.bearer)
    # The documented API requires more.
    assert (managed.status_code, documented.status_code) == (201, 400), documented.text


async def test_bodies_beyond_the_share_are_rejected_while_they_arrive(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    waiting, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b" " * 700_000
        waiting.set()
        await go_on.wait()
        yield b"{}"

    url = "/management/v1/promo-codes"
    slow = asyncio.create_task(client.post(url, content=slowly(), headers=tenant.bearer))
    await waiting.wait()
    answer = await client.post(url, content=b" " * 700_000, headers=tenant.bearer)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert (await client.post(url, content=b" " * 700_000, headers=other_tenant.bearer)).status_code == 400
    go_on.set()
    assert (await slow).status_code == 400
    assert (await client.post(url, content=b" " * 700_000, headers=tenant.bearer)).status_code == 400


async def test_open_imports_and_their_files_have_a_cap_for_each_organization(
    small_app: FastAPI, client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    shares = small_app.state.resources.pipeline._shares
    imports, files = shares._imports.account(tenant.id), shares._disk.account(tenant.id)
    # The first 4 KiB of a body take no space.
    lines = "".join(f"XXX{number},1\n" for number in range(500))

    async def send(caller: Tenant) -> tuple[int, str]:
        headers = caller.bearer | {"Content-Type": "text/csv"}
        answer = await client.post(
            f"{parsing.IMPORTS}?dryRun=true", content=f"name,flatDiscount\n{lines}", headers=headers
        )
        return answer.status_code, answer.json().get("detail", "")

    with imports as account:
        account.take(10)
        assert await send(tenant) == (429, "Too many imports of your organization are open. Try again shortly.")
        assert (await send(other_tenant))[0] == 200
    with files as account:
        account.take(200 * 2**20)
        assert await send(tenant) == (429, "Too many bodies of your organization arrive at once. Try again shortly.")
        assert (await send(other_tenant))[0] == 200
    assert (await send(tenant))[0] == 200
    assert not shares._imports._used


async def test_large_forms_of_strangers_leave_room_for_the_forms_of_clients(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    waiting, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"x" * 700_000
        waiting.set()
        await go_on.wait()

    slow = asyncio.create_task(client.post("/oauth/token", content=slowly()))
    await waiting.wait()
    answer = await client.post("/oauth/token", content=b"x" * 700_000)
    assert (answer.status_code, answer.json()["error"]) == (429, "temporarily_unavailable")
    form = {"grant_type": "client_credentials", "client_id": tenant.client.name, "client_secret": tenant.client.secret}
    assert (await client.post("/oauth/token", data=form)).status_code == 200
    go_on.set()
    assert (await slow).status_code == 400


async def test_batches_and_holds_have_a_cap_for_each_organization(
    resources: Resources, tenant: Tenant, other_tenant: Tenant, clock: Clock
) -> None:
    settings = Settings(token_keys=TOKEN_KEYS, organization_open_batches=2, organization_holds=3)
    app = create_app(main.create_resources(settings, resources.database, schema_revision="any", clock=resources.clock))
    for each in (tenant, other_tenant):
        await add_promo_codes(resources, each, percent_code(each, "SPRING"), now=resources.clock())
    batch = {"quantity": 1, "prefix": "SPRING", "length": 8, "flatDiscount": 1}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:

        async def order(caller: Tenant) -> httpx.Response:
            return await client.post("/management/v1/promo-code-batches", json=batch, headers=caller.bearer)

        async def hold(caller: Tenant, number: int, **more: Any) -> httpx.Response:
            request = body("SPRING", f"R-{number}", **more)
            return await client.post(REDEMPTIONS, json=request, headers=caller.api_key)

        answers = [await order(tenant) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 429]
        words = "2 batches of your organization are in progress. Wait until one is complete."
        assert (answers[-1].json()["detail"], answers[-1].headers["Retry-After"]) == (words, "30")
        assert (await order(other_tenant)).status_code == 201

        holds = await asyncio.gather(*(hold(tenant, number, holdSeconds=60) for number in range(5)))
        assert sorted(answer.status_code for answer in holds) == [201, 201, 201, 429, 429]
        words = "Your organization has 3 holds. Confirm or release some, or wait until some expire."
        assert {answer.json()["detail"] for answer in holds if answer.status_code == 429} == {words}
        assert (await hold(tenant, 9)).status_code == 201
        assert (await hold(other_tenant, 1, holdSeconds=60)).status_code == 201
        clock.advance(seconds=60)  # at its end, a hold no longer counts
        assert (await hold(tenant, 8, holdSeconds=60)).status_code == 201


STORING = [
    ("/promo-codes", promo_code_requests.REQUEST, "Certiverse"),
    ("/management/v1/promo-codes", {"name": "MANAGED", "flatDiscount": 1}, "problem"),
]


@pytest.mark.parametrize(("path", "request_body", "dialect"), STORING)
async def test_new_keys_are_refused_once_the_space_for_stored_responses_is_used_up(
    resources: Resources, tenant: Tenant, other_tenant: Tenant, path: str, request_body: dict[str, Any], dialect: str
) -> None:
    settings = Settings(token_keys=TOKEN_KEYS, organization_stored_mib=1)
    created = main.create_resources(settings, resources.database, schema_revision="any", clock=resources.clock)
    transport = httpx.ASGITransport(create_app(created))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:

        async def post(caller: Tenant, number: int, **key: str) -> httpx.Response:
            name = {each: f"{value}{number}" for each, value in request_body.items() if each.lower().endswith("name")}
            return await client.post(path, json=request_body | name, headers=caller.bearer | key)

        created.pipeline._shares.responses.take(tenant.id, bytes(1024 * 1024 - 1_000))
        first, refused = [await post(tenant, number, **{"Idempotency-Key": f"key {number}"}) for number in (1, 2)]
        assert (first.status_code, refused.status_code) == (201, 429)
        assert int(refused.headers["Retry-After"]) > 1
        assert ("errorCode" in refused.json()) == (dialect == "Certiverse")
        again = await post(tenant, 1, **{"Idempotency-Key": "key 1"})
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
        assert (await post(tenant, 2)).status_code == 201
        assert (await post(other_tenant, 1, **{"Idempotency-Key": "key 1"})).status_code == 201
