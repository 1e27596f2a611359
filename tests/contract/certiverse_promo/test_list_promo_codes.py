"""GET /promo-codes, by its document: who may, which codes, and every filter."""

from decimal import Decimal
from typing import Any

import httpx
import psycopg
import pytest
from tests.conftest import Clock
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.promo_code_requests import PROMO_CODE, create
from tests.support.responses import status_and_body, validation_failed

from tessera.api.serving.resources import Resources
from tessera.kit.identifiers import new_id
from tessera.promo_codes.rules import Status
from tessera.promo_codes.service import NewPromoCode

EMPTY: tuple[int, dict[str, Any]] = (200, {"data": [], "nextLink": None})


async def names(client: httpx.AsyncClient, tenant: Tenant, **query: str) -> list[str]:
    answer = await client.get("/promo-codes", headers=tenant.bearer, params=query)
    assert answer.status_code == 200
    return [code["promoCodeName"] for code in answer.json()["data"]]


@pytest.fixture
async def varied_codes(resources: Resources, tenant: Tenant, clock: Clock) -> Tenant:
    """An organization with codes that differ in everything that can be filtered by."""
    everybody = ("ada@example.com", "Bob@Example.com")
    exams = {code: (tenant.exam_ids[code],) for code in tenant.exam_ids}
    codes = [
        percent_code(tenant, "PLAIN"),
        percent_code(tenant, "ASLEEP", status=Status.INACTIVE, store_exam_ids=exams["NCP-ADS"]),
        percent_code(tenant, "GONE", status=Status.ARCHIVED),
        percent_code(tenant, "CLOSED", restrict_to_email_addresses=True, email_addresses=everybody),
        percent_code(
            tenant,
            "CLOSEDASLEEP",
            status=Status.INACTIVE,
            store_exam_ids=exams["NCP-ADS"],
            restrict_to_email_addresses=True,
            email_addresses=everybody[1:],
        ),
        percent_code(tenant, "LISTING", email_addresses=everybody),
    ]
    await add_promo_codes(resources, tenant, *codes, now=clock.now)
    return tenant


@pytest.mark.parametrize("path", ["/promo-codes", "/api/promo-codes"])
async def test_without_a_credential_it_is_401(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert status_and_body(answer) == (
        401,
        {"errorCode": "NotAuthenticated", "errorMessages": ["A Bearer token is required."]},
    )
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_another_organizations_codes_are_not_listed(
    client: httpx.AsyncClient, varied_codes: Tenant, other_tenant: Tenant
) -> None:
    assert status_and_body(await client.get("/promo-codes", headers=other_tenant.bearer)) == EMPTY
    assert await names(client, other_tenant, promoCodeName="PLAIN") == []
    assert await names(client, varied_codes, promoCodeName="PLAIN") == ["PLAIN"]


@pytest.mark.parametrize("path", ["/promo-codes", "/api/promo-codes"])
async def test_an_organization_without_codes_gets_an_empty_page(
    client: httpx.AsyncClient, tenant: Tenant, path: str
) -> None:
    answer = await client.get(path, headers=tenant.bearer)
    assert status_and_body(answer) == EMPTY
    assert answer.headers["Content-Type"] == "application/json"
    assert "Link" not in answer.headers


async def test_codes_come_as_they_were_created_with_their_redemptions(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    await create(client, tenant)
    sparse = {"notes": ..., "maxRedemptionsPerCandidate": ..., "emailAddresses": ..., "restrictToEmailAddresses": ...}
    await create(client, tenant, promoCodeName="ABC", **sparse)
    superuser.execute("update promo_codes set redemption_count = 7 where organization_id = %s", [tenant.id])
    answer = await client.get("/promo-codes", headers=tenant.bearer)
    minimal: dict[str, Any] = {
        "storeExamCodes": ["NCA-GENL", "CLD-100"],
        "discountPercent": 25,
        "emailAddresses": [],
        "expirationDateEndUtc": "2030-01-01T00:00:00",
        "maxRedemptions": 500,
        "promoCodeName": "ABC",
        "redemptionCount": 7,
        "restrictToEmailAddresses": False,
    }
    assert status_and_body(answer) == (200, {"data": [PROMO_CODE | {"redemptionCount": 7}, minimal], "nextLink": None})
    assert [list(code) for code in answer.json()["data"]] == [list(PROMO_CODE), list(minimal)]


async def test_codes_that_the_model_cannot_express_are_not_listed(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock
) -> None:
    def other(name: str, **changes: Any) -> NewPromoCode:
        return percent_code(tenant, name, **changes)

    await add_promo_codes(
        resources,
        tenant,
        other("FLAT", discount_percent=None, flat_discount=Decimal("10.00")),
        other("BUNDLE", store_exam_ids=(), product_bundle_ids=(tenant.bundle_id,)),
        other("ANYTHING", store_exam_ids=()),
        other("UNLIMITED", max_redemptions=None),
        other("FOREVER", expires_at=None),
        other("EXAMANDBUNDLE", product_bundle_ids=(tenant.bundle_id,)),
        other("LISTED"),
        now=clock.now,
    )
    assert await names(client, tenant) == ["EXAMANDBUNDLE", "LISTED"]


async def test_global_codes_are_not_listed(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    platform = "00000000-0000-0000-0000-000000000000"
    superuser.execute(
        "insert into organizations (id, name, is_active, created_at, version) values (%s, 'Platform', true, now(), 1)"
        " on conflict do nothing",
        [platform],
    )
    superuser.execute(
        "insert into promo_codes (organization_id, id, name, status, discount_percent, expires_at, max_redemptions,"
        " redemption_count, held_count, restrict_to_email_addresses, has_store_exams, has_product_bundles,"
        " created_at, version)"
        " values (%s, %s, %s, 'Active', 10, '2030-01-01', 100, 0, 0, false, true, false, now(), 1)",
        [platform, new_id(), f"G{new_id().hex[-12:]}"],
    )
    assert status_and_body(await client.get("/promo-codes", headers=tenant.bearer)) == EMPTY


ALL = ["PLAIN", "ASLEEP", "GONE", "CLOSED", "CLOSEDASLEEP", "LISTING"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ALL),
        ({"status": "Active"}, ["PLAIN", "CLOSED", "LISTING"]),
        ({"status": "inactive"}, ["ASLEEP", "CLOSEDASLEEP"]),
        ({"status": "ARCHIVED"}, ["GONE"]),
        ({"status": ""}, ALL),
        ({"promoCodeName": "plain"}, ["PLAIN"]),
        ({"promoCodeName": "PLAI"}, []),
        ({"promoCodeName": "PLAI%"}, []),
        ({"promoCodeName": "PLAI_"}, []),
        ({"promoCodeName": " PLAIN"}, []),
        ({"promoCodeName": ""}, ALL),
        ({"storeExamCode": "NCP-ADS"}, ["ASLEEP", "CLOSEDASLEEP"]),
        ({"storeExamCode": "ncp-ads"}, ["ASLEEP", "CLOSEDASLEEP"]),
        ({"storeExamCode": "CLD-100"}, []),
        ({"storeExamCode": "NOWHERE"}, []),
        ({"storeExamCode": ""}, ALL),
        ({"restrictToEmailAddresses": "true"}, ["CLOSED", "CLOSEDASLEEP"]),
        ({"restrictToEmailAddresses": "False"}, ["PLAIN", "ASLEEP", "GONE", "LISTING"]),
        ({"restrictToEmailAddresses": ""}, ALL),
        ({"restrictToEmailAddresses": "TRUE", "emailAddress": "ada@example.com"}, ["CLOSED"]),
        ({"restrictToEmailAddresses": "true", "emailAddress": "BOB@example.COM"}, ["CLOSED", "CLOSEDASLEEP"]),
        ({"restrictToEmailAddresses": "true", "emailAddress": "nobody@example.com"}, []),
        ({"restrictToEmailAddresses": "true", "emailAddress": "ada"}, []),
        ({"emailAddress": ""}, ALL),
        ({"status": "Inactive", "restrictToEmailAddresses": "true"}, ["CLOSEDASLEEP"]),
        ({"status": "Active", "storeExamCode": "NCP-ADS"}, []),
        (
            {
                "emailAddress": "bob@example.com",
                "page": "1",
                "promoCodeName": "ClosedAsleep",
                "restrictToEmailAddresses": "true",
                "storeExamCode": "NCP-ADS",
                "status": "Inactive",
            },
            ["CLOSEDASLEEP"],
        ),
        ({"unknown": "x", "Status": "nonsense", "pagesize": "1"}, ALL),
    ],
    ids=str,
)
async def test_filters_narrow_the_list(
    client: httpx.AsyncClient, varied_codes: Tenant, query: dict[str, str], expected: list[str]
) -> None:
    assert await names(client, varied_codes, **query) == expected


STATUS = "status must be one of Inactive, Active, Archived."
FLAG = "restrictToEmailAddresses must be true or false."
ADDRESS = "emailAddress can only be used with restrictToEmailAddresses=true."
PAGE = "page must be a positive integer."


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ("status=Expired", [STATUS]),
        ("status=Active%20", [STATUS]),
        ("status=Active,Inactive", [STATUS]),
        ("status=%00", [STATUS]),
        ("status=%C4%B0nactive", [STATUS]),
        ("restrictToEmailAddresses=1", [FLAG]),
        ("restrictToEmailAddresses=yes", [FLAG]),
        ("restrictToEmailAddresses=true%00", [FLAG]),
        ("emailAddress=ada@example.com", [ADDRESS]),
        ("emailAddress=ada@example.com&restrictToEmailAddresses=false", [ADDRESS]),
        ("emailAddress=ada@example.com&restrictToEmailAddresses=", [ADDRESS]),
        ("emailAddress=%00&restrictToEmailAddresses=true", ["emailAddress must not contain a NUL character."]),
        ("promoCodeName=A%00B", ["promoCodeName must not contain a NUL character."]),
        ("storeExamCode=A%00B", ["storeExamCode must not contain a NUL character."]),
        ("status=Active&status=Active", ["status must be given once."]),
        ("page=1&page=2", ["page must be given once."]),
        ("status=x&restrictToEmailAddresses=x&page=x&emailAddress=x", [ADDRESS, PAGE, FLAG, STATUS]),
    ],
)
async def test_wrong_parameters_are_told_in_the_order_of_the_document(
    client: httpx.AsyncClient, tenant: Tenant, query: str, messages: list[str]
) -> None:
    assert status_and_body(await client.get(f"/promo-codes?{query}", headers=tenant.bearer)) == validation_failed(
        *messages
    )


@pytest.mark.parametrize("query", ["status=&status=Active", "status=Active&status=", "x=1&x=2&status=Active"])
async def test_what_is_empty_or_unknown_is_no_repetition(
    client: httpx.AsyncClient, varied_codes: Tenant, query: str
) -> None:
    answer = await client.get(f"/promo-codes?{query}", headers=varied_codes.bearer)
    assert [code["promoCodeName"] for code in answer.json()["data"]] == ["PLAIN", "CLOSED", "LISTING"]


@pytest.mark.parametrize("query", ["promoCodeName=%FF", "unknown=%FF", "promoCodeName=%ED%A0%80", "%FF"])
async def test_a_query_that_is_no_utf_8_is_malformed(client: httpx.AsyncClient, tenant: Tenant, query: str) -> None:
    assert status_and_body(await client.get(f"/promo-codes?{query}", headers=tenant.bearer)) == (
        400,
        {"errorCode": "MalformedRequest", "errorMessages": ["The query string is not valid UTF-8."]},
    )
