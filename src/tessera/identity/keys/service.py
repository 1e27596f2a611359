"""API keys: creation, rotation with an overlap, revocation."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from tessera.audit.editing import Editable
from tessera.audit.rules import Action
from tessera.identity import rules
from tessera.identity.authentication import credentials
from tessera.identity.authentication.credentials import CredentialName
from tessera.identity.keys.repository import KeyRepository, ManagedKey, set_last_used
from tessera.identity.rules import CredentialDraft, Rights
from tessera.kit import editing
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, NotFound
from tessera.kit.identifiers import new_id

__all__ = ["ManagedKey"]

_KEYS: Editable[ManagedKey] = Editable(kind="ApiKey", noun="key")


async def create(work: UnitOfWork, *, draft: CredentialDraft, rights: Rights, now: datetime) -> tuple[ManagedKey, str]:
    """Create a key and its text, which is not stored; raises Invalid, NotAllowed."""
    violations = list(rules.credential_violations(draft))
    if violations or draft.name is None or draft.function_points is None:
        raise Invalid(violations)
    rules.ensure_may_grant(draft.function_points, rights)
    networks, _ = rules.parse_networks(draft.networks or ())
    key = ManagedKey(
        id=new_id(),
        name=draft.name,
        function_points=tuple(sorted(set(draft.function_points))),
        networks=networks,
        first_key_id=None,
        created_at=now,
        expires_at=None,
        revoked_at=None,
        last_used_at=None,
        version=editing.FIRST,
    )
    return key, await _add(work, key, now=now)


async def get(work: UnitOfWork, key_id: UUID) -> ManagedKey:
    """The key with this id; raises NotFound."""
    return _KEYS.require(await KeyRepository(work).find(key_id))


async def list_by_cursor(work: UnitOfWork, *, after: str | None, size: int) -> CursorPage[ManagedKey]:
    """A page of keys, oldest first; raises Invalid for a cursor of another list."""
    return await KeyRepository(work).list_by_cursor(after=after, size=size)


async def rotate(
    work: UnitOfWork, target: Target, *, overlap: timedelta, rights: Rights, now: datetime
) -> tuple[ManagedKey, str]:
    """Replace a key with a new one, which may act on what the old one has made; the old key stays valid for `overlap`.

    Raises NotAllowed, NotFound, VersionStale.
    """
    repository = KeyRepository(work)
    key = await _lock(repository, target, now=now)
    rules.ensure_may_grant(key.function_points, rights)
    # The overlap never extends an earlier expiry.
    expires_at = min(now + overlap, key.expires_at or now + overlap)
    await _KEYS.save(work, repository, key, replace(key, expires_at=expires_at), Action.ROTATED, now=now)
    new_key = replace(
        key,
        id=new_id(),
        first_key_id=key.first_key_id or key.id,
        created_at=now,
        expires_at=None,
        last_used_at=None,
        version=editing.FIRST,
    )
    return new_key, await _add(work, new_key, now=now)


async def revoke(work: UnitOfWork, target: Target, *, rights: Rights, now: datetime) -> ManagedKey:
    """Revoke a key at once; raises NotAllowed, NotFound, VersionStale."""
    repository = KeyRepository(work)
    key = await _lock(repository, target, now=None)
    rules.ensure_may_weaken(key.function_points, rights)
    return await _KEYS.save(work, repository, key, replace(key, revoked_at=now), Action.REVOKED, now=now)


async def note_uses(work: UnitOfWork, uses: Mapping[UUID, Mapping[UUID, datetime]], *, interval: timedelta) -> None:
    """Store when keys of many organizations were last used, at most once per `interval` for each key.

    The audit log has no entry of it.
    """
    await set_last_used(work, uses, interval=interval)


async def _add(work: UnitOfWork, key: ManagedKey, *, now: datetime) -> str:
    text = credentials.new_key_text(CredentialName(work.organization_id, key.id))
    await KeyRepository(work).add(key, digest=credentials.digest_of(text))
    await _KEYS.record_created(work, key, now=now)
    return text


async def _lock(repository: KeyRepository, target: Target, *, now: datetime | None) -> ManagedKey:
    # A rotation needs a key that has not expired at `now`. A revocation passes None, because it accepts expired keys.
    key = await repository.lock(target.id)
    if key is None or key.revoked_at or (now and key.expires_at and now >= key.expires_at):
        raise NotFound("There is no such key, or it is revoked or expired.")
    target.ensure(key.version)
    return key
