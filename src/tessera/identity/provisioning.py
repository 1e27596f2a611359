"""Creation and revocation of callers with any rights, for the command line and for setup."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tessera.identity.clients import service as clients
from tessera.identity.keys import service as keys
from tessera.identity.organizations import service as organizations
from tessera.identity.rules import CredentialDraft, FunctionPoint, UserDraft
from tessera.identity.tokens import service as tokens
from tessera.identity.users import service as users
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.normalization import stored_email
from tessera.kit.tokens import TokenSigner


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A new credential; its secret is not stored."""

    id: UUID
    name: str
    secret: str


async def create_organization(work: UnitOfWork, *, name: str, now: datetime) -> UUID:
    """Create an organization under the new id that the unit of work is pinned to; raises Invalid, NameTaken."""
    return (await organizations.create(work, name=name, now=now)).id


async def list_organizations(work: UnitOfWork) -> Sequence[Any]:
    """Every organization with `id`, `name` and `is_active`, for a unit of work pinned to the platform."""
    return await organizations.list_all(work)


async def create_user(
    work: UnitOfWork,
    *,
    email: str,
    names: tuple[str, str],
    function_points: Iterable[FunctionPoint],
    partner_id: UUID | None = None,
    now: datetime,
) -> UUID:
    """Create a user, of a voucher partner unless `partner_id` is None; raises Invalid, NameTaken.

    `names` are the first and the last name.
    """
    draft = UserDraft(
        email=stored_email(email),
        first_name=names[0],
        last_name=names[1],
        function_points=tuple(function_points),
        partner_id=partner_id,
    )
    return (await users.create(work, draft=draft, rights=None, now=now)).id


async def create_client(
    work: UnitOfWork, *, name: str, function_points: Iterable[FunctionPoint], now: datetime
) -> NewCredential:
    """Create an API client; raises Invalid, NameTaken."""
    draft = CredentialDraft(name=name, function_points=tuple(function_points))
    client, secret = await clients.create(work, draft=draft, rights=None, now=now)
    return NewCredential(client.id, clients.client_id_of(work, client), secret)


async def create_key(
    work: UnitOfWork,
    *,
    name: str,
    function_points: Iterable[FunctionPoint],
    networks: Iterable[str] = (),
    now: datetime,
) -> NewCredential:
    """Create an API key, which is valid only in these networks if there are any; raises Invalid."""
    draft = CredentialDraft(name=name, function_points=tuple(function_points), networks=tuple(networks))
    key, text = await keys.create(work, draft=draft, rights=None, now=now)
    return NewCredential(key.id, name, text)


async def rotate_key(work: UnitOfWork, *, key_id: UUID, overlap: timedelta, now: datetime) -> NewCredential:
    """Replace a key with a new one; the old key stays valid for `overlap`. Raises NotFound."""
    key, text = await keys.rotate(work, Target(key_id), overlap=overlap, rights=None, now=now)
    return NewCredential(key.id, key.name, text)


async def revoke_key(work: UnitOfWork, *, key_id: UUID, now: datetime) -> None:
    """Revoke a key at once; raises NotFound."""
    await keys.revoke(work, Target(key_id), rights=None, now=now)


async def issue_token(
    work: UnitOfWork, *, signer: TokenSigner, email: str, lifetime: timedelta, now: datetime
) -> NewCredential:
    """Issue a long-lived Bearer token to a user (Pattern B); raises NotFound."""
    token, text = await tokens.issue(work, signer=signer, email=email, lifetime=lifetime, rights=None, now=now)
    return NewCredential(token.id, email, text)


async def revoke_token(work: UnitOfWork, *, token_id: UUID, now: datetime) -> None:
    """Revoke a token at once; raises NotFound."""
    await tokens.revoke(work, Target(token_id), rights=None, now=now)


async def deactivate_user(work: UnitOfWork, *, email: str, now: datetime) -> None:
    """Deactivate a user and thereby all tokens of the user; raises NotFound, WrongState."""
    user = await users.get_by_email(work, email)
    await users.deactivate(work, Target(user.id), rights=None, now=now)


async def revoke_client(work: UnitOfWork, *, client_id: UUID, now: datetime) -> None:
    """Revoke a client and every token that it fetched; raises NotFound."""
    await clients.revoke(work, Target(client_id), rights=None, now=now)
