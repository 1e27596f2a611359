"""The rights of a Bearer token, and the end of its validity."""

from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from tests.conftest import NOW, TOKEN_KEYS
from tests.support.authentication_requests import basic, bearer, fetch_token, not_authenticated
from tests.support.factories import Tenant
from tests.support.responses import status_and_body

from tessera.api.serving.resources import Resources
from tessera.identity import provisioning
from tessera.kit.tokens import TokenSigner

NO_TOKEN = not_authenticated("The token is not valid.")
ENDED = not_authenticated("The credential is unknown, revoked or expired.")


@pytest.fixture
def credentials(tenant: Tenant) -> dict[str, str]:
    """Headers of the tenant's client."""
    return basic(tenant.client.name, tenant.client.secret)


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Basic abc", "abc", "Bearer\tabc", "Token abc", ""],
)
async def test_a_malformed_bearer_token_is_401(client: httpx.AsyncClient, header: str) -> None:
    answer = await client.get("/promo-codes", headers={"Authorization": header})
    assert status_and_body(answer) == not_authenticated("A Bearer token is required.")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "path", ["/promo-codes", "/api/vouchers/partners", "/storefront/v1/redemptions/1", "/management/v1/users"]
)
async def test_the_answer_to_a_token_with_an_unknown_key_says_so_in_every_api(
    client: httpx.AsyncClient, path: str
) -> None:
    foreign = TokenSigner({"foreign": "a-signing-key-of-another-server-0123456789"})
    token = foreign.issue({"org": "o", "kind": "client", "sub": "s"}, now=NOW, lifetime=timedelta(hours=1))
    answer = await client.get(path, headers=bearer(token))
    body = answer.json()
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert (body.get("detail") or body["errorMessages"][0]) == (
        "The token was signed with a key that this server does not know."
    )


@pytest.mark.parametrize("token", ["abc", "a.b.c", "..", "e30.e30.e30", "é.é.é", "\0", "x" * 10_000])
async def test_garbage_is_401(client: httpx.AsyncClient, token: str) -> None:
    answer = await client.get("/promo-codes", headers={b"Authorization": f"Bearer {token}".encode("latin-1")})
    message = "The token is too long." if len(token) > 4096 else "The token is not valid."
    assert status_and_body(answer) == not_authenticated(message)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"org": None, "kind": "client", "sub": None},
        {"org": 1, "kind": 1, "sub": "1"},
        {"org": "x", "kind": "client", "sub": "00000000-0000-0000-0000-000000000001"},
        {"org": ["x"], "kind": "client", "sub": {}},
    ],
    ids=str,
)
async def test_claims_without_a_known_subject_are_401(client: httpx.AsyncClient, claims: dict[str, Any]) -> None:
    token = TokenSigner(TOKEN_KEYS).issue({"sub": "", **claims}, now=NOW, lifetime=timedelta(hours=1))
    answer = await client.get("/promo-codes", headers=bearer(token))
    assert status_and_body(answer) == NO_TOKEN


async def test_a_token_without_the_function_point_is_401_with_a_code_of_its_own(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    powerless = tenant.powerless_client
    token = bearer(await fetch_token(client, basic(powerless.name, powerless.secret)))
    for answer in (
        await client.get("/promo-codes?page=0", headers=token),
        await client.post("/promo-codes", headers=token, json={}),
    ):
        assert status_and_body(answer) == (
            401,
            {
                "errorCode": "FunctionPointMissing",
                "errorMessages": ["The function point PartnerManagePromoCodes is required."],
            },
        )
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_forged_organization_does_not_know_the_caller(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    claims = {"org": str(other_tenant.id), "kind": "client", "sub": str(tenant.client.id)}
    token = TokenSigner(TOKEN_KEYS).issue(claims, now=NOW, lifetime=timedelta(hours=1))
    assert status_and_body(await client.get("/promo-codes", headers=bearer(token))) == ENDED


async def test_a_revoked_clients_tokens_end_with_the_next_request(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, credentials: dict[str, str]
) -> None:
    token = bearer(await fetch_token(client, credentials))
    async with resources.database.unit_of_work(tenant.id) as work:
        await provisioning.revoke_client(work, client_id=tenant.client.id, now=NOW)
    assert status_and_body(await client.get("/promo-codes", headers=token)) == ENDED
    assert status_and_body(await client.get("/authenticate", headers=credentials)) == ENDED


async def test_a_revoked_long_lived_token_ends_with_the_next_request(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    assert (await client.get("/promo-codes", headers=tenant.bearer)).status_code == 200
    async with resources.database.unit_of_work(tenant.id) as work:
        await provisioning.revoke_token(work, token_id=tenant.token.id, now=NOW)
    assert status_and_body(await client.get("/promo-codes", headers=tenant.bearer)) == ENDED


async def test_a_deactivated_users_token_ends_with_the_next_request(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    async with resources.database.unit_of_work(tenant.id) as work:
        await provisioning.deactivate_user(work, email=tenant.user_email, now=resources.clock())
    assert status_and_body(await client.get("/promo-codes", headers=tenant.bearer)) == ENDED


async def test_rights_are_those_of_the_moment(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    superuser.execute("update users set function_points = '{}' where organization_id = %s", [tenant.id])
    answer = await client.get("/promo-codes", headers=tenant.bearer)
    assert (answer.status_code, answer.json()["errorCode"]) == (401, "FunctionPointMissing")


async def test_a_switched_off_organization_has_no_good_credential(
    client: httpx.AsyncClient, tenant: Tenant, credentials: dict[str, str], superuser: psycopg.Connection
) -> None:
    token = bearer(await fetch_token(client, credentials))
    superuser.execute("update organizations set is_active = false where id = %s", [tenant.id])
    for headers in (token, tenant.bearer):
        assert status_and_body(await client.get("/promo-codes", headers=headers)) == ENDED
    assert status_and_body(await client.get("/authenticate", headers=credentials)) == ENDED
