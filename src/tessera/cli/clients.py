"""Commands on API clients."""

from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

import typer

from tessera.cli.confirmation import confirm
from tessera.cli.lookups import access as lookups
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import FunctionPoints, Name, Yes, parse_function_points
from tessera.cli.organization_session import OrganizationSession, fetch_all
from tessera.cli.output import Fields
from tessera.identity import provisioning
from tessera.identity.clients import service as clients
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target

Client = Annotated[str, typer.Argument(help="The client's name (any case), ClientId or id.", metavar="CLIENT")]

commands = CommandGroup()


@commands.command("create")
def create_client(session: OrganizationSession, name: Name, function_points: FunctionPoints) -> None:
    """Create an API client, and print its secret once."""
    rights = parse_function_points(function_points)
    client = session.run(lambda work: provisioning.create_client(work, name=name, function_points=rights, now=clock()))
    fields = {"name": name, "clientId": client.name, "clientSecret": client.secret, "id": client.id}
    session.show_secret(f"Created the client {name}.", fields)


@commands.command("list")
def list_clients(session: OrganizationSession) -> None:
    """List API clients without their secrets, newest first."""

    async def list_rows(work: UnitOfWork) -> list[Fields]:
        rows = await fetch_all(partial(clients.list_by_cursor, work))
        return [
            {
                "name": client.name,
                "clientId": clients.client_id_of(work, client),
                "revokedAt": client.revoked_at,
                "functionPoints": client.function_points,
                "id": client.id,
            }
            for client in reversed(rows)
        ]

    session.show_rows(session.run(list_rows), if_none="There are no clients yet.")


@commands.command("rotate")
def rotate_client(
    session: OrganizationSession,
    client: Client,
    *,
    end_tokens: Annotated[
        bool, typer.Option("--end-tokens", help="Also end the access tokens that the client has fetched.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Replace the secret of a client, and print the new secret once."""
    confirm(f"Replace the secret of the client {client}? The old one stops working at once.", yes=yes)

    async def rotate(work: UnitOfWork, target: Target, *, now: datetime) -> Fields:
        changed, secret = await clients.rotate_secret(work, target, ends_tokens=end_tokens, rights=None, now=now)
        client_id = clients.client_id_of(work, changed)
        return {"name": changed.name, "clientId": client_id, "clientSecret": secret, "id": changed.id}

    fields = session.change(lookups.client_id, client, rotate)
    session.show_secret("Replaced the secret of the client; the old secret is no longer valid.", fields)


@commands.command("revoke")
def revoke_client(session: OrganizationSession, client: Client, *, yes: Yes = False) -> None:
    """Revoke a client (permanent) and all tokens that were issued to it."""
    confirm(f"Revoke the client {client} permanently?", yes=yes)
    now = clock()

    async def revoke(work: UnitOfWork, client_id: UUID) -> UUID:
        await provisioning.revoke_client(work, client_id=client_id, now=now)
        return client_id

    session.show("Revoked the client.", {"id": session.run_on(lookups.client_id, client, revoke), "revokedAt": now})
