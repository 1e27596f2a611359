"""GET /management/v1/exports/redemptions: redemptions as a CSV file."""

import csv
import io

import httpx
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant
from tests.support.management_requests import RIGHT_IS_MISSING, headers_without_rights, invalid, problem
from tests.support.redemption_requests import candidate, create_redemption
from tests.support.reporting import EXPORT_HEADER as HEADER
from tests.support.reporting import EXPORT_URL as URL
from tests.support.reporting import open_shop, redeem_for_days
from tests.support.responses import status_and_body
from tests.support.voucher_factories import add_user

from tessera.api.serving.resources import Resources
from tessera.redemptions import export, lifecycle
from tessera.redemptions.lifecycle import RedemptionFilter
from tessera.redemptions.rules import RedemptionStatus

INSTANT = "must be an ISO 8601 date and time, such as 2026-01-01T00:00:00."


async def test_without_a_credential_it_is_401(client: httpx.AsyncClient) -> None:
    answer = await client.get(URL)
    assert status_and_body(answer) == problem(
        401, "not-authenticated", "Authentication required", "A Bearer token is required."
    )


async def test_without_the_function_point_it_is_403(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.get(URL, headers=await headers_without_rights(client, tenant))
    assert status_and_body(answer) == problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)


async def test_a_partners_user_gets_nothing(client: httpx.AsyncClient, resources: Resources, tenant: Tenant) -> None:
    partner = await open_shop(resources, tenant)
    headers = await add_user(resources, tenant, "p@acme.example", partner_id=partner)
    assert status_and_body(await client.get(URL, headers=headers)) == problem(
        403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING
    )


async def test_it_has_every_redemption_whole_and_none_of_another_tenant(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant, clock: Clock
) -> None:
    await open_shop(resources, tenant)
    paid = await create_redemption(client, tenant, "PAID", "RSV-1")
    clock.advance(seconds=1)
    bundle = {"storeExamCode": None, "productBundleId": str(tenant.bundle_id)}
    nameless = candidate("P-2", email=None, firstName='Ada "A"', lastName="Byron, King")
    held = await create_redemption(client, tenant, "SPRING", "RSV-2", holdSeconds=60, candidate=nameless, **bundle)
    clock.advance(seconds=60)
    answer = await client.get(f"{URL}?reveal=true", headers=tenant.bearer)
    assert answer.text == (
        f"{HEADER}"
        f"{paid['id']},Redeemed,PAID,Voucher,RSV-1,Created,NCA-GENL,,P-1,C-1,Ada,Byron,ada@example.com,"
        f"100.00,100.00,0.00,{tenant.key.id},,2026-06-15T12:00:00Z,2026-06-15T12:00:00Z\r\n"
        f"{held['id']},Expired,SPRING,PromoCode,RSV-2,Created,,{tenant.bundle_id},P-2,C-1,"
        f'"Ada ""A""","Byron, King",,150.00,10.00,140.00,{tenant.key.id},2026-06-15T12:01:01Z,2026-06-15T12:00:01Z,'
        "2026-06-15T12:00:01Z\r\n"
    )
    assert (answer.headers["Content-Type"], answer.headers["Content-Disposition"]) == (
        "text/csv; charset=utf-8",
        'attachment; filename="redemptions.csv"',
    )
    assert (await client.get(URL, headers=other_tenant.bearer)).text == HEADER


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r="])
async def test_no_cell_is_a_formula(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock, start: str
) -> None:
    await open_shop(resources, tenant)
    name = f"{start}cmd|'/C calc'!A0"
    await create_redemption(
        client, tenant, "SPRING", "-1+2", candidate=candidate(name, firstName=f"x{name}", lastName=name)
    )
    answer = await client.get(URL, headers=tenant.bearer)
    (result,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    trimmed = name.strip()  # white space around a name is not kept
    inside = name.replace("\t=", "\t'=").replace("\r=", "\r'=")  # a cell may start after white space
    assert (result["personId"], result["firstName"]) == (f"'{trimmed}", f"x{inside}")
    assert (result["lastName"], result["reservationCode"]) == (f"'{trimmed}", "'-1+2")


async def test_filters_are_those_of_the_storefronts_list(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_shop(resources, tenant)
    await redeem_for_days(client, tenant, clock)
    for size in (2, 1000):  # part by part, or all at once
        monkeypatch.setattr(export, "PAGE_SIZE", size)
        for query, found in (
            ("", ["RSV-1", "RSV-2", "RSV-3", "RSV-4", "RSV-5"]),
            ("code=spring&status=Redeemed", ["RSV-2", "RSV-4"]),
            ("status=Held", ["RSV-5"]),
            ("status=cancelled", ["RSV-1"]),
            ("reservationCode=RSV-3", ["RSV-3"]),
            ("personId=P-2", ["RSV-2"]),
            ("createdFrom=2026-06-14T00:00:00Z", ["RSV-4", "RSV-5"]),
            ("createdBefore=2026-06-14T00:00:00", ["RSV-1", "RSV-2", "RSV-3"]),
            ("code=NONE", []),
        ):
            answer = await client.get(f"{URL}?{query}", headers=tenant.bearer)
            rows = csv.DictReader(io.StringIO(answer.text, newline=""))
            assert (query, [row["reservationCode"] for row in rows]) == (query, found)
    assert clock.now == NOW


@pytest.mark.parametrize("status", [None, *RedemptionStatus])
async def test_as_many_are_counted_as_are_exported(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock, status: RedemptionStatus | None
) -> None:
    await open_shop(resources, tenant)
    await redeem_for_days(client, tenant, clock)
    filters = RedemptionFilter(status=status)
    for _ in range(2):  # before and after the deadline of the hold
        answer = await client.get(URL, params={"status": status or ""}, headers=tenant.bearer)
        async with resources.database.unit_of_work(tenant.id) as work:
            counted = await lifecycle.count(work, filters, now=clock.now)
        assert counted == len(list(csv.DictReader(io.StringIO(answer.text, newline=""))))
        clock.advance(hours=24)


async def test_everything_that_is_wrong_is_named(client: httpx.AsyncClient, tenant: Tenant) -> None:
    query = "status=Gone&createdFrom=yesterday&createdBefore=2026-01-01&code=%00"
    assert status_and_body(await client.get(f"{URL}?{query}", headers=tenant.bearer)) == invalid(
        ("/code", "NulCharacter", "code must not contain a NUL character."),
        ("/status", "NotAmongValues", "status must be one of Held, Redeemed, Released, Expired, Cancelled."),
        ("/createdFrom", "NotDateTime", f"createdFrom {INSTANT}"),
        ("/createdBefore", "NotDateTime", f"createdBefore {INSTANT}"),
    )
