"""Voucher programs: the offers of vouchers to partners."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tessera.audit.editing import Editable
from tessera.audit.rules import Action
from tessera.catalog import service as catalog
from tessera.kit.db.pages import CursorPage, Page
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, Violation
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import distinct, domain_key, key_of
from tessera.vouchers.partners.repository import PartnerRepository
from tessera.vouchers.programs import rules
from tessera.vouchers.programs.repository import NewProgram, ProgramFilter, ProgramRelations, ProgramRepository
from tessera.vouchers.programs.rules import ProgramDraft
from tessera.vouchers.rules import MOVES, Status, ensure_not_archived, name_taken

__all__ = ["NewProgram", "ProgramFilter"]

_UNCHANGED = ProgramRelations()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A voucher program with its relations, which are rows of the repository's lists."""

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
    created_at: datetime
    version: int
    metadata: Mapping[str, str] | None
    discounts: Sequence[AnyRow]
    assigned_partners: Sequence[AnyRow]
    email_domains: Sequence[AnyRow]
    store_exams: Sequence[AnyRow]


_OWN_COLUMNS = tuple(Program.__dataclass_fields__)[:13]
# The column of a program for each field of a draft.
_DRAFT_COLUMNS = {
    "name": "name",
    "allow_ach_payments": "allow_ach_payments",
    "metadata": "metadata",
    "expiration_period_in_days": "expiration_period_in_days",
    "can_assigned_partners_purchase_zero_price": "can_assigned_partners_purchase_zero_price",
    "is_available_to_all_partners": "is_available_to_all_partners",
    "cost_per_voucher": "partner_cost_per_voucher",
    "enforce_assigned_email": "enforce_assigned_email",
    "voucher_code_prefix": "voucher_code_prefix",
}


async def list_page(work: UnitOfWork, *, name_part: str | None, number: int) -> Page[Program]:
    """A page of the programs visible to the caller; raises TooManyResults."""
    programs = ProgramRepository(work)
    page = await programs.list_page(name_part, number=number)
    return Page(await _all_with_relations(programs, page.items), page.number, page.has_next)


async def list_by_cursor(
    work: UnitOfWork, *, filters: ProgramFilter, newest: bool = False, after: str | None, size: int
) -> CursorPage[Program]:
    """A page of the organization's programs, oldest or newest first; raises Invalid for a cursor of another list."""
    programs = ProgramRepository(work)
    page = await programs.list_by_cursor(filters, newest=newest, after=after, size=size)
    return CursorPage(await _all_with_relations(programs, page.items), page.cursor)


async def get(work: UnitOfWork, program_id: UUID) -> Program:
    """The program with this id; raises NotFound."""
    programs = ProgramRepository(work)
    return _PROGRAMS.require(await _with_relations(programs, await programs.find(program_id)))


async def find_id(work: UnitOfWork, name: str) -> UUID | None:
    """The id of the program with this name, ignoring case."""
    return await ProgramRepository(work).find_id(name)


async def find_for_share(
    work: UnitOfWork, program_id: UUID | None, *, partner_id: UUID | None
) -> tuple[Program | None, bool]:
    """A program, locked FOR SHARE, and whether it is open to the partner."""
    programs = ProgramRepository(work)
    row = await programs.find_for_share(program_id) if program_id else None
    program = await _with_relations(programs, row)
    if program is None:
        return None, False
    is_open = program.is_available_to_all_partners or await programs.is_assigned(program.id, partner_id)
    return program, is_open


async def add(work: UnitOfWork, program: NewProgram, *, now: datetime) -> None:
    """Add a program without checking it; raises Invalid for a name that is taken."""
    if not await ProgramRepository(work).add(program, now=now):
        raise Invalid([name_taken(program.name)])


async def create(work: UnitOfWork, *, draft: ProgramDraft, now: datetime) -> Program:
    """Create a program; raises Invalid with every violation, including unknown exams and partners."""
    relations = await _validate(work, draft)
    lists: dict[str, Any] = {name: tuple(value or ()) for name, value in asdict(relations).items()}
    status = Status.ACTIVE if draft.is_active else Status.INACTIVE
    program = NewProgram(id=new_id(), status=status, **_draft_values(draft), **lists)
    await add(work, program, now=now)
    created = await get(work, program.id)
    await _PROGRAMS.record_created(work, created, now=now)
    return created


async def edit(work: UnitOfWork, target: Target, *, draft: ProgramDraft, now: datetime) -> Program:
    """Change the fields that the draft contains.

    Raises NotFound, VersionStale, Invalid with every violation, WrongState.
    """
    before = await _lock(work, target)
    relations = await _validate(work, draft, program_id=target.id)
    ensure_not_archived("voucher program", before.status)
    return await _change(work, before, _draft_values(draft), relations, now=now)


async def set_status(work: UnitOfWork, target: Target, *, status: Status, now: datetime) -> Program:
    """Activate, deactivate or permanently archive a program; raises NotFound, VersionStale, WrongState."""
    before = await _lock(work, target)
    move = _PROGRAMS.require_move(before.status, status)
    return await _change(work, before, {"status": status}, action=move.action, now=now)


async def _lock(work: UnitOfWork, target: Target) -> Program:
    programs = ProgramRepository(work)
    return _PROGRAMS.require_current(await _with_relations(programs, await programs.lock(target.id)), target)


async def _change(
    work: UnitOfWork,
    before: Program,
    columns: Mapping[str, Any],
    relations: ProgramRelations = _UNCHANGED,
    *,
    action: str = Action.UPDATED,
    now: datetime,
) -> Program:
    await ProgramRepository(work).change(before.id, columns, relations)
    after = await get(work, before.id)
    await _PROGRAMS.record(work, action, before, after, now=now)
    return after


async def _validate(work: UnitOfWork, draft: ProgramDraft, *, program_id: UUID | None = None) -> ProgramRelations:
    exams = await catalog.find_store_exams(work, draft.store_exam_codes or ())
    partner_ids = await PartnerRepository(work).find_ids(draft.partner_ids) if draft.partner_ids else frozenset()
    # Checking a thousand domains takes up to a second, during which other requests must not wait.
    violations = await asyncio.to_thread(lambda: list(rules.violations(draft)))
    violations += [
        Violation("StoreExamNotFound", f"store_exam_codes/{number}", f"must be a known store exam: '{code[:60]}'")
        for number, code in enumerate(draft.store_exam_codes or ())
        if key_of(code) not in exams
    ]
    violations += [
        Violation("PartnerNotFound", f"partner_ids/{number}", "must be the id of a voucher partner")
        for number, partner_id in enumerate(draft.partner_ids or ())
        if partner_id not in partner_ids
    ]
    id_by_name = await find_id(work, draft.name) if draft.name else None
    if draft.name is not None and id_by_name not in (None, program_id):
        violations.append(name_taken(draft.name))
    if violations:
        raise Invalid(violations)
    return _relations(draft, exams)


def _relations(draft: ProgramDraft, exams: Mapping[str, tuple[UUID, str]]) -> ProgramRelations:
    codes, ids, tiers, domains = draft.store_exam_codes, draft.partner_ids, draft.tiers, draft.email_domains
    return ProgramRelations(
        store_exam_ids=None if codes is None else [exams[key_of(code)][0] for code in distinct(codes)],
        partner_ids=None if ids is None else list(dict.fromkeys(ids)),
        discounts=None if tiers is None else [(tier.quantity, tier.percent) for tier in tiers],
        email_domains=None if domains is None else distinct(map(domain_key, domains)),
    )


def _draft_values(draft: ProgramDraft) -> dict[str, Any]:
    values = {column: getattr(draft, name) for name, column in _DRAFT_COLUMNS.items()}
    return {column: value for column, value in values.items() if value is not None}


async def _with_relations(programs: ProgramRepository, row: AnyRow | None) -> Program | None:
    return (await _all_with_relations(programs, [row]))[0] if row else None


async def _all_with_relations(programs: ProgramRepository, rows: Sequence[AnyRow]) -> list[Program]:
    ids = [row.id for row in rows]
    if not ids:
        return []
    discounts = _by_program(await programs.list_discounts(ids))
    partners = _by_program(await programs.list_assigned_partners(ids))
    domains = _by_program(await programs.list_email_domains(ids))
    exams = _by_program(await programs.list_store_exams(ids))
    return [
        Program(
            **{column: getattr(row, column) for column in _OWN_COLUMNS if column != "status"},
            status=Status(row.status),
            discounts=discounts.get(row.id, ()),
            assigned_partners=partners.get(row.id, ()),
            email_domains=domains.get(row.id, ()),
            store_exams=exams.get(row.id, ()),
        )
        for row in rows
    ]


def _by_program(rows: Iterable[AnyRow]) -> Mapping[UUID, Sequence[AnyRow]]:
    groups: dict[UUID, list[AnyRow]] = {}
    for row in rows:
        groups.setdefault(row.program_id, []).append(row)
    return groups


def _audit_values(program: Program) -> dict[str, Any]:
    columns = {column: getattr(program, column) for column in _OWN_COLUMNS}
    return columns | {
        "tiers": [{"quantity": tier.quantity, "percent": tier.percent} for tier in program.discounts],
        "partner_ids": [partner.id for partner in program.assigned_partners],
        "email_domains": [rule.domain for rule in program.email_domains],
        "store_exam_codes": [exam.code for exam in program.store_exams],
    }


_PROGRAMS: Editable[Program] = Editable(
    kind="VoucherProgram", noun="voucher program", moves=MOVES, values=_audit_values
)
