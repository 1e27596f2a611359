"""Commands that give access and take it: organizations, users, clients, keys and tokens."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer

from tessera import settings as configuration
from tessera.cli.database_sessions import in_organization, pinned_to
from tessera.cli.options.types import (
    AsJson,
    Email,
    FunctionPoints,
    Id,
    Name,
    Organization,
    parse_function_points,
    parse_id,
)
from tessera.cli.output import show, show_rows, show_secret
from tessera.cli.startup import start
from tessera.identity import provisioning
from tessera.identity.rules import PLATFORM_ID, FunctionPoint
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import NotFound
from tessera.kit.identifiers import new_id
from tessera.kit.tokens import TokenSigner
from tessera.vouchers.partners import service as partners

organizations = typer.Typer(no_args_is_help=True)
users = typer.Typer(no_args_is_help=True)
clients = typer.Typer(no_args_is_help=True)
keys = typer.Typer(no_args_is_help=True)
tokens = typer.Typer(no_args_is_help=True)


@organizations.command("create")
def create_organization(
    name: Annotated[str, typer.Argument(help="Its name, unique in any case.", metavar="NAME")], as_json: AsJson = False
) -> None:
    """Create an organization."""
    organization_id = pinned_to(
        start(), new_id(), lambda work: provisioning.create_organization(work, name=name, now=clock())
    )
    show(f"Created the organization {name}.", {"id": organization_id, "name": name}, as_json=as_json)


@organizations.command("list")
def list_organizations(as_json: AsJson = False) -> None:
    """List all organizations, oldest first."""
    found = pinned_to(start(), PLATFORM_ID, provisioning.list_organizations)
    rows = [{"id": row.id, "name": row.name, "isActive": row.is_active} for row in found]
    show_rows(rows, as_json=as_json, if_none="There are no organizations yet.")


@users.command("create")
def create_user(
    organization: Organization,
    email: Email,
    first_name: Annotated[str, typer.Option("--first-name")],
    last_name: Annotated[str, typer.Option("--last-name")],
    function_point: FunctionPoints,
    partner: Annotated[str | None, typer.Option(help="The voucher partner that the user belongs to, by name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create a user, who can call once a token is issued; a partner's user sees that partner's vouchers alone."""
    rights = parse_function_points(function_point)
    names = (first_name, last_name)

    async def create(work: UnitOfWork) -> UUID:
        partner_id = await _partner_id(work, partner) if partner is not None else None
        return await provisioning.create_user(
            work, email=email, names=names, function_points=rights, partner_id=partner_id, now=clock()
        )

    user_id = in_organization(start(), organization, create)
    show(f"Created the user {email}.", {"id": user_id, "email": email}, as_json=as_json)


@users.command("deactivate")
def deactivate_user(organization: Organization, email: Email, as_json: AsJson = False) -> None:
    """Switch a user off, and with it all its tokens."""
    in_organization(start(), organization, lambda work: provisioning.deactivate_user(work, email=email, now=clock()))
    show(f"Deactivated the user {email}.", {"email": email, "isActive": False}, as_json=as_json)


@clients.command("create")
def create_client(
    organization: Organization, name: Name, function_point: FunctionPoints, as_json: AsJson = False
) -> None:
    """Create an API client, and show its secret once."""
    rights = parse_function_points(function_point)
    client = in_organization(
        start(),
        organization,
        lambda work: provisioning.create_client(work, name=name, function_points=rights, now=clock()),
    )
    fields = {"id": client.id, "name": name, "clientId": client.name, "clientSecret": client.secret}
    show_secret(f"Created the client {name}.", fields, as_json=as_json)


@clients.command("revoke")
def revoke_client(organization: Organization, client_id: Id, as_json: AsJson = False) -> None:
    """End a client, and every token that it fetched."""
    uuid = parse_id(client_id)
    now = clock()
    in_organization(start(), organization, lambda work: provisioning.revoke_client(work, client_id=uuid, now=now))
    show("Revoked the client.", {"id": uuid, "revokedAt": now}, as_json=as_json)


@keys.command("create")
def create_key(
    organization: Organization,
    name: Name,
    function_point: FunctionPoints = [FunctionPoint.STOREFRONT_REDEEM],  # noqa: B006 - typer's way to say it
    as_json: AsJson = False,
) -> None:
    """Create an API key, and show it once."""
    rights = parse_function_points(function_point)
    key = in_organization(
        start(),
        organization,
        lambda work: provisioning.create_key(work, name=name, function_points=rights, now=clock()),
    )
    show_secret(f"Created the key {name}.", {"id": key.id, "name": name, "apiKey": key.secret}, as_json=as_json)


@keys.command("rotate")
def rotate_key(
    organization: Organization,
    key_id: Id,
    overlap_hours: Annotated[int, typer.Option(min=0, max=24 * 366, help="How long the old key works on.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Create a key in place of another one, and show it once."""
    uuid = parse_id(key_id)
    overlap = timedelta(hours=overlap_hours)
    key = in_organization(
        start(), organization, lambda work: provisioning.rotate_key(work, key_id=uuid, overlap=overlap, now=clock())
    )
    fields = {"id": key.id, "name": key.name, "apiKey": key.secret, "replaces": uuid}
    show_secret(f"Created a new key {key.name}; the old one ends in {overlap_hours} hours.", fields, as_json=as_json)


@keys.command("revoke")
def revoke_key(organization: Organization, key_id: Id, as_json: AsJson = False) -> None:
    """End a key at once."""
    uuid = parse_id(key_id)
    now = clock()
    in_organization(start(), organization, lambda work: provisioning.revoke_key(work, key_id=uuid, now=now))
    show("Revoked the key.", {"id": uuid, "revokedAt": now}, as_json=as_json)


@tokens.command("issue")
def issue_token(
    organization: Organization,
    email: Email,
    days: Annotated[int, typer.Option(min=1, max=3660, help="How long the token is good.")] = 365,
    as_json: AsJson = False,
) -> None:
    """Issue a long-lived Bearer token, and show it once.

    It is signed with the first of TESSERA_TOKEN_KEYS, else with the key that `tessera serve --demo` has made.
    """
    settings = start(needs_keys=True, settings=configuration.with_kept_key(configuration.load()))
    signer = TokenSigner(settings.token_keys)
    now = clock()
    lifetime = timedelta(days=days)
    token = in_organization(
        settings,
        organization,
        lambda work: provisioning.issue_token(work, signer=signer, email=email, lifetime=lifetime, now=now),
    )
    fields = {"id": token.id, "email": email, "token": token.secret, "expiresAt": now + lifetime}
    show_secret(f"Issued a token to {email}.", fields, as_json=as_json)


@tokens.command("revoke")
def revoke_token(organization: Organization, token_id: Id, as_json: AsJson = False) -> None:
    """End a token at once."""
    uuid = parse_id(token_id)
    now = clock()
    in_organization(start(), organization, lambda work: provisioning.revoke_token(work, token_id=uuid, now=now))
    show("Revoked the token.", {"id": uuid, "revokedAt": now}, as_json=as_json)


async def _partner_id(work: UnitOfWork, name: str) -> UUID:
    partner = await partners.find_by_name(work, name)
    if partner is None:
        raise NotFound(f"There is no voucher partner {name}.")
    return UUID(str(partner.id))
