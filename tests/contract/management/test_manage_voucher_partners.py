"""Voucher partners and their users through the management API."""

from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
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
from tests.support.voucher_factories import add_user
from tests.support.voucher_management import PARTNER, PARTNERS, change_resource, create_resource

from tessera.api.serving.resources import Resources
from tessera.identity.rules import FunctionPoint

NOBODY = UUID(int=7)
INVITE = {"email": "grace@acme.example.com", "firstName": "Grace", "lastName": "Hopper"}


def operations(partner_id: object, user_id: object) -> list[tuple[str, str]]:
    one = f"{PARTNERS}/{partner_id}"
    moves = [("POST", f"{one}/{move}") for move in ("activate", "deactivate", "archive")]
    user = f"{one}/users/{user_id}"
    user_moves = [("POST", f"{user}/{move}") for move in ("accept", "activate", "deactivate")]
    return [
        ("GET", one),
        ("PUT", one),
        *moves,
        ("GET", f"{one}/users"),
        ("POST", f"{one}/users"),
        ("GET", user),
        *user_moves,
    ]


def wrong_state(what: str, state: str) -> tuple[int, dict[str, Any]]:
    return problem(409, "wrong-state", "Wrong state", f"The {what} is {state}.", state=state)


async def test_without_the_function_point_every_operation_is_403(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = await headers_without_rights(client, tenant)
    expected = problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
    for method, url in [("GET", PARTNERS), ("POST", PARTNERS), *operations(NOBODY, NOBODY)]:
        assert status_and_body(await client.request(method, url, headers=headers, json=PARTNER)) == expected


async def test_a_partners_user_manages_nothing(client: httpx.AsyncClient, resources: Resources, tenant: Tenant) -> None:
    partner = await create_resource(client, tenant, PARTNERS, PARTNER)
    headers = await add_user(resources, tenant, "insider@acme.example.com", partner_id=UUID(partner["id"]))
    expected = problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
    for method, url in [("GET", PARTNERS), ("POST", PARTNERS), *operations(partner["id"], NOBODY)]:
        assert status_and_body(await client.request(method, url, headers=headers, json=PARTNER)) == expected


async def test_another_organizations_partners_are_not_there(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs = await create_resource(client, other_tenant, PARTNERS, PARTNER)
    user = await create_resource(client, other_tenant, f"{PARTNERS}/{theirs['id']}/users", INVITE)
    for partner_id in (theirs["id"], NOBODY):
        for method, url in operations(partner_id, user["id"]):
            answer = await client.request(method, url, headers=if_match("*", tenant), json=PARTNER | INVITE)
            assert status_and_body(answer) == not_found("There is no such voucher partner.")
    own = await create_resource(client, tenant, PARTNERS, PARTNER)
    assert status_and_body(await client.get(PARTNERS, headers=tenant.bearer)) == (
        200,
        {"data": [own], "nextLink": None, "nextCursor": None},
    )
    elsewhere = f"{PARTNERS}/{own['id']}/users/{user['id']}"
    expected = not_found("The voucher partner has no such user.")
    assert status_and_body(await client.get(elsewhere, headers=tenant.bearer)) == expected
    assert status_and_body(await client.post(f"{elsewhere}/accept", headers=if_match("*", tenant))) == expected


async def test_a_partner_lives_from_its_creation_to_its_archive(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    partner = await create_resource(client, tenant, PARTNERS, {"name": "Acme Corp"})
    url = f"{PARTNERS}/{partner['id']}"
    assert partner == {
        "id": partner["id"],
        "name": "Acme Corp",
        "status": "Inactive",
        "createdAt": "2026-06-15T12:00:00Z",
        "version": 1,
    }
    read = await client.get(url, headers=tenant.bearer)
    assert (status_and_body(read), read.headers["ETag"]) == ((200, partner), '"1"')
    renamed = await client.put(url, json={"name": "Acme Corporation"}, headers=if_match(1, tenant))
    assert status_and_body(renamed) == (200, partner | {"name": "Acme Corporation", "version": 2})
    assert (await change_resource(client, tenant, f"{url}/activate", 2))["status"] == "Active"
    assert (await change_resource(client, tenant, f"{url}/deactivate", 3))["status"] == "Inactive"
    assert (await change_resource(client, tenant, f"{url}/archive", 4))["status"] == "Archived"
    final = wrong_state("voucher partner", "Archived")
    assert (await client.post(f"{url}/activate", headers=if_match(4, tenant))).status_code == 412
    assert status_and_body(await client.post(f"{url}/activate", headers=if_match(5, tenant))) == final
    assert status_and_body(await client.put(url, json={"name": "Other"}, headers=if_match(5, tenant))) == final
    log = audit_entries_of(superuser, tenant, "VoucherPartner")
    assert [entry[:3] for entry in log] == [
        ("User", "ada@example.com", action) for action in ("Created", "Updated", "Activated", "Deactivated", "Archived")
    ]
    assert (log[0][3], log[1][3]["name"], log[1][4]["name"]) == (None, "Acme Corp", "Acme Corporation")


async def test_a_change_needs_the_version_that_was_read(client: httpx.AsyncClient, tenant: Tenant) -> None:
    partner = await create_resource(client, tenant, PARTNERS, PARTNER)
    url = f"{PARTNERS}/{partner['id']}/deactivate"
    missing = "The header If-Match is required. Send the ETag of the representation that you read."
    stale = problem(
        412,
        "version-stale",
        "Precondition failed",
        "The version in If-Match is not the current one. Read the resource again.",
    )
    expected = problem(428, "version-missing", "If-Match is required", missing)
    assert status_and_body(await client.post(url, headers=tenant.bearer)) == expected
    assert status_and_body(await client.post(url, headers=if_match(2, tenant))) == stale
    assert (await client.post(url, headers=if_match(1, tenant))).status_code == 200


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, ("/name", "Required", "name is required.")),
        ({"name": 1}, ("/name", "NotText", "name must be a string.")),
        ({"name": " "}, ("/name", "Blank", "name must not be blank.")),
        ({"name": "x" * 201}, ("/name", "TooLong", "name must have at most 200 characters.")),
        ({"name": "A\tB"}, ("/name", "ControlCharacter", "name must not contain control characters.")),
        ({"name": "taken"}, ("/name", "NameTaken", "name must be unique, and 'taken' is taken.")),
    ],
)
async def test_a_bad_name_is_named(
    client: httpx.AsyncClient, tenant: Tenant, body: dict[str, Any], error: tuple[str, str, str]
) -> None:
    await create_resource(client, tenant, PARTNERS, {"name": "Taken"})
    own = await create_resource(client, tenant, PARTNERS, {"name": "Own"})
    assert status_and_body(await client.post(PARTNERS, json=body, headers=tenant.bearer)) == invalid(error)
    url = f"{PARTNERS}/{own['id']}"
    assert status_and_body(await client.put(url, json=body, headers=if_match(1, tenant))) == invalid(error)


async def test_partners_are_found_by_name_and_status_part_by_part(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for number in range(3):
        await create_resource(client, tenant, PARTNERS, {"name": f"Acme {number}", "isActive": True})
    await create_resource(client, tenant, PARTNERS, {"name": "Globex"})
    first = (await client.get(f"{PARTNERS}?name=ACME&status=active&limit=2", headers=tenant.bearer)).json()
    rest = (await client.get(first["nextLink"], headers=tenant.bearer)).json()
    assert [each["name"] for each in first["data"] + rest["data"]] == ["Acme 0", "Acme 1", "Acme 2"]
    assert rest["nextLink"] is None
    status = invalid(("/status", "NotAmongValues", "status must be one of Active, Inactive, Archived."))
    assert status_and_body(await client.get(f"{PARTNERS}?status=x", headers=tenant.bearer)) == status


async def test_a_user_is_invited_accepts_becomes_active_and_is_switched_off(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    partner = await create_resource(client, tenant, PARTNERS, PARTNER)
    users = f"{PARTNERS}/{partner['id']}/users"
    user = await create_resource(client, tenant, users, INVITE)
    assert user == {"id": user["id"], **INVITE, "status": "Invited", "createdAt": "2026-06-15T12:00:00Z", "version": 1}
    url = f"{users}/{user['id']}"
    assert status_and_body(await client.get(users, headers=tenant.bearer)) == (
        200,
        {"data": [user], "nextLink": None, "nextCursor": None},
    )
    assert status_and_body(await client.post(f"{url}/activate", headers=if_match(1, tenant))) == wrong_state(
        "user", "Invited"
    )
    statuses = []
    for version, move in enumerate(("accept", "activate", "deactivate", "activate"), start=1):
        statuses.append(await shown_status(client, tenant))
        moved = await change_resource(client, tenant, f"{url}/{move}", version)
        assert status_and_body(await client.get(url, headers=tenant.bearer)) == (200, moved)
    assert statuses == [("Invited", False), ("Accepted", False), ("Active", True), ("Inactive", False)]
    assert await shown_status(client, tenant) == ("Active", True)
    assert status_and_body(await client.post(f"{url}/accept", headers=if_match(5, tenant))) == wrong_state(
        "user", "Active"
    )
    actions = [entry[2] for entry in audit_entries_of(superuser, tenant, "User")]
    assert actions[-5:] == ["Invited", "Accepted", "Activated", "Deactivated", "Activated"]


async def shown_status(client: httpx.AsyncClient, tenant: Tenant) -> tuple[str, bool]:
    """The only user of the documented list."""
    (partner,) = (await client.get("/api/vouchers/partners", headers=tenant.bearer)).json()["data"]
    (user,) = partner["users"]
    return user["status"], user["isActive"]


async def test_only_an_active_user_of_a_partner_can_call(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    partner = await create_resource(client, tenant, PARTNERS, PARTNER)
    headers = await add_user(resources, tenant, "hedy@acme.example.com", partner_id=UUID(partner["id"]))
    url = "/api/vouchers/partners"
    assert (await client.get(url, headers=headers)).status_code == 200
    (user,) = (await client.get(f"{PARTNERS}/{partner['id']}/users", headers=tenant.bearer)).json()["data"]
    await change_resource(client, tenant, f"{PARTNERS}/{partner['id']}/users/{user['id']}/deactivate", 1)
    assert (await client.get(url, headers=headers)).status_code == 401


async def test_everything_that_is_wrong_with_an_invitation_is_named_at_once(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    partner = await create_resource(client, tenant, PARTNERS, PARTNER)
    users = f"{PARTNERS}/{partner['id']}/users"
    bad = {"email": "nobody", "firstName": "", "lastName": 1}
    assert status_and_body(await client.post(users, json=bad, headers=tenant.bearer)) == invalid(
        ("/email", "NotEmail", "email must be a valid e-mail address."),
        ("/firstName", "Blank", "firstName must not be blank."),
        ("/lastName", "NotText", "lastName must be a string."),
    )
    duplicate = INVITE | {"email": "ADA@example.com"}
    expected = invalid(("/email", "EmailTaken", "email must be unique, and 'ADA@example.com' is taken."))
    assert status_and_body(await client.post(users, json=duplicate, headers=tenant.bearer)) == expected
    await change_resource(client, tenant, f"{PARTNERS}/{partner['id']}/archive", 1)
    final = wrong_state("voucher partner", "Archived")
    assert status_and_body(await client.post(users, json=INVITE, headers=tenant.bearer)) == final


async def test_nobody_invites_with_a_right_they_lack(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    partner = await create_resource(client, tenant, PARTNERS, PARTNER)
    headers = await add_user(
        resources, tenant, "half@example.com", function_points=(FunctionPoint.MANAGE_ORGANIZATION,)
    )
    answer = await client.post(f"{PARTNERS}/{partner['id']}/users", json=INVITE, headers=headers)
    lacking = "The function point PartnerManageVouchers is required."
    assert status_and_body(answer) == problem(403, "function-point-missing", "Permission missing", lacking)


async def test_nobody_activates_a_partners_user_whose_rights_they_lack(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    partner = await create_resource(client, tenant, PARTNERS, PARTNER)
    await add_user(resources, tenant, "hedy@acme.example.com", partner_id=UUID(partner["id"]))
    headers = await add_user(
        resources, tenant, "half@example.com", function_points=(FunctionPoint.MANAGE_ORGANIZATION,)
    )
    users = f"{PARTNERS}/{partner['id']}/users"
    (user,) = (await client.get(users, headers=tenant.bearer)).json()["data"]
    await change_resource(client, tenant, f"{users}/{user['id']}/deactivate", 1)
    answer = await client.post(f"{users}/{user['id']}/activate", headers=headers | {"If-Match": '"2"'})
    words = "A caller cannot grant rights that it lacks: PartnerManageVouchers."
    assert status_and_body(answer) == problem(403, "not-allowed", "Not allowed", words)


async def test_an_invited_user_accepts_before_a_manager_can_activate_them(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    partner = await create_resource(client, tenant, PARTNERS, PARTNER)
    user = await create_resource(client, tenant, f"{PARTNERS}/{partner['id']}/users", INVITE)
    activate = f"{ROOT}/users/{user['id']}/activate"
    assert status_and_body(await client.post(activate, headers=if_match(1, tenant))) == wrong_state("user", "Invited")
    await change_resource(client, tenant, f"{PARTNERS}/{partner['id']}/users/{user['id']}/accept", 1)
    assert (await change_resource(client, tenant, activate, 2))["isActive"]
    rows = superuser.execute(
        "select invitation from users where email = %s and organization_id = %s", [INVITE["email"], tenant.id]
    )
    assert rows.fetchall() == [(None,)]


async def test_a_stale_version_is_reported_before_a_wrong_state(client: httpx.AsyncClient, tenant: Tenant) -> None:
    partner = await create_resource(client, tenant, PARTNERS, PARTNER)
    user = await create_resource(client, tenant, f"{PARTNERS}/{partner['id']}/users", INVITE)
    url = f"{PARTNERS}/{partner['id']}/users/{user['id']}/activate"
    assert (await client.post(url, headers=if_match(9, tenant))).status_code == 412


async def test_the_same_key_makes_one_partner(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = tenant.bearer | {"Idempotency-Key": "once"}
    first = await client.post(PARTNERS, json=PARTNER, headers=headers)
    again = await client.post(PARTNERS, json=PARTNER, headers=headers)
    assert (status_and_body(again), again.headers["ETag"]) == (status_and_body(first), '"1"')
