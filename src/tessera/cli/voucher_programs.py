"""Commands on voucher programs."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any

import typer

from tessera.cli import lookups
from tessera.cli.database_sessions import in_organization
from tessera.cli.options.types import AsJson, Cursor, Limit, Organization
from tessera.cli.output import show, show_rows
from tessera.cli.startup import start
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, Violation
from tessera.vouchers.programs import service as programs
from tessera.vouchers.programs.rules import ProgramDraft, Tier
from tessera.vouchers.programs.service import Program, ProgramFilter
from tessera.vouchers.rules import Status

OneProgram = Annotated[str, typer.Argument(help="Its name, in any case, or its id.", metavar="PROGRAM")]
Name = Annotated[str | None, typer.Option("--name", help="Another name.")]
Exams = Annotated[list[str] | None, typer.Option("--exam", help="An exam that it pays for; may be given again.")]
Cost = Annotated[str | None, typer.Option("--cost", help="What a voucher costs, in dollars.", metavar="DOLLARS")]
Tiers = Annotated[
    list[str] | None,
    typer.Option("--tier", help="A discount by quantity; may be given again.", metavar="QUANTITY:PERCENT"),
]
ToAll = Annotated[bool | None, typer.Option("--to-all/--to-assigned", help="Who can buy: all, or assigned partners.")]
Partners = Annotated[list[str] | None, typer.Option("--partner", help="An assigned partner; may be given again.")]
ZeroPrice = Annotated[
    bool | None,
    typer.Option("--zero-price/--no-zero-price", help="Whether assigned partners can buy what costs nothing."),
]
Domains = Annotated[
    list[str] | None, typer.Option("--email-domain", help="Whose candidates can use it; may be given again.")
]
Enforce = Annotated[
    bool | None, typer.Option("--enforce-email/--no-enforce-email", help="Whether only a recipient can use a voucher.")
]
Prefix = Annotated[str | None, typer.Option("--prefix", help="What codes begin with.")]
Days = Annotated[int | None, typer.Option("--days", help="How long vouchers are good.")]
Ach = Annotated[bool | None, typer.Option("--ach/--no-ach", help="Whether ACH may pay; kept and shown alone.")]

commands = typer.Typer(no_args_is_help=True)


class Clearable(StrEnum):
    """What a program can do without."""

    TIERS = "tiers"
    PARTNERS = "partners"
    EMAIL_DOMAINS = "email-domains"


_FIELDS = {
    Clearable.TIERS: "tiers",
    Clearable.PARTNERS: "partner_ids",
    Clearable.EMAIL_DOMAINS: "email_domains",
}
Clear = Annotated[
    list[Clearable] | None, typer.Option("--clear", help="What it shall no longer have; may be given again.")
]


@commands.command("create")
def create_program(
    organization: Organization,
    name: Annotated[str, typer.Argument(help="Its name, unique in any case.", metavar="NAME")],
    exam: Annotated[list[str], typer.Option("--exam", help="An exam that it pays for; may be given again.")],
    cost: Annotated[str, typer.Option("--cost", help="What a voucher costs, in dollars.", metavar="DOLLARS")],
    tier: Tiers = None,
    to_all: ToAll = False,
    partner: Partners = None,
    zero_price: ZeroPrice = False,
    email_domain: Domains = None,
    enforce_email: Enforce = False,
    prefix: Prefix = "",
    days: Days = 365,
    ach: Ach = False,
    active: Annotated[bool, typer.Option("--active", help="Let it be bought at once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Offer vouchers: for which exams, at what price, to whom."""
    given: dict[str, Any] = {
        "name": name,
        "store_exam_codes": tuple(exam),
        "cost_per_voucher": _decimal("cost", cost),
        "tiers": _tiers(tier),
        "is_available_to_all_partners": to_all,
        "can_assigned_partners_purchase_zero_price": zero_price,
        "email_domains": _given(email_domain),
        "enforce_assigned_email": enforce_email,
        "voucher_code_prefix": prefix,
        "expiration_period_in_days": days,
        "allow_ach_payments": ach,
        "is_active": active,
    }

    async def create(work: UnitOfWork) -> Program:
        draft = ProgramDraft(**given, partner_ids=await _partner_ids(work, partner))
        return await programs.create(work, draft=draft, now=clock())

    program = in_organization(start(), organization, create)
    show(f"Added the voucher program {name}.", _fields(program), as_json=as_json)


@commands.command("update")
def update_program(
    organization: Organization,
    program: OneProgram,
    name: Name = None,
    exam: Exams = None,
    cost: Cost = None,
    tier: Tiers = None,
    to_all: ToAll = None,
    partner: Partners = None,
    zero_price: ZeroPrice = None,
    email_domain: Domains = None,
    enforce_email: Enforce = None,
    prefix: Prefix = None,
    days: Days = None,
    ach: Ach = None,
    clear: Clear = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given of a voucher program, and leave the rest."""
    given: dict[str, Any] = {
        "name": name,
        "store_exam_codes": _given(exam),
        "cost_per_voucher": _decimal("cost", cost),
        "tiers": _tiers(tier),
        "is_available_to_all_partners": to_all,
        "can_assigned_partners_purchase_zero_price": zero_price,
        "email_domains": _given(email_domain),
        "enforce_assigned_email": enforce_email,
        "voucher_code_prefix": prefix,
        "expiration_period_in_days": days,
        "allow_ach_payments": ach,
    }

    async def update(work: UnitOfWork) -> Program:
        target = Target(await lookups.program_id(work, program))
        given["partner_ids"] = await _partner_ids(work, partner)
        draft = ProgramDraft(**(given | {_FIELDS[each]: () for each in clear or ()}))
        return await programs.edit(work, target, draft=draft, now=clock())

    updated = in_organization(start(), organization, update)
    show(f"Changed the voucher program {updated.name}.", _fields(updated), as_json=as_json)


@commands.command("list")
def list_programs(
    organization: Organization,
    name: Annotated[str | None, typer.Option(help="Any part of the name, in any case.")] = None,
    status: Annotated[Status | None, typer.Option(help="Those of this status.", case_sensitive=False)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """List voucher programs, oldest first."""
    wanted = ProgramFilter(program_name_part=name, status=status)
    part = in_organization(
        start(), organization, lambda work: programs.list_by_cursor(work, filters=wanted, after=cursor, size=limit)
    )
    rows = [_fields(program) for program in part.items]
    show_rows(rows, as_json=as_json, if_none="There are no such voucher programs.", cursor=part.cursor)


@commands.command("show")
def show_program(organization: Organization, program: OneProgram, as_json: AsJson = False) -> None:
    """Show all of a voucher program."""

    async def find(work: UnitOfWork) -> Program:
        return await programs.get(work, await lookups.program_id(work, program))

    found = in_organization(start(), organization, find)
    show(f"The voucher program {found.name} is {found.status.lower()}.", _all_fields(found), as_json=as_json)


@commands.command("activate")
def activate_program(organization: Organization, program: OneProgram, as_json: AsJson = False) -> None:
    """Let a voucher program be bought."""
    _move(organization, program, Status.ACTIVE, as_json=as_json)


@commands.command("deactivate")
def deactivate_program(organization: Organization, program: OneProgram, as_json: AsJson = False) -> None:
    """Let a voucher program be bought no longer."""
    _move(organization, program, Status.INACTIVE, as_json=as_json)


@commands.command("archive")
def archive_program(organization: Organization, program: OneProgram, as_json: AsJson = False) -> None:
    """Put a voucher program away for ever."""
    _move(organization, program, Status.ARCHIVED, as_json=as_json)


def _move(organization: str, program: str, status: Status, *, as_json: bool) -> None:
    async def move(work: UnitOfWork) -> Program:
        target = Target(await lookups.program_id(work, program))
        return await programs.set_status(work, target, status=status, now=clock())

    moved = in_organization(start(), organization, move)
    show(f"The voucher program {moved.name} is {status.lower()}.", _fields(moved), as_json=as_json)


async def _partner_ids(work: UnitOfWork, names: Sequence[str] | None) -> tuple[Any, ...] | None:
    return tuple([await lookups.partner_id(work, name) for name in names]) if names else None


def _given(values: list[str] | None) -> tuple[str, ...] | None:
    return tuple(values) if values else None


def _tiers(texts: list[str] | None) -> tuple[Tier, ...] | None:
    return tuple(_tier(text) for text in texts) if texts else None


def _tier(text: str) -> Tier:
    quantity, _, percent = text.partition(":")
    if not (quantity.isascii() and quantity.isdigit() and len(quantity) < 10):  # noqa: PLR2004 - as the column holds
        raise Invalid([Violation("NotTier", "tier", f"must be QUANTITY:PERCENT, such as 10:5: {text}")])
    found = _decimal("tier", percent)
    return Tier(int(quantity), found or Decimal(0))


def _decimal(option: str, text: str | None) -> Decimal | None:
    try:
        found = None if text is None else Decimal(text)
    except InvalidOperation:
        raise Invalid([Violation("NotNumber", option, f"must be a number: {text}")]) from None
    if found is not None and not found.is_finite():
        raise Invalid([Violation("NotNumber", option, f"must be a number: {text}")])
    return found


def _fields(program: Program) -> dict[str, Any]:
    return {
        "id": program.id,
        "name": program.name,
        "status": program.status,
        "storeExamCodes": ", ".join(exam.code for exam in program.store_exams),
        "costPerVoucher": program.partner_cost_per_voucher,
        "tiers": ", ".join(f"{tier.quantity}:{tier.percent}" for tier in program.discounts),
        "partners": "all" if program.is_available_to_all_partners else _assigned(program),
        "version": program.version,
    }


def _all_fields(program: Program) -> dict[str, Any]:
    return _fields(program) | {
        "assignedPartners": _assigned(program),
        "zeroPrice": program.can_assigned_partners_purchase_zero_price,
        "emailDomains": ", ".join(rule.domain for rule in program.email_domains) or "all",
        "enforceEmail": program.enforce_assigned_email,
        "prefix": program.voucher_code_prefix,
        "days": program.expiration_period_in_days,
        "ach": program.allow_ach_payments,
        "createdAt": program.created_at,
    }


def _assigned(program: Program) -> str:
    return ", ".join(partner.name for partner in program.assigned_partners) or "none"
