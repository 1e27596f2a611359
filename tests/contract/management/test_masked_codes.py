"""Voucher codes in the management API: masked, unless a caller with the right asks for them."""

import base64
import re
from uuid import UUID

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from tests.conftest import NOW
from tests.support.factories import Tenant
from tests.support.management_requests import ROOT, audit_entries_of, if_match, problem
from tests.support.redemption_requests import create_redemption, update_reservation
from tests.support.responses import status_and_body
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_user, add_vouchers, voucher

from tessera.api.serving.resources import Resources
from tessera.identity.rules import FunctionPoint

CODE, MASKED = "SPRING-4H7KQ2MZ27", "SPRING-****27"
MANAGE, ASSIGN = FunctionPoint.MANAGE_ORGANIZATION, FunctionPoint.PARTNER_ASSIGN_VOUCHERS


@pytest.fixture
async def ids(client: httpx.AsyncClient, resources: Resources, tenant: Tenant) -> dict[str, UUID]:
    """The ids of a voucher that is assigned, and free again after a cancelled use, by the parameters of paths."""
    partner, program = await add_partner(resources, tenant, "Acme"), await add_program(resources, tenant, "Open")
    purchase = await add_purchase(resources, tenant, partner, program, "VP-1")
    one = voucher(purchase, partner, CODE, recipient_email="ada@example.com", assigned_at=NOW)
    await add_vouchers(resources, tenant, one)
    redemption = await create_redemption(client, tenant, CODE, f"IMPORTED-{CODE}")
    assert redemption["code"] == CODE
    assert (await update_reservation(client, tenant, f"IMPORTED-{CODE}", "Cancelled")).status_code == 200
    url = f"{ROOT}/vouchers/{one.id}"
    found = await client.get(f"{url}?reveal=false", headers=tenant.bearer)
    changed = await client.post(f"{url}/switch-off", headers=if_match(found.json()["version"], tenant))
    assert changed.json()["code"] == MASKED
    return {"voucherId": one.id, "voucherPurchaseId": purchase, "voucherPartnerId": partner}


def reads(app: FastAPI, ids: dict[str, UUID]) -> list[str]:
    """Every GET operation of the management API."""
    paths = [
        path for path, operations in app.openapi()["paths"].items() if path.startswith(ROOT) and "get" in operations
    ]
    names = {name: str(value) for name, value in ids.items()} | {"personId": "P-1"}
    filled = [re.sub(r"{(\w+)}", lambda match: names.get(match[1], str(UUID(int=7))), path) for path in paths]
    return [*filled, f"{ROOT}/reports/redemptions?by=code", f"{ROOT}/vouchers?limit=1&purchaseCode=VP-1"]


def cursors_in(text: str) -> str:
    return "".join(
        base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        for cursor in re.findall(r'"nextCursor":"([^"]+)"', text)
    )


async def test_no_read_shows_a_code_to_a_caller_without_the_right(
    app: FastAPI, client: httpx.AsyncClient, resources: Resources, tenant: Tenant, ids: dict[str, UUID]
) -> None:
    rights = tuple(each for each in FunctionPoint if each is not FunctionPoint.SEE_VOUCHER_CODES)
    clerk = await add_user(resources, tenant, "all@example.com", function_points=rights)
    texts = {}
    for url in reads(app, ids):
        is_assignment = url.endswith("/assignments")  # PartnerAssignVouchers suffices
        answer = await client.get(f"{url}?reveal=false" if is_assignment else url, headers=clerk)
        texts[url] = answer.text + cursors_in(answer.text)
    assert [url for url, text in texts.items() if CODE in text or CODE.lower() in text] == []
    masked = {url.removeprefix(ROOT).partition("?")[0] for url, text in texts.items() if MASKED in text}
    shown = {f"/vouchers/{ids['voucherId']}", f"/voucher-purchases/{ids['voucherPurchaseId']}/assignments"}
    shown |= {
        "/vouchers",
        "/exports/vouchers",
        "/exports/redemptions",
        "/audit-entries",
        "/persons/P-1/export",
    }
    assert masked == shown


async def test_each_unmasking_is_recorded_without_codes(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, ids: dict[str, UUID]
) -> None:
    purchase = ids["voucherPurchaseId"]
    for url in ("vouchers", f"vouchers/{ids['voucherId']}", "exports/vouchers", "reports/redemptions"):
        query = "reveal=false&by=code" if url == "reports/redemptions" else "reveal=false"
        assert CODE not in (await client.get(f"{ROOT}/{url}?{query}", headers=tenant.bearer)).text, url
    for url in (
        f"vouchers?voucherCode={CODE}&purchaseId={purchase}",
        f"vouchers?reveal=true&search={CODE[:4]}",
        f"vouchers/{ids['voucherId']}?reveal=TRUE",
        f"voucher-purchases/{purchase}/assignments",
        "exports/vouchers",
        "exports/redemptions?reveal=true&status=Cancelled",
        "reports/redemptions?by=code&reveal=true&from=2026-06-01",
    ):
        assert CODE in (await client.get(f"{ROOT}/{url}", headers=tenant.bearer)).text, url
    people = {"recipientEmails": ["ada@example.com"]}
    answer = await client.post(f"{ROOT}/voucher-purchases/{purchase}/assignments", json=people, headers=tenant.bearer)
    assert answer.json()["results"][0]["code"] == CODE
    assert audit_entries_of(superuser, tenant, "VoucherCodes") == [
        ("User", tenant.user_email, "Revealed", None, {"source": source, "filters": filters, "number": number})
        for source, filters, number in (
            ("vouchers", {"voucher_code": "...", "purchase_id": str(purchase)}, 1),
            ("vouchers", {"search": "..."}, 1),
            ("vouchers", {"id": str(ids["voucherId"])}, 1),
            ("assignments", {"purchase_id": str(purchase)}, 1),
            ("vouchers.csv", {}, 1),
            ("redemptions.csv", {"status": "Cancelled"}, 1),
            ("reports/redemptions", {"by": "code", "first": "2026-06-01"}, 1),
            ("assignments", {"purchase_id": str(purchase)}, 1),
        )
    ]


async def test_without_the_right_codes_stay_masked(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, superuser: psycopg.Connection, ids: dict[str, UUID]
) -> None:
    clerk = await add_user(resources, tenant, "clerk@example.com", function_points=(MANAGE,))
    missing = problem(
        403, "function-point-missing", "Permission missing", "The function point SeeVoucherCodes is required."
    )
    assignments = f"voucher-purchases/{ids['voucherPurchaseId']}/assignments"
    for url in ("vouchers?reveal=true", "vouchers?search=S", "exports/vouchers?reveal=true", f"{assignments}?reveal=1"):
        refused = await client.get(f"{ROOT}/{url}".replace("=1", "=true"), headers=clerk)
        assert status_and_body(refused) == missing, url
    assert status_and_body(await client.get(f"{ROOT}/reports/redemptions?by=code", headers=clerk)) == missing
    people = {"recipientEmails": ["ada@example.com"]}
    for rights, code in ((MANAGE,), MASKED), ((ASSIGN,), CODE):
        caller = await add_user(resources, tenant, f"{len(rights)}{code[-4]}@example.com", function_points=rights)
        answer = await client.post(f"{ROOT}/{assignments}", json=people, headers=caller)
        assert answer.json()["results"][0]["code"] == code
        assert code in (await client.get(f"{ROOT}/{assignments}", headers=caller)).text
    assert len(audit_entries_of(superuser, tenant, "VoucherCodes")) == 2


async def test_a_repeated_assignment_has_masked_codes(
    client: httpx.AsyncClient, tenant: Tenant, ids: dict[str, UUID]
) -> None:
    url, people = f"{ROOT}/voucher-purchases/{ids['voucherPurchaseId']}/assignments", ["ada@example.com"]
    headers = tenant.bearer | {"Idempotency-Key": "hand-out"}
    answers = [await client.post(url, json={"recipientEmails": people}, headers=headers) for _ in range(2)]
    (first,), (repeated,) = (each.json()["results"] for each in answers)
    assert (first["code"], repeated) == (CODE, first | {"code": MASKED})


async def test_a_storefront_sees_the_codes_that_it_has_redeemed_and_no_others(
    client: httpx.AsyncClient, tenant: Tenant, ids: dict[str, UUID]
) -> None:
    for headers, code in ((tenant.api_key, CODE), (tenant.bearer, MASKED)):
        listed = (await client.get("/storefront/v1/redemptions", headers=headers)).json()["data"]
        one = (await client.get(f"/storefront/v1/redemptions/{listed[0]['id']}", headers=headers)).json()
        assert [each["code"] for each in (*listed, one)] == [code, code]
        assert one["reservationCode"] == f"IMPORTED-{code}"
