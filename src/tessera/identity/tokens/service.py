"""Long-lived Bearer tokens of users (Pattern B)."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from tessera.audit.editing import Editable
from tessera.audit.rules import Action
from tessera.identity import rules
from tessera.identity.rules import FunctionPoint, Rights
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

_TOKENS: Editable[ManagedToken] = Editable(kind="Token", noun="token")


async def issue(
    work: UnitOfWork, *, signer: TokenSigner, email: str, lifetime: timedelta, rights: Rights, now: datetime
) -> tuple[ManagedToken, str]:
    """Issue a token to the user with this address; returns it with its text. Raises NotAllowed, NotFound.

    The text is not stored. The token conveys the rights of the user, so the caller must have every one of them; rights
    that the user is granted later are conveyed only if the caller has them now.
    """
    user = await users.get_by_email(work, email)
    rules.ensure_may_grant(user.function_points, rights)
    token = ManagedToken(
        id=new_id(),
        user_id=user.id,
        email=user.email,
        function_points=tuple(sorted(FunctionPoint if rights is None else rights)),
        issuer=work.actor.name,
        created_at=now,
        expires_at=now + lifetime,
        revoked_at=None,
        version=editing.FIRST,
    )
    await TokenRepository(work).add(token)
    await _TOKENS.record(work, "Issued", None, token, now=now)
    claims = {"org": str(work.organization_id), "kind": "token", "sub": str(token.id)}
    return token, signer.issue(claims, now=now, lifetime=lifetime)


async def get(work: UnitOfWork, token_id: UUID) -> ManagedToken:
    """The token with this id; raises NotFound."""
    return _TOKENS.require(await TokenRepository(work).find(token_id))


async def list_by_cursor(
    work: UnitOfWork, *, user_id: UUID | None, after: str | None, size: int
) -> CursorPage[ManagedToken]:
    """A page of the tokens of one user, or of all, oldest first; raises Invalid for a cursor of another list."""
    return await TokenRepository(work).list_by_cursor(user_id, after=after, size=size)


async def revoke(work: UnitOfWork, target: Target, *, rights: Rights, now: datetime) -> ManagedToken:
    """Revoke a token at once; raises NotAllowed, NotFound, VersionStale. Every caller may revoke their own tokens."""
    repository = TokenRepository(work)
    token = await repository.lock(target.id)
    if token is None or token.revoked_at is not None:
        raise NotFound("There is no such token, or it is revoked.")
    target.ensure(token.version)
    if token.user_id != work.actor.id:
        rules.ensure_may_weaken((await users.get(work, token.user_id)).function_points, rights)
    return await _TOKENS.save(work, repository, token, replace(token, revoked_at=now), Action.REVOKED, now=now)
