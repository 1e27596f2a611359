"""Statements on voucher partners of one tenant."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, func, insert, select, true

from tessera.identity.models import User
from tessera.kit.database import AnyRow, UnitOfWork
from tessera.kit.pagination import Page, fetch_page
from tessera.vouchers.models import VoucherPartner
from tessera.vouchers.rules import Status


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

    async def list_page(self, wanted: PartnerFilter, *, number: int) -> Page[AnyRow]:
        """A page of partners; raises TooManyResults."""
        matching = select(VoucherPartner.id).where(*self._visible())
        if wanted.status is not None:
            matching = matching.where(VoucherPartner.status == wanted.status)
        if wanted.partner_name_part is not None:
            matching = matching.where(func.strpos(VoucherPartner.name_key, func.lower(wanted.partner_name_part)) > 0)
        return await fetch_page(self._connection, matching=matching, rows=self._listed, number=number)

    async def list_users(self, partner_ids: Collection[UUID]) -> Sequence[AnyRow]:
        """The users of these partners, oldest first."""
        statement = (
            select(User.partner_id, User.email, User.is_active)
            .where(User.organization_id == self._organization_id, User.partner_id.in_(partner_ids))
            .order_by(User.id)
        )
        return (await self._connection.execute(statement)).all()

    async def add_all(self, partners: Sequence[NewPartner], *, now: datetime) -> None:
        """Add partners; a taken name raises the driver's error."""
        rows = [{"organization_id": self._organization_id, "created_at": now, **asdict(each)} for each in partners]
        await self._connection.execute(insert(VoucherPartner), rows)

    def _visible(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        own = true() if self._partner_id is None else VoucherPartner.id == self._partner_id
        return VoucherPartner.organization_id == self._organization_id, own

    def _listed(self, page: Subquery) -> Select[*tuple[Any, ...]]:
        return (
            select(VoucherPartner.id, VoucherPartner.name, VoucherPartner.status)
            .join(page, VoucherPartner.id == page.c.id)
            .where(VoucherPartner.organization_id == self._organization_id)
        )
