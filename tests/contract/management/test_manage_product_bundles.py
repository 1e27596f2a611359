"""Product bundles through the management API: their whole life, and everything that may be wrong with a request."""

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

URL = f"{ROOT}/product-bundles"
NEW = {"name": "Starter", "price": 480.5, "storeExamCodes": ["ncp-ads", "NCA-GENL", "nca-genl"]}
CREATED = {
    "name": "Starter",
    "price": 480.5,
    "storeExamCodes": ["NCA-GENL", "NCP-ADS"],
    "status": "Active",
    "createdAt": "2026-06-15T12:00:00Z",
    "version": 1,
}
NOT_SOLD = "must name a store exam that is on sale."


def operations(bundle_id: object) -> list[tuple[str, str]]:
    one = f"{URL}/{bundle_id}"
    return [("GET", one), ("PUT", one), ("POST", f"{one}/archive"), ("POST", f"{one}/activate")]


async def test_without_the_function_point_every_operation_is_403(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = await headers_without_rights(client, tenant)
    expected = problem(403, "function-point-missing", "The right is missing", RIGHT_IS_MISSING)
    for method, url in [("GET", URL), ("POST", URL), *operations(tenant.bundle_id)]:
        assert status_and_body(await client.request(method, url, headers=headers, json=NEW)) == expected


async def test_another_organizations_bundles_are_not_there(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    for bundle_id in (other_tenant.bundle_id, UUID(int=7)):
        for method, url in operations(bundle_id):
            answer = await client.request(method, url, headers=if_match("*", tenant), json=NEW)
            assert status_and_body(answer) == not_found("There is no such product bundle.")
    own = (await client.get(URL, headers=tenant.bearer)).json()["data"]
    assert [bundle["id"] for bundle in own] == [str(tenant.bundle_id)]


async def test_a_bundle_is_created_read_changed_archived_and_activated(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    made = await client.post(URL, json=NEW, headers=tenant.bearer)
    url = f"{URL}/{made.json()['id']}"
    assert (status_and_body(made), made.headers["ETag"]) == ((201, {"id": made.json()["id"], **CREATED}), '"1"')
    assert status_and_body(await client.get(url, headers=tenant.bearer)) == (200, made.json())

    changed = {"name": "Advanced", "price": 500, "storeExamCodes": ["CLD-100"]}
    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", url, changed),
        ("POST", f"{url}/archive", {"status": "Archived"}),
        ("POST", f"{url}/activate", {"status": "Active"}),
    ]
    expected = made.json()
    for version, (method, step, change) in enumerate(steps, start=1):
        answer = await client.request(method, step, headers=if_match(version, tenant), json=change)
        expected |= change | {"version": version + 1}
        assert (status_and_body(answer), answer.headers["ETag"]) == ((200, expected), f'"{version + 1}"')
    log = audit_entries_of(superuser, tenant, "ProductBundle")
    assert [entry[2] for entry in log] == ["Created", "Updated", "Archived", "Activated"]
    assert (log[1][3]["store_exam_codes"], log[1][4]["store_exam_codes"]) == (["NCA-GENL", "NCP-ADS"], ["CLD-100"])


async def test_the_list_is_filtered_by_exam_and_status(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await client.post(URL, json=NEW | {"storeExamCodes": ["CLD-100"]}, headers=tenant.bearer)
    await client.post(f"{URL}/{tenant.bundle_id}/archive", headers=if_match(1, tenant))
    for query, found in (
        ("storeExamCode=cld-100", ["Starter"]),
        ("storeExamCode=nothing", []),
        ("status=archived", ["Bundle"]),
        ("status=Active&storeExamCode=NCA-GENL", []),
    ):
        answer = await client.get(f"{URL}?{query}", headers=tenant.bearer)
        assert [bundle["name"] for bundle in answer.json()["data"]] == found


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [(f"/{name}", "Required", f"{name} is required.") for name in NEW]),
        (
            {"name": "", "price": -1, "storeExamCodes": []},
            [
                ("/name", "Blank", "name must not be blank."),
                ("/price", "PriceRange", "price must be between 0 and 9,999,999,999.99."),
                ("/storeExamCodes", "NumberOfExams", "storeExamCodes must name 1 to 100 store exams."),
            ],
        ),
        (
            NEW | {"storeExamCodes": ["NONE", "NCA-GENL", "NO"]},
            [(f"/storeExamCodes/{n}", "StoreExamNotFound", f"storeExamCodes/{n} {NOT_SOLD}") for n in (0, 2)],
        ),
        (
            NEW | {"storeExamCodes": ["NCA-GENL"] * 101},
            [("/storeExamCodes", "NumberOfExams", "storeExamCodes must name 1 to 100 store exams.")],
        ),
    ],
)
async def test_everything_that_is_wrong_is_named(
    client: httpx.AsyncClient, tenant: Tenant, body: dict[str, Any], errors: list[tuple[str, str, str]]
) -> None:
    assert status_and_body(await client.post(URL, json=body, headers=tenant.bearer)) == invalid(*errors)
    url = f"{URL}/{tenant.bundle_id}"
    assert status_and_body(await client.put(url, json=body, headers=if_match(1, tenant))) == invalid(*errors)


async def test_an_archived_exam_stays_in_a_bundle_and_comes_into_none(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    await client.post(f"{ROOT}/store-exams/{tenant.exam_ids['NCA-GENL']}/archive", headers=if_match(1, tenant))
    body = NEW | {"storeExamCodes": ["NCA-GENL"]}
    refused = invalid(("/storeExamCodes/0", "StoreExamNotFound", f"storeExamCodes/0 {NOT_SOLD}"))
    assert status_and_body(await client.post(URL, json=body, headers=tenant.bearer)) == refused
    assert (await client.put(f"{URL}/{tenant.bundle_id}", json=body, headers=if_match(1, tenant))).status_code == 200


async def test_a_change_needs_the_version_that_is_there_and_a_state_that_allows_it(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    for method, url in operations(tenant.bundle_id)[1:]:
        assert (await client.request(method, url, json=NEW, headers=tenant.bearer)).status_code == 428
        assert (await client.request(method, url, json=NEW, headers=if_match(2, tenant))).status_code == 412
    url = f"{URL}/{tenant.bundle_id}"
    expected = problem(409, "wrong-state", "Not in this state", "The product bundle is Active.", state="Active")
    assert status_and_body(await client.post(f"{url}/activate", headers=if_match(1, tenant))) == expected
    await client.post(f"{url}/archive", headers=if_match(1, tenant))
    assert (await client.post(f"{url}/archive", headers=if_match(2, tenant))).json()["state"] == "Archived"
