"""Look-ups of the ids of API clients, keys and tokens by name or id."""

from functools import partial
from uuid import UUID

from tessera.cli.lookups.references import as_id, named
from tessera.cli.organization_session import fetch_all
from tessera.identity.clients import service as clients
from tessera.identity.keys import service as keys
from tessera.identity.tokens import service as tokens
from tessera.kit.db.unit_of_work import UnitOfWork


async def client_id(work: UnitOfWork, name_or_id: str) -> UUID:
    """The id of the API client with this name (in any case), ClientId or id; raises NotFound."""
    if row_id := as_id(name_or_id):
        return row_id
    rows = await fetch_all(partial(clients.list_by_cursor, work))
    names = ((name, client.id) for client in rows for name in (client.name, clients.client_id_of(work, client)))
    return named("client", name_or_id, names)


async def key_id(work: UnitOfWork, name_or_id: str) -> UUID:
    """The id of the API key with this name (in any case) that is not revoked, or with this id.

    Raises NotFound, Conflict.
    """
    if row_id := as_id(name_or_id):
        return row_id
    rows = await fetch_all(partial(keys.list_by_cursor, work))
    return named("key", name_or_id, ((key.name, key.id) for key in rows if key.revoked_at is None))


async def token_id(work: UnitOfWork, email_or_id: str) -> UUID:
    """The id of the token of this user that is not revoked, or with this id; raises NotFound, Conflict."""
    if row_id := as_id(email_or_id):
        return row_id
    rows = await fetch_all(partial(tokens.list_by_cursor, work, user_id=None))
    return named("token", email_or_id, ((token.email, token.id) for token in rows if token.revoked_at is None))
