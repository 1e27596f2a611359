"""Organizations through the management API, only for administrators of the platform."""

from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant
from tests.support.management_requests import ROOT, invalid, not_found, problem
from tests.support.responses import status_and_body

from tessera.api.serving.resources import Resources
from tessera.identity import provisioning
from tessera.identity.rules import PLATFORM_ID, FunctionPoint

URL = f"{ROOT}/organizations"


@pytest.fixture
async def administrator(resources: Resources) -> dict[str, str]:
    """Headers of a user who manages the platform."""
    email, rights = f"{uuid4()}@example.com", [FunctionPoint.MANAGE_ORGANIZATION]
    year = timedelta(days=365)
    async with resources.database.unit_of_work(PLATFORM_ID) as work:
        if PLATFORM_ID not in [each.id for each in await provisioning.list_organizations(work)]:
            await provisioning.create_organization(work, name="Platform", now=NOW)
        await provisioning.create_user(work, email=email, names=("Pia", "Form"), function_points=rights, now=NOW)
        token = await provisioning.issue_token(work, signer=resources.signer, email=email, lifetime=year, now=NOW)
    return {"Authorization": f"Bearer {token.secret}"}


def operations(organization_id: object) -> list[tuple[str, str]]:
    one = f"{URL}/{organization_id}"
    return [("GET", one), ("PUT", one), ("POST", f"{one}/deactivate"), ("POST", f"{one}/activate")]


async def test_an_organizations_own_manager_is_refused(client: httpx.AsyncClient, tenant: Tenant) -> None:
    refusal = problem(403, "not-allowed", "Not allowed", "Only an administrator of the platform may do this.")
    for method, url in [("GET", URL), ("POST", URL), *operations(tenant.id)]:
        headers = tenant.bearer | {"If-Match": "*"}
        assert status_and_body(await client.request(method, url, headers=headers, json={"name": "Mine"})) == refusal


async def test_an_organization_is_created_renamed_and_switched_off_and_on(
    client: httpx.AsyncClient, administrator: dict[str, str], tenant: Tenant, superuser: psycopg.Connection
) -> None:
    name = f"Board {uuid4()}"
    response = await client.post(URL, json={"name": name}, headers=administrator | {"Idempotency-Key": "a"})
    expected = {"id": response.json()["id"], "name": name, "isActive": True, "frozenAt": None}
    expected["createdAt"] = "2026-06-15T12:00:00Z"
    assert (status_and_body(response), response.headers["ETag"]) == ((201, expected | {"version": 1}), '"1"')
    url = f"{URL}/{response.json()['id']}"
    expected["name"] = f"{name}!"
    steps = [("PUT", url, True), ("POST", f"{url}/deactivate", False), ("POST", f"{url}/activate", True)]
    for version, (method, step, is_active) in enumerate(steps, start=1):
        headers = administrator | {"If-Match": f'"{version}"'}
        answer = await client.request(method, step, headers=headers, json={"name": f"{name}!"})
        assert status_and_body(answer) == (200, expected | {"isActive": is_active, "version": version + 1})
    assert status_and_body(await client.get(url, headers=administrator)) == (200, expected | {"version": 4})
    log = superuser.execute(
        "select action, actor_kind from audit_entries where organization_id = %s order by id", [response.json()["id"]]
    ).fetchall()
    assert log == [(action, "User") for action in ("Created", "Updated", "Deactivated", "Activated")]

    listed, link = set(), f"{URL}?limit=1000"
    while link:
        part = (await client.get(link, headers=administrator)).json()
        listed |= {each["id"] for each in part["data"]}
        link = part["nextLink"]
    assert {str(PLATFORM_ID), str(tenant.id), response.json()["id"]} <= listed


async def test_switched_off_organizations_answer_no_caller(
    client: httpx.AsyncClient, administrator: dict[str, str], tenant: Tenant
) -> None:
    url, headers = f"{URL}/{tenant.id}", administrator | {"If-Match": "*"}
    await client.post(f"{url}/deactivate", headers=headers)
    assert (await client.get("/promo-codes", headers=tenant.bearer)).status_code == 401
    again = await client.post(f"{url}/deactivate", headers=headers)
    assert status_and_body(again) == problem(
        409, "wrong-state", "Wrong state", "The organization is Inactive.", state="Inactive"
    )
    await client.post(f"{url}/activate", headers=headers)
    assert (await client.get("/promo-codes", headers=tenant.bearer)).status_code == 200


async def test_impossible_values_are_reported(
    client: httpx.AsyncClient, administrator: dict[str, str], tenant: Tenant, other_tenant: Tenant
) -> None:
    headers = administrator | {"If-Match": "*"}
    duplicate = {"name": other_tenant.name.upper()}
    expected = invalid(("/name", "NameTaken", f"name is taken: {duplicate['name']}."))
    assert status_and_body(await client.post(URL, json=duplicate, headers=headers)) == expected
    assert status_and_body(await client.put(f"{URL}/{tenant.id}", json=duplicate, headers=headers)) == expected
    blank = invalid(("/name", "Blank", "name must not be blank."))
    assert status_and_body(await client.post(URL, json={"name": " "}, headers=headers)) == blank
    for method, url in operations(UUID(int=7)):
        answer = await client.request(method, url, headers=headers, json={"name": "N"})
        assert status_and_body(answer) == not_found("There is no such organization.")
    for method, url in operations(tenant.id)[1:]:
        assert (await client.request(method, url, headers=administrator, json=duplicate)).status_code == 428
        stale = administrator | {"If-Match": '"9"'}
        assert (await client.request(method, url, headers=stale, json={"name": "N"})).status_code == 412
    own = await client.post(f"{URL}/{PLATFORM_ID}/deactivate", headers=headers)
    assert status_and_body(own) == problem(
        403, "not-allowed", "Not allowed", "The platform itself cannot be deactivated."
    )


async def test_the_first_people_of_an_organization_come_from_the_platform(
    client: httpx.AsyncClient, administrator: dict[str, str], tenant: Tenant
) -> None:
    url = f"{URL}/{tenant.id}/administrators"
    body = {"email": "first@example.com", "firstName": "F", "lastName": "P"}
    assert (await client.post(url, json=body, headers=tenant.bearer)).status_code == 403
    keyed = administrator | {"Idempotency-Key": str(uuid4())}
    items, again = [await client.post(url, json=body, headers=keyed) for _ in range(2)]
    assert status_and_body(again) == (201, items.json() | {"token": None})
    own = {"Authorization": f"Bearer {items.json()['token']}"}
    records = (await client.get(f"{ROOT}/users?email=first@example.com", headers=own)).json()["data"]
    # Without the rights that the platform's administrator does not have.
    assert [user["functionPoints"] for user in records] == [["ManageOrganization"]]
    log = (await client.get(f"{ROOT}/audit-entries?kind=Token", headers=own)).json()["data"]
    assert log[0]["actor"]["kind"] == "User"
    duplicate = invalid(("/email", "NameTaken", "email is taken: first@example.com."))
    assert status_and_body(await client.post(url, json=body, headers=administrator)) == duplicate
    nowhere = await client.post(f"{URL}/{UUID(int=7)}/administrators", json=body, headers=administrator)
    assert status_and_body(nowhere) == not_found("There is no such organization.")
    assert (await client.post(url, json={}, headers=administrator)).json()["detail"] == "The request has 3 errors."
