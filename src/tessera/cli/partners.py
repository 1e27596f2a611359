"""Commands on voucher partners."""

from functools import partial
from typing import Annotated

import typer

from tessera.cli import partner_users
from tessera.cli.confirmation import confirm
from tessera.cli.lookups import vouchers as lookups
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import Cursor, Limit, Partner, Yes
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import Fields, fields_of
from tessera.kit.clock import clock
from tessera.vouchers.partners import service as partners
from tessera.vouchers.partners.service import ManagedPartner, PartnerDraft, PartnerFilter
from tessera.vouchers.rules import Status

commands = CommandGroup()
commands.add_typer(partner_users.commands)


@commands.command("create")
def create_partner(
    session: OrganizationSession,
    name: Annotated[str, typer.Argument(help="The name, unique regardless of case.", metavar="NAME")],
    *,
    active: Annotated[bool, typer.Option("--active", help="Activate the partner, so that it can buy.")] = False,
) -> None:
    """Create a voucher partner, a company that buys vouchers."""
    draft = PartnerDraft(name=name, is_active=active)
    partner = session.run(lambda work: partners.create(work, draft=draft, now=clock()))
    session.show(f"Created the voucher partner {name}.", _fields(partner))


@commands.command("list")
def list_partners(
    session: OrganizationSession,
    name: Annotated[str | None, typer.Option(help="Any part of the name, in any case.")] = None,
    status: Annotated[Status | None, typer.Option(help="The status.", case_sensitive=False)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> None:
    """List voucher partners, newest first."""
    filters = PartnerFilter(partner_name_part=name, status=status)
    page = session.run(
        lambda work: partners.list_by_cursor(work, filters=filters, newest=True, after=cursor, size=limit)
    )
    rows = [_fields(partner) for partner in page.items]
    session.show_rows(rows, if_none="No voucher partners match.", cursor=page.cursor)


@commands.command("show")
def show_partner(session: OrganizationSession, partner: Partner) -> None:
    """Show a voucher partner."""
    _show(session, session.run_on(lookups.partner_id, partner, partners.get))


@commands.command("rename")
def rename_partner(
    session: OrganizationSession,
    partner: Partner,
    name: Annotated[str, typer.Argument(help="The new name.", metavar="NAME")],
) -> None:
    """Rename a voucher partner."""
    rename = partial(partners.rename, draft=PartnerDraft(name=name))
    renamed_partner = session.change(lookups.partner_id, partner, rename)
    session.show(f"Renamed the voucher partner {partner}.", _fields(renamed_partner))


@commands.command("activate")
def activate_partner(session: OrganizationSession, partner: Partner) -> None:
    """Activate a voucher partner, so that it can buy."""
    _set_status(session, partner, Status.ACTIVE)


@commands.command("deactivate")
def deactivate_partner(session: OrganizationSession, partner: Partner) -> None:
    """Deactivate a voucher partner, so that it cannot buy."""
    _set_status(session, partner, Status.INACTIVE)


@commands.command("archive")
def archive_partner(session: OrganizationSession, partner: Partner, *, yes: Yes = False) -> None:
    """Archive a voucher partner (permanent)."""
    confirm(f"Archive the voucher partner {partner} permanently?", yes=yes)
    _set_status(session, partner, Status.ARCHIVED)


def _set_status(session: OrganizationSession, name_or_id: str, status: Status) -> None:
    _show(session, session.change(lookups.partner_id, name_or_id, partial(partners.set_status, status=status)))


def _show(session: OrganizationSession, partner: ManagedPartner) -> None:
    session.show(f"The voucher partner {partner.name} is {partner.status.lower()}.", _fields(partner))


def _fields(partner: ManagedPartner) -> Fields:
    return fields_of(partner, "name", "status", "created_at", "version", "id")
