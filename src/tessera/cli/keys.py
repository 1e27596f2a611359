"""Commands on API keys."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer

from tessera.cli.confirmation import confirm
from tessera.cli.lookups import access as lookups
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import FunctionPoints, Name, Yes, parse_function_points
from tessera.cli.organization_session import OrganizationSession
from tessera.cli.output import fields_of
from tessera.identity import provisioning
from tessera.identity.keys import service as keys
from tessera.identity.rules import FunctionPoint
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork

Key = Annotated[str, typer.Argument(help="The key's name (any case) or id.", metavar="KEY")]

commands = CommandGroup()


@commands.command("create")
def create_key(
    session: OrganizationSession,
    name: Name,
    function_points: FunctionPoints = [FunctionPoint.STOREFRONT_REDEEM],  # noqa: B006 - typer only reads it
    networks: Annotated[
        list[str], typer.Option("--network", help="A network that the key can be used from; repeatable.")
    ] = [],  # noqa: B006
) -> None:
    """Create an API key, and print it once."""
    rights = parse_function_points(function_points)
    key = session.run(
        lambda work: provisioning.create_key(work, name=name, function_points=rights, networks=networks, now=clock())
    )
    session.show_secret(f"Created the key {name}.", {"name": name, "apiKey": key.secret, "id": key.id})


@commands.command("list")
def list_keys(session: OrganizationSession) -> None:
    """List API keys without their secrets, newest first."""
    names = ("name", "id", "expires_at", "revoked_at", "last_used_at", "created_at")
    rows = session.fetch_newest(keys.list_by_cursor)
    session.show_rows([fields_of(key, *names) for key in rows], if_none="There are no keys yet.")


@commands.command("rotate")
def rotate_key(
    session: OrganizationSession,
    key: Key,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=24 * 366, help="The remaining lifetime of the old key in hours.")
    ] = 24,
    *,
    yes: Yes = False,
) -> None:
    """Create a key that replaces another one, and print it once."""
    confirm(f"Replace the key {key}? The old one expires in {overlap_hours} hours.", yes=yes)
    overlap = timedelta(hours=overlap_hours)

    async def rotate(work: UnitOfWork, key_id: UUID) -> tuple[provisioning.NewCredential, UUID]:
        return await provisioning.rotate_key(work, key_id=key_id, overlap=overlap, now=clock()), key_id

    new, old_id = session.run_on(lookups.key_id, key, rotate)
    fields = {"name": new.name, "apiKey": new.secret, "id": new.id, "replaces": old_id}
    session.show_secret(f"Created a new key {new.name}; the old key expires in {overlap_hours} hours.", fields)


@commands.command("revoke")
def revoke_key(session: OrganizationSession, key: Key, *, yes: Yes = False) -> None:
    """Revoke a key immediately (permanent)."""
    confirm(f"Revoke the key {key} permanently?", yes=yes)
    now = clock()

    async def revoke(work: UnitOfWork, key_id: UUID) -> UUID:
        await provisioning.revoke_key(work, key_id=key_id, now=now)
        return key_id

    session.show("Revoked the key.", {"id": session.run_on(lookups.key_id, key, revoke), "revokedAt": now})
