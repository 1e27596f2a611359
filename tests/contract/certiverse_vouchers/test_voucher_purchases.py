"""GET /api/vouchers/purchases, by its document."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.support.factories import Tenant
from tests.support.responses import status_and_body
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_user, fill_purchases
from tests.support.voucher_requests import EMPTY, NO_FUNCTION_POINT, NO_TOKEN, TOO_MANY, filter_required, read_page

from tessera.api.serving.resources import Resources
from tessera.identity.rules import FunctionPoint
from tessera.vouchers.rules import PurchaseStatus

PATH = "/api/vouchers/purchases"
FILTERS = ("partnerName", "programName", "purchaseCode", "purchasedByEmail", "status")
STATUSES = (
    "CheckoutInProgress",
    "CheckoutCancelled",
    "CheckoutExpired",
    "CheckoutFailed",
    "VoucherCreation",
    "Complete",
)


@dataclass(frozen=True)
class Market:
    """The partners and programs for the tests of this module, by name."""

    partners: dict[str, UUID]
    programs: dict[str, UUID]


@pytest.fixture
async def market(resources: Resources, tenant: Tenant) -> Market:
    """Two partners and two programs whose names contain one another."""
    return Market(
        {name: await add_partner(resources, tenant, name) for name in ("École", "École 100%_\\")},
        {name: await add_program(resources, tenant, name) for name in ("Drive", "Spring Drive")},
    )


@pytest.fixture
async def varied_purchases(resources: Resources, tenant: Tenant, market: Market) -> Tenant:
    """An organization with a purchase in each status; they differ in each property that a filter has."""
    buyers = ("Ada@Example.com", None, "bob@example.com", "ada@example.com", None, None)
    for number, (status, email) in enumerate(zip(STATUSES, buyers, strict=True)):
        await add_purchase(
            resources,
            tenant,
            list(market.partners.values())[number % 2],
            list(market.programs.values())[number // 3],
            f"VP-{number}A",
            status=PurchaseStatus(status),
            purchased_by_email=email,
        )
    return tenant


ALL = ["VP-0A", "VP-1A", "VP-2A", "VP-3A", "VP-4A", "VP-5A"]
FIRST, SECOND = ALL[::2], ALL[1::2]


async def test_without_a_credential_it_is_401(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{PATH}?status=Complete")
    assert status_and_body(answer) == NO_TOKEN
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_another_organizations_purchases_are_not_listed(
    client: httpx.AsyncClient, varied_purchases: Tenant, other_tenant: Tenant
) -> None:
    for query in ("status=Complete", "partnerName=École", "programName=Drive", "purchaseCode=VP-0A"):
        assert status_and_body(await client.get(f"{PATH}?{query}", headers=other_tenant.bearer)) == EMPTY


async def test_without_the_function_point_it_is_401(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    headers = await add_user(
        resources, tenant, "nobody@example.com", function_points=(FunctionPoint.MANAGE_ORGANIZATION,)
    )
    assert status_and_body(await client.get(f"{PATH}?status=Complete", headers=headers)) == NO_FUNCTION_POINT


async def test_a_purchase_has_all_its_properties(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, market: Market
) -> None:
    purchase_id = await add_purchase(
        resources,
        tenant,
        market.partners["École"],
        market.programs["Spring Drive"],
        "VP-WHOLE",
        quantity=1000,
        quantity_used=1,
        amount_paid=Decimal("99999999.99"),
        is_archived=True,
        purchased_by_email="grace@example.com",
        purchased_at=datetime(2026, 3, 4, 5, 6, 7, 891011, tzinfo=UTC),
    )
    answer = await client.get(f"{PATH}?purchaseCode=VP-WHOLE", headers=tenant.bearer)
    expected: dict[str, Any] = {
        "amountPaid": 99999999.99,
        "id": str(purchase_id),
        "isArchived": True,
        "notes": "Notes of VP-WHOLE",
        "partnerName": "École",
        "programName": "Spring Drive",
        "purchaseDateUtc": "2026-03-04T05:06:07Z",
        "purchasedByFirstName": "Grace",
        "purchasedByLastName": "Hopper",
        "quantity": 1000,
        "quantityRemaining": 999,
        "quantityUsed": 1,
        "status": "Complete",
        "voucherPurchaseCode": "VP-WHOLE",
    }
    assert status_and_body(answer) == (200, {"data": [expected]})
    assert list(answer.json()["data"][0]) == list(expected)
    assert '"amountPaid":99999999.99,' in answer.text
    assert "Link" not in answer.headers


@pytest.mark.parametrize(("value", "literal"), [("49.50", "49.5"), ("12.5", "12.5"), ("0.07", "0.07")])
async def test_amounts_are_exact(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, market: Market, value: str, literal: str
) -> None:
    partner_id, program_id = market.partners["École"], market.programs["Drive"]
    await add_purchase(resources, tenant, partner_id, program_id, "VP-1", amount_paid=Decimal(value))
    answer = await client.get(f"{PATH}?purchaseCode=VP-1", headers=tenant.bearer)
    assert f'"amountPaid":{literal},' in answer.text


@pytest.mark.parametrize("spelling", [str, str.lower, str.upper])
@pytest.mark.parametrize(("status", "code"), list(zip(STATUSES, ALL, strict=True)))
async def test_each_status_is_shown_and_filtered_without_case(
    client: httpx.AsyncClient, varied_purchases: Tenant, status: str, code: str, spelling: Any
) -> None:
    answer = await client.get(f"{PATH}?status={spelling(status)}", headers=varied_purchases.bearer)
    assert [(each["voucherPurchaseCode"], each["status"]) for each in answer.json()["data"]] == [(code, status)]


@pytest.mark.parametrize("query", ["", "?page=1", "?page=2", "?page=&status=", "?purchaseCode=", "?Status=Complete"])
async def test_without_a_filter_it_is_400(client: httpx.AsyncClient, varied_purchases: Tenant, query: str) -> None:
    assert status_and_body(await client.get(f"{PATH}{query}", headers=varied_purchases.bearer)) == filter_required(
        *FILTERS
    )


LISTED: list[tuple[dict[str, str], list[str]]] = [
    ({"partnerName": "École"}, FIRST),
    ({"partnerName": "éCOLE"}, FIRST),
    ({"partnerName": "ÉCOLE 100%_\\"}, SECOND),
    ({"partnerName": "École 100%__"}, []),
    ({"partnerName": "École%"}, []),
    ({"partnerName": "cole"}, []),
    ({"partnerName": "École "}, FIRST),
    ({"partnerName": "Nobody"}, []),
    ({"partnerName": " "}, []),
    ({"programName": "drive"}, ALL[:3]),
    ({"programName": "SPRING DRIVE"}, ALL[3:]),
    ({"programName": "Spring"}, []),
    ({"programName": "%"}, []),
    ({"programName": "École"}, []),
    ({"purchaseCode": "VP-3A"}, ["VP-3A"]),
    ({"purchaseCode": "vp-3a"}, ["VP-3A"]),
    ({"purchaseCode": "VP-3"}, []),
    ({"purchaseCode": "VP-%"}, []),
    ({"purchaseCode": "VP-3A' or 'a'='a"}, []),
    ({"purchasedByEmail": "ada@example.com"}, ["VP-0A", "VP-3A"]),
    ({"purchasedByEmail": "ADA@EXAMPLE.COM"}, ["VP-0A", "VP-3A"]),
    ({"purchasedByEmail": "nobody@example.com"}, []),
    ({"partnerName": "École", "programName": "Drive"}, ["VP-0A", "VP-2A"]),
    ({"partnerName": "École", "status": "Complete"}, []),
    ({"partnerName": "", "status": "complete"}, ["VP-5A"]),
    (
        {
            "page": "1",
            "partnerName": "École 100%_\\",
            "programName": "Spring Drive",
            "purchaseCode": "VP-3a",
            "purchasedByEmail": "ada@example.com",
            "status": "checkoutfailed",
        },
        ["VP-3A"],
    ),
    ({"status": "Complete", "isArchived": "maybe", "unknown": "x"}, ["VP-5A"]),
    ({"status": "Complete", "page": "2"}, []),
    ({"status": "Complete", "page": str(10**30)}, []),
]


async def test_filters_narrow_the_list(client: httpx.AsyncClient, varied_purchases: Tenant) -> None:
    for query, expected in LISTED:
        answer = await client.get(PATH, headers=varied_purchases.bearer, params=query)
        assert (query, [each["voucherPurchaseCode"] for each in answer.json()["data"]]) == (query, expected)
        assert set(answer.json()) == {"data"}


def names_between(first: int, last: int) -> list[str]:
    return [f"VP-{number}" for number in range(first, last + 1)]


async def test_links_lead_through_all_pages_in_order_with_the_same_filters(
    client: httpx.AsyncClient, tenant: Tenant, market: Market, superuser: psycopg.Connection
) -> None:
    partner_id, program_id = market.partners["École"], market.programs["Drive"]
    fill_purchases(superuser, tenant, 201, partner_id=partner_id, program_id=program_id)
    shown = "voucherPurchaseCode"
    path = f"{PATH}?page=1&status=complete&partnerName=%C3%89cole"
    first, second_link = await read_page(client, tenant.bearer, path, shown)
    assert second_link == f"http://testserver{PATH}?status=complete&partnerName=%C3%89cole&page=2"
    second, third_link = await read_page(client, tenant.bearer, second_link, shown)
    assert third_link == f"http://testserver{PATH}?status=complete&partnerName=%C3%89cole&page=3"
    third, end = await read_page(client, tenant.bearer, third_link, shown)
    assert (first, second, third, end) == (
        names_between(1, 100),
        names_between(101, 200),
        names_between(201, 201),
        None,
    )


async def test_exactly_ten_thousand_are_listed_and_one_more_is_422(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, market: Market, superuser: psycopg.Connection
) -> None:
    partner_id, program_id = market.partners["École"], market.programs["Drive"]
    fill_purchases(superuser, tenant, 10_000, partner_id=partner_id, program_id=program_id)
    for query in ("status=Complete", "partnerName=%C3%89cole", "programName=Drive"):
        last = await read_page(client, tenant.bearer, f"{PATH}?{query}&page=100", "voucherPurchaseCode")
        assert last == (names_between(9_901, 10_000), None)
        past = await read_page(client, tenant.bearer, f"{PATH}?{query}&page=101", "voucherPurchaseCode")
        assert past == ([], None)
    await add_purchase(resources, tenant, partner_id, program_id, "VP-MORE")
    for query in ("status=Complete", "partnerName=%C3%89cole&page=101", f"programName=Drive&page={10**30}"):
        assert status_and_body(await client.get(f"{PATH}?{query}", headers=tenant.bearer)) == TOO_MANY
    one = await read_page(client, tenant.bearer, f"{PATH}?status=Complete&purchaseCode=VP-MORE", "voucherPurchaseCode")
    assert one == (["VP-MORE"], None)
