"""Statements on voucher programs of one tenant."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, func, insert, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import InstrumentedAttribute

from tessera.catalog.tables import StoreExam
from tessera.kit.db import unique_constraints
from tessera.kit.db.pages import CursorOrder, CursorPage, Page, fetch_cursor_page, fetch_page
from tessera.kit.db.selective import fetch_page_from
from tessera.kit.db.single_rows import with_id
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.errors import Invalid
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import composed, stored_name
from tessera.record_metadata.repository import MetadataFilter, MetadataRepository
from tessera.record_metadata.rules import KeyAndText, Kind
from tessera.vouchers.programs.visibility import repository as visibility
from tessera.vouchers.rules import Status, name_taken
from tessera.vouchers.tables import (
    VoucherPartner,
    VoucherProgram,
    VoucherProgramDiscount,
    VoucherProgramEmailDomain,
    VoucherProgramPartner,
    VoucherProgramStoreExam,
)

_UNIQUE_NAME = "voucher_programs_organization_id_name_key_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramFilter:
    """Filters of programs; None matches every one. `program_name_part` matches any part of the name, ignoring case."""

    program_name_part: str | None = None
    status: Status | None = None
    metadata: KeyAndText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRelations:
    """The rows of a program in other tables; None leaves them unchanged."""

    store_exam_ids: Sequence[UUID] | None = None
    partner_ids: Sequence[UUID] | None = None
    discounts: Sequence[tuple[int, Decimal]] | None = None
    email_domains: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProgram:
    """A program to add, with its relations."""

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
    metadata: Mapping[str, str] | None = None
    store_exam_ids: tuple[UUID, ...] = ()
    partner_ids: tuple[UUID, ...] = ()
    discounts: tuple[tuple[int, Decimal], ...] = ()
    email_domains: tuple[str, ...] = ()


_RelationTable = type[
    VoucherProgramStoreExam | VoucherProgramPartner | VoucherProgramDiscount | VoucherProgramEmailDomain
]
_TABLES: Mapping[str, _RelationTable] = {
    "store_exam_ids": VoucherProgramStoreExam,
    "partner_ids": VoucherProgramPartner,
    "discounts": VoucherProgramDiscount,
    "email_domains": VoucherProgramEmailDomain,
}


class ProgramRepository:
    """The voucher programs visible to the unit of work."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._partner_id = work.partner_id
        self._metadata = MetadataRepository(work, Kind.VOUCHER_PROGRAM)

    async def find_by_name(self, name: str, *, partner_id: UUID | None) -> AnyRow | None:
        """The visible program with this name, ignoring case, and whether it is open to the partner."""
        assignment = select(VoucherProgramPartner.partner_id).where(
            VoucherProgramPartner.organization_id == self._organization_id,
            VoucherProgramPartner.program_id == VoucherProgram.id,
            VoucherProgramPartner.partner_id == partner_id,
        )
        statement = select(
            VoucherProgram.id,
            VoucherProgram.name,
            VoucherProgram.status,
            VoucherProgram.partner_cost_per_voucher,
            or_(VoucherProgram.is_available_to_all_partners, assignment.exists()).label("is_open_to_partner"),
        ).where(*self._visible(), VoucherProgram.name_key == func.lower(stored_name(name)))
        return (await self._connection.execute(statement)).first()

    async def list_page(self, name_part: str | None, *, number: int) -> Page[AnyRow]:
        """A page of programs, filtered by a part of the name; raises TooManyResults."""
        matching = select(VoucherProgram.id).where(*self._visible())
        if name_part is not None:
            matching = matching.where(_has_in_name(name_part))
        return await fetch_page(self._connection, matching=matching, rows=self._listed, number=number)

    async def list_discounts(self, program_ids: Collection[UUID]) -> Sequence[AnyRow]:
        """The discount tiers of these programs, by quantity."""
        table = VoucherProgramDiscount
        return await self._related(
            select(table.program_id, table.id, table.quantity, table.percent).order_by(table.quantity),
            table.organization_id,
            table.program_id.in_(program_ids),
        )

    async def list_email_domains(self, program_ids: Collection[UUID]) -> Sequence[AnyRow]:
        """The e-mail domains of these programs, by name."""
        table = VoucherProgramEmailDomain
        return await self._related(
            select(table.program_id, table.id, table.domain).order_by(table.domain),
            table.organization_id,
            table.program_id.in_(program_ids),
        )

    async def list_assigned_partners(self, program_ids: Collection[UUID]) -> Sequence[AnyRow]:
        """The partners assigned to these programs that are visible to the caller, oldest first."""
        table = VoucherProgramPartner
        is_visible = true() if self._partner_id is None else table.partner_id == self._partner_id
        partners = select(VoucherPartner.id, VoucherPartner.name).where(
            VoucherPartner.organization_id == self._organization_id
        )
        partner = with_id(partners, VoucherPartner.__table__.c.id, table.partner_id).lateral("partner")
        statement = (
            select(table.program_id, partner.c.id, partner.c.name)
            .join(partner, true())
            .where(is_visible)
            .order_by(partner.c.id)
        )
        return await self._related(statement, table.organization_id, table.program_id.in_(program_ids))

    async def list_store_exams(self, program_ids: Collection[UUID]) -> Sequence[AnyRow]:
        """The store exams of these programs, in their order."""
        table = VoucherProgramStoreExam
        exams = select(StoreExam.id, StoreExam.code, StoreExam.name, StoreExam.price).where(
            StoreExam.organization_id == self._organization_id
        )
        exam = with_id(exams, StoreExam.__table__.c.id, table.store_exam_id).lateral("exam")
        statement = (
            select(table.program_id, exam.c.id, exam.c.code, exam.c.name, exam.c.price)
            .join(exam, true())
            .order_by(table.position)
        )
        return await self._related(statement, table.organization_id, table.program_id.in_(program_ids))

    async def list_by_cursor(
        self, filters: ProgramFilter, *, newest: bool = False, after: str | None, size: int
    ) -> CursorPage[AnyRow]:
        """A page of programs, oldest or newest first."""
        ids: ColumnElement[UUID] = VoucherProgram.__table__.c.id
        base, statement = select(ids).where(VoucherProgram.organization_id == self._organization_id), self._select()
        if filters.status is not None:
            base, statement = (each.where(VoucherProgram.status == filters.status) for each in (base, statement))
        part = filters.program_name_part
        if part is not None:
            statement = statement.where(_has_in_name(part))
        if filters.metadata is not None:
            own, kind = self._organization_id, Kind.VOUCHER_PROGRAM
            by_metadata = MetadataFilter(kind=kind, organization_id=own, pair=filters.metadata, record_id=ids)
            return await by_metadata.fetch_page(self._connection, statement, after=after, size=size, descending=newest)
        order = CursorOrder(columns=[ids], descending=newest)
        if part is None:
            return await fetch_cursor_page(self._connection, statement, order=order, after=after, size=size)
        return await fetch_page_from(self._connection, statement, base=base, order=order, after=after, size=size)

    async def find(self, program_id: UUID) -> AnyRow | None:
        """The program with this id."""
        return (await self._connection.execute(self._select().where(VoucherProgram.id == program_id))).first()

    async def lock(self, program_id: UUID) -> AnyRow | None:
        """The program with this id, locked FOR UPDATE."""
        statement = self._select().where(VoucherProgram.id == program_id).with_for_update()
        return (await self._connection.execute(statement)).first()

    async def find_for_share(self, program_id: UUID) -> AnyRow | None:
        """The program with this id, locked FOR SHARE."""
        statement = self._select().where(VoucherProgram.id == program_id).with_for_update(read=True)
        return (await self._connection.execute(statement)).first()

    async def find_id(self, name: str) -> UUID | None:
        """The id of the program with this name, ignoring case."""
        is_named = VoucherProgram.name_key == func.lower(stored_name(name))
        statement = select(VoucherProgram.id).where(*self._visible(), is_named)
        return (await self._connection.execute(statement)).scalar_one_or_none()

    async def is_assigned(self, program_id: UUID, partner_id: UUID | None) -> bool:
        """Whether the partner is assigned to the program."""
        table = VoucherProgramPartner
        statement = select(table.partner_id).where(
            table.organization_id == self._organization_id,
            table.program_id == program_id,
            table.partner_id == partner_id,
        )
        return (await self._connection.execute(statement)).first() is not None

    async def add(self, program: NewProgram, *, now: datetime) -> bool:
        """Add a program and its relations; False if its name is taken."""
        row = asdict(program)
        relations = ProgramRelations(**{name: row.pop(name) for name in ProgramRelations.__dataclass_fields__})
        statement = (
            upsert(VoucherProgram)
            .values(organization_id=self._organization_id, created_at=now, version=1, **row)
            .on_conflict_do_nothing(constraint=_UNIQUE_NAME)
            .returning(VoucherProgram.id)
        )
        if (await self._connection.execute(statement)).first() is None:
            return False
        await self._insert(program.id, relations)
        await self._metadata.index_new({program.id: program.metadata})
        return True

    async def change(self, program_id: UUID, columns: Mapping[str, Any], relations: ProgramRelations) -> None:
        """Write the next version of a locked program; raises Invalid for a name that is taken."""
        if "metadata" in columns:
            columns = {**columns, "metadata": columns["metadata"] or None}
        with unique_constraints.raising(Invalid([name_taken(columns.get("name", ""))])):
            await self._connection.execute(
                update(VoucherProgram)
                .where(VoucherProgram.organization_id == self._organization_id, VoucherProgram.id == program_id)
                .values(**columns, version=VoucherProgram.version + 1)
            )
        if "metadata" in columns:
            await self._metadata.reindex(program_id, columns["metadata"])
        for name, table in _TABLES.items():
            if getattr(relations, name) is not None:
                await self._connection.execute(
                    delete(table).where(table.organization_id == self._organization_id, table.program_id == program_id)
                )
        await self._insert(program_id, relations)

    async def _insert(self, program_id: UUID, relations: ProgramRelations) -> None:
        key = {"organization_id": self._organization_id, "program_id": program_id}
        exams, partners = relations.store_exam_ids or (), relations.partner_ids or ()
        discounts, domains = relations.discounts or (), relations.email_domains or ()
        for table, rows in (
            (VoucherProgramStoreExam, [key | {"store_exam_id": id_, "position": n} for n, id_ in enumerate(exams)]),
            (VoucherProgramPartner, [key | {"partner_id": id_} for id_ in partners]),
            (VoucherProgramDiscount, [key | {"id": new_id(), "quantity": q, "percent": p} for q, p in discounts]),
            (VoucherProgramEmailDomain, [key | {"id": new_id(), "domain": domain} for domain in domains]),
        ):
            if rows:
                await self._connection.execute(insert(table), rows)
        await visibility.refresh(self._connection, self._organization_id, program_id)

    async def _related(
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
            assigned_ids = select(VoucherProgramPartner.program_id).where(
                VoucherProgramPartner.organization_id == self._organization_id,
                VoucherProgramPartner.partner_id == self._partner_id,
            )
            is_open = or_(VoucherProgram.is_available_to_all_partners, VoucherProgram.id.in_(assigned_ids))
        return VoucherProgram.organization_id == self._organization_id, is_open

    def _select(self) -> Select[*tuple[Any, ...]]:
        columns = [column for column in VoucherProgram.__table__.columns if column.key != "organization_id"]
        return select(*columns).where(VoucherProgram.organization_id == self._organization_id)

    def _listed(self, program_id: ColumnElement[UUID]) -> Select[*tuple[Any, ...]]:
        return with_id(self._select(), VoucherProgram.__table__.c.id, program_id)


def _has_in_name(part: str) -> ColumnElement[bool]:
    return func.strpos(VoucherProgram.name_key, func.lower(composed(part))) > 0
