"""Long-lived Bearer tokens of users (Pattern B): issued, listed, revoked."""

from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Action, Change
from tessera.identity import rules
from tessera.identity.tokens.repository import ManagedToken, TokenRepository
from tessera.identity.users import service as users
from tessera.kit import editing
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import NotFound
from tessera.kit.identifiers import new_id
from tessera.kit.tokens import TokenSigner

__all__ = ["ManagedToken"]

KIND = "Token"

Rights = Collection[str] | None


async def issue(
    work: UnitOfWork, *, signer: TokenSigner, email: str, lifetime: timedelta, rights: Rights, now: datetime
) -> tuple[ManagedToken, str]:
    """A token for the user with this address, and its text, which is nowhere else; raises NotAllowed, NotFound.

    Whoever has the token has the user's rights, so nobody gets it who lacks one of them.
    """
    user = await users.get_by_email(work, email)
    rules.ensure_may_give(user.function_points, rights)
    token = ManagedToken(
        id=new_id(),
        user_id=user.id,
        email=user.email,
        created_at=now,
        expires_at=now + lifetime,
        revoked_at=None,
        version=editing.FIRST,
    )
    await TokenRepository(work).add(token)
    await audit.record(work, Change(action="Issued", kind=KIND, id=token.id, after=asdict(token)), now=now)
    claims = {"org": str(work.organization_id), "kind": "token", "sub": str(token.id)}
    return token, signer.issue(claims, now=now, lifetime=lifetime)


async def get(work: UnitOfWork, token_id: UUID) -> ManagedToken:
    """The token with this id; raises NotFound."""
    token = await TokenRepository(work).find(token_id)
    if token is None:
        raise NotFound("There is no such token.")
    return token


async def list_by_cursor(
    work: UnitOfWork, *, user_id: UUID | None, after: str | None, size: int
) -> CursorPage[ManagedToken]:
    """A part of the tokens, of one user if it is named, oldest first; raises Invalid for a cursor of another list."""
    return await TokenRepository(work).list_by_cursor(user_id, after=after, size=size)


async def revoke(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedToken:
    """End a token at once; raises NotFound, VersionStale."""
    token = await TokenRepository(work).lock(target.id)
    if token is None or token.revoked_at is not None:
        raise NotFound("There is no such token, or it has ended.")
    target.ensure(token.version)
    after = replace(token, revoked_at=now, version=token.version + 1)
    await TokenRepository(work).change(after)
    change = Change(action=Action.REVOKED, kind=KIND, id=token.id, before=asdict(token), after=asdict(after))
    await audit.record(work, change, now=now)
    return after
