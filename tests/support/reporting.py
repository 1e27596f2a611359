"""The data of reports: redemptions on several days, and rolled-up days."""

from datetime import datetime
from uuid import UUID

import httpx
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.redemption_requests import act, candidate, create_redemption
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher

from tessera.api.serving.resources import Resources
from tessera.reports import service as reports

EXPORT_URL = "/management/v1/exports/redemptions"
EXPORT_HEADER = (
    "id,status,code,kind,reservationCode,reservationStatus,storeExamCode,productBundleId,personId,clientCandidateId,"
    "firstName,lastName,email,listPrice,discount,finalPrice,madeBy,heldUntil,createdAt,updatedAt\r\n"
)


async def open_shop(resources: Resources, tenant: Tenant) -> UUID:
    """Add a promo code and a partner with two vouchers; returns the partner's id."""
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=NOW)
    partner = await add_partner(resources, tenant, "Acme Corp")
    purchase = await add_purchase(resources, tenant, partner, await add_program(resources, tenant, "Open"), "VP-1")
    await add_vouchers(resources, tenant, voucher(purchase, partner, "PAID"), voucher(purchase, partner, "SPARE"))
    return partner


async def redeem_for_days(client: httpx.AsyncClient, tenant: Tenant, clock: Clock) -> None:
    """Redeem two codes and a voucher on the 12th and a bundle on the 14th, cancel one use, and hold a code today."""
    clock.now = datetime.fromisoformat("2026-06-12T23:59:59Z")
    first = await create_redemption(client, tenant, "SPRING", "RSV-1")
    await create_redemption(client, tenant, "spring", "RSV-2", candidate=candidate("P-2"))
    await create_redemption(client, tenant, "PAID", "RSV-3")
    clock.now = datetime.fromisoformat("2026-06-14T00:00:00Z")
    bundle = {"storeExamCode": None, "productBundleId": str(tenant.bundle_id)}
    await create_redemption(client, tenant, "SPRING", "RSV-4", **bundle)
    await act(client, tenant, first, "cancel")
    clock.now = NOW
    await create_redemption(client, tenant, "SPRING", "RSV-5", holdSeconds=600)


async def roll_up(resources: Resources, tenant: Tenant, *, now: datetime) -> list[str]:
    """Roll up all closed days; returns their dates."""
    days: list[str] = []
    for _ in range(1000):
        async with resources.database.unit_of_work(tenant.id) as work:
            day = (await reports.roll_up(work, [work.organization_id], now=now)).get(work.organization_id)
        if day is None:
            return days
        days.append(str(day))
    raise AssertionError("1,000 days were rolled up, and more remain")
