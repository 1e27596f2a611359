"""Commands on voucher partners and their users."""

from typing import Annotated, Any
from uuid import UUID

import typer

from tessera.cli import lookups
from tessera.cli.database_sessions import in_organization
from tessera.cli.options.types import AsJson, Cursor, Email, Limit, Organization
from tessera.cli.output import show, show_rows
from tessera.cli.startup import start
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import NotFound
from tessera.vouchers.partners import service as partners
from tessera.vouchers.partners.service import ManagedPartner, PartnerDraft, PartnerFilter
from tessera.vouchers.partners.users import service as users
from tessera.vouchers.partners.users.rules import Invitation
from tessera.vouchers.partners.users.service import PartnerUser
from tessera.vouchers.rules import Status, UserStatus

Partner = Annotated[str, typer.Argument(help="Its name, in any case, or its id.", metavar="PARTNER")]

commands = typer.Typer(no_args_is_help=True)


@commands.command("create")
def create_partner(
    organization: Organization,
    name: Annotated[str, typer.Argument(help="Its name, unique in any case.", metavar="NAME")],
    active: Annotated[bool, typer.Option("--active", help="Let it buy at once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add a company that buys vouchers."""
    draft = PartnerDraft(name=name, is_active=active)
    partner = in_organization(start(), organization, lambda work: partners.create(work, draft=draft, now=clock()))
    show(f"Added the voucher partner {name}.", _fields(partner), as_json=as_json)


@commands.command("list")
def list_partners(
    organization: Organization,
    name: Annotated[str | None, typer.Option(help="Any part of the name, in any case.")] = None,
    status: Annotated[Status | None, typer.Option(help="Those of this status.", case_sensitive=False)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """List voucher partners, oldest first."""
    wanted = PartnerFilter(partner_name_part=name, status=status)
    part = in_organization(
        start(), organization, lambda work: partners.list_by_cursor(work, filters=wanted, after=cursor, size=limit)
    )
    rows = [_fields(partner) for partner in part.items]
    show_rows(rows, as_json=as_json, if_none="There are no such voucher partners.", cursor=part.cursor)


@commands.command("show")
def show_partner(organization: Organization, partner: Partner, as_json: AsJson = False) -> None:
    """Show a voucher partner."""

    async def find(work: UnitOfWork) -> ManagedPartner:
        return await partners.get(work, await lookups.partner_id(work, partner))

    found = in_organization(start(), organization, find)
    show(f"The voucher partner {found.name} is {found.status.lower()}.", _fields(found), as_json=as_json)


@commands.command("rename")
def rename_partner(
    organization: Organization,
    partner: Partner,
    name: Annotated[str, typer.Argument(help="The new name.", metavar="NAME")],
    as_json: AsJson = False,
) -> None:
    """Give a voucher partner another name."""

    async def rename(work: UnitOfWork) -> ManagedPartner:
        target = Target(await lookups.partner_id(work, partner))
        return await partners.rename(work, target, draft=PartnerDraft(name=name), now=clock())

    renamed = in_organization(start(), organization, rename)
    show(f"Renamed the voucher partner {partner}.", _fields(renamed), as_json=as_json)


@commands.command("activate")
def activate_partner(organization: Organization, partner: Partner, as_json: AsJson = False) -> None:
    """Let a voucher partner buy."""
    _move(organization, partner, Status.ACTIVE, as_json=as_json)


@commands.command("deactivate")
def deactivate_partner(organization: Organization, partner: Partner, as_json: AsJson = False) -> None:
    """Let a voucher partner buy no longer."""
    _move(organization, partner, Status.INACTIVE, as_json=as_json)


@commands.command("archive")
def archive_partner(organization: Organization, partner: Partner, as_json: AsJson = False) -> None:
    """Put a voucher partner away for ever."""
    _move(organization, partner, Status.ARCHIVED, as_json=as_json)


@commands.command("users")
def list_users(
    organization: Organization,
    partner: Partner,
    limit: Limit = 100,
    cursor: Cursor = None,
    as_json: AsJson = False,
) -> None:
    """List the users of a voucher partner, oldest first."""

    async def find(work: UnitOfWork) -> Any:  # noqa: ANN401 - a part of a list
        return await users.list_by_cursor(work, await lookups.partner_id(work, partner), after=cursor, size=limit)

    part = in_organization(start(), organization, find)
    rows = [_user_fields(user) for user in part.items]
    show_rows(rows, as_json=as_json, if_none="The voucher partner has no users.", cursor=part.cursor)


@commands.command("invite")
def invite_user(
    organization: Organization,
    partner: Partner,
    email: Email,
    first_name: Annotated[str, typer.Option("--first-name")],
    last_name: Annotated[str, typer.Option("--last-name")],
    as_json: AsJson = False,
) -> None:
    """Add a user to a voucher partner, who can call once they have accepted and are activated."""
    invitation = Invitation(email=email, first_name=first_name, last_name=last_name)

    async def invite(work: UnitOfWork) -> PartnerUser:
        return await users.invite(work, await lookups.partner_id(work, partner), invitation, now=clock())

    user = in_organization(start(), organization, invite)
    show(f"Invited the user {email}.", _user_fields(user), as_json=as_json)


@commands.command("accept-user")
def accept_user(organization: Organization, partner: Partner, email: Email, as_json: AsJson = False) -> None:
    """Note that an invited user has accepted."""
    _move_user(organization, partner, email, UserStatus.ACCEPTED, as_json=as_json)


@commands.command("activate-user")
def activate_user(organization: Organization, partner: Partner, email: Email, as_json: AsJson = False) -> None:
    """Let a user call who has accepted, or was switched off."""
    _move_user(organization, partner, email, UserStatus.ACTIVE, as_json=as_json)


@commands.command("deactivate-user")
def deactivate_user(organization: Organization, partner: Partner, email: Email, as_json: AsJson = False) -> None:
    """Let a user call no longer."""
    _move_user(organization, partner, email, UserStatus.INACTIVE, as_json=as_json)


def _move(organization: str, partner: str, status: Status, *, as_json: bool) -> None:
    async def move(work: UnitOfWork) -> ManagedPartner:
        target = Target(await lookups.partner_id(work, partner))
        return await partners.set_status(work, target, status=status, now=clock())

    moved = in_organization(start(), organization, move)
    show(f"The voucher partner {moved.name} is {status.lower()}.", _fields(moved), as_json=as_json)


def _move_user(organization: str, partner: str, email: str, status: UserStatus, *, as_json: bool) -> None:
    async def move(work: UnitOfWork) -> PartnerUser:
        partner_id = await lookups.partner_id(work, partner)
        user_id = await _user_id(work, partner_id, email)
        return await users.move(work, partner_id, Target(user_id), status=status, rights=None, now=clock())

    moved = in_organization(start(), organization, move)
    show(f"The user {moved.email} is {status.lower()}.", _user_fields(moved), as_json=as_json)


async def _user_id(work: UnitOfWork, partner_id: UUID, email: str) -> UUID:
    user_id = await users.find_id(work, partner_id, email)
    if user_id is None:
        raise NotFound(f"The voucher partner has no user {email}.")
    return user_id


def _fields(partner: ManagedPartner) -> dict[str, Any]:
    return {
        "id": partner.id,
        "name": partner.name,
        "status": partner.status,
        "createdAt": partner.created_at,
        "version": partner.version,
    }


def _user_fields(user: PartnerUser) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "status": user.status,
        "version": user.version,
    }
