"""Voucher programs: what partners can buy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from tessera.kit.database import AnyRow, UnitOfWork
from tessera.kit.pagination import Page
from tessera.vouchers.grouping import group
from tessera.vouchers.programs.repository import NewProgram, ProgramRepository
from tessera.vouchers.rules import Status

__all__ = ["NewProgram"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A voucher program with what belongs to it; the nested rows carry the columns of their lists."""

    id: UUID
    name: str
    status: Status
    allow_ach_payments: bool
    expiration_period_in_days: int
    can_assigned_partners_purchase_zero_price: bool
    is_available_to_all_partners: bool
    partner_cost_per_voucher: Decimal
    enforce_assigned_email: bool
    voucher_code_prefix: str
    discounts: Sequence[AnyRow]
    assigned_partners: Sequence[AnyRow]
    email_domains: Sequence[AnyRow]
    store_exams: Sequence[AnyRow]


_OWN_COLUMNS = tuple(Program.__dataclass_fields__)[:10]


async def list_page(work: UnitOfWork, *, name_part: str | None, number: int) -> Page[Program]:
    """A page of the programs that the caller may see; raises TooManyResults."""
    programs = ProgramRepository(work)
    page = await programs.list_page(name_part, number=number)
    ids = [row.id for row in page.items]
    if not ids:
        return Page([], page.number, page.has_next)
    discounts = group(await programs.list_discounts(ids), by="program_id")
    partners = group(await programs.list_assigned_partners(ids), by="program_id")
    domains = group(await programs.list_email_domains(ids), by="program_id")
    exams = group(await programs.list_store_exams(ids), by="program_id")
    items = [
        Program(
            **{column: getattr(row, column) for column in _OWN_COLUMNS if column != "status"},
            status=Status(row.status),
            discounts=discounts.get(row.id, ()),
            assigned_partners=partners.get(row.id, ()),
            email_domains=domains.get(row.id, ()),
            store_exams=exams.get(row.id, ()),
        )
        for row in page.items
    ]
    return Page(items, page.number, page.has_next)


async def find_by_name(work: UnitOfWork, name: str, *, partner_id: UUID | None) -> AnyRow | None:
    """The program with this name, ignoring case, if the caller may see it.

    Its columns: `id`, `name`, `status`, `partner_cost_per_voucher` and `is_open_to_partner`.
    """
    return await ProgramRepository(work).find_by_name(name, partner_id=partner_id)


async def add(work: UnitOfWork, program: NewProgram, *, now: datetime) -> None:
    """Add a program, which the caller vouches for."""
    await ProgramRepository(work).add(program, now=now)
