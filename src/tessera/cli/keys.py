"""Commands on API keys."""

from datetime import timedelta
from typing import Annotated

import typer

from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import FunctionPoints, Id, Name, parse_function_points, parse_id
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import fields_of
from tessera.identity import provisioning
from tessera.identity.keys import service as keys
from tessera.identity.rules import FunctionPoint
from tessera.kit.clock import clock

commands = CommandGroup()


@commands.command("create")
def create_key(
    session: OrganizationSession,
    name: Name,
    function_point: FunctionPoints = [FunctionPoint.STOREFRONT_REDEEM],  # noqa: B006 - typer only reads it
) -> None:
    """Create an API key, and print it once."""
    rights = parse_function_points(function_point)
    key = session.run(lambda work: provisioning.create_key(work, name=name, function_points=rights, now=clock()))
    session.show_secret(f"Created the key {name}.", {"id": key.id, "name": name, "apiKey": key.secret})


@commands.command("list")
def list_keys(session: OrganizationSession) -> None:
    """List API keys without their secrets, oldest first."""
    names = ("id", "name", "created_at", "expires_at", "revoked_at", "last_used_at")
    rows = session.fetch_all(keys.list_by_cursor)
    session.show_rows([fields_of(key, *names) for key in rows], if_none="There are no keys yet.")


@commands.command("rotate")
def rotate_key(
    session: OrganizationSession,
    key_id: Id,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=24 * 366, help="The remaining lifetime of the old key in hours.")
    ] = 24,
) -> None:
    """Create a key that replaces another one, and print it once."""
    uuid, overlap = parse_id(key_id), timedelta(hours=overlap_hours)
    key = session.run(lambda work: provisioning.rotate_key(work, key_id=uuid, overlap=overlap, now=clock()))
    fields = {"id": key.id, "name": key.name, "apiKey": key.secret, "replaces": uuid}
    session.show_secret(f"Created a new key {key.name}; the old key expires in {overlap_hours} hours.", fields)


@commands.command("revoke")
def revoke_key(session: OrganizationSession, key_id: Id) -> None:
    """Revoke a key immediately."""
    uuid, now = parse_id(key_id), clock()
    session.run(lambda work: provisioning.revoke_key(work, key_id=uuid, now=now))
    session.show("Revoked the key.", {"id": uuid, "revokedAt": now})
