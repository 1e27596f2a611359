"""Commands on voucher partners."""

from typing import Annotated

import typer

from tessera.cli import lookups, partner_users
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import Cursor, Limit, Partner
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import Fields, fields_of
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
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
    session.show(f"Added the voucher partner {name}.", _fields(partner))


@commands.command("list")
def list_partners(
    session: OrganizationSession,
    name: Annotated[str | None, typer.Option(help="Any part of the name, not case-sensitive.")] = None,
    status: Annotated[Status | None, typer.Option(help="The status.", case_sensitive=False)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> None:
    """List voucher partners, oldest first."""
    filters = PartnerFilter(partner_name_part=name, status=status)
    page = session.run(lambda work: partners.list_by_cursor(work, wanted=filters, after=cursor, size=limit))
    rows = [_fields(partner) for partner in page.items]
    session.show_rows(rows, if_none="There are no such voucher partners.", cursor=page.cursor)


@commands.command("show")
def show_partner(session: OrganizationSession, partner: Partner) -> None:
    """Show a voucher partner."""

    async def get(work: UnitOfWork) -> ManagedPartner:
        return await partners.get(work, await lookups.partner_id(work, partner))

    _show(session, session.run(get))


@commands.command("rename")
def rename_partner(
    session: OrganizationSession,
    partner: Partner,
    name: Annotated[str, typer.Argument(help="The new name.", metavar="NAME")],
) -> None:
    """Rename a voucher partner."""

    async def rename(work: UnitOfWork) -> ManagedPartner:
        target = Target(await lookups.partner_id(work, partner))
        return await partners.rename(work, target, draft=PartnerDraft(name=name), now=clock())

    session.show(f"Renamed the voucher partner {partner}.", _fields(session.run(rename)))


@commands.command("activate")
def activate_partner(session: OrganizationSession, partner: Partner) -> None:
    """Activate a voucher partner, so that it can buy."""
    _set_status(session, partner, Status.ACTIVE)


@commands.command("deactivate")
def deactivate_partner(session: OrganizationSession, partner: Partner) -> None:
    """Deactivate a voucher partner, so that it cannot buy."""
    _set_status(session, partner, Status.INACTIVE)


@commands.command("archive")
def archive_partner(session: OrganizationSession, partner: Partner) -> None:
    """Archive a voucher partner (permanent)."""
    _set_status(session, partner, Status.ARCHIVED)


def _set_status(session: OrganizationSession, partner: str, status: Status) -> None:
    async def set_status(work: UnitOfWork) -> ManagedPartner:
        target = Target(await lookups.partner_id(work, partner))
        return await partners.set_status(work, target, status=status, now=clock())

    _show(session, session.run(set_status))


def _show(session: OrganizationSession, partner: ManagedPartner) -> None:
    session.show(f"The voucher partner {partner.name} is {partner.status.lower()}.", _fields(partner))


def _fields(partner: ManagedPartner) -> Fields:
    return fields_of(partner, "id", "name", "status", "created_at", "version")
