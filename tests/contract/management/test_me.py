"""The caller itself, through GET /management/v1/me."""

import httpx
from tests.support.factories import Tenant
from tests.support.management_requests import ROOT
from tests.support.responses import status_and_body
from tests.support.voucher_factories import add_partner, add_user

from tessera.api.serving.resources import Resources

URL = f"{ROOT}/me"


async def test_a_key_or_no_credential_is_401(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for headers in ({}, tenant.api_key, {"Authorization": "Bearer x"}):
        assert (await client.get(URL, headers=headers)).status_code == 401


async def test_users_of_an_organization_and_of_a_partner_see_themselves(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources
) -> None:
    acme = await add_partner(resources, tenant, "Acme Corp")
    partner = await add_user(resources, tenant, "grace@acme.example.com", partner_id=acme)
    own = (await client.get(URL, headers=tenant.bearer)).json()
    organization = {"id": str(tenant.id), "name": tenant.name}
    users = (await client.get(f"{ROOT}/users", headers=tenant.bearer)).json()["data"]
    for headers, email, partner_body in (
        (tenant.bearer, own["email"], None),
        (partner, "grace@acme.example.com", {"id": str(acme), "name": "Acme Corp"}),
    ):
        (user,) = [each for each in users if each["email"] == email]
        expected = {
            "kind": "User",
            "id": user["id"],
            "name": f"{user['firstName']} {user['lastName']}",
            "email": email,
            "organization": organization,
            "functionPoints": sorted(user["functionPoints"]),
            "partner": partner_body,
        }
        assert status_and_body(await client.get(URL, headers=headers)) == (200, expected)


async def test_a_client_sees_itself_without_any_right(client: httpx.AsyncClient, tenant: Tenant) -> None:
    credentials = (tenant.powerless_client.name, tenant.powerless_client.secret)
    token = (await client.get("/authenticate", auth=credentials)).json()["authToken"]
    answer = await client.get(URL, headers={"Authorization": f"Bearer {token}"})
    clients = (await client.get(f"{ROOT}/clients", headers=tenant.bearer)).json()["data"]
    assert (answer.json()["name"], answer.json()["id"]) in [(each["name"], each["id"]) for each in clients]
    assert answer.json() | {"id": 0, "name": 0} == {
        "kind": "ApiClient",
        "id": 0,
        "name": 0,
        "email": None,
        "organization": {"id": str(tenant.id), "name": tenant.name},
        "functionPoints": [],
        "partner": None,
    }
    assert (await client.get(f"{URL}?x=1", headers=tenant.bearer)).status_code == 400
