"""GET /promo-codes, by its document: pages, the cap, and the links between pages."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from tests.support.factories import Tenant
from tests.support.promo_code_requests import create
from tests.support.responses import status_and_body, validation_failed

from tessera.api.application import create_app
from tessera.api.serving.resources import Resources

EMPTY: tuple[int, dict[str, Any]] = (200, {"data": [], "nextLink": None})
TOO_MANY = (
    400,
    {
        "errorCode": "TooManyResults",
        "errorMessages": ["The query matches more than 10,000 records. Refine it using filters."],
    },
)


def fill(superuser: psycopg.Connection, tenant: Tenant, count: int, *, status: str = "Active") -> None:
    """Add codes CODE1, CODE2 and so on, with rising ids."""
    superuser.execute(
        "insert into promo_codes (organization_id, id, name, status, discount_percent, expires_at, max_redemptions,"
        " redemption_count, held_count, restrict_to_email_addresses, has_store_exams, has_product_bundles,"
        " created_at, version)"
        " select %(tenant)s, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'CODE' || n, %(status)s,"
        " 10, '2030-01-01', 100, 0, 0, false, true, false, now(), 1"
        # In descending order, so that the rows on disk are not in the order of the list.
        " from generate_series(%(count)s::int, 1, -1) n",
        {"tenant": tenant.id, "status": status, "count": count},
    )
    superuser.execute(
        "insert into promo_code_store_exams (organization_id, promo_code_id, store_exam_id, position)"
        " select organization_id, id, %s, 0 from promo_codes where organization_id = %s",
        [tenant.exam_ids["NCA-GENL"], tenant.id],
    )


async def page(client: httpx.AsyncClient, tenant: Tenant, query: str = "") -> tuple[list[str], str | None]:
    """The names on the page and the next link, which must equal the Link header."""
    answer = await client.get(f"/promo-codes{query}", headers=tenant.bearer)
    assert answer.status_code == 200, answer.text
    following = answer.json()["nextLink"]
    assert answer.headers.get("Link") == (f'<{following}>; rel="next"' if following else None)
    return [code["promoCodeName"] for code in answer.json()["data"]], following


def codes(first: int, last: int) -> list[str]:
    return [f"CODE{number}" for number in range(first, last + 1)]


async def test_a_page_has_a_hundred_codes_and_the_links_lead_through_all_in_order(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    fill(superuser, tenant, 201)
    assert await page(client, tenant) == (codes(1, 100), "http://testserver/promo-codes?page=2")
    assert await page(client, tenant, "?page=2") == (codes(101, 200), "http://testserver/promo-codes?page=3")
    assert await page(client, tenant, "?page=3") == (codes(201, 201), None)


@pytest.mark.parametrize(("count", "has_next"), [(99, False), (100, False), (101, True)])
async def test_a_full_page_is_the_last_one_unless_more_follow(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, *, count: int, has_next: bool
) -> None:
    fill(superuser, tenant, count)
    names, following = await page(client, tenant)
    assert (names, following is not None) == (codes(1, min(count, 100)), has_next)


async def test_codes_added_meanwhile_come_last(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    fill(superuser, tenant, 100)
    first, _ = await page(client, tenant)
    await create(client, tenant)
    assert (await page(client, tenant))[0] == first
    assert await page(client, tenant, "?page=2") == (["SPRING25"], None)


async def test_exactly_ten_thousand_records_are_listed_and_one_more_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    fill(superuser, tenant, 10_000)
    assert await page(client, tenant) == (codes(1, 100), "http://testserver/promo-codes?page=2")
    assert await page(client, tenant, "?page=100") == (codes(9_901, 10_000), None)
    assert await page(client, tenant, "?page=101") == ([], None)
    await create(client, tenant, isActive=False)
    for query in ("", "?page=100", "?page=101", f"?page={10**30}"):
        assert status_and_body(await client.get(f"/promo-codes{query}", headers=tenant.bearer)) == TOO_MANY
    assert await page(client, tenant, "?status=Inactive") == (["SPRING25"], None)
    assert (await page(client, tenant, "?status=Active&page=100"))[0] == codes(9_901, 10_000)


@pytest.mark.parametrize("number", ["2", "3", "101", str(2**31), str(2**63), str(10**30), "9" * 5_000])
async def test_a_page_past_the_end_is_empty(client: httpx.AsyncClient, tenant: Tenant, number: str) -> None:
    await create(client, tenant)
    assert status_and_body(await client.get(f"/promo-codes?page={number}", headers=tenant.bearer)) == EMPTY


@pytest.mark.parametrize("number", ["1", "%2B1", "01", "0" * 5_000 + "1", ""])
async def test_the_first_page_has_several_spellings(client: httpx.AsyncClient, tenant: Tenant, number: str) -> None:
    await create(client, tenant)
    assert await page(client, tenant, f"?page={number}") == (["SPRING25"], None)


@pytest.mark.parametrize(
    "number",
    ["0", "00", "-1", "-0", "1.5", "1.0", "1e3", "0x1", "one", "%20", "+1", "1%20", "%EF%BC%91", "%D9%A1", "1%00",
     "1_0", "%C2%B2", "1,2", "null"],
)  # fmt: skip
async def test_a_page_that_is_no_positive_integer_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, number: str
) -> None:
    answer = await client.get(f"/promo-codes?page={number}", headers=tenant.bearer)
    assert status_and_body(answer) == validation_failed("page must be a positive integer.")


async def test_the_next_link_keeps_the_filters_and_leads_on(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    fill(superuser, tenant, 101)
    query = "?storeExamCode=nca-genl&page=1&status=ACTIVE&restrictToEmailAddresses=false&promoCodeName=&x=a%20%26%C3%A9"
    names, following = await page(client, tenant, query)
    assert names == codes(1, 100)
    assert following == (
        "http://testserver/promo-codes?storeExamCode=nca-genl&status=ACTIVE&restrictToEmailAddresses=false"
        "&x=a+%26%C3%A9&page=2"
    )
    answer = await client.get(following, headers=tenant.bearer)
    assert [code["promoCodeName"] for code in answer.json()["data"]] == ["CODE101"]


async def test_the_next_link_keeps_the_base_path(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    fill(superuser, tenant, 101)
    answer = await client.get("/api/promo-codes", headers=tenant.bearer)
    assert answer.json()["nextLink"] == "http://testserver/api/promo-codes?page=2"


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example.com"}
TWO_PROXIES = {"X-Forwarded-Proto": "https, http", "X-Forwarded-Host": "shop.example.com, inner.example.com"}


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({}, "http://testserver"),
        ({"Host": "TestServer:8443"}, "http://TestServer:8443"),
        ({"Host": "[::1]:8000"}, "http://[::1]:8000"),
        ({"Host": "127.0.0.2"}, "http://127.0.0.2"),
        ({"Host": "localhost:8000"}, "http://localhost:8000"),
        ({"Host": 'evil"><script>'}, "http://testserver"),
        ({"Host": "user@evil.example.com"}, "http://testserver"),
        ({"Host": "evil.example.com/path"}, "http://testserver"),
        (FORWARDED, "https://shop.example.com"),
        (TWO_PROXIES | {"X-Forwarded-For": "203.0.113.9, 127.0.0.1"}, "https://shop.example.com"),
        (TWO_PROXIES | {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}, "http://inner.example.com"),
        (TWO_PROXIES | {"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}, "http://inner.example.com"),
        (FORWARDED | {"X-Forwarded-Port": "8443"}, "https://shop.example.com:8443"),
        (FORWARDED | {"X-Forwarded-Port": "443"}, "https://shop.example.com"),
        (FORWARDED | {"X-Forwarded-Port": "x"}, "https://shop.example.com"),
        (FORWARDED | {"X-Forwarded-Prefix": "/tessera/"}, "https://shop.example.com/tessera"),
        (FORWARDED | {"X-Forwarded-Prefix": "//evil.example.com"}, "https://shop.example.com"),
        (FORWARDED | {"X-Forwarded-Prefix": "evil"}, "https://shop.example.com"),
        (FORWARDED | {"X-Forwarded-Proto": "javascript"}, "http://shop.example.com"),
        (FORWARDED | {"X-Forwarded-Host": "evil.example.com, shop.example.com"}, "https://shop.example.com"),
    ],
    ids=str,
)
async def test_the_next_link_is_what_the_trusted_proxy_says(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, headers: dict[str, str], base: str
) -> None:
    fill(superuser, tenant, 101)
    answer = await client.get("/promo-codes", headers=tenant.bearer | headers)
    following = f"{base}/promo-codes?page=2"
    assert (answer.json()["nextLink"], answer.headers["Link"]) == (following, f'<{following}>; rel="next"')


async def test_a_proxy_that_adds_a_line_of_its_own_is_heard_and_the_clients_line_is_not(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    fill(superuser, tenant, 101)
    lines = [("X-Forwarded-Host", "evil.example.com"), ("X-Forwarded-Host", "shop.example.com")]
    answer = await client.get("/promo-codes", headers=[*tenant.bearer.items(), *lines])
    assert answer.json()["nextLink"] == "http://shop.example.com/promo-codes?page=2"


@pytest.mark.parametrize(
    "host", ["evil.example.com", "evil.example.com:443", "testserver.evil.example.com", "10.0.0.1"]
)
async def test_no_link_leads_to_an_unknown_host(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, host: str
) -> None:
    fill(superuser, tenant, 101)
    answer = await client.get("/promo-codes", headers=tenant.bearer | {"Host": host})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "MalformedRequest")
    problem = await client.get("/management/v1/promo-codes", headers=tenant.bearer | {"Host": host})
    assert (problem.status_code, problem.json()["type"].rpartition(":")[2]) == (400, "malformed-request")
    assert host not in answer.text + problem.text
    last = await client.get("/promo-codes?page=2", headers=tenant.bearer | {"Host": host})
    assert last.status_code == 200


@pytest.fixture
async def stranger(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is not a trusted proxy."""
    transport = httpx.ASGITransport(app, client=("203.0.113.9", 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as test_client:
        yield test_client


async def test_forwarded_headers_of_a_stranger_are_ignored(
    stranger: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    fill(superuser, tenant, 101)
    forged = {**FORWARDED, "X-Forwarded-Prefix": "/evil", "X-Forwarded-Port": "1", "X-Forwarded-For": "127.0.0.1"}
    answer = await stranger.get("/promo-codes", headers=tenant.bearer | forged)
    assert answer.json()["nextLink"] == "http://testserver/promo-codes?page=2"


@pytest.mark.parametrize("public_url", ["https://codes.example.com/v", "https://codes.example.com/v/"])
async def test_the_configured_public_url_has_precedence(
    resources: Resources, tenant: Tenant, superuser: psycopg.Connection, public_url: str
) -> None:
    fill(superuser, tenant, 101)
    app = create_app(replace(resources, public_url=public_url), trusted_proxies=["127.0.0.1"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        answer = await client.get("/promo-codes", headers=tenant.bearer | FORWARDED)
    following = "https://codes.example.com/v/promo-codes?page=2"
    assert (answer.json()["nextLink"], answer.headers["Link"]) == (following, f'<{following}>; rel="next"')
