"""Statements on voucher programs of one tenant."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, and_, func, insert, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute

from tessera.catalog.models import StoreExam
from tessera.kit.database import AnyRow, UnitOfWork
from tessera.kit.identifiers import new_id
from tessera.kit.pagination import Page, fetch_page
from tessera.vouchers.models import (
    VoucherPartner,
    VoucherProgram,
    VoucherProgramDiscount,
    VoucherProgramEmailDomain,
    VoucherProgramPartner,
    VoucherProgramStoreExam,
)
from tessera.vouchers.rules import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProgram:
    """A program to be added, with what belongs to it."""

    id: UUID
    name: str
    status: Status
    allow_ach_payments: bool = False
    expiration_period_in_days: int = 365
    can_assigned_partners_purchase_zero_price: bool = False
    is_available_to_all_partners: bool = True
    partner_cost_per_voucher: Decimal = Decimal(0)
    enforce_assigned_email: bool = False
    voucher_code_prefix: str = ""
    store_exam_ids: tuple[UUID, ...] = ()
    partner_ids: tuple[UUID, ...] = ()
    discounts: tuple[tuple[int, Decimal], ...] = ()
    email_domains: tuple[str, ...] = ()


class ProgramRepository:
    """The voucher programs that the unit of work may see."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._partner_id = work.partner_id

    async def find_by_name(self, name: str, *, partner_id: UUID | None) -> AnyRow | None:
        """The program with this name, ignoring case, and whether it is open to the partner."""
        assigned = select(VoucherProgramPartner.partner_id).where(
            VoucherProgramPartner.organization_id == self._organization_id,
            VoucherProgramPartner.program_id == VoucherProgram.id,
            VoucherProgramPartner.partner_id == partner_id,
        )
        statement = select(
            VoucherProgram.id,
            VoucherProgram.name,
            VoucherProgram.status,
            VoucherProgram.partner_cost_per_voucher,
            or_(VoucherProgram.is_available_to_all_partners, assigned.exists()).label("is_open_to_partner"),
        ).where(*self._visible(), VoucherProgram.name_key == func.lower(name))
        return (await self._connection.execute(statement)).first()

    async def list_page(self, name_part: str | None, *, number: int) -> Page[AnyRow]:
        """A page of programs, of those with this in their names; raises TooManyResults."""
        matching = select(VoucherProgram.id).where(*self._visible())
        if name_part is not None:
            matching = matching.where(func.strpos(VoucherProgram.name_key, func.lower(name_part)) > 0)
        return await fetch_page(self._connection, matching=matching, rows=self._listed, number=number)

    async def list_discounts(self, program_ids: Collection[UUID]) -> Sequence[AnyRow]:
        """The tiers of these programs, by rising quantity."""
        table = VoucherProgramDiscount
        return await self._belonging(
            select(table.program_id, table.id, table.quantity, table.percent).order_by(table.quantity),
            table.organization_id,
            table.program_id.in_(program_ids),
        )

    async def list_email_domains(self, program_ids: Collection[UUID]) -> Sequence[AnyRow]:
        """The domain rules of these programs, by name."""
        table = VoucherProgramEmailDomain
        return await self._belonging(
            select(table.program_id, table.id, table.domain).order_by(table.domain),
            table.organization_id,
            table.program_id.in_(program_ids),
        )

    async def list_assigned_partners(self, program_ids: Collection[UUID]) -> Sequence[AnyRow]:
        """The partners assigned to these programs that the caller may see, oldest first."""
        table = VoucherProgramPartner
        own = true() if self._partner_id is None else table.partner_id == self._partner_id
        statement = (
            select(table.program_id, VoucherPartner.id, VoucherPartner.name)
            .join(
                VoucherPartner,
                and_(VoucherPartner.organization_id == table.organization_id, VoucherPartner.id == table.partner_id),
            )
            .where(own)
            .order_by(VoucherPartner.id)
        )
        return await self._belonging(statement, table.organization_id, table.program_id.in_(program_ids))

    async def list_store_exams(self, program_ids: Collection[UUID]) -> Sequence[AnyRow]:
        """The store exams of these programs, in their order."""
        table = VoucherProgramStoreExam
        statement = (
            select(table.program_id, StoreExam.id, StoreExam.code, StoreExam.name, StoreExam.price)
            .join(
                StoreExam,
                and_(StoreExam.organization_id == table.organization_id, StoreExam.id == table.store_exam_id),
            )
            .order_by(table.position)
        )
        return await self._belonging(statement, table.organization_id, table.program_id.in_(program_ids))

    async def add(self, program: NewProgram, *, now: datetime) -> None:
        """Add a program and what belongs to it; a taken name raises the driver's error."""
        row = asdict(program)
        exams, partners = row.pop("store_exam_ids"), row.pop("partner_ids")
        discounts, domains = row.pop("discounts"), row.pop("email_domains")
        tenant = {"organization_id": self._organization_id}
        own = tenant | {"program_id": program.id}
        await self._connection.execute(insert(VoucherProgram).values(**tenant, created_at=now, **row))
        for table, rows in (
            (VoucherProgramStoreExam, [own | {"store_exam_id": id_, "position": n} for n, id_ in enumerate(exams)]),
            (VoucherProgramPartner, [own | {"partner_id": id_} for id_ in partners]),
            (VoucherProgramDiscount, [own | {"id": new_id(), "quantity": q, "percent": p} for q, p in discounts]),
            (VoucherProgramEmailDomain, [own | {"id": new_id(), "domain": domain} for domain in domains]),
        ):
            if rows:
                await self._connection.execute(insert(table), rows)

    async def _belonging(
        self,
        statement: Select[*tuple[Any, ...]],
        organization_id: InstrumentedAttribute[UUID],
        condition: ColumnElement[bool],
    ) -> Sequence[AnyRow]:
        statement = statement.where(organization_id == self._organization_id, condition)
        return (await self._connection.execute(statement)).all()

    def _visible(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        is_open: ColumnElement[bool] = true()
        if self._partner_id is not None:
            assigned = select(VoucherProgramPartner.program_id).where(
                VoucherProgramPartner.organization_id == self._organization_id,
                VoucherProgramPartner.partner_id == self._partner_id,
            )
            is_open = or_(VoucherProgram.is_available_to_all_partners, VoucherProgram.id.in_(assigned))
        return VoucherProgram.organization_id == self._organization_id, is_open

    def _listed(self, page: Subquery) -> Select[*tuple[Any, ...]]:
        columns = [column for column in VoucherProgram.__table__.columns if column.key != "organization_id"]
        return (
            select(*columns)
            .join(page, VoucherProgram.id == page.c.id)
            .where(VoucherProgram.organization_id == self._organization_id)
        )
