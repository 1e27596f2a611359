"""API clients: creation, rotation of the secret, revocation."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from tessera.audit.editing import Editable
from tessera.audit.rules import Action
from tessera.identity import rules
from tessera.identity.authentication import credentials
from tessera.identity.authentication.credentials import CLIENT_PREFIX, CredentialName
from tessera.identity.clients.repository import ClientRepository, ManagedClient
from tessera.identity.errors import NameTaken
from tessera.identity.rules import CredentialDraft, Rights
from tessera.kit import editing
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid
from tessera.kit.identifiers import new_id

__all__ = ["ManagedClient"]

_CLIENTS: Editable[ManagedClient] = Editable(kind="ApiClient", noun="client")


def client_id_of(work: UnitOfWork, client: ManagedClient) -> str:
    """The ClientId that the client sends with its secret."""
    return CredentialName(work.organization_id, client.id).text(CLIENT_PREFIX)


async def create(
    work: UnitOfWork, *, draft: CredentialDraft, rights: Rights, now: datetime
) -> tuple[ManagedClient, str]:
    """Create a client and its secret, which is not stored; raises Invalid, NameTaken, NotAllowed."""
    violations = list(rules.credential_violations(draft))
    if violations or draft.name is None or draft.function_points is None:
        raise Invalid(violations)
    rules.ensure_may_grant(draft.function_points, rights)
    client = ManagedClient(
        id=new_id(),
        name=draft.name,
        function_points=tuple(sorted(set(draft.function_points))),
        created_at=now,
        revoked_at=None,
        token_generation=0,
        version=editing.FIRST,
    )
    secret = credentials.new_secret()
    if not await ClientRepository(work).add(client, digest=credentials.digest_of(secret)):
        raise NameTaken("name", client.name)
    await _CLIENTS.record_created(work, client, now=now)
    return client, secret


async def get(work: UnitOfWork, client_id: UUID) -> ManagedClient:
    """The client with this id; raises NotFound."""
    return _CLIENTS.require(await ClientRepository(work).find(client_id))


async def list_by_cursor(work: UnitOfWork, *, after: str | None, size: int) -> CursorPage[ManagedClient]:
    """A page of clients, oldest first; raises Invalid for a cursor of another list."""
    return await ClientRepository(work).list_by_cursor(after=after, size=size)


async def rotate_secret(
    work: UnitOfWork, target: Target, *, ends_tokens: bool, rights: Rights, now: datetime
) -> tuple[ManagedClient, str]:
    """Replace the secret of a client; raises NotAllowed, NotFound, VersionStale.

    The secret conveys the rights of the client, so the caller must have every one of them. `ends_tokens` also ends the
    tokens that the client has fetched; otherwise they stay valid until they expire.
    """
    repository = ClientRepository(work)
    client = await _CLIENTS.lock(repository, target)
    rules.ensure_may_grant(client.function_points, rights)
    secret = credentials.new_secret()
    await repository.set_digest(client.id, credentials.digest_of(secret))
    after = replace(client, token_generation=client.token_generation + ends_tokens)
    return await _CLIENTS.save(work, repository, client, after, Action.ROTATED, now=now), secret


async def revoke(work: UnitOfWork, target: Target, *, rights: Rights, now: datetime) -> ManagedClient:
    """Revoke a client and every token that it fetched; raises NotAllowed, NotFound, VersionStale."""
    repository = ClientRepository(work)
    client = await _CLIENTS.lock(repository, target)
    rules.ensure_may_weaken(client.function_points, rights)
    return await _CLIENTS.save(work, repository, client, replace(client, revoked_at=now), Action.REVOKED, now=now)
