"""GET /api/vouchers/partners, by its document."""

from uuid import UUID

import httpx
import psycopg
import pytest
from tests.support.factories import Tenant
from tests.support.responses import status_and_body
from tests.support.voucher_factories import add_partner, add_user, fill_partners
from tests.support.voucher_requests import EMPTY, NO_FUNCTION_POINT, NO_TOKEN, TOO_MANY, read_page

from tessera.api.serving.resources import Resources
from tessera.identity import provisioning
from tessera.identity.rules import FunctionPoint
from tessera.vouchers.rules import Status

PATH = "/api/vouchers/partners"


@pytest.fixture
async def partner_ids(resources: Resources, tenant: Tenant) -> dict[str, UUID]:
    """Partners in every status, oldest first."""
    statuses = {
        "Zeta Corp": Status.ACTIVE,
        "École Supérieure": Status.INACTIVE,
        "100% Sure_Thing": Status.ARCHIVED,
        "Back\\slash Corporation": Status.ACTIVE,
    }
    return {name: await add_partner(resources, tenant, name, status) for name, status in statuses.items()}


ALL = ["Zeta Corp", "École Supérieure", "100% Sure_Thing", "Back\\slash Corporation"]


async def test_without_a_credential_it_is_401(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH)
    assert status_and_body(answer) == NO_TOKEN
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_another_organizations_partners_are_not_listed(
    client: httpx.AsyncClient, other_tenant: Tenant, partner_ids: dict[str, UUID]
) -> None:
    assert status_and_body(await client.get(PATH, headers=other_tenant.bearer)) == EMPTY
    assert status_and_body(await client.get(f"{PATH}?partnerName=Zeta", headers=other_tenant.bearer)) == EMPTY


async def test_without_the_function_point_it_is_401(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    others = tuple(point for point in FunctionPoint if point is not FunctionPoint.PARTNER_MANAGE_VOUCHERS)
    headers = await add_user(resources, tenant, "nobody@example.com", function_points=others)
    answer = await client.get(PATH, headers=headers)
    assert status_and_body(answer) == NO_FUNCTION_POINT
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_partners_come_whole_with_their_users_oldest_first(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, partner_ids: dict[str, UUID]
) -> None:
    zeta = partner_ids["Zeta Corp"]
    for email, partner in (("zoe@zeta.example.com", zeta), ("Abe@zeta.example.com", zeta), ("ops@example.com", None)):
        await add_user(resources, tenant, email, partner_id=partner)
    async with resources.database.unit_of_work(tenant.id) as work:
        await provisioning.deactivate_user(work, email="abe@zeta.example.com", now=resources.clock())
    answer = await client.get(PATH, headers=tenant.bearer)
    users = [
        {"email": "zoe@zeta.example.com", "isActive": True, "status": "Active"},
        {"email": "Abe@zeta.example.com", "isActive": False, "status": "Inactive"},
    ]
    flags = {"Zeta Corp": (True, False), "100% Sure_Thing": (False, True), "Back\\slash Corporation": (True, False)}
    expected = [
        {
            "id": str(partner_ids[name]),
            "isActive": flags.get(name, (False, False))[0],
            "isArchived": flags.get(name, (False, False))[1],
            "name": name,
            "users": users if name == "Zeta Corp" else [],
        }
        for name in ALL
    ]
    assert status_and_body(answer) == (200, {"data": expected})
    assert [list(partner) for partner in answer.json()["data"]] == [list(partner) for partner in expected]
    assert answer.headers["Content-Type"] == "application/json"
    assert "Link" not in answer.headers


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ALL),
        ({"partnerName": "corp"}, ["Zeta Corp", "Back\\slash Corporation"]),
        ({"partnerName": "ZETA CORP"}, ["Zeta Corp"]),
        ({"partnerName": "a c"}, ["Zeta Corp"]),
        ({"partnerName": "école"}, ["École Supérieure"]),
        ({"partnerName": "ÉCOLE SUPÉRIEURE"}, ["École Supérieure"]),
        ({"partnerName": "ecole"}, []),
        ({"partnerName": "%"}, ["100% Sure_Thing"]),
        ({"partnerName": "_"}, ["100% Sure_Thing"]),
        ({"partnerName": "Z%p"}, []),
        ({"partnerName": "\\"}, ["Back\\slash Corporation"]),
        ({"partnerName": "\\s"}, ["Back\\slash Corporation"]),
        ({"partnerName": "Zeta Corp."}, []),
        ({"partnerName": "' or true --"}, []),
        ({"partnerName": "x" * 5_000}, []),
        ({"partnerName": ""}, ALL),
        ({"status": "Active"}, ["Zeta Corp", "Back\\slash Corporation"]),
        ({"status": "INACTIVE"}, ["École Supérieure"]),
        ({"status": "archived"}, ["100% Sure_Thing"]),
        ({"status": ""}, ALL),
        ({"status": "active", "partnerName": "slash"}, ["Back\\slash Corporation"]),
        ({"status": "Archived", "partnerName": "corp"}, []),
        ({"programName": "nothing", "Status": "nonsense", "isActive": "maybe", "pageSize": "1"}, ALL),
        ({"page": "1", "status": "", "partnerName": ""}, ALL),
        ({"page": "2"}, []),
        ({"page": str(10**30)}, []),
    ],
    ids=str,
)
async def test_filters_narrow_the_list(
    client: httpx.AsyncClient,
    tenant: Tenant,
    partner_ids: dict[str, UUID],
    query: dict[str, str],
    expected: list[str],
) -> None:
    answer = await client.get(PATH, headers=tenant.bearer, params=query)
    assert [partner["name"] for partner in answer.json()["data"]] == expected
    assert set(answer.json()) == {"data"}


def names_between(first: int, last: int) -> list[str]:
    return [f"Partner {number}" for number in range(first, last + 1)]


async def test_links_lead_through_all_pages_in_order_with_the_same_filters(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    fill_partners(superuser, tenant, 201)
    path = f"{PATH}?partnerName=partner%20&page=1&status=ACTIVE&x=%C3%A9"
    first, second_link = await read_page(client, tenant.bearer, path, "name")
    query = "partnerName=partner+&status=ACTIVE&x=%C3%A9"
    assert second_link == f"http://testserver{PATH}?{query}&page=2"
    second, third_link = await read_page(client, tenant.bearer, second_link, "name")
    assert third_link == f"http://testserver{PATH}?{query}&page=3"
    third, end = await read_page(client, tenant.bearer, third_link, "name")
    assert (first, second, third, end) == (
        names_between(1, 100),
        names_between(101, 200),
        names_between(201, 201),
        None,
    )


async def test_a_full_page_is_the_last_one_unless_more_follow(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    fill_partners(superuser, tenant, 100)
    assert await read_page(client, tenant.bearer, PATH, "name") == (names_between(1, 100), None)
    await add_partner(resources, tenant, "One more")
    assert await read_page(client, tenant.bearer, PATH, "name") == (
        names_between(1, 100),
        f"http://testserver{PATH}?page=2",
    )
    assert await read_page(client, tenant.bearer, f"{PATH}?page=2", "name") == (["One more"], None)


async def test_exactly_ten_thousand_are_listed_and_one_more_is_422(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    fill_partners(superuser, tenant, 10_000)
    assert await read_page(client, tenant.bearer, f"{PATH}?page=100", "name") == (names_between(9_901, 10_000), None)
    assert await read_page(client, tenant.bearer, f"{PATH}?page=101", "name") == ([], None)
    await add_partner(resources, tenant, "One more", Status.INACTIVE)
    for query in ("", "?page=100", "?page=101", f"?page={10**30}"):
        assert status_and_body(await client.get(f"{PATH}{query}", headers=tenant.bearer)) == TOO_MANY
    assert await read_page(client, tenant.bearer, f"{PATH}?status=Inactive", "name") == (["One more"], None)
    assert (await read_page(client, tenant.bearer, f"{PATH}?status=Active&page=100", "name"))[0][-1] == "Partner 10000"
