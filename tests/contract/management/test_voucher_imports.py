"""Importing vouchers from elsewhere with their history: all or nothing, and an error for each bad line."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.support import factories
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.management_requests import (
    RIGHT_IS_MISSING,
    ROOT,
    audit_entries_of,
    headers_without_rights,
    invalid,
    problem,
)
from tests.support.redemption_requests import create_redemption, reasons, redeem, update_reservation
from tests.support.responses import status_and_body
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher
from tests.support.waiting import until_blocked

from tessera.api.serving.resources import Resources
from tessera.audit.seals import service as seals
from tessera.redemptions.ledger import service as ledger
from tessera.reports import service as reports
from tessera.reports.late import repository as late
from tessera.voucher_imports import service
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.rules import Status

URL = f"{ROOT}/voucher-imports"
HEADER = (
    "code,isActive,isUsed,expiresAt,recipientEmail,usedAt,reservationCode,storeExamCode,usedByPersonId,usedByFirstName"
)
GOOD = f"""{HEADER}
free-1,,,2030-01-01,Ada@example.com,,,,,
OFF-1,no,,,,,,,,
USED-1,,true,2027-01-01,,2026-03-01T10:00:00+01:00,R-17,ncp-ads,P-17,Grace
USED-2,,yes,,,,,,,
"""


@pytest.fixture
async def shop(resources: Resources, tenant: Tenant) -> dict[str, str]:
    """The query of an import for a partner and a program of one exam."""
    return await shop_of(resources, tenant)


async def shop_of(resources: Resources, tenant: Tenant, **program: Any) -> dict[str, str]:
    partner = await add_partner(resources, tenant, "Acme")
    return {
        "partnerId": str(partner),
        "programId": str(await add_program(resources, tenant, "Open", voucher_code_prefix="OPEN-", **program)),
    }


async def send(
    client: httpx.AsyncClient, tenant: Tenant, shop: dict[str, str], content: str | bytes, **query: str
) -> httpx.Response:
    headers = tenant.bearer | {"Content-Type": "text/csv"}
    return await client.post(URL, params=shop | query, content=content, headers=headers)


async def vouchers_of(client: httpx.AsyncClient, tenant: Tenant) -> dict[str, dict[str, Any]]:
    listed = (await client.get(f"{ROOT}/vouchers?reveal=true", headers=tenant.bearer)).json()["data"]
    return {each["code"]: each for each in listed}


def refused(*errors: tuple[int, str, str, str]) -> tuple[int, dict[str, Any]]:
    named = [
        {"pointer": f"/{line}/{column}", "code": code, "detail": f"Line {line}: {column} {words}."}
        for line, column, code, words in errors
    ]
    words = f"Bad lines in all: {len({line for line, *_ in errors})}. Nothing was imported."
    return problem(400, "validation-failed", "The file has bad lines", words, errors=named)


async def discrepancies(resources: Resources, tenant: Tenant) -> list[Any]:
    """Everything that the recounts of the ledger, the reports and the audit log find."""
    async with resources.database.unit_of_work(tenant.id) as work:
        found: list[Any] = [*(await ledger.verify(work)).discrepancies]
    async with resources.database.unit_of_work(tenant.id) as work:
        found += await reports.list_discrepancies(work)
        found += (await reports.rebuild(work, now=NOW)).wrong
        await seals.seal(work, [work.organization_id], now=NOW)
        return found + list((await seals.verify(work)).findings)


async def test_vouchers_come_with_their_history(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, shop: dict[str, str], superuser: psycopg.Connection
) -> None:
    dry = await send(client, tenant, shop, GOOD, dryRun="true")
    expected = {"vouchers": 4, "used": 2, "voucherPurchaseIds": [], "isDryRun": True}
    assert (status_and_body(dry), await vouchers_of(client, tenant)) == ((200, expected), {})
    answer = await send(client, tenant, shop, GOOD)
    purchases = answer.json()["voucherPurchaseIds"]
    assert status_and_body(answer) == (201, expected | {"voucherPurchaseIds": purchases, "isDryRun": False})

    found = await vouchers_of(client, tenant)
    assert {
        code: (each["isActive"], each["isUsed"], each["expiresAt"], each.get("recipientEmail"), each.get("usedAt"))
        for code, each in found.items()
    } == {
        "FREE-1": (True, False, "2030-01-01T00:00:00Z", "Ada@example.com", None),
        "OFF-1": (False, False, "2027-06-15T12:00:00Z", None, None),
        "USED-1": (True, True, "2027-01-01T00:00:00Z", None, "2026-03-01T09:00:00Z"),
        "USED-2": (True, True, "2027-06-15T12:00:00Z", None, "2026-06-15T12:00:00Z"),
    }
    used = [found[code] for code in ("USED-1", "USED-2")]
    assert [(each["reservationCode"], each["reservationStatus"], each["storeExamCode"]) for each in used] == [
        ("R-17", "Created", "NCP-ADS"),
        ("IMPORTED-USED-2", "Created", "NCA-GENL"),
    ]
    purchase = (await client.get(f"{ROOT}/voucher-purchases/{purchases[0]}", headers=tenant.bearer)).json()
    shown = {name: purchase[name] for name in ("status", "quantity", "quantityUsed", "amount", "partnerName")}
    assert shown == {"status": "Complete", "quantity": 4, "quantityUsed": 2, "amount": 0, "partnerName": "Acme"}
    assert [entry[2] for entry in audit_entries_of(superuser, tenant, "VoucherPurchase")] == ["Created"]
    (entry,) = audit_entries_of(superuser, tenant, "VoucherImport")
    assert (entry[2], entry[4]["vouchers"], entry[4]["used"]) == ("Imported", 4, 2)

    assert await discrepancies(resources, tenant) == []
    refusal = await redeem(client, tenant, "used-1", "RSV-9", storeExamCode="NCP-ADS")
    assert ("/code", "Used") in reasons(refusal)
    assert (await create_redemption(client, tenant, "free-1", "RSV-1"))["code"] == "FREE-1"


async def test_an_imported_use_can_be_cancelled_and_gives_the_voucher_back(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, shop: dict[str, str]
) -> None:
    await send(client, tenant, shop, GOOD)
    assert (await update_reservation(client, tenant, "R-17", "Cancelled")).status_code == 200
    found = (await vouchers_of(client, tenant))["USED-1"]
    assert (found["isUsed"], found["reservationStatus"]) == (False, "Cancelled")
    assert await discrepancies(resources, tenant) == []


@pytest.mark.parametrize("days_at_once", [1, 100])
async def test_uses_on_days_that_are_rolled_up_are_in_the_reports(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    shop: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    days_at_once: int,
) -> None:
    monkeypatch.setattr(late, "DAYS_AT_ONCE", days_at_once)
    old = f"{HEADER}\nOLD-1,,,,,2026-03-01T12:00:00Z,R-1,,,\nOLD-2,,,,,2026-03-02T12:00:00Z,R-2,,,\n"
    new = f"{HEADER}\nOLD-3,,,,,2026-03-01T23:00:00Z,R-3,,,\nOLD-4,,,,,2026-06-15T11:00:00Z,R-4,,,\n"
    new += "OLD-5,,,,,2026-03-02T23:00:00Z,R-5,,,\n"
    assert (await send(client, tenant, shop, old)).status_code == 201
    async with resources.database.unit_of_work(tenant.id) as work:
        while await reports.roll_up(work, [work.organization_id], now=NOW):
            continue
    assert (await send(client, tenant, shop, new)).status_code == 201
    query = {"by": "day", "from": "2026-01-01"}
    answer = await client.get(f"{ROOT}/reports/redemptions", params=query, headers=tenant.bearer)
    assert [(row["key"], row["redeemed"], row["discount"]) for row in answer.json()["data"]] == [
        ("2026-03-01", 2, 200),
        ("2026-03-02", 2, 200),
        ("2026-06-15", 1, 100),
    ]
    assert await discrepancies(resources, tenant) == []


async def test_every_bad_line_is_named(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    exams = tuple(tenant.exam_ids.values())
    shop = await shop_of(resources, tenant, store_exam_ids=exams)
    header = "code,isUsed,recipientEmail,usedAt,reservationCode,reservationStatus,storeExamCode,usedByPersonId"
    lines = [
        "A1,maybe,,,,,,",
        ",,,,,,,P",
        f"{'x' * 65},,ada,,,,,",
        "B1,,,,,,,P-1",
        "B2,true,,2026-06-15T12:00:01Z,,Cancelled,NOPE,",
        "B3,true,,,,,,",
        "B4,,,,R-1,Created,,",
        "B5,,,,R-1,,,",
        "b3,,,,,,,",
        "B6,true,,,R-2,,NCA-GENL,",
        "B7,true,,,R-2,,NCA-GENL,",
        "PRO-****27,,,,,,,",
    ]
    answer = await send(client, tenant, shop, "\n".join([header, *lines]))
    earlier = "must be unique, but an earlier line has it"
    not_used = "must be empty for a voucher that is not used"
    assert status_and_body(answer) == refused(
        (2, "isUsed", "NotBoolean", "must be true or false"),
        (3, "code", "Required", "is required"),
        (3, "usedByPersonId", "NotUsed", not_used),
        (4, "code", "CodeLength", "must have 1 to 64 characters"),
        (4, "recipientEmail", "NotEmail", "must be a valid e-mail address"),
        (5, "usedByPersonId", "NotUsed", not_used),
        (6, "usedAt", "TimeRange", "must be from 2000-01-01 to now"),
        (
            6,
            "reservationStatus",
            "UsedAndCancelled",
            "must not be Cancelled for a used voucher, because a cancellation gives the voucher back",
        ),
        (6, "storeExamCode", "StoreExamNotFound", "names an unknown store exam: 'NOPE'"),
        (7, "storeExamCode", "Required", "is required for a used voucher, because the program has several exams"),
        (8, "reservationStatus", "NotUsed", "must be Cancelled for a voucher that is not used"),
        (9, "reservationStatus", "Required", "is required beside the code of a reservation"),
        (10, "code", "Repeated", earlier),
        (
            12,
            "reservationCode",
            "Repeated",
            f"{earlier}: a reservation has one voucher",
        ),
        (13, "code", "Masked", "must not contain ****, which stands for the hidden part of a code"),
    )
    assert (await vouchers_of(client, tenant), audit_entries_of(superuser, tenant, "VoucherPurchase")) == ({}, [])


async def test_codes_and_reservations_that_exist_are_refused(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection, shop: dict[str, str]
) -> None:
    partner, program = UUID(shop["partnerId"]), UUID(shop["programId"])
    purchase = await add_purchase(resources, tenant, partner, program, "VP-1")
    await add_vouchers(resources, tenant, voucher(purchase, partner, "TAKEN"), voucher(purchase, partner, "SPENT"))
    archived = percent_code(tenant, "Promo", status=Status.ARCHIVED)
    await add_promo_codes(resources, tenant, archived, now=NOW)
    platform = factories.add_platform(superuser, tenant)
    worldwide = percent_code(tenant, f"GLOBAL{tenant.id.hex[-8:]}", store_exam_ids=())
    await add_promo_codes(resources, platform, worldwide, now=NOW)
    await create_redemption(client, tenant, "SPENT", "RSV-1")
    content = f"{HEADER}\ntaken,,,,,,,,,\nPROMO,,,,,,,,,\nNEW,,true,,,,RSV-1,,,\n{worldwide.name},,,,,,,,,\n"
    assert status_and_body(await send(client, tenant, shop, content)) == refused(
        (2, "code", "CodeTaken", "must be unique, and 'TAKEN' is taken"),
        (3, "code", "CodeTaken", "must be unique, and 'PROMO' is taken"),
        (4, "reservationCode", "ReservationTaken", "must be unique, and 'RSV-1' is taken"),
    )


async def test_the_vouchers_of_a_file_expire_on_a_limited_number_of_days(
    client: httpx.AsyncClient, tenant: Tenant, shop: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_EXPIRY_DAYS", 2)
    lines = [f"OPEN-{number},,,2030-01-0{day}T00:00:00Z,,,,,," for number, day in enumerate((1, 1, 2, 2, 3))]
    answer = await send(client, tenant, shop, "\n".join([HEADER, *lines]))
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [("/6/expiresAt", "TooManyDays")]
    assert (await send(client, tenant, shop, "\n".join([HEADER, *lines[:4]]))).status_code == 201


async def test_an_import_locks_the_prefix_before_the_totals_as_issuing_does(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, shop: dict[str, str], superuser: psycopg.Connection
) -> None:
    assert (await send(client, tenant, shop, f"{HEADER}\nOPEN-1,,,,,,,,,\n")).status_code == 201
    async with resources.database.unit_of_work(tenant.id) as work:
        await vouchers.claim_codes(work, "OPEN-", 1)
        importing = asyncio.create_task(send(client, tenant, shop, f"{HEADER}\nOPEN-2,,,,,,,,,\n"))
        await until_blocked(superuser)
        # The totals are still free for another one who holds the prefix.
        query = "select count(*) from (select from voucher_totals where organization_id = %s for update nowait) as free"
        assert superuser.execute(query, [tenant.id]).fetchone() == (1,)
    assert (await importing).status_code == 201


async def test_a_long_file_becomes_several_purchases(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    shop: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    superuser: psycopg.Connection,
) -> None:
    monkeypatch.setattr(service, "MAX_QUANTITY", 2)
    monkeypatch.setattr(service, "MAX_LINES", 5)
    lines = [f"OPEN-{number},,{'true' if number % 2 else ''},,,,,,," for number in range(6)]
    answer = await send(client, tenant, shop, "\n".join([HEADER, *lines]))
    assert [error["code"] for error in answer.json()["errors"]] == ["TooManyLines"]
    answer = await send(client, tenant, shop, "\n".join([HEADER, *lines[:5]]))
    quantities = superuser.execute(
        "select quantity, quantity_used from voucher_purchases where organization_id = %s order by id", [tenant.id]
    ).fetchall()
    assert (len(answer.json()["voucherPurchaseIds"]), quantities) == (3, [(2, 1), (2, 1), (1, 0)])
    issued = superuser.execute("select issued from voucher_code_spaces where organization_id = %s", [tenant.id])
    assert issued.fetchall() == [(5,)]
    assert await discrepancies(resources, tenant) == []


async def test_an_export_of_vouchers_can_be_imported_elsewhere(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant, shop: dict[str, str]
) -> None:
    await send(client, tenant, shop, GOOD)
    await update_reservation(client, tenant, "R-17", "Cancelled")
    one, *_ = (await vouchers_of(client, tenant)).values()
    texts = {"metadata": {"orderId": "A|1"}}
    await client.put(f"{ROOT}/vouchers/{one['id']}/metadata", json=texts, headers=tenant.bearer)
    export = await client.get(f"{ROOT}/exports/vouchers?reveal=true", headers=tenant.bearer)
    elsewhere = await shop_of(resources, other_tenant)
    assert (await send(client, other_tenant, elsewhere, export.content)).status_code == 201
    fields = ("code", "isActive", "isUsed", "expiresAt", "recipientEmail", "assignedAt", "reservationCode", "usedAt")
    here, there = [
        [
            {name: each[name] for name in (*fields, "reservationStatus", "storeExamCode", "metadata")}
            for each in (await vouchers_of(client, organization)).values()
        ]
        for organization in (tenant, other_tenant)
    ]
    assert here == there
    found = await client.get(f"{ROOT}/vouchers?metadata=orderId=A%7C1&reveal=true", headers=other_tenant.bearer)
    assert [each["code"] for each in found.json()["data"]] == [one["code"]]
    assert await discrepancies(resources, other_tenant) == []


async def test_only_managers_import_and_only_for_what_the_partner_can_buy(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant, shop: dict[str, str]
) -> None:
    headers = await headers_without_rights(client, tenant) | {"Content-Type": "text/csv"}
    answer = await client.post(URL, params=shop, content=GOOD, headers=headers)
    assert status_and_body(answer) == problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
    pilot = str(await add_program(resources, tenant, "Pilot", is_available_to_all_partners=False))
    answer = await send(client, tenant, shop | {"programId": pilot}, GOOD)
    words = "programId must be a program that is open to this partner."
    assert status_and_body(answer) == invalid(("/programId", "NotOpenToPartner", words))
    answer = await send(client, other_tenant, shop, GOOD)
    assert [error["code"] for error in answer.json()["errors"]] == ["NotFound", "NotFound"]
