"""More commands on access: listing, changing and ending what `identity` gives, and setting the platform up."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from tessera import settings as configuration
from tessera.cli.database_sessions import in_organization, pinned_to
from tessera.cli.identity import clients, keys, organizations, tokens, users
from tessera.cli.options.types import AsJson, Email, FunctionPoints, Id, Organization, parse_function_points, parse_id
from tessera.cli.output import show, show_rows, show_secret
from tessera.cli.pages import fetch_all
from tessera.cli.startup import start
from tessera.identity import provisioning
from tessera.identity.clients import service as client_service
from tessera.identity.keys import service as key_service
from tessera.identity.organizations import service as organization_service
from tessera.identity.rules import PLATFORM_ID, FunctionPoint, UserDraft
from tessera.identity.tokens import service as token_service
from tessera.identity.users import service as user_service
from tessera.identity.users.service import UserFilter
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.tokens import TokenSigner

platform = typer.Typer(no_args_is_help=True)

PART = 1000
NewName = Annotated[str, typer.Argument(help="Its new name, unique in any case.", metavar="NAME")]


@platform.command("create")
def create_platform(
    email: Email,
    first_name: Annotated[str, typer.Option("--first-name")],
    last_name: Annotated[str, typer.Option("--last-name")],
    name: Annotated[str, typer.Option("--name", help="What people call the platform.")] = "Platform",
    days: Annotated[int, typer.Option(min=1, max=3660, help="How long the token is good.")] = 365,
    as_json: AsJson = False,
) -> None:
    """Create the platform with its first administrator, who has every right, and show a token once.

    Where the platform is there already, as with the demonstration data, it only adds the administrator.
    """
    settings = start(needs_keys=True, settings=configuration.with_kept_key(configuration.load()))
    signer, lifetime, now = TokenSigner(settings.token_keys), timedelta(days=days), clock()

    async def create(work: UnitOfWork) -> provisioning.ShownOnce:
        if all(organization.id != PLATFORM_ID for organization in await provisioning.list_organizations(work)):
            await provisioning.create_organization(work, name=name, now=now)
        rights = list(FunctionPoint)
        await provisioning.create_user(
            work, email=email, names=(first_name, last_name), function_points=rights, now=now
        )
        return await provisioning.issue_token(work, signer=signer, email=email, lifetime=lifetime, now=now)

    token = pinned_to(settings, PLATFORM_ID, create)
    fields = {"organizationId": PLATFORM_ID, "email": email, "token": token.secret, "expiresAt": now + lifetime}
    show_secret(f"Created the platform's administrator {email}.", fields, as_json=as_json)


@organizations.command("rename")
def rename_organization(organization: Organization, name: NewName, as_json: AsJson = False) -> None:
    """Give an organization another name."""

    async def rename(work: UnitOfWork) -> Any:  # noqa: ANN401 - what the service answers
        return await organization_service.rename(work, Target(work.organization_id), name=name, now=clock())

    renamed = in_organization(start(), organization, rename)
    show(f"Renamed the organization to {name}.", {"id": renamed.id, "name": renamed.name}, as_json=as_json)


@organizations.command("deactivate")
def deactivate_organization(organization: Organization, as_json: AsJson = False) -> None:
    """Switch an organization off, and with it everyone who calls."""
    in_organization(
        start(),
        organization,
        lambda work: organization_service.deactivate(work, Target(work.organization_id), now=clock()),
    )
    show("Deactivated the organization.", {"name": organization, "isActive": False}, as_json=as_json)


@organizations.command("activate")
def activate_organization(organization: Organization, as_json: AsJson = False) -> None:
    """Switch an organization on again."""
    in_organization(
        start(),
        organization,
        lambda work: organization_service.activate(work, Target(work.organization_id), now=clock()),
    )
    show("Activated the organization.", {"name": organization, "isActive": True}, as_json=as_json)


@users.command("list")
def list_users(organization: Organization, as_json: AsJson = False) -> None:
    """List the users, oldest first."""

    async def ask(work: UnitOfWork) -> list[user_service.ManagedUser]:
        return await fetch_all(
            lambda after: user_service.list_by_cursor(work, filters=UserFilter(), after=after, size=PART)
        )

    rows = [
        {
            "id": user.id,
            "email": user.email,
            "name": f"{user.first_name} {user.last_name}",
            "functionPoints": " ".join(user.function_points),
            "isActive": user.is_active,
        }
        for user in in_organization(start(), organization, ask)
    ]
    show_rows(rows, as_json=as_json, if_none="There are no users yet.")


@users.command("update")
def update_user(
    organization: Organization,
    email: Email,
    first_name: Annotated[str, typer.Option("--first-name")],
    last_name: Annotated[str, typer.Option("--last-name")],
    function_point: FunctionPoints,
    as_json: AsJson = False,
) -> None:
    """Give a user other names and rights, in place of those that it has."""
    rights = tuple(parse_function_points(function_point))
    draft = UserDraft(first_name=first_name, last_name=last_name, function_points=rights)

    async def update(work: UnitOfWork) -> None:
        user = await user_service.get_by_email(work, email)
        await user_service.update(work, Target(user.id), draft=draft, rights=None, now=clock())

    in_organization(start(), organization, update)
    show(f"Changed the user {email}.", {"email": email, "functionPoints": " ".join(rights)}, as_json=as_json)


@users.command("activate")
def activate_user(organization: Organization, email: Email, as_json: AsJson = False) -> None:
    """Switch a user on again."""

    async def activate(work: UnitOfWork) -> None:
        user = await user_service.get_by_email(work, email)
        await user_service.activate(work, Target(user.id), rights=None, now=clock())

    in_organization(start(), organization, activate)
    show(f"Activated the user {email}.", {"email": email, "isActive": True}, as_json=as_json)


@clients.command("list")
def list_clients(organization: Organization, as_json: AsJson = False) -> None:
    """List the API clients without their secrets, oldest first."""

    async def ask(work: UnitOfWork) -> list[dict[str, Any]]:
        found = await fetch_all(lambda after: client_service.list_by_cursor(work, after=after, size=PART))
        return [
            {
                "id": client.id,
                "name": client.name,
                "clientId": client_service.client_id_of(work, client),
                "functionPoints": " ".join(client.function_points),
                "revokedAt": client.revoked_at,
            }
            for client in found
        ]

    rows = in_organization(start(), organization, ask)
    show_rows(rows, as_json=as_json, if_none="There are no clients yet.")


@clients.command("rotate")
def rotate_client(organization: Organization, client_id: Id, as_json: AsJson = False) -> None:
    """Give a client another secret in place of its own, and show it once."""
    target = Target(parse_id(client_id))

    async def rotate(work: UnitOfWork) -> dict[str, Any]:
        client, secret = await client_service.rotate_secret(work, target, rights=None, now=clock())
        return {
            "id": client.id,
            "name": client.name,
            "clientId": client_service.client_id_of(work, client),
            "clientSecret": secret,
        }

    fields = in_organization(start(), organization, rotate)
    show_secret("Gave the client another secret; the old one has ended.", fields, as_json=as_json)


@keys.command("list")
def list_keys(organization: Organization, as_json: AsJson = False) -> None:
    """List the API keys without their secrets, oldest first."""

    async def ask(work: UnitOfWork) -> list[key_service.ManagedKey]:
        return await fetch_all(lambda after: key_service.list_by_cursor(work, after=after, size=PART))

    rows = [
        {
            "id": key.id,
            "name": key.name,
            "createdAt": key.created_at,
            "expiresAt": key.expires_at,
            "revokedAt": key.revoked_at,
            "lastUsedAt": key.last_used_at,
        }
        for key in in_organization(start(), organization, ask)
    ]
    show_rows(rows, as_json=as_json, if_none="There are no keys yet.")


@tokens.command("list")
def list_tokens(organization: Organization, as_json: AsJson = False) -> None:
    """List the long-lived tokens of all users, oldest first."""

    async def ask(work: UnitOfWork) -> list[token_service.ManagedToken]:
        return await fetch_all(lambda after: token_service.list_by_cursor(work, user_id=None, after=after, size=PART))

    rows = [
        {
            "id": token.id,
            "email": token.email,
            "createdAt": token.created_at,
            "expiresAt": token.expires_at,
            "revokedAt": token.revoked_at,
        }
        for token in in_organization(start(), organization, ask)
    ]
    show_rows(rows, as_json=as_json, if_none="There are no tokens yet.")
