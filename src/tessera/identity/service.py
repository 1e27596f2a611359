"""Who calls: recognizing callers, and giving and taking their credentials."""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tessera.identity import credentials, rules
from tessera.identity.clients import service as clients
from tessera.identity.credentials import ApiKeyText, CredentialName
from tessera.identity.errors import NameTaken
from tessera.identity.keys import service as keys
from tessera.identity.organizations import service as organizations
from tessera.identity.repository import Holder, IdentityRepository
from tessera.identity.rules import CredentialDraft, FunctionPoint, Principal, UserDraft
from tessera.identity.tokens import service as tokens
from tessera.identity.users import service as users
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import NotAuthenticated
from tessera.kit.tokens import TokenSigner

__all__ = ["NameTaken"]


@dataclass(frozen=True, slots=True)
class ShownOnce:
    """A credential that was just made: its secret is nowhere else."""

    id: UUID
    name: str
    secret: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a token is for: enough to pin the tenant and look up the rest, never a right."""

    organization_id: UUID
    kind: str
    id: UUID


Credential = ApiKeyText | Subject

# Recognizing


def parse_subject(claims: dict[str, Any]) -> Subject:
    """The subject of a token's claims; raises NotAuthenticated."""
    try:
        if claims["kind"] not in ("client", "token"):
            raise ValueError
        return Subject(UUID(claims["org"]), claims["kind"], UUID(claims["sub"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotAuthenticated("The token is not valid.") from error


async def recognize(work: UnitOfWork, *, subject: Subject, now: datetime) -> Principal:
    """The caller whom a verified token names, as the database knows it now; raises NotAuthenticated."""
    repository = IdentityRepository(work)
    if subject.kind == "client":
        found = await repository.find_client(subject.id)
        holder = found[0] if found else None
    else:
        holder = await repository.find_token_holder(subject.id)
    return _principal(work, holder, now=now)


async def authenticate_client(work: UnitOfWork, *, name: CredentialName, secret: str, now: datetime) -> Principal:
    """The client with this ClientId and secret; raises NotAuthenticated."""
    found = await IdentityRepository(work).find_client(name.id)
    # An unknown client costs the same comparison as a known one.
    holder, digest = found or (None, bytes(32))
    if not credentials.matches(secret, digest):
        raise NotAuthenticated("The client or its secret is not valid.")
    return _principal(work, holder, now=now)


async def authenticate_key(work: UnitOfWork, *, key: ApiKeyText, now: datetime) -> Principal:
    """The storefront with this API key; raises NotAuthenticated."""
    found = await IdentityRepository(work).find_key(key.name.id)
    if found is None or not hmac.compare_digest(found[2], key.digest):
        raise NotAuthenticated("The API key is not valid.")
    return _principal(work, found[0], now=now)


async def identify(work: UnitOfWork, *, credential: Credential, now: datetime) -> Principal:
    """The caller with this credential, a key or a verified token's subject; raises NotAuthenticated."""
    if isinstance(credential, ApiKeyText):
        return await authenticate_key(work, key=credential, now=now)
    return await recognize(work, subject=credential, now=now)


async def admit(work: UnitOfWork, principal: Principal, function_point: FunctionPoint) -> UnitOfWork:
    """The rest of this transaction as the caller's own, for what this right is needed; raises LacksFunctionPoint."""
    principal.require(function_point)
    work = work.acting_as(principal.actor)
    return work if principal.partner_id is None else await work.narrowed_to(principal.partner_id)


def token_of_client(signer: TokenSigner, principal: Principal, *, now: datetime, lifetime: timedelta) -> str:
    """A short-lived Bearer token for an authenticated client."""
    claims = {"org": str(principal.organization_id), "kind": "client", "sub": str(principal.id)}
    return signer.issue(claims, now=now, lifetime=lifetime)


def _principal(work: UnitOfWork, holder: Holder | None, *, now: datetime) -> Principal:
    if holder is None or not rules.in_good_standing(holder.standing, now=now):
        raise NotAuthenticated("The credential is unknown, revoked or expired.")
    return Principal(work.organization_id, holder.actor, frozenset(holder.function_points), holder.partner_id)


# Giving and taking, by those who may give every right: the command line, and what sets an organization up.


async def create_organization(work: UnitOfWork, *, name: str, now: datetime) -> UUID:
    """Create the organization to whose (new) id the unit of work is pinned; raises Invalid, NameTaken."""
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
    """Add a user with first and last name, a partner's if one is given; raises Invalid, NameTaken."""
    draft = UserDraft(
        email=email,
        first_name=names[0],
        last_name=names[1],
        function_points=tuple(function_points),
        partner_id=partner_id,
    )
    return (await users.create(work, draft=draft, rights=None, now=now)).id


async def create_client(
    work: UnitOfWork, *, name: str, function_points: Iterable[FunctionPoint], now: datetime
) -> ShownOnce:
    """Add an API client; raises Invalid, NameTaken."""
    draft = CredentialDraft(name=name, function_points=tuple(function_points))
    client, secret = await clients.create(work, draft=draft, rights=None, now=now)
    return ShownOnce(client.id, clients.client_id_of(work, client), secret)


async def create_key(
    work: UnitOfWork, *, name: str, function_points: Iterable[FunctionPoint], now: datetime
) -> ShownOnce:
    """Add an API key; raises Invalid."""
    draft = CredentialDraft(name=name, function_points=tuple(function_points))
    key, text = await keys.create(work, draft=draft, rights=None, now=now)
    return ShownOnce(key.id, name, text)


async def rotate_key(work: UnitOfWork, *, key_id: UUID, overlap: timedelta, now: datetime) -> ShownOnce:
    """A new key in place of an old one, which works on for `overlap`; raises NotFound."""
    key, text = await keys.rotate(work, Target(key_id), overlap=overlap, rights=None, now=now)
    return ShownOnce(key.id, key.name, text)


async def revoke_key(work: UnitOfWork, *, key_id: UUID, now: datetime) -> None:
    """End a key at once; raises NotFound."""
    await keys.revoke(work, Target(key_id), now=now)


async def issue_token(
    work: UnitOfWork, *, signer: TokenSigner, email: str, lifetime: timedelta, now: datetime
) -> ShownOnce:
    """A long-lived Bearer token for one user (Pattern B); raises NotFound."""
    token, text = await tokens.issue(work, signer=signer, email=email, lifetime=lifetime, rights=None, now=now)
    return ShownOnce(token.id, email, text)


async def revoke_token(work: UnitOfWork, *, token_id: UUID, now: datetime) -> None:
    """End a token at once; raises NotFound."""
    await tokens.revoke(work, Target(token_id), now=now)


async def deactivate_user(work: UnitOfWork, *, email: str, now: datetime) -> None:
    """Switch a user off, and with it all its tokens; raises NotFound, WrongState."""
    user = await users.get_by_email(work, email)
    await users.deactivate(work, Target(user.id), now=now)


async def revoke_client(work: UnitOfWork, *, client_id: UUID, now: datetime) -> None:
    """End a client and every token it fetched; raises NotFound."""
    await clients.revoke(work, Target(client_id), now=now)
