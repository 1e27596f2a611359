"""Statements on voucher partners of one tenant."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, Uuid, any_, func, insert, literal, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from tessera.identity.tables import User
from tessera.kit.db.pages import CursorPage, Page, fetch_cursor_page, fetch_page
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.vouchers.rules import Status
from tessera.vouchers.tables import VoucherPartner
from tessera.vouchers.unique_names import unique_name


@dataclass(frozen=True, slots=True)
class NewPartner:
    """A partner to be added."""

    id: UUID
    name: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerFilter:
    """Which partners; None does not filter. `partner_name_part` matches any part of the name, ignoring case."""

    partner_name_part: str | None = None
    status: Status | None = None


_NAME = "voucher_partners_organization_id_name_key_key"


class PartnerRepository:
    """The voucher partners that the unit of work may see."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._partner_id = work.partner_id

    async def find_by_name(self, name: str) -> AnyRow | None:
        """Id, name and status of the partner with this name, ignoring case."""
        statement = select(VoucherPartner.id, VoucherPartner.name, VoucherPartner.status).where(
            *self._visible(), VoucherPartner.name_key == func.lower(name)
        )
        return (await self._connection.execute(statement)).first()

    async def list_page(self, filters: PartnerFilter, *, number: int) -> Page[AnyRow]:
        """A page of partners; raises TooManyResults."""
        matching = select(VoucherPartner.id).where(*self._visible(), *self._conditions(filters))
        return await fetch_page(self._connection, matching=matching, rows=self._listed, number=number)

    async def list_by_cursor(self, filters: PartnerFilter, *, after: str | None, size: int) -> CursorPage[AnyRow]:
        """A part of the partners, oldest first."""
        statement = self._whole().where(*self._conditions(filters))
        return await fetch_cursor_page(
            self._connection, statement, order=[VoucherPartner.__table__.c.id], after=after, size=size
        )

    async def find(self, partner_id: UUID) -> AnyRow | None:
        """The whole partner with this id."""
        return (await self._connection.execute(self._whole().where(VoucherPartner.id == partner_id))).first()

    async def lock(self, partner_id: UUID) -> AnyRow | None:
        """The whole partner with this id; it is the transaction's alone from now on."""
        statement = self._whole().where(VoucherPartner.id == partner_id).with_for_update()
        return (await self._connection.execute(statement)).first()

    async def keep(self, partner_id: UUID) -> AnyRow | None:
        """The whole partner with this id, which nobody can change until this transaction ends."""
        statement = self._whole().where(VoucherPartner.id == partner_id).with_for_update(read=True)
        return (await self._connection.execute(statement)).first()

    async def find_known(self, partner_ids: Collection[UUID]) -> frozenset[UUID]:
        """Those of these ids that are partners'."""
        ids = literal(list(partner_ids), ARRAY(Uuid))
        statement = select(VoucherPartner.id).where(*self._visible(), VoucherPartner.id == any_(ids))
        return frozenset((await self._connection.execute(statement)).scalars())

    async def add(self, partner: NewPartner, *, now: datetime) -> bool:
        """Add a partner; False if its name is taken."""
        statement = (
            upsert(VoucherPartner)
            .values(organization_id=self._organization_id, created_at=now, version=1, **asdict(partner))
            .on_conflict_do_nothing(constraint=_NAME)
            .returning(VoucherPartner.id)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def change(self, partner_id: UUID, *, name: str, status: Status) -> None:
        """Write a partner anew, which the caller has locked; raises Invalid for a name that is taken."""
        with unique_name(_NAME, name):
            await self._connection.execute(
                update(VoucherPartner)
                .where(VoucherPartner.organization_id == self._organization_id, VoucherPartner.id == partner_id)
                .values(name=name, status=status, version=VoucherPartner.version + 1)
            )

    async def list_users(self, partner_ids: Collection[UUID]) -> Sequence[AnyRow]:
        """The users of these partners, oldest first."""
        statement = (
            select(User.partner_id, User.email, User.is_active, User.invitation)
            .where(User.organization_id == self._organization_id, User.partner_id.in_(partner_ids))
            .order_by(User.id)
        )
        return (await self._connection.execute(statement)).all()

    async def add_all(self, partners: Sequence[NewPartner], *, now: datetime) -> None:
        """Add partners; a taken name raises the driver's error."""
        tenant = {"organization_id": self._organization_id, "created_at": now, "version": 1}
        rows = [tenant | asdict(each) for each in partners]
        await self._connection.execute(insert(VoucherPartner), rows)

    def _visible(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        own = true() if self._partner_id is None else VoucherPartner.id == self._partner_id
        return VoucherPartner.organization_id == self._organization_id, own

    def _conditions(self, filters: PartnerFilter) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if filters.status is not None:
            conditions.append(VoucherPartner.status == filters.status)
        if filters.partner_name_part is not None:
            conditions.append(func.strpos(VoucherPartner.name_key, func.lower(filters.partner_name_part)) > 0)
        return conditions

    def _whole(self) -> Select[*tuple[Any, ...]]:
        return select(
            VoucherPartner.id,
            VoucherPartner.name,
            VoucherPartner.status,
            VoucherPartner.created_at,
            VoucherPartner.version,
        ).where(*self._visible())

    def _listed(self, page: Subquery) -> Select[*tuple[Any, ...]]:
        return (
            select(VoucherPartner.id, VoucherPartner.name, VoucherPartner.status)
            .join(page, VoucherPartner.id == page.c.id)
            .where(VoucherPartner.organization_id == self._organization_id)
        )
