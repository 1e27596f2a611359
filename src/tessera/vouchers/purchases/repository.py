"""Statements on voucher purchases of one tenant."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute

from tessera.kit import editing
from tessera.kit.db.bulk_insert import insertion_ignoring_conflicts, row_of
from tessera.kit.db.compiled_queries import run
from tessera.kit.db.pages import CursorOrder, CursorPage, Page, fetch_cursor_page, fetch_page
from tessera.kit.db.records import fetch_first, record_of
from tessera.kit.db.selective import SEVERAL, fetch_filtered_page, find_selective, with_ids
from tessera.kit.db.single_rows import with_id
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.normalization import email_key, stored_name
from tessera.record_metadata.repository import MetadataFilter, MetadataRepository
from tessera.record_metadata.rules import Kind
from tessera.vouchers import codes
from tessera.vouchers.purchases.rules import NewPurchase, Purchase, PurchaseFilter
from tessera.vouchers.rules import PurchaseStatus
from tessera.vouchers.tables import VoucherPartner, VoucherProgram, VoucherPurchase


class PurchaseRepository:
    """The voucher purchases visible to the unit of work."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._partner_id = work.partner_id
        self._metadata = MetadataRepository(work, Kind.VOUCHER_PURCHASE)

    async def add(self, purchases: Sequence[NewPurchase]) -> frozenset[UUID]:
        """Add the purchases whose codes are unused; returns their ids."""
        rows = [
            {"organization_id": self._organization_id, **row_of(purchase), "version": editing.FIRST}
            for purchase in purchases
        ]
        unique_code = "voucher_purchases_organization_id_code_key"
        step = insertion_ignoring_conflicts(VoucherPurchase, rows, constraint=unique_code)
        added_ids = await run(self._connection, step)
        await self._metadata.index_new({each.id: each.metadata for each in purchases if each.id in added_ids})
        return added_ids

    async def add_all(self, purchases: Sequence[NewPurchase]) -> None:
        """Add purchases in any status; a taken code raises the driver's error."""
        rows = [{"organization_id": self._organization_id, **asdict(purchase)} for purchase in purchases]
        await self._connection.execute(insert(VoucherPurchase), rows)
        await self._metadata.index_new({each.id: each.metadata for each in purchases})

    async def find_id(self, code: str) -> UUID | None:
        """The id of the purchase with this code, ignoring case."""
        statement = select(VoucherPurchase.id).where(
            VoucherPurchase.organization_id == self._organization_id, VoucherPurchase.code == codes.stored_code(code)
        )
        return (await self._connection.execute(statement)).scalar_one_or_none()

    async def lock_for_issue(self, purchase_id: UUID) -> AnyRow | None:
        """A purchase, locked FOR UPDATE, with the columns of its program that the issue of vouchers needs."""
        statement = (
            select(
                VoucherPurchase.id,
                VoucherPurchase.partner_id,
                VoucherPurchase.status,
                VoucherPurchase.quantity,
                VoucherProgram.voucher_code_prefix,
                VoucherProgram.expiration_period_in_days,
            )
            .join(
                VoucherProgram,
                and_(
                    VoucherProgram.organization_id == VoucherPurchase.organization_id,
                    VoucherProgram.id == VoucherPurchase.program_id,
                ),
            )
            .where(VoucherPurchase.organization_id == self._organization_id, VoucherPurchase.id == purchase_id)
            .with_for_update(of=VoucherPurchase)
        )
        return (await self._connection.execute(statement)).first()

    async def find(self, purchase_id: UUID) -> Purchase | None:
        """The purchase with this id."""
        statement = self._select().where(*self._visible(), VoucherPurchase.id == purchase_id)
        return await fetch_first(self._connection, statement, _purchase)

    async def lock(self, purchase_id: UUID) -> Purchase | None:
        """The purchase with this id, locked FOR UPDATE."""
        statement = self._select().where(VoucherPurchase.id == purchase_id)
        return await fetch_first(self._connection, statement.with_for_update(of=VoucherPurchase), _purchase)

    async def change(self, purchase: Purchase) -> None:
        """Write the state and the version of a locked purchase."""
        await self._connection.execute(
            update(VoucherPurchase)
            .where(VoucherPurchase.organization_id == self._organization_id, VoucherPurchase.id == purchase.id)
            .values(
                status=purchase.status,
                amount_paid=purchase.amount_paid,
                is_archived=purchase.is_archived,
                version=purchase.version,
            )
        )

    async def count_uses(self, changes: Mapping[UUID, int]) -> None:
        """Add to the number of used vouchers of each purchase, in id order so that concurrent calls cannot deadlock."""
        statement = (
            update(VoucherPurchase)
            .where(VoucherPurchase.organization_id == self._organization_id, VoucherPurchase.id == bindparam("changed"))
            .values(quantity_used=VoucherPurchase.quantity_used + bindparam("by"))
        )
        rows = [{"changed": purchase_id, "by": change} for purchase_id, change in sorted(changes.items())]
        await self._connection.execute(statement, rows)

    async def list_overdue_organizations(self, *, now: datetime) -> Sequence[UUID]:
        """Every organization with a checkout past its deadline; none unless the platform itself is pinned."""
        checkouts = func.list_overdue_checkouts(now).table_valued("organization_id")
        return (await self._connection.execute(select(checkouts.c.organization_id))).scalars().all()

    async def list_by_cursor(
        self, filters: PurchaseFilter, *, newest: bool = False, after: str | None, size: int, now: datetime
    ) -> CursorPage[Purchase]:
        """A page of purchases, in the order of the index that finds them, or in the reverse order."""
        statement = self._select().where(*self._conditions(filters, now=now))
        if filters.metadata is not None:
            by_metadata = MetadataFilter(
                kind=Kind.VOUCHER_PURCHASE,
                organization_id=self._organization_id,
                pair=filters.metadata,
                record_id=VoucherPurchase.__table__.c.id,
            )
            page = await by_metadata.fetch_page(self._connection, statement, after=after, size=size, descending=newest)
            return page.map(_purchase)
        order = CursorOrder(columns=_order(filters), descending=newest)
        by_index = self._by_index(filters, order.columns, now=now)
        if len(by_index) < SEVERAL:
            page = await fetch_cursor_page(self._connection, statement, order=order, after=after, size=size)
        else:
            page = await fetch_filtered_page(
                self._connection, statement, filters=by_index, order=order, after=after, size=size
            )
        return page.map(_purchase)

    async def list_page(self, filters: PurchaseFilter, *, number: int, now: datetime) -> Page[Purchase]:
        """A page of purchases; raises TooManyResults."""
        id_column: ColumnElement[UUID] = VoucherPurchase.__table__.c.id
        matching = select(id_column).where(*self._visible(), *self._conditions(filters, now=now))
        ids = await find_selective(self._connection, self._by_index(filters, [id_column], now=now))
        if ids is not None:
            matching = with_ids(matching, id_column, ids)
        page = await fetch_page(self._connection, matching=matching, rows=self._listed, number=number)
        return Page([_purchase(row) for row in page.items], page.number, page.has_next)

    async def list_unfinished(self, *, purchased_before: datetime) -> Sequence[AnyRow]:
        """The purchases of all organizations whose vouchers are overdue; none unless the platform itself is pinned."""
        columns = ("organization_id", "organization_name", "id", "code", "quantity", "purchased_at")
        purchases = func.list_unfinished_purchases(purchased_before).table_valued(*columns)
        return (await self._connection.execute(select(purchases))).all()

    def _visible(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        is_own = true() if self._partner_id is None else VoucherPurchase.partner_id == self._partner_id
        return VoucherPurchase.organization_id == self._organization_id, is_own

    def _by_index(
        self, filters: PurchaseFilter, columns: Sequence[ColumnElement[Any]], *, now: datetime
    ) -> list[Select[*tuple[Any, ...]]]:
        """The filters that have an index; that of the first one returns the order of the list."""
        equal = self._equal(filters)
        if filters.status is not None and filters.partner_id is not None:
            equal[0] = and_(equal[0], _stored_status_is(filters.status))
        elif filters.status is PurchaseStatus.CHECKOUT_EXPIRED and not equal:
            equal = [_stored_status_is(filters.status)]
        rows = select(*columns).where(*self._visible())
        by_index = [rows.where(each) for each in equal]
        if filters.status is not None:
            states = [rows.where(each) for each in _states(filters.status, now=now)]
            by_index.append(select(union_all(*states).subquery("states")))
        if filters.is_archived:
            by_index.append(rows.where(VoucherPurchase.is_archived))
        return by_index

    def _conditions(self, filters: PurchaseFilter, *, now: datetime) -> list[ColumnElement[bool]]:
        conditions = self._equal(filters)
        if filters.is_archived is not None:
            conditions.append(VoucherPurchase.is_archived == filters.is_archived)
        return conditions if filters.status is None else [*conditions, or_(*_states(filters.status, now=now))]

    def _equal(self, filters: PurchaseFilter) -> list[ColumnElement[bool]]:
        """The filters by one value of a column, each with an index."""
        buyer = filters.purchased_by_email
        values = (
            (VoucherPurchase.partner_id, filters.partner_id),
            (VoucherPurchase.partner_id, self._id_by_name(VoucherPartner, filters.partner_name)),
            (VoucherPurchase.program_id, filters.program_id),
            (VoucherPurchase.program_id, self._id_by_name(VoucherProgram, filters.program_name)),
            (VoucherPurchase.purchased_by_email_key, buyer and email_key(buyer)),
            (VoucherPurchase.code, filters.purchase_code and codes.stored_code(filters.purchase_code)),
        )
        return [column == value for column, value in values if value is not None]

    def _id_by_name(
        self, table: type[VoucherPartner] | type[VoucherProgram], name: str | None
    ) -> ScalarSelect[UUID] | None:
        if name is None:
            return None
        ids = select(table.id).where(
            table.organization_id == self._organization_id, table.name_key == func.lower(stored_name(name))
        )
        return ids.scalar_subquery()

    def _listed(self, purchase_id: ColumnElement[UUID]) -> Select[*tuple[Any, ...]]:
        return with_id(self._select(), VoucherPurchase.__table__.c.id, purchase_id)

    def _select(self) -> Select[*tuple[Any, ...]]:
        columns = [column for column in VoucherPurchase.__table__.columns if column.key != "organization_id"]
        return select(
            *columns,
            self._name_of(VoucherPartner, VoucherPurchase.partner_id).label("partner_name"),
            self._name_of(VoucherProgram, VoucherPurchase.program_id).label("program_name"),
        ).where(VoucherPurchase.organization_id == self._organization_id)

    def _name_of(
        self, table: type[VoucherPartner] | type[VoucherProgram], id_: InstrumentedAttribute[UUID]
    ) -> ScalarSelect[str]:
        # With a join instead, the planner may start from the partner and read all its purchases for each row.
        name = select(table.name).where(table.organization_id == self._organization_id)
        return with_id(name, table.__table__.c.id, id_).scalar_subquery()


def _states(status: PurchaseStatus, *, now: datetime) -> list[ColumnElement[bool]]:
    """The conditions of a status at `now`, disjoint, each served by an index."""
    # The same rule as `status_at`: a checkout past its deadline has expired, whatever its stored status.
    in_progress, deadline = _stored_status_is(PurchaseStatus.CHECKOUT_IN_PROGRESS), VoucherPurchase.checkout_expires_at
    match status:
        case PurchaseStatus.CHECKOUT_IN_PROGRESS:
            return [and_(in_progress, or_(deadline.is_(None), deadline > now))]
        case PurchaseStatus.CHECKOUT_EXPIRED:
            # A literal, because for a parameter a generic plan could not use the index of checkouts with a deadline.
            is_in_progress = VoucherPurchase.status == literal_column(f"'{PurchaseStatus.CHECKOUT_IN_PROGRESS}'")
            return [VoucherPurchase.status == status, and_(is_in_progress, deadline <= now)]
        case _:
            return [VoucherPurchase.status == status]


def _stored_status_is(status: PurchaseStatus) -> ColumnElement[bool]:
    if status is PurchaseStatus.CHECKOUT_EXPIRED:
        # A range, because an index does not return the rows of a list of values in its order.
        return VoucherPurchase.status.between(status, PurchaseStatus.CHECKOUT_IN_PROGRESS)
    return VoucherPurchase.status == status


def _order(filters: PurchaseFilter) -> list[ColumnElement[Any]]:
    # The order of the index behind the filter, so that a page costs the same at any depth.
    if filters.partner_id is not None:
        names = ["status", "id"]
    elif filters.program_id is not None or filters.purchased_by_email is not None:
        names = ["partner_id", "id"]
    else:
        names = ["id"] if filters.status is None else ["status", "partner_id", "id"]
    return [VoucherPurchase.__table__.c[name] for name in names]


def _purchase(row: AnyRow) -> Purchase:
    return record_of(Purchase, row, status=PurchaseStatus(row.status))
