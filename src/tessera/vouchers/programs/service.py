"""Voucher programs: what partners can buy."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Action, Change
from tessera.catalog import service as catalog
from tessera.kit.db.grouping import group
from tessera.kit.db.pages import CursorPage, Page
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, NotFound, Violation
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import distinct, key_of
from tessera.vouchers.partners import service as partners
from tessera.vouchers.programs import rules
from tessera.vouchers.programs.repository import NewProgram, ProgramFilter, ProgramRelations, ProgramRepository
from tessera.vouchers.programs.rules import ProgramDraft
from tessera.vouchers.rules import ACTIONS, Status, check_standing
from tessera.vouchers.unique_names import name_taken

__all__ = ["NewProgram", "ProgramFilter"]

KIND = "VoucherProgram"
NOTHING = ProgramRelations()


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
    created_at: datetime
    version: int
    discounts: Sequence[AnyRow]
    assigned_partners: Sequence[AnyRow]
    email_domains: Sequence[AnyRow]
    store_exams: Sequence[AnyRow]


_OWN_COLUMNS = tuple(Program.__dataclass_fields__)[:12]
# The columns of a program by the names that drafts have for them.
_DRAFTED = {
    "name": "name",
    "allow_ach_payments": "allow_ach_payments",
    "expiration_period_in_days": "expiration_period_in_days",
    "can_assigned_partners_purchase_zero_price": "can_assigned_partners_purchase_zero_price",
    "is_available_to_all_partners": "is_available_to_all_partners",
    "cost_per_voucher": "partner_cost_per_voucher",
    "enforce_assigned_email": "enforce_assigned_email",
    "voucher_code_prefix": "voucher_code_prefix",
}


class ProgramNotFound(NotFound):
    """There is no program of this id."""

    def __init__(self) -> None:
        super().__init__("There is no such voucher program.")


async def list_page(work: UnitOfWork, *, name_part: str | None, number: int) -> Page[Program]:
    """A page of the programs that the caller may see; raises TooManyResults."""
    programs = ProgramRepository(work)
    page = await programs.list_page(name_part, number=number)
    return Page(await _whole(programs, page.items), page.number, page.has_next)


async def list_by_cursor(
    work: UnitOfWork, *, filters: ProgramFilter, after: str | None, size: int
) -> CursorPage[Program]:
    """A part of the organization's programs, oldest first; raises Invalid for a cursor of another list."""
    programs = ProgramRepository(work)
    part = await programs.list_by_cursor(filters, after=after, size=size)
    return CursorPage(await _whole(programs, part.items), part.cursor)


async def get(work: UnitOfWork, program_id: UUID) -> Program:
    """One program with what belongs to it; raises ProgramNotFound."""
    programs = ProgramRepository(work)
    return await _one(programs, await programs.find(program_id))


async def find_by_name(work: UnitOfWork, name: str, *, partner_id: UUID | None) -> AnyRow | None:
    """The program with this name, ignoring case, if the caller may see it.

    Its columns: `id`, `name`, `status`, `partner_cost_per_voucher` and `is_open_to_partner`.
    """
    return await ProgramRepository(work).find_by_name(name, partner_id=partner_id)


async def find_id(work: UnitOfWork, name: str) -> UUID | None:
    """The id of the program with this name, ignoring case."""
    return await ProgramRepository(work).find_id(name)


async def keep(work: UnitOfWork, program_id: UUID, *, partner_id: UUID | None) -> tuple[Program, bool] | None:
    """A program that stays as it is until the end of the transaction, and whether it is open to the partner."""
    programs = ProgramRepository(work)
    row = await programs.keep(program_id)
    if row is None:
        return None
    program = await _one(programs, row)
    is_open = program.is_available_to_all_partners or await programs.is_assigned(program_id, partner_id)
    return program, is_open


async def add(work: UnitOfWork, program: NewProgram, *, now: datetime) -> None:
    """Add a program, which the caller vouches for; raises Invalid for a name that is taken."""
    if not await ProgramRepository(work).add(program, now=now):
        raise Invalid([name_taken(program.name)])


async def create(work: UnitOfWork, *, draft: ProgramDraft, now: datetime) -> Program:
    """Add a program; raises Invalid with every violation, of the draft and of what it names."""
    belongings = await _checked(work, draft)
    given = {name: value for name, value in _drafted(draft).items() if value is not None}
    lists: dict[str, Any] = {name: tuple(value or ()) for name, value in asdict(belongings).items()}
    status = Status.ACTIVE if draft.is_active else Status.INACTIVE
    program = NewProgram(id=new_id(), status=status, **given, **lists)
    await add(work, program, now=now)
    created = await get(work, program.id)
    await _record(work, Action.CREATED, None, created, now=now)
    return created


async def edit(work: UnitOfWork, target: Target, *, draft: ProgramDraft, now: datetime) -> Program:
    """Change what the draft gives; raises ProgramNotFound, VersionStale, Invalid with every violation, WrongState."""
    before = await _lock(work, target)
    belongings = await _checked(work, draft, program_id=target.id)
    check_standing("voucher program", before.status)
    columns = {name: value for name, value in _drafted(draft).items() if value is not None}
    return await _change(work, before, columns, belongings, now=now)


async def set_status(work: UnitOfWork, target: Target, *, status: Status, now: datetime) -> Program:
    """Activate, deactivate or archive a program, the last for ever.

    Raises ProgramNotFound, VersionStale, WrongState.
    """
    before = await _lock(work, target)
    check_standing("voucher program", before.status, wanted=status)
    return await _change(work, before, {"status": status}, action=ACTIONS[status], now=now)


async def _lock(work: UnitOfWork, target: Target) -> Program:
    programs = ProgramRepository(work)
    found = await _one(programs, await programs.lock(target.id))
    target.ensure(found.version)
    return found


async def _change(
    work: UnitOfWork,
    before: Program,
    columns: Mapping[str, Any],
    belongings: ProgramRelations = NOTHING,
    *,
    action: str = Action.UPDATED,
    now: datetime,
) -> Program:
    await ProgramRepository(work).change(before.id, columns, belongings)
    after = await get(work, before.id)
    await _record(work, action, before, after, now=now)
    return after


async def _checked(work: UnitOfWork, draft: ProgramDraft, *, program_id: UUID | None = None) -> ProgramRelations:
    """What belongs to the program by id; raises Invalid with every violation."""
    exams = await catalog.find_store_exams(work, draft.store_exam_codes or ())
    known = await partners.find_known(work, draft.partner_ids) if draft.partner_ids else frozenset()
    violations = list(rules.violations(draft))
    violations += [
        Violation("StoreExamNotFound", f"store_exam_codes/{number}", f"must be a known store exam: '{code[:60]}'")
        for number, code in enumerate(draft.store_exam_codes or ())
        if key_of(code) not in exams
    ]
    violations += [
        Violation("PartnerNotFound", f"partner_ids/{number}", "must be the id of a voucher partner")
        for number, partner_id in enumerate(draft.partner_ids or ())
        if partner_id not in known
    ]
    owner = await find_id(work, draft.name) if draft.name else None
    if draft.name is not None and owner not in (None, program_id):
        violations.append(name_taken(draft.name))
    if violations:
        raise Invalid(violations)
    return _belongings(draft, exams)


def _belongings(draft: ProgramDraft, exams: Mapping[str, tuple[UUID, str]]) -> ProgramRelations:
    codes, ids, tiers, domains = draft.store_exam_codes, draft.partner_ids, draft.tiers, draft.email_domains
    return ProgramRelations(
        store_exam_ids=None if codes is None else [exams[key_of(code)][0] for code in distinct(codes)],
        partner_ids=None if ids is None else list(dict.fromkeys(ids)),
        discounts=None if tiers is None else [(tier.quantity, tier.percent) for tier in tiers],
        email_domains=None if domains is None else [key_of(domain) for domain in distinct(domains)],
    )


def _drafted(draft: ProgramDraft) -> dict[str, Any]:
    return {column: getattr(draft, name) for name, column in _DRAFTED.items()}


async def _one(programs: ProgramRepository, row: AnyRow | None) -> Program:
    if row is None:
        raise ProgramNotFound
    return (await _whole(programs, [row]))[0]


async def _whole(programs: ProgramRepository, rows: Sequence[AnyRow]) -> list[Program]:
    ids = [row.id for row in rows]
    if not ids:
        return []
    discounts = group(await programs.list_discounts(ids), by="program_id")
    assigned = group(await programs.list_assigned_partners(ids), by="program_id")
    domains = group(await programs.list_email_domains(ids), by="program_id")
    exams = group(await programs.list_store_exams(ids), by="program_id")
    return [
        Program(
            **{column: getattr(row, column) for column in _OWN_COLUMNS if column != "status"},
            status=Status(row.status),
            discounts=discounts.get(row.id, ()),
            assigned_partners=assigned.get(row.id, ()),
            email_domains=domains.get(row.id, ()),
            store_exams=exams.get(row.id, ()),
        )
        for row in rows
    ]


async def _record(work: UnitOfWork, action: str, before: Program | None, after: Program, *, now: datetime) -> None:
    values = _audited(before) if before else None
    change = Change(action=action, kind=KIND, id=after.id, before=values, after=_audited(after))
    await audit.record(work, change, now=now)


def _audited(program: Program) -> dict[str, Any]:
    own = {column: getattr(program, column) for column in _OWN_COLUMNS}
    return own | {
        "tiers": [{"quantity": tier.quantity, "percent": tier.percent} for tier in program.discounts],
        "partner_ids": [partner.id for partner in program.assigned_partners],
        "email_domains": [rule.domain for rule in program.email_domains],
        "store_exam_codes": [exam.code for exam in program.store_exams],
    }
