"""Reports as CSV files, of any length."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from tessera.kit import csv
from tessera.kit.db.database import Database
from tessera.reports import service
from tessera.reports.service import RedemptionReport, VoucherTotals

# Each part is a unit of work of its own: a slow reader holds neither a connection nor old versions of rows. And it is
# small enough to keep nobody else waiting while it is put into words.
AT_ONCE = 2_000


async def redemptions_csv(database: Database, organization_id: UUID, wanted: RedemptionReport) -> AsyncIterator[bytes]:
    """What was redeemed of each key; the first line names the columns."""
    yield csv.lines([[wanted.by, "name", "redeemed", "cancelled", "net", "discount"]])
    after, more = None, True
    while more:
        async with database.unit_of_work(organization_id) as work:
            part = await service.list_redemptions(work, wanted, after=after, size=AT_ONCE)
        yield csv.lines([[row.key, row.name, row.redeemed, row.cancelled, row.net, row.discount] for row in part.items])
        after, more = part.cursor, part.cursor is not None


async def vouchers_csv(database: Database, organization_id: UUID, *, now: datetime) -> AsyncIterator[bytes]:
    """How many vouchers each partner has; the first line names the columns, the last one is the total."""
    names = ["bought", "used", "unused", "archived", "expired", "expiringWithin30Days", "expiringWithin90Days"]
    yield csv.lines([["partnerId", "partnerName", *names]])
    after, more = None, True
    while more:
        async with database.unit_of_work(organization_id) as work:
            part = await service.list_vouchers(work, now=now, after=after, size=AT_ONCE)
        yield csv.lines([[row.id, row.name, *_cells(row.totals)] for row in part.items])
        after, more = part.cursor, part.cursor is not None
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
