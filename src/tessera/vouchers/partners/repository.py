"""Statements on voucher partners of one tenant."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, Uuid, any_, case, func, insert, literal, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.dialects.postgresql import insert as upsert

from tessera.identity.tables import User
from tessera.kit.db import unique_constraints
from tessera.kit.db.json_projection import JsonProjection, json_object
from tessera.kit.db.pages import CursorOrder, CursorPage, Page, fetch_cursor_page, fetch_page
from tessera.kit.db.records import fetch_first
from tessera.kit.db.selective import fetch_page_from
from tessera.kit.db.single_rows import with_id
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.errors import Invalid
from tessera.kit.normalization import composed, stored_name
from tessera.vouchers.rules import Status, UserStatus, name_taken
from tessera.vouchers.tables import VoucherPartner


@dataclass(frozen=True, slots=True)
class NewPartner:
    """A partner to add."""

    id: UUID
    name: str
    status: Status


@dataclass(frozen=True, slots=True)
class ManagedPartner:
    """A voucher partner with its status and its version."""

    id: UUID
    name: str
    status: Status
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerFilter:
    """Filters of partners; None matches every one. `partner_name_part` matches any part of the name, ignoring case."""

    partner_name_part: str | None = None
    status: Status | None = None


_UNIQUE_NAME = "voucher_partners_organization_id_name_key_key"
_COLUMNS = [getattr(VoucherPartner, name) for name in ManagedPartner.__dataclass_fields__]


class PartnerRepository:
    """The voucher partners visible to the unit of work."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._partner_id = work.partner_id

    async def find_by_name(self, name: str) -> AnyRow | None:
        """The id, name and status of the partner with this name, ignoring case."""
        statement = select(VoucherPartner.id, VoucherPartner.name, VoucherPartner.status).where(
            *self._visible(), VoucherPartner.name_key == func.lower(stored_name(name))
        )
        return (await self._connection.execute(statement)).first()

    async def list_page(self, filters: PartnerFilter, *, number: int) -> Page[AnyRow]:
        """A page of partners; raises TooManyResults."""
        matching = select(VoucherPartner.id).where(*self._visible(), *self._conditions(filters))
        return await fetch_page(self._connection, matching=matching, rows=self._listed, number=number)

    async def list_by_cursor(
        self, filters: PartnerFilter, *, newest: bool = False, after: str | None, size: int
    ) -> CursorPage[ManagedPartner]:
        """A page of partners, oldest or newest first."""
        statement = self._select().where(*self._conditions(filters))
        ids: ColumnElement[UUID] = VoucherPartner.__table__.c.id
        order = CursorOrder(columns=[ids], descending=newest)
        if filters.partner_name_part is None:
            page = await fetch_cursor_page(self._connection, statement, order=order, after=after, size=size)
        else:
            base = select(ids).where(*self._visible(), *self._conditions(replace(filters, partner_name_part=None)))
            page = await fetch_page_from(self._connection, statement, base=base, order=order, after=after, size=size)
        return page.map(_managed)

    async def find(self, partner_id: UUID) -> ManagedPartner | None:
        """The partner with this id."""
        return await fetch_first(self._connection, self._select().where(VoucherPartner.id == partner_id), _managed)

    async def lock(self, partner_id: UUID) -> ManagedPartner | None:
        """The partner with this id, locked FOR UPDATE."""
        return await fetch_first(
            self._connection, self._select().where(VoucherPartner.id == partner_id).with_for_update(), _managed
        )

    async def find_for_share(self, partner_id: UUID) -> ManagedPartner | None:
        """The partner with this id, locked FOR SHARE."""
        return await fetch_first(
            self._connection, self._select().where(VoucherPartner.id == partner_id).with_for_update(read=True), _managed
        )

    async def find_ids(self, partner_ids: Collection[UUID]) -> frozenset[UUID]:
        """Those of these ids that belong to partners."""
        ids = literal(list(partner_ids), ARRAY(Uuid))
        statement = select(VoucherPartner.id).where(*self._visible(), VoucherPartner.id == any_(ids))
        return frozenset((await self._connection.execute(statement)).scalars())

    async def add(self, partner: NewPartner, *, now: datetime) -> bool:
        """Add a partner; False if its name is taken."""
        statement = (
            upsert(VoucherPartner)
            .values(organization_id=self._organization_id, created_at=now, version=1, **asdict(partner))
            .on_conflict_do_nothing(constraint=_UNIQUE_NAME)
            .returning(VoucherPartner.id)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def change(self, partner: ManagedPartner) -> None:
        """Write the state and the version of a locked partner; raises Invalid for a name that is taken."""
        with unique_constraints.raising(Invalid([name_taken(partner.name)])):
            await self._connection.execute(
                update(VoucherPartner)
                .where(VoucherPartner.organization_id == self._organization_id, VoucherPartner.id == partner.id)
                .values(name=partner.name, status=partner.status, version=partner.version)
            )

    async def list_users(self, partner_ids: Collection[UUID], *, projection: JsonProjection) -> Mapping[UUID, str]:
        """The users of these partners, oldest first: for each that has any, JSON objects separated by commas.

        A partner may have thousands of users, and Python would take a second to write them. Their status is that of
        `user_status`.
        """
        active, inactive = (literal(status.value, Text) for status in (UserStatus.ACTIVE, UserStatus.INACTIVE))
        status = case((User.is_active, active), else_=func.coalesce(User.invitation, inactive))
        users = (
            select(User.partner_id, User.id, User.email, User.is_active, status.label("status"))
            .where(User.organization_id == self._organization_id, User.partner_id.in_(partner_ids))
            .subquery()
        )
        separator = aggregate_order_by(literal(",", Text), users.c.id)
        joined = func.string_agg(json_object(users, projection), separator).label("users")
        statement = select(users.c.partner_id, joined).group_by(users.c.partner_id)
        return {row.partner_id: row.users for row in await self._connection.execute(statement)}

    async def add_all(self, partners: Sequence[NewPartner], *, now: datetime) -> None:
        """Add partners; a taken name raises the driver's error."""
        tenant = {"organization_id": self._organization_id, "created_at": now, "version": 1}
        rows = [tenant | asdict(each) for each in partners]
        await self._connection.execute(insert(VoucherPartner), rows)

    def _visible(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        is_own = true() if self._partner_id is None else VoucherPartner.id == self._partner_id
        return VoucherPartner.organization_id == self._organization_id, is_own

    def _conditions(self, filters: PartnerFilter) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if filters.status is not None:
            conditions.append(VoucherPartner.status == filters.status)
        if filters.partner_name_part is not None:
            conditions.append(func.strpos(VoucherPartner.name_key, func.lower(composed(filters.partner_name_part))) > 0)
        return conditions

    def _select(self) -> Select[*tuple[Any, ...]]:
        return select(*_COLUMNS).where(*self._visible())

    def _listed(self, partner_id: ColumnElement[UUID]) -> Select[*tuple[Any, ...]]:
        partners = select(VoucherPartner.id, VoucherPartner.name, VoucherPartner.status).where(
            VoucherPartner.organization_id == self._organization_id
        )
        return with_id(partners, VoucherPartner.__table__.c.id, partner_id)


def _managed(row: AnyRow) -> ManagedPartner:
    return ManagedPartner(row.id, row.name, Status(row.status), row.created_at, row.version)
