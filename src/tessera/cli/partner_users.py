"""Commands on the users of voucher partners."""

from uuid import UUID

from tessera.cli import lookups
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import Cursor, Email, FirstName, LastName, Limit, Partner
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import Fields, fields_of
from tessera.kit.clock import clock
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import NotFound
from tessera.vouchers.partners.users import service as users
from tessera.vouchers.partners.users.rules import Invitation
from tessera.vouchers.partners.users.service import PartnerUser
from tessera.vouchers.rules import UserStatus

commands = CommandGroup()


@commands.command("users")
def list_users(session: OrganizationSession, partner: Partner, limit: Limit = 100, cursor: Cursor = None) -> None:
    """List the users of a voucher partner, oldest first."""

    async def list_page(work: UnitOfWork) -> CursorPage[PartnerUser]:
        return await users.list_by_cursor(work, await lookups.partner_id(work, partner), after=cursor, size=limit)

    page = session.run(list_page)
    rows = [_fields(user) for user in page.items]
    session.show_rows(rows, if_none="The voucher partner has no users.", cursor=page.cursor)


@commands.command("invite")
def invite_user(
    session: OrganizationSession, partner: Partner, email: Email, first_name: FirstName, last_name: LastName
) -> None:
    """Invite a user to a voucher partner; the user can call the API once accepted and activated."""
    invitation = Invitation(email=email, first_name=first_name, last_name=last_name)

    async def invite(work: UnitOfWork) -> PartnerUser:
        return await users.invite(work, await lookups.partner_id(work, partner), invitation, now=clock())

    session.show(f"Invited the user {email}.", _fields(session.run(invite)))


@commands.command("accept-user")
def accept_user(session: OrganizationSession, partner: Partner, email: Email) -> None:
    """Record that an invited user accepted the invitation."""
    _set_status(session, partner, email, UserStatus.ACCEPTED)


@commands.command("activate-user")
def activate_user(session: OrganizationSession, partner: Partner, email: Email) -> None:
    """Activate a user who accepted the invitation or was deactivated."""
    _set_status(session, partner, email, UserStatus.ACTIVE)


@commands.command("deactivate-user")
def deactivate_user(session: OrganizationSession, partner: Partner, email: Email) -> None:
    """Deactivate a user; all of the user's tokens are then rejected."""
    _set_status(session, partner, email, UserStatus.INACTIVE)


def _set_status(session: OrganizationSession, partner: str, email: str, status: UserStatus) -> None:
    async def move(work: UnitOfWork) -> PartnerUser:
        partner_id = await lookups.partner_id(work, partner)
        target = Target(await _user_id(work, partner_id, email))
        return await users.move(work, partner_id, target, status=status, rights=None, now=clock())

    user = session.run(move)
    session.show(f"The user {user.email} is {status.lower()}.", _fields(user))


async def _user_id(work: UnitOfWork, partner_id: UUID, email: str) -> UUID:
    user_id = await users.find_id(work, partner_id, email)
    if user_id is None:
        raise NotFound(f"The voucher partner has no user {email}.")
    return user_id


def _fields(user: PartnerUser) -> Fields:
    return fields_of(user, "id", "email", "first_name", "last_name", "status", "version")
