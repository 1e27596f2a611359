"""API keys and their whole life: made, replaced with an overlap, revoked."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Action, Change
from tessera.identity import rules
from tessera.identity.authentication import credentials
from tessera.identity.authentication.credentials import CredentialName
from tessera.identity.keys.repository import KeyRepository, ManagedKey
from tessera.identity.rules import CredentialDraft, Standing
from tessera.kit import editing
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, NotFound
from tessera.kit.identifiers import new_id

__all__ = ["ManagedKey"]

KIND = "ApiKey"

Rights = Collection[str] | None


async def create(work: UnitOfWork, *, draft: CredentialDraft, rights: Rights, now: datetime) -> tuple[ManagedKey, str]:
    """Add a key, and its text, which is nowhere else; raises Invalid, NotAllowed."""
    violations = list(rules.credential_violations(draft))
    if violations or draft.name is None or draft.function_points is None:
        raise Invalid(violations)
    rules.ensure_may_give(draft.function_points, rights)
    return await _add(work, draft.name, tuple(sorted(set(draft.function_points))), now=now)


async def get(work: UnitOfWork, key_id: UUID) -> ManagedKey:
    """The key with this id; raises NotFound."""
    key = await KeyRepository(work).find(key_id)
    if key is None:
        raise NotFound("There is no such key.")
    return key


async def list_by_cursor(work: UnitOfWork, *, after: str | None, size: int) -> CursorPage[ManagedKey]:
    """A part of the keys, oldest first; raises Invalid for a cursor of another list."""
    return await KeyRepository(work).list_by_cursor(after=after, size=size)


async def rotate(
    work: UnitOfWork, target: Target, *, overlap: timedelta, rights: Rights, now: datetime
) -> tuple[ManagedKey, str]:
    """A new key in place of an old one, which works on for `overlap`; raises NotAllowed, NotFound, VersionStale."""
    key = await _lock(work, target, now=now)
    rules.ensure_may_give(key.function_points, rights)
    # Never later than it would have.
    ends = min(now + overlap, key.expires_at or now + overlap)
    await _change(work, key, replace(key, expires_at=ends), Action.ROTATED, now=now)
    return await _add(work, key.name, key.function_points, now=now)


async def revoke(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedKey:
    """End a key at once; raises NotFound, VersionStale."""
    key = await _lock(work, target, now=None)
    return await _change(work, key, replace(key, revoked_at=now), Action.REVOKED, now=now)


async def note_uses(work: UnitOfWork, uses: Mapping[UUID, datetime], *, pause: timedelta) -> None:
    """Note when keys were last used, each once in `pause`; no change that anybody made, so it is not recorded."""
    await KeyRepository(work).set_last_used(uses, pause=pause)


async def _add(
    work: UnitOfWork, name: str, function_points: tuple[str, ...], *, now: datetime
) -> tuple[ManagedKey, str]:
    key = ManagedKey(
        id=new_id(),
        name=name,
        function_points=function_points,
        created_at=now,
        expires_at=None,
        revoked_at=None,
        last_used_at=None,
        version=editing.FIRST,
    )
    text = credentials.new_key_text(CredentialName(work.organization_id, key.id))
    await KeyRepository(work).add(key, digest=credentials.digest_of(text))
    await audit.record(work, Change(action=Action.CREATED, kind=KIND, id=key.id, after=asdict(key)), now=now)
    return key, text


async def _lock(work: UnitOfWork, target: Target, *, now: datetime | None) -> ManagedKey:
    key = await KeyRepository(work).lock(target.id)
    ended = key is None or key.revoked_at is not None
    if key is not None and now is not None:
        ended = not rules.in_good_standing(Standing(key.revoked_at, key.expires_at, True), now=now)  # noqa: FBT003
    if key is None or ended:
        raise NotFound("There is no such key, or it has ended.")
    target.ensure(key.version)
    return key


async def _change(
    work: UnitOfWork, before: ManagedKey, after: ManagedKey, action: Action, *, now: datetime
) -> ManagedKey:
    after = replace(after, version=before.version + 1)
    await KeyRepository(work).change(after)
    change = Change(action=action, kind=KIND, id=after.id, before=asdict(before), after=asdict(after))
    await audit.record(work, change, now=now)
    return after
