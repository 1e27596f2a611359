"""Commands on voucher programs."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import typer

from tessera.cli.confirmation import confirm
from tessera.cli.lookups import vouchers as lookups
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.metadata import Metadata, MetadataFilter, parse_filter, parse_metadata
from tessera.cli.options.types import Cursor, Limit, Yes, parse_decimal
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import Fields, fields_of
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, Violation
from tessera.vouchers.programs import service as programs
from tessera.vouchers.programs.rules import ProgramDraft, Tier
from tessera.vouchers.programs.service import Program, ProgramFilter
from tessera.vouchers.rules import Status

ProgramRef = Annotated[str, typer.Argument(help="The program's name (any case) or id.", metavar="PROGRAM")]
Exams = typer.Option("--exam", help="The code of an exam that vouchers pay for; repeatable.")
Cost = typer.Option("--cost", help="The price of a voucher in dollars.", metavar="DOLLARS")
ToAll = Annotated[bool | None, typer.Option("--to-all/--to-assigned", help="Sell to all or to assigned partners.")]
ZeroPrice = Annotated[
    bool | None,
    typer.Option("--zero-price/--no-zero-price", help="Let assigned partners buy vouchers that cost nothing."),
]
EnforceEmail = Annotated[
    bool | None,
    typer.Option("--enforce-email/--no-enforce-email", help="Let only the recipient use a voucher."),
]
Prefix = Annotated[str | None, typer.Option("--prefix", help="The prefix of voucher codes.")]
Days = Annotated[int | None, typer.Option("--days", help="The number of days for which vouchers are valid.")]
Ach = Annotated[bool | None, typer.Option("--ach/--no-ach", help="Whether ACH payments are allowed; for display only.")]

MAX_QUANTITY_DIGITS = 9  # so that the number fits into an integer of Postgres

commands = CommandGroup()


class Clearable(StrEnum):
    """The fields of a program that can be empty."""

    TIERS = "tiers"
    PARTNERS = "partners"
    EMAIL_DOMAINS = "email-domains"
    METADATA = "metadata"


_EMPTY: Mapping[Clearable, tuple[str, Any]] = {
    Clearable.TIERS: ("tiers", ()),
    Clearable.PARTNERS: ("partner_ids", ()),
    Clearable.EMAIL_DOMAINS: ("email_domains", ()),
    Clearable.METADATA: ("metadata", {}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramChanges:
    """The fields of a voucher program, named as in its draft; None leaves a field unchanged."""

    name: Annotated[str | None, typer.Option("--name", help="The new name.")] = None
    store_exam_codes: Annotated[list[str] | None, Exams] = None
    cost_per_voucher: Annotated[str | None, Cost] = None
    tiers: Annotated[
        list[str] | None,
        typer.Option("--tier", help="A quantity discount; repeatable.", metavar="QUANTITY:PERCENT"),
    ] = None
    is_available_to_all_partners: ToAll = None
    partner_ids: Annotated[
        list[str] | None, typer.Option("--partner", help="An assigned partner, by name or id; repeatable.")
    ] = None
    can_assigned_partners_purchase_zero_price: ZeroPrice = None
    email_domains: Annotated[
        list[str] | None,
        typer.Option("--email-domain", help="An email domain of eligible candidates; repeatable."),
    ] = None
    enforce_assigned_email: EnforceEmail = None
    voucher_code_prefix: Prefix = None
    expiration_period_in_days: Days = None
    allow_ach_payments: Ach = None
    metadata: Metadata = None

    def draft(self) -> ProgramDraft:
        """The draft with these options, except for its partners; raises Invalid."""
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        del values["partner_ids"]
        values |= {name: tuple(value) or None for name, value in values.items() if isinstance(value, list)}
        if self.metadata:
            values["metadata"] = parse_metadata(self.metadata)
        if self.cost_per_voucher is not None:
            values["cost_per_voucher"] = parse_decimal("cost_per_voucher", self.cost_per_voucher)
        if self.tiers:
            values["tiers"] = tuple(_parse_tier(text) for text in self.tiers)
        return ProgramDraft(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProgram(ProgramChanges):
    """The fields of a new voucher program, with the defaults of optional fields."""

    name: Annotated[str, typer.Argument(help="The name, unique regardless of case.", metavar="NAME")]
    store_exam_codes: Annotated[list[str], Exams]
    cost_per_voucher: Annotated[str, Cost]
    is_available_to_all_partners: ToAll = False
    can_assigned_partners_purchase_zero_price: ZeroPrice = False
    enforce_assigned_email: EnforceEmail = False
    voucher_code_prefix: Prefix = ""
    expiration_period_in_days: Days = 365
    allow_ach_payments: Ach = False
    is_active: Annotated[bool, typer.Option("--active", help="Activate the program, so that it can be bought.")] = False


@commands.command("create")
def create_program(session: OrganizationSession, program: NewProgram) -> None:
    """Create a voucher program with its exams, price and buyers."""
    draft = program.draft()

    async def create(work: UnitOfWork) -> Program:
        partner_ids = await _partner_ids(work, program.partner_ids)
        return await programs.create(work, draft=replace(draft, partner_ids=partner_ids), now=clock())

    session.show(f"Created the voucher program {program.name}.", _fields(session.run(create)))


@commands.command("update")
def update_program(
    session: OrganizationSession,
    program: ProgramRef,
    changes: ProgramChanges,
    clear: Annotated[list[Clearable] | None, typer.Option("--clear", help="A field to empty; repeatable.")] = None,
) -> None:
    """Change the fields of a voucher program that have an option."""
    draft = changes.draft()
    cleared = dict(_EMPTY[name] for name in clear or ())

    async def update(work: UnitOfWork, target: Target, *, now: datetime) -> Program:
        values = {"partner_ids": await _partner_ids(work, changes.partner_ids)} | cleared
        return await programs.edit(work, target, draft=replace(draft, **values), now=now)

    updated_program = session.change(lookups.program_id, program, update)
    session.show(f"Changed the voucher program {updated_program.name}.", _fields(updated_program))


@commands.command("list")
def list_programs(
    session: OrganizationSession,
    name: Annotated[str | None, typer.Option(help="Any part of the name, in any case.")] = None,
    status: Annotated[Status | None, typer.Option(help="The status.", case_sensitive=False)] = None,
    metadata: MetadataFilter = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> None:
    """List voucher programs, newest first."""
    filters = ProgramFilter(program_name_part=name, status=status, metadata=parse_filter(metadata))
    page = session.run(
        lambda work: programs.list_by_cursor(work, filters=filters, newest=True, after=cursor, size=limit)
    )
    rows = [_fields(program) for program in page.items]
    session.show_rows(rows, if_none="No voucher programs match.", cursor=page.cursor)


@commands.command("show")
def show_program(session: OrganizationSession, program: ProgramRef) -> None:
    """Show all fields of a voucher program."""
    current = session.run_on(lookups.program_id, program, programs.get)
    _show(session, current, _all_fields(current))


@commands.command("activate")
def activate_program(session: OrganizationSession, program: ProgramRef) -> None:
    """Activate a voucher program, so that it can be bought."""
    _set_status(session, program, Status.ACTIVE)


@commands.command("deactivate")
def deactivate_program(session: OrganizationSession, program: ProgramRef) -> None:
    """Deactivate a voucher program, so that it cannot be bought."""
    _set_status(session, program, Status.INACTIVE)


@commands.command("archive")
def archive_program(session: OrganizationSession, program: ProgramRef, *, yes: Yes = False) -> None:
    """Archive a voucher program (permanent)."""
    confirm(f"Archive the voucher program {program} permanently?", yes=yes)
    _set_status(session, program, Status.ARCHIVED)


def _set_status(session: OrganizationSession, name_or_id: str, status: Status) -> None:
    program = session.change(lookups.program_id, name_or_id, partial(programs.set_status, status=status))
    _show(session, program, _fields(program))


def _show(session: OrganizationSession, program: Program, fields: Fields) -> None:
    session.show(f"The voucher program {program.name} is {program.status.lower()}.", fields)


async def _partner_ids(work: UnitOfWork, names: list[str] | None) -> tuple[UUID, ...] | None:
    return tuple([await lookups.partner_id(work, name) for name in names]) if names else None


def _parse_tier(text: str) -> Tier:
    quantity, _, percent = text.partition(":")
    if not (quantity.isascii() and quantity.isdigit() and len(quantity) <= MAX_QUANTITY_DIGITS):
        raise Invalid([Violation("NotTier", "tiers", f"must be QUANTITY:PERCENT, such as 10:5: {text}")])
    return Tier(int(quantity), parse_decimal("tiers", percent))


def _fields(program: Program) -> dict[str, Any]:
    return {
        "name": program.name,
        "status": program.status,
        "costPerVoucher": program.partner_cost_per_voucher,
        "tiers": [f"{tier.quantity}:{tier.percent}" for tier in program.discounts],
        "storeExamCodes": [exam.code for exam in program.store_exams],
        "isAvailableToAllPartners": program.is_available_to_all_partners,
        "partners": [partner.name for partner in program.assigned_partners],
        "version": program.version,
        "id": program.id,
    }


def _all_fields(program: Program) -> Fields:
    names = (
        *("can_assigned_partners_purchase_zero_price", "enforce_assigned_email", "voucher_code_prefix"),
        *("expiration_period_in_days", "allow_ach_payments", "metadata", "created_at"),
    )
    domains = [rule.domain for rule in program.email_domains]
    return _fields(program) | {"emailDomains": domains} | fields_of(program, *names)
