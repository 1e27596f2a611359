"""Statements on the numbers of vouchers of one tenant."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, any_, bindparam, func, literal, select, true, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tessera.kit.db.pages import CursorPage, fetch_cursor_page
from tessera.kit.db.records import record_of
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.vouchers.tables import Voucher, VoucherPartner
from tessera.vouchers.totals.tables import VoucherTotal


class Bucket(NamedTuple):
    """The row that counts a voucher: its partner and its day of expiry, UTC."""

    partner_id: UUID
    expires_on: date


class Count(NamedTuple):
    """The numbers of vouchers in a bucket, or the effect of a change on them; `archived` excludes used vouchers."""

    quantity: int = 0
    used: int = 0
    archived: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherTotals:
    """Numbers of vouchers; expired and expiring vouchers are unused ones, and the periods start today."""

    bought: int
    used: int
    archived: int
    expired: int
    expiring_within_30_days: int
    expiring_within_90_days: int

    @property
    def unused(self) -> int:
        """The number of vouchers that are neither used nor archived, including expired ones."""
        return self.bought - self.used - self.archived


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerTotals:
    """A partner and the totals of its vouchers."""

    id: UUID
    name: str
    totals: VoucherTotals


class VoucherTotalsRepository:
    """The totals of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def find(self, voucher_ids: Collection[UUID]) -> dict[UUID, tuple[Bucket, bool]]:
        """The bucket of each of these vouchers, and whether it is archived."""
        statement = select(Voucher.id, Voucher.partner_id, Voucher.expires_at, Voucher.is_archived).where(
            Voucher.organization_id == self._organization_id,
            Voucher.id == any_(literal(list(voucher_ids), ARRAY(Uuid))),
        )
        rows = await self._connection.execute(statement)
        return {row.id: (bucket_of(row.partner_id, row.expires_at), row.is_archived) for row in rows}

    async def add_missing(self, buckets: Collection[Bucket]) -> None:
        """Add the rows of these buckets that do not exist yet."""
        rows = [
            {"organization_id": self._organization_id, **each._asdict(), **Count()._asdict()}
            for each in sorted(buckets)
        ]
        await self._connection.execute(upsert(VoucherTotal).values(rows).on_conflict_do_nothing())

    async def change(self, changes: Mapping[Bucket, Count]) -> None:
        """Add to existing buckets, in their order so that concurrent calls cannot deadlock."""
        statement = (
            update(VoucherTotal)
            .where(
                VoucherTotal.organization_id == self._organization_id,
                VoucherTotal.partner_id == bindparam("of_partner"),
                VoucherTotal.expires_on == bindparam("on_day"),
            )
            .values({name: getattr(VoucherTotal, name) + bindparam(f"{name}_by") for name in Count._fields})
        )
        rows = [
            {"of_partner": bucket.partner_id, "on_day": bucket.expires_on}
            | {f"{name}_by": change for name, change in count._asdict().items()}
            for bucket, count in sorted(changes.items())
        ]
        await self._connection.execute(statement, rows)

    async def sum(self, *, today: date) -> VoucherTotals:
        """The totals over all partners."""
        statement = select(*_sums(today)).where(VoucherTotal.organization_id == self._organization_id)
        return _totals((await self._connection.execute(statement)).one())

    async def list_by_cursor(self, *, today: date, after: str | None, size: int) -> CursorPage[PartnerTotals]:
        """A page of partners with their totals, oldest first."""
        order = [VoucherPartner.__table__.c.id]
        page = await fetch_cursor_page(self._connection, self._by_partner(today), order=order, after=after, size=size)
        rows = [PartnerTotals(id=row.id, name=row.name, totals=_totals(row)) for row in page.items]
        return CursorPage(rows, page.cursor)

    def _by_partner(self, today: date) -> Select[tuple[UUID, str]]:
        sums = (
            select(*_sums(today))
            .where(VoucherTotal.organization_id == self._organization_id, VoucherTotal.partner_id == VoucherPartner.id)
            .lateral("summed")
        )
        statement: Select[tuple[UUID, str]] = (
            select(VoucherPartner.id, VoucherPartner.name, *sums.c)
            .join_from(VoucherPartner, sums, true())
            .where(VoucherPartner.organization_id == self._organization_id)
        )
        return statement


def bucket_of(partner_id: UUID, expires_at: datetime) -> Bucket:
    """The bucket that counts a voucher."""
    return Bucket(partner_id, expires_at.astimezone(UTC).date())


def _sums(today: date) -> Sequence[ColumnElement[int]]:
    unused = func.sum(VoucherTotal.quantity - VoucherTotal.used - VoucherTotal.archived)

    def expiring(days: int) -> ColumnElement[int]:
        return unused.filter(VoucherTotal.expires_on >= today, VoucherTotal.expires_on < today + timedelta(days=days))

    sums = {
        "bought": func.sum(VoucherTotal.quantity),
        "used": func.sum(VoucherTotal.used),
        "archived": func.sum(VoucherTotal.archived),
        "expired": unused.filter(VoucherTotal.expires_on < today),
        "expiring_within_30_days": expiring(30),
        "expiring_within_90_days": expiring(90),
    }
    return [func.coalesce(each, 0).label(name) for name, each in sums.items()]


def _totals(row: AnyRow) -> VoucherTotals:
    return record_of(VoucherTotals, row)
