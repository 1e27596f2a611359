"""The removal of a right takes effect with the next request, also for tokens issued before."""

import hmac
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from jose import jwt
from tests.conftest import NOW, TOKEN_KEYS, Clock
from tests.support.factories import Tenant, add_promo_codes, percent_code

from tessera.api.serving.resources import Resources
from tessera.identity import provisioning
from tessera.identity.authentication import credentials
from tessera.identity.rules import FunctionPoint

ENDED = {"errorCode": "NotAuthenticated", "errorMessages": ["The credential is unknown, revoked or expired."]}
BAD_TOKEN = {"errorCode": "NotAuthenticated", "errorMessages": ["The token is not valid."]}
BAD_KEY = {"status": 401, "error": "Invalid API key"}
EXPIRED = {"errorCode": "TokenExpired", "errorMessages": ["The token has expired."]}


def missing(function_point: str) -> dict[str, Any]:
    message = f"The function point {function_point} is required."
    return {"errorCode": "FunctionPointMissing", "errorMessages": [message]}


async def list_promo_codes(client: httpx.AsyncClient, token: str) -> tuple[int, Any]:
    answer = await client.get("/promo-codes", headers={"Authorization": f"Bearer {token}"})
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    return answer.status_code, answer.json()


async def validate_with(client: httpx.AsyncClient, key: str) -> tuple[int, Any]:
    answer = await client.get("/api/v1/promo-codes?code=none", headers={"cv-api-key": key})
    return answer.status_code, answer.json()


async def fetch_client_token(client: httpx.AsyncClient, tenant: Tenant) -> str:
    answer = await client.get("/authenticate", auth=(tenant.client.name, tenant.client.secret))
    assert answer.status_code == 200
    token: str = answer.json()["authToken"]
    return token


EMPTY: tuple[int, dict[str, Any]] = (200, {"data": [], "nextLink": None})
NOT_FOUND = (404, {"success": False, "message": "Promo code not found!"})


async def test_a_user_who_is_deactivated_is_refused(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant
) -> None:
    assert await list_promo_codes(client, tenant.token.secret) == EMPTY
    async with resources.database.unit_of_work(tenant.id) as work:
        await provisioning.deactivate_user(work, email=tenant.user_email.upper(), now=resources.clock())
    assert await list_promo_codes(client, tenant.token.secret) == (401, ENDED)
    assert await list_promo_codes(client, other_tenant.token.secret) == EMPTY


async def test_a_token_that_is_revoked_is_refused_and_no_other(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock
) -> None:
    async with resources.database.unit_of_work(tenant.id) as work:
        second = await provisioning.issue_token(
            work, signer=resources.signer, email=tenant.user_email, lifetime=timedelta(days=1), now=clock.now
        )
        await provisioning.revoke_token(work, token_id=tenant.token.id, now=clock.now)
    assert await list_promo_codes(client, tenant.token.secret) == (401, ENDED)
    assert await list_promo_codes(client, second.secret) == EMPTY


async def test_a_client_that_is_revoked_is_refused_with_every_token_that_it_fetched(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock
) -> None:
    token = await fetch_client_token(client, tenant)
    assert await list_promo_codes(client, token) == EMPTY
    async with resources.database.unit_of_work(tenant.id) as work:
        await provisioning.revoke_client(work, client_id=tenant.client.id, now=clock.now)
    assert await list_promo_codes(client, token) == (401, ENDED)
    answer = await client.get("/authenticate", auth=(tenant.client.name, tenant.client.secret))
    assert (answer.status_code, answer.json()) == (401, ENDED)


async def test_a_fetched_token_is_good_for_one_hour(client: httpx.AsyncClient, tenant: Tenant, clock: Clock) -> None:
    token = await fetch_client_token(client, tenant)
    clock.advance(minutes=59, seconds=59)
    assert await list_promo_codes(client, token) == EMPTY
    clock.advance(seconds=1)
    assert await list_promo_codes(client, token) == (401, EXPIRED)


async def test_a_key_that_is_revoked_is_refused(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant, clock: Clock
) -> None:
    assert await validate_with(client, tenant.key.secret) == NOT_FOUND
    async with resources.database.unit_of_work(tenant.id) as work:
        await provisioning.revoke_key(work, key_id=tenant.key.id, now=clock.now)
    assert await validate_with(client, tenant.key.secret) == (401, BAD_KEY)
    assert await validate_with(client, other_tenant.key.secret) == NOT_FOUND


async def rotate_key(resources: Resources, tenant: Tenant, **overlap: float) -> provisioning.NewCredential:
    async with resources.database.unit_of_work(tenant.id) as work:
        return await provisioning.rotate_key(
            work, key_id=tenant.key.id, overlap=timedelta(**overlap), now=resources.clock()
        )


async def test_a_key_that_is_rotated_works_during_the_overlap_and_not_after(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock
) -> None:
    new = await rotate_key(resources, tenant, hours=1)
    clock.advance(minutes=59, seconds=59)
    assert await validate_with(client, tenant.key.secret) == NOT_FOUND
    assert await validate_with(client, new.secret) == NOT_FOUND
    clock.advance(seconds=1)
    assert await validate_with(client, tenant.key.secret) == (401, BAD_KEY)
    assert await validate_with(client, new.secret) == NOT_FOUND


async def test_rotating_again_does_not_let_an_ending_key_live_longer(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock
) -> None:
    await rotate_key(resources, tenant, hours=1)
    await rotate_key(resources, tenant, days=30)
    clock.advance(hours=1)
    assert await validate_with(client, tenant.key.secret) == (401, BAD_KEY)


async def test_rotating_without_overlap_ends_a_key_at_once(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    new = await rotate_key(resources, tenant)
    assert await validate_with(client, tenant.key.secret) == (401, BAD_KEY)
    assert await validate_with(client, new.secret) == NOT_FOUND


async def test_an_expired_key_reveals_nothing_about_the_code(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "KNOWN"), now=clock.now)
    await rotate_key(resources, tenant)
    for query in ("", "?code=", "?code=KNOWN", "?code=KNOWN&product_bundle_id=x", "?code=UNKNOWN"):
        answer = await client.get(f"/api/v1/promo-codes{query}", headers=tenant.api_key)
        assert (answer.status_code, answer.json()) == (401, BAD_KEY)


async def test_an_organization_that_is_switched_off_is_refused_with_all_its_credentials(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    token = await fetch_client_token(client, tenant)
    superuser.execute("update organizations set is_active = false where id = %s", [tenant.id])
    for each in (token, tenant.token.secret):
        assert await list_promo_codes(client, each) == (401, ENDED)
    answer = await client.get("/authenticate", auth=(tenant.client.name, tenant.client.secret))
    assert (answer.status_code, answer.json()) == (401, ENDED)
    assert await validate_with(client, tenant.key.secret) == (401, BAD_KEY)
    assert await list_promo_codes(client, other_tenant.token.secret) == EMPTY
    assert await validate_with(client, other_tenant.key.secret) == NOT_FOUND


@pytest.mark.parametrize("table", ["users", "api_clients"])
async def test_a_function_point_that_is_taken_away_is_missing(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection[Any], table: str
) -> None:
    token = await fetch_client_token(client, tenant) if table == "api_clients" else tenant.token.secret
    assert await list_promo_codes(client, token) == EMPTY
    others = [point for point in FunctionPoint if point != FunctionPoint.PARTNER_MANAGE_PROMO_CODES]
    superuser.execute(f"update {table} set function_points = %s where organization_id = %s", [others, tenant.id])
    assert await list_promo_codes(client, token) == (401, missing("PartnerManagePromoCodes"))


def sign(claims: dict[str, Any], *, key: str = TOKEN_KEYS["test"], kid: str = "test", algorithm: str = "HS256") -> str:
    registered = {"iss": "tessera", "aud": "tessera-api", "iat": NOW, "exp": NOW + timedelta(hours=1)}
    return jwt.encode(registered | claims, key, algorithm=algorithm, headers={"kid": kid})


async def test_a_subject_of_the_other_kind_is_unknown(client: httpx.AsyncClient, tenant: Tenant) -> None:
    claims = {"org": str(tenant.id)}
    client_id, token_id = str(tenant.client.id), str(tenant.token.id)
    assert await list_promo_codes(client, sign(claims | {"kind": "client", "sub": client_id})) == EMPTY
    assert await list_promo_codes(client, sign(claims | {"kind": "token", "sub": token_id})) == EMPTY
    assert await list_promo_codes(client, sign(claims | {"kind": "token", "sub": client_id})) == (401, ENDED)
    assert await list_promo_codes(client, sign(claims | {"kind": "client", "sub": token_id})) == (401, ENDED)
    assert await list_promo_codes(client, sign(claims | {"kind": "client", "sub": str(tenant.key.id)})) == (401, ENDED)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "user"},
        {"kind": None},
        {"kind": ["client"]},
        {"org": None},
        {"org": "' or true --"},
        {"org": 1},
        {"sub": "x"},
        {"iss": "another"},
        {"aud": "another"},
        {"exp": "tomorrow"},
        {"iss": None},
        {"aud": None},
        {"exp": None},
    ],
)
async def test_claims_that_we_never_make_are_refused(
    client: httpx.AsyncClient, tenant: Tenant, changes: dict[str, Any]
) -> None:
    honest = {"org": str(tenant.id), "kind": "token", "sub": str(tenant.token.id)}
    assert await list_promo_codes(client, sign(honest)) == EMPTY
    assert await list_promo_codes(client, sign(honest | changes)) == (401, BAD_TOKEN)


@pytest.mark.parametrize(
    ("forgery", "message"),
    [
        ({"key": "another-signing-key-that-is-not-ours-0123456789"}, "The token is not valid."),
        ({"kid": "unknown"}, "The token was signed with a key that this server does not know."),
        ({"algorithm": "HS512"}, "The token is not valid."),
    ],
)
async def test_a_token_that_we_did_not_sign_so_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, forgery: dict[str, str], message: str
) -> None:
    honest = {"org": str(tenant.id), "kind": "token", "sub": str(tenant.token.id)}
    expected = 401, {"errorCode": "NotAuthenticated", "errorMessages": [message]}
    assert await list_promo_codes(client, sign(honest, **forgery)) == expected


async def test_a_token_without_a_signature_is_refused(client: httpx.AsyncClient, tenant: Tenant) -> None:
    header, payload, _ = tenant.token.secret.split(".")
    none = "eyJhbGciOiJub25lIiwia2lkIjoidGVzdCIsInR5cCI6IkpXVCJ9"
    for forged in (f"{none}.{payload}.", f"{header}.{payload}.", f"{header}.{payload}", f"{none}.{payload}"):
        assert await list_promo_codes(client, forged) == (401, BAD_TOKEN)


async def test_an_unknown_client_costs_the_same_comparison_as_a_known_one(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[int, int]] = []
    honest = hmac.compare_digest

    def note(a: bytes, b: bytes) -> bool:
        compared.append((len(a), len(b)))
        return honest(a, b)

    monkeypatch.setattr(hmac, "compare_digest", note)
    unknown = credentials.CredentialName(tenant.id, tenant.bundle_id).text(credentials.CLIENT_PREFIX)
    for name in (tenant.client.name, unknown):
        answer = await client.get("/authenticate", auth=(name, "wrong"))
        body = {"errorCode": "NotAuthenticated", "errorMessages": ["The client or its secret is not valid."]}
        assert (answer.status_code, answer.json()) == (401, body)
    assert compared == [(32, 32), (32, 32)]
