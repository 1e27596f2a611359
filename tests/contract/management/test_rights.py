"""Rights: nobody weakens a stronger administrator, the last one stays, and tokens convey what their issuers had."""

import asyncio
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant
from tests.support.management_requests import ROOT, if_match, invalid, problem
from tests.support.responses import status_and_body
from tests.support.voucher_factories import add_partner, add_user

from tessera.api.serving.resources import Resources
from tessera.audit.seals import service as seals
from tessera.identity import provisioning
from tessera.identity.rules import FunctionPoint

USERS, TOKENS, KEYS, CLIENTS = (f"{ROOT}/{each}" for each in ("users", "tokens", "keys", "clients"))
MANAGE, VOUCHERS = FunctionPoint.MANAGE_ORGANIZATION, FunctionPoint.PARTNER_MANAGE_VOUCHERS
ALL_BUT_MANAGE = ", ".join(sorted(set(FunctionPoint) - {MANAGE}))
STRONGER = problem(
    403,
    "not-allowed",
    "Not allowed",
    f"Only a caller who has {ALL_BUT_MANAGE} can take rights from this administrator.",
)
LAST = problem(
    409,
    "conflict",
    "Conflict",
    "This is the last active administrator of the organization. Appoint another one first.",
)


async def add_administrator(
    resources: Resources, tenant: Tenant, email: str, *more: FunctionPoint
) -> tuple[dict[str, str], str]:
    """Headers and id of a user who manages the organization and has these rights besides."""
    async with resources.database.unit_of_work(tenant.id) as work:
        user_id = await provisioning.create_user(
            work, email=email, names=("C", "K"), function_points=[MANAGE, *more], now=NOW
        )
        token = await provisioning.issue_token(
            work, signer=resources.signer, email=email, lifetime=timedelta(days=1), now=NOW
        )
    return {"Authorization": f"Bearer {token.secret}"}, str(user_id)


async def id_of(client: httpx.AsyncClient, tenant: Tenant, email: str) -> str:
    (user,) = (await client.get(f"{USERS}?email={email}", headers=tenant.bearer)).json()["data"]
    return str(user["id"])


async def test_an_administrator_takes_nothing_from_one_who_has_more_rights(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    clerk, clerk_id = await add_administrator(resources, tenant, "clerk@example.com")
    ada, headers = await id_of(client, tenant, tenant.user_email), clerk | {"If-Match": "*"}
    weaker = {"firstName": "A", "lastName": "B", "functionPoints": [MANAGE]}
    assert status_and_body(await client.put(f"{USERS}/{ada}", json=weaker, headers=headers)) == STRONGER
    assert status_and_body(await client.post(f"{USERS}/{ada}/deactivate", headers=headers)) == STRONGER
    (token,) = (await client.get(f"{TOKENS}?userId={ada}", headers=clerk)).json()["data"]
    assert status_and_body(await client.post(f"{TOKENS}/{token['id']}/revoke", headers=headers)) == STRONGER
    everything = {"name": "Strong", "functionPoints": list(FunctionPoint)}
    for url in (CLIENTS, KEYS):
        strong = (await client.post(url, json=everything, headers=tenant.bearer)).json()
        assert status_and_body(await client.post(f"{url}/{strong['id']}/revoke", headers=headers)) == STRONGER
    names = weaker | {"functionPoints": list(FunctionPoint)}
    assert (await client.put(f"{USERS}/{ada}", json=names, headers=headers)).status_code == 200
    back = await client.post(f"{USERS}/{clerk_id}/deactivate", headers=if_match("*", tenant))
    assert back.status_code == 200


async def test_the_last_active_administrator_stays_one(client: httpx.AsyncClient, tenant: Tenant) -> None:
    url = f"{USERS}/{await id_of(client, tenant, tenant.user_email)}"
    rest = {"firstName": "A", "lastName": "B", "functionPoints": sorted(set(FunctionPoint) - {MANAGE})}
    assert status_and_body(await client.put(url, json=rest, headers=if_match("*", tenant))) == LAST
    assert status_and_body(await client.post(f"{url}/deactivate", headers=if_match("*", tenant))) == LAST


async def test_a_user_without_the_right_of_administrators_is_not_the_last_of_them(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    grace, _ = await add_administrator(resources, tenant, "grace@example.com", *FunctionPoint)
    url = f"{USERS}/{await id_of(client, tenant, tenant.user_email)}"
    only = {"firstName": "A", "lastName": "B", "functionPoints": [MANAGE]}
    assert (await client.put(url, json=only, headers=if_match("*", tenant))).status_code == 200
    others = only | {"functionPoints": sorted(set(FunctionPoint) - {MANAGE})}
    grace_url = f"{USERS}/{await id_of(client, tenant, 'grace@example.com')}"
    assert (await client.put(grace_url, json=others, headers=grace | {"If-Match": "*"})).status_code == 200
    assert status_and_body(await client.post(f"{url}/deactivate", headers=if_match("*", tenant))) == LAST


async def test_two_administrators_who_dismiss_each_other_at_once_do_not_both_succeed(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    rights = tuple(set(FunctionPoint) - {MANAGE})
    grace, grace_id = await add_administrator(resources, tenant, "grace@example.com", *rights)
    ada_id = await id_of(client, tenant, tenant.user_email)
    answers = await asyncio.gather(
        client.post(f"{USERS}/{ada_id}/deactivate", headers=grace | {"If-Match": "*"}),
        client.post(f"{USERS}/{grace_id}/deactivate", headers=if_match("*", tenant)),
    )
    # The loser is refused as the last administrator, or because its own token has ended meanwhile.
    assert sorted(answer.status_code for answer in answers)[0] == 200
    assert sorted(answer.status_code for answer in answers)[1] in (401, 409)


async def test_a_token_does_not_gain_the_rights_that_its_issuer_did_not_have(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    clerk, _ = await add_administrator(resources, tenant, "clerk@example.com", VOUCHERS)
    _, grace_id = await add_administrator(resources, tenant, "grace@example.com")
    body = {"email": "grace@example.com", "days": 1}
    token = (await client.post(TOKENS, json=body, headers=clerk)).json()
    assert (token["issuer"], token["functionPoints"]) == ("clerk@example.com", [MANAGE, VOUCHERS])
    grace = {"Authorization": f"Bearer {token['token']}"}
    everything = {"firstName": "G", "lastName": "H", "functionPoints": list(FunctionPoint)}
    changed = await client.put(f"{USERS}/{grace_id}", json=everything, headers=if_match("*", tenant))
    assert changed.status_code == 200
    # The right on vouchers was granted later, but the issuer had it; the issuer never had the right on promo codes.
    assert (await client.get("/api/vouchers/partners", headers=grace)).status_code == 200
    assert (await client.get("/promo-codes", headers=grace)).status_code == 401
    await client.post(f"{ROOT}/store-exams", json={"code": "X", "name": "X", "price": 1}, headers=grace)
    (entry,) = (await client.get(f"{ROOT}/audit-entries?kind=StoreExam", headers=tenant.bearer)).json()["data"][:1]
    assert (entry["actor"]["tokenId"], entry["actor"]["tokenIssuer"]) == (token["id"], "clerk@example.com")

    async with resources.database.unit_of_work(tenant.id) as work:
        await seals.seal(work, [work.organization_id], now=NOW)
    superuser.execute(
        "update audit_entries set token_issuer = 'x' where organization_id = %s and id = %s",
        [
            tenant.id,
            entry["id"],
        ],
    )
    async with resources.database.unit_of_work(tenant.id) as work:
        verdict = await seals.verify(work, known_head=None)
    assert [str(finding.entry_id) for finding in verdict.findings] == [entry["id"]]


@pytest.mark.parametrize("change", ["deactivate", "archive"])
async def test_the_users_of_a_partner_end_with_it(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, change: str
) -> None:
    partner = await add_partner(resources, tenant, "Acme Corp")
    headers = await add_user(resources, tenant, "paula@example.com", partner_id=partner)
    assert (await client.get("/api/vouchers/partners", headers=headers)).status_code == 200
    url = f"{ROOT}/voucher-partners/{partner}/{change}"
    assert (await client.post(url, headers=if_match("*", tenant))).status_code == 200
    assert (await client.get("/api/vouchers/partners", headers=headers)).status_code == 401


async def test_the_users_of_a_partner_have_the_right_on_vouchers_alone(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    partner = await add_partner(resources, tenant, "Acme Corp")
    await add_user(resources, tenant, "paula@example.com", partner_id=partner)
    url = f"{USERS}/{await id_of(client, tenant, 'paula@example.com')}"
    more = {"firstName": "P", "lastName": "P", "functionPoints": [VOUCHERS, "PartnerManagePromoCodes"]}
    assert status_and_body(await client.put(url, json=more, headers=if_match("*", tenant))) == invalid(
        (
            "/functionPoints",
            "NotForPartner",
            "functionPoints of a voucher partner's user can only be PartnerAssignVouchers and PartnerManageVouchers.",
        )
    )
    with pytest.raises(psycopg.errors.CheckViolation):
        superuser.execute(
            "update users set function_points = '{ManageOrganization}' where organization_id = %s and partner_id = %s",
            [tenant.id, partner],
        )


async def test_a_rotation_ends_the_tokens_of_a_client_if_asked_to(client: httpx.AsyncClient, tenant: Tenant) -> None:
    shop = {"name": "Shop", "functionPoints": ["PartnerManagePromoCodes"]}
    made = (await client.post(CLIENTS, json=shop, headers=tenant.bearer)).json()

    async def token(secret: str) -> dict[str, str]:
        answer = await client.get("/authenticate", auth=(made["clientId"], secret))
        return {"Authorization": f"Bearer {answer.json()['authToken']}"}

    async def rotate(query: str) -> str:
        url = f"{CLIENTS}/{made['id']}/rotate-secret{query}"
        rotated: dict[str, Any] = (await client.post(url, headers=if_match("*", tenant))).json()
        return str(rotated["clientSecret"])

    first = await token(made["clientSecret"])
    secret = await rotate("")
    assert (await client.get("/promo-codes", headers=first)).status_code == 200
    second = await token(await rotate("?endTokens=true"))
    assert secret
    bad = await client.post(f"{CLIENTS}/{made['id']}/rotate-secret?endTokens=x", headers=if_match("*", tenant))
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (400, "/endTokens")
    assert [(await client.get("/promo-codes", headers=each)).status_code for each in (first, second)] == [401, 200]
    third = await token(await rotate("?endTokens=true"))
    assert [(await client.get("/promo-codes", headers=each)).status_code for each in (second, third)] == [401, 200]


@pytest.mark.parametrize(
    ("networks", "host", "status"),
    [
        (["192.0.2.0/24", "2001:db8::/32"], "192.0.2.7", 200),
        (["192.0.2.0/24", "2001:db8::/32"], "::ffff:192.0.2.7", 200),
        (["192.0.2.0/24", "2001:db8::/32"], "2001:db8::1", 200),
        (["192.0.2.0/24"], "192.0.3.7", 401),
        (["192.0.2.7"], "192.0.2.8", 401),
        (["192.0.2.7"], "not an address", 401),
        ([], "192.0.2.8", 200),
    ],
)
async def test_a_key_works_from_its_networks_only(
    client: httpx.AsyncClient, tenant: Tenant, networks: list[str], host: str, status: int
) -> None:
    body = {"name": "Till", "functionPoints": ["StorefrontRedeem"], "networks": networks}
    key = (await client.post(KEYS, json=body, headers=tenant.bearer)).json()
    read = (await client.get(f"{KEYS}/{key['id']}", headers=tenant.bearer)).json()
    assert read["networks"] == [str(ip_network(each)) for each in networks]
    headers = {"cv-api-key": key["apiKey"], "X-Forwarded-For": host}
    assert (await client.get("/storefront/v1/redemptions", headers=headers)).status_code == status
    known = await client.get("/api/v1/promo-codes?code=NONE", headers=headers)
    assert known.status_code == {200: 404, 401: 401}[status]


@pytest.mark.parametrize(("count", "status"), [(100, 201), (101, 400)])
async def test_a_key_has_at_most_a_hundred_networks(
    client: httpx.AsyncClient, tenant: Tenant, count: int, status: int
) -> None:
    networks = [f"192.0.2.{number}" for number in range(count)]
    body = {"name": "Till", "functionPoints": [], "networks": networks}
    assert (await client.post(KEYS, json=body, headers=tenant.bearer)).status_code == status


async def test_a_key_cannot_be_rotated_from_the_moment_of_its_expiry_on(
    client: httpx.AsyncClient, tenant: Tenant, clock: Clock
) -> None:
    key = (await client.post(KEYS, json={"name": "Till", "functionPoints": []}, headers=tenant.bearer)).json()
    url = f"{KEYS}/{key['id']}/rotate"
    statuses = []
    for seconds in (0, 3599, 1):
        clock.advance(seconds=seconds)
        answer = await client.post(url, json={"overlapHours": 1}, headers=if_match("*", tenant))
        statuses.append(answer.status_code)
    assert statuses == [200, 200, 404]


async def test_bad_networks_are_named(client: httpx.AsyncClient, tenant: Tenant) -> None:
    body = {"name": "Till", "functionPoints": [], "networks": ["192.0.2.1/24", "192.0.2.0/24", "x"]}
    message = "must be an IP address or a network such as 192.0.2.0/24, without host bits."
    assert status_and_body(await client.post(KEYS, json=body, headers=tenant.bearer)) == invalid(
        ("/networks/0", "NotNetwork", f"networks/0 {message}"), ("/networks/2", "NotNetwork", f"networks/2 {message}")
    )
