"""Commands on vouchers: finding them, and changing one or a thousand."""

from datetime import datetime
from typing import Annotated, Any

import typer

from tessera.cli import lookups
from tessera.cli.database_sessions import in_organization
from tessera.cli.files import Length, save
from tessera.cli.options.types import AsJson, Cursor, Limit, Organization, Output, parse_time
from tessera.cli.output import show, show_rows
from tessera.cli.startup import start
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.issued.actions import service as changes
from tessera.vouchers.issued.actions.rules import BulkDraft, VoucherAction, VoucherRef
from tessera.vouchers.issued.actions.service import Outcome
from tessera.vouchers.issued.export import service as exports
from tessera.vouchers.issued.service import Voucher, VoucherFilter

Codes = Annotated[list[str], typer.Argument(help="Their codes, in any case; at most 1,000.", metavar="CODE...")]

commands = typer.Typer(no_args_is_help=True)


@commands.command("list")
def list_vouchers(
    organization: Organization,
    purchase: Annotated[str | None, typer.Option("--purchase", help="Those of this purchase, by code or id.")] = None,
    partner: Annotated[str | None, typer.Option("--partner", help="Those of this partner, by name or id.")] = None,
    code: Annotated[str | None, typer.Option("--code", help="The voucher of this code, in any case.")] = None,
    recipient: Annotated[str | None, typer.Option("--recipient", help="Those assigned to this address.")] = None,
    used: Annotated[bool | None, typer.Option("--used/--unused")] = None,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Those switched on, or off.")] = None,
    archived: Annotated[bool | None, typer.Option("--archived/--not-archived")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """List the vouchers of an organization."""

    async def find(work: UnitOfWork) -> Any:  # noqa: ANN401 - a part of a list
        wanted = VoucherFilter(
            purchase_id=await lookups.purchase_id(work, purchase) if purchase else None,
            partner_id=await lookups.partner_id(work, partner) if partner else None,
            voucher_code=code,
            recipient_email=recipient,
            is_used=used,
            is_active=on,
            is_archived=archived,
        )
        return await vouchers.list_by_cursor(work, filters=wanted, after=cursor, size=limit)

    part = in_organization(start(), organization, find)
    rows = [_fields(voucher) for voucher in part.items]
    show_rows(rows, as_json=as_json, if_none="There are no such vouchers.", cursor=part.cursor)


@commands.command("show")
def show_voucher(
    organization: Organization,
    voucher: Annotated[str, typer.Argument(help="Its code, in any case, or its id.", metavar="VOUCHER")],
    as_json: AsJson = False,
) -> None:
    """Show a voucher with its latest reservation and its use."""

    async def find(work: UnitOfWork) -> Voucher:
        return await vouchers.get(work, await lookups.voucher_id(work, voucher))

    found = in_organization(start(), organization, find)
    show(f"The voucher {found.code}.", _all_fields(found), as_json=as_json)


@commands.command("export")
def export_vouchers(organization: Organization, output: Output = None) -> None:
    """Export all vouchers, oldest first, as a CSV file of any length."""
    length = Length(exports.count, exports.EXPORTED_AT_ONCE)
    save(organization, output, lambda at: exports.csv(at.database, at.organization_id), length)


@commands.command("assign")
def assign_vouchers(
    organization: Organization,
    code: Codes,
    to: Annotated[str, typer.Option("--to", help="The recipient's e-mail address.")],
    as_json: AsJson = False,
) -> None:
    """Assign unused vouchers to a recipient, or to another one."""
    _change(organization, code, VoucherAction.ASSIGN, recipient_email=to, as_json=as_json)


@commands.command("unassign")
def unassign_vouchers(organization: Organization, code: Codes, as_json: AsJson = False) -> None:
    """Make unused vouchers nobody's."""
    _change(organization, code, VoucherAction.UNASSIGN, as_json=as_json)


@commands.command("switch-on")
def switch_vouchers_on(organization: Organization, code: Codes, as_json: AsJson = False) -> None:
    """Let vouchers be used."""
    _change(organization, code, VoucherAction.SWITCH_ON, as_json=as_json)


@commands.command("switch-off")
def switch_vouchers_off(organization: Organization, code: Codes, as_json: AsJson = False) -> None:
    """Let vouchers not be used until they are switched on again."""
    _change(organization, code, VoucherAction.SWITCH_OFF, as_json=as_json)


@commands.command("change-expiry")
def change_expiry(
    organization: Organization,
    code: Codes,
    expires_at: Annotated[str, typer.Option("--expires-at", help="Until when they are good, ISO 8601.")],
    as_json: AsJson = False,
) -> None:
    """Change until when vouchers are good."""
    until = parse_time("expires-at", expires_at)
    _change(organization, code, VoucherAction.CHANGE_EXPIRY, expires_at=until, as_json=as_json)


@commands.command("archive")
def archive_vouchers(organization: Organization, code: Codes, as_json: AsJson = False) -> None:
    """Put vouchers away for ever."""
    _change(organization, code, VoucherAction.ARCHIVE, as_json=as_json)


def _change(
    organization: str,
    codes: list[str],
    action: VoucherAction,
    *,
    recipient_email: str | None = None,
    expires_at: datetime | None = None,
    as_json: bool,
) -> None:
    named = [VoucherRef(code=code) for code in codes]
    draft = BulkDraft(action=action, recipient_email=recipient_email, expires_at=expires_at, vouchers=named)
    outcomes = in_organization(start(), organization, lambda work: changes.change_all(work, draft, now=clock()))
    rows = [_result(code, outcome) for code, outcome in zip(codes, outcomes, strict=True)]
    show_rows(rows, as_json=as_json, if_none="")
    if any(outcome.refusal for outcome in outcomes):
        raise typer.Exit(1)


def _result(code: str, outcome: Outcome) -> dict[str, Any]:
    return {
        "code": outcome.voucher.code if outcome.voucher else code,
        "isDone": outcome.refusal is None,
        "reason": outcome.refusal.message if outcome.refusal else None,
        "version": outcome.voucher.version if outcome.voucher else None,
    }


def _fields(voucher: Voucher) -> dict[str, Any]:
    return {
        "id": voucher.id,
        "code": voucher.code,
        "purchase": voucher.purchase_code,
        "isActive": voucher.is_active,
        "isUsed": voucher.is_used,
        "isArchived": voucher.is_archived,
        "expiresAt": voucher.expires_at,
        "recipientEmail": voucher.recipient_email,
        "version": voucher.version,
    }


def _all_fields(voucher: Voucher) -> dict[str, Any]:
    return _fields(voucher) | {
        "assignedAt": voucher.assigned_at,
        "reservationCode": voucher.reservation_code,
        "reservationStatus": voucher.reservation_status,
        "storeExamCode": voucher.store_exam_code,
        "usedAt": voucher.used_at,
        "usedByPersonId": voucher.used_by_person_id,
        "usedByClientCandidateId": voucher.used_by_client_candidate_id,
        "usedByFirstName": voucher.used_by_first_name,
        "usedByLastName": voucher.used_by_last_name,
    }
