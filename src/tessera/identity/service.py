"""Who calls: recognizing callers, and giving and taking their credentials."""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tessera.identity import credentials, rules
from tessera.identity.credentials import CLIENT_PREFIX, ApiKeyText, CredentialName
from tessera.identity.repository import Holder, IdentityRepository, NewCredential, NewUser
from tessera.identity.rules import FunctionPoint, Principal
from tessera.kit.database import UnitOfWork
from tessera.kit.errors import Invalid, NotAuthenticated, NotFound, Violation
from tessera.kit.identifiers import new_id
from tessera.kit.tokens import TokenSigner


class NameTaken(Invalid):
    """Another one has this name."""

    def __init__(self, field: str, name: str) -> None:
        super().__init__([Violation("NameTaken", field, f"is taken: {name}")])


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


def token_of_client(signer: TokenSigner, principal: Principal, *, now: datetime, lifetime: timedelta) -> str:
    """A short-lived Bearer token for an authenticated client."""
    claims = {"org": str(principal.organization_id), "kind": "client", "sub": str(principal.id)}
    return signer.issue(claims, now=now, lifetime=lifetime)


def _principal(work: UnitOfWork, holder: Holder | None, *, now: datetime) -> Principal:
    if holder is None or not rules.in_good_standing(holder.standing, now=now):
        raise NotAuthenticated("The credential is unknown, revoked or expired.")
    return Principal(work.organization_id, holder.actor, frozenset(holder.function_points), holder.partner_id)


# Giving and taking


async def create_organization(work: UnitOfWork, *, name: str, now: datetime) -> UUID:
    """Create the organization to whose (new) id the unit of work is pinned; raises Invalid, NameTaken."""
    _raise_if_any(rules.name_violations("name", name))
    if not await IdentityRepository(work).add_organization(name=name, now=now):
        raise NameTaken("name", name)
    return work.organization_id


async def list_organizations(work: UnitOfWork) -> Sequence[Any]:
    """Every organization with `id`, `name` and `is_active`, for a unit of work pinned to the platform."""
    return await IdentityRepository(work).list_organizations()


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
    violations = [*rules.name_violations("firstName", names[0]), *rules.name_violations("lastName", names[1])]
    if not rules.is_email_address(email):
        violations.insert(0, Violation("InvalidEmail", "email", f"is not a valid e-mail address: {email}"))
    _raise_if_any(violations)
    user = NewUser(new_id(), email, *names, sorted(set(function_points)), partner_id)
    if not await IdentityRepository(work).add_user(user, now=now):
        raise NameTaken("email", email)
    return user.id


async def deactivate_user(work: UnitOfWork, *, email: str) -> None:
    """Switch a user off, and with it all its tokens; raises NotFound."""
    repository = IdentityRepository(work)
    await repository.deactivate_user(await _user_id(repository, email))


async def create_client(
    work: UnitOfWork, *, name: str, function_points: Iterable[FunctionPoint], now: datetime
) -> ShownOnce:
    """Add an API client; raises Invalid, NameTaken."""
    _raise_if_any(rules.name_violations("name", name))
    secret = credentials.new_secret()
    client = NewCredential(new_id(), name, credentials.digest_of(secret), sorted(set(function_points)))
    if not await IdentityRepository(work).add_client(client, now=now):
        raise NameTaken("name", name)
    return ShownOnce(client.id, CredentialName(work.organization_id, client.id).text(CLIENT_PREFIX), secret)


async def revoke_client(work: UnitOfWork, *, client_id: UUID, now: datetime) -> None:
    """End a client and every token it fetched; raises NotFound."""
    if not await IdentityRepository(work).revoke_client(client_id, now=now):
        raise NotFound("There is no such client.")


async def create_key(
    work: UnitOfWork, *, name: str, function_points: Iterable[FunctionPoint], now: datetime
) -> ShownOnce:
    """Add an API key; raises Invalid."""
    _raise_if_any(rules.name_violations("name", name))
    key_id = new_id()
    text = credentials.new_key_text(CredentialName(work.organization_id, key_id))
    key = NewCredential(key_id, name, credentials.digest_of(text), sorted(set(function_points)))
    await IdentityRepository(work).add_key(key, now=now)
    return ShownOnce(key_id, name, text)


async def rotate_key(work: UnitOfWork, *, key_id: UUID, overlap: timedelta, now: datetime) -> ShownOnce:
    """A new key in place of an old one, which works on for `overlap`; raises NotFound."""
    repository = IdentityRepository(work)
    found = await repository.find_key(key_id)
    if found is None or not rules.in_good_standing(found[0].standing, now=now):
        raise NotFound("There is no such key, or it has ended.")
    holder, name, _ = found
    if not await repository.end_key(key_id, at=now + overlap, revoke=False):
        raise NotFound("There is no such key, or it has ended.")
    return await create_key(work, name=name, function_points=map(FunctionPoint, holder.function_points), now=now)


async def revoke_key(work: UnitOfWork, *, key_id: UUID, now: datetime) -> None:
    """End a key at once; raises NotFound."""
    if not await IdentityRepository(work).end_key(key_id, at=now, revoke=True):
        raise NotFound("There is no such key, or it has ended.")


async def list_keys(work: UnitOfWork) -> Sequence[Any]:
    """The API keys without their secrets: `id`, `name`, `created_at`, `expires_at`, `revoked_at`."""
    return await IdentityRepository(work).list_keys()


async def issue_token(
    work: UnitOfWork, *, signer: TokenSigner, email: str, lifetime: timedelta, now: datetime
) -> ShownOnce:
    """A long-lived Bearer token for one user (Pattern B); raises NotFound."""
    repository = IdentityRepository(work)
    token_id = new_id()
    await repository.add_token(token_id, await _user_id(repository, email), now=now, expires_at=now + lifetime)
    claims = {"org": str(work.organization_id), "kind": "token", "sub": str(token_id)}
    return ShownOnce(token_id, email, signer.issue(claims, now=now, lifetime=lifetime))


async def revoke_token(work: UnitOfWork, *, token_id: UUID, now: datetime) -> None:
    """End a token at once; raises NotFound."""
    if not await IdentityRepository(work).revoke_token(token_id, now=now):
        raise NotFound("There is no such token, or it has ended.")


async def _user_id(repository: IdentityRepository, email: str) -> UUID:
    user_id = await repository.find_user_id(email)
    if user_id is None:
        raise NotFound(f"There is no user {email}.")
    return user_id


def _raise_if_any(violations: Iterable[Violation]) -> None:
    found = list(violations)
    if found:
        raise Invalid(found)
