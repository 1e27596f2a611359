"""The command that sets up the platform organization."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import typer

from tessera.cli.database_sessions import pinned_to
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import AsJson, Email, FirstName, LastName, TokenDays
from tessera.cli.output import show_secret
from tessera.cli.startup import start_with_token_key
from tessera.identity import provisioning
from tessera.identity.organizations import service as organizations
from tessera.identity.rules import PLATFORM_ID, FunctionPoint
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.tokens import TokenSigner

commands = CommandGroup()


@dataclass(frozen=True, slots=True)
class Administrator:
    """The first administrator of the platform."""

    email: Email
    first_name: FirstName
    last_name: LastName


@commands.command("create")
def create_platform(
    administrator: Administrator,
    *,
    name: Annotated[str, typer.Option("--name", help="The display name of the platform.")] = "Platform",
    days: TokenDays = 365,
    as_json: AsJson = False,
) -> None:
    """Create the platform with an administrator, and print a token once.

    The administrator has every right. If the platform exists, as with the demonstration data, the command only adds the
    administrator.
    """
    settings = start_with_token_key()
    email, lifetime, now = administrator.email, timedelta(days=days), clock()
    names = (administrator.first_name, administrator.last_name)

    async def create(work: UnitOfWork) -> provisioning.NewCredential:
        if await organizations.find(work, str(PLATFORM_ID)) is None:
            await provisioning.create_organization(work, name=name, now=now)
        rights = list(FunctionPoint)
        await provisioning.create_user(work, email=email, names=names, function_points=rights, now=now)
        signer = TokenSigner(settings.token_keys)
        return await provisioning.issue_token(work, signer=signer, email=email, lifetime=lifetime, now=now)

    token = pinned_to(settings, PLATFORM_ID, create)
    fields = {"email": email, "token": token.secret, "expiresAt": now + lifetime, "organizationId": PLATFORM_ID}
    show_secret(f"Created the platform's administrator {email}.", fields, as_json=as_json)
