"""Commands on API clients."""

from functools import partial

from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import FunctionPoints, Id, Name, parse_function_points, parse_id
from tessera.cli.organization_session import OrganizationSession, fetch_all
from tessera.cli.output import Fields
from tessera.identity import provisioning
from tessera.identity.clients import service as clients
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target

commands = CommandGroup()


@commands.command("create")
def create_client(session: OrganizationSession, name: Name, function_point: FunctionPoints) -> None:
    """Create an API client, and print its secret once."""
    rights = parse_function_points(function_point)
    client = session.run(lambda work: provisioning.create_client(work, name=name, function_points=rights, now=clock()))
    fields = {"id": client.id, "name": name, "clientId": client.name, "clientSecret": client.secret}
    session.show_secret(f"Created the client {name}.", fields)


@commands.command("list")
def list_clients(session: OrganizationSession) -> None:
    """List API clients without their secrets, oldest first."""

    async def list_rows(work: UnitOfWork) -> list[Fields]:
        rows = await fetch_all(partial(clients.list_by_cursor, work))
        return [
            {
                "id": client.id,
                "name": client.name,
                "clientId": clients.client_id_of(work, client),
                "functionPoints": " ".join(client.function_points),
                "revokedAt": client.revoked_at,
            }
            for client in rows
        ]

    session.show_rows(session.run(list_rows), if_none="There are no clients yet.")


@commands.command("rotate")
def rotate_client(session: OrganizationSession, client_id: Id) -> None:
    """Replace the secret of a client, and print the new secret once."""
    target = Target(parse_id(client_id))

    async def rotate(work: UnitOfWork) -> Fields:
        client, secret = await clients.rotate_secret(work, target, rights=None, now=clock())
        client_id = clients.client_id_of(work, client)
        return {"id": client.id, "name": client.name, "clientId": client_id, "clientSecret": secret}

    session.show_secret("Replaced the secret of the client; the old secret is no longer valid.", session.run(rotate))


@commands.command("revoke")
def revoke_client(session: OrganizationSession, client_id: Id) -> None:
    """Revoke a client and all tokens that were issued to it."""
    uuid, now = parse_id(client_id), clock()
    session.run(lambda work: provisioning.revoke_client(work, client_id=uuid, now=now))
    session.show("Revoked the client.", {"id": uuid, "revokedAt": now})
