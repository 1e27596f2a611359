"""Store exams through the management API: their whole life cycle, and every invalid request."""

import math
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import Clock
from tests.support.factories import EXAM_CODES, Tenant
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

URL = f"{ROOT}/store-exams"
NEW = {"code": "SEC-200", "name": "Security Practice", "price": 320.5}
CREATED = NEW | {"status": "Active", "createdAt": "2026-06-15T12:00:00Z", "version": 1}
NOBODY = UUID(int=7)


async def create(client: httpx.AsyncClient, tenant: Tenant, **changes: Any) -> dict[str, Any]:
    answer = await client.post(URL, json=NEW | changes, headers=tenant.bearer)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def operations(exam_id: object) -> list[tuple[str, str]]:
    one = f"{URL}/{exam_id}"
    return [("GET", one), ("PUT", one), ("POST", f"{one}/archive"), ("POST", f"{one}/activate")]


async def test_a_negative_zero_is_shown_as_zero(client: httpx.AsyncClient, tenant: Tenant) -> None:
    exam = await create(client, tenant, price=-0.0)
    assert math.copysign(1, float(exam["price"])) == 1


async def test_without_the_function_point_every_operation_is_403(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = await headers_without_rights(client, tenant)
    expected = problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
    for method, url in [("GET", URL), ("POST", URL), *operations(tenant.exam_ids["CLD-100"])]:
        assert status_and_body(await client.request(method, url, headers=headers, json=NEW)) == expected


async def test_another_organizations_exams_are_not_there(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs = other_tenant.exam_ids["CLD-100"]
    for exam_id in (theirs, NOBODY):
        for method, url in operations(exam_id):
            answer = await client.request(method, url, headers=if_match("*", tenant), json=NEW)
            assert status_and_body(answer) == not_found("There is no such store exam.")
    assert status_and_body(await client.get(f"{URL}/none", headers=tenant.bearer)) == not_found(
        "There is no resource with this id."
    )
    own = (await client.get(URL, headers=tenant.bearer)).json()["data"]
    assert str(theirs) not in [exam["id"] for exam in own]


async def test_an_exam_is_created_read_changed_archived_and_activated(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    response = await client.post(URL, json=NEW, headers=tenant.bearer)
    exam_id = response.json()["id"]
    assert status_and_body(response) == (201, {"id": exam_id, **CREATED})
    assert response.headers["ETag"] == '"1"'

    url = f"{URL}/{exam_id}"
    read = await client.get(url, headers=tenant.bearer)
    assert (status_and_body(read), read.headers["ETag"]) == ((200, response.json()), '"1"')

    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", url, {"name": "Security", "price": 0}),
        ("POST", f"{url}/archive", {"status": "Archived"}),
        ("POST", f"{url}/activate", {"status": "Active"}),
    ]
    expected = response.json()
    for version, (method, step, change) in enumerate(steps, start=1):
        answer = await client.request(method, step, headers=if_match(version, tenant), json=change)
        expected |= change | {"version": version + 1}
        assert (status_and_body(answer), answer.headers["ETag"]) == ((200, expected), f'"{version + 1}"')

    log = audit_entries_of(superuser, tenant, "StoreExam")
    assert [(kind, name, action) for kind, name, action, _, _ in log] == [
        ("User", tenant.user_email, action) for action in ("Created", "Updated", "Archived", "Activated")
    ]
    unchanged = {"id": exam_id, "code": "SEC-200", "created_at": "2026-06-15T12:00:00+00:00"}
    assert log[0][3:] == (
        None,
        unchanged | {"name": "Security Practice", "price": "320.50", "status": "Active", "version": 1},
    )
    assert (log[1][4]["name"], log[2][3], log[2][4]["status"]) == ("Security", log[1][4], "Archived")


async def test_the_list_is_by_cursor_and_filtered_by_code_and_status(client: httpx.AsyncClient, tenant: Tenant) -> None:
    first = await client.get(URL, params={"limit": "2"}, headers=tenant.bearer)
    codes = [exam["code"] for exam in first.json()["data"]]
    following = await client.get(first.json()["nextLink"], headers=tenant.bearer)
    assert (*codes, *[exam["code"] for exam in following.json()["data"]]) == EXAM_CODES
    assert (following.json()["nextLink"], first.headers["Link"][:1]) == (None, "<")

    await client.post(f"{URL}/{tenant.exam_ids['CLD-100']}/archive", headers=if_match(1, tenant))
    for query, found in (
        ("status=archived", ["CLD-100"]),
        ("status=Active", ["NCA-GENL", "NCP-ADS"]),
        ("code=ncp-ads", ["NCP-ADS"]),
        ("code=ncp-ads&status=Archived", []),
    ):
        answer = await client.get(f"{URL}?{query}", headers=tenant.bearer)
        assert [exam["code"] for exam in answer.json()["data"]] == found


async def test_a_list_names_everything_that_is_wrong_with_its_query(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.get(f"{URL}?status=Gone&limit=0&cursor=x", headers=tenant.bearer)
    assert {error["code"] for error in answer.json()["errors"]} == {"NotAmongValues", "LimitRange"}
    answer = await client.get(f"{URL}?cursor=x", headers=tenant.bearer)
    assert status_and_body(answer) == invalid(
        ("/cursor", "NotCursor", "cursor must be a cursor from a nextLink of this list.")
    )


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [(f"/{name}", "Required", f"{name} is required.") for name in NEW]),
        (
            {"code": "A B", "name": " ", "price": -1},
            [
                ("/code", "NotStoreExamCode", "code must have 1 to 100 printable ASCII characters and no spaces."),
                ("/name", "Blank", "name must not be blank."),
                ("/price", "PriceRange", "price must be between 0 and 9,999,999,999.99."),
            ],
        ),
        (
            {"code": 7, "name": "n" * 201, "price": "1"},
            [
                ("/code", "NotText", "code must be a string."),
                ("/name", "TooLong", "name must have at most 200 characters."),
                ("/price", "NotNumber", "price must be a number."),
            ],
        ),
        (NEW | {"price": 1.005}, [("/price", "PriceCents", "price must have at most two decimals.")]),
        (NEW | {"price": 1e300}, [("/price", "PriceRange", "price must be between 0 and 9,999,999,999.99.")]),
        (NEW | {"price": True}, [("/price", "NotNumber", "price must be a number.")]),
        (NEW | {"code": "nca-genl"}, [("/code", "CodeTaken", "code must be unique, and 'nca-genl' is taken.")]),
    ],
)
async def test_everything_that_is_wrong_with_a_new_exam_is_named(
    client: httpx.AsyncClient, tenant: Tenant, body: dict[str, Any], errors: list[tuple[str, str, str]]
) -> None:
    assert status_and_body(await client.post(URL, json=body, headers=tenant.bearer)) == invalid(*errors)


async def test_a_change_needs_the_version_that_is_there(client: httpx.AsyncClient, tenant: Tenant) -> None:
    exam = await create(client, tenant)
    url = f"{URL}/{exam['id']}"
    stale = problem(
        412,
        "version-stale",
        "Precondition failed",
        "The version in If-Match is not the current one. Read the resource again.",
    )
    words = "The header If-Match is required. Send the ETag of the representation that you read."
    missing = problem(428, "version-missing", "If-Match is required", words)
    for method, step in operations(exam["id"])[1:]:
        assert status_and_body(await client.request(method, step, json=NEW, headers=tenant.bearer)) == missing
        for version in ('"2"', 'W/"2"', "2", '"2", "3"', '"x"', "", '"' + "9" * 30 + '"'):
            assert (
                status_and_body(await client.request(method, step, json=NEW, headers=if_match(version, tenant)))
                == stale
            )
    assert (await client.put(url, json=NEW, headers=if_match("*", tenant))).headers["ETag"] == '"2"'


async def test_what_is_archived_is_not_archived_again_and_not_sold(client: httpx.AsyncClient, tenant: Tenant) -> None:
    exam = await create(client, tenant)
    url = f"{URL}/{exam['id']}"
    words = "The store exam is Active."
    active = problem(409, "wrong-state", "Wrong state", words, state="Active")
    assert status_and_body(await client.post(f"{url}/activate", headers=if_match(1, tenant))) == active
    assert (await client.post(f"{url}/archive", headers=if_match(1, tenant))).status_code == 200
    assert (await client.post(f"{url}/archive", headers=if_match(2, tenant))).json()["state"] == "Archived"
    question = {"codes": ["ANY"], "storeExamCode": "SEC-200"}
    answer = await client.post("/storefront/v1/validations", json=question, headers=tenant.api_key)
    assert [error["code"] for error in answer.json()["errors"]] == ["ProductNotFound"]


async def test_the_same_request_under_its_key_has_one_effect(
    client: httpx.AsyncClient, tenant: Tenant, clock: Clock
) -> None:
    keyed = tenant.bearer | {"Idempotency-Key": "make"}
    first, again = [await client.post(URL, json=NEW, headers=keyed) for _ in range(2)]
    assert (status_and_body(first), first.headers["ETag"]) == (status_and_body(again), again.headers["ETag"])
    second = await create(client, tenant, code="SEC-201")
    keyed = if_match(1, tenant) | {"Idempotency-Key": "archive"}
    for exam in (first.json(), second):
        answers = [await client.post(f"{URL}/{exam['id']}/archive", headers=keyed) for _ in range(2)]
        # The key belongs to a request with another path.
        assert [answer.status_code for answer in answers] == ([200, 200] if exam == first.json() else [422, 422])


@pytest.mark.parametrize("tags", ['"1"', "1", 'W/"1"', '"1", "99"', '"other", W/"1"', '"99",1', "*", '"7", *'])
async def test_any_member_of_if_match_may_match(client: httpx.AsyncClient, tenant: Tenant, tags: str) -> None:
    exam = await create(client, tenant)
    headers = tenant.bearer | {"If-Match": tags}
    answer = await client.post(f"{URL}/{exam['id']}/archive", headers=headers)
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')
