"""Commands on vouchers."""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from tessera.cli.confirmation import confirm
from tessera.cli.database_sessions import OrganizationDatabase
from tessera.cli.files import Length, save
from tessera.cli.lookups import vouchers as lookups
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.metadata import MetadataFilter, parse_filter
from tessera.cli.options.pages import PageOptions
from tessera.cli.options.types import Organization, Output, PartnerFilter, Reveal, Yes, parse_time
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import Fields, fields_of
from tessera.cli.voucher_files import import_vouchers
from tessera.kit.clock import clock
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.issued.actions import service as actions
from tessera.vouchers.issued.actions.rules import BulkDraft, VoucherAction, VoucherRef
from tessera.vouchers.issued.actions.service import Outcome
from tessera.vouchers.issued.export import service as exports
from tessera.vouchers.issued.service import Voucher, VoucherFilter
from tessera.vouchers.revealing import service as revealing

Codes = Annotated[list[str], typer.Argument(help="Voucher codes, in any case; at most 1,000.", metavar="CODE...")]

commands = CommandGroup()


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherListOptions(PageOptions):
    """Options for a list of vouchers: filters and page."""

    purchase: Annotated[str | None, typer.Option("--purchase", help="The purchase, by code or id.")] = None
    partner: PartnerFilter = None
    code: Annotated[str | None, typer.Option("--code", help="The voucher code, in any case.")] = None
    recipient: Annotated[str | None, typer.Option("--recipient", help="The email address of the recipient.")] = None
    used: Annotated[bool | None, typer.Option("--used/--unused", help="Whether the voucher is used.")] = None
    on: Annotated[bool | None, typer.Option("--on/--off", help="Whether the voucher is enabled.")] = None
    archived: Annotated[
        bool | None, typer.Option("--archived/--not-archived", help="Whether the voucher is archived.")
    ] = None
    metadata: MetadataFilter = None

    async def fetch(self, work: UnitOfWork) -> CursorPage[Voucher]:
        """The page of vouchers; raises Invalid, NotFound."""
        filters = VoucherFilter(
            purchase_id=await lookups.purchase_id(work, self.purchase) if self.purchase else None,
            partner_id=await lookups.partner_id(work, self.partner) if self.partner else None,
            voucher_code=self.code,
            recipient_email=self.recipient,
            is_used=self.used,
            is_active=self.on,
            is_archived=self.archived,
            metadata=parse_filter(self.metadata),
        )
        return await vouchers.list_by_cursor(work, filters=filters, **self.position())


@commands.command("list")
def list_vouchers(session: OrganizationSession, options: VoucherListOptions, *, reveal: Reveal = False) -> None:
    """List vouchers, newest first. `tessera voucher export` writes all of them."""

    async def fetch(work: UnitOfWork) -> CursorPage[Voucher]:
        page = await options.fetch(work)
        if not reveal:
            return page.map(lambda voucher: voucher.masked)
        await revealing.record(work, "voucher list", asdict(options), len(page.items), now=clock())
        return page

    page = session.run(fetch)
    rows = [_fields(voucher) for voucher in page.items]
    session.show_rows(rows, if_none="No vouchers match.", cursor=page.cursor)


@commands.command("show")
def show_voucher(
    session: OrganizationSession,
    voucher: Annotated[str, typer.Argument(help="The voucher's code (any case) or id.", metavar="VOUCHER")],
    *,
    reveal: Reveal = False,
) -> None:
    """Show a voucher with its latest reservation and its use."""

    async def get(work: UnitOfWork, voucher_id: UUID) -> Voucher:
        if reveal:
            await revealing.record(work, "voucher show", {"id": voucher_id}, 1, now=clock())
        found = await vouchers.get(work, voucher_id)
        return found if reveal else found.masked

    current = session.run_on(lookups.voucher_id, voucher, get)
    session.show(f"The voucher {current.code}.", _all_fields(current))


@commands.command("export")
def export_vouchers(organization: Organization = None, output: Output = None, *, reveal: Reveal = False) -> None:
    """Export all vouchers as CSV, oldest first. Only a file with whole codes can be imported."""
    length = Length(exports.count, exports.EXPORT_PAGE_SIZE)

    async def content(session: OrganizationDatabase) -> AsyncIterator[bytes]:
        if reveal:
            async with session.unit_of_work() as work:
                await revealing.record(work, "voucher export", {}, await exports.count(work), now=clock())
        async for chunk in exports.csv(session.database, session.organization_id, reveals=reveal):
            yield chunk

    save(organization, output, content, length)


commands.command("import")(import_vouchers)


@commands.command("assign")
def assign_vouchers(
    session: OrganizationSession,
    code: Codes,
    recipient_email: Annotated[str, typer.Option("--to", help="The email address of the recipient.")],
) -> None:
    """Assign or reassign unused vouchers to a recipient."""
    _act(session, code, VoucherAction.ASSIGN, recipient_email=recipient_email)


@commands.command("unassign")
def unassign_vouchers(session: OrganizationSession, code: Codes) -> None:
    """Unassign unused vouchers."""
    _act(session, code, VoucherAction.UNASSIGN)


@commands.command("switch-on")
def switch_vouchers_on(session: OrganizationSession, code: Codes) -> None:
    """Enable vouchers, so that they can be used."""
    _act(session, code, VoucherAction.SWITCH_ON)


@commands.command("switch-off")
def switch_vouchers_off(session: OrganizationSession, code: Codes) -> None:
    """Disable vouchers, so that they cannot be used."""
    _act(session, code, VoucherAction.SWITCH_OFF)


@commands.command("change-expiry")
def change_expiry(
    session: OrganizationSession,
    code: Codes,
    expires_at: Annotated[str, typer.Option("--expires-at", help="The new expiry time, ISO 8601.")],
) -> None:
    """Change the expiry time of vouchers."""
    _act(session, code, VoucherAction.CHANGE_EXPIRY, expires_at=parse_time("expires_at", expires_at))


@commands.command("archive")
def archive_vouchers(session: OrganizationSession, code: Codes, *, yes: Yes = False) -> None:
    """Archive vouchers (permanent)."""
    named = f"the voucher {code[0]}" if len(code) == 1 else f"{len(code):,} vouchers"
    confirm(f"Archive {named} permanently?", yes=yes)
    _act(session, code, VoucherAction.ARCHIVE)


def _act(
    session: OrganizationSession,
    codes: list[str],
    action: VoucherAction,
    *,
    recipient_email: str | None = None,
    expires_at: datetime | None = None,
) -> None:
    refs = [VoucherRef(code=code) for code in codes]
    draft = BulkDraft(action=action, recipient_email=recipient_email, expires_at=expires_at, vouchers=refs)
    outcomes = session.run(lambda work: actions.change_all(work, draft, now=clock()))
    session.show_rows([_outcome_fields(*pair) for pair in zip(codes, outcomes, strict=True)], if_none="")
    if any(outcome.refusal for outcome in outcomes):
        raise typer.Exit(1)


def _outcome_fields(code: str, outcome: Outcome) -> Fields:
    return {
        "code": outcome.voucher.code if outcome.voucher else code,
        "isDone": outcome.refusal is None,
        "reason": outcome.refusal.message if outcome.refusal else None,
        "version": outcome.voucher.version if outcome.voucher else None,
    }


_FIELDS = (
    *("code", "purchase_code", "is_active", "is_used", "expires_at", "recipient_email"),
    *("is_archived", "version", "id"),
)
_DETAIL_FIELDS = (
    *("assigned_at", "reservation_code", "reservation_status", "store_exam_code", "used_at", "used_by_person_id"),
    *("used_by_client_candidate_id", "used_by_first_name", "used_by_last_name", "metadata"),
)


def _fields(voucher: Voucher) -> Fields:
    return fields_of(voucher, *_FIELDS)


def _all_fields(voucher: Voucher) -> Fields:
    return fields_of(voucher, *_FIELDS, *_DETAIL_FIELDS)
