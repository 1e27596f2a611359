"""Users, clients, keys and tokens through the management API: life cycles, and rights that a caller cannot grant."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant
from tests.support.management_requests import (
    RIGHT_IS_MISSING,
    ROOT,
    audit_entries_of,
    headers_without_rights,
    if_match,
    invalid,
    not_found,
    problem,
)
from tests.support.responses import status_and_body

from tessera.api.serving.resources import Resources
from tessera.identity import provisioning
from tessera.identity.rules import FunctionPoint

USERS, CLIENTS, KEYS, TOKENS = (f"{ROOT}/{each}" for each in ("users", "clients", "keys", "tokens"))
GRACE = {"email": "grace@example.com", "firstName": "Grace", "lastName": "Hopper"}
USER = GRACE | {"functionPoints": ["StorefrontRedeem", "ManageOrganization"]}
CLIENT_RIGHTS = {"functionPoints": ["StorefrontRedeem"]}
CLIENT = {"name": "Shop", **CLIENT_RIGHTS}
TOKEN = {"email": "ada@example.com", "days": 30}
BODIES = {USERS: USER, CLIENTS: CLIENT, KEYS: CLIENT, TOKENS: TOKEN}
CHANGES = {
    USERS: ("deactivate", "activate"),
    CLIENTS: ("rotate-secret", "revoke"),
    KEYS: ("rotate", "revoke"),
    TOKENS: ("revoke",),
}
NAMES = {USERS: "user", CLIENTS: "client", KEYS: "key", TOKENS: "token"}
POINTS = ", ".join(FunctionPoint)
AT_NOON = "2026-06-15T12:00:00Z"


def operations(url: str, thing_id: object) -> list[tuple[str, str]]:
    one = f"{url}/{thing_id}"
    changes = [("POST", f"{one}/{change}") for change in CHANGES[url]]
    return [("GET", one), *([("PUT", one)] if url == USERS else []), *changes]


def body_of(path: str) -> dict[str, Any]:
    return {"overlapHours": 1} if path.endswith("/rotate") else USER


@pytest.fixture
async def clerk(resources: Resources, tenant: Tenant) -> dict[str, str]:
    """Headers of a user whose only right is to manage the organization."""
    email, rights = "clerk@example.com", [FunctionPoint.MANAGE_ORGANIZATION]
    day = timedelta(days=1)
    async with resources.database.unit_of_work(tenant.id) as work:
        await provisioning.create_user(work, email=email, names=("C", "K"), function_points=rights, now=NOW)
        token = await provisioning.issue_token(work, signer=resources.signer, email=email, lifetime=day, now=NOW)
    return {"Authorization": f"Bearer {token.secret}"}


async def make(client: httpx.AsyncClient, tenant: Tenant, url: str) -> dict[str, Any]:
    answer = await client.post(url, json=BODIES[url], headers=tenant.bearer)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("url", list(BODIES))
async def test_without_the_function_point_every_operation_is_403(
    client: httpx.AsyncClient, tenant: Tenant, url: str
) -> None:
    headers = await headers_without_rights(client, tenant)
    expected = problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
    for method, path in [("GET", url), ("POST", url), *operations(url, UUID(int=7))]:
        assert status_and_body(await client.request(method, path, headers=headers, json={})) == expected


@pytest.mark.parametrize("url", list(BODIES))
async def test_another_organizations_things_are_not_there(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, url: str
) -> None:
    theirs = (await make(client, other_tenant, url))["id"]
    for method, path in operations(url, theirs):
        answer = await client.request(method, path, headers=if_match("*", tenant), json=body_of(path))
        assert (answer.status_code, answer.json()["title"]) == (404, "Not found")
        assert answer.json()["detail"].startswith(f"There is no such {NAMES[url]}")
    listed = (await client.get(url, headers=tenant.bearer)).json()["data"]
    assert theirs not in [each["id"] for each in listed]


@pytest.mark.parametrize("url", list(BODIES))
async def test_a_change_needs_the_version_that_is_there(client: httpx.AsyncClient, tenant: Tenant, url: str) -> None:
    thing = await make(client, tenant, url)
    for method, path in operations(url, thing["id"])[1:]:
        body = body_of(path)
        assert (await client.request(method, path, json=body, headers=tenant.bearer)).status_code == 428
        assert (await client.request(method, path, json=body, headers=if_match(9, tenant))).status_code == 412


async def test_a_user_is_created_changed_and_switched_off_and_on(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    response = await client.post(USERS, json=USER, headers=tenant.bearer)
    user = response.json()
    rights = {"functionPoints": ["ManageOrganization", "StorefrontRedeem"]}
    expected = {"id": user["id"], **GRACE, **rights, "partnerId": None, "isActive": True, "createdAt": AT_NOON}
    assert (status_and_body(response), response.headers["ETag"]) == ((201, expected | {"version": 1}), '"1"')
    url = f"{USERS}/{user['id']}"
    body = {"firstName": "G", "lastName": "H", "functionPoints": []}
    changed = await client.put(url, json=body, headers=if_match(1, tenant))
    expected |= body
    assert status_and_body(changed) == (200, expected | {"version": 2})
    off = await client.post(f"{url}/deactivate", headers=if_match(2, tenant))
    assert status_and_body(off) == (200, expected | {"isActive": False, "version": 3})
    again = await client.post(f"{url}/deactivate", headers=if_match(3, tenant))
    assert status_and_body(again) == problem(
        409, "wrong-state", "Wrong state", "The user is Inactive.", state="Inactive"
    )
    for query in ("isActive=false", "email=GRACE@example.com"):
        records = (await client.get(f"{USERS}?{query}", headers=tenant.bearer)).json()["data"]
        assert [each["id"] for each in records] == [user["id"]]
    on = await client.post(f"{url}/activate", headers=if_match(3, tenant))
    assert (
        status_and_body(on)
        == status_and_body(await client.get(url, headers=tenant.bearer))
        == (200, expected | {"version": 4})
    )
    log = [entry for entry in audit_entries_of(superuser, tenant, "User") if entry[4]["email"] == "grace@example.com"]
    assert [entry[:3] for entry in log] == [
        ("User", "ada@example.com", action) for action in ("Created", "Updated", "Deactivated", "Activated")
    ]


async def test_everything_that_is_wrong_with_a_user_is_named(client: httpx.AsyncClient, tenant: Tenant) -> None:
    body = {"email": "x", "firstName": " ", "functionPoints": ["StorefrontRedeem", "Fly"]}
    assert status_and_body(await client.post(USERS, json=body, headers=tenant.bearer)) == invalid(
        ("/email", "NotEmail", "email must be a valid e-mail address."),
        ("/firstName", "Blank", "firstName must not be blank."),
        ("/lastName", "Required", "lastName is required."),
        ("/functionPoints/1", "NotFunctionPoint", f"functionPoints/1 must be one of {POINTS}."),
    )
    words = "partnerId must be null: a voucher partner's users are invited, at /voucher-partners/{id}/users."
    theirs = USER | {"partnerId": "01906a6e-0000-7000-8000-000000000003"}
    assert status_and_body(await client.post(USERS, json=theirs, headers=tenant.bearer)) == invalid(
        ("/partnerId", "NotHere", words)
    )
    duplicate = USER | {"email": tenant.user_email.upper()}
    words = f"email is taken: {duplicate['email']}."
    assert status_and_body(await client.post(USERS, json=duplicate, headers=tenant.bearer)) == invalid(
        ("/email", "NameTaken", words)
    )


async def test_nobody_gives_a_right_that_they_lack(
    client: httpx.AsyncClient, tenant: Tenant, clerk: dict[str, str]
) -> None:
    words = "A caller cannot grant rights that it lacks: {}."
    lacking = problem(403, "not-allowed", "Not allowed", words.format("StorefrontRedeem"))
    for url in (USERS, CLIENTS, KEYS):
        assert status_and_body(await client.post(url, json=BODIES[url], headers=clerk)) == lacking
    managing = "ManagePersons, PartnerAssignVouchers, PartnerManagePromoCodes, PartnerManageVouchers"
    all_others = f"{managing}, SeeVoucherCodes, StorefrontRedeem, StorefrontSupport"
    everything = problem(403, "not-allowed", "Not allowed", words.format(all_others))
    assert status_and_body(await client.post(TOKENS, json=TOKEN, headers=clerk)) == everything

    result = {url: await make(client, tenant, url) for url in (CLIENTS, KEYS)}
    headers = clerk | {"If-Match": "*"}
    rotations = {CLIENTS: "rotate-secret", KEYS: "rotate"}
    for url, thing in result.items():
        rotated = await client.post(f"{url}/{thing['id']}/{rotations[url]}", json={"overlapHours": 1}, headers=headers)
        assert status_and_body(rotated) == lacking
    # A manager may remove or keep any right of a user who is not an administrator.
    user = (await client.post(USERS, json=GRACE | CLIENT_RIGHTS, headers=tenant.bearer)).json()
    body = {"firstName": "G", "lastName": "H", **CLIENT_RIGHTS}
    url = f"{USERS}/{user['id']}"
    assert (await client.put(url, json=body, headers=headers)).status_code == 200
    assert (await client.post(f"{url}/deactivate", headers=headers)).status_code == 200
    assert status_and_body(await client.post(f"{url}/activate", headers=headers)) == lacking
    assert (await client.put(url, json=body | {"functionPoints": []}, headers=headers)).status_code == 200
    assert status_and_body(await client.put(url, json=body, headers=headers))[0] == 403


async def test_a_client_gets_another_secret_and_is_revoked(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    result = await make(client, tenant, CLIENTS)
    url = f"{CLIENTS}/{result['id']}"

    async def status(secret: str) -> int:
        return (await client.get("/authenticate", auth=(result["clientId"], secret))).status_code

    shown = {name: value for name, value in result.items() if name != "clientSecret"}
    assert status_and_body(await client.get(url, headers=tenant.bearer)) == (200, shown)
    rotated = (await client.post(f"{url}/rotate-secret", headers=if_match(1, tenant))).json()
    assert rotated == result | {"clientSecret": rotated["clientSecret"], "version": 2}
    assert [await status(result["clientSecret"]), await status(rotated["clientSecret"])] == [401, 200]
    revoked = await client.post(f"{url}/revoke", headers=if_match(2, tenant))
    assert status_and_body(revoked) == (200, shown | {"revokedAt": AT_NOON, "version": 3})
    assert await status(rotated["clientSecret"]) == 401
    assert status_and_body(await client.post(f"{url}/revoke", headers=if_match("*", tenant))) == not_found(
        "There is no such client."
    )
    log = str(audit_entries_of(superuser, tenant, "ApiClient"))
    assert "Rotated" in log
    assert not any(secret in log for secret in (result["clientSecret"], rotated["clientSecret"], "digest"))


async def test_a_secret_is_shown_once_also_under_a_key(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    for url, field in ((CLIENTS, "clientSecret"), (KEYS, "apiKey"), (TOKENS, "token")):
        keyed = tenant.bearer | {"Idempotency-Key": field}
        first, again = [await client.post(url, json=BODIES[url], headers=keyed) for _ in range(2)]
        assert status_and_body(again) == (201, first.json() | {field: None})
        assert (first.headers["ETag"], again.headers["ETag"]) == ('"1"', '"1"')
        bodies = superuser.execute(
            "select body from idempotency_keys where organization_id = %s", [tenant.id]
        ).fetchall()
        assert all(first.json()[field].encode() not in body for (body,) in bodies)


async def test_a_key_is_replaced_with_an_overlap_and_revoked(
    client: httpx.AsyncClient, tenant: Tenant, clock: Clock
) -> None:
    result = await make(client, tenant, KEYS)
    url = f"{KEYS}/{result['id']}"

    async def status(key: str) -> int:
        return (await client.get("/api/v1/promo-codes?code=X", headers={"cv-api-key": key})).status_code

    bad = await client.post(f"{url}/rotate", json={"overlapHours": -1}, headers=if_match(1, tenant))
    assert status_and_body(bad) == invalid(
        ("/overlapHours", "OverlapRange", "overlapHours must be between 0 and 8,784.")
    )
    new = (await client.post(f"{url}/rotate", json={"overlapHours": 2}, headers=if_match(1, tenant))).json()
    assert new == result | {"id": new["id"], "apiKey": new["apiKey"], "firstKeyId": result["id"]}
    old = (await client.get(url, headers=tenant.bearer)).json()
    assert (old["expiresAt"], old["version"]) == ("2026-06-15T14:00:00Z", 2)
    assert [await status(result["apiKey"]), await status(new["apiKey"])] == [404, 404]
    clock.advance(hours=2)
    assert [await status(result["apiKey"]), await status(new["apiKey"])] == [401, 404]
    assert (await client.post(f"{KEYS}/{new['id']}/revoke", headers=if_match(1, tenant))).json()["version"] == 2
    assert await status(new["apiKey"]) == 401


async def test_when_a_key_was_used_is_written_now_and_then(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, clock: Clock
) -> None:
    url = f"{KEYS}/{tenant.key.id}"

    async def used_at() -> str | None:
        await resources.pipeline.key_uses.flush(resources.database)
        last_used_at: str | None = (await client.get(url, headers=tenant.bearer)).json()["lastUsedAt"]
        return last_used_at

    wrong = {"cv-api-key": tenant.key.secret[:-1] + ("A" if tenant.key.secret[-1] != "A" else "B")}
    await client.get("/api/v1/promo-codes?code=X", headers=wrong)
    assert await used_at() is None
    await client.get("/api/v1/promo-codes?code=X", headers=tenant.api_key)
    assert await used_at() == AT_NOON
    clock.advance(minutes=4)
    await client.get("/api/v1/promo-codes?code=X", headers=tenant.api_key)
    assert await used_at() == AT_NOON
    clock.advance(minutes=1)
    body = {"codes": ["X"], "storeExamCode": "NCA-GENL"}
    await client.post("/storefront/v1/validations", json=body, headers=tenant.api_key)
    assert await used_at() == "2026-06-15T12:05:00Z"


async def test_a_token_is_issued_listed_and_revoked(client: httpx.AsyncClient, tenant: Tenant) -> None:
    result = await make(client, tenant, TOKENS)
    own = {"Authorization": f"Bearer {result.pop('token')}"}
    assert (result["email"], result["expiresAt"]) == (tenant.user_email, "2026-07-15T12:00:00Z")
    assert (await client.get("/promo-codes", headers=own)).status_code == 200
    listed = (await client.get(f"{TOKENS}?userId={result['userId']}", headers=tenant.bearer)).json()["data"]
    assert [each["id"] for each in listed] == [str(tenant.token.id), result["id"]]
    revoked = await client.post(f"{TOKENS}/{result['id']}/revoke", headers=if_match(1, tenant))
    assert status_and_body(revoked) == (200, result | {"revokedAt": AT_NOON, "version": 2})
    assert (await client.get("/promo-codes", headers=own)).status_code == 401
    bad = await client.post(TOKENS, json=TOKEN | {"days": 0}, headers=tenant.bearer)
    assert status_and_body(bad) == invalid(("/days", "DaysRange", "days must be between 1 and 3,660."))
    nobody = await client.post(TOKENS, json=TOKEN | {"email": "no@example.com"}, headers=tenant.bearer)
    assert status_and_body(nobody) == not_found("There is no user no@example.com.")
