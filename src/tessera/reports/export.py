"""Reports as CSV files."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from tessera.kit import csv
from tessera.kit.db.database import Database
from tessera.reports import service
from tessera.reports.service import RedemptionReport, VoucherTotals

# Each page has its own unit of work, so a slow reader holds neither a connection nor old row versions.
PAGE_SIZE = 2_000


async def redemptions_csv(
    database: Database, organization_id: UUID, report: RedemptionReport, *, reveals: bool
) -> AsyncIterator[bytes]:
    """A header line, then the sums of each key; the codes of vouchers are masked or revealed."""
    yield csv.lines([[report.by, "name", "redeemed", "cancelled", "net", "discount"]])
    after, has_more = None, True
    while has_more:
        async with database.unit_of_work(organization_id) as work:
            page = await service.list_redemptions(work, report, reveals=reveals, after=after, size=PAGE_SIZE)
        yield await csv.page(
            page.items, lambda row: [row.key, row.name, row.redeemed, row.cancelled, row.net, row.discount]
        )
        after, has_more = page.cursor, page.cursor is not None


async def vouchers_csv(database: Database, organization_id: UUID, *, now: datetime) -> AsyncIterator[bytes]:
    """A header line, the voucher totals of each partner, and a line with the total over all partners."""
    names = ["bought", "used", "unused", "archived", "expired", "expiringWithin30Days", "expiringWithin90Days"]
    yield csv.lines([["partnerId", "partnerName", *names]])
    after, has_more = None, True
    while has_more:
        async with database.unit_of_work(organization_id) as work:
            page = await service.list_vouchers(work, now=now, after=after, size=PAGE_SIZE)
        yield await csv.page(page.items, lambda row: [row.id, row.name, *_cells(row.totals)])
        after, has_more = page.cursor, page.cursor is not None
    async with database.unit_of_work(organization_id) as work:
        yield csv.lines([[None, "Total", *_cells(await service.sum_vouchers(work, now=now))]])


def _cells(totals: VoucherTotals) -> list[int]:
    return [
        totals.bought,
        totals.used,
        totals.unused,
        totals.archived,
        totals.expired,
        totals.expiring_within_30_days,
        totals.expiring_within_90_days,
    ]
