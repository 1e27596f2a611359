"""Ledger entries without redemptions, and the reports that they must produce."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import psycopg
from tests.support.factories import Tenant

from tessera.api.serving.resources import Resources
from tessera.kit.identifiers import new_id
from tessera.provision import Addresses
from tessera.reports import service as reports
from tessera.reports.service import Dimension, Period, RedemptionReport

Sum = tuple[str, int, int, Decimal]


@dataclass(frozen=True)
class Entry:
    """One entry: 1 for a redemption, -1 for a cancellation, 0 for a change of a hold."""

    at: datetime
    change: int
    code: str
    store_exam_id: UUID | None
    product_bundle_id: UUID | None
    partner_id: UUID | None
    discount: Decimal

    def key(self, by: Dimension) -> str | None:
        """The key of the sum to which the entry belongs."""
        match by:
            case Dimension.DAY:
                return str(self.at.date())
            case Dimension.CODE:
                return self.code
            case Dimension.CAMPAIGN:
                return None
            case Dimension.STORE_EXAM:
                return str(self.store_exam_id or self.product_bundle_id)
            case Dimension.PARTNER:
                return str(self.partner_id) if self.partner_id else None


@contextmanager
def ledger_connection(addresses: Addresses) -> Iterator[psycopg.Connection]:
    """A connection that can write entries."""
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def append(connection: psycopg.Connection, tenant: Tenant, entries: Iterable[Entry]) -> None:
    """Append entries to an organization's ledger."""
    fields = ("change", "code", "store_exam_id", "product_bundle_id", "partner_id", "discount", "at")
    rows = [(tenant.id, new_id(), *(getattr(each, field) for field in fields)) for each in entries]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")  # the redemptions need not exist
        cursor.executemany(
            "insert into redemption_ledger (organization_id, redemption_id, number, status, redeemed_change,"
            " held_change, code, store_exam_id, product_bundle_id, partner_id, discount, at)"
            " values (%s, %s, 1, 'Whatever', %s, 0, %s, %s, %s, %s, %s, %s)",
            rows,
        )


def expected_sums(entries: Iterable[Entry], by: Dimension, first: date, end: date) -> list[Sum]:
    """The expected report of these entries, which are counted one by one."""
    by_key: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        key = entry.key(by)
        if key is not None and entry.change and first <= entry.at.date() < end:
            by_key[key].append(entry)
    return [
        (
            key,
            sum(each.change > 0 for each in group),
            sum(each.change < 0 for each in group),
            sum((each.change * each.discount for each in group), Decimal(0)),
        )
        for key, group in sorted(by_key.items())
    ]


async def read_report(
    resources: Resources, tenant: Tenant, by: Dimension, first: date, end: date, *, size: int = 1000
) -> Sequence[Sum]:
    """The rows of the report, read page by page."""
    rows: list[Sum] = []
    after = None
    for _ in range(1000):
        async with resources.database.unit_of_work(tenant.id) as work:
            page = await reports.list_redemptions(
                work, RedemptionReport(by=by, period=Period(first, end)), after=after, size=size
            )
        rows += [(row.sort_key, row.redeemed, row.cancelled, row.discount) for row in page.items]
        after = page.cursor
        if after is None:
            return rows
    raise AssertionError("the report has more than 1,000 pages")
