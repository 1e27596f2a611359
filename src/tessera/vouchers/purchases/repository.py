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
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute

from tessera.kit import editing
from tessera.kit.db.bulk_insert import insertion_ignoring_conflicts, row_of
from tessera.kit.db.pages import CursorPage, Page, fetch_cursor_page, fetch_page
from tessera.kit.db.records import fetch_first, record_of
from tessera.kit.db.round_trips import run
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
        position: dict[str, Any] = {"after": after, "size": size, "descending": newest}
        if filters.metadata is not None:
            by_metadata = MetadataFilter(
                kind=Kind.VOUCHER_PURCHASE,
                organization_id=self._organization_id,
                pair=filters.metadata,
                record_id=VoucherPurchase.__table__.c.id,
            )
            page = await by_metadata.fetch_page(self._connection, statement, **position)
        else:
            page = await fetch_cursor_page(self._connection, statement, order=_order(filters), **position)
        return page.map(_purchase)

    async def list_page(self, filters: PurchaseFilter, *, number: int, now: datetime) -> Page[Purchase]:
        """A page of purchases; raises TooManyResults."""
        matching = select(VoucherPurchase.id).where(*self._visible(), *self._conditions(filters, now=now))
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

    def _conditions(self, filters: PurchaseFilter, *, now: datetime) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if filters.partner_name is not None:
            partner = self._id_by_name(VoucherPartner, filters.partner_name)
            conditions.append(VoucherPurchase.partner_id == partner.scalar_subquery())
        if filters.program_name is not None:
            program = self._id_by_name(VoucherProgram, filters.program_name)
            conditions.append(VoucherPurchase.program_id == program.scalar_subquery())
        if filters.status is not None:
            conditions += _status_is(filters.status, now=now)
        buyer = filters.purchased_by_email
        equal = (
            (VoucherPurchase.code, filters.purchase_code and codes.stored_code(filters.purchase_code)),
            (VoucherPurchase.purchased_by_email_key, buyer and email_key(buyer)),
            (VoucherPurchase.partner_id, filters.partner_id),
            (VoucherPurchase.program_id, filters.program_id),
            (VoucherPurchase.is_archived, filters.is_archived),
        )
        conditions += [column == value for column, value in equal if value is not None]
        return conditions

    def _id_by_name(self, table: type[VoucherPartner] | type[VoucherProgram], name: str) -> Select[UUID]:
        return select(table.id).where(
            table.organization_id == self._organization_id, table.name_key == func.lower(stored_name(name))
        )

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


def _status_is(status: PurchaseStatus, *, now: datetime) -> list[ColumnElement[bool]]:
    # The same rule as `status_at`: a checkout past its deadline has expired, whatever its stored status.
    in_progress, expired = PurchaseStatus.CHECKOUT_IN_PROGRESS, PurchaseStatus.CHECKOUT_EXPIRED
    deadline = VoucherPurchase.checkout_expires_at
    if status is in_progress:
        return [VoucherPurchase.status == in_progress, or_(deadline.is_(None), deadline > now)]
    if status is expired:
        return [
            VoucherPurchase.status.in_([in_progress, expired]),
            or_(VoucherPurchase.status == expired, deadline <= now),
        ]
    return [VoucherPurchase.status == status]


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
