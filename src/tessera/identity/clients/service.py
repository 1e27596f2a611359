"""API clients and their whole life: made, given another secret, revoked."""

from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import datetime
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Action, Change
from tessera.identity import rules
from tessera.identity.authentication import credentials
from tessera.identity.authentication.credentials import CLIENT_PREFIX, CredentialName
from tessera.identity.clients.repository import ClientRepository, ManagedClient
from tessera.identity.errors import NameTaken
from tessera.identity.rules import CredentialDraft
from tessera.kit import editing
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, NotFound
from tessera.kit.identifiers import new_id

__all__ = ["ManagedClient"]

KIND = "ApiClient"

Rights = Collection[str] | None


def client_id_of(work: UnitOfWork, client: ManagedClient) -> str:
    """The ClientId that the client shows with its secret."""
    return CredentialName(work.organization_id, client.id).text(CLIENT_PREFIX)


async def create(
    work: UnitOfWork, *, draft: CredentialDraft, rights: Rights, now: datetime
) -> tuple[ManagedClient, str]:
    """Add a client, and its secret, which is nowhere else; raises Invalid, NameTaken, NotAllowed."""
    violations = list(rules.credential_violations(draft))
    if violations or draft.name is None or draft.function_points is None:
        raise Invalid(violations)
    rules.ensure_may_give(draft.function_points, rights)
    client = ManagedClient(
        id=new_id(),
        name=draft.name,
        function_points=tuple(sorted(set(draft.function_points))),
        created_at=now,
        revoked_at=None,
        version=editing.FIRST,
    )
    secret = credentials.new_secret()
    if not await ClientRepository(work).add(client, digest=credentials.digest_of(secret)):
        raise NameTaken("name", client.name)
    await audit.record(work, Change(action=Action.CREATED, kind=KIND, id=client.id, after=asdict(client)), now=now)
    return client, secret


async def get(work: UnitOfWork, client_id: UUID) -> ManagedClient:
    """The client with this id; raises NotFound."""
    client = await ClientRepository(work).find(client_id)
    if client is None:
        raise NotFound("There is no such client.")
    return client


async def list_by_cursor(work: UnitOfWork, *, after: str | None, size: int) -> CursorPage[ManagedClient]:
    """A part of the clients, oldest first; raises Invalid for a cursor of another list."""
    return await ClientRepository(work).list_by_cursor(after=after, size=size)


async def rotate_secret(
    work: UnitOfWork, target: Target, *, rights: Rights, now: datetime
) -> tuple[ManagedClient, str]:
    """Give a client another secret in place of its own; raises NotAllowed, NotFound, VersionStale.

    Whoever has the secret has the client's rights, so nobody gets it who lacks one of them.
    """
    client = await _lock(work, target)
    rules.ensure_may_give(client.function_points, rights)
    secret = credentials.new_secret()
    digest = credentials.digest_of(secret)
    return await _change(work, client, client, Action.ROTATED, digest=digest, now=now), secret


async def revoke(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedClient:
    """End a client and every token it fetched; raises NotFound, VersionStale."""
    client = await _lock(work, target)
    return await _change(work, client, replace(client, revoked_at=now), Action.REVOKED, now=now)


async def _lock(work: UnitOfWork, target: Target) -> ManagedClient:
    client = await ClientRepository(work).lock(target.id)
    if client is None or client.revoked_at is not None:
        raise NotFound("There is no such client.")
    target.ensure(client.version)
    return client


async def _change(
    work: UnitOfWork,
    before: ManagedClient,
    after: ManagedClient,
    action: Action,
    *,
    digest: bytes | None = None,
    now: datetime,
) -> ManagedClient:
    after = replace(after, version=before.version + 1)
    await ClientRepository(work).change(after, digest=digest)
    change = Change(action=action, kind=KIND, id=after.id, before=asdict(before), after=asdict(after))
    await audit.record(work, change, now=now)
    return after
