"""GET /management/v1/reports/vouchers: the numbers of bought, used and soon expiring vouchers."""

from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant
from tests.support.management_requests import RIGHT_IS_MISSING, headers_without_rights, invalid, problem
from tests.support.purchasing import buy, open_market
from tests.support.redemption_requests import act, create_redemption, update_reservation
from tests.support.reporting import open_shop
from tests.support.responses import status_and_body
from tests.support.voucher_factories import (
    add_partner,
    add_program,
    add_purchase,
    add_user,
    add_vouchers,
    usage,
    voucher,
)

from tessera.api.serving.resources import Resources
from tessera.redemptions.ledger import service as ledger
from tessera.vouchers.purchases import service as purchases

URL = "/management/v1/reports/vouchers"
COLUMNS = ("bought", "used", "unused", "archived", "expired", "expiringWithin30Days", "expiringWithin90Days")


def totals(*counts: int) -> dict[str, Any]:
    return dict(zip(COLUMNS, counts, strict=True))


@pytest.fixture
async def stock(resources: Resources, tenant: Tenant) -> dict[str, Any]:
    """A partner whose vouchers expire on the days around each limit of the report, and one without vouchers."""
    acme = await add_partner(resources, tenant, "Acme, Inc.")
    beta = await add_partner(resources, tenant, "=Beta")
    purchase = await add_purchase(resources, tenant, acme, await add_program(resources, tenant, "Open"), "VP-1")
    days = {"GONE": -1, "TODAY": 0, "LAST30": 29, "FIRST90": 30, "LAST90": 89, "LATER": 90}
    added = [
        voucher(purchase, acme, code, expires_at=NOW.replace(hour=0) + timedelta(days=day))
        for code, day in days.items()
    ]
    at = NOW + timedelta(days=10)
    spent = voucher(purchase, acme, "SPENT", expires_at=at, **usage(tenant.exam_ids["NCA-GENL"], "RSV-0"))
    await add_vouchers(resources, tenant, *added, spent)
    return {"acme": acme, "beta": beta}


async def report(client: httpx.AsyncClient, tenant: Tenant, query: str = "") -> Any:
    answer = await client.get(f"{URL}{query}", headers=tenant.bearer)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_without_a_credential_it_is_401(client: httpx.AsyncClient) -> None:
    answer = await client.get(URL)
    assert status_and_body(answer) == problem(
        401, "not-authenticated", "Authentication required", "A Bearer token is required."
    )


async def test_without_the_function_point_it_is_403(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.get(URL, headers=await headers_without_rights(client, tenant))
    assert status_and_body(answer) == problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)


async def test_a_partners_user_gets_nothing(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, stock: dict[str, Any]
) -> None:
    headers = await add_user(resources, tenant, "p@acme.example", partner_id=stock["acme"])
    assert status_and_body(await client.get(URL, headers=headers)) == problem(
        403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING
    )


async def test_vouchers_are_counted_by_partner_and_in_total(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, stock: dict[str, Any]
) -> None:
    counted = totals(7, 1, 6, 0, 1, 2, 4)
    assert await report(client, tenant) == {
        "total": counted,
        "data": [
            {"partnerId": str(stock["acme"]), "partnerName": "Acme, Inc.", **counted},
            {"partnerId": str(stock["beta"]), "partnerName": "=Beta", **totals(0, 0, 0, 0, 0, 0, 0)},
        ],
        "nextLink": None,
        "nextCursor": None,
    }
    assert await report(client, other_tenant) == {
        "total": totals(0, 0, 0, 0, 0, 0, 0),
        "data": [],
        "nextLink": None,
        "nextCursor": None,
    }


async def test_each_part_has_the_total_of_all(client: httpx.AsyncClient, tenant: Tenant, stock: dict[str, Any]) -> None:
    first = await report(client, tenant, "?limit=1")
    answer = await client.get(first["nextLink"], headers=tenant.bearer)
    assert [row["partnerName"] for part in (first, answer.json()) for row in part["data"]] == ["Acme, Inc.", "=Beta"]
    assert (answer.json()["total"], answer.json()["nextLink"]) == (first["total"], None)


async def test_as_a_csv_file_the_total_comes_last_and_no_cell_is_a_formula(
    client: httpx.AsyncClient, tenant: Tenant, stock: dict[str, Any]
) -> None:
    answer = await client.get(URL, headers=tenant.bearer | {"Accept": "text/csv"})
    assert answer.text == (
        f"partnerId,partnerName,{','.join(COLUMNS)}\r\n"
        f'{stock["acme"]},"Acme, Inc.",7,1,6,0,1,2,4\r\n'
        f"{stock['beta']},'=Beta,0,0,0,0,0,0,0\r\n"
        ",Total,7,1,6,0,1,2,4\r\n"
    )
    assert answer.headers["Content-Disposition"] == 'attachment; filename="vouchers.csv"'


async def test_what_is_wrong_is_named(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.get(f"{URL}?limit=x&format=pdf", headers=tenant.bearer)
    assert status_and_body(answer) == invalid(
        ("/limit", "LimitRange", "limit must be an integer from 1 to 1,000."),
        ("/format", "NotAmongValues", "format must be one of json, csv."),
    )
    answer = await client.get(f"{URL}?cursor=x", headers=tenant.bearer)
    assert status_and_body(answer) == invalid(
        ("/cursor", "NotCursor", "cursor must be a cursor from a nextLink of this list.")
    )


async def test_it_follows_vouchers_as_they_are_made_held_used_and_given_back(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock, superuser: psycopg.Connection
) -> None:
    await open_market(resources, tenant)

    async def counted() -> tuple[int, int]:
        total = (await report(client, tenant))["total"]
        return total["bought"], total["used"]

    purchase_id = await buy(resources, tenant, quantity=20)
    assert await counted() == (0, 0)
    for _ in range(2):  # the job may run twice
        async with resources.database.unit_of_work(tenant.id) as work:
            await purchases.issue(work, purchase_id=purchase_id, now=clock.now)
        assert await counted() == (20, 0)
    await add_exam_to_program(superuser, tenant)
    codes = [
        row[0] for row in superuser.execute("select code from vouchers where purchase_id = %s limit 3", [purchase_id])
    ]
    held = await create_redemption(client, tenant, codes[0], "RSV-1", holdSeconds=60)
    assert await counted() == (20, 0)
    await act(client, tenant, held, "confirm")
    await create_redemption(client, tenant, codes[1], "RSV-3")
    await act(client, tenant, await create_redemption(client, tenant, codes[2], "RSV-2", holdSeconds=60), "release")
    assert await counted() == (20, 2)
    for reservation in ("RSV-1", "RSV-3"):
        await update_reservation(client, tenant, reservation, "Cancelled")
    assert await counted() == (20, 0)


async def test_a_voucher_with_another_expiry_is_counted_by_that(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, stock: dict[str, Any]
) -> None:
    vouchers = [{"code": code} for code in ("GONE", "TODAY", "SPENT", "LATER")]
    change = {"action": "ChangeExpiry", "expiresAt": (NOW + timedelta(days=40)).isoformat(), "vouchers": vouchers}
    before = (await report(client, tenant))["total"]
    answer = await client.post("/management/v1/vouchers/bulk", json=change, headers=tenant.bearer)
    assert answer.status_code == 200, answer.text
    after = (await report(client, tenant))["total"]
    assert (before["bought"], before["used"], before["expired"]) == (7, 1, 1)
    assert (after["bought"], after["used"], after["expired"]) == (7, 1, 0)
    assert after["expiringWithin90Days"] == before["expiringWithin90Days"] + 2
    async with resources.database.unit_of_work(tenant.id) as work:
        verdict = await ledger.verify(work)
    assert [each for each in verdict.discrepancies if each.kind == "voucher total"] == []


async def add_exam_to_program(superuser: psycopg.Connection, tenant: Tenant) -> None:
    superuser.execute(
        "insert into voucher_program_store_exams (organization_id, program_id, store_exam_id, position)"
        " select organization_id, id, %s, 0 from voucher_programs where organization_id = %s",
        [tenant.exam_ids["NCA-GENL"], tenant.id],
    )


async def test_it_follows_vouchers_to_another_expiry_and_into_the_archive(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock, superuser: psycopg.Connection
) -> None:
    await open_shop(resources, tenant)
    paid = superuser.execute(
        "select id from vouchers where organization_id = %s and code = 'PAID'", [tenant.id]
    ).fetchone()
    assert paid

    async def do(deed: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = tenant.bearer | {"If-Match": "*"}
        answer = await client.post(f"/management/v1/vouchers/{paid[0]}/{deed}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        total: dict[str, Any] = (await report(client, tenant))["total"]
        return total

    # Bought, used, unused, archived, expired, and expiring within 30 and 90 days.
    assert await do("change-expiry", {"expiresAt": "2026-07-14T23:59:59Z"}) == totals(2, 0, 2, 0, 0, 1, 1)
    assert await do("change-expiry", {"expiresAt": "2026-07-15T00:00:00Z"}) == totals(2, 0, 2, 0, 0, 0, 1)
    redemption = await create_redemption(client, tenant, "PAID", "RSV-1")
    assert await do("change-expiry", {"expiresAt": "2026-06-16T00:00:00Z"}) == totals(2, 1, 1, 0, 0, 0, 0)
    assert await do("archive") == totals(2, 1, 1, 0, 0, 0, 0)
    await act(client, tenant, redemption, "cancel")
    assert (await report(client, tenant))["total"] == totals(2, 0, 1, 1, 0, 0, 0)
    clock.advance(days=364)
    assert (await report(client, tenant))["total"] == totals(2, 0, 1, 1, 0, 1, 1)
