"""Commands on the users of voucher partners."""

from uuid import UUID

from tessera.cli.confirmation import confirm
from tessera.cli.lookups import vouchers as lookups
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import Cursor, Email, FirstName, LastName, Limit, Partner, Yes
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import Fields, fields_of
from tessera.kit.clock import clock
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
    page = session.run_on(
        lookups.partner_id,
        partner,
        lambda work, partner_id: users.list_by_cursor(work, partner_id, after=cursor, size=limit),
    )
    rows = [_fields(user) for user in page.items]
    session.show_rows(rows, if_none="The voucher partner has no users.", cursor=page.cursor)


@commands.command("invite")
def invite_user(
    session: OrganizationSession, partner: Partner, email: Email, first_name: FirstName, last_name: LastName
) -> None:
    """Invite a user; `accept-user` and `activate-user` follow."""
    invitation = Invitation(email=email, first_name=first_name, last_name=last_name)
    user = session.run_on(
        lookups.partner_id, partner, lambda work, partner_id: users.invite(work, partner_id, invitation, now=clock())
    )
    session.show(f"Invited the user {email}.", _fields(user))


@commands.command("accept-user")
def accept_user(session: OrganizationSession, partner: Partner, email: Email) -> None:
    """Record that an invited user accepted the invitation."""
    _set_status(session, partner, email, UserStatus.ACCEPTED)


@commands.command("activate-user")
def activate_user(session: OrganizationSession, partner: Partner, email: Email) -> None:
    """Activate an accepted or a deactivated user."""
    _set_status(session, partner, email, UserStatus.ACTIVE)


@commands.command("deactivate-user")
def deactivate_user(session: OrganizationSession, partner: Partner, email: Email, *, yes: Yes = False) -> None:
    """Deactivate a user and thereby all of the user's tokens."""
    confirm(f"Deactivate the user {email}? All tokens of the user stop working.", yes=yes)
    _set_status(session, partner, email, UserStatus.INACTIVE)


def _set_status(session: OrganizationSession, name_or_id: str, email: str, status: UserStatus) -> None:
    async def set_status(work: UnitOfWork, partner_id: UUID) -> PartnerUser:
        user_id = await users.find_id(work, partner_id, email)
        if user_id is None:
            raise NotFound(f"The voucher partner has no user {email}.")
        return await users.move(work, partner_id, Target(user_id), status=status, rights=None, now=clock())

    user = session.run_on(lookups.partner_id, name_or_id, set_status)
    session.show(f"The user {user.email} is {status.lower()}.", _fields(user))


def _fields(user: PartnerUser) -> Fields:
    return fields_of(user, "email", "first_name", "last_name", "status", "version", "id")
