"""Commands on users."""

from functools import partial
from typing import Annotated
from uuid import UUID

import typer

from tessera.cli.confirmation import confirm
from tessera.cli.lookups import vouchers as lookups
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import Email, FirstName, FunctionPoints, LastName, Yes, parse_function_points
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import Fields, fields_of
from tessera.identity import provisioning
from tessera.identity.rules import UserDraft
from tessera.identity.users import service as users
from tessera.identity.users.service import ManagedUser, UserFilter
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.vouchers.partners import service as partners

commands = CommandGroup()


@commands.command("create")
def create_user(
    session: OrganizationSession,
    email: Email,
    first_name: FirstName,
    last_name: LastName,
    function_points: FunctionPoints,
    partner: Annotated[
        str | None, typer.Option(help="The partner whose vouchers the user sees, by name or id.")
    ] = None,
) -> None:
    """Create a user, who calls the API with issued tokens."""
    rights = parse_function_points(function_points)
    names = (first_name, last_name)

    async def create(work: UnitOfWork) -> UUID:
        partner_id = None
        if partner is not None:
            partner_id = (await partners.get(work, await lookups.partner_id(work, partner))).id
        return await provisioning.create_user(
            work, email=email, names=names, function_points=rights, partner_id=partner_id, now=clock()
        )

    session.show(f"Created the user {email}.", {"email": email, "id": session.run(create)})


@commands.command("list")
def list_users(session: OrganizationSession) -> None:
    """List users, newest first."""
    rows = session.fetch_newest(partial(users.list_by_cursor, filters=UserFilter()))
    session.show_rows([_row(user) for user in rows], if_none="There are no users yet.")


@commands.command("update")
def update_user(
    session: OrganizationSession,
    email: Email,
    first_name: FirstName,
    last_name: LastName,
    function_points: FunctionPoints,
) -> None:
    """Replace the names and the rights of a user."""
    rights = tuple(parse_function_points(function_points))
    draft = UserDraft(first_name=first_name, last_name=last_name, function_points=rights)
    session.change(_user_id, email, partial(users.update, draft=draft, rights=None))
    session.show(f"Changed the user {email}.", {"email": email, "functionPoints": rights})


@commands.command("deactivate")
def deactivate_user(session: OrganizationSession, email: Email, *, yes: Yes = False) -> None:
    """Deactivate a user and thereby all of the user's tokens."""
    confirm(f"Deactivate the user {email}? All tokens of the user stop working.", yes=yes)
    session.run(lambda work: provisioning.deactivate_user(work, email=email, now=clock()))
    session.show(f"Deactivated the user {email}.", {"email": email, "isActive": False})


@commands.command("activate")
def activate_user(session: OrganizationSession, email: Email) -> None:
    """Reactivate a user."""
    session.change(_user_id, email, partial(users.activate, rights=None))
    session.show(f"Activated the user {email}.", {"email": email, "isActive": True})


async def _user_id(work: UnitOfWork, email: str) -> UUID:
    return (await users.get_by_email(work, email)).id


def _row(user: ManagedUser) -> Fields:
    return fields_of(user, "email", "first_name", "last_name", "is_active", "function_points", "id")
