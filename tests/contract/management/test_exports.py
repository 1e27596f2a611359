"""Exports as CSV files of any length."""

import csv
import io
from datetime import UTC, datetime

import httpx
import pytest
from tests.conftest import NOW
from tests.support import factories, voucher_factories
from tests.support.factories import Tenant, percent_code
from tests.support.management_requests import RIGHT_IS_MISSING, ROOT, headers_without_rights, invalid, problem
from tests.support.responses import status_and_body

from tessera.api.serving.resources import Resources
from tessera.promo_codes.management import service
from tessera.promo_codes.rules import Status

URL = f"{ROOT}/exports/promo-codes"


def rows(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


async def test_without_the_function_point_nothing_is_exported(client: httpx.AsyncClient, tenant: Tenant) -> None:
    expected = problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
    assert status_and_body(await client.get(URL, headers=await headers_without_rights(client, tenant))) == expected


async def test_an_export_has_every_code_of_the_organization_in_order_and_no_other(
    client: httpx.AsyncClient,
    tenant: Tenant,
    other_tenant: Tenant,
    resources: Resources,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "EXPORT_PAGE_SIZE", 2)
    await factories.add_promo_codes(resources, other_tenant, percent_code(other_tenant, "THEIRS"), now=NOW)
    for count in range(1, 6):
        code = percent_code(tenant, f"CODE{count}", status=Status.INACTIVE if count == 2 else Status.ACTIVE)
        await factories.add_promo_codes(resources, tenant, code, now=NOW)
        answer = await client.get(URL, headers=tenant.bearer)
        assert [row["name"] for row in rows(answer)] == [f"CODE{number}" for number in range(1, count + 1)]
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="promo-codes.csv"'
    active = rows(await client.get(f"{URL}?status=Active&storeExamCode=NCA-GENL", headers=tenant.bearer))
    assert [row["name"] for row in active] == ["CODE1", "CODE3", "CODE4", "CODE5"]
    for query in ("status=Active&kind=Percent", "kind=Percent&status=Active&storeExamCode=NCA-GENL"):
        filtered = rows(await client.get(f"{URL}?{query}", headers=tenant.bearer))
        assert [row["name"] for row in filtered] == ["CODE1", "CODE3", "CODE4", "CODE5"]
    assert rows(await client.get(f"{URL}?name=none", headers=tenant.bearer)) == []


async def test_a_row_has_everything_and_no_formula(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources
) -> None:
    code = percent_code(
        tenant,
        "CODE",
        notes='=HYPERLINK("x"),\n2',
        email_addresses=("@", "b@example.com"),
        product_bundle_ids=(tenant.bundle_id,),
        max_redemptions_per_candidate=1,
        campaign="Spring 2030",
        starts_at=datetime(2026, 7, 1, tzinfo=UTC),
    )
    await factories.add_promo_codes(resources, tenant, code, now=NOW)
    assert rows(await client.get(URL, headers=tenant.bearer)) == [
        {
            "name": "CODE",
            "status": "Active",
            "discountPercent": "10",
            "flatDiscount": "",
            "storeExamCodes": "NCA-GENL",
            "productBundleIds": str(tenant.bundle_id),
            "restrictToEmailAddresses": "false",
            "emailAddresses": "'@|b@example.com",
            "startsAt": "2026-07-01T00:00:00Z",
            "expiresAt": "2030-01-01T00:00:00Z",
            "maxRedemptions": "100",
            "maxRedemptionsPerCandidate": "1",
            "maxRedemptionsPerOrganization": "",
            "isCombinable": "",
            "campaign": "Spring 2030",
            "notes": '\'=HYPERLINK("x"),\n2',
            "redemptionCount": "0",
            "batchId": "",
            "createdAt": "2026-06-15T12:00:00Z",
            "id": str(code.id),
        }
    ]


async def test_a_filter_that_cannot_be_read_is_named(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.get(f"{URL}?status=Gone", headers=tenant.bearer)
    assert status_and_body(answer) == invalid(
        ("/status", "NotAmongValues", "status must be one of Inactive, Active, Archived.")
    )


async def test_vouchers_are_exported_with_what_they_belong_to(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, resources: Resources
) -> None:
    for organization, code in ((other_tenant, "THEIRS"), (tenant, "-OURS")):
        partner_id = await voucher_factories.add_partner(resources, organization, "=Acme")
        program_id = await voucher_factories.add_program(resources, organization, "Program")
        purchase_id = await voucher_factories.add_purchase(resources, organization, partner_id, program_id, code="VP-1")
        use = voucher_factories.usage(organization.exam_ids["CLD-100"], "R-1")
        voucher = voucher_factories.voucher(purchase_id, partner_id, code, **use)
        await voucher_factories.add_vouchers(resources, organization, voucher)
    (row,) = rows(await client.get(f"{ROOT}/exports/vouchers?reveal=true", headers=tenant.bearer))
    result = {name: row[name] for name in ("code", "isUsed", "purchaseCode", "partnerName", "storeExamCode", "usedAt")}
    assert result == {
        "code": "'-OURS",
        "isUsed": "true",
        "purchaseCode": "VP-1",
        "partnerName": "'=Acme",
        "storeExamCode": "CLD-100",
        "usedAt": "2026-06-15T12:00:00Z",
    }
    expected = problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
    assert (
        status_and_body(
            await client.get(f"{ROOT}/exports/vouchers", headers=await headers_without_rights(client, tenant))
        )
        == expected
    )
