"""Budgets of codes that do not exist and of wrong secrets, at every door and in its error format."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from jose import jwt
from tests.conftest import TOKEN_KEYS
from tests.support.authentication_requests import basic, bearer, fetch_token
from tests.support.carevalidate_requests import validate
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.redemption_requests import URL as REDEMPTIONS
from tests.support.redemption_requests import body
from tests.support.responses import status_and_body

from tessera import main
from tessera.api.application import create_app
from tessera.api.serving.resources import Resources
from tessera.identity import provisioning
from tessera.identity.authentication.credentials import CLIENT_PREFIX, CredentialName, new_key_text, parse_client
from tessera.identity.authentication.wrong_secrets import WrongSecrets
from tessera.identity.rules import FunctionPoint
from tessera.kit.db.database import Database
from tessera.kit.identifiers import new_id
from tessera.settings import Settings

VALIDATIONS = "/storefront/v1/validations"
MISSES = "Too many guesses at codes. Try again later."
SECRETS = "Too many attempts with a wrong secret. Try again later."
# So slow that no room comes back during a test.
LIMITS: dict[str, Any] = {"misses_per_minute": 1, "misses_burst": 6, "visitor_misses_per_minute": 2}


@pytest.fixture
async def client(resources: Resources, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application with small budgets, whose tenant has the code SPRING."""
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=resources.clock())
    settings = Settings(token_keys=TOKEN_KEYS, wrong_secrets_per_minute=3, **LIMITS)
    app = create_app(main.create_resources(settings, resources.database, schema_revision="any", clock=resources.clock))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as test_client:
        yield test_client


def too_many(message: str) -> tuple[int, dict[str, Any]]:
    body = {"type": "urn:tessera:problem:too-many-requests", "title": "Too many requests", "status": 429}
    return 429, body | {"detail": message}


def ask(client: httpx.AsyncClient, tenant: Tenant, *codes: str, visitor: str = "") -> Awaitable[httpx.Response]:
    headers = tenant.api_key | ({"Tessera-Client": visitor} if visitor else {})
    return client.post(VALIDATIONS, json={"codes": codes, "storeExamCode": "NCA-GENL"}, headers=headers)


async def test_every_miss_at_every_door_counts_and_then_every_question_is_429(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    assert (await ask(client, tenant, "NOPE1", "SPRING", "NOPE2", "NOPE3")).status_code == 200
    assert (await validate(client, tenant, code="NOPE4"))[0] == 404
    for code, status in (("NOPE5", 409), ("SPRING", 201), ("NOPE6", 409)):
        assert (await ask(client, tenant, "SPRING")).status_code == 200
        answer = await client.post(REDEMPTIONS, json=body(code, f"R-{code}"), headers=tenant.api_key)
        assert answer.status_code == status
    for answer in (
        await ask(client, tenant, "SPRING"),
        await client.post(REDEMPTIONS, json=body("SPRING"), headers=tenant.api_key),
    ):
        assert status_and_body(answer) == too_many(MISSES)
        assert 50 < int(answer.headers["Retry-After"]) <= 60
    answer = await client.get("/api/v1/promo-codes?code=SPRING", headers=tenant.api_key)
    assert (answer.status_code, answer.content) == (429, b'{"success":false,"message":"Too many requests"}')
    assert 50 < int(answer.headers["Retry-After"]) <= 60
    # Others, and operations that ask for no code, are not concerned.
    assert (await ask(client, other_tenant, "NOPE")).status_code == 200
    assert (await client.get(REDEMPTIONS, headers=tenant.api_key)).status_code == 200


async def test_a_request_with_many_unknown_codes_costs_them_all(client: httpx.AsyncClient, tenant: Tenant) -> None:
    assert (await ask(client, tenant, *(f"NOPE{number}" for number in range(36)))).status_code == 200
    answer = await ask(client, tenant, "SPRING")
    assert status_and_body(answer) == too_many(MISSES)
    assert 30 * 60 < int(answer.headers["Retry-After"]) <= 31 * 60


async def test_a_key_has_one_budget_for_all_addresses(client: httpx.AsyncClient, tenant: Tenant) -> None:
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    statuses = []
    for number in range(7):
        transport.client = (f"192.0.2.{number}", 50000)
        statuses.append((await ask(client, tenant, f"NOPE{number}")).status_code)
    assert statuses == [200] * 6 + [429]


async def test_codes_that_exist_cost_nothing(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for _ in range(10):
        assert (await ask(client, tenant, "SPRING", "spring")).status_code == 200
        assert (await validate(client, tenant, code="SPRING"))[0] == 200


async def test_one_visitor_who_guesses_does_not_use_up_the_budget_of_the_shop(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    for _ in range(2):
        assert (await ask(client, tenant, "NOPE", visitor="mallory")).status_code == 200
    for _ in range(20):
        assert status_and_body(await ask(client, tenant, "NOPE", visitor="mallory")) == too_many(MISSES)
        headers = tenant.api_key | {"Tessera-Client": "mallory"}
        assert (await client.get("/api/v1/promo-codes?code=NOPE", headers=headers)).status_code == 429
        answer = await client.post(REDEMPTIONS, json=body("NOPE"), headers=headers)
        assert answer.status_code == 429
    assert (await ask(client, tenant, "NOPE", visitor="ada")).status_code == 200
    assert (await ask(client, tenant, "NOPE")).status_code == 200


async def test_the_budget_is_not_spent_by_a_wrong_key_that_names_it(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await ask(client, tenant, *(f"NOPE{number}" for number in range(10)))
    stranger = {"cv-api-key": tenant.key.secret[:-1] + ("A" if tenant.key.secret[-1] != "A" else "B")}
    answer = await client.get("/api/v1/promo-codes?code=SPRING", headers=stranger)
    assert answer.status_code == 401, "a stranger does not learn that the budget of this key is used up"


def oauth(client: httpx.AsyncClient, client_id: str, secret: str) -> Awaitable[httpx.Response]:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return client.post("/oauth/token", data=form)


def authenticate(client: httpx.AsyncClient, client_id: str, secret: str) -> Awaitable[httpx.Response]:
    return client.get("/authenticate", headers=basic(client_id, secret))


def error_of(answer: httpx.Response) -> object:
    content = answer.json()
    return content.get("errorMessages") or content.get("error_description") or content.get("detail")


@pytest.mark.parametrize("door", [authenticate, oauth])
async def test_wrong_secrets_of_a_client_are_429_without_a_look_up_and_its_owner_comes_in(
    client: httpx.AsyncClient,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    door: Callable[[httpx.AsyncClient, str, str], Awaitable[httpx.Response]],
) -> None:
    for _ in range(3):
        assert (await door(client, tenant.client.name, "wrong")).status_code == 401
    reads = []
    fetch = Database.fetch

    async def counted_fetch(self: Database, query: str, params: Any) -> Any:
        reads.append(query)
        return await fetch(self, query, params)

    monkeypatch.setattr(Database, "fetch", counted_fetch)
    answer = await door(client, tenant.client.name, "wrong")
    assert (answer.status_code, int(answer.headers["Retry-After"]) <= 20, reads) == (429, True, [])
    assert error_of(answer) in ([SECRETS], SECRETS)
    assert (await door(client, tenant.client.name, tenant.client.secret)).status_code == 200
    assert (await door(client, tenant.powerless_client.name, "wrong")).status_code == 401


def _app(client: httpx.AsyncClient) -> Any:
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    return transport.app


def _wrong_secrets(client: httpx.AsyncClient) -> WrongSecrets:
    remembered: WrongSecrets = _app(client).state.resources.pipeline._wrong_secrets
    return remembered


async def test_a_new_secret_works_while_strangers_try_secrets_and_the_old_one_does_not(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(_wrong_secrets(client), "_clock", lambda: now)
    name = parse_client(tenant.client.name, "").name.id
    for _ in range(4):
        await oauth(client, tenant.client.name, "wrong")
    url = f"/management/v1/clients/{name}/rotate-secret"
    rotated = await client.post(url, headers=tenant.bearer | {"If-Match": "*"})
    secrets = {"new": rotated.json()["clientSecret"], "old": tenant.client.secret, "wrong": "wrong"}

    async def statuses() -> dict[str, int]:
        return {each: (await oauth(client, tenant.client.name, secret)).status_code for each, secret in secrets.items()}

    now += 4
    assert (await oauth(client, tenant.client.name, "wrong")).status_code == 429
    now += 1
    # The look-up of a wrong secret finds the new one as well.
    assert (await oauth(client, tenant.client.name, "wrong")).status_code == 401
    assert await statuses() == {"new": 200, "old": 429, "wrong": 429}
    now += 5
    assert await statuses() == {"new": 200, "old": 401, "wrong": 429}


async def test_a_client_that_does_not_exist_is_answered_like_one_that_does(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(_wrong_secrets(client), "_clock", lambda: now)
    invented = CredentialName(tenant.id, new_id()).text(CLIENT_PREFIX)

    async def statuses() -> list[list[int]]:
        names = (tenant.client.name, invented)
        return [[(await oauth(client, name, "wrong")).status_code for name in names] for _ in range(2)]

    assert [await statuses(), await statuses()] == [[[401, 401]] * 2, [[401, 401], [429, 429]]]
    now += 5
    assert await statuses() == [[401, 401], [429, 429]]


async def test_forged_and_ended_tokens_do_not_lock_their_client_out(client: httpx.AsyncClient, tenant: Tenant) -> None:
    token = await fetch_token(client, basic(tenant.client.name, tenant.client.secret))
    forged = jwt.encode(jwt.get_unverified_claims(token), "x" * 40, headers={"kid": "test"})
    name = parse_client(tenant.client.name, "").name.id
    url = f"/management/v1/clients/{name}/rotate-secret?endTokens=true"
    rotated = await client.post(url, headers=tenant.bearer | {"If-Match": "*"})
    for each in (forged, token):
        answers = [await client.get("/promo-codes", headers=bearer(each)) for _ in range(5)]
        assert {answer.status_code for answer in answers} <= {401, 429}
    answer = await oauth(client, tenant.client.name, rotated.json()["clientSecret"])
    assert answer.status_code == 200


async def test_wrong_keys_from_outside_of_a_keys_networks_do_not_lock_its_shop_out(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    async with resources.database.unit_of_work(tenant.id) as work:
        rights, now = [FunctionPoint.STOREFRONT_REDEEM], resources.clock()
        key = await provisioning.create_key(
            work, name="Shop", function_points=rights, networks=["127.0.0.0/8"], now=now
        )
    wrong = {"cv-api-key": f"{key.secret[:47]}_{'A' * 43}"}
    transport = httpx.ASGITransport(_app(client), client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as outside:
        answers = [await outside.get("/api/v1/promo-codes?code=SPRING", headers=wrong) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
        right = await outside.get(f"{REDEMPTIONS}?limit=1", headers={"cv-api-key": key.secret})
        assert right.status_code == 401
    shop = replace(tenant, key=key)
    assert (await validate(client, shop, code="SPRING"))[0] == 200
    assert (await ask(client, shop, "SPRING")).status_code == 200


async def test_wrong_keys_are_429_at_every_door_and_the_shop_comes_in(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    name = tenant.key.secret[:47]
    stranger = replace(tenant, key=replace(tenant.key, secret=f"{name}_{'A' * 43}"))
    assert (await validate(client, stranger, code="SPRING"))[0] == 401
    assert (await ask(client, stranger, "SPRING")).status_code == 401
    assert (await validate(client, stranger, code="SPRING"))[0] == 401
    for _ in range(2):
        assert (await validate(client, stranger, code="SPRING"))[0] == 429
        assert status_and_body(await ask(client, stranger, "SPRING")) == too_many(SECRETS)
    assert (await validate(client, tenant, code="SPRING"))[0] == 200
    assert (await ask(client, tenant, "SPRING")).status_code == 200


async def test_wrong_keys_of_a_shop_that_only_validates_do_not_lock_it_out(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    stranger = replace(tenant, key=replace(tenant.key, secret=f"{tenant.key.secret[:47]}_{'A' * 43}"))
    answers = [await validate(client, stranger, code="SPRING") for _ in range(5)]
    assert [status for status, _ in answers] == [401, 401, 401, 429, 429]
    assert (await validate(client, tenant, code="SPRING"))[0] == 200


async def test_names_that_nobody_has_are_limited_just_the_same(client: httpx.AsyncClient, tenant: Tenant) -> None:
    nobody = CredentialName(tenant.id, new_id())
    key = {"cv-api-key": new_key_text(nobody)}
    client_id = CredentialName(new_id(), new_id()).text(CLIENT_PREFIX)
    answers = [await client.get("/api/v1/promo-codes?code=X", headers=key) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    answers = [await authenticate(client, client_id, "wrong") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]


async def test_forged_tokens_are_429_and_the_client_they_name_comes_in(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    token = await fetch_token(client, basic(tenant.client.name, tenant.client.secret))
    forged = jwt.encode(jwt.get_unverified_claims(token), "x" * 40, headers={"kid": "test"})
    answers = [await client.get("/promo-codes", headers=bearer(forged)) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert answers[-1].json() == {"errorCode": "TooManyRequests", "errorMessages": [SECRETS]}
    assert (await client.get("/promo-codes", headers=bearer(token))).status_code == 200


async def test_many_at_once_are_counted(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answers = await asyncio.gather(*(ask(client, tenant, f"NOPE{number}") for number in range(40)))
    assert {answer.status_code for answer in answers} == {200}
    answer = await ask(client, tenant, "SPRING")
    assert 30 * 60 < int(answer.headers["Retry-After"]) <= 35 * 60 + 60


async def test_actions_on_vouchers_by_code_use_the_budget_of_their_credential(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    async def act(caller: Tenant) -> httpx.Response:
        guesses = {"action": "Archive", "vouchers": [{"code": f"GUESS{number}"} for number in range(6)]}
        return await client.post("/management/v1/vouchers/bulk", json=guesses, headers=caller.bearer)

    answers = [await act(tenant) for _ in range(2)]
    assert (answers[0].status_code, answers[0].json()["refused"]) == (200, 6)
    assert status_and_body(answers[1]) == too_many(MISSES)
    assert (await act(other_tenant)).status_code == 200
