"""GET /api/vouchers, by its document."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.support.factories import Tenant
from tests.support.responses import status_and_body
from tests.support.voucher_factories import (
    add_partner,
    add_program,
    add_purchase,
    add_user,
    add_vouchers,
    fill_vouchers,
    usage,
    voucher,
)
from tests.support.voucher_requests import EMPTY, NO_FUNCTION_POINT, NO_TOKEN, TOO_MANY, filter_required, read_page

from tessera.api.serving.resources import Resources
from tessera.identity.rules import FunctionPoint
from tessera.vouchers.issued.service import NewVoucher
from tessera.vouchers.rules import ReservationStatus

PATH = "/api/vouchers"
FILTERS = (
    "isActive",
    "isUsed",
    "purchaseCode",
    "recipientEmail",
    "reservationCode",
    "storeExamCode",
    "voucherCode",
)
ASSIGNED_AT = datetime(2026, 4, 2, 8, 0, 0, 999999, tzinfo=UTC)
USED_AT = datetime(2026, 4, 3, 10, 0, tzinfo=UTC)


@pytest.fixture
async def purchase(resources: Resources, tenant: Tenant) -> tuple[UUID, UUID]:
    """A purchase and its partner."""
    partner_id = await add_partner(resources, tenant, "Acme Corp")
    program_id = await add_program(resources, tenant, "Spring Certification Drive")
    return await add_purchase(resources, tenant, partner_id, program_id, "VP-1A"), partner_id


@pytest.fixture
async def varied_vouchers(resources: Resources, tenant: Tenant, purchase: tuple[UUID, UUID]) -> dict[str, NewVoucher]:
    """Vouchers in every state that the document shows, oldest first."""
    purchase_id, partner_id = purchase
    program_id = await add_program(resources, tenant, "Other")
    other_id = await add_purchase(resources, tenant, partner_id, program_id, "VP-2A")
    assigned: dict[str, Any] = {"assigned_at": ASSIGNED_AT, "recipient_email": "Ada@Example.com"}
    first, second = tenant.exam_ids["NCA-GENL"], tenant.exam_ids["NCP-ADS"]
    cancelled = {"reservation_code": "RSV-3", "reservation_status": ReservationStatus.CANCELLED, "store_exam_id": first}
    items = [
        voucher(purchase_id, partner_id, "UNUSED"),
        voucher(purchase_id, partner_id, "ASSIGNED", **assigned),
        voucher(purchase_id, partner_id, "USED", **assigned, **usage(first, "RSV-1", USED_AT)),
        voucher(purchase_id, partner_id, "USED-OFF", is_active=False, **usage(second, "RSV-2", USED_AT)),
        voucher(other_id, partner_id, "OFF", is_active=False),
        voucher(other_id, partner_id, "GIVEN-BACK", **cancelled),
        voucher(other_id, partner_id, "EXPIRED", expires_at=datetime(2020, 1, 1, tzinfo=UTC)),
    ]
    await add_vouchers(resources, tenant, *items)
    return {each.code: each for each in items}


async def test_without_a_credential_it_is_401(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{PATH}?isUsed=true")
    assert status_and_body(answer) == NO_TOKEN
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_another_organizations_vouchers_are_not_listed(
    client: httpx.AsyncClient, varied_vouchers: dict[str, NewVoucher], other_tenant: Tenant
) -> None:
    for query in (
        "isUsed=true",
        "isActive=true",
        "purchaseCode=VP-1A",
        "recipientEmail=ada@example.com",
        "reservationCode=RSV-1",
        "storeExamCode=NCA-GENL",
        "voucherCode=USED",
    ):
        assert status_and_body(await client.get(f"{PATH}?{query}", headers=other_tenant.bearer)) == EMPTY


async def test_without_the_function_point_it_is_401(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    headers = await add_user(
        resources, tenant, "nobody@example.com", function_points=(FunctionPoint.STOREFRONT_REDEEM,)
    )
    assert status_and_body(await client.get(f"{PATH}?isUsed=true", headers=headers)) == NO_FUNCTION_POINT


USED_BY = {
    "clientCandidateId": "C-17",
    "firstName": "Ada",
    "lastName": "Byron",
    "personId": "P-4711",
    "usedDateUtc": "2026-04-03T10:00:00Z",
}
ASSIGNMENT = {"assignedDateUtc": "2026-04-02T08:00:00Z", "recipientEmail": "Ada@Example.com"}


def reservation(code: str, exam: str, status: str = "Created") -> dict[str, Any]:
    return {"reservationCode": code, "reservationStatus": status, "storeExamCode": exam}


EXPECTED: dict[str, dict[str, Any]] = {
    "UNUSED": {},
    "ASSIGNED": ASSIGNMENT,
    "USED": {**ASSIGNMENT, **reservation("RSV-1", "NCA-GENL"), "isUsed": True, "usedBy": USED_BY},
    "USED-OFF": {**reservation("RSV-2", "NCP-ADS"), "isActive": False, "isUsed": True, "usedBy": USED_BY},
    "OFF": {"isActive": False, "voucherPurchaseCode": "VP-2A"},
    "GIVEN-BACK": {**reservation("RSV-3", "NCA-GENL", "Cancelled"), "voucherPurchaseCode": "VP-2A"},
    "EXPIRED": {"expirationDateUtc": "2020-01-01T00:00:00Z", "voucherPurchaseCode": "VP-2A"},
}


@pytest.mark.parametrize("code", EXPECTED)
async def test_a_voucher_has_all_its_properties_without_those_that_are_null(
    client: httpx.AsyncClient, tenant: Tenant, varied_vouchers: dict[str, NewVoucher], code: str
) -> None:
    answer = await client.get(f"{PATH}?voucherCode={code}", headers=tenant.bearer)
    expected = {
        "expirationDateUtc": "2027-06-15T12:00:00Z",
        "id": str(varied_vouchers[code].id),
        "isActive": True,
        "isUsed": False,
        "voucherCode": code,
        "voucherPurchaseCode": "VP-1A",
    } | EXPECTED[code]
    assert status_and_body(answer) == (200, {"data": [expected]})
    assert list(answer.json()["data"][0]) == sorted(expected)
    assert "Link" not in answer.headers


@pytest.mark.parametrize("status", list(ReservationStatus))
async def test_each_reservation_status_can_be_set(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, purchase: tuple[UUID, UUID], status: str
) -> None:
    state = usage(tenant.exam_ids["CLD-100"], "RSV-9") | {"reservation_status": ReservationStatus(status)}
    await add_vouchers(resources, tenant, voucher(*purchase, "V", **state))
    answer = await client.get(f"{PATH}?reservationCode=RSV-9", headers=tenant.bearer)
    assert [each["reservationStatus"] for each in answer.json()["data"]] == [status]


@pytest.mark.parametrize("query", ["", "?page=1", "?page=7", "?page=&isUsed=", "?recipientEmail=&x=1", "?isused=true"])
async def test_without_a_filter_it_is_400(
    client: httpx.AsyncClient, tenant: Tenant, varied_vouchers: dict[str, NewVoucher], query: str
) -> None:
    assert status_and_body(await client.get(f"{PATH}{query}", headers=tenant.bearer)) == filter_required(*FILTERS)


LISTED: list[tuple[dict[str, str], list[str]]] = [
    ({"isUsed": "true"}, ["USED", "USED-OFF"]),
    ({"isUsed": "False"}, ["UNUSED", "ASSIGNED", "OFF", "GIVEN-BACK", "EXPIRED"]),
    ({"isActive": "TRUE"}, ["UNUSED", "ASSIGNED", "USED", "GIVEN-BACK", "EXPIRED"]),
    ({"isActive": "false"}, ["USED-OFF", "OFF"]),
    ({"isActive": "false", "isUsed": "true"}, ["USED-OFF"]),
    ({"isActive": "true", "isUsed": "true"}, ["USED"]),
    ({"purchaseCode": "VP-2A"}, ["OFF", "GIVEN-BACK", "EXPIRED"]),
    ({"purchaseCode": "vp-2a"}, ["OFF", "GIVEN-BACK", "EXPIRED"]),
    ({"purchaseCode": "VP-"}, []),
    ({"recipientEmail": "ada@example.com"}, ["ASSIGNED", "USED"]),
    ({"recipientEmail": "ADA@EXAMPLE.COM"}, ["ASSIGNED", "USED"]),
    ({"recipientEmail": "bob@example.com"}, []),
    ({"reservationCode": "RSV-3"}, ["GIVEN-BACK"]),
    ({"reservationCode": "RSV-%"}, []),
    ({"storeExamCode": "NCA-GENL"}, ["USED", "GIVEN-BACK"]),
    ({"storeExamCode": "nca-genl"}, ["USED", "GIVEN-BACK"]),
    ({"storeExamCode": "CLD-100"}, []),
    ({"storeExamCode": "NOWHERE"}, []),
    ({"voucherCode": "USED"}, ["USED"]),
    ({"voucherCode": "used"}, ["USED"]),
    # The upper case of the long s is S, but it is not the letter s.
    ({"voucherCode": "u\u017fed"}, []),
    ({"voucherCode": "USE_"}, []),
    ({"voucherCode": " USED"}, []),
    ({"storeExamCode": "NCA-GENL", "isUsed": "false"}, ["GIVEN-BACK"]),
    ({"recipientEmail": "ada@example.com", "isUsed": "true", "isActive": ""}, ["USED"]),
    (
        {
            "isActive": "true",
            "isUsed": "true",
            "page": "1",
            "purchaseCode": "VP-1A",
            "recipientEmail": "ada@example.com",
            "reservationCode": "RSV-1",
            "storeExamCode": "NCA-GENL",
            "voucherCode": "USED",
        },
        ["USED"],
    ),
    ({"isUsed": "true", "status": "nonsense"}, ["USED", "USED-OFF"]),
    ({"isUsed": "true", "page": "2"}, []),
    ({"isUsed": "true", "page": str(10**30)}, []),
]


async def test_filters_narrow_the_list(
    client: httpx.AsyncClient, tenant: Tenant, varied_vouchers: dict[str, NewVoucher]
) -> None:
    for query, expected in LISTED:
        answer = await client.get(PATH, headers=tenant.bearer, params=query)
        assert (query, [each["voucherCode"] for each in answer.json()["data"]]) == (query, expected)
        assert set(answer.json()) == {"data"}


def codes_between(first: int, last: int) -> list[str]:
    return [f"V{number}" for number in range(first, last + 1)]


async def test_links_lead_through_all_pages_in_order_with_the_same_filters(
    client: httpx.AsyncClient, tenant: Tenant, purchase: tuple[UUID, UUID], superuser: psycopg.Connection
) -> None:
    fill_vouchers(superuser, tenant, 201, purchase_id=purchase[0], partner_id=purchase[1])
    path = f"{PATH}?page=1&isUsed=FALSE&purchaseCode=vp-1a&voucherCode="
    first, second_link = await read_page(client, tenant.bearer, path, "voucherCode")
    assert second_link == f"http://testserver{PATH}?isUsed=FALSE&purchaseCode=vp-1a&page=2"
    second, third_link = await read_page(client, tenant.bearer, second_link, "voucherCode")
    assert third_link == f"http://testserver{PATH}?isUsed=FALSE&purchaseCode=vp-1a&page=3"
    third, end = await read_page(client, tenant.bearer, third_link, "voucherCode")
    assert (first, second, third, end) == (
        codes_between(1, 100),
        codes_between(101, 200),
        codes_between(201, 201),
        None,
    )


async def test_exactly_ten_thousand_are_listed_and_one_more_is_422(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    purchase: tuple[UUID, UUID],
    superuser: psycopg.Connection,
) -> None:
    fill_vouchers(superuser, tenant, 10_000, purchase_id=purchase[0], partner_id=purchase[1])
    for query in ("isUsed=false", "isActive=true", "purchaseCode=VP-1A"):
        last = await read_page(client, tenant.bearer, f"{PATH}?{query}&page=100", "voucherCode")
        assert last == (codes_between(9_901, 10_000), None)
        assert await read_page(client, tenant.bearer, f"{PATH}?{query}&page=101", "voucherCode") == ([], None)
    await add_vouchers(resources, tenant, voucher(*purchase, "MORE"))
    for query in ("isUsed=false", "isActive=true&page=101", f"purchaseCode=VP-1A&page={10**30}"):
        assert status_and_body(await client.get(f"{PATH}?{query}", headers=tenant.bearer)) == TOO_MANY
    assert await read_page(client, tenant.bearer, f"{PATH}?isUsed=false&voucherCode=MORE", "voucherCode") == (
        ["MORE"],
        None,
    )
    assert await read_page(client, tenant.bearer, f"{PATH}?isUsed=true", "voucherCode") == ([], None)
