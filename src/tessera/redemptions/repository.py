"""Statements on the redemptions of one tenant and on their ledger."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from tessera.catalog.tables import StoreExam
from tessera.kit.db import cursors
from tessera.kit.db.arrays import Texts
from tessera.kit.db.bulk_insert import insertion, row_of
from tessera.kit.db.compiled_queries import CompiledQuery, Step, parameter
from tessera.kit.db.pages import CursorOrder, CursorPage, fetch_cursor_page
from tessera.kit.db.selective import SEVERAL, fetch_filtered_page
from tessera.kit.db.single_rows import with_id
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.normalization import key_of
from tessera.record_metadata.repository import MetadataFilter
from tessera.record_metadata.rules import KeyAndText, Kind
from tessera.redemptions.records import NewLedgerEntry, Redemption, RedemptionFilter
from tessera.redemptions.rules import LIVE, RedemptionStatus
from tessera.redemptions.tables import LedgerEntry, Reservation
from tessera.redemptions.tables import Redemption as RedemptionTable
from tessera.vouchers.rules import ReservationStatus

_NAMES = tuple(Redemption.__dataclass_fields__)
_values_of = attrgetter(*_NAMES)
_JOINED_COLUMNS = ("reservation_code", "reservation_status", "store_exam_code")
_OWN_COLUMNS = [
    RedemptionTable.__table__.c[field.name] for field in fields(Redemption) if field.name not in _JOINED_COLUMNS
]
_ORDER: Sequence[ColumnElement[Any]] = (RedemptionTable.created_at, RedemptionTable.id)  # type: ignore[assignment]


class RedemptionRepository:
    """The redemptions of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    def finding_live(self, reservation_codes: Collection[str]) -> Step[list[Redemption]]:
        """The step that finds the redemptions of these reservations that are held or redeemed."""
        values = {"organization_id": self._organization_id, "codes": Texts([*reservation_codes])}
        return Step(_LIVE_BY_CODE, values, lambda rows: [_redemption(row) for row in rows])

    async def find_live(self, reservation_ids: Collection[UUID]) -> list[Redemption]:
        """The redemptions of these reservations that are held or redeemed."""
        condition = RedemptionTable.reservation_id == any_(literal(list(reservation_ids), ARRAY(Uuid)))
        return await self._find(condition, RedemptionTable.status.in_(LIVE))

    async def find_of_reservation(self, reservation_id: UUID) -> list[Redemption]:
        """All redemptions of a reservation, oldest first."""
        return await self._find(RedemptionTable.reservation_id == reservation_id)

    async def find_all(self, ids: Collection[UUID]) -> list[Redemption]:
        """The redemptions with these ids."""
        return await self._find(RedemptionTable.id == any_(literal(list(ids), ARRAY(Uuid))))

    async def _find(self, *conditions: ColumnElement[bool]) -> list[Redemption]:
        statement = self._select().where(*conditions).order_by(*_ORDER)
        return [_redemption(row) for row in await self._connection.execute(statement)]

    async def list_by_cursor(
        self, filters: RedemptionFilter, *, now: datetime, newest: bool = False, after: str | None, size: int
    ) -> CursorPage[Redemption]:
        """A page of redemptions, oldest or newest first; raises Invalid for a cursor of another list."""
        if filters.metadata is not None:
            statement = self._filtered(self._select(), filters, now=now)
            by_metadata = self._by_metadata(filters.metadata)
            page = await by_metadata.fetch_page(self._connection, statement, after=after, size=size, descending=newest)
            return page.map(_redemption)
        order = CursorOrder(columns=_ORDER, descending=newest)
        if by_index := self._by_index(filters, now=now):
            statement = self._filtered(self._select(), filters, now=now)
            page = await fetch_filtered_page(
                self._connection, statement, filters=by_index, order=order, after=after, size=size
            )
            return page.map(_redemption)
        pages = []
        for state in _states(filters.status, now=now):
            statement = self._select().where(*self._conditions(filters), state)
            pages.append(await fetch_cursor_page(self._connection, statement, order=order, after=after, size=size))
        return _merge(pages, size=size, descending=newest)

    async def count(self, filters: RedemptionFilter, *, now: datetime) -> int:
        """The number of redemptions that match."""
        tenant = RedemptionTable.organization_id == self._organization_id
        matching = self._filtered(select(RedemptionTable.id).where(tenant), filters, now=now)
        if filters.metadata is not None:
            matching = self._by_metadata(filters.metadata).apply(matching)
        statement = select(func.count()).select_from(matching.subquery())
        return int((await self._connection.execute(statement)).scalar_one())

    def _filtered(
        self, statement: Select[*tuple[Any, ...]], filters: RedemptionFilter, *, now: datetime
    ) -> Select[*tuple[Any, ...]]:
        """The statement with the filters by columns of redemptions."""
        return statement.where(*self._conditions(filters), or_(*_states(filters.status, now=now)))

    def _by_metadata(self, pair: KeyAndText) -> MetadataFilter:
        return MetadataFilter(
            kind=Kind.REDEMPTION,
            organization_id=self._organization_id,
            pair=pair,
            record_id=RedemptionTable.__table__.c.id,
        )

    def _by_index(self, filters: RedemptionFilter, *, now: datetime) -> list[Select[*tuple[Any, ...]]]:
        """The filters that have an index, in the order of the list; none unless there are several."""
        tenant = RedemptionTable.organization_id == self._organization_id
        period = self._period(filters)
        equal = self._equal(filters)
        states = [] if filters.status is None else _states(filters.status, now=now)
        if len(equal) + bool(states) < SEVERAL:
            return []
        by_index = [select(*_ORDER).where(tenant, each, *period) for each in equal]
        if states:
            parts = union_all(*(select(*_ORDER).where(tenant, each, *period) for each in states)).subquery("states")
            by_index.append(select(parts))
        return by_index

    def _conditions(self, filters: RedemptionFilter) -> list[ColumnElement[bool]]:
        return [*self._equal(filters), *self._period(filters)]

    def _equal(self, filters: RedemptionFilter) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if filters.code is not None:
            conditions.append(RedemptionTable.code_key == key_of(filters.code))
        if filters.reservation_code is not None:
            reservation = select(Reservation.id).where(
                Reservation.organization_id == self._organization_id, Reservation.code == filters.reservation_code
            )
            conditions.append(RedemptionTable.reservation_id == reservation.scalar_subquery())
        if filters.person_id is not None:
            conditions.append(RedemptionTable.person_id == filters.person_id)
        if filters.made_by is not None:
            conditions.append(RedemptionTable.made_by == filters.made_by)
        return conditions

    def _period(self, filters: RedemptionFilter) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if filters.created_from is not None:
            conditions.append(RedemptionTable.created_at >= filters.created_from)
        if filters.created_before is not None:
            conditions.append(RedemptionTable.created_at < filters.created_before)
        return conditions

    async def count_holds(self, *, limit: int, now: datetime) -> int:
        """The number of holds that have not lapsed, counted up to `limit`."""
        holds = (
            select(RedemptionTable.id)
            .where(
                RedemptionTable.organization_id == self._organization_id,
                RedemptionTable.status == RedemptionStatus.HELD,
                RedemptionTable.held_until > now,
            )
            .limit(limit)
        )
        statement = select(func.count()).select_from(holds.subquery())
        return int((await self._connection.execute(statement)).scalar_one())

    def _select(self) -> Select[*tuple[Any, ...]]:
        return _redemptions_of(bindparam("organization_id", self._organization_id))

    def addition(self, redemptions: Sequence[Redemption]) -> Step[int]:
        """The step that adds redemptions whose reservations and codes are locked."""
        rows = [{"organization_id": self._organization_id, **row_of(each)} for each in redemptions]
        for row in rows:
            for column in _JOINED_COLUMNS:
                del row[column]
        return insertion(RedemptionTable, rows)

    async def change(self, redemptions: Sequence[Redemption]) -> None:
        """Write the statuses and deadlines of locked redemptions."""
        names = ("status", "held_until", "changes", "updated_at")
        statement = (
            update(RedemptionTable)
            .where(
                RedemptionTable.organization_id == self._organization_id, RedemptionTable.id == bindparam("changed_id")
            )
            .values({name: bindparam(f"new_{name}") for name in names})
        )
        rows = [
            {"changed_id": each.id, **{f"new_{name}": getattr(each, name) for name in names}} for each in redemptions
        ]
        await self._connection.execute(statement, rows)

    def recording(self, entries: Sequence[NewLedgerEntry]) -> Step[int]:
        """The step that appends entries to the ledger."""
        return insertion(LedgerEntry, [{"organization_id": self._organization_id, **row_of(each)} for each in entries])


def _redemptions_of(organization_id: BindParameter[UUID]) -> Select[*tuple[Any, ...]]:
    exams = select(StoreExam.code).where(StoreExam.organization_id == organization_id)
    exam = with_id(exams, StoreExam.__table__.c.id, RedemptionTable.store_exam_id).scalar_subquery()
    reservations = select(Reservation.code, Reservation.status).where(Reservation.organization_id == organization_id)
    reservation = with_id(reservations, Reservation.__table__.c.id, RedemptionTable.reservation_id).lateral(
        "reservation"
    )
    return (
        select(
            *_OWN_COLUMNS,
            reservation.c.code.label("reservation_code"),
            reservation.c.status.label("reservation_status"),
            exam.label("store_exam_code"),
        )
        # Every redemption has a reservation. With an inner join the planner, which underestimates the number of
        # reservations, would start from all of them and sort the result.
        .outerjoin(reservation, true())
        .where(RedemptionTable.organization_id == organization_id)
    )


def _live_by_code(organization_id: BindParameter[UUID]) -> Select[*tuple[Any, ...]]:
    booking = aliased(Reservation)
    ids = select(booking.id).where(
        booking.organization_id == organization_id, booking.code == any_(parameter("codes", ARRAY(Text)))
    )
    # As an array the ids are found first, whatever the planner expects of a join.
    condition = RedemptionTable.reservation_id == any_(func.array(ids.scalar_subquery()))
    return _redemptions_of(organization_id).where(condition, RedemptionTable.status.in_(LIVE)).order_by(*_ORDER)


_LIVE_BY_CODE = CompiledQuery(_live_by_code(parameter("organization_id", Uuid())))


def _redemption(row: AnyRow) -> Redemption:
    values = dict(zip(_NAMES, _values_of(row), strict=True))
    values["status"] = RedemptionStatus(row.status)
    values["earlier_discounts"] = row.earlier_discounts or Decimal(0)
    values["is_combinable"] = bool(row.is_combinable)
    values["reservation_status"] = ReservationStatus(row.reservation_status)
    return Redemption(**values)


def _states(status: RedemptionStatus | None, *, now: datetime) -> list[ColumnElement[bool]]:
    """The conditions of a status at `now`, each served by an index in the order of the list."""
    # Every hold has a deadline. `coalesce` keeps the planner from the indexes on deadlines, which contain all
    # organizations and are not in the order of the list.
    deadline = func.coalesce(RedemptionTable.held_until, now)
    match status:
        case None:
            return [true()]
        case RedemptionStatus.HELD:
            return [and_(RedemptionTable.status == RedemptionStatus.HELD, deadline > now)]
        case RedemptionStatus.EXPIRED:
            has_lapsed = and_(RedemptionTable.status == RedemptionStatus.HELD, deadline <= now)
            # Two conditions, whose pages are merged, because an index has the order of the list only within one status.
            return [RedemptionTable.status == RedemptionStatus.EXPIRED, has_lapsed]
        case _:
            return [RedemptionTable.status == status]


def _merge(pages: Sequence[CursorPage[AnyRow]], *, size: int, descending: bool) -> CursorPage[Redemption]:
    redemptions = [_redemption(row) for page in pages for row in page.items]
    redemptions.sort(key=lambda redemption: (redemption.created_at, redemption.id), reverse=descending)
    items = redemptions[:size]
    has_more = len(redemptions) > size or any(page.cursor is not None for page in pages)
    return CursorPage(items, cursors.encode([items[-1].created_at, items[-1].id]) if has_more else None)
